package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ecwid-events/ecwid-events/store"
)

var _ store.Backend = (*DB)(nil)

// errClosed is what a call after Close returns.
var errClosed = fmt.Errorf("storage: %w", fs.ErrClosed)

// A DB is an open storage file. It implements store.Backend.
type DB struct {
	bolt *bolt.DB
	file *os.File // the one that bolt works on

	// writer is held by the one writer. It stands before bbolt's own lock, so
	// that waiting for it can be given up.
	writer chan struct{}
	// broken is why nothing can be written any more: bbolt panicked in the middle
	// of a write and then again while it rolled back, and holds its own lock.
	broken atomic.Pointer[error]
	// copying ends the Stream that is under way; nil: none is.
	copying atomic.Pointer[context.CancelCauseFunc]

	resident *residency
}

// Close releases the file. It waits for calls that are under way; later ones
// fail with an error that is fs.ErrClosed.
func (d *DB) Close() error {
	d.writer <- struct{}{}
	defer func() { <-d.writer }()
	defer d.resident.close()
	if d.broken.Load() != nil {
		// bbolt would wait for its own lock for ever, and keeps the file mapped.
		if err := release(d.file); err != nil {
			return fmt.Errorf("closing damaged storage: %w", err)
		}
		return nil
	}
	if err := d.bolt.Close(); err != nil {
		return fmt.Errorf("closing storage: %w", err)
	}
	return nil
}

// view runs read in a transaction that sees one state of the storage.
func (d *DB) view(ctx context.Context, read func(*bolt.Tx) error) error {
	return d.glance(ctx, func(tx *bolt.Tx) (int, error) { return residentStep, read(tx) })
}

// glance is view for read that returns the size of the one record that it read: it
// need not look after the process's memory each time.
func (d *DB) glance(ctx context.Context, read func(*bolt.Tx) (size int, err error)) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	size := 0
	defer func() { d.resident.read(d.bolt, size) }()
	defer guard(&err)()
	return translate(d.bolt.View(func(tx *bolt.Tx) (err error) {
		size, err = read(tx)
		return err
	}))
}

// update runs write in the one write transaction, and makes what it wrote
// durable. An error of write, or a full disk, leaves the storage as it was.
func (d *DB) update(ctx context.Context, write func(*bolt.Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.writer }()
	if broken := d.broken.Load(); broken != nil {
		return *broken
	}
	defer d.resident.read(d.bolt, residentStep)
	defer d.endCopyThatHolds()()
	var held *bolt.Tx
	defer func() {
		if held != nil && held.DB() != nil {
			broken := fmt.Errorf("%w; nothing can be written until the storage is opened again", err)
			d.broken.Store(&broken)
		}
	}()
	defer guard(&err)()
	return translate(d.bolt.Update(func(tx *bolt.Tx) error {
		held = tx
		return write(tx)
	}))
}

// guard turns a panic into store.ErrCorrupt. Pages carry no checksum: on a damaged
// one bbolt runs into an assertion, a wild index or an address outside of the
// file.
//
//	defer guard(&err)()
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if cause := recover(); cause != nil {
			*err = fmt.Errorf("%w: %v", store.ErrCorrupt, cause)
		}
	}
}

// translate gives bbolt's errors the words of the contract.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return errClosed
	case errors.Is(err, bolterrors.ErrDatabaseReadOnly):
		return errors.New("storage is open for reading only")
	}
	return err
}
