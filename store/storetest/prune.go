package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var pruneTests = map[string]func(*testing.T, *storage){
	"only what every callback is done with, and is old enough": func(t *testing.T, s *storage) {
		shop := newShop(1)
		old := shop.change(at(1), []string{"a", "b"}, "delivered", "pending", "dead", "half")
		s.commit(old)
		none := shop.change(at(1), nil, "none")
		s.commit(none)
		young := shop.change(at(100), []string{"a", "b"}, "delivered")
		s.commit(young)
		for _, d := range []event.Delivery{old.Deliveries[0], old.Deliveries[1], old.Deliveries[7], young.Deliveries[0], young.Deliveries[1]} {
			s.record(result(d, at(2), event.Delivered, time.Time{}))
		}
		s.record(result(old.Deliveries[4], at(2), event.Delivered, time.Time{}), result(old.Deliveries[5], at(60), event.Dead, time.Time{}))
		before, waiting := s.backlog("a"), s.backlog("b")

		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(100), DeadBefore: at(60), Limit: 10}), 2)
		s.reopen()
		wantEvents(t, s, map[string]bool{
			old.Events[0].ID: false, none.Events[0].ID: false,
			old.Events[1].ID: true, old.Events[2].ID: true, old.Events[3].ID: true, young.Events[0].ID: true,
		})
		equal(t, "backlog of a", s.backlog("a"), before)
		equal(t, "backlog of b", s.backlog("b"), waiting)
		s.wantDue(1, at(200), "pending", "half")
		if _, _, err := s.Delivery(t.Context(), "a", old.Events[0].ID); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("delivery of a removed event: %v, want ErrNotFound", err)
		}
		equal(t, "snapshots", len(s.snapshots(1, "delivered", "none")), 2)
	},
	"dead deliveries go by their last attempt": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), []string{"a", "b"}, "A", "B")
		s.commit(set)
		s.record(
			result(set.Deliveries[0], at(10), event.Dead, time.Time{}), result(set.Deliveries[1], at(20), event.Pending, at(30)),
			result(set.Deliveries[2], at(20), event.Dead, time.Time{}), result(set.Deliveries[3], at(20), event.Delivered, time.Time{}),
		)
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(100), DeadBefore: at(20), Limit: 10}), 0)
		equal(t, "backlog of a", s.backlog("a"), event.Backlog{Dead: 1})
		if _, _, err := s.Delivery(t.Context(), "a", set.Events[0].ID); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("the dead delivery is still there: %v", err)
		}
		_, attempts := s.delivery("b", set.Events[0].ID)
		equal(t, "attempts of the pending one", len(attempts), 1)

		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(100), DeadBefore: at(21), Limit: 10}), 1)
		equal(t, "backlog of a", s.backlog("a"), event.Backlog{})
		wantEvents(t, s, map[string]bool{set.Events[0].ID: true, set.Events[1].ID: false})
	},
	"an event whose dead delivery has gone stays until it is old enough itself": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(50), onlyA, "A")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(60), event.Dead, time.Time{}))
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(50), DeadBefore: at(70), Limit: 10}), 0)
		equal(t, "backlog", s.backlog("a"), event.Backlog{})
		wantEvents(t, s, map[string]bool{set.Events[0].ID: true})
	},
	"in steps, each no larger than allowed": func(t *testing.T, s *storage) {
		shop := newShop(1)
		for i := range 10 {
			s.commit(shop.change(at(i), nil, "A", "B"))
		}
		q, removed, steps := event.PruneQuery{DeliveredBefore: at(100), Limit: 3}, 0, 0
		for {
			n, next, err := s.Prune(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if n > q.Limit {
				t.Fatalf("removed %d at once, the limit is %d", n, q.Limit)
			}
			removed += n
			steps++
			if next == 0 {
				break
			}
			if next <= q.From {
				t.Fatalf("the next call goes on at %d, this one began at %d", next, q.From)
			}
			q.From = next
		}
		equal(t, "removed", removed, 20)
		if steps < 7 {
			t.Errorf("20 events went in %d steps of 3", steps)
		}
	},
	"positions and sequences go on behind what was removed": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), nil, "A", "B")
		s.commit(set)
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(2), Limit: 10}), 2)
		s.reopen()
		later := shop.change(at(3), onlyA, "A")
		s.commit(later)
		if last := set.Events[1].Position; later.Events[0].Position <= last {
			t.Errorf("position %d is not behind the removed %d", later.Events[0].Position, last)
		}
	},
	"with the event of a deletion goes the object, and its snapshot stays": func(t *testing.T, s *storage) {
		shop := newShop(1)
		s.commit(shop.change(at(1), nil, "gone", "waiting", "back", "alive"))
		set := shop.change(at(2), onlyA, "gone", "waiting", "back")
		for i := range set.Events {
			set.Events[i].Type = event.OrderDeleted
			set.Snapshots[i].Deleted, set.Snapshots[i].InternalID = at(2), int64(i+1)
		}
		s.commit(set)
		s.record(result(set.Deliveries[0], at(3), event.Delivered, time.Time{}), result(set.Deliveries[2], at(3), event.Delivered, time.Time{}))
		s.commit(shop.change(at(50), nil, "back"))
		want := s.snapshots(1, "gone", "waiting", "back", "alive")

		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(2), Limit: 1}), 4)
		equal(t, "snapshots as long as the event is kept", s.snapshots(1, "gone", "waiting", "back", "alive"), want)
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(10), Limit: 1}), 2)
		s.reopen()
		gone := want["gone"]
		gone.Raw = nil
		want["gone"] = gone
		equal(t, "snapshots", s.snapshots(1, "gone", "waiting", "back", "alive"), want)
		found, err := s.SnapshotsByInternalID(t.Context(), 1, event.Orders, []int64{1})
		equal(t, "by internal number", found[1], gone)
		equal(t, "error", err, nil)

		returns := shop.change(at(60), onlyA, "gone")
		equal(t, "version of what returns", returns.Snapshots[0].Version, gone.Version+1)
		s.commit(returns)
		equal(t, "snapshot of what has returned", s.snapshots(1, "gone")["gone"], returns.Snapshots[0])
	},
	"a limit that is not positive is refused": func(t *testing.T, s *storage) {
		if _, _, err := s.Prune(t.Context(), event.PruneQuery{DeliveredBefore: at(1)}); err == nil {
			t.Error("Prune took a limit of 0, which would go on for ever")
		}
	},
}

// pruneAll prunes from beginning to end.
func pruneAll(s *storage, q event.PruneQuery) (removed int) {
	s.t.Helper()
	for {
		n, next, err := s.Prune(s.t.Context(), q)
		if err != nil {
			s.t.Fatalf("Prune: %v", err)
		}
		removed += n
		if q.From = next; next == 0 {
			return removed
		}
	}
}

func wantEvents(t *testing.T, s *storage, want map[string]bool) {
	t.Helper()
	for id, there := range want {
		e, err := s.Event(t.Context(), id)
		if there && err != nil || !there && !errors.Is(err, event.ErrNotFound) {
			t.Errorf("event %s of %q: %v, want it there: %v", id, e.ObjectID, err, there)
		}
	}
}
