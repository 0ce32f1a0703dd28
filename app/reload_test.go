package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.start(t)
	d.learned(t)
	first := s.shop.Place()
	s.accepted(t, 1)

	next := *s.config
	next.Callbacks = slices.Clone(next.Callbacks)
	next.Callbacks[0].Events = []event.Type{event.OrderDeleted}
	d.must(t, d.app.Reload(t.Context(), &next))
	s.shop.Place()
	s.shop.Delete(first)
	s.accepted(t, 2)
	arrivals := s.receiver.Arrivals()
	if last := arrivals[len(arrivals)-1]; last.Type != string(event.OrderDeleted) || last.Sequence != 3 && last.Sequence != 2 {
		t.Errorf("after a reload that wants deletions only, %+v arrived", last)
	}
	if line := d.logs.FilterMessage("config.reloaded").All(); len(line) != 1 || fmt.Sprint(line[0].ContextMap()["callbacks_changed"]) != "[default]" {
		t.Errorf("the log says %v", line)
	}

	moved := next
	moved.Storage.Path += ".other"
	if err := d.app.Reload(t.Context(), &moved); !errors.Is(err, ErrRestart) || !strings.Contains(err.Error(), "storage.path") {
		t.Errorf("another storage: %v", err)
	}
	broken := next
	broken.Callbacks = slices.Clone(next.Callbacks)
	broken.Callbacks[0].Concurrency = 0
	if err := d.app.Reload(t.Context(), &broken); err == nil {
		t.Error("a broken configuration was taken")
	}
	s.shop.Delete(s.shop.Place()) // the one before goes on
	if err := d.app.Ready(); err != nil {
		t.Errorf("not ready after a reload: %v", err)
	}
}

// startHeld starts the site with a receiver that answers nothing until letGo is called, and
// returns when a POST is under way.
func (s *site) startHeld(t *testing.T) (d *daemon, letGo func()) {
	t.Helper()
	release := make(chan struct{})
	letGo = sync.OnceFunc(func() { close(release) })
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		<-release
		return notifytest.Step{}
	}
	d = s.start(t)
	t.Cleanup(letGo) // before the stop, which waits for the POST
	d.learned(t)
	s.shop.Place()
	d.must(t, d.PollStore(t.Context(), 1003))
	eventually(t, "a POST is under way", func() bool { return d.app.current.Load().dispatcher.States()[0].UnderWay == 1 })
	return d, letGo
}

// A reload that has begun comes to its end and tells what came of it, also when nobody
// waits for it any more.
func TestAReloadIsJudgedByWhatHappened(t *testing.T) {
	t.Parallel()
	for name, stops := range map[string]bool{"whoever asked goes away": false, "the program stops": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			d, letGo := s.startHeld(t)
			old := d.app.current.Load()
			next := *s.config
			next.MaxConcurrentPolls++
			d.app.options.Load = func() (*config.Config, error) { return &next, nil }
			ctx, leave := context.WithCancel(t.Context())
			answer := make(chan error, 1)
			go func() { answer <- d.app.LoadAgain(ctx) }()
			eventually(t, "the reload is under way", func() bool { return (*old.polling.Load()).Err() != nil })
			stopped := make(chan struct{})
			if stops {
				go func() { d.stop(); close(stopped) }()
				<-d.stopping
			} else {
				leave()
				close(stopped)
			}
			letGo()
			err := <-answer
			<-stopped
			leave()
			reloaded, failed := d.logs.FilterMessage("config.reloaded").Len(), d.logs.FilterMessage("config.reload_failed").All()
			if stops != errors.Is(err, control.ErrStopping) || !stops && err != nil {
				t.Errorf("the answer is %v", err)
			}
			if stops && (reloaded != 0 || len(failed) != 1 || failed[0].ContextMap()["hint"] != nil) || !stops && (reloaded != 1 || len(failed) != 0) {
				t.Errorf("the log says config.reloaded %d times, and %v", reloaded, failed)
			}
			if !stops && d.app.current.Load().config != &next {
				t.Error("the new configuration does not run")
			}
		})
	}
}

// How polling and delivering went is not forgotten with a reload, while Ecwid and the
// receiver are down least of all.
func TestWhatIsShownOutlivesAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Callbacks[0].Retry.First = time.Hour
	var down atomic.Bool
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		if down.Load() {
			return notifytest.Step{Status: http.StatusServiceUnavailable}
		}
		return notifytest.Step{}
	}
	d := s.start(t)
	d.learned(t)
	s.shop.Place()
	s.accepted(t, 1)
	down.Store(true)
	s.shop.Place()
	eventually(t, "one was accepted and one refused", func() bool { c := d.callback(t, "default"); return c.LastAccepted != nil && c.LastError != nil })
	eventually(t, "a poll was good", func() bool { st, err := d.Store(t.Context(), 1003); return err == nil && st.LastSuccess != nil })
	before := d.callback(t, "default")

	next := *s.config
	next.Stores = slices.Clone(next.Stores)
	next.Stores[0].Schedule = "1h"
	next.Stores[0].BaseURL, _ = config.ParseURL("http://127.0.0.1:1")
	d.must(t, d.app.Reload(t.Context(), &next))
	shows := func(when string) {
		t.Helper()
		st, err := d.Store(t.Context(), 1003)
		d.must(t, err)
		if st.LastSuccess == nil || st.LastPoll == nil || st.NextPoll == nil {
			t.Errorf("%s the store shows %+v", when, st)
		}
		after := d.callback(t, "default")
		if diff := cmp.Diff([]any{before.LastAccepted, before.LastError, true}, []any{after.LastAccepted, after.LastError, after.IsFailing()}, cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
			t.Errorf("%s the callback shows -want +got:\n%s", when, diff)
		}
	}
	shows("at once")
	eventually(t, "a poll has failed", func() bool { st, err := d.Store(t.Context(), 1003); return err == nil && st.LastPoll.Error != "" })
	shows("after a poll that failed")
}

