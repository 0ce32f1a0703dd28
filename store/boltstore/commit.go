package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Commit implements store.Backend.
func (d *DB) Commit(ctx context.Context, set *event.ChangeSet) error {
	if err := d.commit(ctx, set); err != nil {
		return fmt.Errorf("committing changes of store %d: %w", set.Cursor.StoreID, err)
	}
	return nil
}

func (d *DB) commit(ctx context.Context, set *event.ChangeSet) error {
	if err := check(set); err != nil {
		return err
	}
	if len(set.Snapshots)+len(set.Events)+len(set.Tombstones) == 0 {
		stored, err := d.isStored(ctx, set)
		if stored || err != nil {
			return err
		}
	}
	// Compressing takes the most time and needs no lock.
	c, err := encode(set)
	if err != nil {
		return err
	}
	if err := d.update(ctx, c.write); err != nil {
		return err
	}
	for i := range set.Events {
		set.Events[i].Position = c.positions[set.Events[i].ID]
	}
	for i := range set.Deliveries {
		set.Deliveries[i].Position = c.positions[set.Deliveries[i].EventID]
	}
	return nil
}

// check refuses a set that contradicts itself.
func check(set *event.ChangeSet) error {
	if set.Cursor.Resource == "" {
		return errors.New("the change set names no resource")
	}
	if last := set.Base + uint64(len(set.Events)); set.Cursor.Sequence != last {
		return fmt.Errorf("the cursor's sequence is %d, that of the last event is %d", set.Cursor.Sequence, last)
	}
	for i := range set.Snapshots {
		if set.Snapshots[i].ObjectID == "" {
			return errors.New("a snapshot has no object id")
		}
	}
	events := make(map[string]bool, len(set.Events))
	for i := range set.Events {
		e := &set.Events[i]
		switch {
		case e.ID == "" || events[e.ID]:
			return fmt.Errorf("the event id %q is empty or there twice", e.ID)
		case e.Store.ID != set.Cursor.StoreID || e.Resource != set.Cursor.Resource:
			return fmt.Errorf("event %s belongs to another store or resource", e.ID)
		case e.Sequence != set.Base+uint64(i)+1:
			return fmt.Errorf("event %s has sequence %d in the place of %d", e.ID, e.Sequence, set.Base+uint64(i)+1)
		}
		events[e.ID] = true
	}
	for i := range set.Deliveries {
		switch delivery := &set.Deliveries[i]; {
		case delivery.Callback == "":
			return fmt.Errorf("a delivery of event %s names no callback", delivery.EventID)
		case !events[delivery.EventID]:
			return fmt.Errorf("a delivery is for event %q, which the change set does not hold", delivery.EventID)
		case delivery.State != event.Pending:
			return fmt.Errorf("a delivery of event %s is %q, not pending", delivery.EventID, delivery.State)
		case delivery.StoreID != set.Cursor.StoreID:
			return fmt.Errorf("a delivery of event %s belongs to another store", delivery.EventID)
		}
	}
	return nil
}

// isStored tells whether a set that brings nothing but a cursor would change
// anything.
func (d *DB) isStored(ctx context.Context, set *event.ChangeSet) (stored bool, err error) {
	err = d.view(ctx, func(tx *bolt.Tx) error {
		if err := checkBase(tx, set); err != nil {
			return err
		}
		o, err := openObjects(tx, set.Cursor.Resource)
		if err != nil {
			return err
		}
		if o != nil {
			expired, err := o.expiredTombstones(set)
			if len(expired) > 0 || err != nil {
				return err
			}
		}
		key := cursorKey(set.Cursor.StoreID, set.Cursor.Resource)
		stored = bytes.Equal(tx.Bucket(cursorsBucket).Get(key), encoding.EncodeCursor(&set.Cursor))
		return nil
	})
	return stored, err
}

func checkBase(tx *bolt.Tx, set *event.ChangeSet) error {
	cursor, err := readCursor(tx, set.Cursor.StoreID, set.Cursor.Resource)
	if err != nil {
		return err
	}
	if cursor.Sequence != set.Base {
		return fmt.Errorf("%w: the set was built on sequence %d, the storage holds %d", store.ErrConflict, set.Base, cursor.Sequence)
	}
	return nil
}

// A commit is a change set with its records.
type commit struct {
	set               *event.ChangeSet
	snapshots, events [][]byte
	positions         map[string]uint64 // by event id
}

func encode(set *event.ChangeSet) (*commit, error) {
	c := &commit{
		set:       set,
		snapshots: make([][]byte, len(set.Snapshots)),
		events:    make([][]byte, len(set.Events)),
		positions: make(map[string]uint64, len(set.Events)),
	}
	if err := encodeSnapshots(c.snapshots, set.Snapshots); err != nil {
		return nil, err
	}
	for i := range set.Events {
		record, err := encoding.EncodeEvent(&set.Events[i])
		if err != nil {
			return nil, err
		}
		c.events[i] = record
	}
	return c, nil
}

// encodeShare is how many snapshots are worth a goroutine.
const encodeShare = 16

