package notify_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// Orders that are forgotten while they are POSTed keep no result of the same batch from
// being recorded: each other delivery is attempted once.
func TestForgettingDuringAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Concurrency = 32
		b := newBed(t, c)
		b.options.Transport = &gauge{took: time.Second} // so that 32 are recorded together
		events := b.commitObjects(t, someStore, 64)
		_, stop := b.start(t)
		defer stop()
		time.Sleep(500 * time.Millisecond)
		gone := map[int]bool{1: true, 17: true, 31: true, 40: true} // the last one is not under way
		for i := range gone {
			erased, err := b.storage.Forget(t.Context(), events[i].Store.ID, event.Orders, events[i].ObjectID)
			if err != nil || erased.Deliveries != 1 {
				t.Fatalf("%+v, %v", erased, err)
			}
		}
		time.Sleep(time.Minute)
		for i, e := range events {
			if !gone[i] {
				b.checkState(t, e, event.Delivered, 1)
			}
		}
		backlog, err := b.storage.Backlog(t.Context(), c.Name)
		if err != nil || backlog.Pending != 0 {
			t.Errorf("%d are pending: %v", backlog.Pending, err)
		}
		if n := b.log.FilterMessage("delivery.gone").Len(); n < 3 || n > len(gone) {
			t.Errorf("%d log lines of %d deliveries that are gone", n, len(gone))
		}
	})
}
