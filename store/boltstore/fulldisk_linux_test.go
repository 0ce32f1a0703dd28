package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// limitTest makes a child of TestFullDisk lower its own limit: it holds for a
// whole process.
const limitTest = "BOLTSTORE_LIMIT_TEST"

func TestFullDisk(t *testing.T) {
	t.Run("no room in the file system", func(t *testing.T) {
		directory := t.TempDir()
		mount := func(flags uintptr, size string) error {
			return syscall.Mount("tmpfs", directory, "tmpfs", flags, "size="+size)
		}
		if err := mount(0, "1m"); err != nil {
			skip(t, "mounting a small file system needs root: "+err.Error())
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(directory, 0); err != nil {
				t.Error(err)
			}
		})
		fillUp(t, directory, syscall.ENOSPC, func() error { return mount(syscall.MS_REMOUNT, "8m") })
	})
	t.Run("no room for a larger file", func(t *testing.T) {
		if os.Getenv(limitTest) == "" {
			child := testBinary(t, "-test.run=^"+t.Name()+"$", "-test.v")
			child.Env = append(os.Environ(), limitTest+"=1")
			if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
				t.Fatalf("%v\n%s", err, out)
			}
			return
		}
		signal.Ignore(syscall.SIGXFSZ)
		limit := func(size uint64) error {
			var now syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
				return err
			}
			now.Cur = size
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now)
		}
		if err := limit(1 << 20); err != nil {
			t.Fatal(err)
		}
		fillUp(t, t.TempDir(), nil, func() error { return limit(8 << 20) })
	})
}

// A copy that finds no room leaves nothing, and the storage as it was.
func TestFullDiskWhileCopying(t *testing.T) {
	t.Parallel()
	directory, before := t.TempDir(), read(t, storageFile(t, 20))
	size := fmt.Sprintf("size=%d", len(before)+256<<10)
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, size); err != nil {
		skip(t, "mounting a small file system needs root: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(directory, "storage.db")
	write(t, path, before)
	if _, _, err := boltstore.Compact(t.Context(), path); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Compact: %v, want %v", err, syscall.ENOSPC)
	}
	db := open(t, path)
	for name, copyTo := range copying {
		if _, err := copyTo(db, t.Context(), path+".copy", false); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v, want %v", name, err, syscall.ENOSPC)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("the storage has changed")
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Errorf("%v is left, %v; want the storage alone", files, err)
	}
}

// fillUp commits until there is no room, and again when more room was made.
func fillUp(t *testing.T, directory string, want error, makeRoom func() error) {
	path, random := filepath.Join(directory, "storage.db"), rand.New(rand.NewPCG(1, 1))
	db := open(t, path)
	var err error
	pages := 0
	for ; err == nil; pages++ {
		err = db.Commit(t.Context(), page(random, pages))
	}
	if want != nil && !errors.Is(err, want) || pages < 3 || pages > 100 {
		t.Fatalf("after %d pages of orders: %v, want %v", pages, err, want)
	}
	t.Logf("page %d: %v", pages, err)
	whole := pages - 1
	wantPages(t, db, whole)
	if err := db.Commit(t.Context(), page(random, whole)); err == nil {
		t.Error("Commit found room where there was none")
	}
	if err := makeRoom(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := db.Commit(t.Context(), page(random, whole)); err != nil {
			t.Fatalf("Commit when there was room again: %v", err)
		}
		whole++
	}
	wantPages(t, db, whole)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	wantPages(t, db, whole)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
