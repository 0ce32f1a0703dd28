package boltstore

import (
	"bytes"
	"encoding/binary"

	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// resource checks the objects of one resource.
func (c *checking) resource(name []byte) error {
	o, err := openObjects(c.tx, string(name))
	if err != nil {
		c.fault("%v", err)
		return nil
	}
	if err := c.each(o.snapshots, func(key, record []byte) { c.snapshot(o, key, record) }); err != nil {
		return err
	}
	if known := o.known.parent.Bucket(knownBucket); known != nil {
		if err := c.each(known, func(key, value []byte) { c.known(o, key, value) }); err != nil {
			return err
		}
	}
	if err := c.each(o.ids, func(key, stamp []byte) { c.id(o, key, stamp) }); err != nil {
		return err
	}
	if err := c.each(o.internal, func(key, rest []byte) { c.internal(o, key, rest) }); err != nil {
		return err
	}
	return c.each(o.tombstones, func(key, deleted []byte) {
		c.sum.Tombstones++
		if len(key) != storeSize+8 || len(deleted) != instantSize {
			c.fault("the tombstone at %x has %d bytes", key, len(deleted))
		}
	})
}

func (c *checking) snapshot(o *objects, key, record []byte) {
	c.sum.Snapshots++
	s, err := encoding.DecodeSnapshot(record)
	if err != nil || len(key) <= storeSize+stampSize {
		c.fault("the snapshot at %x: %v", key, err)
		return
	}
	storeID := int64(binary.BigEndian.Uint64(key)) //nolint:gosec // what storeKey made
	if !bytes.Equal(key, snapshotKey(storeID, s.Created, s.ObjectID)) {
		c.fault("the snapshot of object %q of store %d is in the place of another's", s.ObjectID, storeID)
	}
	if !bytes.Equal(o.ids.Get(idKey(storeID, s.ObjectID)), key[storeSize:storeSize+stampSize]) {
		c.fault("the snapshot of object %q of store %d is not found by its id", s.ObjectID, storeID)
	}
	if s.InternalID != 0 && o.internal.Get(internalKey(storeID, s.InternalID)) == nil {
		c.fault("the snapshot of object %q of store %d is not found by its internal number %d", s.ObjectID, storeID, s.InternalID)
	}
}

func (c *checking) known(o *objects, key, value []byte) {
	if len(key) != storeSize || len(value) != positionSize {
		c.fault("the number of objects at %x has %d bytes", key, len(value))
		return
	}
	storeID := int64(binary.BigEndian.Uint64(key)) //nolint:gosec // what storeKey made
	living, err := o.countLiving(storeID)
	if counted := binary.BigEndian.Uint64(value); err == nil && counted != uint64(living) { //nolint:gosec // never negative
		c.fault("store %d has %d objects that live, and %d are counted", storeID, living, counted)
	}
}

func (c *checking) id(o *objects, key, stamp []byte) {
	if len(key) <= storeSize || len(stamp) != stampSize {
		c.fault("the object id at %x has a stamp of %d bytes", key, len(stamp))
		return
	}
	if o.snapshots.Get(bytes.Join([][]byte{key[:storeSize], stamp, key[storeSize:]}, nil)) == nil {
		c.fault("the object id at %x leads to no snapshot", key)
	}
}

func (c *checking) internal(o *objects, key, rest []byte) {
	if len(key) != storeSize+8 {
		c.fault("the internal number at %x has %d bytes", key, len(key))
		return
	}
	record := o.snapshots.Get(bytes.Join([][]byte{key[:storeSize], rest}, nil))
	if record == nil {
		c.fault("the internal number at %x leads to no snapshot", key)
		return
	}
	s, err := encoding.DecodeSnapshotHeader(record)
	if err == nil && uint64(s.InternalID) != binary.BigEndian.Uint64(key[storeSize:]) { //nolint:gosec // the same 64 bits
		c.fault("the internal number at %x leads to object %q, whose is %d", key, s.ObjectID, s.InternalID)
	}
}
