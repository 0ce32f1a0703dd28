package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// publishedNotification is the vendor's published notification as if its invoices
// were orders.
func publishedNotification(t *testing.T) []byte {
	t.Helper()
	return bytes.ReplaceAll(readSample(t, "openconnectors-notification.json"), []byte(`"invoices"`), []byte(`"orders"`))
}

// publishedEvent is what the published notification tells, as an event.
func publishedEvent(t *testing.T) event.Event {
	t.Helper()
	return event.Event{
		ID:       "AWVX9OTIhdQRdI1F7Q7v",
		Type:     event.OrderCreated,
		Store:    event.Store{ID: 7950647, Name: "Local netsuite", Tags: []string{"Local netsuite"}},
		Resource: event.Orders, ObjectID: "14682",
		Time:       time.Date(2018, 8, 20, 15, 29, 6, 0, time.UTC),
		DetectedAt: time.Date(2018, 8, 20, 15, 29, 34, 827_000_000, time.UTC),
		Sequence:   1, Version: 1, Changes: []event.Change{},
		Raw: decodeBody[notification](t, publishedNotification(t)).Message.Raw.Orders[0],
	}
}

func TestNotificationHasTheKeysOrderAndTypesOfThePublishedOne(t *testing.T) {
	t.Parallel()
	body := bodyOf(t, "openconnectors", publishedEvent(t), event.Full)
	const object = "/message/raw/orders/0"
	want, got := outline(t, publishedNotification(t), object), outline(t, body, object)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outline (-published +ours):\n%s", diff)
	}
}

// Everything that is not the provider's name or the vendor's own numbering comes
// out as it was published, forms of dates included.
func TestNotificationHasTheValuesOfThePublishedOne(t *testing.T) {
	t.Parallel()
	body := bodyOf(t, "openconnectors", publishedEvent(t), event.Full)
	want, got := decodeBody[notification](t, publishedNotification(t)), decodeBody[notification](t, body)

	checkNotificationID(t, got.ID)
	want.ID = got.ID
	want.Topic = "instance-7950647-ecwid-events"
	want.CreatedDate = "Mon Aug 20 15:29:34 UTC 2018" // the vendor's is half a minute after the poll
	m := &want.Message
	m.ElementKey, m.Events[0].ElementKey, m.Events[0].HubKey = "ecwid", "ecwid", "ecommerce"
	m.AccountID, m.CompanyID, m.UserID = 7950647, 7950647, 7950647
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-published +ours):\n%s", diff)
	}
}

func TestNotificationDateIsJavas(t *testing.T) {
	t.Parallel()
	cases := map[string]time.Time{
		"Mon Aug 20 15:30:07 UTC 2018": time.Date(2018, 8, 20, 15, 30, 7, 999_999_999, time.UTC), // as published
		"Sat Jan 01 00:00:00 UTC 2000": time.Date(1999, 12, 31, 19, 0, 0, 0, time.FixedZone("EST", -5*60*60)),
		"Thu Feb 29 23:59:59 UTC 2024": time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
	}
	for want, detected := range cases {
		e := sampleEvents(t)[0].event
		e.DetectedAt = detected
		body := bodyOf(t, "openconnectors", e, event.Full)
		if got := decodeBody[notification](t, body).CreatedDate; got != want {
			t.Errorf("createdDate of %v is %q, want %q", detected, got, want)
		}
	}
}

func TestNotificationIDFollowsFromTheEventIDAlone(t *testing.T) {
	t.Parallel()
	idOf := func(e event.Event) string {
		body := bodyOf(t, "openconnectors", e, event.Full)
		return decodeBody[notification](t, body).ID
	}
	first := sampleEvents(t)[1].event
	second := sampleEvents(t)[2].event
	second.ID = first.ID
	if a, b := idOf(first), idOf(second); a != b {
		t.Errorf("one event id gives the notification ids %s and %s", a, b)
	}
	second.ID = first.ID + "0"
	if a, b := idOf(first), idOf(second); a == b {
		t.Errorf("two event ids give the notification id %s", a)
	}
}

// outline lists the path and the JSON type of every value of a document, in order,
// down to the value at the path of opaque, which is listed without its inside.
func outline(t *testing.T, document []byte, opaque string) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var lines []string
	var walk func(path string)
	walk = func(path string) {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path, opaque+"/") {
			lines = append(lines, path+" "+jsonType(token))
		}
		delim, isDelim := token.(json.Delim)
		if !isDelim {
			return
		}
		for i := 0; d.More(); i++ {
			step := fmt.Sprint(i)
			if delim == '{' {
				key, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				step = fmt.Sprint(key)
			}
			walk(path + "/" + step)
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
	walk("")
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("document goes on after its end: %v", err)
	}
	return lines
}

func jsonType(token json.Token) string {
	switch v := token.(type) {
	case json.Delim:
		return map[json.Delim]string{'{': "object", '[': "array"}[v]
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "number"
	default:
		return fmt.Sprintf("%T", token)
	}
}
