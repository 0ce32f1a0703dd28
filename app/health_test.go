package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// An ailing storage hangs or fails when it is told to.
type ailing struct {
	store.Backend
	hangs, full, deaf atomic.Bool
	// broken is what Pauses, Cursor and Commit, and Drop return; nil: nothing.
	broken atomic.Pointer[error]
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

func (a *ailing) brokenBy() error {
	if err := a.broken.Load(); err != nil {
		return *err
	}
	return nil
}

func (a *ailing) Pauses(ctx context.Context) ([]event.Pause, error) {
	if err := a.brokenBy(); err != nil {
		return nil, err
	}
	return a.Backend.Pauses(ctx)
}

func (a *ailing) Cursor(ctx context.Context, storeID int64, resource string) (event.Cursor, error) {
	if err := a.brokenBy(); err != nil {
		return event.Cursor{}, err
	}
	return a.Backend.Cursor(ctx, storeID, resource)
}

func (a *ailing) Drop(ctx context.Context, callback string, state event.DeliveryState, limit int) (int, error) {
	if err := a.brokenBy(); err != nil {
		return 0, err
	}
	return a.Backend.Drop(ctx, callback, state, limit)
}

func (a *ailing) Commit(ctx context.Context, set *event.ChangeSet) error {
	if err := a.brokenBy(); err != nil {
		return err
	}
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

// What does not run does not keep who asks waiting.
func TestPingOfWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	a := newSite(t).open(t, zap.NewNop())
	ping := func(when string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := a.Ping(ctx); !errors.Is(err, errStopped) {
			t.Errorf("%s: %v", when, err)
		}
	}
	ping("before it runs")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	eventually(t, "it runs", func() bool { return a.Ping(ctx) == nil })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	ping("after it ran")
	status, err := a.Service().Status(t.Context())
	if err != nil || status.Running || a.Ready() == nil {
		t.Errorf("after it ran: %+v, ready: %v, %v", status, a.Ready(), err)
	}
}

// Either scheduler that does not answer is noticed.
func TestPingAsksThePollerToo(t *testing.T) {
	t.Parallel()
	_, a, _ := runAiling(t)
	if err := a.ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	idle, err := a.build(a.current.Load().config)
	if err != nil {
		t.Fatal(err)
	}
	running := a.current.Load()
	mixed := &parts{poller: idle.poller, dispatcher: running.dispatcher}
	mixed.polling.Store(running.polling.Load())
	a.current.Store(mixed)
	defer a.current.Store(running)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.ask(ctx); err == nil || !strings.Contains(err.Error(), "scheduler of the polls") {
		t.Errorf("the poller does not answer: %v", err)
	}
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

// What fails is remembered until it is known to work again, and nobody need write or read
// anything for that.
func TestAFailureEndsWithAProbe(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	commit := func(w *watched) error {
		return w.Commit(ctx, &event.ChangeSet{Cursor: event.Cursor{StoreID: 7, Resource: event.Orders, ReadTo: time.Unix(1, 0)}})
	}
	read := func(w *watched) error { _, err := w.Cursor(ctx, 7, event.Orders); return err }
	for name, c := range map[string]struct {
		err                   error
		do                    func(*watched) error
		fails, endsWithAProbe bool
	}{
		"a write":                       {syscall.EIO, commit, true, true},
		"a read":                        {syscall.EIO, read, true, true},
		"a write without room":          {syscall.ENOSPC, commit, true, false},
		"a conflict":                    {fmt.Errorf("store 7: %w", store.ErrConflict), commit, false, false},
		"what is not there":             {event.ErrNotFound, read, false, false},
		"one record that is damaged":    {store.ErrCorrupt, read, false, false},
		"a page that cannot be written": {store.ErrCorrupt, commit, true, true},
		"who asked has gone":            {context.Canceled, read, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sick := &ailing{Backend: newSite(t).open(t, zap.NewNop()).storage.Backend}
			w := &watched{Backend: sick}
			sick.broken.Store(&c.err)
			if err := c.do(w); !errors.Is(err, c.err) {
				t.Fatalf("got %v", err)
			}
			if err := w.failure(); (err != nil) != c.fails || c.fails && !errors.Is(err, c.err) {
				t.Errorf("it fails: %v", err)
			}
			if w.probe(ctx); (w.failure() != nil) != c.fails {
				t.Errorf("probed while it fails: %v", w.failure())
			}
			sick.broken.Store(nil)
			if w.probe(ctx); (w.failure() == nil) != (c.endsWithAProbe || !c.fails) {
				t.Errorf("probed when it works again: %v", w.failure())
			}
			if err := c.do(w); err != nil || w.failure() != nil {
				t.Errorf("once it has worked: %v, %v", err, w.failure())
			}
		})
	}
}

// A storage that lives again is found out while the App runs.
func TestAFailingStorageIsProbed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sick := new(ailing)
		w, failed := &watched{Backend: sick}, error(syscall.EIO)
		sick.broken.Store(&failed)
		if _, err := w.Pauses(t.Context()); err == nil {
			t.Fatal("it does not fail")
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.run(ctx); close(ended) }()
		time.Sleep(probeEvery + 1)
		synctest.Wait()
		if w.failure() == nil {
			t.Error("it fails, and seems to work")
		}
		sick.Backend = calm{}
		sick.broken.Store(nil)
		time.Sleep(probeEvery)
		synctest.Wait()
		if err := w.failure(); err != nil {
			t.Errorf("it works again: %v", err)
		}
		stop()
		<-ended
	})
}

// The App finds out by itself, though it neither writes nor reads anything for long.
func TestAnAppThatIsIdleGetsReadyAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Stores[0].Schedule = "1h"
	a, _ := s.runAiling(t)
	eventually(t, "the first poll has ended", func() bool {
		state, err := a.current.Load().poller.State(1003)
		return err == nil && !state.Success.IsZero()
	})
	failed := error(syscall.EIO)
	a.storage.writing.Store(&failed)
	if a.Ready() == nil {
		t.Error("ready while the storage fails")
	}
	eventually(t, "it is ready again", func() bool { return a.Ready() == nil })
}

// A calm storage holds nothing.
type calm struct{ store.Backend }

func (calm) Pauses(context.Context) ([]event.Pause, error) { return nil, nil }

// Results that cannot be recorded keep the App from being ready, too.
func TestNotReadyWhileNothingCanBeRecorded(t *testing.T) {
	t.Parallel()
	s, a, storage := runAiling(t)
	storage.deaf.Store(true)
	s.shop.Place()
	eventually(t, "it is not ready", func() bool { return errors.Is(a.Ready(), syscall.ENOSPC) })
	storage.deaf.Store(false)
	eventually(t, "it is ready again", func() bool { return a.Ready() == nil })
}
