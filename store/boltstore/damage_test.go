package boltstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/encoding"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

// answers is what a storage of some pages says to every question.
type answers struct {
	Cursor    event.Cursor
	Snapshots map[string]event.Snapshot
	Created   []event.Snapshot
	Due       []event.Delivery
	Events    []event.Event
	Listed    []event.Event
	OfStore   []event.Event
	Pending   []event.Delivery
	First     uint64
	Pauses    []event.Pause
}

// ask returns what it could get, and the errors of the rest.
func ask(t *testing.T, db *boltstore.DB, sets []*event.ChangeSet) (a answers, errs []error) {
	t.Helper()
	ctx := t.Context()
	keep := func(err error) { errs = append(errs, err) }
	var err error
	a.Cursor, err = db.Cursor(ctx, 1003, event.Orders)
	keep(err)
	var ids []string
	for _, set := range sets {
		for _, e := range set.Events {
			ids = append(ids, e.ObjectID)
			found, err := db.Event(ctx, e.ID)
			keep(err)
			a.Events = append(a.Events, found)
			found, err = db.EventAt(ctx, uint64(len(ids))) // they were committed in this order
			keep(err)
			a.Events = append(a.Events, found)
			_, _, err = db.Delivery(ctx, "default", e.ID)
			keep(err)
		}
	}
	a.Snapshots, err = db.SnapshotsByID(ctx, 1003, event.Orders, ids)
	keep(err)
	last := sets[len(sets)-1].Snapshots[0].Created
	a.Created, err = db.SnapshotsCreated(ctx, 1003, event.Orders, event.CreatedQuery{To: last, Limit: 1000})
	keep(err)
	a.Due, _, err = db.Due(ctx, event.DueQuery{Callback: "default", StoreID: 1003, Now: last, Limit: 1000})
	keep(err)
	_, err = db.PendingStores(ctx, "default")
	keep(err)
	_, err = db.Backlog(ctx, "default")
	keep(err)
	a.Listed, _, _, err = db.Events(ctx, event.HistoryQuery{Newest: true, Limit: 1000})
	keep(err)
	a.OfStore, _, _, err = db.Events(ctx, event.HistoryQuery{StoreID: 1003, After: 5, Limit: 1000})
	keep(err)
	a.Pending, _, _, err = db.Deliveries(ctx, event.DeliveryQuery{Callback: "default", State: event.Pending, Limit: 1000})
	keep(err)
	a.First, err = db.EventFrom(ctx, 1003, 1)
	keep(err)
	a.Pauses, err = db.Pauses(ctx)
	keep(err)
	return a, errs
}

// Wherever a page has become zeros, no call crashes, hangs or lies: it answers
// what it did before, or says that the storage is damaged.
func TestZeroedPages(t *testing.T) {
	t.Parallel()
	const pages = 2
	path := storageFile(t, pages)
	random := rand.New(rand.NewPCG(1, 1))
	var sets []*event.ChangeSet
	for n := range pages {
		sets = append(sets, page(random, n))
	}
	whole, noticed := read(t, path), 0
	db := open(t, path)
	want, errs := ask(t, db, sets)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for n := int64(2); n < pagesOf(t, path); n++ {
		write(t, path, whole)
		damaged := bytes.Clone(whole)
		clear(damaged[n*8192 : (n+1)*8192])
		write(t, path, damaged)
		if !answersOrTells(t, path, sets, want) {
			noticed++
		}
	}
	write(t, path, whole)
	if all := int(pagesOf(t, path)); noticed < all/3 {
		t.Errorf("zeros in %d of %d pages were noticed", noticed, all)
	}
}

// answersOrTells reports whether all answers are there.
func answersOrTells(t *testing.T, path string, sets []*event.ChangeSet, want answers) (all bool) {
	t.Helper()
	before := read(t, path)
	db, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("Open: %v, want ErrCorrupt", err)
		}
		if !bytes.Equal(before, read(t, path)) {
			t.Error("Open has changed the damaged file")
		}
		return false
	}
	got, errs := ask(t, db, sets)
	all = true
	for _, err := range errs {
		if err == nil {
			continue
		}
		if all = false; !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("a read: %v, want ErrCorrupt", err)
		}
	}
	if all && !reflect.DeepEqual(got, want) { // cmp.Diff takes seconds for so many bytes
		t.Error("no error, but other answers than before")
	}
	// A write on it succeeds or tells, and the next one does not hang.
	for range 2 {
		set := storetest.Page(rand.New(rand.NewPCG(2, 2)), 1003, got.Cursor.Sequence, 5000, pageOrders, "default")
		if err := db.Commit(t.Context(), set); err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrConflict) {
			t.Errorf("Commit: %v, want ErrCorrupt", err)
		}
	}
	wantCorruptAtWorst(t, db, sets[0])
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return all
}

// wantCorruptAtWorst makes every other change. What the damage has taken is not
// found, or corrupt.
func wantCorruptAtWorst(t *testing.T, db *boltstore.DB, set *event.ChangeSet) {
	t.Helper()
	ctx := t.Context()
	again := set.Deliveries[0]
	again.Callback = "new"
	_, replayErr := db.Replay(ctx, []event.Delivery{again})
	_, moveErr := db.Move(ctx, "default", "other", 5)
	_, dropErr := db.Drop(ctx, "default", event.Pending, 5)
	for call, err := range map[string]error{
		"Replay": replayErr, "Move": moveErr, "Drop": dropErr,
		"Pause":  db.Pause(ctx, event.Pause{StoreID: 7, Since: set.Events[0].Time, Reason: event.PausedByHand}),
		"Resume": db.Resume(ctx, "default", 0),
	} {
		if err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, event.ErrNotFound) {
			t.Errorf("%s: %v, want ErrCorrupt", call, err)
		}
	}
}

