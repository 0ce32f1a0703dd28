package poller

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// An outage is a way to Ecwid that ends after so many orders have been read by
// themselves.
type outage struct {
	http.RoundTripper
	left     int
	requests int // while it lasted
}

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.left == 0 {
		o.requests++
		return nil, syscall.ECONNRESET
	}
	if single(r) {
		o.left--
	}
	return o.RoundTripper.RoundTrip(r)
}

// A reconciliation that loses its way to the store stops there, keeps what it has
// read, and goes on with the same window.
func TestReconcileStopsInAnOutage(t *testing.T) {
	t.Parallel()
	const total, read = 9, 4
	for name, befall := range map[string]func(b *bed, ids []string) (verb string){
		"reading what is missing": func(b *bed, ids []string) string {
			for _, id := range ids {
				b.shop.Delete(id)
			}
			return "deleted "
		},
		"reading what differs": func(b *bed, ids []string) string {
			for _, id := range ids {
				b.shop.Edit(id, set("trackingNumber", "1Z"))
			}
			time.Sleep(time.Hour)
			b.poller.trackers[0].cursor.ReadTo = time.Now() // the polls have missed it
			return "updated "
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t)
				way := &outage{b.server.Transport(), -1, 0}
				b.store.Source = b.client(testToken, way)
				b.restart()
				b.shop.FillBetween(total, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
				b.expect()
				b.forgetDeletions()
				verb := befall(b, b.shop.IDs())

				way.left = read
				events, err := b.reconcile()
				if err == nil || isPartial(err) {
					t.Errorf("the reconciliation returns %v", err)
				}
				if len(events) != read {
					t.Errorf("told of %d orders, %d were read", len(events), read)
				}
				if most := 6; way.requests > most { // an order and a list, three tries each
					t.Errorf("%d requests during the outage, %d are enough", way.requests, most)
				}

				way.left = -1
				at := len(b.storage.events)
				if _, err := b.tryPoll(); err != nil {
					t.Error(err)
				}
				told := map[string]bool{}
				for _, line := range lines(b.storage.events) {
					told[line[:len(verb)+5]] = true
				}
				for _, id := range b.shop.IDs() {
					if !told[verb+id] {
						t.Errorf("%s%s is not told", verb, id)
					}
				}
				if n := len(b.storage.events) - at; n != total-read {
					t.Errorf("%d events after the outage, want %d", n, total-read)
				}
			})
		})
	}
}

// An order that cannot be read by itself stops no reconciliation.
func TestReconcilePassesOverAnUnreadableOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.shop.FillBetween(6, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		b.expect()
		b.forgetDeletions()
		var want []string
		for i, id := range b.shop.IDs() {
			b.shop.Delete(id)
			if i == 2 {
				b.server.Fault(ecwidtest.Fault{Kind: ecwidtest.InternalError, Times: 3, Match: func(r *http.Request) bool {
					return r.URL.Path == "/api/v3/"+itoa(testStore)+"/orders/"+id
				}})
				continue
			}
			want = append(want, "deleted "+id)
		}
		b.expectReconciled(want...)
	})
}

// A Date of the server's that is far ahead, once, takes the cursor with it. The next
// poll takes it back, and the reconciliation finds what was missed between the two.
func TestOneWrongDateIsMadeGood(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.expect()
		b.wait()
		first := b.shop.Place()
		b.server.SetSkew(365 * 24 * time.Hour)
		b.expect("created " + first)
		b.server.SetSkew(0)
		missed := b.shop.Place()
		time.Sleep(2 * b.store.Overlap)
		b.expect()
		seen := b.shop.Place()
		b.wait()
		b.expect("created " + seen)
		b.expectReconciled("created " + missed)
	})
}
