package poller

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// A verdict says what an answer about an object means.
type verdict int

const (
	same     verdict = iota // nothing new
	stale                   // older than what is known
	doubtful                // another content that the stamps do not put in order
	learned                 // remember it, announce nothing
	changed                 // remember and announce it
)

// A finding is a verdict with the snapshot it leads to and, when the object has
// changed, the event. The event lacks what only the tracker knows: its sequence,
// its store and the time of detection.
type finding struct {
	verdict  verdict
	snapshot event.Snapshot
	event    event.Event
}

// A judge decides what an answer means. It is pure: the outcome depends on its
// fields and arguments alone.
type judge struct {
	storeID int64
	ignore  Ignore
	// began and swept are the cursor's: see firstSight.
	began time.Time
	swept bool
	// since is the start of the update window that was asked for; zero when the
	// answer came from reading everything.
	since time.Time
	// certain tells that the answer came from reading the object itself, which
	// does not lag.
	certain bool
}

// known judges an answer about an object that has a snapshot.
func (j judge) known(o event.Object, last event.Snapshot) (finding, error) {
	if !last.Deleted.IsZero() {
		return j.deleted(o, last)
	}
	if bytes.Equal(o.Raw, last.Raw) {
		return finding{}, nil
	}
	if !o.Updated.IsZero() && o.Updated.Before(last.Updated) {
		return finding{verdict: stale}, nil
	}
	changes, err := Diff(last.Raw, o.Raw, j.ignore)
	if err != nil {
		return finding{}, fmt.Errorf("comparing order %s: %w", o.ID, err)
	}
	newer := o.Updated.After(last.Updated)
	if len(changes) == 0 {
		if !newer {
			return finding{}, nil
		}
		return finding{verdict: learned, snapshot: snapshotOf(o, last.Version)}, nil
	}
	if !newer && !j.certain {
		return finding{verdict: doubtful}, nil
	}
	return j.announce(event.OrderUpdated, o, last, changes)
}

// deleted judges an answer about an object that was deleted. Only the object itself
// proves that it lives again: a later stamp may be of a life that has ended since,
// or of before a deletion whose time is not known exactly.
func (j judge) deleted(o event.Object, last event.Snapshot) (finding, error) {
	switch {
	case j.certain:
		j.since = last.Deleted // its life begins there, not with its creation stamp
		return j.announce(event.OrderCreated, o, event.Snapshot{Version: last.Version}, []event.Change{})
	case o.Updated.Before(last.Deleted):
		return finding{verdict: stale}, nil
	default:
		return finding{verdict: doubtful}, nil
	}
}

// unknown judges an answer about an object that has no snapshot. buried is when
// it was deleted, as far as that is known.
func (j judge) unknown(o event.Object, buried time.Time) (finding, error) {
	switch {
	case buried.IsZero(), j.certain, o.Updated.After(buried):
		return j.firstSight(o)
	case o.Updated.Equal(buried):
		return finding{verdict: doubtful}, nil
	default:
		return finding{verdict: stale}, nil
	}
}

// firstSight tells a new object from an old one that was not read before. Once
// everything has been read, what is unknown is new, however old its creation
// stamp: it was unfinished until now. Until then the stamps decide; the update
// stamp first, since the zone of a legacy creation stamp is not certain.
func (j judge) firstSight(o event.Object) (finding, error) {
	created := !o.Created.Before(j.began)
	updated := !o.Updated.Before(j.began)
	if o.Updated.IsZero() {
		updated = created || !j.since.IsZero()
	}
	if !j.swept {
		j.since = time.Time{} // nobody has looked before: it need not have been unfinished
	}
	switch {
	case j.swept, created && updated, j.began.Equal(oldest):
		return j.announce(event.OrderCreated, o, event.Snapshot{}, []event.Change{})
	case updated:
		return j.announce(event.OrderUpdated, o, event.Snapshot{}, nil)
	default:
		return finding{verdict: learned, snapshot: snapshotOf(o, 1)}, nil
	}
}

// vanished returns the deletion of a living object.
func (j judge) vanished(last event.Snapshot, at time.Time) (finding, error) {
	before, err := Digest(last.Raw)
	if err != nil {
		return finding{}, fmt.Errorf("digesting order %s: %w", last.ObjectID, err)
	}
	gone := last
	gone.Version++
	gone.Deleted = at
	return finding{verdict: changed, snapshot: gone, event: j.mint(event.OrderDeleted, gone, at, []event.Change{}, before, [sha256.Size]byte{})}, nil
}

func (j judge) announce(typ event.Type, o event.Object, last event.Snapshot, changes []event.Change) (finding, error) {
	var before [sha256.Size]byte
	if last.Raw != nil {
		var err error
		if before, err = Digest(last.Raw); err != nil {
			return finding{}, fmt.Errorf("digesting the snapshot of order %s: %w", o.ID, err)
		}
	}
	after, err := Digest(o.Raw)
	if err != nil {
		return finding{}, fmt.Errorf("digesting order %s: %w", o.ID, err)
	}
	now := snapshotOf(o, last.Version+1)
	return finding{verdict: changed, snapshot: now, event: j.mint(typ, now, j.happened(typ, o), changes, before, after)}, nil
}

func (j judge) mint(typ event.Type, s event.Snapshot, at time.Time, changes []event.Change, before, after [sha256.Size]byte) event.Event {
	return event.Event{
		ID: event.NewID(event.Identity{
			StoreID: j.storeID, Resource: event.Orders, ObjectID: s.ObjectID,
			Type: typ, Version: s.Version, Old: before, New: after,
		}),
		Type: typ, Resource: event.Orders, ObjectID: s.ObjectID, InternalID: s.InternalID,
		Time: at, Version: s.Version, Changes: changes, Raw: s.Raw,
	}
}

// happened is when what was found happened, by Ecwid's stamps. A creation is
// stamped by its creation, unless that lies before the window that was asked for:
// then the order was unfinished, or deleted, until its update.
func (j judge) happened(typ event.Type, o event.Object) time.Time {
	created := typ == event.OrderCreated && !o.Created.IsZero() && !o.Created.Before(j.since)
	if created || o.Updated.IsZero() {
		return o.Created
	}
	return o.Updated
}

func snapshotOf(o event.Object, version uint64) event.Snapshot {
	return event.Snapshot{
		ObjectID: o.ID, InternalID: o.InternalID, Version: version,
		Created: o.Created, Updated: o.Updated, Raw: o.Raw,
	}
}
