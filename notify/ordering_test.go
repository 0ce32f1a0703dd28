package notify_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// recording answers by a script and notes what was accepted, in order.
type recording struct {
	mu       sync.Mutex
	fails    func(id string) bool
	accepted []string // event ids
}

func (r *recording) respond(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := req.Header.Get("Webhook-Id")
	if r.fails != nil && r.fails(id) {
		return answer(500), nil
	}
	r.accepted = append(r.accepted, id)
	return answer(200), nil
}

func (r *recording) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.accepted)
}

func idsOf(events []event.Event) []string {
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	return ids
}

func TestOrderByCallbackSpansStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Ordering = notify.OrderByCallback
		b := newBed(t, c)
		random := rand.New(rand.NewPCG(1, 2))
		failures := rand.New(rand.NewPCG(3, 4))
		receiver := &recording{fails: func(string) bool { return failures.Float64() < 0.3 }}
		running := &gauge{took: 10 * time.Millisecond, answer: receiver.respond}
		b.options.Transport = running
		var events []event.Event
		commit := func(n int) {
			for range n {
				e := version(int64(random.IntN(5)+1), fmt.Sprintf("N%d", len(events)), 1)
				events = append(events, b.commit(t, e)...)
			}
		}
		commit(50)
		d, stop := b.start(t)
		for range 50 {
			commit(random.IntN(3))
			d.Wake(events[len(events)-1].Store.ID)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		stop()
		if got, want := receiver.ids(), idsOf(events); !slices.Equal(got, want) {
			t.Errorf("%d of %d accepted, in another order than they were detected", len(got), len(want))
		}
		if _, most := running.take(); most != 1 {
			t.Errorf("%d POSTs at once, want 1", most)
		}
	})
}

func TestOrderByCallbackGoesOnBehindWhatIsDead(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, b *bed, d *notify.Dispatcher, poison event.Event){
		"dies": func(t *testing.T, _ *bed, _ *notify.Dispatcher, _ event.Event) {
			t.Helper()
			time.Sleep(10 * time.Minute) // replays are accepted meanwhile
		},
		"dropped": func(t *testing.T, b *bed, d *notify.Dispatcher, poison event.Event) {
			t.Helper()
			if n, err := b.storage.Drop(t.Context(), "default", event.Pending, 1); n != 1 || err != nil {
				t.Fatalf("%d dropped, error %v", n, err)
			}
			d.Wake(poison.Store.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := callbackTo("http://callback.test")
				c.Ordering, c.Retry.MaxAge = notify.OrderByCallback, time.Minute
				b := newBed(t, c)
				first := b.commit(t, version(3, "first", 1))[0]
				poison := b.commit(t, version(1, "poison", 1))[0]
				receiver := &recording{fails: func(id string) bool { return id == poison.ID }}
				b.options.Transport = responder(receiver.respond)
				later := b.commit(t, version(2, "later", 1))[0]
				d, _ := b.start(t)
				time.Sleep(2 * time.Minute)
				b.checkState(t, later, event.Pending, 0)
				go func() {
					for range 5 { // the callback works
						time.Sleep(time.Minute)
						_, _ = b.storage.Replay(t.Context(), []event.Delivery{notify.Replay(&c, first, time.Now())})
						d.Wake(3)
					}
				}()
				leave(t, b, d, poison)
				time.Sleep(time.Minute)
				synctest.Wait()
				b.checkState(t, later, event.Delivered, 1)
				time.Sleep(10 * time.Minute)
			})
		})
	}
}

// What was detected before the ordering was changed keeps its own.
func TestOrderOutlivesTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Ordering = notify.OrderByCallback
		b := newBed(t, c)
		receiver := &recording{}
		b.options.Transport = responder(receiver.respond)
		var events []event.Event
		for i := range 20 {
			events = append(events, b.commit(t, version(int64(i%7+1), fmt.Sprintf("N%d", i), 1))...)
		}
		b.options.Callbacks[0].Ordering = notify.OrderByObject
		b.start(t)
		time.Sleep(time.Second)
		if got := receiver.ids(); !slices.Equal(got, idsOf(events)) {
			t.Errorf("accepted %d of %d, or out of order", len(got), len(events))
		}
	})
}

// One at a time are also those of which none waits for another.
func TestOrderByCallbackSendsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		receiver := &gauge{took: time.Second}
		b.options.Transport = receiver
		b.commitObjects(t, someStore, 20)
		b.options.Callbacks[0].Ordering = notify.OrderByCallback
		b.drain(t)
		if at, most := receiver.take(); len(at) != 20 || most != 1 {
			t.Errorf("%d POSTs, %d at once; want 20, one at once", len(at), most)
		}
	})
}

func TestOrderByNothingWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Ordering = notify.OrderByNothing
		b := newBed(t, c)
		first, second := version(someStore, "A", 1), version(someStore, "A", 2)
		receiver := &recording{fails: func(id string) bool { return id == first.ID }}
		b.options.Transport = responder(receiver.respond)
		b.commit(t, first, second)
		b.start(t)
		time.Sleep(time.Minute)
		if got := strings.Join(receiver.ids(), " "); got != second.ID {
			t.Errorf("accepted %s, want the second version alone", got)
		}
	})
}
