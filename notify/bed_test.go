package notify_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

func TestMain(m *testing.M) {
	// The encoding makes its channels when it first compresses something, which it
	// spares what is short. If that were in a bubble of synctest, no other could use
	// them.
	e := version(someStore, strings.Repeat("first", 100), 1)
	record, err := encoding.EncodeEvent(&e)
	if err != nil {
		panic(err)
	}
	if _, err := encoding.DecodeEvent(record); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// memory is where Linux keeps files in memory.
const memory = "/dev/shm"

// openStorage opens a new storage, which the end of the test closes. It is in memory
// where it can be, but for benchmarks: these tests lose no power, and simulate days of
// commits.
func openStorage(t testing.TB) store.Backend {
	t.Helper()
	dir := t.TempDir()
	if _, isBenchmark := t.(*testing.B); !isBenchmark {
		if d, err := os.MkdirTemp(memory, "notify"); err == nil {
			dir = d
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
		}
	}
	s, err := boltstore.Open(filepath.Join(dir, "events.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the storage: %v", err)
		}
	})
	return s
}

const (
	someStore  = 1003
	otherStore = 2004
)

// A bed is a storage, callbacks, and a log to look at.
type bed struct {
	storage   store.Backend
	callbacks []notify.Callback
	byStore   map[int64][]string // see notify.Route
	options   notify.Options
	log       *observer.ObservedLogs
}

func newBed(t testing.TB, callbacks ...notify.Callback) *bed {
	t.Helper()
	s := openStorage(t)
	core, log := observer.New(zapcore.DebugLevel)
	return &bed{
		storage: s, callbacks: callbacks, log: log,
		options: notify.Options{Storage: s, Callbacks: callbacks, Logger: zap.New(core)},
	}
}

// callbackTo is a callback with short retries.
func callbackTo(url string) notify.Callback {
	return notify.Callback{
		Name: "default", URL: url, Format: "standard", Timeout: 10 * time.Second, Concurrency: 4,
		Retry: notify.Retry{First: 10 * time.Millisecond, Longest: 50 * time.Millisecond, MaxAge: time.Hour},
	}
}

func named(c notify.Callback, name string) notify.Callback {
	c.Name = name
	return c
}

// version is the event that makes a version of an object.
func version(storeID int64, object string, v uint64) event.Event {
	e := event.Event{
		Type: event.OrderUpdated, Store: event.Store{ID: storeID, Name: "Flower shop"}, Resource: event.Orders,
		ObjectID: object, Time: time.Now(), DetectedAt: time.Now(), Version: v, Changes: []event.Change{},
		Raw: fmt.Appendf(nil, `{"id":%q,"total":%d}`, object, v),
	}
	if v == 1 {
		e.Type = event.OrderCreated
	}
	e.ID = event.NewID(event.Identity{
		StoreID: storeID, Resource: e.Resource, ObjectID: object, Type: e.Type, Version: v,
	})
	return e
}

// commit commits events of one store with their deliveries and returns them.
func (b *bed) commit(t testing.TB, events ...event.Event) []event.Event {
	t.Helper()
	cursor, err := b.storage.Cursor(t.Context(), events[0].Store.ID, event.Orders)
	if err != nil {
		t.Fatal(err)
	}
	set := &event.ChangeSet{Cursor: cursor, Base: cursor.Sequence, Events: events}
	route := notify.Route(b.callbacks, b.byStore)
	for i := range events {
		set.Cursor.Sequence++
		events[i].Sequence = set.Cursor.Sequence
		set.Deliveries = append(set.Deliveries, route(events[i])...)
	}
	if err := b.storage.Commit(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	return events
}

// commitObjects commits the first versions of that many objects of a store.
func (b *bed) commitObjects(t testing.TB, storeID int64, objects int) []event.Event {
	t.Helper()
	events := make([]event.Event, objects)
	for i := range events {
		events[i] = version(storeID, fmt.Sprintf("N%06d", i), 1)
	}
	return b.commit(t, events...)
}

func (b *bed) dispatcher(t testing.TB) *notify.Dispatcher {
	t.Helper()
	d, err := notify.NewDispatcher(b.options)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// start runs a dispatcher and returns it with what stops it and waits for its end.
// The end of the test does so too.
func (b *bed) start(t testing.TB) (*notify.Dispatcher, func()) {
	t.Helper()
	d := b.dispatcher(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return d, stop
}

func (b *bed) drain(t testing.TB) {
	t.Helper()
	if err := b.dispatcher(t).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// delivery returns the delivery of an event for the first callback.
func (b *bed) delivery(t testing.TB, e event.Event) (event.Delivery, []event.Attempt) {
	t.Helper()
	d, attempts, err := b.storage.Delivery(t.Context(), b.callbacks[0].Name, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d, attempts
}

func (b *bed) checkState(t testing.TB, e event.Event, want event.DeliveryState, attempts int) {
	t.Helper()
	d, _ := b.delivery(t, e)
	if d.State != want || d.Attempts != attempts {
		t.Errorf("delivery of version %d of %s: %s after %d attempts, want %s after %d",
			e.Version, e.ObjectID, d.State, d.Attempts, want, attempts)
	}
}

// checkDelivered checks that the callback at that place has accepted an event.
func (b *bed) checkDelivered(t testing.TB, place int, e event.Event) {
	t.Helper()
	d, _, err := b.storage.Delivery(t.Context(), b.callbacks[place].Name, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d.State != event.Delivered {
		t.Errorf("delivery of %s for %s: %s, want it delivered", e.ObjectID, d.Callback, d.State)
	}
}

// awaitDelivered waits until a callback has received everything.
func (b *bed) awaitDelivered(t testing.TB, callback string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		backlog, err := b.storage.Backlog(t.Context(), callback)
		if err != nil {
			t.Fatal(err)
		}
		if backlog.Pending == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %d deliveries pending for %s after a minute", backlog.Pending, callback)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A responder answers requests in memory, so that time can be simulated.
type responder func(r *http.Request) (*http.Response, error)

func (f responder) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return f(r)
}

func answer(status int, header ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("seen"))}
}

// sleep waits as a slow receiver does: until the request is given up.
func sleep(r *http.Request, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
