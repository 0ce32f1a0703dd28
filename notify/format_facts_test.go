package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// checkFacts decodes a body as a receiver would, and holds it against the event.
func checkFacts(t *testing.T, format string, body []byte, e event.Event) {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("body is not valid JSON: %q", body)
	}
	if !bytes.Contains(body, e.Raw) {
		t.Errorf("body does not hold the object byte for byte: %q", body)
	}
	var diff string
	switch format {
	case "standard":
		diff = cmp.Diff(standardFacts(e), decodeBody[standardBody](t, body))
	case "openconnectors":
		got := decodeBody[notification](t, body)
		checkNotificationID(t, got.ID)
		got.ID = ""
		diff = cmp.Diff(notificationFacts(e), got)
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
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      struct {
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
		Raw        json.RawMessage `json:"raw"`
	} `json:"data"`
}

func standardFacts(e event.Event) standardBody {
	var b standardBody
	b.ID, b.Type, b.Timestamp = e.ID, string(e.Type), wholeSeconds(e.Time)
	b.Data.ObjectID, b.Data.ObjectType, b.Data.EventType = validText(e.ObjectID), e.Resource, actionOf(e.Type)
	b.Data.Store.ID, b.Data.Store.Name, b.Data.Store.Tags = e.Store.ID, validText(e.Store.Name), validTexts(e.Store.Tags)
	b.Data.Sequence, b.Data.Version, b.Data.DetectedAt = e.Sequence, e.Version, wholeSeconds(e.DetectedAt)
	if e.Changes != nil {
		b.Data.Changes = []event.Change{}
	}
	for _, c := range e.Changes {
		b.Data.Changes = append(b.Data.Changes, event.Change{Path: validText(c.Path), Old: bareValue(c.Old), New: bareValue(c.New)})
	}
	b.Data.Raw = bareObject(e.Raw)
	return b
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

func notificationFacts(e event.Event) notification {
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
	m.Events = []notificationEvent{{
		Date: wholeSeconds(e.Time), ElementKey: "ecwid", PollDate: wholeSeconds(at), EventType: actionOf(e.Type),
		HubKey: "ecommerce", ObjectID: validText(e.ObjectID), ObjectType: e.Resource,
	}}
	return n
}

func actionOf(typ event.Type) string {
	return map[event.Type]string{
		event.OrderCreated: "CREATED", event.OrderUpdated: "UPDATED", event.OrderDeleted: "DELETED",
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
