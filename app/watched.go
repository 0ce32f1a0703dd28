package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// A watched storage remembers whether the last write failed, and whether the last read
// did: of what polling and delivering live on.
type watched struct {
	store.Backend
	writing, reading atomic.Pointer[error]
}

// probeEvery is how often a storage that fails is tried again.
const probeEvery = 10 * time.Second

func (w *watched) failure() error {
	for _, failed := range []*atomic.Pointer[error]{&w.writing, &w.reading} {
		if err := failed.Load(); err != nil {
			return fmt.Errorf("the storage fails: %w", *err)
		}
	}
	return nil
}

// run tries a storage that fails, until ctx ends: it may be a while until something is
// read or written again.
func (w *watched) run(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.probe(ctx)
		}
	}
}

// probe reads and writes what changes nothing. On a full disk that would still work, so
// what has failed there for want of room must succeed itself: it is tried again with the
// next poll.
func (w *watched) probe(ctx context.Context) {
	if w.reading.Load() != nil {
		_, _ = w.Pauses(ctx) // noted
	}
	if failed := w.writing.Load(); failed != nil && !errors.Is(*failed, syscall.ENOSPC) {
		_, err := w.Drop(ctx, "", event.Dead, 1) // no callback has this name
		_ = note(&w.writing, err)
	}
}

// note passes on what a call came to. What the caller is to blame for says nothing
// about the storage, and one damaged record nothing about the others.
func note(failed *atomic.Pointer[error], err error) error {
	switch {
	case err == nil:
		failed.Store(nil)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, store.ErrConflict), errors.Is(err, event.ErrNotFound):
	default:
		failed.Store(&err)
	}
	return err
}

// noteRead is note for a read.
func (w *watched) noteRead(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return err // one record; the others can be read
	}
	return note(&w.reading, err)
}

// Commit implements store.Backend.
func (w *watched) Commit(ctx context.Context, set *event.ChangeSet) error {
	return note(&w.writing, w.Backend.Commit(ctx, set))
}

// Record implements store.Backend.
func (w *watched) Record(ctx context.Context, results []event.Result) error {
	err := w.Backend.Record(ctx, results)
	if len(results) == 0 {
		return err // nothing was written
	}
	return note(&w.writing, err)
}

// Cursor implements store.Backend.
func (w *watched) Cursor(ctx context.Context, storeID int64, resource string) (event.Cursor, error) {
	c, err := w.Backend.Cursor(ctx, storeID, resource)
	return c, w.noteRead(err)
}

// SnapshotsByID implements store.Backend.
func (w *watched) SnapshotsByID(ctx context.Context, storeID int64, resource string, ids []string) (map[string]event.Snapshot, error) {
	found, err := w.Backend.SnapshotsByID(ctx, storeID, resource, ids)
	return found, w.noteRead(err)
}

// PendingStores implements store.Backend.
func (w *watched) PendingStores(ctx context.Context, callback string) (map[int64]time.Time, error) {
	stores, err := w.Backend.PendingStores(ctx, callback)
	return stores, w.noteRead(err)
}

// Due implements store.Backend.
func (w *watched) Due(ctx context.Context, q event.DueQuery) ([]event.Delivery, time.Time, error) {
	due, next, err := w.Backend.Due(ctx, q)
	return due, next, w.noteRead(err)
}

// EventAt implements store.Backend.
func (w *watched) EventAt(ctx context.Context, position uint64) (event.Event, error) {
	e, err := w.Backend.EventAt(ctx, position)
	return e, w.noteRead(err)
}

// Pauses implements store.Backend.
func (w *watched) Pauses(ctx context.Context) ([]event.Pause, error) {
	pauses, err := w.Backend.Pauses(ctx)
	return pauses, w.noteRead(err)
}
