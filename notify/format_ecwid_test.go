package notify_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// Ecwid's own examples come out byte for byte, but for white space.
func TestNativeBodyIsThePublishedOne(t *testing.T) {
	t.Parallel()
	published := event.Event{
		ID: "80aece08-40e8-4145-8764-6c2f0d38678", Store: event.Store{ID: 1003}, Resource: event.Orders,
		ObjectID: "XJ12H", InternalID: 103878161, Time: time.Unix(1234567, 0), DetectedAt: time.Unix(1234600, 0),
		Changes: []event.Change{}, Raw: []byte(`{"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED"}`),
	}
	events := map[event.Type]event.Event{}
	for _, typ := range event.Types() {
		e := published
		e.Type = typ
		if typ == event.OrderUpdated {
			e.ObjectID, e.InternalID = "B8HGD", 450012387
			e.Changes = []event.Change{{Path: "/fulfillmentStatus", Old: []byte(`"PROCESSING"`), New: []byte(`"SHIPPED"`)}}
		}
		events[typ] = e
	}
	var bodies []json.RawMessage
	if err := json.Unmarshal(readSample(t, "ecwid-webhooks.json"), &bodies); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != len(events) {
		t.Fatalf("%d published bodies for %d types", len(bodies), len(events))
	}
	for _, body := range bodies {
		var want bytes.Buffer
		if err := json.Compact(&want, body); err != nil {
			t.Fatal(err)
		}
		typ := event.Type(decodeBody[nativeWebhook](t, body).EventType)
		if diff := cmp.Diff(want.String(), string(bodyOf(t, "ecwid", events[typ], event.Full))); diff != "" {
			t.Errorf("body of %s (-published +ours):\n%s", typ, diff)
		}
	}
}

