package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

const patience = 20 * time.Second

// A daemon is an App that runs and is asked over HTTP.
type daemon struct {
	control.Service
	app  *App
	url  string
	logs *observer.ObservedLogs
	stop func()
	// stopping is closed as soon as stop has told the App.
	stopping <-chan struct{}
}

// start runs the site with an admin API until the test ends, or stop is called.
func (s *site) start(t *testing.T) *daemon {
	t.Helper()
	s.config.Admin.Listen = "127.0.0.1:0"
	core, logs := observer.New(zap.InfoLevel)
	a, err := New(s.config, Options{Logger: zap.New(core), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	d := &daemon{app: a, logs: logs, stopping: ctx.Done()}
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(d.stop)
	eventually(t, "the admin API listens", func() bool { return logs.FilterMessage("admin.listening").Len() > 0 })
	d.url = fmt.Sprint("http://", logs.FilterMessage("admin.listening").All()[0].ContextMap()["address"])
	if d.Service, err = client.New(d.url, "", nil); err != nil {
		t.Fatal(err)
	}
	return d
}

// eventually waits for what happens by itself.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// learned waits until what exists is known, so that orders placed from then on are
// events.
func (d *daemon) learned(t *testing.T) {
	t.Helper()
	eventually(t, "the first snapshot is taken", func() bool { return d.logs.FilterMessage("sweep.finished").Len() > 0 })
}

func (d *daemon) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) callback(t *testing.T, name string) control.Callback {
	t.Helper()
	callbacks, err := d.Callbacks(t.Context())
	d.must(t, err)
	for _, c := range callbacks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no callback %s", name)
	return control.Callback{}
}

func TestADaemonIsSeenAndSteered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Stores[0].Schedule = "1h"
	d := s.start(t)
	ctx := t.Context()
	d.learned(t)

	id := s.shop.Place()
	d.must(t, d.PollStore(ctx, 1003))
	s.accepted(t, 1)
	page, err := d.Events(ctx, control.EventQuery{StoreID: 1003, ObjectID: id})
	d.must(t, err)
	if len(page.Events) != 1 || page.Next != 1 || page.More {
		t.Fatalf("the page holds %d events, next %d, more %t", len(page.Events), page.Next, page.More)
	}
	e := page.Events[0]
	eventually(t, "the delivery is recorded", func() bool {
		details, err := d.Event(ctx, e.ID)
		return err == nil && len(details.Deliveries) == 1 && details.Deliveries[0].State == event.Delivered &&
			len(details.Deliveries[0].History) == 1 && !details.Deliveries[0].History[0].Manual
	})

	replayed, err := d.Replay(ctx, control.Replay{EventID: e.ID})
	d.must(t, err)
	eventually(t, "the replay is recorded", func() bool {
		details, err := d.Event(ctx, e.ID)
		return err == nil && replayed.Deliveries == 1 && len(details.Deliveries[0].History) == 2 && details.Deliveries[0].History[1].Manual
	})
	if arrivals := s.receiver.Arrivals(); len(arrivals) != 2 || arrivals[0].ID != arrivals[1].ID || arrivals[0].BodyHash != arrivals[1].BodyHash {
		t.Errorf("a replay differs from what was sent first: %+v", arrivals)
	}

	status, err := d.Status(ctx)
	d.must(t, err)
	if !status.Running || status.Stores.Total != 1 || len(status.Attention) != 0 || status.Callbacks[0].LastAccepted == nil {
		t.Errorf("status: %+v", status)
	}
	eventually(t, "the poll is shown", func() bool {
		store, err := d.Store(ctx, 1003)
		return err == nil && store.Events == 1 && store.LastPoll.Result == "ok" && store.LastPoll.Created == 1 &&
			store.NextPoll != nil && store.Snapshot.Done
	})
	if attempt, err := d.TestCallback(ctx, "default"); err != nil || attempt.Status != http.StatusOK {
		t.Errorf("testing the callback: %+v, %v", attempt, err)
	}
}

