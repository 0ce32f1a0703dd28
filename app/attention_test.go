package app

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// troubled is an App that seems to run, for as long as that.
func troubled(t *testing.T, uptime time.Duration) service {
	t.Helper()
	a := newSite(t).open(t, zap.NewNop())
	started := time.Now().Add(-uptime)
	a.started.Store(&started)
	a.current.Load().built = started
	return service{a}
}

// subjects says of each trouble what it is about.
func subjects(list []control.Attention) []string {
	var subjects []string
	for _, a := range list {
		subject := a.Callback
		switch {
		case a.StoreID != 0:
			subject = fmt.Sprint(a.StoreID)
		case subject == "":
			subject = "all"
		}
		subjects = append(subjects, subject)
		if len(a.StoreIDs)+len(a.Callbacks) > 0 {
			subject = fmt.Sprint(a.StoreIDs, a.Callbacks)
			subjects = append(subjects, subject)
			continue
		}
		if a.Do == "" || !strings.Contains(a.What, strings.Replace(subject, "all", "storage", 1)) {
			panic(fmt.Sprintf("%+v", a))
		}
	}
	return subjects
}

func TestTheWorstTroubleComesFirst(t *testing.T) {
	t.Parallel()
	s := troubled(t, 48*time.Hour)
	ago := func(d time.Duration) *time.Time { at := time.Now().Add(-d).UTC(); return &at }
	full := error(syscall.ENOSPC)
	s.storage.writing.Store(&full)
	failedAt := func(d time.Duration) *control.LastError { return &control.LastError{At: *ago(d), Error: "timeout"} }
	failed := &control.Poll{Result: "failed", Error: "no route to host"}
	stores := []control.Store{
		{ID: 11, LastPoll: &control.Poll{Result: "not_whole", Error: "the list moved"}, LastSuccess: ago(time.Second)},
		{ID: 12, Paused: control.PausedByHand},
		{ID: 13, Paused: control.PausedByConfig, LastPoll: failed},
		{ID: 14, LastPoll: failed, LastSuccess: ago(time.Second)},
		{ID: 15, LastPoll: failed, LastSuccess: ago(2 * time.Second)},
		{ID: 1003, LastPoll: failed, LastSuccess: ago(2 * time.Hour), Overdue: true},
		{ID: 16, Suspended: "INVALID_API_TOKEN", LastSuccess: ago(time.Hour)},
		{ID: 17, Suspended: "INVALID_API_TOKEN"},
		{ID: 18, LastPoll: &control.Poll{Result: "ok"}, LastSuccess: ago(time.Second)},
		{ID: 19, LastPoll: &control.Poll{Result: "failed", Error: "committing: write x.db: no space left on device"}, LastSuccess: ago(2 * time.Hour)},
	}
	callbacks := []control.Callback{
		{Name: "well", Pending: 5, OldestPending: ago(10 * time.Minute)},
		{Name: "byConfig", Paused: control.PausedByConfig, Pending: 5, OldestPending: ago(10 * time.Hour)},
		{Name: "orphan", Orphaned: true, Dead: 4},
		{Name: "largerOrphan", Orphaned: true, Dead: 5, Paused: control.PausedGone},
		{Name: "leftPause", Orphaned: true, Paused: control.PausedByHand},
		{Name: "byHand", Paused: control.PausedByHand, Pending: 9, OldestPending: ago(10 * time.Hour), PausedSince: ago(10 * time.Hour)},
		{Name: "dead", Dead: 1},
		{Name: "deader", Dead: 2},
		{Name: "late", Pending: 1, OldestPending: ago(16 * time.Minute)},
		{Name: "open", Open: true, Pending: 1, OldestPending: ago(time.Hour)},
		{Name: "gone", Paused: control.PausedGone, Pending: 1, OldestPending: ago(2 * time.Hour)},
		{Name: "goneAndIdle", Paused: control.PausedGone, PausedSince: ago(30 * time.Hour)},
		{Name: "failing", Pending: 1, OldestPending: ago(time.Minute), LastError: failedAt(time.Second)},
		{Name: "failingLong", Pending: 1, OldestPending: ago(3 * time.Hour), LastError: failedAt(time.Second)},
		{Name: "failedAndIdle", LastError: failedAt(time.Second)},
		{Name: "well again", Pending: 1, OldestPending: ago(time.Minute), LastAccepted: ago(0), LastError: failedAt(time.Second)},
	}
	// The pauses of what the configuration does not know.
	if err := s.storage.Pause(t.Context(), event.Pause{StoreID: 99, Since: *ago(time.Hour), Reason: event.PausedByHand}); err != nil {
		t.Fatal(err)
	}
	list, more, err := s.attention(t.Context(), stores, callbacks)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"all", "failingLong", "gone", "open", "17", "16", "1003", "late", "failing", "15", "14", "deader", "dead", "largerOrphan", "orphan", "goneAndIdle",
		"12", "byHand", "11", "leftPause", "99",
	}
	if diff := cmp.Diff(want[:control.MaxAttention], subjects(list)); diff != "" || more != len(want)-control.MaxAttention {
		t.Errorf("%d more; -want +got:\n%s", more, diff)
	}

	for i := range 30 {
		stores = append(stores, control.Store{ID: int64(2000 + i), Suspended: fmt.Sprint("reason ", i)})
	}
	list, more, err = s.attention(t.Context(), stores, callbacks)
	if err != nil || len(list) != control.MaxAttention || more != len(want)+30-control.MaxAttention || list[0].What != "the storage fails: no space left on device" {
		t.Errorf("%d and %d more: %v", len(list), more, err)
	}
}

