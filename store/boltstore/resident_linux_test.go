package boltstore

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ecwid-events/ecwid-events/event"
)

// Reading a file does not leave it in the process's memory.
func TestResidentMemoryIsLimited(t *testing.T) {
	const objects, size, room = 40, 1 << 20, 8 << 20
	db, err := Open(filepath.Join(t.TempDir(), "storage.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	raw := make([]byte, size)
	random := rand.NewChaCha8([32]byte{})
	for i := range objects {
		_, _ = random.Read(raw) // it never fails
		set := &event.ChangeSet{Base: uint64(i), Cursor: event.Cursor{StoreID: 1, Resource: event.Orders, Sequence: uint64(i) + 1}}
		set.Snapshots = []event.Snapshot{{ObjectID: fmt.Sprint(i), Raw: raw}}
		set.Events = []event.Event{{ID: fmt.Sprint(i), Store: event.Store{ID: 1}, Resource: event.Orders, Sequence: uint64(i) + 1, Raw: raw}}
		if err := db.Commit(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := func(id string) error {
		_, err := db.SnapshotsByID(t.Context(), 1, event.Orders, []string{id})
		return err
	}
	occurrence := func(id string) error {
		_, err := db.Event(t.Context(), id)
		return err
	}
	for name, c := range map[string]struct {
		limited bool
		read    func(id string) error
	}{
		"snapshots, limited":     {true, snapshot},
		"snapshots, not limited": {false, snapshot},
		"events, limited":        {true, occurrence},
		"events, not limited":    {false, occurrence},
	} {
		t.Run(name, func(t *testing.T) {
			db.resident.most = 0
			db.resident.limit(db.bolt)
			begin, highest := db.resident.bytes(), 0
			db.resident.most = begin + room
			if !c.limited {
				db.resident.most = 1 << 40
			}
			for i := range objects {
				if err := c.read(fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
				highest = max(highest, db.resident.bytes()-begin)
			}
			// What is read between two looks comes on top.
			if isLimited := highest <= room+2*residentStep; begin == 0 || isLimited != c.limited {
				t.Errorf("reading %d MiB left up to %d KiB of them mapped, besides %d", objects*size>>20, highest>>10, begin>>10)
			}
		})
	}
}
