package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

var commitTests = map[string]func(*testing.T, *storage){
	"a store without commits has an empty cursor": func(t *testing.T, s *storage) {
		equal(t, "cursor", s.cursor(1), event.Cursor{StoreID: 1, Resource: event.Orders})
		equal(t, "backlog", s.backlog("a"), event.Backlog{})
		s.wantDue(1, at(0))
	},
	"cursor comes back whole, for its store and resource alone": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(7), nil, "A")
		set.Cursor.ReadTo = at(6).Add(123456789)
		set.Cursor.Sweep = event.Sweep{Through: at(5), Objects: 17, Done: true}
		s.commit(set)
		s.reopen()
		equal(t, "cursor", s.cursor(1), set.Cursor)
		equal(t, "cursor of another store", s.cursor(2), event.Cursor{StoreID: 2, Resource: event.Orders})
		other, err := s.Cursor(t.Context(), 1, "products")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "cursor of another resource", other, event.Cursor{StoreID: 1, Resource: "products"})
	},
	"everything outlives a restart": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), []string{"a", "b"}, "A", "B")
		s.commit(set)
		s.reopen()
		for i, want := range set.Snapshots {
			equal(t, "snapshot", s.snapshots(1, want.ObjectID)[want.ObjectID], set.Snapshots[i])
		}
		for _, want := range set.Events {
			got, err := s.Event(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "event", got, want)
		}
		for _, want := range set.Deliveries {
			got, attempts := s.delivery(want.Callback, want.EventID)
			equal(t, "delivery", got, want)
			equal(t, "attempts", len(attempts), 0)
		}
	},
	"positions are set, and grow over all stores and restarts": func(t *testing.T, s *storage) {
		first, second := newShop(1), newShop(2)
		sets := []*event.ChangeSet{first.change(at(1), []string{"a"}, "A", "B"), second.change(at(2), []string{"a"}, "A")}
		for _, set := range sets {
			s.commit(set)
			s.reopen()
		}
		sets = append(sets, first.change(at(3), []string{"a"}, "A"))
		s.commit(sets[2])
		last := uint64(0)
		for _, set := range sets {
			for i, e := range set.Events {
				if e.Position <= last {
					t.Errorf("position %d of event %d is not behind %d", e.Position, i, last)
				}
				last = e.Position
				equal(t, "position of the delivery", set.Deliveries[i].Position, e.Position)
			}
		}
	},
	"a stale set is refused and leaves no trace": func(t *testing.T, s *storage) {
		shop, rival := newShop(1), newShop(1)
		mine, stale := shop.change(at(1), []string{"a"}, "A"), rival.change(at(2), []string{"a", "b"}, "B")
		stale.Tombstones = []event.Tombstone{{InternalID: 7, Deleted: at(1)}}
		s.commit(mine)
		if err := s.Commit(t.Context(), stale); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("Commit of a set with an old base: %v, want ErrConflict", err)
		}
		wantNoTrace(t, s, mine, stale)
		ahead := newShop(1)
		ahead.sequence = 5
		if err := s.Commit(t.Context(), ahead.change(at(2), nil)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Commit of a set that only moves the cursor, on a base that is not there yet: %v, want ErrConflict", err)
		}
	},
	"an event that is there already is a conflict": func(t *testing.T, s *storage) {
		shop := newShop(1)
		mine := shop.change(at(1), []string{"a"}, "A")
		s.commit(mine)
		again := shop.change(at(2), []string{"a"}, "B", "C")
		again.Events[1].ID, again.Deliveries[1].EventID = mine.Events[0].ID, mine.Events[0].ID
		if err := s.Commit(t.Context(), again); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("Commit: %v, want ErrConflict", err)
		}
		again.Events = again.Events[:1]
		wantNoTrace(t, s, mine, again)
	},
	"a set that contradicts itself is refused and leaves no trace": func(t *testing.T, s *storage) {
		shop := newShop(1)
		mine := shop.change(at(1), []string{"a"}, "A")
		s.commit(mine)
		for name, spoil := range map[string]func(*event.ChangeSet){
			"delivery of an event that is not there": func(set *event.ChangeSet) { set.Deliveries[1].EventID = mine.Events[0].ID },
			"delivery that is not pending":           func(set *event.ChangeSet) { set.Deliveries[1].State = event.Delivered },
			"delivery for no callback":               func(set *event.ChangeSet) { set.Deliveries[1].Callback = "" },
			"delivery of another store":              func(set *event.ChangeSet) { set.Deliveries[1].StoreID = 2 },
			"delivery that is there twice":           func(set *event.ChangeSet) { set.Deliveries[1] = set.Deliveries[0] },
			"event of another store":                 func(set *event.ChangeSet) { set.Events[1].Store.ID = 2 },
			"event of another resource":              func(set *event.ChangeSet) { set.Events[1].Resource = "products" },
			"event that is there twice":              func(set *event.ChangeSet) { set.Events[1].ID = set.Events[0].ID },
			"event without an id":                    func(set *event.ChangeSet) { set.Events[1].ID = "" },
			"gap in the sequences":                   func(set *event.ChangeSet) { set.Events[1].Sequence++ },
			"cursor behind the events":               func(set *event.ChangeSet) { set.Cursor.Sequence-- },
			"snapshot without an id":                 func(set *event.ChangeSet) { set.Snapshots[1].ObjectID = "" },
			"no resource":                            func(set *event.ChangeSet) { set.Cursor.Resource = "" },
		} {
			copied := newShop(1)
			copied.sequence = shop.sequence
			set := copied.change(at(2), []string{"a"}, "B", "C")
			spoil(set)
			if err := s.Commit(t.Context(), set); err == nil {
				t.Errorf("%s: Commit took it", name)
			}
			wantNoTrace(t, s, mine, &event.ChangeSet{Snapshots: set.Snapshots[:1], Events: set.Events[:1], Deliveries: set.Deliveries[:1]})
		}
	},
	"callbacks are listed once they had a delivery": func(t *testing.T, s *storage) {
		shop := newShop(1)
		names := func() []string {
			t.Helper()
			names, err := s.Callbacks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(names)
			return names
		}
		equal(t, "callbacks at first", len(names()), 0)
		set := shop.change(at(1), []string{"b", "a"}, "A")
		s.commit(set)
		s.record(result(set.Deliveries[0], at(2), event.Delivered, time.Time{}))
		s.reopen()
		equal(t, "callbacks", names(), []string{"a", "b"})
	},
	"a call whose context has ended does nothing": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), []string{"a"}, "A")
		if err := s.Commit(canceled(), set); !errors.Is(err, context.Canceled) {
			t.Errorf("Commit: %v, want context.Canceled", err)
		}
		if err := s.Record(canceled(), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Record: %v, want context.Canceled", err)
		}
		if _, err := s.Backlog(canceled(), "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("Backlog: %v, want context.Canceled", err)
		}
		equal(t, "cursor", s.cursor(1).Sequence, uint64(0))
	},
	"bytes come back as they were": bytesComeBack,
	"what is given and returned belongs to the caller": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), []string{"a"}, "A")
		raw := string(set.Events[0].Raw)
		s.commit(set)
		clear(set.Snapshots[0].Raw)
		clear(set.Events[0].Raw)
		for range 2 {
			snapshot := s.snapshots(1, "A")["A"]
			e, err := s.Event(t.Context(), set.Events[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "raw of the snapshot", string(snapshot.Raw), raw)
			equal(t, "raw of the event", string(e.Raw), raw)
			clear(snapshot.Raw)
			clear(e.Raw)
		}
	},
}

