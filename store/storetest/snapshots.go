package storetest

import (
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var snapshotTests = map[string]func(*testing.T, *storage){
	"by id: those that there are, of that store, deleted ones too": func(t *testing.T, s *storage) {
		first, second := newShop(1), newShop(2)
		set := first.change(at(1), nil, "A", "AB", "GONE")
		set.Snapshots[2].Deleted = at(9)
		s.commit(set)
		s.commit(second.change(at(1), nil, "A"))
		equal(t, "snapshots", s.snapshots(1, "A", "B", "", "GONE", "A"), map[string]event.Snapshot{"A": set.Snapshots[0], "GONE": set.Snapshots[2]})
		equal(t, "snapshots of a third store", s.snapshots(3, "A"), map[string]event.Snapshot{})
	},
	"as many are known as live": func(t *testing.T, s *storage) {
		shop := newShop(1)
		equal(t, "known of nothing", s.known(1), 0)
		set := shop.change(at(1), nil, "A", "B", "C", "GONE")
		set.Snapshots[3].Deleted = at(1)
		s.commit(set)
		s.commit(newShop(2).change(at(1), nil, "A"))
		equal(t, "known", s.known(1), 3)
		set = shop.change(at(2), nil, "A", "A", "B", "C", "GONE") // changes twice, changes, goes, comes back
		set.Snapshots[3].Deleted = at(2)
		set.Snapshots[2].Created = at(300)
		s.commit(set)
		s.reopen()
		equal(t, "known after changes", s.known(1), 3)
		equal(t, "known of the other store", s.known(2), 1)
		s.forget(1, "C") // which was gone
		s.forget(1, "A")
		equal(t, "known after forgetting", s.known(1), 2)
	},
	"by internal number": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), nil, "A", "B", "C")
		set.Snapshots[0].InternalID, set.Snapshots[1].InternalID = 492512057, -3
		s.commit(set)
		wantInternal(t, s, map[int64]event.Snapshot{492512057: set.Snapshots[0], -3: set.Snapshots[1]})
	},
	"a newer snapshot takes the old one's place everywhere": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), nil, "A", "B")
		set.Snapshots[0].InternalID, set.Snapshots[1].InternalID = 492512057, 8
		s.commit(set)
		set = shop.change(at(2), nil, "A")
		set.Snapshots[0].InternalID, set.Snapshots[0].Created = -3, at(500)
		s.commit(set)
		s.reopen()
		equal(t, "snapshots", s.snapshots(1, "A"), map[string]event.Snapshot{"A": set.Snapshots[0]})
		wantInternal(t, s, map[int64]event.Snapshot{-3: set.Snapshots[0]})
		wantCreated(t, s, event.CreatedQuery{From: at(0), To: at(1000), Limit: 10}, "B", "A")
	},
	"an internal number that another object takes over is that one's": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), nil, "A", "B")
		set.Snapshots[0].InternalID, set.Snapshots[1].InternalID = 492512057, 492512057
		s.commit(set)
		wantInternal(t, s, map[int64]event.Snapshot{492512057: set.Snapshots[1]})
		s.commit(shop.change(at(2), nil, "A")) // without a number
		wantInternal(t, s, map[int64]event.Snapshot{492512057: set.Snapshots[1]})
	},
	"by creation: a window, oldest first, of the living": func(t *testing.T, s *storage) {
		s.commit(createdSet())
		for name, c := range map[string]struct {
			query event.CreatedQuery
			want  []string
		}{
			"all":                       {event.CreatedQuery{From: at(0), To: at(100), Limit: 10}, []string{"early", "B", "C", "D", "late"}},
			"from is inside":            {event.CreatedQuery{From: at(20), To: at(100), Limit: 10}, []string{"B", "C", "D", "late"}},
			"to is outside":             {event.CreatedQuery{From: at(0), To: at(20), Limit: 10}, []string{"early"}},
			"between two seconds":       {event.CreatedQuery{From: at(20).Add(1), To: at(30).Add(1), Limit: 10}, []string{"late"}},
			"at most as many as wanted": {event.CreatedQuery{From: at(0), To: at(100), Limit: 2}, []string{"early", "B"}},
			"behind an object":          {event.CreatedQuery{From: at(20), To: at(100), After: "C", Limit: 10}, []string{"D", "late"}},
			"behind an id that is gone": {event.CreatedQuery{From: at(20), To: at(100), After: "CC", Limit: 10}, []string{"D", "late"}},
			"behind the last":           {event.CreatedQuery{From: at(30), To: at(100), After: "late", Limit: 10}, nil},
			"without a stamp":           {event.CreatedQuery{To: at(0), Limit: 10}, []string{"unknown"}},
			"empty window":              {event.CreatedQuery{From: at(20), To: at(20), Limit: 10}, nil},
			"none wanted":               {event.CreatedQuery{From: at(0), To: at(100)}, nil},
		} {
			t.Run(name, func(t *testing.T) { wantCreated(t, s, c.query, c.want...) })
		}
	},
	"by creation: in pages": func(t *testing.T, s *storage) {
		s.commit(createdSet())
		var got []string
		for q := (event.CreatedQuery{From: at(0), To: at(100), Limit: 2}); len(got) < 10; {
			page, err := s.SnapshotsCreated(t.Context(), 1, event.Orders, q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, snapshot := range page {
				got = append(got, snapshot.ObjectID)
			}
			q.From, q.After = page[len(page)-1].Created, page[len(page)-1].ObjectID
		}
		equal(t, "objects", got, []string{"early", "B", "C", "D", "late"})
	},
	"by creation: all but the raw object": func(t *testing.T, s *storage) {
		set := newShop(1).change(at(1), nil, "A")
		set.Snapshots[0].InternalID = 492512057
		s.commit(set)
		got, err := s.SnapshotsCreated(t.Context(), 1, event.Orders, event.CreatedQuery{From: at(0), To: at(1), Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		set.Snapshots[0].Raw = nil
		equal(t, "snapshots", got, set.Snapshots)
	},
	"an object that was deleted and returns is listed again": func(t *testing.T, s *storage) {
		shop := newShop(1)
		set := shop.change(at(1), nil, "A")
		set.Snapshots[0].Deleted = at(1)
		s.commit(set)
		wantCreated(t, s, event.CreatedQuery{From: at(0), To: at(1), Limit: 1})
		s.commit(shop.change(at(2), nil, "A"))
		wantCreated(t, s, event.CreatedQuery{From: at(0), To: at(1), Limit: 1}, "A")
	},
	"tombstones are added and dropped by age, store by store": func(t *testing.T, s *storage) {
		first, second := newShop(1), newShop(2)
		for _, shop := range []*shop{first, second} {
			set := shop.change(at(1), nil)
			set.Tombstones = []event.Tombstone{{InternalID: 7, Deleted: at(10)}, {InternalID: 8, Deleted: at(20)}}
			s.commit(set)
		}
		set := first.change(at(1), nil)
		set.TombstonesFrom = at(20)
		s.commit(set)
		s.reopen()
		for id, want := range map[int64]map[int64]time.Time{1: {8: at(20)}, 2: {7: at(10), 8: at(20)}, 3: {}} {
			got, err := s.Tombstones(t.Context(), id, event.Orders, []int64{7, 8, 9})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "tombstones", got, want)
		}
	},
}

// createdSet holds three objects of the same second, one before, one behind, one
// deleted and one without a stamp; and their ids are not in that order.
func createdSet() *event.ChangeSet {
	set := newShop(1).change(at(1), nil, "D", "late", "B", "GONE", "early", "C", "unknown")
	for i, created := range []time.Time{at(20), at(30), at(20), at(20), at(10), at(20), {}} {
		set.Snapshots[i].Created = created
	}
	set.Snapshots[3].Deleted = at(40)
	return set
}

func wantCreated(t *testing.T, s *storage, q event.CreatedQuery, objectIDs ...string) {
	t.Helper()
	found, err := s.SnapshotsCreated(t.Context(), 1, event.Orders, q)
	if err != nil {
		t.Fatalf("SnapshotsCreated: %v", err)
	}
	var got []string
	for _, snapshot := range found {
		got = append(got, snapshot.ObjectID)
	}
	equal(t, "objects", got, objectIDs)
}

// wantInternal checks what the internal numbers 492512057, -3, 0 and 9 lead to.
func wantInternal(t *testing.T, s *storage, want map[int64]event.Snapshot) {
	t.Helper()
	got, err := s.SnapshotsByInternalID(t.Context(), 1, event.Orders, []int64{492512057, -3, 0, 9})
	if err != nil {
		t.Fatalf("SnapshotsByInternalID: %v", err)
	}
	equal(t, "snapshots by internal number", got, want)
}
