package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// fetchFrom is what Receive fetches where both are in one process.
func fetchFrom(db *boltstore.DB) func(context.Context, io.Writer) error {
	return func(ctx context.Context, to io.Writer) error {
		return db.Stream(ctx, func(int64) io.Writer { return to })
	}
}

// writer is a function that writes.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A copy that is made while others write holds one state, whole.
func TestStreamWhileOthersWrite(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 2)
	db := open(t, path)
	defer db.Close()
	r := rand.New(rand.NewPCG(7, 7))
	var committed sync.WaitGroup
	pages := 2
	fetch := func(ctx context.Context, to io.Writer) error {
		told, written := int64(0), int64(0)
		err := db.Stream(ctx, func(size int64) io.Writer {
			told = size
			return writer(func(p []byte) (int, error) {
				if written == 0 { // the state is that of before
					committed.Go(func() {
						if err := db.Commit(t.Context(), page(r, pages)); err != nil {
							t.Error(err)
						}
					})
				}
				written += int64(len(p))
				return to.Write(p)
			})
		})
		if told != written {
			t.Errorf("%d bytes of %d were written", written, told)
		}
		return err
	}
	target := filepath.Join(t.TempDir(), "copy.db")
	for i := range 3 {
		sum, err := boltstore.Receive(t.Context(), path, target, i > 0, fetch)
		if err != nil || sum.Events != (i+2)*pageOrders || sum.Faults != 0 {
			t.Fatalf("copy %d: %d events, %v", i, sum.Events, err)
		}
		copied := open(t, target)
		wantPages(t, copied, i+2)
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		committed.Wait()
		pages++
	}
}

func TestOneStreamAtATime(t *testing.T) {
	t.Parallel()
	db := open(t, storageFile(t, 1))
	defer db.Close()
	var second error
	err := db.Stream(t.Context(), func(int64) io.Writer {
		second = db.Stream(t.Context(), func(int64) io.Writer { return io.Discard })
		return io.Discard
	})
	if err != nil || !errors.Is(second, boltstore.ErrCopying) {
		t.Errorf("first %v, second %v", err, second)
	}
	if err := db.Stream(t.Context(), func(int64) io.Writer { return io.Discard }); err != nil {
		t.Errorf("a later one: %v", err)
	}
}

// A write that must have more of the file mapped waits for nobody for ever: the copy
// ends, and the write goes through.
func TestAWriteThatWaitsEndsTheStream(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "storage.db"))
	defer db.Close()
	r := rand.New(rand.NewPCG(7, 7))
	written := make(chan error, 1)
	began, once := time.Now(), false
	err := db.Stream(t.Context(), func(int64) io.Writer {
		return writer(func(p []byte) (int, error) {
			if once {
				time.Sleep(10 * time.Millisecond) // a client that is slow
				return len(p), nil
			}
			once = true
			go func() {
				var err error
				for n := 0; n < 40 && err == nil; n++ { // beyond what a new file has mapped
					err = db.Commit(t.Context(), page(r, n))
				}
				written <- err
			}()
			for {
				select {
				case err := <-written:
					written <- err
					return 0, errors.New("all is written, and nothing waited")
				case <-time.After(10 * time.Millisecond):
				}
				if time.Since(began) > 6*time.Second {
					return len(p), nil
				}
			}
		})
	})
	if err == nil || !errors.Is(err, boltstore.ErrHeld) {
		t.Errorf("the copy ends with: %v", err)
	}
	if err := <-written; err != nil {
		t.Errorf("the write ends with: %v", err)
	}
}

func TestReceiveMakesNoBackupOfLess(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 2)
	db := open(t, path)
	var buffer bytes.Buffer
	if err := errors.Join(fetchFrom(db)(t.Context(), &buffer), db.Close()); err != nil {
		t.Fatal(err)
	}
	whole := buffer.Bytes()
	broken := errors.New("the connection broke")
	for name, c := range map[string]struct {
		target string
		fetch  func(context.Context, io.Writer) error
		want   error // nil: any
	}{
		"a transfer that breaks off": {"copy.db", func(_ context.Context, to io.Writer) error {
			_, err := to.Write(whole[:len(whole)/2])
			return errors.Join(err, broken)
		}, broken},
		"a transfer that is short and says nothing": {"copy.db", func(_ context.Context, to io.Writer) error {
			_, err := to.Write(whole[:len(whole)-8192])
			return err
		}, store.ErrCorrupt},
		"something else": {"copy.db", func(_ context.Context, to io.Writer) error {
			_, err := io.WriteString(to, "<html>a proxy's page</html>")
			return err
		}, store.ErrForeign},
		"damage": {"copy.db", func(_ context.Context, to io.Writer) error {
			_, err := to.Write(bytes.ReplaceAll(whole, []byte("\x07default"), []byte("\x07defaulT")))
			return err
		}, store.ErrCorrupt},
		"the storage's own place": {"storage.db", fetchNothing, nil},
		"no directory":            {"none/copy.db", fetchNothing, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			own, target := filepath.Join(dir, "storage.db"), filepath.Join(dir, c.target)
			write(t, own, whole)
			_, err := boltstore.Receive(t.Context(), own, target, true, c.fetch)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			files, err := os.ReadDir(dir)
			if err != nil || len(files) != 1 || !bytes.Equal(whole, read(t, own)) {
				t.Errorf("%v is there, %v", files, err)
			}
		})
	}
}

func fetchNothing(context.Context, io.Writer) error { return errors.New("it must not be asked") }

func TestCheckReceived(t *testing.T) {
	t.Parallel()
	path := storageFile(t, 2)
	db := open(t, path)
	defer db.Close()
	place := path + ".check"
	write(t, place, []byte("what an interrupted check left"))
	sum, err := boltstore.CheckReceived(t.Context(), place, fetchFrom(db), func(fault string) { t.Error(fault) }, nil)
	if err != nil || sum.Events != 2*pageOrders {
		t.Errorf("%+v, %v", sum, err)
	}
	wantNoFile(t, place)
	damaged := bytes.ReplaceAll(read(t, path), []byte("\x07default"), []byte("\x07defaulT"))
	told := 0
	sum, err = boltstore.CheckReceived(t.Context(), place, func(_ context.Context, to io.Writer) error {
		_, err := to.Write(damaged)
		return err
	}, func(string) { told++ }, nil)
	if err != nil || told == 0 || sum.Faults != told {
		t.Errorf("of damage: %d faults told, %+v, %v", told, sum, err)
	}
	wantNoFile(t, place)
	_, err = boltstore.CheckReceived(t.Context(), place, func(context.Context, io.Writer) error { return fmt.Errorf("reading: %w", io.ErrUnexpectedEOF) }, nil, nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of a transfer that breaks off: %v", err)
	}
	wantNoFile(t, place)
}
