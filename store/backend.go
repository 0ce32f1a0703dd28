// Package store is the contract between ecwid-events and the storage it runs on.
//
// Storage holds, for every store and resource, the snapshots of its objects and
// the cursor; and, for all of them together, the events and their deliveries.
// Package boltstore implements the contract on an embedded database; package
// storetest is the suite that every implementation passes.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var (
	// ErrConflict is returned by Commit when the change set was built on another
	// state than the storage holds: somebody else committed for the same store.
	ErrConflict = errors.New("storage has moved on since the change set was built")

	// ErrLocked is returned on opening when another process holds the storage.
	ErrLocked = errors.New("storage is in use by another process")

	// ErrForeign is returned on opening what was not written by ecwid-events.
	ErrForeign = errors.New("not a storage of ecwid-events")

	// ErrNewer is returned on opening a storage that a newer version wrote.
	ErrNewer = errors.New("storage was written by a newer version of ecwid-events")

	// ErrCorrupt is returned when what is stored cannot be read back.
	ErrCorrupt = errors.New("storage is damaged")
)

// Backend is a storage. Its methods may be called concurrently. What they return
// is the caller's to keep; what they are given is not kept. A method that fails
// has changed nothing, and may be called again.
type Backend interface {
	// Cursor returns the cursor of a store's resource. Where nothing has been
	// committed yet it returns one with StoreID and Resource alone.
	Cursor(ctx context.Context, storeID int64, resource string) (event.Cursor, error)

	// SnapshotsByID returns the snapshots of those objects that have one, deleted
	// ones included, by object id.
	SnapshotsByID(ctx context.Context, storeID int64, resource string, ids []string) (map[string]event.Snapshot, error)

	// SnapshotsByInternalID is SnapshotsByID by Ecwid's internal number.
	SnapshotsByInternalID(ctx context.Context, storeID int64, resource string, ids []int64) (map[int64]event.Snapshot, error)

	// SnapshotsCreated returns, without Raw, the snapshots of living objects whose
	// Created is at or after q.From and before q.To: oldest first, those of the
	// same second by object id, at most q.Limit, beginning behind the object
	// (q.From, q.After) when q.After is not empty.
	SnapshotsCreated(ctx context.Context, storeID int64, resource string, q event.CreatedQuery) ([]event.Snapshot, error)

	// Known returns how many living objects of a store have a snapshot. It costs the
	// same however many there are.
	Known(ctx context.Context, storeID int64, resource string) (int, error)

	// Tombstones returns when those objects were deleted of which a tombstone is
	// held, by internal number.
	Tombstones(ctx context.Context, storeID int64, resource string, ids []int64) (map[int64]time.Time, error)

	// Commit makes the whole set durable, or nothing of it: snapshots, events,
	// deliveries, tombstones and cursor. When it returns nil the set outlives a
	// crash of the program and of the machine. It returns ErrConflict when the
	// set's Base is not the sequence that the storage holds.
	//
	// Commit sets Position on the set's Events and Deliveries.
	Commit(ctx context.Context, set *event.ChangeSet) error

	// PendingStores returns, for every store that has pending deliveries for the
	// callback, when the first of them may be attempted; zero: at once.
	PendingStores(ctx context.Context, callback string) (map[int64]time.Time, error)

	// Due returns deliveries of a callback and store that may be attempted at
	// q.Now: each the oldest pending one of its ordering key, those that have
	// waited longest first, at most q.Limit, without those that q.Skip names. It
	// also returns when the next one that it did not return may be attempted,
	// q.Skip's left out; zero when there is none.
	Due(ctx context.Context, q event.DueQuery) (due []event.Delivery, next time.Time, err error)

	// Event returns the event with that id, or event.ErrNotFound.
	Event(ctx context.Context, id string) (event.Event, error)

	// EventAt returns the event at that position, or event.ErrNotFound. It is cheaper
	// than Event. No other event ever takes the position of one that was removed.
	EventAt(ctx context.Context, position uint64) (event.Event, error)

	// EventFrom returns the position of a store's first event with that sequence or a
	// later one, or event.ErrNotFound.
	EventFrom(ctx context.Context, storeID int64, sequence uint64) (position uint64, err error)

	// Events returns events in the order of their positions, or against it when
	// q.Newest is set. It looks at a bounded number of them a call, so it may return
	// fewer than q.Limit, or none, though more follow. next is the q.After of the
	// following call, also when the end is reached and events may be added later:
	// the position of the last event looked at, or q.After when there was none. more
	// tells that the end is not reached.
	Events(ctx context.Context, q event.HistoryQuery) (events []event.Event, next uint64, more bool, err error)

	// LastPosition returns the highest position that an event ever had, 0 before the
	// first one. The event itself may have been removed since.
	LastPosition(ctx context.Context) (uint64, error)

	// Record makes the results durable together. A result for a delivery that is
	// not pending any more adds its attempt and changes no state. When there is no
	// such delivery at all it returns event.ErrNotFound and records none of them.
	Record(ctx context.Context, results []event.Result) error

	// Delivery returns the delivery of an event for a callback with its attempts,
	// oldest first, or event.ErrNotFound.
	Delivery(ctx context.Context, callback, eventID string) (event.Delivery, []event.Attempt, error)

	// Deliveries lists deliveries as Events lists events, those that are pending or
	// dead with their Failure.
	Deliveries(ctx context.Context, q event.DeliveryQuery) (deliveries []event.Delivery, next uint64, more bool, err error)

	// Replay makes deliveries pending again, all of them or none. Each names its
	// callback and event, and how it is to be sent when the callback has no delivery
	// of the event yet. One that was delivered, or is dead, keeps its format, payload
	// and attempts, takes OrderingKey, NextAttempt and Manual from the argument, and
	// counts its age and refusals anew. One that is pending stays as it is. When there
	// is no such event it returns event.ErrNotFound. It returns how many became pending.
	Replay(ctx context.Context, deliveries []event.Delivery) (replayed int, err error)

	// Move gives at most limit pending and dead deliveries of one callback to
	// another, with their attempts, and returns how many: fewer than limit when none
	// is left. What the other has already stays as it is there.
	Move(ctx context.Context, from, to string, limit int) (moved int, err error)

	// Drop removes at most limit deliveries of a callback in that state, which is not
	// Delivered, with their attempts, and returns how many.
	Drop(ctx context.Context, callback string, state event.DeliveryState, limit int) (dropped int, err error)

	// Pauses returns all pauses, those of callbacks first, by name, then those of
	// stores, by id.
	Pauses(ctx context.Context) ([]event.Pause, error)

	// Pause makes a pause durable. One that is there already stays as it is.
	Pause(ctx context.Context, p event.Pause) error

	// Resume ends the pause of a callback, or of a store when callback is empty. It
	// returns event.ErrNotFound when there is none.
	Resume(ctx context.Context, callback string, storeID int64) error

	// Callbacks returns the names of all callbacks that ever had a delivery.
	Callbacks(ctx context.Context) ([]string, error)

	// Backlog counts what a callback still has to receive. It costs the same
	// however much that is.
	Backlog(ctx context.Context, callback string) (event.Backlog, error)

	// Prune removes events that every callback is done with: those detected
	// before q.DeliveredBefore that have no pending and no dead delivery, and
	// dead deliveries last attempted before q.DeadBefore. It removes at most
	// q.Limit events a call, so that it never holds up other writers for long,
	// and returns how many it removed and where the next call goes on. With the
	// event of an object's deletion goes the Raw of its snapshot, unless the object
	// has come back since.
	Prune(ctx context.Context, q event.PruneQuery) (removed int, next uint64, err error)

	// Forget erases one object together: its snapshot, its events, and their
	// deliveries in any state with their attempts. Other objects' deliveries that
	// waited for one of them come forward. The sequences of the events stay vacant,
	// and the cursor stays: an object that still exists is new to the next poll
	// that reads it. Of a deleted one with an internal number a tombstone is left,
	// so that a late answer does not make it new. Where nothing is held of the
	// object, nothing is written.
	Forget(ctx context.Context, storeID int64, resource, objectID string) (event.Forgotten, error)

	// Close releases the storage. It waits for calls that are under way.
	Close() error
}
