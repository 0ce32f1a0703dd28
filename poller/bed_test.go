package poller

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

const (
	testStore  = 1003
	testToken  = "secret_sesame"
	testSecret = "sesame"
)

// TestMain uses the storage once before any bubble does: the compressor makes its
// channels at its first use, and those of one bubble are of no use in another.
func TestMain(m *testing.M) {
	if err := warmUp(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func warmUp() (err error) {
	dir, err := os.MkdirTemp("", "poller")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := boltstore.Open(filepath.Join(dir, "db"), boltstore.Options{})
	if err != nil {
		return err
	}
	raw := []byte(`{"id":"A","text":"` + string(make([]byte, 4096)) + `"}`)
	set := event.ChangeSet{
		Cursor:    event.Cursor{StoreID: 1, Resource: event.Orders},
		Snapshots: []event.Snapshot{{ObjectID: "A", Version: 1, Raw: raw}},
	}
	commitErr := db.Commit(context.Background(), &set)
	_, readErr := db.SnapshotsByID(context.Background(), 1, event.Orders, []string{"A"})
	return errors.Join(commitErr, readErr, db.Close())
}

// storageDir is a directory for a storage file, in memory where the machine has
// such a place: what is tested here does not depend on the disk.
func storageDir(t testing.TB) string {
	t.Helper()
	const memory = "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "poller")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A journal is a storage that keeps what was committed to it, and fails where it
// is told to.
type journal struct {
	*boltstore.DB
	path string

	mu sync.Mutex
	// refuse, unless nil, is asked before each Commit; its error is Commit's. lose
	// is asked when the set is durable.
	refuse func(*event.ChangeSet) error
	lose   func() error
	sets   []event.ChangeSet
	events []event.Event
}

func (j *journal) Commit(ctx context.Context, set *event.ChangeSet) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuse != nil {
		if err := j.refuse(set); err != nil {
			return err
		}
	}
	if err := j.DB.Commit(ctx, set); err != nil {
		return err
	}
	j.sets = append(j.sets, *set)
	j.events = append(j.events, set.Events...)
	if j.lose != nil {
		return j.lose()
	}
	return nil
}

// told counts the events that were committed.
func (j *journal) told() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.events)
}

func openJournal(t testing.TB) *journal {
	t.Helper()
	path := filepath.Join(storageDir(t), "db")
	db, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &journal{DB: db, path: path}
}

// A bed is a fake Ecwid with one shop, a storage, and the poller between them. It
// is used within a bubble.
type bed struct {
	testing.TB
	server  *ecwidtest.Server
	shop    *ecwidtest.Shop
	storage *journal
	store   Store
	logs    *observer.ObservedLogs
	poller  *Poller
	told    []int64 // stores of commits with deliveries
}

// A bedOption changes a bed before its poller is made.
type bedOption func(*bed)

func legacyAPI(b *bed) { b.store.Source = b.client(testSecret, b.server.Transport()) }

func startAt(s Start) bedOption { return func(b *bed) { b.store.Start = s } }

func reconcileEvery(spec string) bedOption {
	return func(b *bed) { b.store.Reconcile = mustSchedule(b, spec) }
}

// pagesOf makes Ecwid give at most n objects a page.
func pagesOf(n int) bedOption {
	return func(b *bed) {
		b.store.Source = b.client(testToken, smallPages{b.server.Transport(), n})
	}
}

func newBed(t testing.TB, options ...bedOption) *bed {
	t.Helper()
	b := &bed{TB: t, server: ecwidtest.NewServer(ecwidtest.Options{Seed: 1}), storage: openJournal(t)}
	b.shop = b.server.AddShop(ecwidtest.ShopOptions{ID: testStore, Token: testToken, LegacySecret: testSecret})
	b.store = Store{
		Store:    event.Store{ID: testStore, Name: "Flower shop", Tags: []string{"eu"}},
		Source:   b.client(testToken, b.server.Transport()),
		Schedule: mustSchedule(t, "5m"), Start: Start{Sweep: true}, Overlap: 5 * time.Minute,
	}
	for _, o := range options {
		o(b)
	}
	b.restart()
	return b
}

