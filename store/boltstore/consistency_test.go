package boltstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// wantConsistent checks that everything in a storage agrees with everything else. It
// is called when tests end, and their contexts with them.
func wantConsistent(t *testing.T, path string) {
	t.Helper()
	_, faults, err := checked(context.Background(), path)
	if err != nil {
		t.Error(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// checked is what Check says of a storage.
func checked(ctx context.Context, path string) (sum boltstore.Summary, faults []string, err error) {
	db, err := boltstore.Open(path, boltstore.Options{ReadOnly: true})
	if err != nil {
		return sum, nil, err
	}
	sum, err = db.Check(ctx, func(fault string) { faults = append(faults, fault) }, nil)
	return sum, faults, errors.Join(err, db.Close())
}

// richFile makes a storage that holds something of everything: of 20 deliveries for
// "default" the first is delivered, the second dead, the third was tried once, and the
// fourth waits for the third.
func richFile(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "storage.db")
	db, set := open(t, path), page(rand.New(rand.NewPCG(1, 1)), 0)
	set.Deliveries[3].OrderingKey = set.Deliveries[2].OrderingKey
	set.Tombstones = []event.Tombstone{{InternalID: 7, Deleted: set.Events[0].Time}}
	ctx, stamp := t.Context(), set.Events[0].Time
	err := db.Commit(ctx, set)
	result := func(i int, state event.DeliveryState) event.Result {
		return event.Result{Callback: "default", Position: set.Deliveries[i].Position, State: state, NextAttempt: stamp, Attempt: event.Attempt{Time: stamp}}
	}
	err = errors.Join(err, db.Record(ctx, []event.Result{result(0, event.Delivered), result(1, event.Dead), result(2, event.Pending)}),
		db.Pause(ctx, event.Pause{StoreID: 1003, Since: stamp, Reason: event.PausedByHand}), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckCountsWhatThereIs(t *testing.T) {
	t.Parallel()
	path := richFile(t)
	sum, faults, err := checked(t.Context(), path)
	want := boltstore.Summary{
		Bytes: int64(len(read(t, path))), Pages: sum.Pages, Cursors: 1, Snapshots: 20, Tombstones: 1, Events: 20,
		Callbacks: 1, Pending: 18, Delivered: 1, Dead: 1, Attempts: 3, Pauses: 1,
	}
	if diff := cmp.Diff(want, sum); diff != "" || len(faults) > 0 || err != nil {
		t.Errorf("%v, %v (-want +got):\n%s", faults, err, diff)
	}
	if sum.Pages < 5 || sum.Pages >= int(pagesOfOpen(t, path)) {
		t.Errorf("%d pages are in use", sum.Pages)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := checked(canceled, path); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// Each rule of doc.go, broken alone, is a fault that says so.
func TestCheckFindsWhatContradicts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bucket string // steps to it
		// change gets a key of the bucket and its value, the third of each.
		change func(b *bolt.Bucket, key, value []byte) error
		want   string
	}{
		"a cursor with a wrong byte":    {"cursors", flip, "the cursor at"},
		"a cursor that counts too much": {"cursors", cursorOf(1003, 21), "the cursor of store 1003 counts 21 events, there were 20"},
		"a cursor that counts too few":  {"cursors", cursorOf(1003, 19), "the cursor of store 1003 counts 19 events, the last one is 20"},
		"a cursor in a wrong place":     {"cursors", rename, "in the place of another's"},
		"a snapshot with a wrong byte":  {"objects/orders/snapshots", flip, "the snapshot at"},
		"a snapshot in a wrong place":   {"objects/orders/snapshots", rename, "is in the place of another's"},
		"a snapshot without an id":      {"objects/orders/ids", remove, "is not found by its id"},
		"an id without a snapshot":      {"objects/orders/ids", add, "leads to no snapshot"},
		"a snapshot without a number":   {"objects/orders/internal", remove, "is not found by its internal number"},
		"a number without a snapshot": {"objects/orders/internal", func(b *bolt.Bucket, key, _ []byte) error {
			return b.Put(key, []byte("nowhere"))
		}, "leads to no snapshot"},
		"a number of another snapshot":     {"objects/orders/internal", swap, "leads to object"},
		"objects that are counted wrongly": {"objects/orders/known", flip, "objects that live, and"},
		"a number of objects that is cut":  {"objects/orders/known", cut, "the number of objects at"},
		"a tombstone without a time":       {"objects/orders/tombstones", cut, "the tombstone at"},
		"an event with a wrong byte":       {"events", flip, "the event at"},
		"an event that is missing":         {"events", remove, "leads to no event"},
		"an event without an id":           {"event_ids", remove, "is not found by its id"},
		"an id without an event":           {"event_ids", add, "leads to event"},
		"an event without a sequence":      {"sequences", remove, "is not found by its store 1003 and its sequence"},
		"sequences that change places":     {"sequences", swap, "does not fit behind"},
		"a sequence without an event": {"sequences", func(b *bolt.Bucket, key, _ []byte) error {
			return b.Put(key, binary.BigEndian.AppendUint64(nil, 99))
		}, "leads to no event"},
		"positions that go back":    {"events", func(b *bolt.Bucket, _, _ []byte) error { return b.SetSequence(3) }, "which was never given out"},
		"a pause with a wrong byte": {"pauses", flip, "the pause at"},
		"a pause in a wrong place":  {"pauses", rename, "the pause at"},
		"wrong counters":            {"deliveries/default", counters, `counts 9 pending and 9 dead deliveries, it has 18 and 1`},
		"a callback without counters": {"deliveries/default", func(b *bolt.Bucket, _, _ []byte) error {
			return b.Delete([]byte("counts"))
		}, "lacks a bucket or its counters"},
		"a delivery with a wrong byte":     {"deliveries/default/pending", flip, "the pending delivery of callback"},
		"a delivery of no event":           {"deliveries/default/delivered", rename, "which is not there"},
		"a delivery that is missing":       {"deliveries/default/delivered", remove, "is of no delivery"},
		"a delivery in the wrong state":    {"deliveries/default/dead", copyTo("delivered"), "as delivered, which is dead"},
		"a delivery in two states":         {"deliveries/default/dead", copyTo("delivered"), "is delivered and dead"},
		"a delivery that is not queued":    {"deliveries/default/queue", remove, "is not in the queue"},
		"a queue entry without a delivery": {"deliveries/default/queue", add, "in its queue that leads to no delivery"},
		"an oldest one that is not ready":  {"deliveries/default/ready", remove, "is ready false, is the oldest of its order true"},
		"a ready key without a delivery":   {"deliveries/default/ready", rename, "ready key"},
		"a ready key that is cut":          {"deliveries/default/ready", func(b *bolt.Bucket, key, _ []byte) error { return b.Put(key[1:], []byte{}) }, "bytes"},
		"an attempt with a wrong byte":     {"deliveries/default/attempts", flip, "the attempt for callback"},
		"an attempt that is missing":       {"deliveries/default/attempts", remove, "had 1 attempts, 0 are there"},
		"an attempt in a wrong place":      {"deliveries/default/attempts", rename, "is in the place of another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := richFile(t)
			editBolt(t, path, func(tx *bolt.Tx) error {
				steps := strings.Split(c.bucket, "/")
				b := tx.Bucket([]byte(steps[0]))
				for _, step := range steps[1:] {
					b = b.Bucket([]byte(step))
				}
				key, value := third(b)
				return c.change(b, key, value)
			})
			sum, faults, err := checked(t.Context(), path)
			if err != nil || sum.Faults != len(faults) || !strings.Contains(strings.Join(faults, "\n"), c.want) {
				t.Errorf("%d faults %q, %v; want %q", sum.Faults, faults, err, c.want)
			}
		})
	}
}

// third returns copies of the third entry of a bucket, or the last before that.
func third(b *bolt.Bucket) (key, value []byte) {
	cursor := b.Cursor()
	n := 0
	for k, v := cursor.First(); k != nil && n < 3; k, v = cursor.Next() {
		key, value = bytes.Clone(k), append([]byte{}, v...)
		n++
	}
	return key, value
}

func flip(b *bolt.Bucket, key, value []byte) error {
	value[len(value)/2] ^= 1
	return b.Put(key, value)
}

func remove(b *bolt.Bucket, key, _ []byte) error { return b.Delete(key) }

func cut(b *bolt.Bucket, key, value []byte) error { return b.Put(key, value[1:]) }

func other(key []byte) []byte {
	key = bytes.Clone(key)
	key[len(key)-1] ^= 0x80
	return key
}

func add(b *bolt.Bucket, key, value []byte) error { return b.Put(other(key), value) }

func rename(b *bolt.Bucket, key, value []byte) error {
	return errors.Join(b.Delete(key), b.Put(other(key), value))
}

// swap gives two keys each other's value.
func swap(b *bolt.Bucket, key, value []byte) error {
	first, before := b.Cursor().First()
	return errors.Join(b.Put(key, bytes.Clone(before)), b.Put(bytes.Clone(first), value))
}

func counters(b *bolt.Bucket, _, _ []byte) error {
	nine := binary.BigEndian.AppendUint64(nil, 9)
	return b.Put([]byte("counts"), append(nine, nine...))
}

func copyTo(state string) func(b *bolt.Bucket, key, value []byte) error {
	return func(b *bolt.Bucket, key, value []byte) error {
		return b.Tx().Bucket([]byte("deliveries")).Bucket([]byte("default")).Bucket([]byte(state)).Put(key, value)
	}
}

func cursorOf(storeID int64, sequence uint64) func(b *bolt.Bucket, key, value []byte) error {
	return func(b *bolt.Bucket, key, _ []byte) error {
		return b.Put(key, encoding.EncodeCursor(&event.Cursor{StoreID: storeID, Resource: event.Orders, Sequence: sequence}))
	}
}

// Whatever is wrong with a page: it is told, and neither ends the process nor hangs.
func TestCheckFindsDamagedPages(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 3)
	whole := read(t, path)
	sum, _, err := checked(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 3))
	for what, damage := range map[string]struct {
		do       func(page []byte, n int)
		everyOne bool // page in use is noticed
	}{
		"zeros":                        {func(page []byte, _ int) { clear(page) }, true},
		"another page":                 {func(page []byte, n int) { copy(page, whole[(n%7+2)*8192:]) }, false},
		"a page that refers to itself": {func(page []byte, n int) { binary.NativeEndian.PutUint64(page[24:], uint64(n)) }, false},
		"a page far away":              {func(page []byte, _ int) { binary.NativeEndian.PutUint64(page[24:], 1<<40) }, false},
		"a huge overflow":              {func(page []byte, _ int) { binary.NativeEndian.PutUint32(page[12:], 1<<31) }, true},
		"too many elements":            {func(page []byte, _ int) { binary.NativeEndian.PutUint16(page[10:], 0xFFFF) }, true},
		"noise": {func(page []byte, _ int) {
			for range 20 {
				page[random.IntN(300)] = byte(random.Uint32())
			}
		}, false},
	} {
		noticed := 0
		for n := 2; n < len(whole)/8192; n++ {
			damaged := bytes.Clone(whole)
			damage.do(damaged[n*8192:(n+1)*8192], n)
			write(t, path, damaged)
			_, faults, err := checked(t.Context(), path)
			// Open reads some pages itself; without the first it sees nothing of ours.
			if err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrForeign) {
				t.Errorf("%s in page %d: %v", what, n, err)
			}
			if err != nil || len(faults) > 0 {
				noticed++
			}
		}
		t.Logf("%s: noticed in %d pages, %d are in use", what, noticed, sum.Pages)
		if damage.everyOne && noticed < sum.Pages || noticed == 0 {
			t.Errorf("%s in %d pages were noticed, %d are in use", what, noticed, sum.Pages)
		}
	}
}

// A storage of some size is looked at in steps, and waits for a writer.
func TestCheckTellsItsProgress(t *testing.T) {
	t.Parallel()
	db := open(t, storageFile(t, 10))
	defer db.Close()
	var last boltstore.Summary
	steps := 0
	sum, err := db.Check(t.Context(), func(fault string) { t.Error(fault) }, func(s boltstore.Summary) {
		if steps++; s.Events < last.Events || s.Snapshots < last.Snapshots {
			t.Errorf("%+v came behind %+v", s, last)
		}
		last = s
	})
	if err != nil || steps < 10 || sum.Events != 200 {
		t.Errorf("%d steps for %d events, %v", steps, sum.Events, err)
	}
	done := make(chan error, 1)
	go func() {
		done <- db.Commit(t.Context(), page(rand.New(rand.NewPCG(1, 1)), 10))
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a write hangs after a check")
	}
}
