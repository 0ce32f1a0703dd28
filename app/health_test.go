package app

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// An ailing storage hangs or fails when it is told to.
type ailing struct {
	store.Backend
	hangs, full, deaf atomic.Bool
	// afterMove is told of each step of a move; nil: nobody is.
	afterMove func()
}

func (a *ailing) Record(ctx context.Context, results []event.Result) error {
	if a.deaf.Load() {
		return syscall.ENOSPC
	}
	return a.Backend.Record(ctx, results)
}

// Move takes one delivery a step, as if there were more than a step holds.
func (a *ailing) Move(ctx context.Context, from, to string, limit int) (int, error) {
	n, err := a.Backend.Move(ctx, from, to, 1)
	if a.afterMove != nil {
		a.afterMove()
	}
	return n * limit, err
}

func (a *ailing) Due(ctx context.Context, q event.DueQuery) ([]event.Delivery, time.Time, error) {
	if a.hangs.Load() {
		<-ctx.Done()
		return nil, time.Time{}, ctx.Err()
	}
	return a.Backend.Due(ctx, q)
}

func (a *ailing) Commit(ctx context.Context, set *event.ChangeSet) error {
	if a.full.Load() {
		return syscall.ENOSPC
	}
	return a.Backend.Commit(ctx, set)
}

func runAiling(t *testing.T) (*site, *App, *ailing) {
	t.Helper()
	s := newSite(t)
	a, storage := s.runAiling(t)
	return s, a, storage
}

func (s *site) runAiling(t *testing.T) (*App, *ailing) {
	t.Helper()
	storage := new(ailing)
	a, err := New(s.config, Options{Logger: zap.NewNop(), WrapStorage: func(b store.Backend) store.Backend {
		storage.Backend = b
		return storage
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Ready(); err == nil {
		t.Error("ready before it runs")
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the first snapshot is taken", func() bool {
		state, err := a.current.Load().poller.State(1003)
		return err == nil && state.Cursor.Sweep.Done
	})
	return a, storage
}

func TestPingNamesWhatHangs(t *testing.T) {
	t.Parallel()
	s, a, storage := runAiling(t)
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return a.Ping(ctx)
	}
	if err := ping(); err != nil {
		t.Errorf("all is well: %v", err)
	}
	storage.hangs.Store(true)
	s.shop.Place() // makes the dispatcher ask for what is due
	eventually(t, "the ping is not answered", func() bool {
		err := ping()
		return err != nil && strings.Contains(err.Error(), "callback default")
	})
}

func TestNotReadyWhileTheStorageFails(t *testing.T) {
	t.Parallel()
	s, a, storage := runAiling(t)
	if err := a.Ready(); err != nil {
		t.Errorf("all is well: %v", err)
	}
	storage.full.Store(true)
	s.shop.Place()
	eventually(t, "it is not ready, and says why", func() bool {
		err := a.Ready()
		return errors.Is(err, syscall.ENOSPC) && strings.Contains(err.Error(), "storage")
	})
	storage.full.Store(false)
	eventually(t, "it is ready again", func() bool { return a.Ready() == nil })
	s.accepted(t, 1)
}
