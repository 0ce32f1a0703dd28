package admin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A fake is a Service that notes what it is asked and answers what it is told to.
type fake struct {
	mu    sync.Mutex
	calls []call

	err        error
	status     control.Status
	storeList  []control.Store
	store      control.Store
	events     func(context.Context) (control.EventPage, error) // in place of page
	page       control.EventPage
	details    control.EventDetails
	replayed   control.Replayed
	deliveries control.DeliveryPage
	count      int
	callbacks  []control.Callback
	attempt    control.Attempt
	forgotten  control.Forgotten
	copy       []byte
	backup     func(ctx context.Context, to func(int64) io.Writer) error // in place of copy
}

// A call is a method of the Service with what it was given.
type call struct {
	Method string
	Args   []any
}

func (f *fake) note(method string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call{method, args})
	return f.err
}

// taken returns the calls since the last time.
func (f *fake) taken() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fake) Status(context.Context) (control.Status, error) { return f.status, f.note("Status") }

func (f *fake) Stores(context.Context) ([]control.Store, error) {
	return f.storeList, f.note("Stores")
}

func (f *fake) Store(_ context.Context, id int64) (control.Store, error) {
	return f.store, f.note("Store", id)
}

func (f *fake) PollStore(_ context.Context, id int64) error      { return f.note("PollStore", id) }
func (f *fake) ReconcileStore(_ context.Context, id int64) error { return f.note("ReconcileStore", id) }
func (f *fake) PauseStore(_ context.Context, id int64) error     { return f.note("PauseStore", id) }
func (f *fake) ResumeStore(_ context.Context, id int64) error    { return f.note("ResumeStore", id) }

func (f *fake) Events(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	if err := f.note("Events", q); f.events == nil {
		return f.page, err
	}
	return f.events(ctx)
}

func (f *fake) Event(_ context.Context, id string) (control.EventDetails, error) {
	return f.details, f.note("Event", id)
}

func (f *fake) Replay(_ context.Context, r control.Replay) (control.Replayed, error) {
	return f.replayed, f.note("Replay", r)
}

func (f *fake) Deliveries(_ context.Context, q control.DeliveryQuery) (control.DeliveryPage, error) {
	return f.deliveries, f.note("Deliveries", q)
}

func (f *fake) Move(_ context.Context, from, to string) (int, error) {
	return f.count, f.note("Move", from, to)
}

func (f *fake) Drop(_ context.Context, callback string, state event.DeliveryState) (int, error) {
	return f.count, f.note("Drop", callback, state)
}

func (f *fake) Callbacks(context.Context) ([]control.Callback, error) {
	return f.callbacks, f.note("Callbacks")
}

func (f *fake) TestCallback(_ context.Context, name string) (control.Attempt, error) {
	return f.attempt, f.note("TestCallback", name)
}

func (f *fake) PauseCallback(_ context.Context, name string) error {
	return f.note("PauseCallback", name)
}

func (f *fake) ResumeCallback(_ context.Context, name string) error {
	return f.note("ResumeCallback", name)
}

func (f *fake) Forget(_ context.Context, storeID int64, objectID string) (control.Forgotten, error) {
	return f.forgotten, f.note("Forget", storeID, objectID)
}

func (f *fake) Backup(ctx context.Context, to func(int64) io.Writer) error {
	if err := f.note("Backup"); err != nil {
		return err
	}
	if f.backup != nil {
		return f.backup(ctx, to)
	}
	_, err := to(int64(len(f.copy))).Write(f.copy)
	return err
}

// newServer returns a Server on a Service, and what it logs. Options are changed by
// the functions.
func newServer(t testing.TB, service control.Service, change ...func(*Options)) (*Server, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	o := Options{Service: service, Listen: "127.0.0.1:0", Logger: zap.New(core)}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, logs
}

// newRequest makes one as curl does on the same machine. A body is sent as JSON.
func newRequest(t testing.TB, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	} else {
		r = httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host = "127.0.0.1:8321"
	for header := range slices.Chunk(headers, 2) {
		if header[0] == "Host" {
			r.Host = header[1]
		} else {
			r.Header.Set(header[0], header[1])
		}
	}
	return r
}

// ask has a request answered, and the answer held against openapi.yaml.
func ask(t testing.TB, s *Server, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	apiDocument(t).check(t, r, w)
	return w
}
