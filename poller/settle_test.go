package poller

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// Where two answers of the same second differ, the order itself decides.
func TestSettling(t *testing.T) {
	t.Parallel()
	type fault struct {
		kind ecwidtest.FaultKind
		do   func(b *bed, id string)
	}
	for name, c := range map[string]struct {
		fault fault
		fails bool
		then  []string // after the next poll
	}{
		"by reading the order":           {},
		"fails":                          {fault{kind: ecwidtest.InternalError}, true, []string{"updated A /orderComments"}},
		"is cut short":                   {fault{kind: ecwidtest.Truncated}, true, []string{"updated A /orderComments"}},
		"finds the order deleted":        {fault{do: func(b *bed, id string) { b.shop.Delete(id); b.shop.DelayIndex(id, time.Hour) }}, true, nil},
		"finds the order unfinished":     {fault{do: func(b *bed, id string) { unfinish(b, id) }}, true, nil},
		"finds what the list showed not": {fault{do: func(b *bed, id string) { hideEdit(b, id) }}, false, nil},
	} {
		for api, options := range map[string][]bedOption{"v3": nil, "legacy": {legacyAPI}} {
			t.Run(api+" "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBed(t, options...)
					b.expect()
					b.wait()
					id := b.shop.Place()
					b.poll()
					b.shop.Edit(id, set("orderComments", "within the same second"))
					other := b.shop.Place()
					if c.fault.do != nil {
						c.fault.do(b, id)
					}
					if c.fault.kind != "" {
						b.server.Fault(ecwidtest.Fault{Kind: c.fault.kind, Times: 3, Match: single})
					}
					before, moved := b.cursor().ReadTo, time.Minute
					time.Sleep(moved)
					events, err := b.tryPoll()
					if (err != nil) != c.fails || err != nil && !errors.Is(err, errUnsettled) {
						t.Errorf("the poll returns %v", err)
					}
					if c.fails != b.cursor().ReadTo.Equal(before) {
						t.Errorf("the cursor went from %s to %s", before, b.cursor().ReadTo)
					}
					name := keyOf(b, id)
					told := strings.Join(lines(events), "\n")
					if !strings.Contains(told, "created "+keyOf(b, other)) {
						t.Errorf("the rest of the page was not committed: %s", told)
					}
					if strings.Contains(told, "updated "+name) == c.fails {
						t.Errorf("told: %s", told)
					}
					b.wait()
					if c.then != nil {
						b.expectChange(name)
					}
				})
			})
		}
	}
}

// expectChange polls and wants an update of that order, and nothing else.
func (b *bed) expectChange(id string) {
	b.Helper()
	if events := b.poll(); len(events) != 1 || events[0].ObjectID != id || events[0].Type != event.OrderUpdated {
		b.Errorf("told: %s", lines(events))
	}
}

// single matches the reading of one order.
func single(r *http.Request) bool {
	return !strings.HasSuffix(r.URL.Path, "/orders") && !strings.HasSuffix(r.URL.Path, "/deleted") || r.URL.Query().Has("order")
}

// unfinish turns an order unfinished, which lists do not show yet.
func unfinish(b *bed, id string) {
	b.shop.Edit(id, set("paymentStatus", "INCOMPLETE"))
	b.shop.DelayIndex(id, time.Hour)
}

// hideEdit changes an order again, which lists do not show yet.
func hideEdit(b *bed, id string) {
	b.shop.Edit(id, set("orderComments", "and again"))
	b.shop.DelayIndex(id, time.Hour)
}

// keyOf is the id by which the API in use knows an order.
func keyOf(b *bed, id string) string {
	if !b.store.Source.ListsDeletions() {
		return itoa(b.shop.InternalID(id))
	}
	return id
}
