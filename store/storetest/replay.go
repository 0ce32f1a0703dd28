package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

func (s *storage) replay(deliveries ...event.Delivery) int {
	s.t.Helper()
	replayed, err := s.Replay(s.t.Context(), deliveries)
	if err != nil {
		s.t.Fatalf("Replay: %v", err)
	}
	return replayed
}

// again is how a replay asks for an event of a set once more.
func again(callback string, e event.Event) event.Delivery {
	return event.Delivery{
		Callback: callback, EventID: e.ID, StoreID: e.Store.ID, Resource: e.Resource, ObjectID: e.ObjectID,
		OrderingKey: "replay/" + e.ObjectID, Format: "ecwid", Payload: event.Thin, State: event.Pending, Manual: true,
		NextAttempt: at(30),
	}
}

var replayTests = map[string]func(*testing.T, *storage){
	"what was delivered, or is dead, becomes pending and is counted anew": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B")
		s.commit(set)
		for i, settled := range []event.DeliveryState{event.Delivered, event.Dead} {
			retry := result(set.Deliveries[i], at(2), event.Pending, at(3))
			retry.Refusals = 7
			last := result(set.Deliveries[i], at(4), settled, time.Time{})
			last.Refusals = 8
			s.record(retry, last)
			equal(t, "replayed", s.replay(again("a", set.Events[i])), 1)
			s.reopen()
			want := set.Deliveries[i] // with its own format and payload
			want.Attempts, want.LastAttempt = 2, at(4)
			want.OrderingKey, want.Manual, want.NextAttempt = "replay/"+want.ObjectID, true, at(30)
			got, attempts := s.delivery("a", set.Events[i].ID)
			equal(t, "delivery", got, want)
			equal(t, "attempts", len(attempts), 2)
			s.record(result(got, at(31), event.Pending, at(32)))
			want.Attempts, want.FirstAttempt, want.LastAttempt, want.NextAttempt = 3, at(31), at(31), at(32)
			got, _ = s.delivery("a", set.Events[i].ID)
			equal(t, "delivery after its next attempt", got, want)
		}
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 2, Oldest: at(1)})
		s.wantDue(1, at(31))
		s.wantDue(1, at(32), "A", "B")
	},
	"what is pending stays as it is": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Pending, at(9)), result(set.Deliveries[1], at(2), event.Dead, time.Time{}))
		before, _ := s.delivery("a", set.Events[0].ID)
		twice := again("a", set.Events[1])
		equal(t, "replayed", s.replay(again("a", set.Events[0]), twice, twice), 1)
		after, _ := s.delivery("a", set.Events[0].ID)
		equal(t, "delivery", after, before)
		equal(t, "backlog", s.backlog("a"), event.Backlog{Pending: 2, Oldest: at(1)})
	},
	"an event that the callback has no delivery of gets one": func(t *testing.T, s *storage) {
		set := newShop(7).change(at(1), onlyA, "A")
		s.commit(set)
		wanted := again("new", set.Events[0])
		wanted.Manual, wanted.OrderingKey = false, ""
		equal(t, "replayed", s.replay(wanted), 1)
		s.reopen()
		wanted.Position = set.Events[0].Position
		got, attempts := s.delivery("new", set.Events[0].ID)
		equal(t, "delivery", got, wanted)
		equal(t, "attempts", len(attempts), 0)
		due, _ := s.due(event.DueQuery{Callback: "new", StoreID: 7, Now: at(30), Limit: 9})
		equal(t, "due", due, []event.Delivery{wanted})
		equal(t, "backlog", s.backlog("new"), event.Backlog{Pending: 1, Oldest: at(1)})
		equal(t, "backlog of the other", s.backlog("a"), event.Backlog{Pending: 1, Oldest: at(1)})
	},
	"all of them or none": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Dead, time.Time{}))
		nowhere, nobody := again("b", set.Events[0]), again("", set.Events[0])
		nowhere.EventID = "evt_none"
		if n, err := s.Replay(t.Context(), []event.Delivery{again("a", set.Events[0]), again("b", set.Events[0]), nowhere}); n != 0 || !errors.Is(err, event.ErrNotFound) {
			t.Errorf("Replay of an unknown event: %d, %v; want ErrNotFound", n, err)
		}
		if n, err := s.Replay(t.Context(), []event.Delivery{again("a", set.Events[0]), nobody}); n != 0 || err == nil {
			t.Errorf("Replay for no callback: %d, %v", n, err)
		}
		equal(t, "backlog", s.backlog("a"), event.Backlog{Dead: 1})
		equal(t, "backlog of b", s.backlog("b"), event.Backlog{})
		equal(t, "replayed of none", s.replay(), 0)
	},
	"an ordering key of its own keeps newer events from waiting": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Dead, time.Time{}))
		s.replay(again("a", set.Events[0]))
		due, _ := s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(30), Limit: 9})
		equal(t, "number of due deliveries", len(due), 2)
		equal(t, "the newer event", due[0], set.Deliveries[1])
	},
	"an older event goes before those of its ordering key": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "A", "A")
		s.commit(set)
		wantDue := func(position int) event.Delivery {
			t.Helper()
			due, _ := s.due(event.DueQuery{Callback: "a", StoreID: 1, Now: at(99), Limit: 9})
			if len(due) != 1 || due[0].Position != set.Events[position].Position {
				t.Fatalf("due is %v, want event %d alone", due, position)
			}
			return due[0]
		}
		for i, settled := range []event.DeliveryState{event.Delivered, event.Dead} {
			s.record(result(wantDue(i), at(2), settled, time.Time{}))
		}
		for _, i := range []int{1, 0} {
			wanted := again("a", set.Events[i])
			wanted.OrderingKey = set.Deliveries[i].OrderingKey
			equal(t, "replayed", s.replay(wanted), 1)
		}
		for i := range 3 {
			d := wantDue(i)
			s.record(result(d, at(3), event.Pending, at(4)))
			s.record(result(wantDue(i), at(4), event.Delivered, time.Time{}))
		}
		equal(t, "backlog", s.backlog("a"), event.Backlog{})
	},
	"manual attempts end with what they came to": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B")
		s.commit(set)
		for i, settled := range []event.DeliveryState{event.Delivered, event.Dead} {
			s.record(result(set.Deliveries[i], at(2), settled, time.Time{}))
			s.replay(again("a", set.Events[i]))
			s.record(result(set.Deliveries[i], at(31), event.Pending, at(32)))
			got, _ := s.delivery("a", set.Events[i].ID)
			equal(t, "manual while it is pending", got.Manual, true)
			s.record(result(set.Deliveries[i], at(33), settled, time.Time{}))
			got, _ = s.delivery("a", set.Events[i].ID)
			equal(t, "manual after it", got.Manual, false)
			equal(t, "state", got.State, settled)
		}
	},
	"an event that is sent again is not pruned": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B", "C")
		s.commit(set)
		for _, d := range set.Deliveries[:2] {
			s.record(result(d, at(2), event.Delivered, time.Time{}))
		}
		s.record(result(set.Deliveries[2], at(2), event.Dead, time.Time{}))
		s.replay(again("a", set.Events[0]), again("a", set.Events[2]), again("b", set.Events[2]))
		q := event.PruneQuery{DeliveredBefore: at(99), DeadBefore: at(99), Limit: 9}
		equal(t, "removed", pruneAll(s, q), 1)
		wantEvents(t, s, map[string]bool{set.Events[0].ID: true, set.Events[1].ID: false, set.Events[2].ID: true})
		for callback, events := range map[string][]event.Event{"a": {set.Events[0], set.Events[2]}, "b": {set.Events[2]}} {
			for _, e := range events {
				d, _ := s.delivery(callback, e.ID)
				s.record(result(d, at(40), event.Delivered, time.Time{}))
			}
		}
		equal(t, "removed afterwards", pruneAll(s, q), 2)
	},
}
