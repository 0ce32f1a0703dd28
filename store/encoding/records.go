package encoding

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/ecwid-events/ecwid-events/event"
)

// EncodeSnapshot returns the record of a snapshot. It fails only with
// ErrTooLarge.
func EncodeSnapshot(s *event.Snapshot) ([]byte, error) {
	b := make([]byte, 0, 64+len(s.ObjectID)+len(s.Raw)/4)
	b = appendText(append(b, snapshotVersion), s.ObjectID)
	b = binary.AppendVarint(b, s.InternalID)
	b = binary.AppendUvarint(b, s.Version)
	b = appendTime(b, s.Created)
	b = appendTime(b, s.Updated)
	b = appendTime(b, s.Deleted)
	b, err := appendCompressed(b, s.Raw)
	if err != nil {
		return nil, fmt.Errorf("storing object %q: %w", s.ObjectID, err)
	}
	return seal(b), nil
}

// DecodeSnapshot reads the record of a snapshot.
func DecodeSnapshot(record []byte) (event.Snapshot, error) {
	s, r, err := snapshotFields(record)
	if err != nil {
		return event.Snapshot{}, err
	}
	if s.Raw, err = r.decompress(); err != nil {
		return event.Snapshot{}, fmt.Errorf("snapshot of object %q: %w", s.ObjectID, err)
	}
	return s, nil
}

// DecodeSnapshotHeader is DecodeSnapshot without Raw, which it does not
// decompress.
func DecodeSnapshotHeader(record []byte) (event.Snapshot, error) {
	s, _, err := snapshotFields(record)
	return s, err
}

func snapshotFields(record []byte) (event.Snapshot, *reader, error) {
	_, r, err := unseal(record, snapshotVersion)
	if err != nil {
		return event.Snapshot{}, nil, fmt.Errorf("snapshot: %w", err)
	}
	s := event.Snapshot{
		ObjectID:   r.text(),
		InternalID: r.varint(),
		Version:    r.uvarint(),
		Created:    r.time(),
		Updated:    r.time(),
		Deleted:    r.time(),
	}
	if r.broken {
		return event.Snapshot{}, nil, r.finish("snapshot")
	}
	return s, r, nil
}

// EncodeEvent returns the record of an event without its Position. It fails only
// with ErrTooLarge.
func EncodeEvent(e *event.Event) ([]byte, error) {
	b := make([]byte, 0, 256+len(e.Raw)/4)
	b = AppendEventID(append(b, eventVersion), e.ID)
	b = appendText(b, string(e.Type))
	b = binary.AppendVarint(b, e.Store.ID)
	b = appendText(b, e.Resource)
	b = appendText(b, e.ObjectID)
	b = binary.AppendVarint(b, e.InternalID)
	b = appendTime(b, e.Time)
	b = appendTime(b, e.DetectedAt)
	b = binary.AppendUvarint(b, e.Sequence)
	b = binary.AppendUvarint(b, e.Version)
	b, err := appendCompressed(b, eventBody(e))
	if err != nil {
		return nil, fmt.Errorf("storing event %s: %w", e.ID, err)
	}
	return seal(b), nil
}

// eventBody holds the fields of an event that compress well together.
func eventBody(e *event.Event) []byte {
	body := appendText(make([]byte, 0, 128+len(e.Raw)), e.Store.Name)
	body = appendLength(body, len(e.Store.Tags), e.Store.Tags == nil)
	for _, tag := range e.Store.Tags {
		body = appendText(body, tag)
	}
	body = appendLength(body, len(e.Changes), e.Changes == nil)
	for _, change := range e.Changes {
		body = appendText(body, change.Path)
		body = appendBytes(body, change.Old)
		body = appendBytes(body, change.New)
	}
	return appendBytes(body, e.Raw)
}

// appendLength appends the length of a list, 0 for nil.
func appendLength(b []byte, length int, isNil bool) []byte {
	if isNil {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(length)+1) //nolint:gosec // no length is negative
}

// DecodeEvent reads the record of an event. Position stays 0.
func DecodeEvent(record []byte) (event.Event, error) {
	e, r, err := eventFields(record)
	if err != nil {
		return event.Event{}, err
	}
	body, err := r.decompress()
	if err != nil {
		return event.Event{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	r = &reader{rest: body, owned: true}
	e.Store.Name = r.text()
	e.Store.Tags = list(r, r.text)
	e.Changes = list(r, func() event.Change {
		return event.Change{Path: r.text(), Old: json.RawMessage(r.bytes()), New: json.RawMessage(r.bytes())}
	})
	e.Raw = r.bytes()
	if err := r.finish("event"); err != nil {
		return event.Event{}, err
	}
	return e, nil
}

// DecodeEventHeader is DecodeEvent without the store's name and tags, Changes and
// Raw, and without decompressing anything.
func DecodeEventHeader(record []byte) (event.Event, error) {
	e, _, err := eventFields(record)
	return e, err
}

func eventFields(record []byte) (event.Event, *reader, error) {
	_, r, err := unseal(record, eventVersion)
	if err != nil {
		return event.Event{}, nil, fmt.Errorf("event: %w", err)
	}
	e := event.Event{
		ID:         r.eventID(),
		Type:       event.Type(r.text()),
		Store:      event.Store{ID: r.varint()},
		Resource:   r.text(),
		ObjectID:   r.text(),
		InternalID: r.varint(),
		Time:       r.time(),
		DetectedAt: r.time(),
		Sequence:   r.uvarint(),
		Version:    r.uvarint(),
	}
	if r.broken {
		return event.Event{}, nil, r.finish("event")
	}
	return e, r, nil
}

// list reads what appendLength and one append for each element wrote. It stops
// where the record ends, whatever length is claimed.
func list[T any](r *reader, element func() T) []T {
	length := r.uvarint()
	if length == 0 {
		return nil
	}
	elements := []T{}
	for range length - 1 {
		if r.broken {
			return nil
		}
		elements = append(elements, element())
	}
	return elements
}
