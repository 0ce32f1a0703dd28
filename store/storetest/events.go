package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

func (s *storage) events(q event.HistoryQuery) (events []event.Event, next uint64, more bool) {
	s.t.Helper()
	events, next, more, err := s.Events(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("Events: %v", err)
	}
	return events, next, more
}

// allEvents asks until the end is reached.
func (s *storage) allEvents(q event.HistoryQuery) []event.Event {
	s.t.Helper()
	var all []event.Event
	for {
		events, next, more := s.events(q)
		if len(events) > q.Limit {
			s.t.Fatalf("%d events, the limit is %d", len(events), q.Limit)
		}
		all = append(all, events...)
		if !more {
			return all
		}
		if next == q.After {
			s.t.Fatalf("the next call would begin at %d again", next)
		}
		q.After = next
	}
}

// twoStores commits events of two stores in turn: those of the second have two
// kinds, and were detected by a clock that jumps back.
func twoStores(s *storage) []event.Event {
	first, second := newShop(1), newShop(256)
	var all []event.Event
	for i := range 6 {
		for _, set := range []*event.ChangeSet{
			first.change(at(i), onlyA, fmt.Sprint("object", i), "A"),
			second.change(at(9-i), onlyA, "A"),
		} {
			s.commit(set)
			all = append(all, set.Events...)
		}
	}
	return all
}

func reversed[T any](list []T) []T {
	back := slices.Clone(list)
	slices.Reverse(back)
	return back
}

