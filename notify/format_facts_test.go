package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// checkFacts decodes a body as a receiver would, and holds it against the event.
func checkFacts(t *testing.T, format string, payload event.Payload, body []byte, e event.Event) {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("body is not valid JSON: %q", body)
	}
	if payload == event.Full && format != "ecwid" && !bytes.Contains(body, e.Raw) {
		t.Errorf("body does not hold the object byte for byte: %q", body)
	}
	var diff string
	switch format {
	case "standard":
		diff = cmp.Diff(standardFacts(e, payload), decodeBody[standardBody](t, body))
	case "openconnectors":
		got := decodeBody[notification](t, body)
		checkNotificationID(t, got.ID)
		got.ID = ""
		diff = cmp.Diff(notificationFacts(e, payload), got)
	case "ecwid":
		diff = cmp.Diff(nativeFacts(e, payload), decodeBody[nativeWebhook](t, body))
	case "cloudevents":
		diff = cmp.Diff(cloudEventFacts(e, payload), decodeBody[cloudEvent](t, body))
	default:
		t.Fatalf("no facts for format %q", format)
	}
	if diff != "" {
		t.Errorf("body tells other facts than the event (-event +body):\n%s", diff)
	}
}

func decodeBody[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %q: %v", body, err)
	}
	return v
}

func checkNotificationID(t *testing.T, id string) {
	t.Helper()
	if n, err := strconv.ParseInt(id, 10, 64); err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		t.Errorf("id %q is not a positive decimal number of 64 bits", id)
	}
}

type standardBody struct {
	ID        string       `json:"id"`
	Type      string       `json:"type"`
	Timestamp string       `json:"timestamp"`
	Data      standardData `json:"data"`
}

type standardData struct {
	ObjectID   string `json:"objectId"`
	ObjectType string `json:"objectType"`
	EventType  string `json:"eventType"`
	Store      struct {
		ID   int64    `json:"id"`
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	} `json:"store"`
	Sequence   uint64          `json:"sequence"`
	Version    uint64          `json:"version"`
	DetectedAt string          `json:"detectedAt"`
	Changes    []event.Change  `json:"changes"`
	Raw        json.RawMessage `json:"raw"` // nil when there is no such key
}

func standardFacts(e event.Event, payload event.Payload) standardBody {
	return standardBody{ID: e.ID, Type: string(e.Type), Timestamp: wholeSeconds(e.Time), Data: dataFacts(e, payload)}
}

func dataFacts(e event.Event, payload event.Payload) standardData {
	var d standardData
	d.ObjectID, d.ObjectType, d.EventType = validText(e.ObjectID), e.Resource, actionOf(e.Type)
	d.Store.ID, d.Store.Name, d.Store.Tags = e.Store.ID, validText(e.Store.Name), validTexts(e.Store.Tags)
	d.Sequence, d.Version, d.DetectedAt = e.Sequence, e.Version, wholeSeconds(e.DetectedAt)
	if e.Changes != nil {
		d.Changes = []event.Change{}
	}
	for _, c := range e.Changes {
		told := event.Change{Path: validText(c.Path)}
		if payload == event.Full {
			told.Old, told.New = bareValue(c.Old), bareValue(c.New)
		}
		d.Changes = append(d.Changes, told)
	}
	if payload == event.Full {
		d.Raw = bareObject(e.Raw)
	}
	return d
}

type cloudEvent struct {
	SpecVersion     string       `json:"specversion"`
	ID              string       `json:"id"`
	Source          string       `json:"source"`
	Type            string       `json:"type"`
	Subject         string       `json:"subject"`
	Time            string       `json:"time"`
	DataContentType string       `json:"datacontenttype"`
	Sequence        string       `json:"sequence"`
	Data            standardData `json:"data"`
}

func cloudEventFacts(e event.Event, payload event.Payload) cloudEvent {
	digits := strconv.FormatUint(e.Sequence, 10)
	return cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: fmt.Sprintf("/stores/%d", e.Store.ID), Type: "com.ecwid." + string(e.Type),
		Subject: e.Resource + "/" + validText(e.ObjectID), Time: wholeSeconds(e.Time), DataContentType: "application/json",
		Sequence: strings.Repeat("0", 20-len(digits)) + digits, Data: dataFacts(e, payload),
	}
}

type nativeWebhook struct {
	EventID      string `json:"eventId"`
	EventCreated int64  `json:"eventCreated"`
	StoreID      int64  `json:"storeId"`
	EntityID     int64  `json:"entityId"`
	EventType    string `json:"eventType"`
	Data         struct {
		OrderID              string  `json:"orderId"`
		OldPaymentStatus     *string `json:"oldPaymentStatus"`
		NewPaymentStatus     *string `json:"newPaymentStatus"`
		OldFulfillmentStatus *string `json:"oldFulfillmentStatus"`
		NewFulfillmentStatus *string `json:"newFulfillmentStatus"`
	} `json:"data"`
}

