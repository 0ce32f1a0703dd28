package notify_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

func patternsOf(t *testing.T, pointers ...string) []event.Pattern {
	t.Helper()
	patterns := make([]event.Pattern, len(pointers))
	for i, pointer := range pointers {
		var err error
		if patterns[i], err = event.ParsePattern(pointer); err != nil {
			t.Fatal(err)
		}
	}
	return patterns
}

func TestRouteChoosesCallbacks(t *testing.T) {
	t.Parallel()
	callbacks := []notify.Callback{
		{Name: "all", Format: "standard"},
		{Name: "deletions", Format: "openconnectors", Events: []event.Type{event.OrderDeleted}},
		{Name: "paused", Format: "standard", Paused: true},
		{Name: "changes", Format: "ecwid", OnlyChanges: patternsOf(t, "/paymentStatus", "/items/*/price")},
	}
	byStore := map[int64][]string{1: {"deletions", "paused"}, 2: {}, 4: {"changes", "nobody", "all", "changes"}, 5: {"nobody"}}
	changed := func(paths ...string) []event.Change {
		changes := []event.Change{}
		for _, path := range paths {
			changes = append(changes, event.Change{Path: path})
		}
		return changes
	}
	for name, tc := range map[string]struct {
		store   int64
		typ     event.Type
		changes []event.Change
		want    []string
	}{
		"a store without names sends to all":          {3, event.OrderDeleted, changed(), []string{"all", "deletions", "paused", "changes"}},
		"so does one with an empty list":              {2, event.OrderDeleted, changed(), []string{"all", "deletions", "paused", "changes"}},
		"a store with names sends to those":           {1, event.OrderDeleted, changed(), []string{"deletions", "paused"}},
		"they come in the order of the callbacks":     {4, event.OrderDeleted, changed(), []string{"all", "changes"}},
		"a name that no callback has is none":         {5, event.OrderDeleted, changed(), nil},
		"a callback gets the types that it wants":     {3, event.OrderCreated, changed(), []string{"all", "paused", "changes"}},
		"both restrict":                               {1, event.OrderCreated, changed(), []string{"paused"}},
		"an update of what a callback waits for":      {3, event.OrderUpdated, changed("/email", "/paymentStatus"), []string{"all", "paused", "changes"}},
		"an update of something around that":          {3, event.OrderUpdated, changed("/items"), []string{"all", "paused", "changes"}},
		"an update of something inside that":          {3, event.OrderUpdated, changed("/items/3/price/net"), []string{"all", "paused", "changes"}},
		"an update of other things":                   {3, event.OrderUpdated, changed("/email", "/items/3/sku"), []string{"all", "paused"}},
		"an update of nothing that is told":           {3, event.OrderUpdated, changed(), []string{"all", "paused"}},
		"an update whose earlier state is not known":  {3, event.OrderUpdated, nil, []string{"all", "paused", "changes"}},
		"changes keep nothing back but updates":       {3, event.OrderCreated, changed("/email"), []string{"all", "paused", "changes"}},
		"a store's names hold for known updates, too": {1, event.OrderUpdated, changed("/paymentStatus"), []string{"paused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := version(tc.store, "N1", 1)
			e.Type, e.Changes = tc.typ, tc.changes
			var got []string
			for _, d := range notify.Route(callbacks, byStore)(e) {
				got = append(got, d.Callback)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got deliveries for %v, want %v", got, tc.want)
			}
		})
	}
}

func TestRouteAndReplayMakeDeliveries(t *testing.T) {
	t.Parallel()
	e := version(1003, "N1", 7)
	at := e.DetectedAt.Add(time.Hour)
	for name, tc := range map[string]struct {
		callback notify.Callback
		key      string
		payload  event.Payload
	}{
		"as a rule":              {notify.Callback{}, "orders/1003/N1", event.Full},
		"full, ordered by order": {notify.Callback{Payload: event.Full, Ordering: notify.OrderByObject}, "orders/1003/N1", event.Full},
		"thin, one at a time":    {notify.Callback{Payload: event.Thin, Ordering: notify.OrderByCallback}, "callback", event.Thin},
		"without any order":      {notify.Callback{Ordering: notify.OrderByNothing}, e.ID, event.Full},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := named(tc.callback, "inbox")
			c.Format = "cloudevents"
			want := event.Delivery{
				Callback: "inbox", EventID: e.ID, StoreID: 1003, Resource: "orders", ObjectID: "N1", OrderingKey: tc.key,
				Format: "cloudevents", Payload: tc.payload, State: event.Pending, NextAttempt: e.DetectedAt,
			}
			if diff := cmp.Diff([]event.Delivery{want}, notify.Route([]notify.Callback{c}, nil)(e)); diff != "" {
				t.Errorf("new delivery (-want +got):\n%s", diff)
			}
			want.OrderingKey, want.NextAttempt, want.Manual = "replay/"+tc.key, at, true
			if diff := cmp.Diff(want, notify.Replay(&c, e, at)); diff != "" {
				t.Errorf("replay (-want +got):\n%s", diff)
			}
		})
	}
}

// The callback wants no such event; a person does.
func TestReplayPassesFilters(t *testing.T) {
	t.Parallel()
	e := version(1003, "N1", 7)
	c := notify.Callback{Name: "inbox", Events: []event.Type{event.OrderDeleted}, OnlyChanges: patternsOf(t, "/email")}
	if got := notify.Route([]notify.Callback{c}, nil)(e); got != nil {
		t.Errorf("routed: %+v", got)
	}
	if got := notify.Replay(&c, e, time.Now()); got.EventID != e.ID || got.State != event.Pending {
		t.Errorf("replay: %+v", got)
	}
}