var eventTests = map[string]func(*testing.T, *storage){
	"they come in the order of their positions, or against it": func(t *testing.T, s *storage) {
		all := twoStores(s)
		s.reopen()
		for limit := 1; limit <= len(all)+1; limit++ {
			equal(t, "events", s.allEvents(event.HistoryQuery{Limit: limit}), all)
			equal(t, "newest events", s.allEvents(event.HistoryQuery{Limit: limit, Newest: true}), reversed(all))
		}
	},
	"what does not restrict is zero, and what does restricts": func(t *testing.T, s *storage) {
		all := twoStores(s)
		for name, c := range map[string]struct {
			query event.HistoryQuery
			want  func(*event.Event) bool
		}{
			"one store":        {event.HistoryQuery{StoreID: 1}, func(e *event.Event) bool { return e.Store.ID == 1 }},
			"another store":    {event.HistoryQuery{StoreID: 256}, func(e *event.Event) bool { return e.Store.ID == 256 }},
			"a store without":  {event.HistoryQuery{StoreID: 2}, func(*event.Event) bool { return false }},
			"a type":           {event.HistoryQuery{Type: event.OrderCreated}, func(e *event.Event) bool { return e.Type == event.OrderCreated }},
			"a type of none":   {event.HistoryQuery{Type: event.OrderDeleted}, func(*event.Event) bool { return false }},
			"an object":        {event.HistoryQuery{ObjectID: "A"}, func(e *event.Event) bool { return e.ObjectID == "A" }},
			"an object's part": {event.HistoryQuery{ObjectID: "object"}, func(*event.Event) bool { return false }},
			"at or after":      {event.HistoryQuery{From: at(4)}, func(e *event.Event) bool { return !e.DetectedAt.Before(at(4)) }},
			"before":           {event.HistoryQuery{To: at(4)}, func(e *event.Event) bool { return e.DetectedAt.Before(at(4)) }},
			"in between":       {event.HistoryQuery{From: at(3), To: at(5)}, func(e *event.Event) bool { return e.DetectedAt.Equal(at(3)) || e.DetectedAt.Equal(at(4)) }},
			"all at once": {event.HistoryQuery{StoreID: 256, Type: event.OrderUpdated, ObjectID: "A", From: at(5), To: at(8)}, func(e *event.Event) bool {
				return e.Store.ID == 256 && e.Type == event.OrderUpdated && !e.DetectedAt.Before(at(5)) && e.DetectedAt.Before(at(8))
			}},
		} {
			t.Run(name, func(t *testing.T) {
				var want []event.Event
				for i := range all {
					if c.want(&all[i]) {
						want = append(want, all[i])
					}
				}
				for limit := 1; limit <= 4; limit++ {
					c.query.Limit, c.query.Newest = limit, false
					equal(t, "events", s.allEvents(c.query), want)
					c.query.Newest = true
					equal(t, "newest events", s.allEvents(c.query), reversed(want))
				}
			})
		}
	},
	"each is found by its position until it is removed": func(t *testing.T, s *storage) {
		all := twoStores(s)
		s.reopen()
		for _, want := range all {
			got, err := s.EventAt(t.Context(), want.Position)
			if err != nil {
				t.Fatalf("EventAt: %v", err)
			}
			equal(t, "event", got, want)
		}
		d, _ := s.delivery("a", all[3].ID)
		s.record(result(d, at(1), event.Delivered, time.Time{}))
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(99), Limit: 99}), 1)
		for _, position := range []uint64{0, all[3].Position, all[len(all)-1].Position + 1, math.MaxUint64} {
			if _, err := s.EventAt(t.Context(), position); !errors.Is(err, event.ErrNotFound) {
				t.Errorf("EventAt of position %d: got %v, want %v", position, err, event.ErrNotFound)
			}
		}
	},
	"the search begins behind any position": func(t *testing.T, s *storage) {
		all := twoStores(s)
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(99), Limit: 99}), 0)
		for _, e := range all[6:9] {
			d, _ := s.delivery("a", e.ID)
			s.record(result(d, at(1), event.Delivered, time.Time{}))
		}
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(99), Limit: 99}), 3)
		left := slices.Concat(all[:6], all[9:])
		last := all[len(all)-1].Position
		for _, storeID := range []int64{0, 1, 256} {
			for _, after := range append([]uint64{last + 1, math.MaxUint64 - 1, math.MaxUint64}, positions(all)...) {
				var ahead, behind []event.Event
				for _, e := range left {
					switch {
					case storeID != 0 && e.Store.ID != storeID:
					case e.Position > after:
						ahead = append(ahead, e)
					case e.Position < after:
						behind = append(behind, e)
					}
				}
				q := event.HistoryQuery{StoreID: storeID, After: after, Limit: 3}
				equal(t, fmt.Sprint("events of store ", storeID, " behind ", after), s.allEvents(q), ahead)
				q.Newest = true
				equal(t, fmt.Sprint("newest events of store ", storeID, " down from ", after), s.allEvents(q), reversed(behind))
			}
		}
	},
	"the end is where later calls go on": func(t *testing.T, s *storage) {
		shop := newShop(1)
		_, next, more := s.events(event.HistoryQuery{Limit: 5})
		equal(t, "next of nothing", next, uint64(0))
		equal(t, "more than nothing", more, false)
		first := shop.change(at(1), nil, "A", "B")
		s.commit(first)
		for i, q := range []event.HistoryQuery{{StoreID: 1, ObjectID: "A", Limit: 2}, {ObjectID: "B", Limit: 1}} { // the second page is full
			events, next, more := s.events(q)
			equal(t, "events", events, first.Events[i:i+1])
			equal(t, "next is the last one looked at", next, first.Events[1].Position)
			equal(t, "more", more, false)
		}
		q := event.HistoryQuery{After: first.Events[1].Position, Limit: 5}
		events, next, more := s.events(q)
		equal(t, "events behind the end", len(events), 0)
		equal(t, "next behind the end", next, q.After)
		equal(t, "more behind the end", more, false)
		second := shop.change(at(2), nil, "C")
		s.commit(second)
		q.After = next
		equal(t, "later events", s.allEvents(q), second.Events)
	},
	"a call looks at a bounded number": func(t *testing.T, s *storage) {
		shop, many := newShop(1), make([]string, 1000)
		for range 10 {
			for i := range many {
				many[i] = fmt.Sprint("object", i)
			}
			s.commit(shop.change(at(1), onlyA, many...))
		}
		s.commit(shop.change(at(1), onlyA, "last"))
		for _, storeID := range []int64{0, 1} {
			q := event.HistoryQuery{StoreID: storeID, ObjectID: "last", Limit: 1}
			if events, _, more := s.events(q); len(events) != 0 || !more {
				t.Errorf("the first call came to the end of 10,001 events")
			}
			equal(t, "events in the end", len(s.allEvents(q)), 1)
		}
		q := event.DeliveryQuery{Callback: "a", State: event.Pending, StoreID: 2, Limit: 1}
		if _, _, more := s.deliveries(q); !more {
			t.Errorf("the first call came to the end of 10,001 deliveries")
		}
		equal(t, "deliveries in the end", len(s.allDeliveries(q)), 0)
	},
	"by sequence: the first one from there": func(t *testing.T, s *storage) {
		first, second := newShop(1), newShop(2)
		set := first.change(at(1), onlyA, "A", "B", "C", "D")
		s.commit(set)
		s.commit(second.change(at(1), onlyA, "A"))
		for _, d := range set.Deliveries[1:3] {
			s.record(result(d, at(1), event.Delivered, time.Time{}))
		}
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(9), Limit: 9}), 2)
		for sequence, want := range map[uint64]int{0: 0, 1: 0, 2: 3, 3: 3, 4: 3} {
			got, err := s.EventFrom(t.Context(), 1, sequence)
			if err != nil || got != set.Events[want].Position {
				t.Errorf("EventFrom %d: %d, %v; want %d", sequence, got, err, set.Events[want].Position)
			}
		}
		for _, c := range []struct {
			storeID  int64
			sequence uint64
		}{{1, 5}, {1, math.MaxUint64}, {2, 2}, {3, 1}} {
			if _, err := s.EventFrom(t.Context(), c.storeID, c.sequence); !errors.Is(err, event.ErrNotFound) {
				t.Errorf("EventFrom %v: %v, want ErrNotFound", c, err)
			}
		}
	},
	"a limit that is not positive is refused": func(t *testing.T, s *storage) {
		for _, limit := range []int{0, -1} {
			if _, _, _, err := s.Events(t.Context(), event.HistoryQuery{Limit: limit}); err == nil {
				t.Errorf("Events took a limit of %d", limit)
			}
			if _, _, _, err := s.Deliveries(t.Context(), event.DeliveryQuery{Callback: "a", State: event.Dead, Limit: limit}); err == nil {
				t.Errorf("Deliveries took a limit of %d", limit)
			}
		}
	},
}

