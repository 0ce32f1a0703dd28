// Package storetest is the suite that every storage passes: each promise of
// store.Backend as a named test.
//
// It also makes the orders and change sets that storages are measured with, and
// runs a storage in a process that is killed (Work, Verify).
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// Run runs the suite. create makes a fresh, empty storage and returns what opens
// it: first as it is, and after each Close again with what was committed.
//
// The random tests print their seed; STORETEST_SEED sets it.
func Run(t *testing.T, create func(t *testing.T) (open func() store.Backend)) {
	groups := map[string]map[string]func(*testing.T, *storage){
		"Commit": commitTests, "Snapshots": snapshotTests, "Deliveries": deliveryTests,
		"Record": recordTests, "Prune": pruneTests, "Events": eventTests, "Listing": listingTests,
		"Replay": replayTests, "Move": moveTests, "Drop": dropTests, "Forget": forgetTests, "Pause": pauseTests, "Whole": wholeTests,
	}
	for group, tests := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					open := create(t)
					s := &storage{Backend: open(), t: t, open: open}
					t.Cleanup(s.close)
					test(t, s)
				})
			}
		})
	}
}

// A storage is an open backend under test. Its methods fail the test.
type storage struct {
	store.Backend
	t    *testing.T
	open func() store.Backend
}

func (s *storage) close() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Errorf("Close: %v", err)
	}
}

func (s *storage) reopen() {
	s.t.Helper()
	s.close()
	s.Backend = s.open()
}

func (s *storage) commit(set *event.ChangeSet) {
	s.t.Helper()
	if err := s.Commit(s.t.Context(), set); err != nil {
		s.t.Fatalf("Commit: %v", err)
	}
}

func (s *storage) record(results ...event.Result) {
	s.t.Helper()
	if err := s.Record(s.t.Context(), results); err != nil {
		s.t.Fatalf("Record: %v", err)
	}
}

func (s *storage) due(q event.DueQuery) ([]event.Delivery, time.Time) {
	s.t.Helper()
	due, next, err := s.Due(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("Due: %v", err)
	}
	return due, next
}

// wantDue checks which objects' deliveries for the callback "a" are due.
func (s *storage) wantDue(storeID int64, now time.Time, objectIDs ...string) {
	s.t.Helper()
	due, _ := s.due(event.DueQuery{Callback: "a", StoreID: storeID, Now: now, Limit: 100})
	var got []string
	for _, delivery := range due {
		got = append(got, delivery.ObjectID)
	}
	equal(s.t, "objects that are due", got, objectIDs)
}

func (s *storage) backlog(callback string) event.Backlog {
	s.t.Helper()
	backlog, err := s.Backlog(s.t.Context(), callback)
	if err != nil {
		s.t.Fatalf("Backlog: %v", err)
	}
	return backlog
}

func (s *storage) delivery(callback, eventID string) (event.Delivery, []event.Attempt) {
	s.t.Helper()
	delivery, attempts, err := s.Delivery(s.t.Context(), callback, eventID)
	if err != nil {
		s.t.Fatalf("Delivery: %v", err)
	}
	return delivery, attempts
}

func (s *storage) snapshots(storeID int64, ids ...string) map[string]event.Snapshot {
	s.t.Helper()
	found, err := s.SnapshotsByID(s.t.Context(), storeID, event.Orders, ids)
	if err != nil {
		s.t.Fatalf("SnapshotsByID: %v", err)
	}
	return found
}

func (s *storage) known(storeID int64) int {
	s.t.Helper()
	known, err := s.Known(s.t.Context(), storeID, event.Orders)
	if err != nil {
		s.t.Fatalf("Known: %v", err)
	}
	return known
}

