package poller

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// slowly makes every answer take its time.
func slowly(d time.Duration) bedOption {
	return func(b *bed) { b.store.Source = delayed{b.store.Source, d} }
}

type delayed struct {
	Source
	by time.Duration
}

func (d delayed) Orders(ctx context.Context, q event.Query) (event.Page, error) {
	time.Sleep(d.by)
	return d.Source.Orders(ctx, q)
}

func (d delayed) Order(ctx context.Context, id string) (event.Object, error) {
	time.Sleep(d.by)
	return d.Source.Order(ctx, id)
}

// The reading of a whole shop makes room for what a person wants, and goes on later.
func TestAPassMakesRoomForCommands(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, slowly(time.Minute), func(b *bed) { b.store.Schedule = mustSchedule(b, "24h") })
		b.shop.FillBetween(200, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		b.poller.trackers[0].maxWindow = 5
		runWhile(b, func() {
			time.Sleep(10 * time.Minute)
			if s := b.state(); s.Last.Result != ResultOK || s.Total != 200 {
				t.Errorf("during the first reading: %+v", s)
			}
			b.must(b.poller.Pause(testStore))
			time.Sleep(10 * time.Minute) // for the window under way
			requests := len(b.server.Requests())
			time.Sleep(3 * time.Hour)
			if n := len(b.server.Requests()) - requests; n > 0 {
				t.Errorf("%d requests for a paused store", n)
			}
			b.must(b.poller.Resume(testStore))
			time.Sleep(23 * time.Hour)
			if s := b.state(); !s.Cursor.Sweep.Done || s.Cursor.Sweep.Objects != 200 {
				t.Errorf("resumed, the reading comes to %+v", s.Cursor.Sweep)
			}
		})
	})
}

// editUnseen fills the shop, has it known, and edits every order so that a comparison of
// the whole shop alone sees it. source is how the shop is read from then on.
func (b *bed) editUnseen(orders int, source func(Source) Source) {
	b.Helper()
	b.shop.FillBetween(orders, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
	b.expect()
	for _, id := range b.shop.IDs() {
		b.shop.Edit(id, set("privateAdminNotes", "x"))
	}
	time.Sleep(time.Hour) // beyond the overlap
	cursor := b.cursor()
	cursor.ReadTo = time.Now().UTC().Truncate(time.Second)
	b.must(b.storage.Commit(b.Context(), &event.ChangeSet{Cursor: cursor, Base: cursor.Sequence}))
	b.store.Source = source(b.store.Source)
	b.restart()
}

// A comparison that reads order by order stops for a pause, too.
func TestAReconciliationMakesRoomForAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, func(b *bed) { b.store.Schedule = mustSchedule(b, "24h") })
		b.editUnseen(120, func(s Source) Source { return delayed{s, time.Minute} })
		runWhile(b, func() {
			b.must(b.poller.Reconcile(testStore))
			time.Sleep(20 * time.Minute)
			b.must(b.poller.Pause(testStore))
			time.Sleep(3 * time.Minute) // for the order under way
			requests := len(b.server.Requests())
			if requests < 10 {
				t.Fatalf("%d requests: the comparison has not begun to read orders", requests)
			}
			time.Sleep(4 * time.Hour)
			if n := len(b.server.Requests()) - requests; n > 0 {
				t.Errorf("%d requests for a paused store", n)
			}
		})
	})
}

// Orders that are read one by one do not hold up the polls, however long each takes.
func TestHangingReadsHoldUpNoPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.editUnseen(50, func(s Source) Source { return hangingReads{s} })
		runWhile(b, func() {
			b.must(b.poller.Reconcile(testStore))
			time.Sleep(time.Minute)
			b.shop.Place()
			before := b.storage.told()
			time.Sleep(20 * time.Minute)
			if b.storage.told() == before {
				t.Error("a new order is not told within 20 minutes, on a schedule of 5")
			}
		})
	})
}

// hangingReads makes single orders time out, while lists answer.
type hangingReads struct{ Source }

func (h hangingReads) Order(context.Context, string) (event.Object, error) {
	time.Sleep(3 * time.Minute)
	return event.Object{}, errors.New("no answer in time")
}

// A comparison that is asked for while one is under way comes after it: what that one
// has passed already is not compared again by it.
func TestAReconciliationAskedForDuringAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, slowly(time.Minute))
		b.shop.FillBetween(60, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		b.poller.trackers[0].maxWindow = 5
		b.expect()
		runWhile(b, func() {
			b.must(b.poller.Reconcile(testStore))
			time.Sleep(10 * time.Minute)
			b.must(b.poller.Reconcile(testStore))
			b.must(b.poller.Poll(testStore))
			time.Sleep(12 * time.Hour)
		})
		if n := b.logs.FilterMessage("reconcile.finished").Len(); n != 2 {
			t.Errorf("%d comparisons finished, want 2", n)
		}
	})
}

// One of several stores is commanded while others are polled: none is polled twice at
// a time.
func TestCommandsAmongSeveralStores(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var stores []Store
		var twice atomic.Bool
		for id := range int64(4) {
			var busy atomic.Bool
			stores = append(stores, Store{
				Store: event.Store{ID: id + 1}, Schedule: mustSchedule(t, "10s"),
				Source: scripted{func(context.Context) error {
					if !busy.CompareAndSwap(false, true) {
						twice.Store(true)
					}
					time.Sleep(7 * time.Second)
					busy.Store(false)
					return nil
				}},
			})
		}
		b := newBed(t)
		b.poller = mustPoller(t, Options{
			Stores: stores, Storage: b.storage, MaxConcurrent: 8, Logger: zap.NewNop(), Route: routeToOne, Committed: func(int64) {},
		})
		runWhile(b, func() {
			for n := range 200 {
				id := int64(n%4 + 1)
				b.must(errors.Join(b.poller.Poll(id), b.poller.Reconcile(id)))
				time.Sleep(1300 * time.Millisecond)
			}
		})
		if twice.Load() {
			t.Error("a store was polled by two workers at a time")
		}
	})
}

// After an error in the midst of a window and a restart, everything is read.
func TestSweepAfterAnErrorInAWindowAndARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, source := newSweepBed(t, 60)
		b.poller.trackers[0].maxWindow = 20
		b.checkSweep()
		source.page = func(ctx context.Context, q event.Query) (event.Page, error) {
			page, err := source.Source.Orders(ctx, q)
			if q.Offset > 5 && err == nil {
				return event.Page{}, errors.New("down")
			}
			return page, err
		}
		if _, err := b.tryPoll(); err == nil {
			t.Error("the error is not told")
		}
		source.page = source.Source.Orders
		b.restart()
		b.wait()
		b.expect()
		for _, id := range b.shop.IDs() {
			if b.snapshot(id).Version == 0 {
				t.Errorf("order %s is not known", id)
			}
		}
		if n := b.cursor().Sweep.Objects; n != 60 {
			t.Errorf("the cursor tells of %d orders, want 60", n)
		}
	})
}