// A record with one wrong byte is noticed wherever the byte is, and the records
// beside it can be read.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 2)
	set := page(rand.New(rand.NewPCG(1, 1)), 0)
	record, err := encoding.EncodeSnapshot(&set.Snapshots[3])
	if err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	begin := bytes.LastIndex(whole, record)
	if begin < 0 || bytes.Index(whole, record) != begin {
		t.Fatal("the file does not hold the record once")
	}
	for offset := 0; offset < len(record); offset += 7 {
		damaged := bytes.Clone(whole)
		damaged[begin+offset] ^= 1
		write(t, path, damaged)
		db := open(t, path)
		for i, want := range map[int]error{2: nil, 3: store.ErrCorrupt, 4: nil} {
			_, err := db.SnapshotsByID(t.Context(), 1003, event.Orders, []string{set.Snapshots[i].ObjectID})
			if !errors.Is(err, want) {
				t.Errorf("byte %d: snapshot %d: %v, want %v", offset, i, err, want)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A page number that leads out of the file is an address that cannot be read.
func TestPageOutsideOfFile(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 1)
	data := read(t, path)
	root := []byte("cursors")
	for begin := 0; ; begin += len(root) {
		next := bytes.Index(data[begin:], root)
		if next < 0 {
			break
		}
		begin += next
		binary.NativeEndian.PutUint64(data[begin+len(root):], 1<<30)
	}
	write(t, path, data)
	db, err := boltstore.Open(path, boltstore.Options{})
	if err == nil {
		_, err = db.Cursor(t.Context(), 1003, event.Orders)
		defer db.Close()
	}
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%v, want ErrCorrupt", err)
	}
}

// Pruning leaves no keys behind that no call shows.
func TestPrunedEventLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "storage.db")
	db := open(t, path)
	set := page(rand.New(rand.NewPCG(1, 1)), 0)
	if err := db.Commit(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	for i, d := range set.Deliveries {
		state := []event.DeliveryState{event.Delivered, event.Dead}[i%2]
		r := event.Result{Callback: d.Callback, Position: d.Position, State: state, Attempt: event.Attempt{Time: d.NextAttempt}}
		if err := db.Record(t.Context(), []event.Result{r, r}); err != nil {
			t.Fatal(err)
		}
	}
	never := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	removed, _, err := db.Prune(t.Context(), event.PruneQuery{DeliveredBefore: never, DeadBefore: never, Limit: 100})
	if err != nil || removed != pageOrders {
		t.Fatalf("removed %d events, %v", removed, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	editBolt(t, path, func(tx *bolt.Tx) error {
		callback := tx.Bucket([]byte("deliveries")).Bucket([]byte("default"))
		left := map[string]*bolt.Bucket{}
		for _, name := range []string{"events", "event_ids", "sequences"} {
			left[name] = tx.Bucket([]byte(name))
		}
		for _, name := range []string{"pending", "queue", "ready", "delivered", "dead", "attempts"} {
			left[name] = callback.Bucket([]byte(name))
		}
		for name, b := range left {
			if key, _ := b.Cursor().First(); key != nil {
				t.Errorf("%s still holds the key %x", name, key)
			}
		}
		return nil
	})
}

// Damage that bbolt cannot even roll back from: nothing is written any more, and
// nothing hangs.
func TestFileRuinedWhileOpen(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 1)
	db := open(t, path)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(make([]byte, (pagesOfOpen(t, path)-2)*8192), 2*8192); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := db.Commit(t.Context(), page(rand.New(rand.NewPCG(1, 1)), 1))
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("Commit: %v, want ErrCorrupt", err)
		}
		if _, err := db.Cursor(t.Context(), 1003, event.Orders); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("Cursor: %v, want ErrCorrupt", err)
		}
	}
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := boltstore.Open(path, boltstore.Options{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Open: %v, want ErrCorrupt", err)
	}
}

// pagesOfOpen returns how many pages a file has, in use or not.
func pagesOfOpen(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() / 8192
}

// What brings nothing new is not written.
func TestNothingNewWritesNothing(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 2)
	db := open(t, path)
	defer db.Close()
	before := read(t, path)
	cursor, err := db.Cursor(t.Context(), 1003, event.Orders)
	if err != nil {
		t.Fatal(err)
	}
	for call, err := range map[string]error{
		"Commit": db.Commit(t.Context(), &event.ChangeSet{Cursor: cursor, Base: cursor.Sequence}),
		"Record": db.Record(t.Context(), nil),
		"Prune":  func() error { _, _, err := db.Prune(t.Context(), event.PruneQuery{Limit: 9}); return err }(),
	} {
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the file has changed")
	}
	cursor.ReadTo = cursor.ReadTo.Add(1)
	if err := db.Commit(t.Context(), &event.ChangeSet{Cursor: cursor, Base: cursor.Sequence}); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before, read(t, path)) {
		t.Error("a new cursor was not written")
	}
}
