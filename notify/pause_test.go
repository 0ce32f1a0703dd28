package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// goneAt answers 410 while set, and 200 otherwise.
func goneAt(gone *atomic.Bool) responder {
	return func(*http.Request) (*http.Response, error) {
		if gone.Load() {
			return answer(410), nil
		}
		return answer(200), nil
	}
}

func (b *bed) pauses(t testing.TB) []event.Pause {
	t.Helper()
	pauses, err := b.storage.Pauses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pauses
}

func TestGoneCallbackIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Concurrency = 1
		b := newBed(t, c)
		var gone atomic.Bool
		gone.Store(true)
		receiver := &gauge{answer: goneAt(&gone)}
		b.options.Transport = receiver
		events := b.commitObjects(t, someStore, 20)
		start := time.Now()
		_, stop := b.start(t)
		time.Sleep(10 * 24 * time.Hour)
		b.checkState(t, events[0], event.Pending, 1)
		if first, _ := b.delivery(t, events[0]); !first.NextAttempt.Equal(start) {
			t.Errorf("the delivery is due at %v, want it due as soon as it may be sent", first.NextAttempt)
		}
		b.checkState(t, events[1], event.Pending, 0)
		want := event.Pause{Callback: "default", Since: start.UTC(), Reason: event.PausedGone}
		if p := b.pauses(t); len(p) != 1 || p[0].Callback != want.Callback || !p[0].Since.Equal(want.Since) || p[0].Reason != want.Reason {
			t.Errorf("pauses %v, want %v", p, want)
		}
		lines := b.log.FilterMessage("callback.gone").All()
		if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0].ContextMap()["hint"]), "ecwid-events callbacks resume default") {
			t.Errorf("log %v, want one line that says how to resume", lines)
		}

		stop()
		gone.Store(false)
		d, _ := b.start(t)
		d.Wake(someStore)
		time.Sleep(24 * time.Hour)
		if at, _ := receiver.take(); len(at) != 1 {
			t.Errorf("%d POSTs before it was resumed, want 1", len(at))
		}
		if s := d.States()[0]; s.Paused != event.PausedGone || !s.PausedSince.Equal(start) {
			t.Errorf("state after a restart %+v", s)
		}
		if err := d.Resume(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, e := range events {
			attempts := 1
			if i == 0 {
				attempts = 2
			}
			b.checkState(t, e, event.Delivered, attempts)
		}
		if p := b.pauses(t); len(p) != 0 {
			t.Errorf("pauses %v after Resume", p)
		}
	})
}

func TestDrainPausesWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Concurrency = 1
		b := newBed(t, c)
		receiver := &gauge{answer: func(*http.Request) (*http.Response, error) { return answer(410), nil }}
		b.options.Transport = receiver
		b.commitObjects(t, someStore, 20)
		for range 2 {
			b.drain(t)
		}
		if at, _ := receiver.take(); len(at) != 1 || len(b.pauses(t)) != 1 {
			t.Errorf("%d POSTs, pauses %v; want 1, and a pause", len(at), b.pauses(t))
		}
		broken := errors.New("input/output error")
		b.options.Storage = &pauseless{Storage: b.storage, err: broken}
		if err := b.dispatcher(t).Drain(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Drain without knowing the pauses: %v, want %v", err, broken)
		}
		if err := b.storage.Resume(t.Context(), "default", 0); err != nil {
			t.Fatal(err)
		}
		b.options.Storage = &pauseless{Storage: b.storage, err: broken, reads: true}
		if err := b.dispatcher(t).Drain(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Drain that could not keep the pause: %v, want %v", err, broken)
		}
	})
}

// pauseless cannot keep pauses while err is set.
type pauseless struct {
	notify.Storage
	err   error
	reads bool // reading works
	well  atomic.Bool
	tries atomic.Int64
}

func (p *pauseless) Pause(ctx context.Context, pause event.Pause) error {
	p.tries.Add(1)
	if !p.well.Load() {
		return p.err
	}
	return p.Storage.Pause(ctx, pause)
}

func (p *pauseless) Pauses(ctx context.Context) ([]event.Pause, error) {
	if !p.reads && !p.well.Load() {
		return nil, p.err
	}
	return p.Storage.Pauses(ctx)
}

func (p *pauseless) Resume(ctx context.Context, callback string, storeID int64) error {
	if !p.well.Load() {
		return p.err
	}
	return p.Storage.Resume(ctx, callback, storeID)
}

func TestPauseThatCannotBeKeptHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		storage := &pauseless{Storage: b.storage, err: errors.New("no space left on device"), reads: true}
		b.options.Storage = storage
		receiver := &gauge{answer: func(*http.Request) (*http.Response, error) { return answer(410), nil }}
		b.options.Transport = receiver
		b.commitObjects(t, someStore, 20)
		d, _ := b.start(t)
		time.Sleep(time.Hour)
		if at, _ := receiver.take(); len(at) > 4 {
			t.Errorf("%d POSTs, want at most those of 4 workers", len(at))
		}
		if n := b.log.FilterMessage("callback.pause_failed").Len(); n != 1 || storage.tries.Load() > 200 {
			t.Errorf("%d log lines and %d tries in an hour", n, storage.tries.Load())
		}
		if err := d.Resume(t.Context(), "default"); err == nil || d.States()[0].Paused != event.PausedGone {
			t.Errorf("Resume: error %v, state %+v; want an error, and still paused", err, d.States()[0])
		}
		storage.well.Store(true)
		time.Sleep(time.Minute)
		if p := b.pauses(t); len(p) != 1 {
			t.Errorf("pauses %v, want it kept when the storage works", p)
		}
	})
}

func TestUnreadablePausesSendNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		storage := &pauseless{Storage: b.storage, err: errors.New("input/output error")}
		b.options.Storage = storage
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		e := b.commitObjects(t, someStore, 1)[0]
		b.start(t)
		time.Sleep(time.Hour)
		b.checkState(t, e, event.Pending, 0)
		storage.well.Store(true)
		time.Sleep(time.Minute)
		b.checkState(t, e, event.Delivered, 1)
	})
}

func TestPauseByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		receiver := &gauge{took: time.Second}
		b.options.Transport = receiver
		events := b.commitObjects(t, someStore, 20)
		d, stop := b.start(t)
		time.Sleep(1500 * time.Millisecond)
		for range 2 { // the second changes nothing
			if err := d.Pause(t.Context(), "default"); err != nil {
				t.Fatal(err)
			}
		}
		since := time.Now()
		if s := d.States()[0]; s.UnderWay != 4 || s.Paused != event.PausedByHand || !s.PausedSince.Equal(since) {
			t.Errorf("state %+v, want it paused, with 4 attempts under way", s)
		}
		time.Sleep(time.Hour)
		if at, _ := receiver.take(); len(at) != 8 {
			t.Errorf("%d POSTs, want the 8 that had begun", len(at))
		}
		for i, e := range events {
			if want := map[bool]event.DeliveryState{true: event.Delivered, false: event.Pending}[i < 8]; i != 8 {
				if got, _ := b.delivery(t, e); got.State != want {
					t.Errorf("%s is %s, want %s", e.ObjectID, got.State, want)
				}
			}
		}
		stop()
		d, _ = b.start(t)
		time.Sleep(time.Hour)
		if at, _ := receiver.take(); len(at) != 0 {
			t.Errorf("%d POSTs after a restart, want none", len(at))
		}
		for range 2 { // the second finds it resumed
			if err := d.Resume(t.Context(), "default"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if at, _ := receiver.take(); len(at) != 12 || d.States()[0].Paused != "" {
			t.Errorf("%d POSTs after Resume, state %+v; want the other 12 deliveries", len(at), d.States()[0])
		}
	})
}

// A pause that ends soon must not lose what was about to be sent, nor send it twice.
func TestPausesInQuickSuccession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		receiver := &gauge{took: 10 * time.Millisecond}
		b.options.Transport = receiver
		events := b.commitObjects(t, someStore, 300)
		d, _ := b.start(t)
		for range 100 {
			if err := errors.Join(d.Pause(t.Context(), "default"), d.Resume(t.Context(), "default")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, e := range events {
			b.checkState(t, e, event.Delivered, 1)
		}
	})
}

func TestPauseAndResumeRefuse(t *testing.T) {
	t.Parallel()
	byConfig := callbackTo("http://callback.test")
	byConfig.Paused = true
	b := newBed(t, byConfig)
	d := b.dispatcher(t)
	if err := d.Pause(t.Context(), "other"); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("Pause of an unknown callback: %v", err)
	}
	if err := d.Resume(t.Context(), "other"); !errors.Is(err, event.ErrNotFound) || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("Resume of an unknown callback: %v", err)
	}
	if err := d.Resume(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), "configuration") {
		t.Errorf("Resume of what the configuration pauses: %v", err)
	}
	if s := d.States(); len(s) != 1 || s[0].Name != "default" || s[0].Paused != notify.PausedByConfig || !s[0].PausedSince.IsZero() {
		t.Errorf("states %+v", s)
	}
}
