package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A shown service shows what it holds.
type shown struct {
	control.Service
	stores    []control.Store
	callbacks []control.Callback
	err       error
}

func (s *shown) Stores(context.Context) ([]control.Store, error)       { return s.stores, s.err }
func (s *shown) Callbacks(context.Context) ([]control.Callback, error) { return s.callbacks, s.err }

func read(t *testing.T, m *Metrics, s control.Service) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(s).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	return w.Code, w.Body.String()
}

func busy() (*Metrics, *shown) {
	m := New("1.2.3")
	m.Poll(1003, "ok", 2*time.Second, map[event.Type]int{event.OrderCreated: 2, event.OrderDeleted: 1})
	m.Poll(1003, "not_whole", time.Second, nil)
	m.Request(200)
	m.Request(0)
	m.Attempt("crm", "delivered", 40*time.Millisecond, 3*time.Second)
	m.Attempt("crm", "timeout", 15*time.Second, 0)
	polled := time.Unix(1714541188, 500_000_000)
	next := polled.Add(5 * time.Minute)
	waiting := time.Now().Add(-time.Hour)
	return m, &shown{
		stores: []control.Store{
			{ID: 1003, Overdue: true, LastSuccess: &polled, LastPoll: &control.Poll{At: polled}, NextPoll: &next},
			{ID: 1004, Suspended: "INVALID_API_TOKEN"},
			{ID: 1005, Paused: control.PausedByHand},
		},
		callbacks: []control.Callback{
			{Name: "crm", Pending: 7, Dead: 2, Open: true, OldestPending: &waiting},
			{Name: "erp", Paused: control.PausedGone},
			{Name: "old", Paused: control.PausedByHand, Orphaned: true},
		},
	}
}

func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	m, s := busy()
	status, text := read(t, m, s)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	for _, line := range []string{
		`ecwid_events_polls_total{result="ok",store="1003"} 1`,
		`ecwid_events_polls_total{result="not_whole",store="1003"} 1`,
		`ecwid_events_poll_duration_seconds_sum 3`,
		`ecwid_events_events_total{store="1003",type="order.created"} 2`,
		`ecwid_events_events_total{store="1003",type="order.deleted"} 1`,
		`ecwid_events_api_requests_total{status="0"} 1`,
		`ecwid_events_deliveries_total{callback="crm",result="timeout"} 1`,
		`ecwid_events_delivery_duration_seconds_count 2`,
		`ecwid_events_delivery_lag_seconds_sum 3`,
		`ecwid_events_delivery_lag_seconds_count 1`,
		`ecwid_events_last_successful_poll_timestamp_seconds{store="1003"} 1.7145411885e+09`,
		`ecwid_events_poll_interval_seconds{store="1003"} 300`,
		`ecwid_events_store_suspended{store="1004"} 1`,
		`ecwid_events_store_suspended{store="1003"} 0`,
		`ecwid_events_store_overdue{store="1003"} 1`,
		`ecwid_events_store_overdue{store="1004"} 0`,
		`ecwid_events_store_paused{store="1005"} 1`,
		`ecwid_events_pending{callback="crm"} 7`,
		`ecwid_events_dead{callback="crm"} 2`,
		`ecwid_events_callback_open{callback="crm"} 1`,
		`ecwid_events_callback_open{callback="erp"} 0`,
		`ecwid_events_callback_paused{callback="erp"} 1`,
		`ecwid_events_callback_paused{callback="old"} 0`,
		`ecwid_events_oldest_pending_seconds{callback="erp"} 0`,
		`ecwid_events_oldest_pending_seconds{callback="crm"} 36`, // 3600 and a little
		`ecwid_events_build_info{version="1.2.3"} 1`,
		`go_goroutines `,
		`process_start_time_seconds `,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("%s is missing", line)
		}
	}
}

// The names and helps follow Prometheus' conventions.
func TestConventions(t *testing.T) {
	t.Parallel()
	m, s := busy()
	_, text := read(t, m, s)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A service that fails is an error, not a page on which all is well.
func TestServiceFailure(t *testing.T) {
	t.Parallel()
	status, text := read(t, New("1"), &shown{err: errors.New("the storage is damaged")})
	if status != http.StatusInternalServerError || !strings.Contains(text, "the storage is damaged") {
		t.Errorf("status %d: %s", status, text)
	}
}

// What was counted of a store or a callback that is gone is gone too, and nothing else.
func TestWhatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	m, s := busy()
	m.Poll(1004, "ok", time.Second, map[event.Type]int{event.OrderCreated: 1})
	m.Attempt("erp", "delivered", time.Second, 0)
	m.ForgetStore(1003)
	m.ForgetCallback("crm")
	_, text := read(t, m, s)
	for series, there := range map[string]bool{
		`polls_total{result="ok",store="1003"}`: false, `polls_total{result="not_whole",store="1003"}`: false,
		`events_total{store="1003",type="order.created"}`: false, `events_total{store="1003",type="order.deleted"}`: false,
		`deliveries_total{callback="crm",result="delivered"}`: false, `deliveries_total{callback="crm",result="timeout"}`: false,
		`polls_total{result="ok",store="1004"}`: true, `events_total{store="1004",type="order.created"}`: true,
		`deliveries_total{callback="erp",result="delivered"}`: true,
	} {
		if strings.Contains(text, "\necwid_events_"+series) != there {
			t.Errorf("%s is there: %t", series, !there)
		}
	}
}

// A hanging is a service that does not answer before it is told to.
type hanging struct {
	shown
	asked   chan struct{}
	release chan struct{}
}

func (h *hanging) Stores(context.Context) ([]control.Store, error) {
	h.asked <- struct{}{}
	<-h.release
	return nil, nil
}

// Few are served at the same time, so that nobody can have the storage read for ever more.
func TestTooManyReadersAreRefused(t *testing.T) {
	t.Parallel()
	const most = 4
	s := &hanging{asked: make(chan struct{}, most), release: make(chan struct{})}
	handler := New("1").Handler(s)
	get := func() int {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
		return w.Code
	}
	codes := make(chan int, most)
	for range most {
		go func() { codes <- get() }()
		<-s.asked
	}
	if code := get(); code != http.StatusServiceUnavailable {
		t.Errorf("one more is answered %d", code)
	}
	close(s.release)
	for range most {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("one of those that were there is answered %d", code)
		}
	}
}