// Only a configuration that is faulty is the fault of who asks for a reload.
func TestWhoseFaultAFailedReloadIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	broken, moved := *s.config, *s.config
	broken.Callbacks = slices.Clone(broken.Callbacks)
	broken.Callbacks[0].Concurrency = 0
	moved.Storage.Path += ".other"
	gone, leave := context.WithCancel(t.Context())
	leave()
	for name, c := range map[string]struct {
		config *config.Config
		err    error
		faulty bool
	}{
		"it cannot be read":          {nil, errors.New("line 7"), true},
		"it cannot be built":         {&broken, nil, true},
		"it needs a restart":         {&moved, nil, true},
		"nothing runs, nobody waits": {s.config, nil, false},
	} {
		a.options.Load = func() (*config.Config, error) { return c.config, c.err }
		if err := a.reloadOnRequest(gone); err == nil || errors.Is(err, control.ErrConflict) != c.faulty {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a person wants of a store while a reload waits for a POST holds for the new parts.
func TestStoresAreSteeredDuringAReload(t *testing.T) {
	t.Parallel()
	for name, resume := range map[string]bool{"a pause": false, "a resumption": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			d, letGo := s.startHeld(t)
			old := d.app.current.Load()
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
			letGo()
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

// A poll or a comparison that was accepted while a reload waits for a POST is done by the
// new parts.
func TestWishesOutliveAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Stores[0].Schedule, s.config.Stores[0].Reconcile = "1h", config.ReconcileOff
	d, letGo := s.startHeld(t)
	old := d.app.current.Load()
	before, err := d.Store(t.Context(), 1003)
	d.must(t, err)
	next, reloaded := *s.config, make(chan error, 1)
	next.Stores = append(slices.Clone(next.Stores), next.Stores[0])
	next.Stores[1].ID, next.Stores[1].Paused = 1004, true
	go func() { reloaded <- d.app.Reload(t.Context(), &next) }()
	eventually(t, "the polls have stopped", func() bool { return (*old.polling.Load()).Err() != nil })
	d.must(t, d.ReconcileStore(t.Context(), 1003))
	if d.app.current.Load() != old {
		t.Fatal("the new parts are in place while a POST of the old ones is under way")
	}
	letGo()
	d.must(t, <-reloaded)
	eventually(t, "the whole shop is compared", func() bool {
		store, err := d.Store(t.Context(), 1003)
		return err == nil && store.ReconciledAt != nil && (before.ReconciledAt == nil || store.ReconciledAt.After(*before.ReconciledAt))
	})
	d.must(t, d.app.ask(t.Context()))
}

// However many reloads follow each other, while POSTs are slow, the watchdog is fed; and a
// part that hangs in one is noticed.
func TestReloadsDoNotStarveTheWatchdog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		time.Sleep(50 * time.Millisecond) // a slow receiver
		return notifytest.Step{}
	}
	d := s.start(t)
	d.learned(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 10 {
			s.shop.Place()
			_ = d.PollStore(t.Context(), 1003)
			next := *s.config
			if err := d.app.Reload(t.Context(), &next); err != nil {
				t.Error(err)
			}
		}
	}()
	pings := 0
	for going := true; going; pings++ {
		select {
		case <-ended:
			going = false
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := d.app.Ping(ctx); err != nil {
			t.Errorf("ping %d: %v", pings, err)
		}
		cancel()
	}
	eventually(t, "the parts answer, and the reload has ended", func() bool {
		return d.app.Ping(t.Context()) == nil && d.app.change.Load() == nil
	})
	running := d.app.current.Load()
	defer d.app.current.Store(running)
	d.app.current.Store(&parts{}) // they do not answer
	for _, replaced := range []bool{false, true} {
		c := &change{since: time.Now().Add(-changeWithin / 2), replaced: replaced}
		d.app.change.Store(c)
		if err := d.app.Ping(t.Context()); err != nil {
			t.Errorf("parts that do not answer for half a minute: %v", err)
		}
		d.app.change.Store(&change{since: time.Now().Add(-changeWithin), replaced: replaced})
		if err := d.app.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "in 1m0s") {
			t.Errorf("parts that do not answer for a minute: %v", err)
		}
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