// encodeSnapshots makes the records of snapshots, those of many on all processors.
// Of several errors it returns that of the first snapshot.
func encodeSnapshots(records [][]byte, snapshots []event.Snapshot) error {
	n := len(snapshots)
	workers := min(1+n/encodeShare, runtime.GOMAXPROCS(0))
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers && errs[w] == nil; i++ {
				records[i], errs[w] = encoding.EncodeSnapshot(&snapshots[i])
			}
		})
	}
	group.Wait()
	return cmp.Or(errs...)
}

func (c *commit) write(tx *bolt.Tx) error {
	if err := checkBase(tx, c.set); err != nil {
		return err
	}
	if err := c.writeObjects(tx); err != nil {
		return err
	}
	if err := c.writeEvents(tx); err != nil {
		return err
	}
	if err := c.writeDeliveries(tx); err != nil {
		return err
	}
	cursor := &c.set.Cursor
	if err := tx.Bucket(cursorsBucket).Put(cursorKey(cursor.StoreID, cursor.Resource), encoding.EncodeCursor(cursor)); err != nil {
		return fmt.Errorf("writing the cursor: %w", err)
	}
	return nil
}

func (c *commit) writeObjects(tx *bolt.Tx) error {
	set := c.set
	o, err := createObjects(tx, set.Cursor.Resource)
	if err != nil {
		return err
	}
	if len(set.Snapshots) > 0 {
		if err := o.counting(set.Cursor.StoreID, func() (int, error) { return c.writeSnapshots(o) }); err != nil {
			return err
		}
	}
	for _, tombstone := range set.Tombstones {
		key := internalKey(set.Cursor.StoreID, tombstone.InternalID)
		if err := o.tombstones.Put(key, appendInstant(nil, tombstone.Deleted)); err != nil {
			return fmt.Errorf("writing the tombstone of object %d: %w", tombstone.InternalID, err)
		}
	}
	expired, err := o.expiredTombstones(set)
	if err != nil {
		return err
	}
	for _, key := range expired {
		if err := o.tombstones.Delete(key); err != nil {
			return fmt.Errorf("dropping a tombstone: %w", err)
		}
	}
	return nil
}

// writeSnapshots returns by how many more objects live then.
func (c *commit) writeSnapshots(o *objects) (more int, err error) {
	for i := range c.set.Snapshots {
		s := &c.set.Snapshots[i]
		lived, err := o.put(c.set.Cursor.StoreID, s, c.snapshots[i])
		if err != nil {
			return 0, fmt.Errorf("writing the snapshot of object %q: %w", s.ObjectID, err)
		}
		more += one(s.Deleted.IsZero()) - one(lived)
	}
	return more, nil
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// expiredTombstones returns the keys of the tombstones that a set drops. A store
// has few: they last for some days.
func (o *objects) expiredTombstones(set *event.ChangeSet) ([][]byte, error) {
	var expired [][]byte
	prefix, from := storeKey(set.Cursor.StoreID), appendInstant(nil, set.TombstonesFrom)
	cursor := o.tombstones.Cursor()
	for key, deleted := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, deleted = cursor.Next() {
		if len(deleted) != instantSize {
			return nil, fmt.Errorf("%w: a tombstone of %d bytes", store.ErrCorrupt, len(deleted))
		}
		if bytes.Compare(deleted, from) < 0 {
			expired = append(expired, bytes.Clone(key))
		}
	}
	return expired, nil
}

func (c *commit) writeEvents(tx *bolt.Tx) error {
	events, ids, sequences := tx.Bucket(eventsBucket), tx.Bucket(eventIDsBucket), tx.Bucket(sequencesBucket)
	events.FillPercent, sequences.FillPercent = risingFill, risingFill
	for i := range c.set.Events {
		e := &c.set.Events[i]
		id := encoding.AppendEventID(nil, e.ID)
		if ids.Get(id) != nil {
			return fmt.Errorf("%w: event %s is there already", store.ErrConflict, e.ID)
		}
		position, err := events.NextSequence()
		if err != nil {
			return fmt.Errorf("numbering event %s: %w", e.ID, err)
		}
		key := number(position)
		err = errors.Join(
			events.Put(key, c.events[i]),
			ids.Put(id, key),
			sequences.Put(sequenceKey(e.Store.ID, e.Sequence), key),
		)
		if err != nil {
			return fmt.Errorf("writing event %s: %w", e.ID, err)
		}
		c.positions[e.ID] = position
	}
	return nil
}

func (c *commit) writeDeliveries(tx *bolt.Tx) error {
	open := callbacks{tx: tx, open: createCallback}
	for i := range c.set.Deliveries {
		delivery := c.set.Deliveries[i]
		delivery.Position = c.positions[delivery.EventID]
		callback, err := open.get(delivery.Callback)
		if err != nil {
			return err
		}
		if has(callback.pending, number(delivery.Position)) {
			return fmt.Errorf("the delivery of event %s for callback %q is there twice", delivery.EventID, delivery.Callback)
		}
		if err := callback.enqueue(&delivery); err != nil {
			return fmt.Errorf("writing the delivery of event %s for callback %q: %w", delivery.EventID, delivery.Callback, err)
		}
	}
	return open.save()
}
