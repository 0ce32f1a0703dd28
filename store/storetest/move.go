package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

func (s *storage) move(from, to string, limit int) int {
	s.t.Helper()
	moved, err := s.Move(s.t.Context(), from, to, limit)
	if err != nil {
		s.t.Fatalf("Move: %v", err)
	}
	return moved
}

func (s *storage) drop(callback string, state event.DeliveryState, limit int) int {
	s.t.Helper()
	dropped, err := s.Drop(s.t.Context(), callback, state, limit)
	if err != nil {
		s.t.Fatalf("Drop: %v", err)
	}
	return dropped
}

// wantNone checks that a callback has no delivery of an event.
func (s *storage) wantNone(callback, eventID string) {
	s.t.Helper()
	if _, _, err := s.Delivery(s.t.Context(), callback, eventID); !errors.Is(err, event.ErrNotFound) {
		s.t.Errorf("delivery for %s: %v, want ErrNotFound", callback, err)
	}
}

var moveTests = map[string]func(*testing.T, *storage){
	"pending and dead ones go, with their attempts, and what was delivered stays": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), []string{"old"}, "A", "B", "C")
		s.commit(set)
		retry := result(set.Deliveries[0], at(2), event.Pending, at(9))
		retry.Refusals = 2
		s.record(retry, result(set.Deliveries[1], at(2), event.Dead, time.Time{}), result(set.Deliveries[2], at(2), event.Delivered, time.Time{}))
		want := map[string][]event.Attempt{}
		for _, e := range set.Events {
			_, want[e.ID] = s.delivery("old", e.ID)
		}
		pending, _ := s.delivery("old", set.Events[0].ID)
		equal(t, "moved", s.move("old", "new", 9), 2)
		s.reopen()
		for _, e := range set.Events[:2] {
			got, attempts := s.delivery("new", e.ID)
			equal(t, "callback", got.Callback, "new")
			equal(t, "attempts", attempts, want[e.ID])
			s.wantNone("old", e.ID)
		}
		s.wantNone("new", set.Events[2].ID)
		_, attempts := s.delivery("old", set.Events[2].ID)
		equal(t, "attempts of the delivered one", attempts, want[set.Events[2].ID])
		pending.Callback = "new"
		due, _ := s.due(event.DueQuery{Callback: "new", StoreID: 1, Now: at(9), Limit: 9})
		equal(t, "due", due, []event.Delivery{pending})
		equal(t, "backlog of the old one", s.backlog("old"), event.Backlog{})
		equal(t, "backlog of the new one", s.backlog("new"), event.Backlog{Pending: 1, Dead: 1, Oldest: at(1)})
		equal(t, "moved afterwards", s.move("old", "never", 9), 0)
		names, err := s.Callbacks(t.Context())
		slices.Sort(names)
		if want := []string{"new", "old"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("callbacks: %v, %v; want %v", names, err, want)
		}
	},
	"in steps, until fewer than the limit are left": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), []string{"old"}, "A", "A", "A", "B", "C")
		s.commit(set)
		s.record(result(set.Deliveries[4], at(2), event.Dead, time.Time{}))
		for i, want := range []int{2, 2, 1, 0} {
			equal(t, fmt.Sprint("moved in step ", i), s.move("old", "new", 2), want)
			var due int
			for _, callback := range []string{"old", "new"} {
				deliveries, _ := s.due(event.DueQuery{Callback: callback, StoreID: 1, Now: at(9), Limit: 9})
				due += len(deliveries)
				equal(t, "listed as pending", len(s.allDeliveries(event.DeliveryQuery{Callback: callback, State: event.Pending, Limit: 9})), s.backlog(callback).Pending)
			}
			if due < 2 {
				t.Errorf("after step %d only %d deliveries are due", i, due)
			}
		}
		for i := range 3 {
			due, _ := s.due(event.DueQuery{Callback: "new", StoreID: 1, Now: at(9), Limit: 9})
			equal(t, "oldest of the ordering key", due[0].Position, set.Events[i].Position)
			s.record(result(due[0], at(9), event.Delivered, time.Time{}))
		}
	},
	"what the other has already stays as it is there": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), []string{"old", "new"}, "A", "B", "C")
		s.commit(set)
		s.record(
			result(set.Deliveries[1], at(2), event.Delivered, time.Time{}), result(set.Deliveries[3], at(2), event.Pending, at(5)),
			result(set.Deliveries[5], at(2), event.Dead, time.Time{}), result(set.Deliveries[0], at(3), event.Pending, at(4)),
		)
		var want []event.Delivery
		for _, e := range set.Events {
			d, _ := s.delivery("new", e.ID)
			want = append(want, d)
		}
		before := s.backlog("new")
		moved := s.move("old", "new", 2)
		moved += s.move("old", "new", 2)
		equal(t, "moved", moved, 3)
		for i, e := range set.Events {
			got, attempts := s.delivery("new", e.ID)
			equal(t, "delivery", got, want[i])
			equal(t, "attempts", len(attempts), 1)
			s.wantNone("old", e.ID)
		}
		equal(t, "backlog", s.backlog("new"), before)
	},
	"an older one comes to the head of its ordering key": func(t *testing.T, s *storage) {
		shop := newShop(1)
		older, newer := shop.change(at(1), []string{"old"}, "A", "A"), shop.change(at(2), []string{"new"}, "A")
		s.commit(older)
		s.commit(newer)
		equal(t, "moved", s.move("old", "new", 9), 2)
		for _, want := range []event.Event{older.Events[0], older.Events[1], newer.Events[0]} {
			due, _ := s.due(event.DueQuery{Callback: "new", StoreID: 1, Now: at(9), Limit: 9})
			if len(due) != 1 || due[0].EventID != want.ID {
				t.Fatalf("due is %v, want the event at %d alone", due, want.Position)
			}
			s.record(result(due[0], at(9), event.Delivered, time.Time{}))
		}
	},
	"what cannot be is refused": func(t *testing.T, s *storage) {
		s.commit(newShop(1).change(at(1), []string{"old"}, "A"))
		for name, call := range map[string]func() (int, error){
			"to itself":        func() (int, error) { return s.Move(t.Context(), "old", "old", 1) },
			"to none":          func() (int, error) { return s.Move(t.Context(), "old", "", 1) },
			"a limit of 0":     func() (int, error) { return s.Move(t.Context(), "old", "new", 0) },
			"dropping none":    func() (int, error) { return s.Drop(t.Context(), "old", event.Pending, 0) },
			"dropping history": func() (int, error) { return s.Drop(t.Context(), "old", event.Delivered, 1) },
			"an unknown state": func() (int, error) { return s.Drop(t.Context(), "old", "", 1) },
		} {
			if n, err := call(); err == nil || n != 0 {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		equal(t, "moved of an unknown callback", s.move("none", "new", 9), 0)
		equal(t, "dropped of an unknown callback", s.drop("none", event.Dead, 9), 0)
		equal(t, "backlog", s.backlog("old"), event.Backlog{Pending: 1, Oldest: at(1)})
	},
}

var dropTests = map[string]func(*testing.T, *storage){
	"those in the state go, with their attempts": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), []string{"a", "b"}, "A", "B", "C")
		s.commit(set)
		s.record(
			result(set.Deliveries[0], at(2), event.Pending, at(3)), result(set.Deliveries[2], at(2), event.Dead, time.Time{}),
			result(set.Deliveries[4], at(2), event.Delivered, time.Time{}),
		)
		other := s.backlog("b")
		equal(t, "dropped dead ones", s.drop("a", event.Dead, 9), 1)
		s.wantNone("a", set.Events[1].ID)
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 1, Oldest: at(1)})
		equal(t, "dropped pending ones", s.drop("a", event.Pending, 9), 1)
		s.reopen()
		s.wantNone("a", set.Events[0].ID)
		equal(t, "backlog", s.backlog("a"), event.Backlog{})
		s.wantDue(1, at(9))
		_, attempts := s.delivery("a", set.Events[2].ID)
		equal(t, "attempts of the delivered one", len(attempts), 1)
		equal(t, "backlog of b", s.backlog("b"), other)
		s.replay(again("a", set.Events[0]))
		d, attempts := s.delivery("a", set.Events[0].ID)
		equal(t, "attempts of a new delivery", len(attempts)+d.Attempts, 0)
	},
	"in steps, and the next of an ordering key comes forward": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A", "A", "B", "A")
		s.commit(set)
		for i, want := range []int{2, 2, 1, 0} {
			equal(t, fmt.Sprint("dropped in step ", i), s.drop("a", event.Pending, 2), want)
			switch i {
			case 0:
				s.wantDue(1, at(9), "A", "B")
			case 1:
				s.wantDue(1, at(9), "A")
			default:
				s.wantDue(1, at(9))
			}
		}
		equal(t, "removed events", pruneAll(s, event.PruneQuery{DeliveredBefore: at(9), Limit: 9}), 5)
	},
}
