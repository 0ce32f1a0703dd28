package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// copying is the two ways to copy a storage.
var copying = map[string]func(*boltstore.DB, context.Context, string, bool) (boltstore.Summary, error){
	"Backup": (*boltstore.DB).Backup, "CompactTo": (*boltstore.DB).CompactTo,
}

func TestCopyHoldsEverything(t *testing.T) {
	t.Parallel()
	for name, copyTo := range copying {
		for _, readOnly := range []bool{false, true} {
			path := storageFile(t, 3)
			target := filepath.Join(t.TempDir(), "copy.db")
			write(t, target+".partial", []byte("what an interrupted copy left"))
			before := read(t, path)
			db, err := boltstore.Open(path, boltstore.Options{ReadOnly: readOnly})
			if err != nil {
				t.Fatal(err)
			}
			sum, err := copyTo(db, t.Context(), target, false)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(before, read(t, path)) {
				t.Errorf("%s has changed the storage", name)
			}
			if info, err := os.Stat(target); err != nil || info.Mode() != 0o600 || info.Size() != sum.Bytes || sum.Events != 3*pageOrders {
				t.Errorf("%s: %v, %v, %+v", name, info, err, sum)
			}
			wantNoFile(t, target+".partial")
			copied := open(t, target)
			wantPages(t, copied, 3)
			// Positions go on behind those that were given out.
			set := page(rand.New(rand.NewPCG(9, 9)), 3)
			if err := copied.Commit(t.Context(), set); err != nil || set.Events[0].Position != 3*pageOrders+1 {
				t.Errorf("%s: position %d, %v", name, set.Events[0].Position, err)
			}
			if err := copied.Close(); err != nil {
				t.Fatal(err)
			}
			wantConsistent(t, target)
		}
	}
}

