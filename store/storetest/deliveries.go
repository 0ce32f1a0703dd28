package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var onlyA = []string{"a"}

var deliveryTests = map[string]func(*testing.T, *storage){
	"only the oldest of an ordering key is due": func(t *testing.T, s *storage) {
		shop := newShop(1)
		s.commit(shop.change(at(1), onlyA, "A", "B", "A"))
		s.commit(shop.change(at(2), onlyA, "B", "C"))
		s.wantDue(1, at(9), "A", "B", "C")
	},
	"an ordering key is no other's beginning": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B", "C", "D", "E", "F")
		for i, key := range []string{"", "1", "1/", "1/A", "1/A\x00", "\x001"} {
			set.Deliveries[i].OrderingKey = key
		}
		s.commit(set)
		s.wantDue(1, at(9), "A", "B", "C", "D", "E", "F")
	},
	"an ordering key is one across stores, and the callbacks are apart": func(t *testing.T, s *storage) {
		first, second := newShop(1).change(at(1), []string{"a", "b"}, "A"), newShop(2).change(at(2), []string{"a"}, "B")
		first.Deliveries[0].OrderingKey, first.Deliveries[1].OrderingKey, second.Deliveries[0].OrderingKey = "all", "all", "all"
		s.commit(first)
		s.commit(second)
		s.wantDue(1, at(9), "A")
		s.wantDue(2, at(9))
		s.record(result(first.Deliveries[1], at(3), event.Delivered, time.Time{})) // of the callback b
		s.wantDue(2, at(9))
		s.record(result(first.Deliveries[0], at(3), event.Delivered, time.Time{}))
		s.wantDue(2, at(9), "B")
	},
	"those that have waited longest come first": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B", "C", "D")
		set.Deliveries[0].NextAttempt = at(5).Add(1)
		set.Deliveries[1].NextAttempt = at(5)
		set.Deliveries[2].NextAttempt = time.Time{}
		set.Deliveries[3].NextAttempt = at(5)
		s.commit(set)
		s.wantDue(1, at(9), "C", "B", "D", "A")
		s.wantDue(1, at(5), "C", "B", "D")
		s.wantDue(1, at(4), "C")
		s.wantDue(2, at(9))
	},
	"due tells when the next one may be attempted": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B", "C")
		set.Deliveries[1].NextAttempt, set.Deliveries[2].NextAttempt = at(5), at(7).Add(1)
		s.commit(set)
		skip := func(objects ...int) func(uint64) bool {
			return func(position uint64) bool {
				for _, i := range objects {
					if set.Deliveries[i].Position == position {
						return true
					}
				}
				return false
			}
		}
		for name, c := range map[string]struct {
			query event.DueQuery
			due   int
			next  time.Time
		}{
			"the first that is not due":          {event.DueQuery{Now: at(1), Limit: 9}, 1, at(5)},
			"the first that the limit left out":  {event.DueQuery{Now: at(9), Limit: 2}, 2, at(7).Add(1)},
			"due already, but left out":          {event.DueQuery{Now: at(9), Limit: 0}, 0, at(1)},
			"none is left":                       {event.DueQuery{Now: at(9), Limit: 9}, 3, time.Time{}},
			"what is attempted is no next":       {event.DueQuery{Now: at(1), Limit: 9, Skip: skip(1)}, 1, at(7).Add(1)},
			"what is attempted is not returned":  {event.DueQuery{Now: at(9), Limit: 9, Skip: skip(0, 2)}, 1, time.Time{}},
			"what is attempted takes no place":   {event.DueQuery{Now: at(9), Limit: 1, Skip: skip(0)}, 1, at(7).Add(1)},
			"everything is attempted":            {event.DueQuery{Now: at(9), Limit: 9, Skip: skip(0, 1, 2)}, 0, time.Time{}},
			"another callback has nothing":       {event.DueQuery{Callback: "b", Now: at(9), Limit: 9}, 0, time.Time{}},
			"the second before, nothing is due ": {event.DueQuery{Now: at(0), Limit: 9}, 0, at(1)},
		} {
			t.Run(name, func(t *testing.T) {
				if c.query.Callback == "" {
					c.query.Callback = "a"
				}
				c.query.StoreID = 1
				due, next, err := s.Due(t.Context(), c.query)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "number of due deliveries", len(due), c.due)
				equal(t, "next", next, c.next)
			})
		}
	},
	"what may be attempted at any time is a next, not none": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A")
		set.Deliveries[0].NextAttempt = time.Time{}
		s.commit(set)
		_, next := s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(1), Limit: 0})
		if next.IsZero() || next.After(at(1)) {
			t.Errorf("next is %s, want a time before now that is not zero", next)
		}
	},
	"pending stores: each with its first attempt": func(t *testing.T, s *storage) {
		wantStores := func(callback string, want map[int64]time.Time) {
			t.Helper()
			got, err := s.PendingStores(t.Context(), callback)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "pending stores of "+callback, got, want)
		}
		wantStores("a", map[int64]time.Time{})
		var sets []*event.ChangeSet
		for _, id := range []int64{1, 2, 255, 256, 1 << 40} {
			set := newShop(id).change(at(5), []string{"a", "b"}, "A", "B")
			set.Deliveries[2].NextAttempt = at(3)
			s.commit(set)
			sets = append(sets, set)
		}
		wantStores("a", map[int64]time.Time{1: at(3), 2: at(3), 255: at(3), 256: at(3), 1 << 40: at(3)})
		s.record(result(sets[1].Deliveries[2], at(3), event.Pending, at(7)), result(sets[2].Deliveries[2], at(3), event.Dead, time.Time{}))
		s.record(result(sets[2].Deliveries[0], at(5), event.Delivered, time.Time{}))
		wantStores("a", map[int64]time.Time{1: at(3), 2: at(5), 256: at(3), 1 << 40: at(3)})
		wantStores("b", map[int64]time.Time{1: at(5), 2: at(5), 255: at(5), 256: at(5), 1 << 40: at(5)})
	},
	"what is not there is not found": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A")
		s.commit(set)
		if _, err := s.Event(t.Context(), "evt_none"); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("Event: %v, want ErrNotFound", err)
		}
		for callback, id := range map[string]string{"a": "evt_none", "b": set.Events[0].ID} {
			if _, _, err := s.Delivery(t.Context(), callback, id); !errors.Is(err, event.ErrNotFound) {
				t.Errorf("Delivery for %s: %v, want ErrNotFound", callback, err)
			}
		}
	},
}

