package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// eachItsOwn returns a bed whose stores, numbered from 0, send to a callback of their
// own each.
func eachItsOwn(t testing.TB, n int) *bed {
	t.Helper()
	callbacks, byStore := ownCallbacks(n)
	b := newBed(t, callbacks...)
	b.byStore = byStore
	return b
}

func TestIdleCallbackHasNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eachItsOwn(t, 3)
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		check := func(when string, d *notify.Dispatcher, want int) {
			t.Helper()
			synctest.Wait()
			if n := d.Queues(); n != want {
				t.Errorf("%s: %d queues, want %d", when, n, want)
			}
		}
		waiting := b.commitObjects(t, 1, 1)[0]
		d, _ := b.start(t)
		check("at the start", d, 1)
		b.checkDelivered(t, 1, waiting)
		time.Sleep(time.Hour)
		for range 2 {
			check("when all are idle", d, 0)
			if err := d.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			d.Wake(0) // there is nothing for any of them
			check("woken for nothing", d, 0)
			e := b.commit(t, version(2, fmt.Sprint(time.Now()), 1))[0]
			d.Wake(2, "callback-2", "nobody")
			time.Sleep(90*time.Second - time.Nanosecond)
			check("while the connection lasts", d, 1)
			b.checkDelivered(t, 2, e)
			time.Sleep(time.Nanosecond)
		}
		check("in the end", d, 0)
	})
}

func TestRateLimitOutlastsIdleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.RateLimit = 1.0 / 3600
		b := newBed(t, c)
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		d, _ := b.start(t)
		for n, want := range []event.DeliveryState{event.Delivered, event.Pending} {
			e := b.commit(t, version(someStore, fmt.Sprint(n), 1))[0]
			d.Wake(someStore)
			time.Sleep(30 * time.Minute)
			if got, _ := b.delivery(t, e); got.State != want {
				t.Errorf("event %d is %s after half an hour, want %s", n, got.State, want)
			}
		}
	})
}

func TestIdleCallbackSendsNothingThatCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eachItsOwn(t, 2)
		faulty := &faultyStorage{Storage: b.storage}
		faulty.fail(nil, errors.New("no space left on device"))
		b.options.Storage = faulty
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		b.commitObjects(t, 0, 1)
		d, _ := b.start(t)
		time.Sleep(time.Minute)
		e := b.commitObjects(t, 1, 1)[0]
		d.Wake(1)
		time.Sleep(time.Minute)
		if n := b.log.FilterMessage("delivery.attempted").Len(); n != 1 {
			t.Errorf("%d attempts, want only that before anybody knew", n)
		}
		faulty.fail(nil, nil)
		time.Sleep(time.Minute)
		b.checkDelivered(t, 1, e)
	})
}

// Starting asks once for each callback, and waking asks for those that are named.
func TestIdleCallbackIsHardlyAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eachItsOwn(t, 3)
		counted := &countedStorage{Storage: b.storage}
		b.options.Storage = counted
		d, _ := b.start(t)
		check := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			if n := counted.reads.Swap(0); n != want {
				t.Errorf("%s: %d reads, want %d", when, n, want)
			}
		}
		check("at the start", 3)
		d.Wake(1, "callback-1")
		check("woken by name", 2) // which stores, and what of the one
		d.Wake(1)
		check("all woken", 6)
	})
}

// interruptedStorage lets something happen when a queue has just read which stores have
// pending deliveries: none.
type interruptedStorage struct {
	notify.Storage
	calls     int
	interrupt func()
}

func (s *interruptedStorage) PendingStores(ctx context.Context, callback string) (map[int64]time.Time, error) {
	stores, err := s.Storage.PendingStores(ctx, callback)
	if s.calls++; s.calls == 2 { // the first is that of the start
		s.interrupt()
	}
	return stores, err
}

// What a callback is told while it becomes idle is not lost.
func TestCallbackIsToldSomethingWhileItBecomesIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eachItsOwn(t, 1)
		interrupted := &interruptedStorage{Storage: b.storage}
		b.options.Storage = interrupted
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		d, _ := b.start(t)
		synctest.Wait()
		var e event.Event
		interrupted.interrupt = func() {
			e = b.commitObjects(t, 0, 1)[0]
			d.Wake(0, "callback-0")
		}
		d.Wake(7, "callback-0") // which has nothing for it
		synctest.Wait()
		b.checkDelivered(t, 0, e)
	})
}

// It also answers whoever asks whether it is alive.
func TestCallbackIsPingedWhileItBecomesIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := eachItsOwn(t, 1)
		interrupted := &interruptedStorage{Storage: b.storage}
		b.options.Storage = interrupted
		d, _ := b.start(t)
		synctest.Wait()
		answered := make(chan error, 1)
		interrupted.interrupt = func() {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				answered <- d.Ping(ctx)
			}()
			time.Sleep(time.Second) // the ping waits
		}
		d.Wake(7, "callback-0")
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}
