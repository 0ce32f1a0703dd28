package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// Ready tells why the App cannot do its work now; nil when it can: it runs, and the
// storage took what was last written to it.
func (a *App) Ready() error {
	if a.started.Load() == nil {
		return errors.New("starting or stopping")
	}
	return a.storage.failure()
}

// Ping returns when the scheduler of the polls and that of the deliveries have
// answered. They answer at once, whatever polls and POSTs do, unless they hang; then
// it returns ctx's error, and says which.
func (a *App) Ping(ctx context.Context) error {
	p := a.current.Load()
	if err := p.poller.Ping(ctx); err != nil {
		return err
	}
	return p.dispatcher.Ping(ctx)
}

// A watched storage remembers whether the last write failed.
type watched struct {
	store.Backend
	failed atomic.Pointer[error]
}

func (w *watched) failure() error {
	if err := w.failed.Load(); err != nil {
		return fmt.Errorf("the storage fails: %w", *err)
	}
	return nil
}

// note passes on what a write came to. What the caller is to blame for says nothing
// about the storage.
func (w *watched) note(err error) error {
	switch {
	case err == nil:
		w.failed.Store(nil)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, store.ErrConflict), errors.Is(err, event.ErrNotFound):
	default:
		w.failed.Store(&err)
	}
	return err
}

// Commit implements store.Backend.
func (w *watched) Commit(ctx context.Context, set *event.ChangeSet) error {
	return w.note(w.Backend.Commit(ctx, set))
}

// Record implements store.Backend.
func (w *watched) Record(ctx context.Context, results []event.Result) error {
	return w.note(w.Backend.Record(ctx, results))
}