// What several have is told once, with the worst of them first, and not mixed up with
// what only looks like it.
func TestTroublesThatAreAlikeAreToldTogether(t *testing.T) {
	t.Parallel()
	s := service{newSite(t).open(t, zap.NewNop())}
	var stores []control.Store
	for id := range int64(150) {
		stores = append(stores, control.Store{ID: 1000 + id, Suspended: "HTTP 403 INVALID_API_TOKEN"})
	}
	stores[7].LastSuccess, stores[149].LastSuccess = known(time.Unix(2, 0)), known(time.Unix(1, 0))
	stores = append(stores, control.Store{ID: 5, Suspended: "HTTP 402"}, control.Store{ID: 6, Suspended: "HTTP 402"},
		control.Store{ID: 7, LastPoll: &control.Poll{Result: "stopped", Error: ""}})
	var callbacks []control.Callback
	for _, name := range []string{"a", "b", "c", "d"} {
		callbacks = append(callbacks, control.Callback{Name: name, Paused: control.PausedByHand, Pending: len(callbacks)})
	}
	list, more, err := s.attention(t.Context(), stores, callbacks)
	if err != nil || more != 0 || len(list) != 4 {
		t.Fatalf("%+v and %d more: %v", list, more, err)
	}
	refused, paused := list[0], list[3]
	if want := "150 stores: Ecwid refuses them: HTTP 403 INVALID_API_TOKEN: 1000, 1001, 1002 and 147 more"; refused.What != want {
		t.Errorf("got %q, want %q", refused.What, want)
	}
	if len(refused.StoreIDs) != control.MaxAlike || refused.StoreID != 0 || !strings.HasSuffix(refused.Do, "ecwid-events stores resume STORE...") {
		t.Errorf("%+v", refused)
	}
	if list[1].StoreID != 5 || list[2].StoreID != 6 {
		t.Errorf("two that are alike: %+v", list[1:3])
	}
	want := control.Attention{
		What: "4 callbacks are paused: d, c, b and 1 more", Do: "ecwid-events callbacks resume NAME...", Callbacks: []string{"d", "c", "b", "a"},
	}
	if diff := cmp.Diff(want, paused); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each trouble says why, and what helps against just that.
func TestWhatHelps(t *testing.T) {
	t.Parallel()
	s := troubled(t, time.Minute)
	in := func(d time.Duration) *time.Time { at := time.Now().Add(d).UTC(); return &at }
	refused := func(how string) *control.Store { return &control.Store{ID: 7, Suspended: how} }
	failed := func(p control.Poll) *control.Store {
		p.Error = "HTTP 429"
		return &control.Store{ID: 7, LastPoll: &p, LastSuccess: in(-time.Second)}
	}
	status := &control.LastError{At: *in(0), Error: "status", Status: 503, Detail: "Service Unavailable"}
	for name, c := range map[string]struct {
		store    *control.Store
		callback *control.Callback
		what, do string
	}{
		"a dead secret":     {store: refused("HTTP 403 INVALID_API_TOKEN"), what: "INVALID_API_TOKEN", do: "mend its order_secret, and reload or restart; or its plan"},
		"an unknown store":  {store: refused("HTTP 404 STORE_NOT_FOUND"), what: "STORE_NOT_FOUND", do: "check its id"},
		"a pause":           {store: failed(control.Poll{WaitUntil: in(time.Hour)}), what: "429", do: "nothing: Ecwid asks to wait until " + clock(*in(time.Hour))},
		"a pause that ends": {store: failed(control.Poll{WaitUntil: in(-time.Hour)}), what: "429", do: "nothing: Ecwid asked to wait"},
		"another failure":   {store: failed(control.Poll{}), what: "429", do: "see whether Ecwid can be reached"},
		"a callback that fails": {
			callback: &control.Callback{Name: "crm", Pending: 1, OldestPending: in(-10 * time.Minute), LastAccepted: in(-time.Hour), LastError: status, NextAttempt: in(3 * time.Hour)},
			what:     "fails: 503 Service Unavailable, since " + clock(*in(-10 * time.Minute)) + "; the next attempt is at " + clock(*in(3 * time.Hour)) + "; 1 delivery waits",
			do:       "mend the receiver",
		},
		"one that accepted since": {
			callback: &control.Callback{Name: "crm", Pending: 2, OldestPending: in(-2 * time.Hour), LastAccepted: in(-time.Hour), LastError: status, NextAttempt: in(-time.Hour)},
			what:     "fails: 503 Service Unavailable, since " + clock(*in(-time.Hour)) + "; 2 deliveries wait",
			do:       "mend the receiver",
		},
		"one that is open": {
			callback: &control.Callback{
				Name: "crm", Open: true, Pending: 3, OldestPending: in(-2 * time.Hour), NextProbe: in(time.Hour),
				LastError: &control.LastError{At: *in(0), Error: "connect", Detail: "connection refused"},
			},
			what: "does not take events: connect: connection refused, since " + clock(*in(-2 * time.Hour)) + "; the next attempt is at " + clock(*in(time.Hour)) + "; 3 deliveries wait",
			do:   "mend the receiver",
		},
	} {
		var found []trouble
		if c.store != nil {
			found = s.storeTroubles(c.store)
		} else {
			found = s.callbackTroubles(c.callback)
		}
		if len(found) != 1 || !strings.Contains(found[0].What, c.what) || !strings.HasPrefix(found[0].Do, c.do) {
			t.Errorf("%s: %+v, want %s and to do %s", name, found, c.what, c.do)
		}
	}
}

// A callback whose one order fails for ever is in trouble long before its breaker opens.
func TestACallbackThatFailsIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Callbacks[0].Retry.First = time.Hour
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		return notifytest.Step{Status: http.StatusServiceUnavailable}
	}
	d := s.start(t)
	d.learned(t)
	s.shop.Place()
	eventually(t, "the failure is recorded", func() bool {
		page, err := d.Deliveries(t.Context(), control.DeliveryQuery{Callback: "default", State: event.Pending})
		return err == nil && len(page.Deliveries) == 1 && page.Deliveries[0].Attempts == 1
	})
	c := d.callback(t, "default")
	if !c.IsFailing() || c.Open || time.Until(*c.NextAttempt) < 20*time.Minute {
		t.Errorf("%+v", c)
	}
	status, err := d.Status(t.Context())
	if err != nil || len(status.Attention) != 1 || !strings.HasPrefix(status.Attention[0].What, "callback default fails: 503 Service Unavailable, since ") {
		t.Errorf("%+v: %v", status.Attention, err)
	}
}