func positions(events []event.Event) []uint64 {
	var all []uint64
	for _, e := range events {
		all = append(all, e.Position)
	}
	return all
}

func (s *storage) deliveries(q event.DeliveryQuery) (deliveries []event.Delivery, next uint64, more bool) {
	s.t.Helper()
	deliveries, next, more, err := s.Deliveries(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("Deliveries: %v", err)
	}
	return deliveries, next, more
}

// allDeliveries asks until the end is reached.
func (s *storage) allDeliveries(q event.DeliveryQuery) []event.Delivery {
	s.t.Helper()
	var all []event.Delivery
	for {
		deliveries, next, more := s.deliveries(q)
		if len(deliveries) > q.Limit {
			s.t.Fatalf("%d deliveries, the limit is %d", len(deliveries), q.Limit)
		}
		all = append(all, deliveries...)
		if !more {
			return all
		}
		if next == q.After {
			s.t.Fatalf("the next call would begin at %d again", next)
		}
		q.After = next
	}
}

func (s *storage) lastPosition() uint64 {
	s.t.Helper()
	position, err := s.LastPosition(s.t.Context())
	if err != nil {
		s.t.Fatalf("LastPosition: %v", err)
	}
	return position
}

var listingTests = map[string]func(*testing.T, *storage){
	"what is pending or dead says why its last attempt failed": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), onlyA, "A", "B", "C")
		s.commit(set)
		failing := func(i, n int, state event.DeliveryState, a event.Attempt) {
			r := result(set.Deliveries[i], at(n), state, at(99))
			r.Attempt = a
			s.record(r)
		}
		failing(0, 2, event.Pending, event.Attempt{Time: at(2), Status: 500, Error: "status", Detail: "first"})
		failing(0, 4, event.Dead, event.Attempt{Time: at(4), Status: 422, Error: "status", Detail: "unknown SKU", Response: []byte("no")})
		failing(1, 3, event.Pending, event.Attempt{Time: at(3), Error: "timeout", Detail: "after 15s"})
		why := func(state event.DeliveryState) (why []*event.Failure) {
			for _, d := range s.allDeliveries(event.DeliveryQuery{Callback: "a", State: state, Limit: 9}) {
				why = append(why, d.Failure)
			}
			return why
		}
		equal(t, "of the dead", why(event.Dead), []*event.Failure{{Time: at(4), Status: 422, Error: "status", Detail: "unknown SKU"}})
		equal(t, "of the pending", why(event.Pending), []*event.Failure{{Time: at(3), Error: "timeout", Detail: "after 15s"}, nil})
		failing(1, 5, event.Delivered, event.Attempt{Time: at(5), Status: 200})
		failing(1, 6, event.Pending, event.Attempt{Time: at(6), Error: "timeout"}) // too late to matter
		equal(t, "of the delivered", why(event.Delivered), []*event.Failure{nil})
		equal(t, "replayed", s.replay(again("a", set.Events[0]), again("a", set.Events[1])), 2)
		equal(t, "of the replayed", why(event.Pending), []*event.Failure{
			{Time: at(4), Status: 422, Error: "status", Detail: "unknown SKU"}, {Time: at(6), Error: "timeout"}, nil,
		})
	},
	"the last position stays when its event is removed": func(t *testing.T, s *storage) {
		equal(t, "of an empty storage", s.lastPosition(), uint64(0))
		set := newShop(1).change(at(1), onlyA, "A", "B")
		s.commit(set)
		last := set.Events[1].Position
		equal(t, "last position", s.lastPosition(), last)
		for _, d := range set.Deliveries {
			s.record(result(d, at(2), event.Delivered, time.Time{}))
		}
		equal(t, "removed", pruneAll(s, event.PruneQuery{DeliveredBefore: at(9), Limit: 9}), 2)
		s.reopen()
		equal(t, "last position", s.lastPosition(), last)
	},
	"deliveries are listed by callback, state and store": func(t *testing.T, s *storage) {
		both := []string{"a", "b"}
		sets := []*event.ChangeSet{newShop(1).change(at(1), both, "A", "B", "C"), newShop(2).change(at(2), both, "A", "B", "C")}
		for _, set := range sets {
			s.commit(set)
			s.record(
				result(set.Deliveries[0], at(3), event.Delivered, time.Time{}), result(set.Deliveries[2], at(3), event.Dead, time.Time{}),
				result(set.Deliveries[4], at(3), event.Pending, at(9)), result(set.Deliveries[3], at(3), event.Dead, time.Time{}),
			)
		}
		s.reopen()
		objects := func(q event.DeliveryQuery) (found []string) {
			for _, d := range s.allDeliveries(q) {
				want, _ := s.delivery(d.Callback, d.EventID)
				equal(t, "delivery", d, s.listed(want))
				found = append(found, fmt.Sprint(d.Callback, d.StoreID, d.ObjectID))
			}
			return found
		}
		for name, c := range map[string]struct {
			query event.DeliveryQuery
			want  []string
		}{
			"pending":                {event.DeliveryQuery{Callback: "a", State: event.Pending}, []string{"a1C", "a2C"}},
			"delivered":              {event.DeliveryQuery{Callback: "a", State: event.Delivered}, []string{"a1A", "a2A"}},
			"dead":                   {event.DeliveryQuery{Callback: "a", State: event.Dead}, []string{"a1B", "a2B"}},
			"of another callback":    {event.DeliveryQuery{Callback: "b", State: event.Pending}, []string{"b1A", "b1C", "b2A", "b2C"}},
			"of a store":             {event.DeliveryQuery{Callback: "b", State: event.Pending, StoreID: 2}, []string{"b2A", "b2C"}},
			"of a store without any": {event.DeliveryQuery{Callback: "b", State: event.Pending, StoreID: 3}, nil},
			"in a state without any": {event.DeliveryQuery{Callback: "b", State: event.Delivered}, nil},
			"of no callback":         {event.DeliveryQuery{Callback: "c", State: event.Pending}, nil},
			"behind a position": {
				event.DeliveryQuery{Callback: "b", State: event.Pending, After: sets[0].Events[0].Position}, []string{"b1C", "b2A", "b2C"},
			},
		} {
			for limit := 1; limit <= 5; limit++ {
				c.query.Limit = limit
				equal(t, name, objects(c.query), c.want)
			}
		}
		q := event.DeliveryQuery{Callback: "b", State: event.Pending, Newest: true, Limit: 3}
		equal(t, "newest", objects(q), []string{"b2C", "b2A", "b1C", "b1A"})
		q.After = sets[1].Events[0].Position
		equal(t, "newest behind a position", objects(q), []string{"b1C", "b1A"})
	},
	"next is the last one looked at, or where the call began": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), onlyA, "A", "B", "C")
		s.commit(set)
		q := event.DeliveryQuery{Callback: "a", State: event.Pending, Limit: 2}
		for _, c := range []struct {
			after, next uint64
			more        bool
		}{
			{0, set.Events[1].Position, true},
			{set.Events[0].Position, set.Events[2].Position, false},
			{set.Events[2].Position, set.Events[2].Position, false},
		} {
			q.After = c.after
			_, next, more := s.deliveries(q)
			equal(t, fmt.Sprint("next behind ", c.after), next, c.next)
			equal(t, fmt.Sprint("more behind ", c.after), more, c.more)
		}
	},
	"a state that is none is refused": func(t *testing.T, s *storage) {
		for _, state := range []event.DeliveryState{"", "lost"} {
			if _, _, _, err := s.Deliveries(t.Context(), event.DeliveryQuery{Callback: "a", State: state, Limit: 1}); err == nil {
				t.Errorf("Deliveries took the state %q", state)
			}
		}
	},
}
