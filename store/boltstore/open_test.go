package boltstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

const pageOrders = 20

// page is the set of a poll that finds the n-th page of new orders.
func page(random *rand.Rand, n int) *event.ChangeSet {
	return storetest.Page(random, 1003, uint64(n*pageOrders), n*pageOrders, pageOrders, "default")
}

// wantPages checks that just the first n pages are there.
func wantPages(t *testing.T, db *boltstore.DB, n int) {
	t.Helper()
	cursor, err := db.Cursor(t.Context(), 1003, event.Orders)
	if err != nil || cursor.Sequence != uint64(n*pageOrders) {
		t.Errorf("sequence %d, %v; want %d", cursor.Sequence, err, n*pageOrders)
	}
	backlog, err := db.Backlog(t.Context(), "default")
	if err != nil || backlog.Pending != n*pageOrders {
		t.Errorf("%d pending deliveries, %v; want %d", backlog.Pending, err, n*pageOrders)
	}
	for i := range (n + 1) * pageOrders {
		id := storetest.ObjectID(i)
		found, err := db.SnapshotsByID(t.Context(), 1003, event.Orders, []string{id})
		if err != nil || (len(found) == 1) != (i < n*pageOrders) {
			t.Fatalf("order %d: %d snapshots, %v", i, len(found), err)
		}
	}
}

// storageFile makes a storage of a pause and some pages, and returns its path.
func storageFile(t *testing.T, pages int) string {
	t.Helper()
	path, random := filepath.Join(t.TempDir(), "storage.db"), rand.New(rand.NewPCG(1, 1))
	db := open(t, path)
	pause := event.Pause{Callback: "default", Since: time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), Reason: event.PausedGone}
	if err := db.Pause(t.Context(), pause); err != nil {
		t.Fatal(err)
	}
	for n := range pages {
		if err := db.Commit(t.Context(), page(random, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenCreatesFile(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, path string){
		"where there is none": func(*testing.T, string) {},
		"in the place of an empty file": func(t *testing.T, path string) {
			write(t, path, nil)
		},
		"where a creation was cut off": func(t *testing.T, path string) {
			write(t, path, nil)
			write(t, path+".new", bytes.Repeat([]byte{1, 2, 3}, 5000))
		},
		"behind a link, which stays": func(t *testing.T, path string) {
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "storage.db")
			prepare(t, path)
			before, _ := os.Lstat(path)
			db := open(t, path)
			if err := db.Commit(t.Context(), page(rand.New(rand.NewPCG(1, 1)), 0)); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open(t, path)
			defer db.Close()
			wantPages(t, db, 1)
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %s, %v; want 0600", info.Mode(), err)
			}
			if after, err := os.Lstat(path); err != nil || before != nil && before.Mode().Type() != after.Mode().Type() {
				t.Errorf("the path was %s and is %s, %v", before.Mode(), after.Mode(), err)
			}
			if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the new file is still beside it: %v", err)
			}
		})
	}
}

func TestOpenLeavesModeOfExistingFile(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 1)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %s, %v; want 0640", info.Mode(), err)
	}
}

// Whatever cannot be opened is refused for the right reason, and stays as it was.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	edit := func(change func(*bolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) { editBolt(t, path, change) }
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  error
	}{
		"text":                   {func(t *testing.T, path string) { write(t, path, []byte("stores:\n  - id: 1003\n")) }, store.ErrForeign},
		"one byte":               {func(t *testing.T, path string) { write(t, path, []byte("x")) }, store.ErrForeign},
		"large binary":           {func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("SQLite format 3\x00"), 9999)) }, store.ErrForeign},
		"another bbolt file":     {func(t *testing.T, path string) { otherBolt(t, path, false) }, store.ErrForeign},
		"one without a freelist": {func(t *testing.T, path string) { otherBolt(t, path, true) }, store.ErrForeign},
		"a newer format": {edit(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint32(nil, 2))
		}), store.ErrNewer},
		"no format":                {edit(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Delete([]byte("format")) }), store.ErrCorrupt},
		"a missing bucket":         {edit(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("events")) }), store.ErrCorrupt},
		"free pages that are none": {func(t *testing.T, path string) { spoilFreelist(t, path, 1<<40) }, store.ErrCorrupt},
		"free pages out of order":  {func(t *testing.T, path string) { spoilFreelist(t, path, 2) }, store.ErrCorrupt},
		"too many free pages":      {func(t *testing.T, path string) { spoilFreelist(t, path, 0) }, store.ErrCorrupt},
		"zeros":                    {func(t *testing.T, path string) { write(t, path, make([]byte, 100_000)) }, store.ErrCorrupt},
		"one byte of ours":         {func(t *testing.T, path string) { truncate(t, path, 1) }, store.ErrCorrupt},
		"half a page":              {func(t *testing.T, path string) { truncate(t, path, 5000) }, store.ErrCorrupt},
		"one page":                 {func(t *testing.T, path string) { truncate(t, path, 8192) }, store.ErrCorrupt},
		"the meta pages":           {func(t *testing.T, path string) { truncate(t, path, 2*8192) }, store.ErrCorrupt},
		"one page short":           {func(t *testing.T, path string) { truncate(t, path, pagesOf(t, path)*8192-1) }, store.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := storageFile(t, 3)
			c.spoil(t, path)
			wantRefused(t, path, c.want)
		})
	}
}