// A pause holds over a restart, and what waits is delivered once it ends.
func TestPausesOutliveARestart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	d := s.start(t)
	d.learned(t)
	d.must(t, d.PauseCallback(ctx, "default"))
	s.shop.Place()
	eventually(t, "an event waits", func() bool { return d.callback(t, "default").Pending == 1 })
	d.must(t, d.PauseStore(ctx, 1003))
	d.stop()

	d = s.start(t)
	if c := d.callback(t, "default"); c.Paused != control.PausedByHand || c.PausedSince == nil || c.Pending != 1 {
		t.Errorf("after a restart: %+v", c)
	}
	store, err := d.Store(ctx, 1003)
	if err != nil || store.Paused != control.PausedByHand || store.LastPoll != nil {
		t.Errorf("after a restart: %+v, %v", store, err)
	}
	if err := d.PollStore(ctx, 1003); !errors.Is(err, control.ErrConflict) {
		t.Errorf("polling a paused store: %v", err)
	}
	status, err := d.Status(ctx)
	if err != nil || len(status.Attention) != 2 || status.Stores.Paused != 1 {
		t.Errorf("status: %+v, %v", status, err)
	}
	d.must(t, d.ResumeCallback(ctx, "default"))
	s.accepted(t, 1)
	s.shop.Place()
	d.must(t, d.ResumeStore(ctx, 1003))
	s.accepted(t, 2)
}

// What the configuration pauses is resumed there, and nowhere else.
func TestPausedByTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Stores[0].Paused, s.config.Callbacks[0].Paused = true, true
	service := s.open(t, zap.NewNop()).Service()
	for name, err := range map[string]error{
		"resuming the store":    service.ResumeStore(t.Context(), 1003),
		"polling it":            service.PollStore(t.Context(), 1003),
		"resuming the callback": service.ResumeCallback(t.Context(), "default"),
		"pausing the store":     service.PauseStore(t.Context(), 1003),
		"pausing the callback":  service.PauseCallback(t.Context(), "default"),
	} {
		if !errors.Is(err, control.ErrConflict) || !strings.Contains(err.Error(), "configuration") {
			t.Errorf("%s: %v", name, err)
		}
	}
	store, err := service.Store(t.Context(), 1003)
	if err != nil || store.Paused != control.PausedByConfig {
		t.Errorf("%+v, %v", store, err)
	}
}

// Without a daemon the storage answers for itself.
func TestServiceWithoutADaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	if _, err := a.Once(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.shop.Place()
	if _, err := a.Once(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	service := a.Service()
	status, err := service.Status(t.Context())
	if err != nil || status.Running {
		t.Errorf("%+v, %v", status, err)
	}
	if page, err := service.Events(t.Context(), control.EventQuery{Newest: true}); err != nil || len(page.Events) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if err := service.PollStore(t.Context(), 1003); !errors.Is(err, control.ErrConflict) {
		t.Errorf("polling: %v", err)
	}
	if err := service.PauseStore(t.Context(), 7); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("pausing an unknown store: %v", err)
	}
}

// What is left of a callback that is gone can be moved, or dropped.
func TestOrphansAreMovedAndDropped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var down sync.Map
	down.Store("all", true)
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		if _, ok := down.Load("all"); ok {
			return notifytest.Step{Status: 500}
		}
		return notifytest.Step{}
	}
	d := s.start(t)
	d.learned(t)
	for range 3 {
		s.shop.Place()
	}
	eventually(t, "three events wait", func() bool { return d.callback(t, "default").Pending == 3 })
	d.stop()

	s.config.Callbacks[0].Name = "crm"
	d = s.start(t)
	ctx := t.Context()
	if c := d.callback(t, "default"); !c.Orphaned || c.Pending != 3 {
		t.Fatalf("%+v", c)
	}
	if _, err := d.Move(ctx, "default", "nobody"); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("moving to an unknown callback: %v", err)
	}
	down.Delete("all")
	if n, err := d.Move(ctx, "default", "crm"); n != 3 || err != nil {
		t.Fatalf("%d moved: %v", n, err)
	}
	s.accepted(t, 3)
	callbacks, err := d.Callbacks(ctx)
	if err != nil || len(callbacks) != 1 {
		t.Errorf("%+v, %v", callbacks, err)
	}
	eventually(t, "what was moved is recorded", func() bool { return d.callback(t, "crm").Pending == 0 })
	d.must(t, d.PauseCallback(ctx, "crm"))
	s.shop.Place()
	eventually(t, "one event waits", func() bool { return d.callback(t, "crm").Pending == 1 })
	if n, err := d.Drop(ctx, "crm", event.Pending); n != 1 || err != nil {
		t.Errorf("%d dropped: %v", n, err)
	}
	if _, err := d.Drop(ctx, "crm", event.Delivered); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("dropping what was delivered: %v", err)
	}
}