func (s *storage) cursor(storeID int64) event.Cursor {
	s.t.Helper()
	cursor, err := s.Cursor(s.t.Context(), storeID, event.Orders)
	if err != nil {
		s.t.Fatalf("Cursor: %v", err)
	}
	return cursor
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// at is a time that is n seconds into the tests.
func at(n int) time.Time {
	return time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// randomSource returns a source whose seed is printed, and can be set.
func randomSource(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("STORETEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("STORETEST_SEED: %v", err)
		}
	}
	t.Logf("STORETEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// A shop makes the change sets of one store, one after the other.
type shop struct {
	id       int64
	sequence uint64
	versions map[string]uint64
}

func newShop(id int64) *shop { return &shop{id: id, versions: map[string]uint64{}} }

// change returns a set in which each of the objects changes once, detected now,
// with a delivery for each callback that is due at once. An object may be named
// several times.
func (s *shop) change(now time.Time, callbacks []string, objectIDs ...string) *event.ChangeSet {
	set := &event.ChangeSet{Base: s.sequence}
	for _, id := range objectIDs {
		s.versions[id]++
		s.sequence++
		set.Snapshots = append(set.Snapshots, s.snapshot(id))
		e := s.event(id, s.sequence, now)
		set.Events = append(set.Events, e)
		for _, callback := range callbacks {
			set.Deliveries = append(set.Deliveries, event.Delivery{
				Callback: callback, EventID: e.ID, StoreID: s.id, Resource: e.Resource, ObjectID: id,
				OrderingKey: fmt.Sprint(s.id, "/", id), Format: "standard",
				Payload: event.Full, State: event.Pending, NextAttempt: now,
			})
		}
	}
	set.Cursor = event.Cursor{
		StoreID: s.id, Resource: event.Orders, API: "v3", ReadTo: now, Began: at(0), Sequence: s.sequence,
		Sweep: event.Sweep{Through: now, Objects: len(set.Snapshots), Done: true}, Reconciled: now,
	}
	return set
}

func (s *shop) snapshot(id string) event.Snapshot {
	return event.Snapshot{
		ObjectID: id, Version: s.versions[id], Created: at(0), Updated: at(0),
		Raw: fmt.Appendf(nil, `{"id":%q, "version": %d}`, id, s.versions[id]),
	}
}

func (s *shop) event(id string, sequence uint64, now time.Time) event.Event {
	kind := event.OrderUpdated
	if s.versions[id] == 1 {
		kind = event.OrderCreated
	}
	return event.Event{
		ID: event.NewID(event.Identity{
			StoreID: s.id, Resource: event.Orders, ObjectID: id, Type: kind, Version: s.versions[id],
		}),
		Type: kind, Store: event.Store{ID: s.id, Name: "Flower shop", Tags: []string{"eu"}},
		Resource: event.Orders, ObjectID: id, Time: now, DetectedAt: now,
		Sequence: sequence, Version: s.versions[id], Changes: []event.Change{},
		Raw: fmt.Appendf(nil, `{"id":%q, "version": %d}`, id, s.versions[id]),
	}
}

// result is the result of one attempt at a delivery.
func result(d event.Delivery, now time.Time, state event.DeliveryState, next time.Time) event.Result {
	r := event.Result{Callback: d.Callback, Position: d.Position, State: state, NextAttempt: next}
	r.Attempt = event.Attempt{Number: d.Attempts + 1, Time: now, Duration: 20 * time.Millisecond, Status: 503, Error: "status"}
	if state == event.Delivered {
		r.Attempt.Status, r.Attempt.Error = 200, ""
	}
	return r
}

// listed returns a delivery as a list has it: with why its last attempt failed.
func (s *storage) listed(d event.Delivery) event.Delivery {
	s.t.Helper()
	_, attempts := s.delivery(d.Callback, d.EventID)
	if n := len(attempts); n > 0 && d.State != event.Delivered && attempts[n-1].Error != "" {
		a := attempts[n-1]
		d.Failure = &event.Failure{Time: a.Time, Status: a.Status, Error: a.Error, Detail: a.Detail}
	}
	return d
}

// Page returns the change set of a poll that finds n new orders of a store: those
// that Order makes of first and the numbers behind it. Where callbacks are named,
// each order has an event with a delivery for each of them, due at its creation.
func Page(random *rand.Rand, storeID int64, base uint64, first, n int, callbacks ...string) *event.ChangeSet {
	set := &event.ChangeSet{Base: base}
	set.Cursor = event.Cursor{StoreID: storeID, Resource: event.Orders, Sequence: base}
	for i := first; i < first+n; i++ {
		snapshot := event.Snapshot{
			ObjectID: ObjectID(i), InternalID: InternalID(i), Version: 1,
			Created: firstOrder.Add(time.Duration(i) * 97 * time.Second), Raw: Order(random, i),
		}
		snapshot.Updated = snapshot.Created
		set.Snapshots = append(set.Snapshots, snapshot)
		if len(callbacks) == 0 {
			continue
		}
		set.Cursor.Sequence++
		e := event.Event{
			Type: event.OrderCreated, Store: event.Store{ID: storeID, Name: "Flower shop"}, Resource: event.Orders,
			ObjectID: snapshot.ObjectID, InternalID: snapshot.InternalID, Time: snapshot.Created, DetectedAt: snapshot.Created,
			Sequence: set.Cursor.Sequence, Version: 1, Changes: []event.Change{}, Raw: snapshot.Raw,
		}
		e.ID = event.NewID(event.Identity{StoreID: storeID, Resource: event.Orders, ObjectID: e.ObjectID, Type: e.Type, Version: 1})
		set.Events = append(set.Events, e)
		for _, callback := range callbacks {
			set.Deliveries = append(set.Deliveries, event.Delivery{
				Callback: callback, EventID: e.ID, StoreID: storeID, Resource: event.Orders, ObjectID: e.ObjectID,
				OrderingKey: fmt.Sprint(storeID, "/", e.ObjectID), Format: "standard",
				Payload: event.Full, State: event.Pending, NextAttempt: e.Time,
			})
		}
	}
	return set
}

// canceled is a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