func TestStoresThatAreOverdue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schedule        string
		uptime, success time.Duration // ago; 0: there was none
		overdue         bool
	}{
		"the third poll after the last good one is due": {"10m", 5 * time.Hour, 31 * time.Minute, true},
		"the second is":                       {"10m", 5 * time.Hour, 19 * time.Minute, false},
		"a schedule of seconds, a moment ago": {"1s", 5 * time.Hour, 30 * time.Second, false},
		"a schedule of seconds":               {"1s", 5 * time.Hour, 2 * time.Minute, true},
		"polled on one day a year":            {"0 0 1 1 *", 999 * time.Hour, 900 * time.Hour, false},
		"never, and just started":             {"1s", 10 * time.Minute, 0, false},
		"never, and started long ago":         {"1m", 16 * time.Minute, 0, true},
		"never, though on a slow schedule":    {"1h", 2 * time.Hour, 0, false},
		"no daemon":                           {"1m", 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t)
			site.config.Stores[0].Schedule = c.schedule
			a := site.open(t, zap.NewNop())
			if c.uptime > 0 {
				started := time.Now().Add(-c.uptime)
				a.started.Store(&started)
				a.current.Load().built = started
			}
			store := control.Store{ID: 1003}
			if c.success > 0 {
				store.LastSuccess = known(time.Now().Add(-c.success))
			}
			if got := (service{a}).isOverdue(a.current.Load(), &store); got != c.overdue {
				t.Errorf("overdue: %t", got)
			}
			for what, not := range map[string]control.Store{
				"paused":    {ID: 1003, LastSuccess: store.LastSuccess, Paused: control.PausedByHand},
				"suspended": {ID: 1003, LastSuccess: store.LastSuccess, Suspended: "HTTP 402"},
			} {
				if (service{a}).isOverdue(a.current.Load(), &not) {
					t.Errorf("overdue and %s", what)
				}
			}
			if shown, err := a.Service().Store(t.Context(), 1003); c.success == 0 && (err != nil || shown.Overdue != c.overdue) {
				t.Errorf("shown as %+v: %v", shown, err)
			}
			// What a reload has just built has had no time yet.
			a.current.Load().built = time.Now()
			if c.success == 0 && (service{a}).isOverdue(a.current.Load(), &store) {
				t.Error("overdue after a reload")
			}
		})
	}
}

