package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

func (a *App) readMetrics(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.metrics.Handler(a.Service()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	return w.Body.String()
}

func (a *App) lastPeriod(t *testing.T) control.Period {
	t.Helper()
	h, err := service{a}.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.Periods[len(h.Periods)-1]
}

// Polls, attempts and tests are counted, and what was counted of a store or a callback
// goes with it.
func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	a.countPoll(poller.Poll{StoreID: 1003, Result: poller.ResultOK, Duration: time.Second, Created: 3, Deleted: 1})
	detected := time.Now().Add(-time.Minute)
	a.countAttempt(notify.Attempted{
		Event: event.Event{DetectedAt: detected},
		Result: event.Result{
			Callback: "default", State: event.Delivered, Attempt: event.Attempt{Time: detected.Add(20 * time.Second), Duration: 2 * time.Second},
		},
	})
	if attempt, err := a.Service().TestCallback(t.Context(), "default"); err != nil || attempt.Error != "" {
		t.Fatalf("%+v, %v", attempt, err)
	}
	period := a.lastPeriod(t)
	if diff := cmp.Diff(map[event.Type]int{event.OrderCreated: 3, event.OrderDeleted: 1}, period.Events); diff != "" {
		t.Errorf("events: -want +got:\n%s", diff)
	}
	if figures := period.Attempts["default"]; figures.Accepted != 2 || figures.Failed != 0 {
		t.Errorf("attempts: %+v", figures)
	}
	counted := []string{
		`ecwid_events_polls_total{result="ok",store="1003"} 1`, `ecwid_events_events_total{store="1003",type="order.created"} 3`,
		`ecwid_events_deliveries_total{callback="default",result="delivered"} 2`,
	}
	text := a.readMetrics(t)
	for _, want := range append(counted, "ecwid_events_delivery_lag_seconds_sum 22\n", "ecwid_events_delivery_lag_seconds_count 1\n") {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}

	next := *s.config
	next.Stores, next.Callbacks = append([]config.Store{}, next.Stores...), append([]config.Callback{}, next.Callbacks...)
	next.Stores[0].ID, next.Callbacks[0].Name = 7, "crm"
	others, err := a.build(&next)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.replace(t.Context(), others); err != nil {
		t.Fatal(err)
	}
	text = a.readMetrics(t)
	for _, gone := range counted {
		if strings.Contains(text, gone) {
			t.Errorf("once the store and the callback are gone: %s", gone)
		}
	}
	if len(a.outcomes.byName) != 0 {
		t.Errorf("outcomes are kept: %v", a.outcomes.byName)
	}
}

func TestHowManyStoresAreHow(t *testing.T) {
	t.Parallel()
	failed := &control.Poll{Result: "failed", Error: "no route to host"}
	var counts control.StoreCounts
	for _, s := range []control.Store{
		{LastPoll: &control.Poll{Result: "ok"}, Snapshot: &control.Snapshot{Done: true}},
		{LastPoll: failed},
		{LastPoll: failed, Snapshot: &control.Snapshot{}},
		{Suspended: "INVALID_API_TOKEN", LastPoll: failed},
		{Paused: control.PausedByHand, Suspended: "INVALID_API_TOKEN", LastPoll: failed},
		{Snapshot: &control.Snapshot{}},
		{Snapshot: &control.Snapshot{}},
	} {
		count(&counts, &s)
	}
	if diff := cmp.Diff(control.StoreCounts{Paused: 1, Suspended: 1, Failing: 2, Learning: 3}, counts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A URL may hold secrets anywhere but in its host.
func TestOnlyTheHostOfACallbackIsShown(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://user:hush@example.com:8443/hush/hook?token=hush#hush": "example.com:8443",
		"http://[::1]:80/hush": "[::1]:80",
		"http://exa mple/hush": "",
	} {
		if got := hostOf(url); got != want {
			t.Errorf("%s shows %q, want %q", url, got, want)
		}
	}
}

// What only a restart can change is named.
func TestKeysThatAreFixed(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*config.Config){
		"":               func(c *config.Config) { c.MaxConcurrentPolls++; c.Storage.KeepDead++ },
		"storage.driver": func(c *config.Config) { c.Storage.Driver = "postgres" },
		"storage.path":   func(c *config.Config) { c.Storage.Path += "2" },
		"admin":          func(c *config.Config) { c.Admin.Listen = "127.0.0.1:1" },
		"log":            func(c *config.Config) { c.Log.Level = "debug" },
	} {
		old := newSite(t).config
		now := *old
		change(&now)
		if got := fixedKey(old, &now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The log names every key that a reload changes.
func TestWhatAReloadChanges(t *testing.T) {
	t.Parallel()
	old := newSite(t).config
	for want, change := range map[string]func(*config.Config){
		"schedule":               func(c *config.Config) { c.Schedule = "7m" },
		"max_concurrent_polls":   func(c *config.Config) { c.MaxConcurrentPolls++ },
		"stores_dir":             func(c *config.Config) { c.StoresDir = "stores" },
		"storage.keep_delivered": func(c *config.Config) { c.Storage.KeepDelivered++ },
		"storage.keep_dead":      func(c *config.Config) { c.Storage.KeepDead++ },
	} {
		now := *old
		change(&now)
		if diff := cmp.Diff([]zap.Field{zap.Strings("keys_changed", []string{want})}, changes(old, &now)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", want, diff)
		}
	}
	if diff := cmp.Diff([]zap.Field{zap.Bool("unchanged", true)}, changes(old, old)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Until when Ecwid asked to wait is shown, however deep the error lies.
func TestUntilWhenEcwidAskedToWait(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		err  error
		want *time.Time
	}{
		"asked":     {errors.Join(fmt.Errorf("polling: %w", &ecwid.Error{Status: 429, RetryAfter: time.Minute})), known(at.Add(time.Minute + time.Second))},
		"not asked": {&ecwid.Error{Status: 503}, nil},
		"well":      {nil, nil},
	} {
		var shown control.Store
		showPolls(&shown, poller.State{Last: poller.Poll{Time: at, Duration: time.Second, Err: c.err}})
		if diff := cmp.Diff(c.want, shown.LastPoll.WaitUntil); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
