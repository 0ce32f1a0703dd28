package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ErrCopying is returned by Stream while another one is under way.
var ErrCopying = errors.New("a copy of the storage is being made")

// longestHold is how long a write waits for a copy.
const longestHold = 5 * time.Second

// ErrHeld is why Stream has ended for the sake of a write.
var ErrHeld = errors.New("the storage had to grow, which waits for the copy, and the copy took too long: make it again")

// Stream writes a copy of one state of the storage, as its file is, to the writer that
// to returns when it is told the size in bytes. Writes go on meanwhile. There is one
// Stream at a time: a second one returns ErrCopying.
//
// The file grows by what is written until a copy ends, for no room is used again that
// the copy may still read. And bbolt lets go of its mapping of the file, which a
// growing file needs from time to time, only when nobody reads: a write that has
// waited for that for 5 seconds ends the copy. So the writer should not wait for long.
func (d *DB) Stream(ctx context.Context, to func(size int64) io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !d.copying.CompareAndSwap(nil, &cancel) {
		return ErrCopying
	}
	defer d.copying.Store(nil)
	// A write that began before does not know that it may have to end the copy.
	select {
	case d.writer <- struct{}{}:
		<-d.writer
	case <-ctx.Done():
		return fmt.Errorf("copying the storage: %w", context.Cause(ctx))
	}
	var failed error
	err := d.view(ctx, func(tx *bolt.Tx) error {
		w := interruptible{ctx: ctx, to: to(tx.Size())}
		_, err := tx.WriteTo(&w)
		failed = w.failed
		return err
	})
	if failed != nil {
		err = failed // bbolt does not wrap the error of every write
	}
	if err != nil {
		return fmt.Errorf("copying the storage: %w", err)
	}
	return nil
}

// endCopyThatHolds ends the copy that is under way, if there is one and the write that
// begins does not end before: see Stream. The write calls what it returns at its end.
func (d *DB) endCopyThatHolds() (done func()) {
	cancel := d.copying.Load()
	if cancel == nil {
		return func() {}
	}
	timer := time.AfterFunc(longestHold, func() { (*cancel)(ErrHeld) })
	return func() { timer.Stop() }
}

// An interruptible writer stops with its context, and remembers why it failed.
type interruptible struct {
	ctx    context.Context
	to     io.Writer
	failed error
}

func (w *interruptible) Write(p []byte) (n int, err error) {
	if w.ctx.Err() != nil {
		w.failed = context.Cause(w.ctx)
		return 0, w.failed
	}
	n, w.failed = w.to.Write(p)
	return n, w.failed
}
