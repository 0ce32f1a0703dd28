package boltstore_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

// oldFile returns the path of a storage that a version without pauses, replays and
// payloads wrote, and the set that it committed: four deliveries for "default", of
// which the first is delivered, the second dead, the third was tried once, and the
// last waits for its first attempt.
func oldFile(t *testing.T) (path string, set *event.ChangeSet) {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", "before-pauses.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "storage.db")
	write(t, path, data)
	return path, storetest.Page(rand.New(rand.NewPCG(1, 1)), 1003, 0, 0, 4, "default")
}

// What a file does not hold is empty. It is not rewritten for that.
func TestOldFileIsReadAsItIs(t *testing.T) {
	t.Parallel()
	path, set := oldFile(t)
	before := read(t, path)
	for _, readOnly := range []bool{true, false} {
		db, err := boltstore.Open(path, boltstore.Options{ReadOnly: readOnly})
		if err != nil {
			t.Fatal(err)
		}
		if pauses, err := db.Pauses(t.Context()); len(pauses) != 0 || err != nil {
			t.Errorf("pauses: %v, %v", pauses, err)
		}
		for i, state := range []event.DeliveryState{event.Delivered, event.Dead, event.Pending, event.Pending} {
			got, attempts, err := db.Delivery(t.Context(), "default", set.Events[i].ID)
			if err != nil {
				t.Fatal(err)
			}
			tried := min(1, 3-i)
			if got.State != state || got.Attempts != tried || len(attempts) != tried || got.Payload != event.Full || got.Manual || got.Refusals != 0 {
				t.Errorf("delivery %d: %+v with %d attempts", i, got, len(attempts))
			}
		}
		events, _, _, err := db.Events(t.Context(), event.HistoryQuery{StoreID: 1003, Limit: 9})
		for i := range set.Events {
			set.Events[i].Position = uint64(i) + 1
		}
		if diff := cmp.Diff(set.Events, events); diff != "" || err != nil {
			t.Errorf("events: %v (-want +got):\n%s", err, diff)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("reading an old file has changed it")
	}
}

// Everything that is new can be written to an old file.
func TestOldFileIsWrittenTo(t *testing.T) {
	t.Parallel()
	path, set := oldFile(t)
	db := open(t, path)
	for i := range set.Deliveries {
		set.Deliveries[i].Manual, set.Deliveries[i].OrderingKey = true, "replay"
	}
	if n, err := db.Replay(t.Context(), set.Deliveries); n != 2 || err != nil {
		t.Errorf("replayed %d, %v; want 2", n, err)
	}
	for i, want := range map[int]bool{0: true, 1: true, 2: false, 3: false} {
		got, _, err := db.Delivery(t.Context(), "default", set.Events[i].ID)
		if err != nil || got.State != event.Pending || got.Manual != want || got.Payload != event.Full {
			t.Errorf("delivery %d: %+v, %v; want a pending one, manual: %v", i, got, err, want)
		}
	}
	result := event.Result{Callback: "default", Position: 3, State: event.Dead, Refusals: 2, Attempt: event.Attempt{Time: set.Events[0].Time}}
	if err := db.Record(t.Context(), []event.Result{result}); err != nil {
		t.Error(err)
	}
	if n, err := db.Move(t.Context(), "default", "other", 9); n != 4 || err != nil {
		t.Errorf("moved %d, %v; want 4", n, err)
	}
	if n, err := db.Drop(t.Context(), "other", event.Pending, 1); n != 1 || err != nil {
		t.Errorf("dropped %d, %v; want 1", n, err)
	}
	pause := event.Pause{StoreID: 1003, Since: set.Events[0].Time, Reason: event.PausedByHand}
	if err := db.Pause(t.Context(), pause); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantConsistent(t, path)
	db = open(t, path)
	defer db.Close()
	if pauses, err := db.Pauses(t.Context()); err != nil || !cmp.Equal(pauses, []event.Pause{pause}) {
		t.Errorf("pauses: %v, %v", pauses, err)
	}
	if got, err := db.Backlog(t.Context(), "other"); err != nil || got.Pending != 2 || got.Dead != 1 {
		t.Errorf("backlog: %+v, %v", got, err)
	}
}

// What an earlier version has not counted is counted.
func TestObjectsOfAnOldFileAreKnown(t *testing.T) {
	t.Parallel()
	path, set := oldFile(t)
	db, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	next := storetest.Page(rand.New(rand.NewPCG(2, 2)), 1003, set.Cursor.Sequence, 4, 3, "default")
	next.Snapshots[0].Deleted = next.Snapshots[0].Created
	for _, want := range []int{4, 6} {
		known, err := db.Known(t.Context(), 1003, event.Orders)
		if known != want || err != nil {
			t.Errorf("%d objects are known, %v, want %d", known, err, want)
		}
		if want == 4 {
			if err := db.Commit(t.Context(), next); err != nil {
				t.Fatal(err)
			}
		}
	}
}