func TestCopyThatIsNotMade(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		prepare func(t *testing.T, path, target string)
		target  string // beside the storage
		replace bool
		want    error // nil: any
	}{
		"where a file is":     {t.Context(), func(t *testing.T, _, target string) { write(t, target, []byte("precious")) }, "copy.db", false, fs.ErrExist},
		"on the storage":      {t.Context(), func(*testing.T, string, string) {}, "storage.db", true, nil},
		"on a link to it":     {t.Context(), func(t *testing.T, path, target string) { link(t, path, target) }, "copy.db", true, nil},
		"on a directory":      {t.Context(), func(t *testing.T, _, target string) { mkdir(t, target) }, "copy.db", true, nil},
		"where nothing is":    {t.Context(), func(*testing.T, string, string) {}, "none/copy.db", false, fs.ErrNotExist},
		"when it is canceled": {canceled, func(t *testing.T, _, target string) { write(t, target, []byte("precious")) }, "copy.db", true, context.Canceled},
		"of damage": {t.Context(), func(t *testing.T, path, target string) {
			write(t, target, []byte("precious"))
			editBolt(t, path, func(tx *bolt.Tx) error {
				key, value := third(tx.Bucket([]byte("events")))
				return flip(tx.Bucket([]byte("events")), key, value)
			})
		}, "copy.db", true, store.ErrCorrupt},
	} {
		for copier, copyTo := range copying {
			t.Run(copier+" "+name, func(t *testing.T) {
				t.Parallel()
				path := storageFile(t, 1)
				target := filepath.Join(filepath.Dir(path), c.target)
				c.prepare(t, path, target)
				before, targetBefore := read(t, path), fileOrNil(target)
				db, err := boltstore.Open(path, boltstore.Options{ReadOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				_, err = copyTo(db, c.ctx, target, c.replace)
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if !bytes.Equal(before, read(t, path)) || !bytes.Equal(targetBefore, fileOrNil(target)) {
					t.Error("a file has changed")
				}
				wantNoFile(t, target+".partial")
			})
		}
	}
}

func TestCopyReplacesWhenAsked(t *testing.T) {
	t.Parallel()
	for name, copyTo := range copying {
		path := storageFile(t, 1)
		target := path + ".copy"
		write(t, target, []byte("of yesterday"))
		db := open(t, path)
		if _, err := copyTo(db, t.Context(), target, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantConsistent(t, target)
	}
}

// What was forgotten is in the file no longer, and the file is smaller.
func TestCompactLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 10)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	if owner == 0 { // root compacts what a service works on
		owner = 65532
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	set := page(rand.New(rand.NewPCG(1, 1)), 0)
	remains, err := encoding.EncodeSnapshot(&set.Snapshots[3])
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, path)
	for _, s := range append(set.Snapshots[4:], set.Snapshots[3]) { // what goes last is not overwritten
		if erased, err := db.Forget(t.Context(), 1003, event.Orders, s.ObjectID); err != nil || erased.Events != 1 {
			t.Fatalf("%+v, %v", erased, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(read(t, path), remains) {
		t.Fatal("Forget alone has removed the bytes: nothing is shown")
	}
	named := filepath.Join(t.TempDir(), "link.db")
	link(t, path, named)
	write(t, path+".compact", []byte("what an interrupted call left"))
	size := int64(len(read(t, path)))
	before, sum, err := boltstore.Compact(t.Context(), named)
	if err != nil || before != size || sum.Bytes >= before || sum.Events != 9*pageOrders+3 {
		t.Errorf("from %d bytes, which were %d, to %+v: %v", before, size, sum, err)
	}
	if bytes.Contains(read(t, path), remains) {
		t.Error("the remains are still there")
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 || info.Size() != sum.Bytes {
		t.Errorf("the file is %v, %v", info, err)
	}
	if is, ok := info.Sys().(*syscall.Stat_t); !ok || int(is.Uid) != owner {
		t.Errorf("the file belongs to %+v, want %d", is, owner)
	}
	if info, err := os.Lstat(named); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	wantNoFile(t, path+".compact")
	wantConsistent(t, path)
}

// Whatever keeps Compact from its end, the storage is as it was.
func TestCompactThatFails(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		prepare func(t *testing.T, path string) (undo func())
		want    error
	}{
		"canceled": {canceled, func(*testing.T, string) func() { return nil }, context.Canceled},
		"in use": {t.Context(), func(t *testing.T, path string) func() {
			db := open(t, path)
			return func() { _ = db.Close() }
		}, store.ErrLocked},
		"damaged": {t.Context(), func(t *testing.T, path string) func() {
			editBolt(t, path, func(tx *bolt.Tx) error {
				key, value := third(tx.Bucket([]byte("event_ids")))
				return remove(tx.Bucket([]byte("event_ids")), key, value)
			})
			return nil
		}, store.ErrCorrupt},
		"pages in ruins": {t.Context(), func(t *testing.T, path string) func() {
			data := read(t, path)
			clear(data[len(data)/8192/4*8192:])
			write(t, path, data)
			return nil
		}, store.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := storageFile(t, 3)
			undo := c.prepare(t, path)
			before := read(t, path)
			_, _, err := boltstore.Compact(c.ctx, path)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if undo != nil {
				undo()
			}
			if !bytes.Equal(before, read(t, path)) {
				t.Error("the storage has changed")
			}
			wantNoFile(t, path+".compact")
		})
	}
	if _, _, err := boltstore.Compact(t.Context(), filepath.Join(t.TempDir(), "none.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}

// A process that waits for the storage gets the new file.
func TestCompactUnderAWaitingProcess(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 3)
	db := open(t, path)
	compacted, opened := make(chan error, 1), make(chan *boltstore.DB, 1)
	go func() {
		// Both wait for the lock; whoever is second works on what the first left.
		waits, err := boltstore.Open(path, boltstore.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Error(err)
		}
		opened <- waits
	}()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _, err := boltstore.Compact(t.Context(), path)
		compacted <- err
	}()
	waiting := <-opened
	if err := <-compacted; err != nil && !errors.Is(err, store.ErrLocked) {
		t.Error(err)
	}
	if waiting == nil {
		return
	}
	if err := waiting.Commit(t.Context(), page(rand.New(rand.NewPCG(1, 1)), 3)); err != nil {
		t.Error(err)
	}
	if err := waiting.Close(); err != nil {
		t.Error(err)
	}
	again := open(t, path)
	defer again.Close()
	wantPages(t, again, 4)
}

func wantNoFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want no file", path, err)
	}
}

func fileOrNil(path string) []byte {
	data, _ := os.ReadFile(path)
	return data
}

func link(t *testing.T, path, target string) {
	t.Helper()
	if err := os.Symlink(path, target); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