// restart makes a new poller on the same storage, as after a kill.
func (b *bed) restart() {
	b.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	b.logs = logs
	b.poller = mustPoller(b, Options{
		Stores: []Store{b.store}, Storage: b.storage, MaxConcurrent: 1, Logger: zap.New(core),
		Route: routeToOne, Committed: func(id int64) { b.told = append(b.told, id) },
	})
}

func (b *bed) client(secret string, transport http.RoundTripper) *ecwid.Client {
	b.Helper()
	client, err := ecwid.NewClient(ecwid.Options{
		StoreID: testStore, Secret: secret, Transport: transport,
		Limiter: ecwid.NewLimiters().For(secret, 0, ecwid.DetectAPI(secret)),
	})
	if err != nil {
		b.Fatal(err)
	}
	return client
}

func mustPoller(t testing.TB, o Options) *Poller {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustSchedule(t testing.TB, spec string) Schedule {
	t.Helper()
	s, err := ParseSchedule(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// routeToOne makes one delivery of an event.
func routeToOne(e event.Event) []event.Delivery {
	return []event.Delivery{{
		Callback: "default", EventID: e.ID, StoreID: e.Store.ID, Resource: e.Resource, ObjectID: e.ObjectID,
		OrderingKey: e.ObjectID, Format: "standard", State: event.Pending, NextAttempt: e.DetectedAt,
	}}
}

// poll runs one poll and returns the events that it brought.
func (b *bed) poll() []event.Event {
	b.Helper()
	events, err := b.tryPoll()
	if err != nil {
		b.Fatal(err)
	}
	return events
}

func (b *bed) tryPoll() ([]event.Event, error) {
	before := len(b.storage.events)
	err := errors.Join(b.poller.Once(b.Context(), false)...)
	return b.storage.events[before:], err
}

// wait lets time pass, far more than the second in which stamps are told apart.
func (b *bed) wait() { time.Sleep(time.Minute) }

// expect polls and holds the events, in any order, against lines such as "created
// EBJFT".
func (b *bed) expect(want ...string) {
	b.Helper()
	if diff := cmp.Diff(sorted(want), sorted(lines(b.poll()))); diff != "" {
		b.Errorf("events (-want +got):\n%s", diff)
	}
}

func lines(events []event.Event) []string {
	var list []string
	for _, e := range events {
		line := map[event.Type]string{
			event.OrderCreated: "created ", event.OrderUpdated: "updated ", event.OrderDeleted: "deleted ",
		}[e.Type] + e.ObjectID
		for _, c := range e.Changes {
			line += " " + c.Path
		}
		if e.Changes == nil {
			line += " from an unknown state"
		}
		list = append(list, line)
	}
	return list
}

func (b *bed) cursor() event.Cursor {
	b.Helper()
	c, err := b.storage.Cursor(b.Context(), testStore, event.Orders)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// snapshot returns what is known of an order; the zero Snapshot when nothing is.
func (b *bed) snapshot(id string) event.Snapshot {
	b.Helper()
	found, err := b.storage.SnapshotsByID(b.Context(), testStore, event.Orders, []string{id})
	if err != nil {
		b.Fatal(err)
	}
	return found[id]
}

// inBubble runs a test in a bubble of its own.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func set(name string, value any) func(map[string]any) {
	return func(order map[string]any) { order[name] = value }
}

// smallPages asks for no more than so many objects a page, as if Ecwid gave no
// more: what takes hundreds of orders elsewhere takes a few here.
type smallPages struct {
	http.RoundTripper
	most int
}

func (s smallPages) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	query := r.URL.Query()
	if query.Has("limit") && !query.Has("order") {
		query.Set("limit", strconv.Itoa(s.most))
		r.URL.RawQuery = query.Encode()
	}
	return s.RoundTripper.RoundTrip(r)
}

// bubbleStart is when the clock of a bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
