package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Forget implements store.Backend. It looks through all events of the store before
// it writes, so that writers are not held up meanwhile, and then through those that
// came in between. Everything is erased in one transaction: an object has few events.
//
// bbolt leaves the bytes of what is erased in pages that it counts as free, until it
// uses them again. Compact leaves them behind.
func (d *DB) Forget(ctx context.Context, storeID int64, resource, objectID string) (event.Forgotten, error) {
	f := forgetting{storeID: storeID, resource: resource, objectID: objectID}
	err := d.view(ctx, func(tx *bolt.Tx) error {
		if err := f.search(ctx, tx); err != nil {
			return err
		}
		if len(f.positions) > 0 {
			return nil
		}
		o, err := openObjects(tx, resource)
		f.nothing = o == nil || o.ids.Get(idKey(storeID, objectID)) == nil
		return err
	})
	if err == nil && !f.nothing {
		err = d.update(ctx, func(tx *bolt.Tx) error { return f.erase(ctx, tx) })
	}
	if err != nil {
		return event.Forgotten{}, fmt.Errorf("forgetting object %q of store %d: %w", objectID, storeID, err)
	}
	return f.erased, nil
}

// A forgetting is one call of Forget.
type forgetting struct {
	storeID            int64
	resource, objectID string

	searched  uint64 // the sequence up to which events have been looked at
	positions []uint64
	nothing   bool // is held of the object

	erased event.Forgotten
}

// search adds the positions of the object's events that have not been looked at.
func (f *forgetting) search(ctx context.Context, tx *bolt.Tx) error {
	prefix, events := storeKey(f.storeID), tx.Bucket(eventsBucket)
	cursor := tx.Bucket(sequencesBucket).Cursor()
	for key, value := cursor.Seek(sequenceKey(f.storeID, f.searched+1)); bytes.HasPrefix(key, prefix); key, value = cursor.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		position, err := parsePosition(value)
		if err != nil {
			return err
		}
		e, err := encoding.DecodeEventHeader(events.Get(value))
		if err != nil {
			return err
		}
		if e.Resource == f.resource && e.ObjectID == f.objectID {
			f.positions = append(f.positions, position)
		}
		f.searched = binary.BigEndian.Uint64(key[storeSize:])
	}
	return nil
}

func (f *forgetting) erase(ctx context.Context, tx *bolt.Tx) error {
	if err := f.search(ctx, tx); err != nil {
		return err
	}
	all, err := allCallbacks(tx)
	if err != nil {
		return err
	}
	for _, position := range f.positions {
		if err := f.eraseEvent(tx, all, position); err != nil {
			return err
		}
	}
	for _, c := range all {
		if err := c.save(); err != nil {
			return err
		}
	}
	return f.eraseSnapshot(tx)
}

func (f *forgetting) eraseEvent(tx *bolt.Tx, all []*callback, position uint64) error {
	record := tx.Bucket(eventsBucket).Get(number(position))
	if record == nil {
		return nil // it was pruned meanwhile
	}
	e, err := encoding.DecodeEventHeader(record)
	if err != nil {
		return err
	}
	for _, c := range all {
		delivery, holder, err := c.find(position)
		if errors.Is(err, event.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := c.drop(holder, &delivery); err != nil {
			return err
		}
		f.erased.Deliveries++
	}
	f.erased.Events++
	return removeEvent(tx, nil, position, &e)
}

func (f *forgetting) eraseSnapshot(tx *bolt.Tx) error {
	o, err := openObjects(tx, f.resource)
	if o == nil || err != nil {
		return err
	}
	id := idKey(f.storeID, f.objectID)
	stamp := o.ids.Get(id)
	if stamp == nil {
		return nil
	}
	key := bytes.Join([][]byte{storeKey(f.storeID), stamp, []byte(f.objectID)}, nil)
	record := o.snapshots.Get(key)
	if record == nil {
		return fmt.Errorf("%w: an index points to a snapshot that is not there", store.ErrCorrupt)
	}
	snapshot, err := encoding.DecodeSnapshotHeader(record)
	if err != nil {
		return err
	}
	internal := internalKey(f.storeID, snapshot.InternalID)
	if bytes.Equal(o.internal.Get(internal), key[storeSize:]) {
		if err := o.internal.Delete(internal); err != nil {
			return err
		}
	}
	if !snapshot.Deleted.IsZero() && snapshot.InternalID != 0 {
		if err := o.tombstones.Put(internal, appendInstant(nil, snapshot.Deleted)); err != nil {
			return err
		}
	}
	f.erased.Snapshots = 1
	return o.counting(f.storeID, func() (more int, err error) {
		return -one(snapshot.Deleted.IsZero()), errors.Join(o.ids.Delete(id), o.snapshots.Delete(key))
	})
}
