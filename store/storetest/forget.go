package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

func (s *storage) forget(storeID int64, objectID string) event.Forgotten {
	s.t.Helper()
	erased, err := s.Forget(s.t.Context(), storeID, event.Orders, objectID)
	if err != nil {
		s.t.Fatalf("Forget: %v", err)
	}
	return erased
}

// tombstone returns when the object of an internal number was buried.
func (s *storage) tombstone(storeID, internalID int64) time.Time {
	s.t.Helper()
	found, err := s.Tombstones(s.t.Context(), storeID, event.Orders, []int64{internalID})
	if err != nil {
		s.t.Fatalf("Tombstones: %v", err)
	}
	return found[internalID]
}

var forgetTests = map[string]func(*testing.T, *storage){
	"snapshot, events, deliveries and attempts of the object alone": func(t *testing.T, s *storage) {
		shop, other := newShop(1), newShop(2)
		set := shop.change(at(1), []string{"a", "b"}, "A", "B", "A", "A")
		theirs := other.change(at(1), onlyA, "A")
		s.commit(set)
		s.commit(theirs)
		s.record( // of A: delivered, dead, pending
			result(set.Deliveries[0], at(2), event.Delivered, time.Time{}), result(set.Deliveries[4], at(2), event.Dead, time.Time{}),
			result(set.Deliveries[1], at(2), event.Pending, at(9)), result(set.Deliveries[2], at(2), event.Dead, time.Time{}),
		)
		cursor := s.cursor(1)
		equal(t, "erased", s.forget(1, "A"), event.Forgotten{Snapshots: 1, Events: 3, Deliveries: 6})
		s.reopen()
		wantEvents(t, s, map[string]bool{
			set.Events[0].ID: false, set.Events[1].ID: true, set.Events[2].ID: false, set.Events[3].ID: false, theirs.Events[0].ID: true,
		})
		for _, i := range []int{0, 2, 3} {
			s.wantNone("a", set.Events[i].ID)
			s.wantNone("b", set.Events[i].ID)
		}
		equal(t, "backlog of a", s.backlog("a"), event.Backlog{Pending: 1, Dead: 1, Oldest: at(1)})
		equal(t, "backlog of b", s.backlog("b"), event.Backlog{Pending: 1, Oldest: at(1)})
		equal(t, "snapshots left", len(s.snapshots(1, "A", "B")), 1)
		equal(t, "snapshots of the other store", len(s.snapshots(2, "A")), 1)
		equal(t, "cursor", s.cursor(1), cursor)
	},
	"what is not there is no error and writes nothing": func(t *testing.T, s *storage) {
		equal(t, "erased of nothing", s.forget(1, "A"), event.Forgotten{})
		s.commit(newShop(1).change(at(1), onlyA, "A"))
		for _, id := range []string{"", "B", "AA"} {
			equal(t, "erased", s.forget(1, id), event.Forgotten{})
		}
		equal(t, "erased of another store", s.forget(2, "A"), event.Forgotten{})
		if _, err := s.Forget(t.Context(), 1, "products", "A"); err != nil {
			t.Error(err)
		}
		equal(t, "snapshots", len(s.snapshots(1, "A")), 1)
	},
	"what waited for the object comes forward": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B", "A", "C")
		for i := range set.Deliveries {
			set.Deliveries[i].OrderingKey = "callback"
		}
		s.commit(set)
		s.wantDue(1, at(9), "A")
		equal(t, "erased", s.forget(1, "A"), event.Forgotten{Snapshots: 1, Events: 2, Deliveries: 2})
		s.wantDue(1, at(9), "B")
		s.record(result(set.Deliveries[1], at(2), event.Delivered, time.Time{}))
		s.wantDue(1, at(9), "C")
	},
	"the feed goes on over the gap": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), nil, "A", "B", "A", "B", "A")
		s.commit(set)
		s.forget(1, "A")
		for _, newest := range []bool{false, true} {
			for limit := 1; limit <= 3; limit++ {
				want := []event.Event{set.Events[1], set.Events[3]}
				if newest {
					want = reversed(want)
				}
				equal(t, "events", s.allEvents(event.HistoryQuery{StoreID: 1, Newest: newest, Limit: limit}), want)
			}
		}
		for sequence, want := range map[uint64]uint64{1: 2, 2: 2, 3: 4, 4: 4} {
			position, err := s.EventFrom(t.Context(), 1, sequence)
			if err != nil || position != set.Events[want-1].Position {
				t.Errorf("from sequence %d: position %d, %v; want that of %d", sequence, position, err, want)
			}
		}
		if _, err := s.EventFrom(t.Context(), 1, 5); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("behind the last: %v, want ErrNotFound", err)
		}
		later := shop.change(at(2), nil, "C")
		s.commit(later)
		equal(t, "sequence of the next event", later.Events[0].Sequence, uint64(6))
		position, err := s.EventFrom(t.Context(), 1, 5)
		if err != nil || position != later.Events[0].Position {
			t.Errorf("behind the gap: position %d, %v; want %d", position, err, later.Events[0].Position)
		}
	},
	"an object that exists is learned as new, with the same event": func(t *testing.T, s *storage) {
		shop := newShop(1)
		first := shop.change(at(1), onlyA, "A")
		s.commit(first)
		s.forget(1, "A")
		delete(shop.versions, "A")
		again := shop.change(at(2), onlyA, "A")
		equal(t, "event id", again.Events[0].ID, first.Events[0].ID)
		s.commit(again)
		s.wantDue(1, at(9), "A")
		equal(t, "erased again", s.forget(1, "A"), event.Forgotten{Snapshots: 1, Events: 1, Deliveries: 1})
	},
	"of a deleted object its grave is left": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), nil, "dead", "alive", "nameless")
		set.Snapshots[0].InternalID, set.Snapshots[0].Deleted = 7, at(5)
		set.Snapshots[1].InternalID = 8
		set.Snapshots[2].Deleted = at(5)
		s.commit(set)
		for _, id := range []string{"dead", "alive", "nameless"} {
			equal(t, id, s.forget(1, id), event.Forgotten{Snapshots: 1, Events: 1})
		}
		for internal, want := range map[int64]time.Time{7: at(5), 8: {}, 0: {}} {
			equal(t, fmt.Sprint("tombstone of ", internal), s.tombstone(1, internal), want)
		}
		found, err := s.SnapshotsByInternalID(t.Context(), 1, event.Orders, []int64{7, 8})
		if err != nil || len(found) != 0 {
			t.Errorf("%d snapshots by internal number, %v; want none", len(found), err)
		}
	},
	"an internal number that another object has taken over stays": func(t *testing.T, s *storage) {
		shop := newShop(1)
		for _, id := range []string{"A", "B"} {
			set := shop.change(at(1), nil, id)
			set.Snapshots[0].InternalID = 7
			s.commit(set)
		}
		s.forget(1, "A")
		found, err := s.SnapshotsByInternalID(t.Context(), 1, event.Orders, []int64{7})
		if err != nil || found[7].ObjectID != "B" {
			t.Errorf("number 7 is %+v, %v; want B", found[7], err)
		}
	},
	"a canceled call changes nothing": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A")
		s.commit(set)
		if _, err := s.Forget(canceled(), 1, event.Orders, "A"); err == nil {
			t.Error("Forget ignored its context")
		}
		wantEvents(t, s, map[string]bool{set.Events[0].ID: true})
	},
}
