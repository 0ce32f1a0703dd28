package notify_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// ahead is how far a clock was wrong.
const ahead = 30 * 24 * time.Hour

func TestWhatAClockThatWasAheadHasStoredIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		receiver := &gauge{}
		b.options.Transport = receiver
		record := func(e event.Event, begun, next time.Time) {
			t.Helper()
			err := b.storage.Record(t.Context(), []event.Result{{
				Callback: "default", Position: e.Position, State: event.Pending, NextAttempt: next,
				Attempt: event.Attempt{Number: 1, Time: begun, Error: "status"},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		events := b.commitObjects(t, someStore, 5)
		now := time.Now()
		retried, tooFar, waiting, week := events[0], events[1], events[2], events[3]
		record(retried, now.Add(10*time.Minute), now.Add(11*time.Minute))
		record(tooFar, now.Add(-time.Minute), now.Add(ahead))
		record(waiting, now.Add(-time.Minute), now.Add(10*time.Minute))
		record(week, now.Add(-time.Minute), now.Add(6*24*time.Hour))
		fresh := version(someStore, "fresh", 1)
		fresh.DetectedAt = now.Add(ahead)
		fresh = b.commit(t, fresh)[0]
		elsewhere := version(otherStore, "fresh", 1)
		elsewhere.DetectedAt = now.Add(5 * time.Minute)
		elsewhere = b.commit(t, elsewhere)[0]

		b.start(t)
		synctest.Wait()
		b.checkState(t, events[4], event.Delivered, 1)
		b.checkState(t, fresh, event.Delivered, 1)
		b.checkState(t, elsewhere, event.Delivered, 1)
		b.checkState(t, retried, event.Delivered, 2)
		b.checkState(t, tooFar, event.Delivered, 2)
		b.checkState(t, waiting, event.Pending, 1)
		b.checkState(t, week, event.Pending, 1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		b.checkState(t, waiting, event.Delivered, 2)
		b.checkState(t, week, event.Pending, 1)
		time.Sleep(6 * 24 * time.Hour)
		b.checkState(t, week, event.Delivered, 2)
	})
}

// A drain does not take what came while it ran for what a wrong clock stored, and
// what it has attempted waits.
func TestDrainEndsThoughAllFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		receiver := &gauge{took: time.Second, answer: func(*http.Request) (*http.Response, error) { return answer(500), nil }}
		b.options.Transport = receiver
		e := version(someStore, "fresh", 1)
		e.DetectedAt = time.Now().Add(ahead)
		e = b.commit(t, e)[0]
		b.drain(t)
		b.checkState(t, e, event.Pending, 1)
		b.drain(t)
		b.checkState(t, e, event.Pending, 1)
	})
}

// What was attempted while the clock was ahead keeps its waits once it is attempted
// again, however far away the stored time is.
func TestAClockThatWasAheadEndsNoBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		poison := b.commit(t, version(someStore, "poison", 1))[0]
		attempts := 0
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Webhook-Id") != poison.ID {
				return answer(200), nil
			}
			attempts++
			return answer(429, "Retry-After", "3600"), nil
		})
		tomorrow := time.Now().Add(24 * time.Hour)
		err := b.storage.Record(t.Context(), []event.Result{{
			Callback: "default", Position: poison.Position, State: event.Pending, NextAttempt: tomorrow.Add(5 * time.Second),
			Attempt: event.Attempt{Number: 1, Time: tomorrow, Error: "status"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := b.start(t)
		for n := range 60 { // other orders have the store read again and again
			b.commit(t, version(someStore, strconv.Itoa(n), 1))
			d.Wake(someStore)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if attempts != 1 {
			t.Errorf("%d attempts in a minute, though the answer said Retry-After: 3600", attempts)
		}
	})
}