// wantNoTrace checks that the storage holds mine and nothing of the refused set.
func wantNoTrace(t *testing.T, s *storage, mine, refused *event.ChangeSet) {
	t.Helper()
	equal(t, "cursor", s.cursor(1), mine.Cursor)
	for _, snapshot := range refused.Snapshots {
		equal(t, "snapshots of the refused set", len(s.snapshots(1, snapshot.ObjectID)), 0)
	}
	for _, e := range refused.Events {
		if _, err := s.Event(t.Context(), e.ID); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("event of the refused set: %v, want ErrNotFound", err)
		}
		equal(t, "position of the refused event", e.Position, uint64(0))
	}
	equal(t, "backlog of a", s.backlog("a"), event.Backlog{Pending: 1, Oldest: at(1)})
	equal(t, "backlog of b", s.backlog("b"), event.Backlog{})
	tombstones, err := s.Tombstones(t.Context(), 1, event.Orders, []int64{7})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tombstones", len(tombstones), 0)
}

// What encoding/json would change: spaces, escapes, numbers beyond any float, and
// what is no JSON at all.
var oddBytes = map[string]string{
	"spaces":         "{ \"a\" :\t1 ,\n\"b\":[ ] }\r\n",
	"escapes":        `{"a":"<&>\u2028\u00e9\/é\ud83d\ude00"}`,
	"large numbers":  `{"a":1e400,"b":-0,"c":1.0,"d":123456789012345678901234567890}`,
	"duplicate keys": `{"a":1,"a":2}`,
	"broken UTF-8":   "{\"a\":\"\xff\xfe\x00\"}",
	"not JSON":       "\x00\x01no JSON",
	"empty":          "",
}

func bytesComeBack(t *testing.T, s *storage) {
	shop := newShop(1)
	changes := map[string][]event.Change{"nil": nil, "empty": {}}
	for name, odd := range oddBytes {
		changes[name] = []event.Change{
			{Path: "/~1a~0/é", Old: json.RawMessage(odd), New: nil}, {Path: "", Old: nil, New: json.RawMessage(odd)},
		}
	}
	var sets []*event.ChangeSet
	for name, list := range changes {
		set := shop.change(at(1), nil, name)
		set.Events[0].Changes, set.Events[0].Store.Tags = list, nil
		set.Events[0].Time = time.Time{}
		if odd, ok := oddBytes[name]; ok {
			set.Events[0].Raw, set.Snapshots[0].Raw = []byte(odd), []byte(odd)
			set.Events[0].Store.Tags = []string{odd, ""}
			set.Events[0].Store.Name = odd
		}
		s.commit(set)
		sets = append(sets, set)
	}
	s.reopen()
	for set := range slices.Values(sets) {
		got, err := s.Event(t.Context(), set.Events[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "event", got, set.Events[0])
		id := set.Snapshots[0].ObjectID
		equal(t, "snapshot", s.snapshots(1, id)[id], set.Snapshots[0])
	}
}
