package poller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// What is done between polls is done while nothing is held of the store: an order that
// is deleted and forgotten in the middle of the first reading does not come back, and the
// reading goes on.
func TestForgettingBetweenPolls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, slowly(time.Minute), func(b *bed) { b.store.Schedule = mustSchedule(b, "24h") })
		b.shop.FillBetween(200, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		b.poller.trackers[0].maxWindow, b.poller.trackers[0].batchBytes = 5, 1
		runWhile(b, func() {
			id := b.newestKnown()
			b.shop.Delete(id)
			asked := time.Now()
			b.must(b.poller.Between(t.Context(), testStore, func() error {
				if waited := time.Since(asked); waited > 10*time.Minute {
					t.Errorf("it waited for %s", waited)
				}
				_, err := b.storage.Forget(t.Context(), testStore, event.Orders, id)
				requests := len(b.server.Requests())
				time.Sleep(3 * time.Hour)
				if n := len(b.server.Requests()) - requests; n > 0 {
					t.Errorf("%d requests meanwhile", n)
				}
				return err
			}))
			time.Sleep(23 * time.Hour)
			if s := b.state(); !s.Cursor.Sweep.Done {
				t.Errorf("the reading comes to %+v", s.Cursor.Sweep)
			}
			if held, err := b.storage.SnapshotsByID(t.Context(), testStore, event.Orders, []string{id}); err != nil || len(held) != 0 {
				t.Errorf("what was forgotten is back: %v", err)
			}
			if n := len(b.storage.events); n != 0 {
				t.Errorf("%d events", n)
			}
		})
	})
}

// newestKnown returns, when the first reading has come to some orders, the one that was
// read last.
func (b *bed) newestKnown() string {
	b.Helper()
	ids := b.shop.IDs()
	var known map[string]event.Snapshot
	var err error
	for range 100 {
		time.Sleep(time.Minute)
		if known, err = b.storage.SnapshotsByID(b.Context(), testStore, event.Orders, ids); err != nil || len(known) > 0 {
			break
		}
	}
	if err != nil || len(known) == 0 || len(known) == len(ids) {
		b.Fatalf("%d of %d orders are known: %v", len(known), len(ids), err)
	}
	newest := ""
	for id, s := range known {
		if newest == "" || s.Created.After(known[newest].Created) {
			newest = id
		}
	}
	return newest
}

func TestBetweenPollsEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, slowly(40*time.Second))
		failure := errors.New("the storage fails")
		never := func() error { t.Error("it is called"); return failure }
		runWhile(b, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if err := b.poller.Between(ctx, testStore, never); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("during a poll: %v", err)
			}
			if err := b.poller.Between(t.Context(), 4711, func() error { return failure }); !errors.Is(err, failure) {
				t.Errorf("an unknown store: %v", err)
			}
			time.Sleep(10 * time.Minute)
			if s := b.state(); s.Last.Result != ResultOK || s.Success.IsZero() {
				t.Errorf("polls do not go on: %+v", s)
			}
		})
		// A poll that waits for it ends with its own context.
		b.must(b.poller.Between(t.Context(), testStore, func() error {
			runWhile(b, func() { time.Sleep(time.Hour) })
			return nil
		}))
	})
}