func TestOpenRefusesDamagedMetaPages(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 3)
	whole := read(t, path)
	for offset := 16; offset < 80; offset++ {
		damaged := bytes.Clone(whole)
		damaged[offset] ^= 0x40
		damaged[8192+offset] ^= 0x40
		write(t, path, damaged)
		wantRefused(t, path, store.ErrCorrupt)
	}
}

// A meta page that was being written when the power failed is not needed: the
// other one holds the state before.
func TestOpenManagesWithOneMetaPage(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 3)
	whole := read(t, path)
	pages := map[int]bool{}
	for _, meta := range []int{0, 8192} {
		damaged := bytes.Clone(whole)
		clear(damaged[meta : meta+8192])
		write(t, path, damaged)
		db := open(t, path)
		cursor, err := db.Cursor(t.Context(), 1003, event.Orders)
		if err != nil {
			t.Fatal(err)
		}
		n := int(cursor.Sequence) / pageOrders
		wantPages(t, db, n)
		pages[n] = true
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[int]bool{2: true, 3: true}, pages); diff != "" {
		t.Errorf("pages of orders (-want +got):\n%s", diff)
	}
}

func TestOpenLocked(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 1)
	db := open(t, path)
	for _, readOnly := range []bool{false, true} {
		_, err := boltstore.Open(path, boltstore.Options{ReadOnly: readOnly, Timeout: time.Millisecond})
		if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open of a file in use: %v, want ErrLocked with the path", err)
		}
	}
	opened := make(chan error)
	go func() {
		second, err := boltstore.Open(path, boltstore.Options{Timeout: time.Minute})
		if err == nil {
			err = second.Close()
		}
		opened <- err
	}()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Open that waited: %v", err)
	}
}

func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 2)
	before := read(t, path)
	var readers []*boltstore.DB
	for range 2 {
		db, err := boltstore.Open(path, boltstore.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, db)
	}
	for _, db := range readers {
		wantPages(t, db, 2)
		if err := db.Commit(t.Context(), page(rand.New(rand.NewPCG(1, 1)), 2)); err == nil {
			t.Error("Commit wrote to a storage that is open for reading")
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("reading has changed the file")
	}
	for name, want := range map[string]error{"none.db": fs.ErrNotExist, "empty.db": store.ErrForeign} {
		other := filepath.Join(filepath.Dir(path), name)
		if errors.Is(want, store.ErrForeign) {
			write(t, other, nil)
		}
		if _, err := boltstore.Open(other, boltstore.Options{ReadOnly: true}); !errors.Is(err, want) {
			t.Errorf("Open of %s for reading: %v, want %v", name, err, want)
		}
	}
}

func TestOpenWithoutDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "nowhere", "storage.db")
	_, err := boltstore.Open(path, boltstore.Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "directory must exist") || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v, want ErrNotExist that tells of the directory", err)
	}
	if _, err := boltstore.Open(t.TempDir(), boltstore.Options{}); err == nil {
		t.Error("Open took a directory")
	}
	if _, err := boltstore.Open(path, boltstore.Options{Timeout: -1}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open with a negative timeout: %v", err)
	}
}

func wantRefused(t *testing.T, path string, want error) {
	t.Helper()
	before := read(t, path)
	for _, readOnly := range []bool{false, true} {
		if _, err := boltstore.Open(path, boltstore.Options{ReadOnly: readOnly}); !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open: %v, want %v with the path", err, want)
		}
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("Open has changed the file")
	}
}

func editBolt(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func otherBolt(t *testing.T, path string, noFreelist bool) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: noFreelist})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("meta"))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// spoilFreelist puts a wrong page at the end of the list of free pages, or with 0
// makes the list longer than its page.
func spoilFreelist(t *testing.T, path string, last uint64) {
	t.Helper()
	order, data := binary.NativeEndian, read(t, path)
	meta := data[16:]
	if order.Uint64(data[8192+16+48:]) > order.Uint64(data[16+48:]) { // the txids
		meta = data[8192+16:]
	}
	list := data[order.Uint64(meta[32:])*8192:]
	count := order.Uint16(list[10:])
	if count < 2 {
		t.Fatalf("the storage has %d free pages, too few for this test", count)
	}
	if last == 0 {
		order.PutUint16(list[10:], 5000)
	} else {
		order.PutUint64(list[16+8*(count-1):], last)
	}
	write(t, path, data)
}

// pagesOf returns how many pages of the file are in use.
func pagesOf(t *testing.T, path string) int64 {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	err = db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return size / 8192
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}