// A pause outlives what the configuration says, and can be seen and ended there too.
func TestPausesThatWereLeftBehind(t *testing.T) {
	t.Parallel()
	a := newSite(t).open(t, zap.NewNop())
	ctx, asked := t.Context(), a.Service()
	for _, p := range []event.Pause{
		{Callback: "old", Since: time.Now(), Reason: event.PausedGone}, {StoreID: 7, Since: time.Now(), Reason: event.PausedByHand},
	} {
		if err := a.storage.Pause(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	status, err := asked.Status(ctx)
	if err != nil || !cmp.Equal(subjects(status.Attention), []string{"old", "7"}) {
		t.Fatalf("%+v, %v", status.Attention, err)
	}
	if c := status.Callbacks[1]; c.Name != "old" || !c.Orphaned || c.Paused != control.PausedGone || c.PausedSince == nil {
		t.Errorf("shown as %+v", c)
	}
	for _, resume := range []func() error{
		func() error { return asked.ResumeCallback(ctx, "old") },
		func() error { return asked.ResumeStore(ctx, 7) },
	} {
		if err := resume(); err != nil {
			t.Error(err)
		}
		if err := resume(); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("once it has ended: %v", err)
		}
	}
	if status, err = asked.Status(ctx); err != nil || len(status.Attention) != 0 || len(status.Callbacks) != 1 {
		t.Errorf("once they have ended: %+v, %v", status, err)
	}
}
