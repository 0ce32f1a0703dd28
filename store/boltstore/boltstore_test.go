package boltstore_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) func() store.Backend {
		path := filepath.Join(t.TempDir(), "storage.db")
		t.Cleanup(func() { wantConsistent(t, path) }) // the suite closes it before
		return func() store.Backend { return open(t, path) }
	})
}

// The events of one store are found however many others have.
func TestEventsOfOneStoreAloneAreLookedAt(t *testing.T) {
	t.Parallel()
	db, random := open(t, filepath.Join(t.TempDir(), "storage.db")), rand.New(rand.NewPCG(1, 1))
	defer db.Close()
	sets := []*event.ChangeSet{
		storetest.Page(random, 1003, 0, 0, 2, "default"), storetest.Page(random, 7, 0, 0, 1500, "default"),
		storetest.Page(random, 2000, 0, 0, 1500, "default"), storetest.Page(random, 1003, 2, 2, 2, "default"),
	}
	for _, set := range sets {
		if err := db.Commit(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Concat(sets[0].Events, sets[3].Events)
	for _, newest := range []bool{false, true} {
		events, next, more, err := db.Events(t.Context(), event.HistoryQuery{StoreID: 1003, Newest: newest, Limit: 9})
		if diff := cmp.Diff(want, events); diff != "" || more || next != want[3].Position || err != nil {
			t.Errorf("next %d, more %v, %v (-want +got):\n%s", next, more, err, diff)
		}
		slices.Reverse(want)
	}
}

func open(t testing.TB, path string) *boltstore.DB {
	t.Helper()
	db, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
