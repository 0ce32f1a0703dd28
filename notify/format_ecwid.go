package notify

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// ecwidFormat is the webhook that Ecwid itself sends, so that a receiver written for
// it works unchanged: the keys, their order, the headers, the signature and the
// parameter eventtype are those of Ecwid's documentation. It carries the statuses of
// an order and nothing else of it, neither sequence nor version:
// https://docs.ecwid.com/webhook-automations/learn-ecwid-webhooks/event-data-in-webhooks.
type ecwidFormat struct{}

func (ecwidFormat) Name() string { return "ecwid" }

func (ecwidFormat) ContentType() string { return "application/json; charset=UTF-8" }

// Body tells the time of the change, not that of the attempt, as eventCreated: what
// is signed stays the same. A thin body tells no statuses.
func (ecwidFormat) Body(e event.Event, payload event.Payload) ([]byte, error) {
	b := make([]byte, 0, bodyEnvelope)
	b = putText(b, `{"eventId":`, e.ID)
	b = putInt(b, `,"eventCreated":`, e.Time.Unix())
	b = putInt(b, `,"storeId":`, e.Store.ID)
	b = putInt(b, `,"entityId":`, entityID(e))
	b = putText(b, `,"eventType":`, string(e.Type))
	b = putText(b, `,"data":{"orderId":`, e.ObjectID)
	if payload != event.Thin {
		b = putStatuses(b, e)
	}
	return append(b, "}}"...), nil
}

// entityID is Ecwid's internal number of the order. An order without one has its
// order number there, as every order had before order ids became letters in 2020; and
// one whose id is no number has -1, as Ecwid then sent it where it had no number.
func entityID(e event.Event) int64 {
	if e.InternalID != 0 {
		return e.InternalID
	}
	if number, err := strconv.ParseInt(e.ObjectID, 10, 64); err == nil && number > 0 {
		return number
	}
	return -1
}

// A nativeStatus is a status of an order as Ecwid's webhooks tell it.
type nativeStatus struct {
	member, before, after string
	// renamed holds the words of the legacy API whose names are others since 2014:
	// https://www.ecwid.com/blog/improved-order-statuses-in-ecwid.html.
	renamed map[string]string
}

var nativeStatuses = []nativeStatus{
	{"paymentStatus", `,"oldPaymentStatus":`, `,"newPaymentStatus":`, map[string]string{
		"QUEUED": "AWAITING_PAYMENT", "CHARGEABLE": "AWAITING_PAYMENT", "ACCEPTED": "PAID", "DECLINED": "CANCELLED",
	}},
	{"fulfillmentStatus", `,"oldFulfillmentStatus":`, `,"newFulfillmentStatus":`, map[string]string{
		"NEW": "AWAITING_PROCESSING",
	}},
}

// putStatuses appends what Ecwid tells of an order that was created, its statuses, or
// updated, those before as well, be they the same. What is not known is left out: a
// status that the order does not carry, and those before an update whose earlier state
// is unknown. The latter could have been repeated from those after; then a receiver
// that waits for an order to become PAID would pass over one that did.
func putStatuses(b []byte, e event.Event) []byte {
	if e.Type != event.OrderCreated && e.Type != event.OrderUpdated {
		return b
	}
	var order map[string]json.RawMessage
	if err := json.Unmarshal(e.Raw, &order); err != nil {
		return b // no object: a receiver reads the order itself
	}
	for _, s := range nativeStatuses {
		after := order[s.member]
		if e.Type == event.OrderUpdated && e.Changes != nil {
			b = s.put(b, s.before, statusBefore(e.Changes, "/"+s.member, after))
		}
		b = s.put(b, s.after, after)
	}
	return b
}

// statusBefore is what a status was before the changes that led to what it is after.
func statusBefore(changes []event.Change, path string, after json.RawMessage) json.RawMessage {
	for _, c := range changes {
		if c.Path == path {
			return c.Old
		}
	}
	return after
}

// put appends a word of the status in today's name, and nothing for what is no string.
func (s nativeStatus) put(b []byte, literal string, status json.RawMessage) []byte {
	var word *string
	if err := json.Unmarshal(status, &word); err != nil || word == nil {
		return b
	}
	if renamed, ok := s.renamed[*word]; ok {
		return putText(b, literal, renamed)
	}
	return putText(b, literal, *word)
}

// Sign adds the parameter eventtype behind those that the URL has, and sets
// X-Ecwid-Webhook-Signature, which covers the event's id and time but not the body.
// It has room for one signature, so it is the first key's: during a rotation the key
// that the receiver knows comes first.
func (ecwidFormat) Sign(r *http.Request, e event.Event, _ time.Time, _ []byte, keys [][]byte) {
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	r.URL.RawQuery += "eventtype=" + url.QueryEscape(string(e.Type))
	if len(keys) > 0 {
		signed := strconv.FormatInt(e.Time.Unix(), 10) + "." + e.ID
		r.Header.Set("X-Ecwid-Webhook-Signature", hmacBase64(keys[0], []byte(signed)))
	}
}
