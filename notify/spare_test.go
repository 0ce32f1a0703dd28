package notify_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// A gauge is a receiver in memory that counts what arrives.
type gauge struct {
	took time.Duration // of each answer

	mu            sync.Mutex
	answer        responder // nil: 200
	at            []time.Time
	running, most int
}

func (g *gauge) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.at = append(g.at, time.Now())
	g.running++
	g.most = max(g.most, g.running)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.running--
		g.mu.Unlock()
	}()
	if g.took > 0 {
		if err := sleep(r, g.took); err != nil {
			return nil, err
		}
	}
	g.mu.Lock()
	respond := g.answer
	g.mu.Unlock()
	if respond == nil {
		return answer(200), nil
	}
	return respond(r)
}

func (g *gauge) set(answer responder) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = answer
}

// take returns when the requests since the last call arrived, and the most that ran
// at once.
func (g *gauge) take() (at []time.Time, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, most = g.at, g.most
	g.at, g.most = nil, g.running
	return at, most
}

// slowlyRetried is a callback whose single deliveries are retried after an hour, so
// that what is sent meanwhile are probes.
func slowlyRetried() notify.Callback {
	c := callbackTo("http://callback.test")
	c.Retry = notify.Retry{First: 5 * time.Second, Longest: time.Hour, MaxAge: 72 * time.Hour}
	return c
}

func TestDeadCallbackIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		receiver := &gauge{took: time.Second, answer: func(*http.Request) (*http.Response, error) { return answer(503), nil }}
		b.options.Transport = receiver
		events := b.commitObjects(t, someStore, 200)
		d, _ := b.start(t)
		time.Sleep(1500 * time.Millisecond)
		if s := d.States()[0]; !s.OpenSince.IsZero() {
			t.Errorf("open after 4 failures: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		// Those of four workers twice: the fifth failure came when the others of the
		// second round ended too.
		if at, most := receiver.take(); len(at) != 8 || most != 4 {
			t.Errorf("%d POSTs before the breaker opened, %d at once, want 8 and 4", len(at), most)
		}
		opened := time.Now().Add(-500 * time.Millisecond)
		s := d.States()[0]
		if !s.OpenSince.Equal(opened) || !s.NextProbe.Equal(opened.Add(5*time.Second)) || s.Failures != 8 || s.UnderWay != 0 ||
			s.LastError != notify.ErrorStatus || s.LastDetail != "Service Unavailable" || !s.LastErrorAt.Equal(opened) || !s.LastAccepted.IsZero() {
			t.Errorf("state %+v, want it open since %v, to be probed 5 s later, after 8 failures", s, opened)
		}

		time.Sleep(10*time.Minute + 500*time.Millisecond)
		synctest.Wait()
		at, most := receiver.take()
		previous := opened
		for i, wait := range []time.Duration{5, 10, 20, 40, 60, 60, 60, 60} {
			if got := at[i].Sub(previous); got != wait*time.Second {
				t.Errorf("probe %d came after %s, want %s", i+1, got, wait*time.Second)
			}
			previous = at[i].Add(receiver.took)
		}
		if len(at) > 14 || most != 1 {
			t.Errorf("%d probes in ten minutes, %d at once; want one a minute, one at once", len(at), most)
		}

		receiver.set(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if _, most := receiver.take(); most != 4 {
			t.Errorf("%d at once after the callback answered, want 4", most)
		}
		// What was a probe has its own time.
		if s := d.States()[0]; !s.OpenSince.IsZero() || !s.NextProbe.IsZero() || s.Failures != 0 || s.LastAccepted.IsZero() {
			t.Errorf("state %+v, want it closed", s)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for _, e := range events {
			if d, _ := b.delivery(t, e); d.State != event.Delivered {
				t.Fatalf("%s is %s", e.ObjectID, d.State)
			}
		}
		for _, line := range []string{"callback.opened", "callback.closed"} {
			if n := b.log.FilterMessage(line).Len(); n != 1 {
				t.Errorf("%d lines %s, want 1", n, line)
			}
		}
	})
}

// poisoned answers 500 to objects whose name begins with poison.
func poisoned(events []event.Event) responder {
	poison := make(map[string]bool)
	for _, e := range events {
		poison[e.ID] = strings.HasPrefix(e.ObjectID, "poison")
	}
	return func(r *http.Request) (*http.Response, error) {
		if poison[r.Header.Get("Webhook-Id")] {
			return answer(500), nil
		}
		return answer(200), nil
	}
}

// A callback that takes all but some events is not to be spared for long: when those
// are all that is pending, a fresh one still goes through soon.
func TestFreshEventsPassPoison(t *testing.T) {
	for name, tc := range map[string]struct {
		poison int // objects in each of the stores
		stores int64
		within time.Duration
	}{
		"of one object":     {1, 1, 0},
		"of four":           {4, 1, 0},
		"of a hundred":      {100, 1, time.Minute},
		"of several stores": {5, 20, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, slowlyRetried())
				var events []event.Event
				for s := range tc.stores {
					var set []event.Event
					for i := range tc.poison {
						set = append(set, version(s+1, fmt.Sprintf("poison%d", i), 1))
					}
					events = append(events, b.commit(t, set...)...)
				}
				b.options.Transport = poisoned(events)
				d, _ := b.start(t)
				time.Sleep(3*time.Hour + 17*time.Second)
				if open := !d.States()[0].OpenSince.IsZero(); open != (tc.within > 0) {
					t.Errorf("the breaker is open: %t", open)
				}
				for i := range 5 {
					fresh := b.commit(t, version(1+int64(i)%tc.stores, fmt.Sprintf("fresh%d", i), 1))[0]
					d.Wake(fresh.Store.ID)
					time.Sleep(tc.within)
					synctest.Wait()
					b.checkState(t, fresh, event.Delivered, 1)
					time.Sleep(10 * time.Minute)
				}
			})
		})
	}
}

