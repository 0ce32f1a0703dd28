package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

var wholeTests = map[string]func(*testing.T, *storage){
	"random operations agree with a model":      randomOperations,
	"everything at once":                        everythingAtOnce,
	"one of two that commit for the same store": onlyOneCommits,
	"a closed storage refuses every call": func(t *testing.T, s *storage) {
		ctx, set := t.Context(), newShop(1).change(at(1), onlyA, "A")
		s.commit(set)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := newShop(1)
		again.sequence = 1
		_, cursorErr := s.Cursor(ctx, 1, event.Orders)
		_, byIDErr := s.SnapshotsByID(ctx, 1, event.Orders, []string{"A"})
		_, _, dueErr := s.Due(ctx, event.DueQuery{Callback: "a", StoreID: 1, Limit: 1})
		_, backlogErr := s.Backlog(ctx, "a")
		_, _, pruneErr := s.Prune(ctx, event.PruneQuery{Limit: 1})
		for call, err := range map[string]error{
			"Cursor": cursorErr, "SnapshotsByID": byIDErr, "Due": dueErr, "Backlog": backlogErr, "Prune": pruneErr,
			"Commit":                s.Commit(ctx, again.change(at(2), onlyA, "B")),
			"Commit of the same":    s.Commit(ctx, &event.ChangeSet{Base: 1, Cursor: set.Cursor}),
			"Record":                s.Record(ctx, []event.Result{result(set.Deliveries[0], at(2), event.Delivered, at(2))}),
			"Event, which is there": func() error { _, err := s.Event(ctx, set.Events[0].ID); return err }(),
		} {
			if err == nil || errors.Is(err, event.ErrNotFound) {
				t.Errorf("%s after Close: %v", call, err)
			}
		}
		s.Backend = s.open()
		s.wantDue(1, at(9), "A")
	},
	"Close waits for the calls that are under way": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), onlyA, "A")
		s.commit(set)
		inside, leave, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var calls sync.WaitGroup
		calls.Go(func() {
			q := event.DueQuery{Callback: "a", StoreID: 1, Now: at(9), Limit: 1}
			q.Skip = func(uint64) bool { close(inside); <-leave; return false }
			if due, _, err := s.Due(t.Context(), q); err != nil || len(due) != 1 {
				t.Errorf("Due while the storage is closed: %d deliveries, %v", len(due), err)
			}
		})
		<-inside
		calls.Go(func() { closed <- s.Close() })
		select {
		case err := <-closed:
			t.Errorf("Close returned (%v) while a call was under way", err)
		case <-time.After(20 * time.Millisecond): // passes too early at worst, never fails wrongly
		}
		close(leave)
		calls.Wait()
		s.Backend = s.open()
	},
}

// everythingAtOnce lets stores be polled, two callbacks be served and old events
// be pruned at the same time, until everything has been delivered, in order.
func everythingAtOnce(t *testing.T, s *storage) {
	const stores, polls = 4, 15
	var pollers, others sync.WaitGroup
	polled := make(chan struct{})
	for id := int64(1); id <= stores; id++ {
		pollers.Go(func() {
			shop := newShop(id)
			for i := range polls {
				objects := []string{"A", fmt.Sprint("object", i), "A"}
				if err := s.Commit(t.Context(), shop.change(at(i), modelCallbacks, objects...)); err != nil {
					t.Errorf("store %d: %v", id, err)
				}
				if found, err := s.SnapshotsByID(t.Context(), id, event.Orders, objects); err != nil || len(found) != 2 {
					t.Errorf("store %d: %d snapshots, %v", id, len(found), err)
				}
			}
		})
	}
	for _, callback := range modelCallbacks {
		others.Go(func() { deliverAll(t, s, callback, polled) })
	}
	others.Go(func() {
		for done := false; !done; {
			select {
			case <-polled:
				done = true
			default:
			}
			if _, _, err := s.Prune(t.Context(), event.PruneQuery{DeliveredBefore: at(5), Limit: 7}); err != nil {
				t.Errorf("Prune: %v", err)
			}
		}
	})
	pollers.Wait()
	close(polled)
	others.Wait()
	for _, callback := range modelCallbacks {
		equal(t, "backlog", s.backlog(callback), event.Backlog{})
	}
	for id := int64(1); id <= stores; id++ {
		equal(t, "sequence", s.cursor(id).Sequence, uint64(3*polls))
	}
}

// deliverAll delivers what is due until all polls are done and nothing is left,
// and checks that each object's versions arrive in order.
func deliverAll(t *testing.T, s *storage, callback string, polled chan struct{}) {
	last := map[string]uint64{}
	for {
		finished := false
		select {
		case <-polled:
			finished = true
		default:
		}
		pending, err := s.PendingStores(t.Context(), callback)
		if err != nil {
			t.Errorf("PendingStores: %v", err)
			return
		}
		if finished && len(pending) == 0 {
			return
		}
		var results []event.Result
		for id := range pending {
			due, _, err := s.Due(t.Context(), event.DueQuery{Callback: callback, StoreID: id, Now: at(100), Limit: 5})
			if err != nil {
				t.Errorf("Due: %v", err)
				return
			}
			for _, d := range due {
				e, err := s.Event(t.Context(), d.EventID)
				if err != nil {
					t.Errorf("Event: %v", err)
					return
				}
				if e.Version <= last[d.OrderingKey] {
					t.Errorf("version %d of %s is due after version %d", e.Version, d.OrderingKey, last[d.OrderingKey])
				}
				last[d.OrderingKey] = e.Version
				results = append(results, result(d, at(100), event.Delivered, time.Time{}))
			}
		}
		if err := s.Record(t.Context(), results); err != nil {
			t.Errorf("Record: %v", err)
			return
		}
	}
}

func onlyOneCommits(t *testing.T, s *storage) {
	const rivals = 8
	errs := make([]error, rivals)
	var all sync.WaitGroup
	for i := range rivals {
		all.Go(func() {
			errs[i] = s.Commit(t.Context(), newShop(1).change(at(1), onlyA, fmt.Sprint("object", i)))
		})
	}
	all.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			equal(t, "snapshots of the one that won", len(s.snapshots(1, fmt.Sprint("object", i))), 1)
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("Commit: %v, want ErrConflict", err)
		}
	}
	equal(t, "commits that won", won, 1)
	equal(t, "backlog", s.backlog("a").Pending, 1)
}
