//go:build failpoints

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// failpointVariable names a point and when the program kills itself there: on
// reaching it for the third time with before-commit:3. With while-recording:3:800µs
// that is 800 µs after the third call has begun, and at the latest when it has done
// its work, before its caller knows.
const failpointVariable = "ECWID_EVENTS_FAILPOINT"

// The points. All that outlives the program goes through the storage, so that each
// step of its work lies between two calls of it.
const (
	afterFetch      = "after-fetch" // an answer of Ecwid was read
	beforeCommit    = "before-commit"
	whileCommitting = "while-committing"
	afterCommit     = "after-commit"
	beforePost      = "before-post" // the event of a due delivery was read
	afterPost       = "after-post"  // what came of the POST is about to be recorded
	whileRecording  = "while-recording"
	whilePruning    = "while-pruning"
)

var allPoints = []string{
	afterFetch, beforeCommit, whileCommitting, afterCommit, beforePost, afterPost, whileRecording, whilePruning,
}

// A mortal is a storage in whose calls the program kills itself.
type mortal struct {
	store.Backend
	point string
	after time.Duration
	left  atomic.Int64 // times that the point is reached until then
	death sync.Mutex   // held by whoever kills
}

// failpoints makes the storage mortal as the environment says. It panics on what it
// does not understand.
func failpoints(b store.Backend) store.Backend {
	spec, ok := os.LookupEnv(failpointVariable)
	if !ok {
		return b
	}
	m, err := parseFailpoint(spec)
	if err != nil {
		panic(fmt.Sprintf("%s=%s: %v", failpointVariable, spec, err))
	}
	m.Backend = b
	return m
}

func parseFailpoint(spec string) (*mortal, error) {
	point, times, _ := strings.Cut(spec, ":")
	times, after, timed := strings.Cut(times, ":")
	if !slices.Contains(allPoints, point) {
		return nil, fmt.Errorf("there is no such point, only %s", strings.Join(allPoints, ", "))
	}
	m := &mortal{point: point}
	n, err := strconv.Atoi(times)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%q is not a number from 1", times)
	}
	m.left.Store(int64(n))
	if timed != strings.HasPrefix(point, "while-") {
		return nil, errors.New("a duration belongs to the points named while, and to no others")
	}
	if timed {
		m.after, err = time.ParseDuration(after)
	}
	return m, err
}

// SnapshotsByID is called for the orders of an answer.
func (m *mortal) SnapshotsByID(ctx context.Context, storeID int64, resource string, ids []string) (map[string]event.Snapshot, error) {
	m.reach(afterFetch)
	return m.Backend.SnapshotsByID(ctx, storeID, resource, ids)
}

// SnapshotsByInternalID is called for the deletions of an answer.
func (m *mortal) SnapshotsByInternalID(ctx context.Context, storeID int64, resource string, ids []int64) (map[int64]event.Snapshot, error) {
	m.reach(afterFetch)
	return m.Backend.SnapshotsByInternalID(ctx, storeID, resource, ids)
}

func (m *mortal) Commit(ctx context.Context, set *event.ChangeSet) error {
	m.reach(beforeCommit)
	err := m.during(whileCommitting, func() error { return m.Backend.Commit(ctx, set) })
	m.reach(afterCommit)
	return err
}

// EventAt is called for each POST.
func (m *mortal) EventAt(ctx context.Context, position uint64) (event.Event, error) {
	e, err := m.Backend.EventAt(ctx, position)
	m.reach(beforePost)
	return e, err
}

func (m *mortal) Record(ctx context.Context, results []event.Result) error {
	m.reach(afterPost)
	return m.during(whileRecording, func() error { return m.Backend.Record(ctx, results) })
}

func (m *mortal) Prune(ctx context.Context, q event.PruneQuery) (removed int, next uint64, err error) {
	err = m.during(whilePruning, func() error {
		removed, next, err = m.Backend.Prune(ctx, q)
		return err
	})
	return removed, next, err
}

func (m *mortal) reach(point string) {
	if m.comesTo(point) {
		m.die("there")
	}
}

func (m *mortal) during(point string, call func() error) error {
	if !m.comesTo(point) {
		return call()
	}
	time.AfterFunc(m.after, func() { m.die("in its midst") })
	defer m.die("at its end")
	return call()
}

func (m *mortal) comesTo(point string) bool { return point == m.point && m.left.Add(-1) == 0 }

// die does not return.
func (m *mortal) die(where string) {
	m.death.Lock()
	_, _ = fmt.Fprintf(os.Stderr, "failpoint %s: killed %s\n", m.point, where)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("the program cannot kill itself: %v", err))
	}
	select {} // until the signal is here
}
