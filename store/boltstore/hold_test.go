package boltstore

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// A write that began before a copy would wait for it as long as it takes, for only later
// ones know of it.
func TestCopyWaitsForTheWriteUnderWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "storage.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		db.writer <- struct{}{}
		begun, ended := false, make(chan error, 1)
		var copied bytes.Buffer
		go func() {
			ended <- db.Stream(t.Context(), func(int64) io.Writer {
				begun = true
				return &copied
			})
		}()
		synctest.Wait()
		if begun {
			t.Error("the copy has begun")
		}
		<-db.writer
		if err := errors.Join(<-ended, db.Close()); err != nil || copied.Len() == 0 {
			t.Errorf("%d bytes were copied, %v", copied.Len(), err)
		}
	})
}

// The error of the first write is one that bbolt does not wrap.
func TestCopyTellsWhyItsWriterFailed(t *testing.T) {
	t.Parallel()
	db, err := Open(filepath.Join(t.TempDir(), "storage.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	broken, to := io.Pipe()
	_ = broken.CloseWithError(full)
	if err := db.Stream(t.Context(), func(int64) io.Writer { return to }); !errors.Is(err, full) {
		t.Errorf("got %v, want that of the writer", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// Two copies at the same place would take each other's file for their own.
func TestOneCopyAtATimeInADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	err := exclusively(first, func() error {
		return exclusively(second, func() error { return errors.New("it was called") })
	})
	if !errors.Is(err, errBusy) {
		t.Errorf("got %v, want that another one is under way", err)
	}
	if err := exclusively(second, func() error { return nil }); err != nil {
		t.Errorf("after the first: %v", err)
	}
}
