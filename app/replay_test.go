package app

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// told is a storage with three events of each of two stores, a minute apart, of which the
// callback crm has had all, and the callback erp those of the second store. The first of
// each store is dead, the others were delivered.
func told(t *testing.T) service {
	t.Helper()
	s := newSite(t)
	c := *s.config
	c.Stores = append(slices.Clone(c.Stores), c.Stores[0])
	c.Callbacks = append(slices.Clone(c.Callbacks), c.Callbacks[0])
	c.Stores[1].ID = 1004
	c.Callbacks[0].Name, c.Callbacks[1].Name = "crm", "erp"
	s.config = &c
	a := s.open(t, zap.NewNop())
	began := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for i := range 6 {
		id, sequence := int64(1003+i/3), uint64(i%3+1)
		e := event.Event{
			ID: fmt.Sprintf("evt_%d", i), Type: event.OrderCreated, Store: event.Store{ID: id}, Resource: event.Orders, ObjectID: fmt.Sprint("O", i),
			Sequence: sequence, Version: 1, Time: began, DetectedAt: began.Add(time.Duration(i) * time.Minute), Raw: []byte("{}"), Changes: []event.Change{},
		}
		set := event.ChangeSet{
			Cursor: event.Cursor{StoreID: id, Resource: event.Orders, ReadTo: began, Sequence: sequence}, Base: sequence - 1, Events: []event.Event{e},
		}
		names := []string{"crm", "erp"}[:1+i/3]
		for _, name := range names {
			set.Deliveries = append(set.Deliveries, event.Delivery{
				Callback: name, EventID: e.ID, StoreID: id, Resource: event.Orders, ObjectID: e.ObjectID, OrderingKey: e.ObjectID,
				Format: "standard", Payload: event.Full, State: event.Pending,
			})
		}
		if err := a.storage.Commit(t.Context(), &set); err != nil {
			t.Fatal(err)
		}
		state := event.Delivered
		if sequence == 1 {
			state = event.Dead
		}
		var results []event.Result
		for _, d := range set.Deliveries {
			results = append(results, event.Result{Callback: d.Callback, Position: d.Position, State: state, Attempt: event.Attempt{Number: 1, Time: e.DetectedAt}})
		}
		if err := a.storage.Record(t.Context(), results); err != nil {
			t.Fatal(err)
		}
	}
	return service{a}
}

func TestWhatAReplayCovers(t *testing.T) {
	t.Parallel()
	at := func(minutes int) *time.Time {
		at := time.Date(2026, 11, 23, 6, minutes, 0, 0, time.UTC)
		return &at
	}
	for name, c := range map[string]struct {
		ask  control.Replay
		want []string
	}{
		"an event, to whom it was sent":          {control.Replay{EventID: "evt_1"}, []string{"crm 1"}},
		"an event, to whom it was never sent":    {control.Replay{EventID: "evt_1", Callback: "erp"}, []string{"erp 1"}},
		"a range, until before its end":          {control.Replay{From: at(1), To: at(4)}, []string{"crm 1", "crm 2", "crm 3", "erp 3"}},
		"a range of a store":                     {control.Replay{From: at(0), To: at(4), StoreID: 1004}, []string{"crm 3", "erp 3"}},
		"a range, to one that never had it":      {control.Replay{From: at(0), To: at(1), Callback: "erp"}, []string{"erp 0"}},
		"a range that is not over":               {control.Replay{From: at(5)}, []string{"crm 5", "erp 5"}},
		"what is dead":                           {control.Replay{Dead: true}, []string{"crm 0", "crm 3", "erp 3"}},
		"what is dead of a store":                {control.Replay{Dead: true, StoreID: 1003}, []string{"crm 0"}},
		"what is dead of a store, to a callback": {control.Replay{Dead: true, StoreID: 1004, Callback: "erp"}, []string{"erp 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := told(t)
			replayed, err := s.Replay(t.Context(), c.ask)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, callback := range []string{"crm", "erp"} {
				page, err := s.Deliveries(t.Context(), control.DeliveryQuery{Callback: callback, State: event.Pending})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page.Deliveries {
					got = append(got, callback+" "+d.EventID[len("evt_"):])
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || replayed.Deliveries != len(c.want) {
				t.Errorf("%d became pending; -want +got:\n%s", replayed.Deliveries, diff)
			}
		})
	}
}

// Retention tells what was delivered from what is dead, and goes on until all is done.
func TestRetentionOfTheDeadAndTheDelivered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keep retention
		left []string
	}{
		"both are kept":          {retention{delivered: 1e6 * time.Hour, dead: 1e6 * time.Hour}, []string{"evt_0", "evt_1", "evt_2", "evt_3", "evt_4", "evt_5"}},
		"the dead are kept":      {retention{dead: 1e6 * time.Hour}, []string{"evt_0", "evt_3"}},
		"the delivered are kept": {retention{delivered: 1e6 * time.Hour}, []string{"evt_0", "evt_1", "evt_2", "evt_3", "evt_4", "evt_5"}},
		"none is kept":           {retention{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := told(t)
			steps := &steps{Backend: s.storage}
			removed, err := c.keep.prune(t.Context(), steps)
			if err != nil {
				t.Fatal(err)
			}
			page, err := s.Events(t.Context(), control.EventQuery{})
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for i := range page.Events {
				left = append(left, page.Events[i].ID)
			}
			if diff := cmp.Diff(c.left, left); diff != "" || removed > 1 && steps.n < removed {
				t.Errorf("%d were removed in %d steps; -want +got:\n%s", removed, steps.n, diff)
			}
			dead, err := s.Deliveries(t.Context(), control.DeliveryQuery{Callback: "crm", State: event.Dead})
			if keepsDead := c.keep.dead > 0; err != nil || (len(dead.Deliveries) == 2) != keepsDead || (len(dead.Deliveries) == 0) == keepsDead {
				t.Errorf("%d are dead: %v", len(dead.Deliveries), err)
			}
		})
	}
}

// steps have Prune remove one event a call.
type steps struct {
	store.Backend
	n int
}

func (s *steps) Prune(ctx context.Context, q event.PruneQuery) (int, uint64, error) {
	s.n++
	q.Limit = 1
	return s.Backend.Prune(ctx, q)
}
