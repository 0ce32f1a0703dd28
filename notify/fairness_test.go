package notify_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// checkFresh commits an event of a store now and then and reports what is not
// delivered to the callback within a second.
func (b *bed) checkFresh(t *testing.T, d *notify.Dispatcher, callback string, storeID int64) {
	t.Helper()
	for i := range 20 {
		e := b.commit(t, version(storeID, fmt.Sprintf("fresh%d", i), 1))[0]
		d.Wake(storeID)
		time.Sleep(time.Second)
		synctest.Wait()
		delivery, _, err := b.storage.Delivery(t.Context(), callback, e.ID)
		if err != nil || delivery.State != event.Delivered {
			t.Errorf("a second after it was detected, event %d is %s, error %v", i, delivery.State, err)
		}
		time.Sleep(1700 * time.Millisecond)
	}
}

func TestNothingDelaysFreshEvents(t *testing.T) {
	quick := func(r *http.Request) (*http.Response, error) { return answer(200), sleep(r, 50*time.Millisecond) }
	slow := func(r *http.Request) (*http.Response, error) { return answer(200), sleep(r, 10*time.Second) }
	var down atomic.Bool
	for name, tc := range map[string]struct {
		backlog int
		stores  int64
		others  func(r *http.Request) (*http.Response, error) // of the other callback
		retries bool
	}{
		"a store with a backlog":     {100_000, 1, quick, false},
		"twenty of them":             {200, 20, quick, false},
		"retries due en masse":       {100, 20, quick, true},
		"a slow callback":            {1000, 1, slow, false},
		"a callback that does hang":  {1000, 1, func(r *http.Request) (*http.Response, error) { return nil, sleep(r, time.Hour) }, false},
		"a callback that is refused": {1000, 1, func(*http.Request) (*http.Response, error) { return answer(500), nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other := named(callbackTo("http://other.test"), "other")
				other.Timeout = 15 * time.Second
				b := newBed(t, callbackTo("http://callback.test"), other)
				b.options.Logger = nil
				b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
					switch {
					case r.URL.Host == "other.test":
						return tc.others(r)
					case down.Load():
						return answer(503, "Retry-After", "100"), nil
					default:
						return quick(r)
					}
				})
				for s := range tc.stores {
					b.commitBacklog(t, s+1, tc.backlog)
				}
				d := b.dispatcher(t)
				if tc.retries {
					down.Store(true)
					for range 300 {
						if err := d.Drain(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					down.Store(false)
					time.Sleep(time.Hour)
				}
				d, _ = b.start(t)
				time.Sleep(1234 * time.Millisecond)
				b.checkFresh(t, d, "default", 1_000_000)
			})
		})
	}
}

// commitBacklog commits the first versions of that many objects in large sets.
func (b *bed) commitBacklog(t testing.TB, storeID int64, objects int) {
	t.Helper()
	for done := 0; done < objects; {
		set := make([]event.Event, 0, 5000)
		for ; done < objects && len(set) < cap(set); done++ {
			set = append(set, version(storeID, fmt.Sprintf("N%06d", done), 1))
		}
		b.commit(t, set...)
	}
}
