package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A service is control.Service on an App: its storage, and its parts while they run.
type service struct{ *App }

// Service returns what a person or a program can see of the App and have it do. It
// works also while the App does not run, on what is stored.
func (a *App) Service() control.Service { return service{a} }

func (s service) parts() *parts { return s.current.Load() }

// startedAt is zero while the App does not run.
func (s service) startedAt() time.Time {
	if started := s.started.Load(); started != nil {
		return *started
	}
	return time.Time{}
}

// Status implements control.Service.
func (s service) Status(ctx context.Context) (control.Status, error) {
	status := control.Status{Version: s.options.Version}
	if started := s.startedAt(); !started.IsZero() {
		status.Running, status.StartedAt = true, &started
	}
	stores, err := s.Stores(ctx)
	if err != nil {
		return control.Status{}, err
	}
	callbacks, err := s.Callbacks(ctx)
	if err != nil {
		return control.Status{}, err
	}
	status.Callbacks = callbacks
	status.Stores.Total = len(stores)
	for i := range stores {
		count(&status.Stores, &stores[i])
	}
	status.Attention, status.AttentionMore, err = s.attention(ctx, stores, callbacks)
	return status, err
}

func count(counts *control.StoreCounts, s *control.Store) {
	switch {
	case s.Paused != "":
		counts.Paused++
	case s.Suspended != "":
		counts.Suspended++
	case s.LastPoll != nil && s.LastPoll.Error != "":
		counts.Failing++
	}
	if s.Snapshot != nil && !s.Snapshot.Done {
		counts.Learning++
	}
}

// store returns the configuration of a store.
func (p *parts) store(id int64) (*config.Store, error) {
	if s := p.byID[id]; s != nil {
		return s, nil
	}
	return nil, noStore(id)
}

// checkStore refuses the id of a store that is neither configured nor was ever polled; 0
// stands for all stores.
func (s service) checkStore(ctx context.Context, id int64) error {
	if id == 0 || s.parts().byID[id] != nil {
		return nil
	}
	cursor, err := s.storage.Cursor(ctx, id, event.Orders)
	switch {
	case err != nil:
		return fmt.Errorf("reading the cursor of store %d: %w", id, err)
	case cursor.ReadTo.IsZero() && cursor.Sequence == 0:
		return noStore(id)
	}
	return nil
}

func noStore(id int64) error {
	return fmt.Errorf("%w: there is no store %d: ecwid-events stores list, or GET /api/v1/stores, tells which there are", event.ErrNotFound, id)
}

// pauses returns the stored pauses of stores and of callbacks.
func (s service) pauses(ctx context.Context) (stores map[int64]event.Pause, callbacks map[string]event.Pause, err error) {
	all, err := s.storage.Pauses(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading what is paused: %w", err)
	}
	stores, callbacks = make(map[int64]event.Pause), make(map[string]event.Pause)
	for _, p := range all {
		if p.Callback != "" {
			callbacks[p.Callback] = p
		} else {
			stores[p.StoreID] = p
		}
	}
	return stores, callbacks, nil
}

// errNotRunning is returned for what only a daemon can do.
var errNotRunning = fmt.Errorf("%w: no daemon runs: start one, or use ecwid-events once", control.ErrConflict)

// known is nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// invalid makes an error of the words that say what to change.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", control.ErrInvalid, fmt.Sprintf(format, args...))
}

func isNotFound(err error) bool { return errors.Is(err, event.ErrNotFound) }