func nativeFacts(e event.Event, payload event.Payload) nativeWebhook {
	w := nativeWebhook{EventID: e.ID, EventCreated: e.Time.Unix(), StoreID: e.Store.ID, EntityID: -1, EventType: string(e.Type)}
	if n, err := strconv.ParseInt(e.ObjectID, 10, 64); err == nil && n > 0 {
		w.EntityID = n
	}
	if e.InternalID != 0 {
		w.EntityID = e.InternalID
	}
	w.Data.OrderID = validText(e.ObjectID)
	order, ok := decodeValue(e.Raw).(map[string]any)
	if payload == event.Thin || e.Type == event.OrderDeleted || e.Type == event.Test || !ok {
		return w
	}
	w.Data.NewPaymentStatus = nativeStatus(order["paymentStatus"], paymentToday)
	w.Data.NewFulfillmentStatus = nativeStatus(order["fulfillmentStatus"], fulfillmentToday)
	if e.Type == event.OrderCreated || e.Changes == nil {
		return w
	}
	w.Data.OldPaymentStatus, w.Data.OldFulfillmentStatus = w.Data.NewPaymentStatus, w.Data.NewFulfillmentStatus
	for _, c := range slices.Backward(e.Changes) {
		switch c.Path {
		case "/paymentStatus":
			w.Data.OldPaymentStatus = nativeStatus(decodeValue(c.Old), paymentToday)
		case "/fulfillmentStatus":
			w.Data.OldFulfillmentStatus = nativeStatus(decodeValue(c.Old), fulfillmentToday)
		}
	}
	return w
}

// The words of the legacy API that have other names today.
var (
	paymentToday = map[string]string{
		"QUEUED": "AWAITING_PAYMENT", "ACCEPTED": "PAID", "DECLINED": "CANCELLED", "CHARGEABLE": "AWAITING_PAYMENT",
	}
	fulfillmentToday = map[string]string{"NEW": "AWAITING_PROCESSING"}
)

// nativeStatus is nil for what is no string.
func nativeStatus(value any, today map[string]string) *string {
	word, ok := value.(string)
	if !ok {
		return nil
	}
	if renamed, ok := today[word]; ok {
		word = renamed
	}
	return &word
}

// decodeValue returns nil for what is not JSON.
func decodeValue(text []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil
	}
	return v
}

type notification struct {
	Severity    string `json:"severity"`
	CreatedDate string `json:"createdDate"`
	Topic       string `json:"topic"`
	Action      string `json:"action"`
	ID          string `json:"id"`
	Message     struct {
		ElementKey   string              `json:"elementKey"`
		AccountID    int64               `json:"accountId"`
		EventID      string              `json:"eventId"`
		CompanyID    int64               `json:"companyId"`
		InstanceID   int64               `json:"instanceId"`
		InstanceID2  int64               `json:"instance_id"`
		InstanceName string              `json:"instanceName"`
		InstanceTags []string            `json:"instanceTags"`
		Raw          notificationRaw     `json:"raw"`
		UserID       int64               `json:"userId"`
		Events       []notificationEvent `json:"events"`
	} `json:"message"`
	User string `json:"user"`
}

type notificationRaw struct {
	Orders     []json.RawMessage `json:"orders"`
	PollDate   int64             `json:"pollDate"`
	ObjectType string            `json:"objectType"`
}

type notificationEvent struct {
	Date       string `json:"date"`
	ElementKey string `json:"elementKey"`
	PollDate   string `json:"pollDate"`
	EventType  string `json:"eventType"`
	HubKey     string `json:"hubKey"`
	ObjectID   string `json:"objectId"`
	ObjectType string `json:"objectType"`
}

func notificationFacts(e event.Event, payload event.Payload) notification {
	at := e.DetectedAt.UTC()
	n := notification{
		Severity: "medium",
		CreatedDate: fmt.Sprintf("%.3s %.3s %02d %02d:%02d:%02d UTC %04d",
			at.Weekday(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Year()),
		Topic:  fmt.Sprintf("instance-%d-ecwid-events", e.Store.ID),
		Action: "create",
		User:   "notifications@cloud-elements.com",
	}
	m := &n.Message
	m.ElementKey, m.EventID = "ecwid", e.ID
	m.AccountID, m.CompanyID, m.UserID = e.Store.ID, e.Store.ID, e.Store.ID
	m.InstanceID, m.InstanceID2 = e.Store.ID, e.Store.ID
	m.InstanceName, m.InstanceTags = validText(e.Store.Name), validTexts(e.Store.Tags)
	m.Raw = notificationRaw{Orders: []json.RawMessage{bareObject(e.Raw)}, PollDate: at.UnixMilli(), ObjectType: e.Resource}
	if payload == event.Thin {
		m.Raw.Orders = []json.RawMessage{}
	}
	m.Events = []notificationEvent{{
		Date: wholeSeconds(e.Time), ElementKey: "ecwid", PollDate: wholeSeconds(at), EventType: actionOf(e.Type),
		HubKey: "ecommerce", ObjectID: validText(e.ObjectID), ObjectType: e.Resource,
	}}
	return n
}

func actionOf(typ event.Type) string {
	return map[event.Type]string{
		event.OrderCreated: "CREATED", event.OrderUpdated: "UPDATED", event.OrderDeleted: "DELETED", event.Test: "TEST",
	}[typ]
}

func wholeSeconds(t time.Time) string {
	t = t.UTC()
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second())
}

// validText replaces each byte that is not UTF-8 by U+FFFD.
func validText(s string) string { return string([]rune(s)) }

func validTexts(texts []string) []string {
	valid := make([]string, 0, len(texts))
	for _, s := range texts {
		valid = append(valid, validText(s))
	}
	return valid
}

// bareValue is a value without the white space around it, as a decoder hands it
// over; nil when there is none.
func bareValue(v []byte) json.RawMessage {
	if len(v) == 0 {
		return nil
	}
	return bytes.Trim(v, " \t\r\n")
}

func bareObject(raw []byte) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return bareValue(raw)
}