func TestReplayOfARangeAndOfTheDead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Callbacks[0].Retry.First, s.config.Callbacks[0].Retry.Longest, s.config.Callbacks[0].Retry.MaxAge = time.Millisecond, time.Millisecond, time.Millisecond
	poison := make(chan string, 1)
	s.receiver.Script = func(a notifytest.Arrival) notifytest.Step {
		select {
		case id := <-poison:
			poison <- id
			if a.ObjectID == id {
				return notifytest.Step{Status: 422}
			}
		default:
		}
		return notifytest.Step{}
	}
	d := s.start(t)
	d.learned(t)
	ctx := t.Context()
	bad := s.shop.Place()
	poison <- bad
	eventually(t, "the poison is dead", func() bool {
		s.shop.Place() // others are accepted
		return d.callback(t, "default").Dead == 1
	})
	page, err := d.Deliveries(ctx, control.DeliveryQuery{Callback: "default", State: event.Dead})
	if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].ObjectID != bad || page.Deliveries[0].Attempts < 5 {
		t.Fatalf("%+v, %v", page, err)
	}
	if e := page.Deliveries[0].LastError; e == nil || e.Error != "status" || e.Status != 422 || !e.At.Equal(*page.Deliveries[0].LastAttempt) {
		t.Errorf("it died of %+v", e)
	}
	<-poison
	replayed, err := d.Replay(ctx, control.Replay{Dead: true})
	if err != nil || replayed.Deliveries != 1 {
		t.Fatalf("%+v, %v", replayed, err)
	}
	eventually(t, "the dead one is delivered", func() bool {
		details, err := d.Event(ctx, page.Deliveries[0].EventID)
		return err == nil && details.Deliveries[0].State == event.Delivered
	})

	began := time.Now().Add(-time.Hour)
	before := len(s.receiver.Arrivals())
	d.must(t, d.PauseStore(ctx, 1003))
	replayed, err = d.Replay(ctx, control.Replay{From: &began})
	if err != nil || replayed.Deliveries < 2 {
		t.Fatalf("%+v, %v", replayed, err)
	}
	eventually(t, "the range arrives again", func() bool { return len(s.receiver.Arrivals()) >= before+replayed.Deliveries })
}

func TestMetricsAndHealthAreServed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.start(t)
	d.learned(t)
	s.shop.Place()
	s.accepted(t, 1)
	get := func(path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, http.NoBody)
		d.must(t, err)
		resp, err := http.DefaultClient.Do(r)
		d.must(t, err)
		defer func() { _ = resp.Body.Close() }()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		d.must(t, err)
		return resp.StatusCode, b.String()
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := get(path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	eventually(t, "the poll and the delivery are counted", func() bool {
		_, text := get("/metrics")
		return strings.Contains(text, `ecwid_events_events_total{store="1003",type="order.created"} 1`) &&
			strings.Contains(text, `ecwid_events_deliveries_total{callback="default",result="delivered"} 1`) &&
			strings.Contains(text, `ecwid_events_api_requests_total{status="200"}`)
	})
}

// The body is fixed when the event is detected, whatever the configuration says when it
// is sent at last.
func TestBodyOutlivesAnEditOfTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var up atomic.Bool
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		if up.Load() {
			return notifytest.Step{}
		}
		return notifytest.Step{Status: http.StatusServiceUnavailable}
	}
	d := s.start(t)
	d.learned(t)
	s.shop.Place()
	eventually(t, "the event is refused once", func() bool { return len(s.receiver.Arrivals()) == 1 })
	eventually(t, "that is recorded", func() bool { return d.callback(t, "default").LastError != nil })
	d.stop()

	s.config.Stores[0].Name, s.config.Stores[0].Tags = "Another name", []string{"new"}
	s.config.Callbacks[0].Format, s.config.Callbacks[0].Payload = "cloudevents", "thin"
	up.Store(true)
	s.start(t)
	s.accepted(t, 1)
	arrivals := s.receiver.Arrivals()
	if last := arrivals[len(arrivals)-1]; last.BodyHash != arrivals[0].BodyHash || last.ID != arrivals[0].ID {
		t.Errorf("first %+v, at last %+v", arrivals[0], last)
	}
}