func TestOnlyTheCallbacksFailuresOpen(t *testing.T) {
	for name, wrap := range map[string]func(notify.Storage) notify.Storage{
		"events cannot be read":     func(s notify.Storage) notify.Storage { return &unreadableStorage{s} },
		"another event is in place": func(s notify.Storage) notify.Storage { return &misplacedStorage{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, slowlyRetried())
				events := b.commitObjects(t, someStore, 20)
				b.options.Storage = wrap(b.storage)
				d, stop := b.start(t)
				synctest.Wait()
				s := d.States()[0]
				if s.LastError != notify.ErrorEvent || !s.OpenSince.IsZero() || s.Failures != 0 {
					t.Errorf("state %+v, want it closed, with no failure of the callback", s)
				}
				for _, e := range events {
					b.checkState(t, e, event.Pending, 1)
				}
				stop()
			})
		})
	}
}

func TestDrainDoesNotWaitForADeadCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		receiver := &gauge{took: time.Second, answer: func(*http.Request) (*http.Response, error) { return answer(503), nil }}
		b.options.Transport = receiver
		b.commitObjects(t, someStore, 500)
		start := time.Now()
		b.drain(t)
		at, _ := receiver.take()
		if took := time.Since(start); took != 3*time.Second || len(at) != 9 {
			t.Errorf("%d POSTs in %s, want those of two rounds and a probe", len(at), took)
		}
	})
}

func TestDrainPassesPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		var set []event.Event
		for i := range 20 {
			set = append(set, version(someStore, fmt.Sprintf("poison%d", i), 1))
		}
		events := b.commit(t, set...)
		b.options.Transport = poisoned(events)
		for range 10 { // until each has failed
			b.drain(t)
			time.Sleep(2 * time.Hour)
		}
		fresh := b.commitObjects(t, someStore, 50)
		b.drain(t)
		for _, e := range fresh {
			b.checkState(t, e, event.Delivered, 1)
		}
	})
}
