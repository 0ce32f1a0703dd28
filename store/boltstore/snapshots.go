package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Cursor implements store.Backend.
func (d *DB) Cursor(ctx context.Context, storeID int64, resource string) (event.Cursor, error) {
	var cursor event.Cursor
	err := d.view(ctx, func(tx *bolt.Tx) (err error) {
		cursor, err = readCursor(tx, storeID, resource)
		return err
	})
	if err != nil {
		return event.Cursor{}, fmt.Errorf("reading the cursor of store %d: %w", storeID, err)
	}
	return cursor, nil
}

func readCursor(tx *bolt.Tx, storeID int64, resource string) (event.Cursor, error) {
	record := tx.Bucket(cursorsBucket).Get(cursorKey(storeID, resource))
	if record == nil {
		return event.Cursor{StoreID: storeID, Resource: resource}, nil
	}
	return encoding.DecodeCursor(record)
}

// SnapshotsByID implements store.Backend.
func (d *DB) SnapshotsByID(
	ctx context.Context, storeID int64, resource string, ids []string,
) (map[string]event.Snapshot, error) {
	found := map[string]event.Snapshot{}
	err := d.viewObjects(ctx, resource, func(o *objects) error {
		for _, id := range ids {
			stamp := o.ids.Get(idKey(storeID, id))
			if stamp == nil {
				continue
			}
			snapshot, err := o.snapshot(bytes.Join([][]byte{storeKey(storeID), stamp, []byte(id)}, nil))
			if err != nil {
				return err
			}
			found[id] = snapshot
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading snapshots of store %d: %w", storeID, err)
	}
	return found, nil
}

// SnapshotsByInternalID implements store.Backend.
func (d *DB) SnapshotsByInternalID(
	ctx context.Context, storeID int64, resource string, ids []int64,
) (map[int64]event.Snapshot, error) {
	found := map[int64]event.Snapshot{}
	err := d.viewObjects(ctx, resource, func(o *objects) error {
		for _, id := range ids {
			rest := o.internal.Get(internalKey(storeID, id))
			if rest == nil {
				continue
			}
			snapshot, err := o.snapshot(append(storeKey(storeID), rest...))
			if err != nil {
				return err
			}
			found[id] = snapshot
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading snapshots of store %d: %w", storeID, err)
	}
	return found, nil
}

// SnapshotsCreated implements store.Backend.
func (d *DB) SnapshotsCreated(
	ctx context.Context, storeID int64, resource string, q event.CreatedQuery,
) ([]event.Snapshot, error) {
	var found []event.Snapshot
	err := d.viewObjects(ctx, resource, func(o *objects) error {
		begin, end := snapshotKey(storeID, q.From, q.After), after(appendStamp(storeKey(storeID), q.To))
		cursor := o.snapshots.Cursor()
		for key, record := cursor.Seek(begin); key != nil && bytes.Compare(key, end) < 0 && len(found) < q.Limit; key, record = cursor.Next() {
			if q.After != "" && bytes.Equal(key, begin) {
				continue
			}
			snapshot, err := encoding.DecodeSnapshotHeader(record)
			if err != nil {
				return err
			}
			if snapshot.Deleted.IsZero() && !snapshot.Created.Before(q.From) && snapshot.Created.Before(q.To) {
				found = append(found, snapshot)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading snapshots of store %d: %w", storeID, err)
	}
	return found, nil
}

// Tombstones implements store.Backend.
func (d *DB) Tombstones(
	ctx context.Context, storeID int64, resource string, ids []int64,
) (map[int64]time.Time, error) {
	found := map[int64]time.Time{}
	err := d.viewObjects(ctx, resource, func(o *objects) error {
		for _, id := range ids {
			value := o.tombstones.Get(internalKey(storeID, id))
			if value == nil {
				continue
			}
			if len(value) != instantSize {
				return fmt.Errorf("%w: a tombstone of %d bytes", store.ErrCorrupt, len(value))
			}
			found[id] = instant(value)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading tombstones of store %d: %w", storeID, err)
	}
	return found, nil
}

// viewObjects is view for the buckets of a resource. It does not call read where
// there are none.
func (d *DB) viewObjects(ctx context.Context, resource string, read func(*objects) error) error {
	return d.view(ctx, func(tx *bolt.Tx) error {
		o, err := openObjects(tx, resource)
		if o == nil || err != nil {
			return err
		}
		return read(o)
	})
}

// snapshot returns the snapshot that an index points to.
func (o *objects) snapshot(key []byte) (event.Snapshot, error) {
	record := o.snapshots.Get(key)
	if record == nil {
		return event.Snapshot{}, fmt.Errorf("%w: an index points to a snapshot that is not there", store.ErrCorrupt)
	}
	snapshot, err := encoding.DecodeSnapshot(record)
	if err != nil {
		return event.Snapshot{}, err
	}
	if string(key[storeSize+stampSize:]) != snapshot.ObjectID {
		return event.Snapshot{}, fmt.Errorf("%w: the snapshot of object %q is in the place of another's", store.ErrCorrupt, snapshot.ObjectID)
	}
	return snapshot, nil
}

// put replaces the snapshot of an object, and tells whether the old one was of a living
// object. One that only changes has its index entries already: they are not touched, so
// that a change costs about the same however many objects there are.
func (o *objects) put(storeID int64, s *event.Snapshot, record []byte) (lived bool, err error) {
	key := snapshotKey(storeID, s.Created, s.ObjectID)
	indexed, lived, err := o.unlink(storeID, s, key)
	if err != nil {
		return false, err
	}
	if !indexed {
		if err := o.ids.Put(idKey(storeID, s.ObjectID), key[storeSize:storeSize+stampSize]); err != nil {
			return false, err
		}
	}
	if !indexed && s.InternalID != 0 {
		if err := o.internal.Put(internalKey(storeID, s.InternalID), key[storeSize:]); err != nil {
			return false, err
		}
	}
	return lived, o.snapshots.Put(key, record)
}

// unlink removes what an object's new snapshot at key will not replace: the old
// one under another creation stamp, the entry of another internal number. It
// tells whether the index entries that are left are those of the new one, and whether
// the old one was of a living object.
func (o *objects) unlink(storeID int64, s *event.Snapshot, key []byte) (indexed, lived bool, err error) {
	stamp := o.ids.Get(idKey(storeID, s.ObjectID))
	if stamp == nil {
		return false, false, nil
	}
	before := bytes.Join([][]byte{storeKey(storeID), stamp, []byte(s.ObjectID)}, nil)
	old, err := encoding.DecodeSnapshotHeader(o.snapshots.Get(before))
	if err != nil {
		return false, false, err
	}
	lived = old.Deleted.IsZero()
	if old.InternalID == s.InternalID && bytes.Equal(before, key) {
		return true, lived, nil
	}
	internal := internalKey(storeID, old.InternalID)
	if old.InternalID != s.InternalID && bytes.Equal(o.internal.Get(internal), before[storeSize:]) {
		if err := o.internal.Delete(internal); err != nil {
			return false, false, err
		}
	}
	return false, lived, o.snapshots.Delete(before)
}