func TestNativeStatuses(t *testing.T) {
	t.Parallel()
	changed := func(path, before string) []event.Change {
		return []event.Change{{Path: "/email", Old: []byte(`"a"`)}, {Path: path, Old: []byte(before), New: []byte(`"x"`)}}
	}
	for name, tc := range map[string]struct {
		typ     event.Type
		changes []event.Change
		raw     string
		want    string
	}{
		"created": {
			event.OrderCreated,
			[]event.Change{},
			`{"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED"}`,
			`,"newPaymentStatus":"PAID","newFulfillmentStatus":"SHIPPED"`,
		},
		"updated in one of them": {
			event.OrderUpdated, changed("/paymentStatus", `"AWAITING_PAYMENT"`), `{"fulfillmentStatus":"SHIPPED","paymentStatus":"PAID"}`,
			`,"oldPaymentStatus":"AWAITING_PAYMENT","newPaymentStatus":"PAID","oldFulfillmentStatus":"SHIPPED","newFulfillmentStatus":"SHIPPED"`,
		},
		"updated in neither": {
			event.OrderUpdated, changed("/items/0/paymentStatus", `"x"`), `{"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED"}`,
			`,"oldPaymentStatus":"PAID","newPaymentStatus":"PAID","oldFulfillmentStatus":"SHIPPED","newFulfillmentStatus":"SHIPPED"`,
		},
		"updated from an unknown state": {
			event.OrderUpdated, nil, `{"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED"}`,
			`,"newPaymentStatus":"PAID","newFulfillmentStatus":"SHIPPED"`,
		},
		"a status that appeared": {
			event.OrderUpdated, changed("/fulfillmentStatus", ""), `{"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED"}`,
			`,"oldPaymentStatus":"PAID","newPaymentStatus":"PAID","newFulfillmentStatus":"SHIPPED"`,
		},
		"a status that vanished": {
			event.OrderUpdated, changed("/fulfillmentStatus", `"SHIPPED"`), `{"paymentStatus":"PAID"}`,
			`,"oldPaymentStatus":"PAID","newPaymentStatus":"PAID","oldFulfillmentStatus":"SHIPPED"`,
		},
		"the names of the legacy API": {
			event.OrderUpdated, changed("/paymentStatus", `"QUEUED"`), `{"paymentStatus":"ACCEPTED","fulfillmentStatus":"NEW"}`,
			`,"oldPaymentStatus":"AWAITING_PAYMENT","newPaymentStatus":"PAID","oldFulfillmentStatus":"AWAITING_PROCESSING","newFulfillmentStatus":"AWAITING_PROCESSING"`,
		},
		"its rarer names": {
			event.OrderUpdated, changed("/paymentStatus", `"CHARGEABLE"`), `{"paymentStatus":"DECLINED"}`,
			`,"oldPaymentStatus":"AWAITING_PAYMENT","newPaymentStatus":"CANCELLED"`,
		},
		"a name of the other status": {
			event.OrderCreated,
			[]event.Change{},
			`{"paymentStatus":"NEW","fulfillmentStatus":"ACCEPTED"}`,
			`,"newPaymentStatus":"NEW","newFulfillmentStatus":"ACCEPTED"`,
		},
		"names that nobody knows yet": {
			event.OrderCreated,
			[]event.Change{},
			`{"paymentStatus":"ON \"HOLD\"","fulfillmentStatus":""}`,
			`,"newPaymentStatus":"ON \"HOLD\"","newFulfillmentStatus":""`,
		},
		"what is no word": {
			event.OrderCreated, []event.Change{}, `{"paymentStatus":null,"fulfillmentStatus":7}`, ``,
		},
		"members of like names": {
			event.OrderCreated, []event.Change{}, `{"PaymentStatus":"PAID","fulfillmentstatus":"SHIPPED"}`, ``,
		},
		"no object": {event.OrderUpdated, []event.Change{}, `[]`, ``},
		"deleted":   {event.OrderDeleted, []event.Change{}, `{"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED"}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := event.Event{ID: "evt_1", Type: tc.typ, ObjectID: "A", InternalID: 7, Time: time.Unix(0, 0), Changes: tc.changes, Raw: []byte(tc.raw)}
			want := `{"eventId":"evt_1","eventCreated":0,"storeId":0,"entityId":7,"eventType":"` + string(tc.typ) + `","data":{"orderId":"A"`
			if diff := cmp.Diff(want+tc.want+"}}", string(bodyOf(t, "ecwid", e, event.Full))); diff != "" {
				t.Errorf("full body (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want+"}}", string(bodyOf(t, "ecwid", e, event.Thin))); diff != "" {
				t.Errorf("thin body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNativeEntityID(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		internal int64
		objectID string
		want     int64
	}{
		"the internal number":              {492512057, "EBJFT", 492512057},
		"before the order's number":        {492512057, "124", 492512057},
		"else the order's number":          {0, "124", 124},
		"not a number that is too large":   {0, "92233720368547758070", -1},
		"not a number that is none of one": {0, "-7", -1},
		"not letters":                      {0, "EBJFT", -1},
	} {
		e := event.Event{Type: event.OrderDeleted, ObjectID: tc.objectID, InternalID: tc.internal}
		if got := decodeBody[nativeWebhook](t, bodyOf(t, "ecwid", e, event.Full)).EntityID; got != tc.want {
			t.Errorf("%s: entityId of %q with %d is %d, want %d", name, tc.objectID, tc.internal, got, tc.want)
		}
	}
}

func TestSignAddsTheTypeToTheQueryOfNativeWebhooksOnly(t *testing.T) {
	t.Parallel()
	for callback, want := range map[string]string{
		"https://example.com/hook":                   "https://example.com/hook?eventtype=order.updated",
		"https://example.com":                        "https://example.com?eventtype=order.updated",
		"https://example.com/hook?":                  "https://example.com/hook?eventtype=order.updated",
		"https://example.com/hook?key=a%20b+c&b=%zz": "https://example.com/hook?key=a%20b+c&b=%zz&eventtype=order.updated",
		"https://example.com/a%2Fb?x;y":              "https://example.com/a%2Fb?x;y&eventtype=order.updated",
		"https://example.com/hook?eventtype=mine":    "https://example.com/hook?eventtype=mine&eventtype=order.updated",
	} {
		for _, name := range formatNames {
			target, err := url.Parse(callback)
			if err != nil {
				t.Fatal(err)
			}
			r := requestWith(http.Header{})
			r.URL = target
			formatNamed(t, name).Sign(r, event.Event{ID: "evt_1", Type: event.OrderUpdated}, time.Now(), []byte("{}"), nil)
			expected := callback
			if name == "ecwid" {
				expected = want
			}
			if r.URL.String() != expected {
				t.Errorf("%s: %s becomes %s, want %s", name, callback, r.URL, expected)
			}
		}
	}
}
