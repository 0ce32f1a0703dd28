package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Known implements store.Backend.
func (d *DB) Known(ctx context.Context, storeID int64, resource string) (int, error) {
	known := 0
	err := d.viewObjects(ctx, resource, func(o *objects) (err error) {
		known, err = o.living(storeID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting the objects of store %d: %w", storeID, err)
	}
	return known, nil
}

// living returns how many living objects of a store have a snapshot. Where nobody has
// counted them yet, as in a file of an earlier version, it goes through all of them.
func (o *objects) living(storeID int64) (int, error) {
	value := o.known.get(storeKey(storeID))
	if value == nil {
		return o.countLiving(storeID)
	}
	if len(value) != positionSize {
		return 0, fmt.Errorf("%w: the number of objects of store %d has %d bytes", store.ErrCorrupt, storeID, len(value))
	}
	return int(binary.BigEndian.Uint64(value)), nil //nolint:gosec // no storage holds that many
}

func (o *objects) countLiving(storeID int64) (int, error) {
	living, prefix := 0, storeKey(storeID)
	cursor := o.snapshots.Cursor()
	for key, record := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, record = cursor.Next() {
		snapshot, err := encoding.DecodeSnapshotHeader(record)
		if err != nil {
			return 0, err
		}
		if snapshot.Deleted.IsZero() {
			living++
		}
	}
	return living, nil
}

// counting calls write, which returns by how many more objects of a store live then,
// and saves how many they are.
func (o *objects) counting(storeID int64, write func() (more int, err error)) error {
	before, err := o.living(storeID)
	if err != nil {
		return err
	}
	more, err := write()
	if err != nil {
		return err
	}
	if more == 0 && o.known.get(storeKey(storeID)) != nil {
		return nil
	}
	if err := o.known.put(storeKey(storeID), number(uint64(before+more))); err != nil { //nolint:gosec // never negative
		return fmt.Errorf("saving how many objects there are: %w", err)
	}
	return nil
}

// A lateBucket is one that a file of an earlier version does not have. It is made by
// what is first put there.
type lateBucket struct {
	parent *bolt.Bucket
	name   []byte
}

func (b lateBucket) get(key []byte) []byte {
	if bucket := b.parent.Bucket(b.name); bucket != nil {
		return bucket.Get(key)
	}
	return nil
}

func (b lateBucket) put(key, value []byte) error {
	bucket, err := b.parent.CreateBucketIfNotExists(b.name)
	if err != nil {
		return err
	}
	return bucket.Put(key, value)
}