var recordTests = map[string]func(*testing.T, *storage){
	"what was accepted is delivered, and the next one comes forward": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), onlyA, "A", "A", "B")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Delivered, time.Time{}))
		s.wantDue(1, at(1), "A", "B")
		due, _ := s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(1), Limit: 1})
		equal(t, "the one that is due", due, set.Deliveries[1:2])
		want := set.Deliveries[0]
		want.State, want.NextAttempt, want.Attempts = event.Delivered, time.Time{}, 1
		want.FirstAttempt, want.LastAttempt = at(2), at(2)
		got, _ := s.delivery("a", set.Events[0].ID)
		equal(t, "delivery", got, want)
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 2, Oldest: at(1)})
	},
	"the next one keeps its own time": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A")
		set.Deliveries[1].NextAttempt = at(50)
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Delivered, time.Time{}))
		s.wantDue(1, at(49))
		s.wantDue(1, at(50), "A")
	},
	"what failed is due again at its time, and holds up its ordering key": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A", "B")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Pending, at(60)))
		s.reopen()
		s.wantDue(1, at(59), "B")
		s.record(result(set.Deliveries[0], at(60), event.Pending, at(120).Add(5)))
		s.wantDue(1, at(200), "B", "A")
		want := set.Deliveries[0]
		want.Attempts, want.FirstAttempt, want.LastAttempt, want.NextAttempt = 2, at(2), at(60), at(120).Add(5)
		got, attempts := s.delivery("a", set.Events[0].ID)
		equal(t, "delivery", got, want)
		equal(t, "attempts", len(attempts), 2)
	},
	"what is dead lets the next one pass, and is counted": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Dead, at(60)))
		due, _ := s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(9), Limit: 9})
		equal(t, "due", due, set.Deliveries[1:])
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 1, Dead: 1, Oldest: at(1)})
		got, _ := s.delivery("a", set.Events[0].ID)
		equal(t, "state", got.State, event.Dead)
		equal(t, "next attempt", got.NextAttempt, time.Time{})
	},
	"a result for one that waits changes it and not who is due": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A", "A")
		s.commit(set)
		s.record(result(set.Deliveries[1], at(2), event.Pending, at(60)), result(set.Deliveries[1], at(3), event.Delivered, time.Time{}))
		due, _ := s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(99), Limit: 9})
		equal(t, "due", due, set.Deliveries[:1])
		s.record(result(set.Deliveries[0], at(4), event.Delivered, time.Time{}))
		due, _ = s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(99), Limit: 9})
		equal(t, "due", due, set.Deliveries[2:])
	},
	"a late result adds its attempt and changes no state": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B")
		s.commit(set)
		for i, settled := range []event.DeliveryState{event.Delivered, event.Dead} {
			s.record(result(set.Deliveries[i], at(2), settled, time.Time{}))
			before := s.backlog("a")
			for n, late := range []event.DeliveryState{event.Pending, event.Dead, event.Delivered} {
				s.record(result(set.Deliveries[i], at(3+n), late, at(60)))
			}
			got, attempts := s.delivery("a", set.Events[i].ID)
			equal(t, "state", got.State, settled)
			equal(t, "next attempt", got.NextAttempt, time.Time{})
			equal(t, "attempts so far", got.Attempts, 4)
			equal(t, "last attempt", got.LastAttempt, at(5))
			equal(t, "attempts", len(attempts), 4)
			equal(t, "backlog", s.backlog("a"), before)
		}
		s.wantDue(1, at(99))
	},
	"attempts come back whole, numbered in the order of recording": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A")
		s.commit(set)
		want := []event.Attempt{
			{Number: 1, Time: at(2).Add(3), Duration: time.Second, Error: "timeout", Detail: "connecting took 5 s", Manual: true},
			{Number: 2, Time: at(9), Duration: 1, Status: 500, Error: "status", Response: []byte("<html>\x00\xff")},
			{Number: 3, Time: at(8), Status: 200, Response: []byte{}},
		}
		for i, attempt := range want {
			attempt.Number = 1 // as two senders would say that do not know of each other
			r := result(set.Deliveries[0], at(2), event.Pending, at(3))
			r.Attempt = attempt
			s.record(r)
			equal(t, "attempts so far", mustAttempts(s, set.Events[0].ID), want[:i+1])
		}
		s.reopen()
		equal(t, "attempts", mustAttempts(s, set.Events[0].ID), want)
		got, _ := s.delivery("a", set.Events[0].ID)
		equal(t, "first attempt", got.FirstAttempt, at(2).Add(3))
		equal(t, "last attempt", got.LastAttempt, at(8)) // the one recorded last: the clock was put back
	},
	"results that cannot be recorded leave no trace of the others": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A")
		s.commit(set)
		good := result(set.Deliveries[0], at(2), event.Delivered, time.Time{})
		nowhere, nobody, nothing := good, good, good
		nowhere.Position += 1000
		nobody.Callback = "b"
		nothing.State = ""
		for name, bad := range map[string]event.Result{"position": nowhere, "callback": nobody} {
			if err := s.Record(t.Context(), []event.Result{good, bad}); !errors.Is(err, event.ErrNotFound) {
				t.Errorf("Record for an unknown %s: %v, want ErrNotFound", name, err)
			}
		}
		if err := s.Record(t.Context(), []event.Result{good, nothing}); err == nil {
			t.Error("Record took a result without a state")
		}
		got, attempts := s.delivery("a", set.Events[0].ID)
		equal(t, "delivery", got, set.Deliveries[0])
		equal(t, "attempts", len(attempts), 0)
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 1, Oldest: at(1)})
	},
	"the oldest of the backlog is the oldest that is pending": func(t *testing.T, s *storage) {
		shop := newShop(1)
		sets := []*event.ChangeSet{shop.change(at(1), onlyA, "A"), shop.change(at(2), onlyA, "B"), shop.change(at(3), onlyA, "C")}
		for _, set := range sets {
			s.commit(set)
		}
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 3, Oldest: at(1)})
		s.record(result(sets[0].Deliveries[0], at(9), event.Delivered, time.Time{}), result(sets[1].Deliveries[0], at(9), event.Dead, time.Time{}))
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 1, Dead: 1, Oldest: at(3)})
		s.record(result(sets[2].Deliveries[0], at(9), event.Delivered, time.Time{}))
		equal(t, "backlog", s.backlog("a"), event.Backlog{Dead: 1})
	},
	"no results are nothing to do": func(t *testing.T, s *storage) { s.record() },
}

func mustAttempts(s *storage, eventID string) []event.Attempt {
	s.t.Helper()
	_, attempts := s.delivery("a", eventID)
	return attempts
}
