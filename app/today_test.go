package app

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// A diary is a storage with one event at each of the times.
func newDiary(t *testing.T, times ...time.Time) *boltstore.DB {
	t.Helper()
	db, err := boltstore.Open(filepath.Join(t.TempDir(), "storage.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	write(t, db, times...)
	return db
}

// write adds events of objects that are numbered like them.
func write(t *testing.T, db *boltstore.DB, times ...time.Time) {
	t.Helper()
	for _, at := range times {
		cursor, err := db.Cursor(t.Context(), 1003, event.Orders)
		if err != nil {
			t.Fatal(err)
		}
		set := &event.ChangeSet{Base: cursor.Sequence, Cursor: cursor}
		set.Cursor.Sequence++
		e := event.Event{
			Type: event.OrderCreated, Store: event.Store{ID: 1003}, Resource: event.Orders, ObjectID: fmt.Sprint(set.Cursor.Sequence),
			Sequence: set.Cursor.Sequence, Version: 1, Time: at, DetectedAt: at, Raw: []byte("{}"),
		}
		e.ID = event.NewID(event.Identity{StoreID: 1003, Resource: event.Orders, ObjectID: e.ObjectID, Type: e.Type, Version: 1})
		set.Events = []event.Event{e}
		if err := db.Commit(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsOfToday(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	at := func(hours ...int) (times []time.Time) {
		for _, h := range hours {
			times = append(times, now.Truncate(24*time.Hour).Add(time.Duration(h)*time.Hour))
		}
		return times
	}
	for name, c := range map[string]struct {
		times  []time.Time
		gone   []string // objects that are forgotten
		pruned bool     // what was before midnight
		want   int
	}{
		"none ever":                  {nil, nil, false, 0},
		"none today":                 {at(-30, -20, -1), nil, false, 0},
		"all today":                  {at(0, 1, 2), nil, false, 3},
		"some":                       {at(-30, -20, -1, 0, 1), nil, false, 2},
		"what was before is pruned":  {at(-30, -20, -1, 0, 1), nil, true, 2},
		"all is pruned":              {at(-30, -20, -1), nil, true, 0},
		"one in between is gone":     {at(-30, -20, -1, 0, 1, 2), []string{"5"}, false, 3},
		"the last before is gone":    {at(-30, -20, -1, 0, 1, 2), []string{"3"}, false, 3},
		"one of yesterday is gone":   {at(-30, -20, -1, 0, 1, 2), []string{"1"}, false, 3},
		"a day of many":              {append(at(-2, -2, -2, -1, -1, -1, -1), at(0, 0, 0, 0, 1, 1, 1, 1, 1, 2)...), nil, false, 10},
		"one after a year of others": {append(at(-9000, -8000, -7000, -6000, -5000, -24), at(2)...), nil, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDiary(t, c.times...)
			for _, id := range c.gone {
				if _, err := db.Forget(t.Context(), 1003, event.Orders, id); err != nil {
					t.Fatal(err)
				}
			}
			if c.pruned {
				q := event.PruneQuery{DeliveredBefore: now.Truncate(24 * time.Hour), DeadBefore: now.Truncate(24 * time.Hour), Limit: 100}
				if _, _, err := db.Prune(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			var days today
			got, err := days.events(t.Context(), db, 1003, uint64(len(c.times)), now)
			if got != c.want || err != nil {
				t.Errorf("%d events, %v, want %d", got, err, c.want)
			}
		})
	}
}

// What has been found of a day grows with the sequence, and ends at midnight, UTC.
func TestTodayGoesOn(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	db := newDiary(t, midnight.Add(-time.Hour), midnight.Add(time.Hour))
	var days today
	for _, c := range []struct {
		add  time.Duration // since midnight; 0: no further event
		at   time.Duration
		want int
	}{
		{0, 2 * time.Hour, 1},
		{3 * time.Hour, 3 * time.Hour, 2},
		{23 * time.Hour, 24*time.Hour - 1, 3},
		{0, 24 * time.Hour, 0},
		{25 * time.Hour, 26 * time.Hour, 1},
		{0, 200 * time.Hour, 0},
	} {
		if c.add != 0 {
			write(t, db, midnight.Add(c.add))
		}
		cursor, err := db.Cursor(t.Context(), 1003, event.Orders)
		if err != nil {
			t.Fatal(err)
		}
		here := time.FixedZone("UTC+9", 9*3600)
		got, err := days.events(t.Context(), db, 1003, cursor.Sequence, midnight.Add(c.at).In(here))
		if got != c.want || err != nil {
			t.Errorf("%s after midnight: %d events, %v, want %d", c.at, got, err, c.want)
		}
	}
}
