package app

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// What a person wants of a store while a reload waits for a POST holds for the new parts.
func TestStoresAreSteeredDuringAReload(t *testing.T) {
	t.Parallel()
	for name, resume := range map[string]bool{"a pause": false, "a resumption": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			release := make(chan struct{})
			s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
				<-release
				return notifytest.Step{}
			}
			d := s.start(t)
			d.learned(t)
			s.shop.Place()
			old := d.app.current.Load()
			eventually(t, "a POST is under way", func() bool { return old.dispatcher.States()[0].UnderWay == 1 })
			if resume {
				d.must(t, d.PauseStore(t.Context(), 1003))
			}
			next, reloaded := *s.config, make(chan error, 1)
			go func() { reloaded <- d.app.Reload(t.Context(), &next) }()
			// The old parts have begun to stop when their scheduler answers no more.
			eventually(t, "the reload is under way", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				return old.poller.Ping(ctx) != nil
			})
			if resume {
				d.must(t, d.ResumeStore(t.Context(), 1003))
			} else {
				d.must(t, d.PauseStore(t.Context(), 1003))
			}
			if d.app.current.Load() != old {
				t.Fatal("the new parts are in place while a POST of the old ones is under way")
			}
			close(release)
			d.must(t, <-reloaded)
			if d.app.current.Load() == old {
				t.Error("the reload has ended, and the old parts are in place")
			}
			store, err := d.Store(t.Context(), 1003)
			d.must(t, err)
			state, err := d.app.current.Load().poller.State(1003)
			d.must(t, err)
			if state.Paused == resume || (store.Paused != "") == resume {
				t.Errorf("paused for the poller: %t, for the API: %q", state.Paused, store.Paused)
			}
		})
	}
}

// What cannot be recorded when a reload comes does not end the program: it is sent again.
func TestReloadWhileNothingCanBeRecorded(t *testing.T) {
	t.Parallel()
	s, a, storage := runAiling(t)
	storage.deaf.Store(true)
	s.shop.Place()
	s.accepted(t, 1)
	next := *s.config
	if err := a.Reload(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	storage.deaf.Store(false)
	eventually(t, "the delivery is recorded", func() bool {
		left, err := a.backlog(t.Context())
		return err == nil && left.Pending == 0
	})
}

// What was moved before a move broke off is sent at once, not with the next event.
func TestAMoveThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Stores[0].Schedule = "1h"
	var up atomic.Bool
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		if up.Load() {
			return notifytest.Step{}
		}
		return notifytest.Step{Status: http.StatusInternalServerError}
	}
	d := s.start(t)
	d.learned(t)
	for range 3 {
		s.shop.Place()
	}
	d.must(t, d.PollStore(t.Context(), 1003))
	eventually(t, "three events wait", func() bool { return d.callback(t, "default").Pending == 3 })
	d.stop()

	s.config.Callbacks[0].Name = "crm"
	s.config.Admin.Listen = ""
	a, storage := s.runAiling(t)
	up.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	steps := 0
	storage.afterMove = func() {
		if steps++; steps == 2 {
			leave()
		}
	}
	if n, err := a.Service().Move(ctx, "default", "crm"); err == nil {
		t.Fatalf("the move did not break off, it moved %d", n)
	}
	s.accepted(t, 2)
}

// Whoever lists the stores while a reload takes some away sees the one state or the other.
func TestStoresAreListedDuringAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	more := *s.config
	more.Stores = slices.Clone(more.Stores)
	for id := range int64(50) {
		store := more.Stores[0]
		store.ID = 5000 + id
		more.Stores = append(more.Stores, store)
	}
	few, err := a.build(s.config)
	if err != nil {
		t.Fatal(err)
	}
	many, err := a.build(&more)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var reloads sync.WaitGroup
	defer reloads.Wait()
	defer close(ended)
	reloads.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				a.current.Store(many)
				a.current.Store(few)
			}
		}
	})
	for range 300 {
		stores, err := a.Service().Stores(t.Context())
		if err != nil || len(stores) != 1 && len(stores) != 51 {
			t.Fatalf("%d stores: %v", len(stores), err)
		}
	}
}
