package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Event implements store.Backend.
func (d *DB) Event(ctx context.Context, id string) (event.Event, error) {
	var found event.Event
	err := d.glance(ctx, func(tx *bolt.Tx) (size int, err error) {
		position, err := eventPosition(tx, id)
		if err != nil {
			return 0, err
		}
		found, size, err = eventAt(tx, position)
		return size, err
	})
	if err != nil {
		return event.Event{}, fmt.Errorf("reading event %s: %w", id, err)
	}
	return found, nil
}

// EventAt implements store.Backend.
func (d *DB) EventAt(ctx context.Context, position uint64) (event.Event, error) {
	var found event.Event
	err := d.glance(ctx, func(tx *bolt.Tx) (size int, err error) {
		found, size, err = eventAt(tx, position)
		if size == 0 {
			return 0, event.ErrNotFound
		}
		return size, err
	})
	if err != nil {
		return event.Event{}, fmt.Errorf("reading the event at position %d: %w", position, err)
	}
	return found, nil
}

// eventAt returns an event with the size of its record, which is 0 where there is none.
func eventAt(tx *bolt.Tx, position uint64) (found event.Event, size int, err error) {
	record := tx.Bucket(eventsBucket).Get(number(position))
	found, err = encoding.DecodeEvent(record)
	found.Position = position
	return found, len(record), err
}

func eventPosition(tx *bolt.Tx, id string) (uint64, error) {
	return parsePosition(tx.Bucket(eventIDsBucket).Get(encoding.AppendEventID(nil, id)))
}

// parsePosition reads the value of an index of events. It is event.ErrNotFound
// when the index has no such value.
func parsePosition(value []byte) (uint64, error) {
	switch len(value) {
	case 0:
		return 0, event.ErrNotFound
	case positionSize:
		return binary.BigEndian.Uint64(value), nil
	}
	return 0, fmt.Errorf("%w: a position of %d bytes", store.ErrCorrupt, len(value))
}

// EventFrom implements store.Backend.
func (d *DB) EventFrom(ctx context.Context, storeID int64, sequence uint64) (position uint64, err error) {
	err = d.view(ctx, func(tx *bolt.Tx) error {
		key, value := tx.Bucket(sequencesBucket).Cursor().Seek(sequenceKey(storeID, sequence))
		if !bytes.HasPrefix(key, storeKey(storeID)) {
			return event.ErrNotFound
		}
		position, err = parsePosition(value)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading event %d of store %d: %w", sequence, storeID, err)
	}
	return position, nil
}

// LastPosition implements store.Backend.
func (d *DB) LastPosition(ctx context.Context) (position uint64, err error) {
	err = d.view(ctx, func(tx *bolt.Tx) error {
		position = tx.Bucket(eventsBucket).Sequence()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("reading the last position: %w", err)
	}
	return position, nil
}

// Events implements store.Backend. The events of one store are found without
// looking at those of the others.
func (d *DB) Events(
	ctx context.Context, q event.HistoryQuery,
) (events []event.Event, next uint64, more bool, err error) {
	if err := checkLimit(q.Limit); err != nil {
		return nil, 0, false, fmt.Errorf("listing events: %w", err)
	}
	err = d.view(ctx, func(tx *bolt.Tx) error {
		l := listing{tx: tx, query: q}
		next, more, err = l.run()
		events = l.events
		return err
	})
	if err != nil {
		return nil, 0, false, fmt.Errorf("listing events: %w", err)
	}
	return events, next, more, nil
}

// A listing is one call of Events.
type listing struct {
	tx     *bolt.Tx
	query  event.HistoryQuery
	events []event.Event
}

func (l *listing) run() (next uint64, more bool, err error) {
	q := l.query
	events := l.tx.Bucket(eventsBucket)
	if q.StoreID == 0 {
		s := scan{cursor: events.Cursor(), after: q.After, newest: q.Newest, limit: q.Limit}
		return s.run(q.After, l.look)
	}
	s := scan{
		cursor: l.tx.Bucket(sequencesBucket).Cursor(), prefix: storeKey(q.StoreID), newest: q.Newest, limit: q.Limit,
	}
	if q.After != 0 {
		sequence, err := firstSequence(s.cursor, s.prefix, func(position uint64) bool {
			return position > q.After || q.Newest && position == q.After
		})
		if err != nil {
			return 0, false, err
		}
		if s.after = sequence; !q.Newest {
			s.after-- // the scan begins behind it
		}
	}
	return s.run(q.After, func(_, value []byte) (uint64, int, error) {
		return l.look(value, events.Get(value))
	})
}

// look takes the event at a position when the query asks for it. It returns how
// large it is.
func (l *listing) look(key, record []byte) (position uint64, took int, err error) {
	if position, err = parsePosition(key); err != nil {
		return 0, 0, err
	}
	if record == nil {
		return 0, 0, fmt.Errorf("%w: an index names an event that is not there", store.ErrCorrupt)
	}
	header, err := encoding.DecodeEventHeader(record)
	if err != nil || !l.wants(&header) {
		return position, 0, err
	}
	e, err := encoding.DecodeEvent(record)
	if err != nil {
		return 0, 0, err
	}
	e.Position = position
	l.events = append(l.events, e)
	return position, len(record) + len(e.Raw), nil
}

func (l *listing) wants(e *event.Event) bool {
	q := &l.query
	switch {
	case q.StoreID != 0 && e.Store.ID != q.StoreID,
		q.Type != "" && e.Type != q.Type,
		q.ObjectID != "" && e.ObjectID != q.ObjectID,
		!q.From.IsZero() && e.DetectedAt.Before(q.From),
		!q.To.IsZero() && !e.DetectedAt.Before(q.To):
		return false
	}
	return true
}

// firstSequence returns the smallest sequence of a store, whose keys begin with
// prefix, from which on the positions of the events are far enough. It is one more
// than the last sequence when none is, and 1 when the store has no event. A store's
// positions grow with its sequences.
func firstSequence(cursor *bolt.Cursor, prefix []byte, far func(position uint64) bool) (uint64, error) {
	s := scan{cursor: cursor, prefix: prefix, newest: true}
	last, _ := s.first()
	if last == nil {
		return 1, nil
	}
	low, high := uint64(1), binary.BigEndian.Uint64(last[storeSize:])+1
	for low < high {
		middle := low + (high-low)/2
		// Where sequences have been pruned, this is the next one. There is one: the
		// last is not below middle.
		_, value := cursor.Seek(appendNumber(bytes.Clone(prefix), middle))
		position, err := parsePosition(value)
		if err != nil {
			return 0, err
		}
		if far(position) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, nil
}
