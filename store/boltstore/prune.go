package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// pruneWindow is the number of events that one call of Prune looks at, at most.
const pruneWindow = 1000

// Prune implements store.Backend. It looks before it writes: where there is
// nothing to remove, nothing is written. Events lie in the order of their
// detection, so that it is finished where a whole window holds none that is old
// enough.
func (d *DB) Prune(ctx context.Context, q event.PruneQuery) (removed int, next uint64, err error) {
	if q.Limit <= 0 {
		return 0, 0, fmt.Errorf("pruning: the limit is %d, it must be positive", q.Limit)
	}
	var positions []uint64
	err = d.view(ctx, func(tx *bolt.Tx) (err error) {
		positions, next, err = prunable(tx, q)
		return err
	})
	if err == nil && len(positions) > 0 {
		err = d.update(ctx, func(tx *bolt.Tx) (err error) {
			removed, err = prune(tx, q, positions)
			return err
		})
	}
	if err != nil {
		return 0, 0, fmt.Errorf("pruning from position %d: %w", q.From, err)
	}
	return removed, next, nil
}

// prunable returns the positions of at most q.Limit events of which something can
// be removed, and where the next call goes on.
func prunable(tx *bolt.Tx, q event.PruneQuery) (positions []uint64, next uint64, err error) {
	all, err := allCallbacks(tx)
	if err != nil {
		return nil, 0, err
	}
	horizon := q.DeliveredBefore
	if q.DeadBefore.After(horizon) {
		horizon = q.DeadBefore
	}
	anyOld, seen := false, 0
	cursor := tx.Bucket(eventsBucket).Cursor()
	for key, record := cursor.Seek(number(q.From)); key != nil; key, record = cursor.Next() {
		position := binary.BigEndian.Uint64(key)
		if len(positions) == q.Limit || seen == pruneWindow && anyOld {
			return positions, position, nil
		}
		if seen == pruneWindow {
			break
		}
		seen++
		e, err := encoding.DecodeEventHeader(record)
		if err != nil {
			return nil, 0, err
		}
		anyOld = anyOld || e.DetectedAt.Before(horizon)
		removable, expired, err := judge(all, position, e.DetectedAt, q)
		if err != nil {
			return nil, 0, err
		}
		if removable || len(expired) > 0 {
			positions = append(positions, position)
		}
	}
	return positions, 0, nil
}

// judge tells whether an event can be removed, and which callbacks' dead
// deliveries of it have expired.
func judge(
	all []*callback, position uint64, detected time.Time, q event.PruneQuery,
) (removable bool, expired []*callback, err error) {
	removable = detected.Before(q.DeliveredBefore)
	for _, c := range all {
		if has(c.pending, number(position)) {
			removable = false
			continue
		}
		dead, err := readDelivery(c.dead, position)
		switch {
		case errors.Is(err, event.ErrNotFound):
		case err != nil:
			return false, nil, err
		case dead.LastAttempt.Before(q.DeadBefore):
			expired = append(expired, c)
		default:
			removable = false
		}
	}
	return removable, expired, nil
}

// prune removes what can be removed at the positions, and returns how many events
// that were.
func prune(tx *bolt.Tx, q event.PruneQuery, positions []uint64) (removed int, err error) {
	all, err := allCallbacks(tx)
	if err != nil {
		return 0, err
	}
	for _, position := range positions {
		record := tx.Bucket(eventsBucket).Get(number(position))
		if record == nil {
			continue // another call has been here
		}
		e, err := encoding.DecodeEventHeader(record)
		if err != nil {
			return 0, err
		}
		removable, expired, err := judge(all, position, e.DetectedAt, q)
		if err != nil {
			return 0, err
		}
		for _, c := range expired {
			c.counts.dead--
			if err := c.remove(c.dead, position); err != nil {
				return 0, err
			}
		}
		if !removable {
			continue
		}
		if err := purge(tx, &e); err != nil {
			return 0, err
		}
		if err := removeEvent(tx, all, position, &e); err != nil {
			return 0, err
		}
		removed++
	}
	for _, c := range all {
		if err := c.save(); err != nil {
			return 0, err
		}
	}
	return removed, nil
}

// purge empties the snapshot of an object whose deletion an event tells of, unless
// the object has come back since. What is left keeps a late answer from reviving
// it, and its versions going on.
func purge(tx *bolt.Tx, e *event.Event) error {
	if e.Type != event.OrderDeleted {
		return nil
	}
	o, err := openObjects(tx, e.Resource)
	if o == nil || err != nil {
		return err
	}
	stamp := o.ids.Get(idKey(e.Store.ID, e.ObjectID))
	if stamp == nil {
		return nil
	}
	key := bytes.Join([][]byte{storeKey(e.Store.ID), stamp, []byte(e.ObjectID)}, nil)
	snapshot, err := encoding.DecodeSnapshotHeader(o.snapshots.Get(key))
	if err != nil {
		return fmt.Errorf("purging object %q: %w", e.ObjectID, err)
	}
	if snapshot.Deleted.IsZero() || snapshot.Version != e.Version {
		return nil
	}
	record, err := encoding.EncodeSnapshot(&snapshot) // the header has no Raw
	if err != nil {
		return err
	}
	if err := o.snapshots.Put(key, record); err != nil {
		return fmt.Errorf("purging object %q: %w", e.ObjectID, err)
	}
	return nil
}

func removeEvent(tx *bolt.Tx, all []*callback, position uint64, e *event.Event) error {
	for _, c := range all {
		if err := c.remove(c.delivered, position); err != nil {
			return err
		}
	}
	err := errors.Join(
		tx.Bucket(eventIDsBucket).Delete(encoding.AppendEventID(nil, e.ID)),
		tx.Bucket(sequencesBucket).Delete(sequenceKey(e.Store.ID, e.Sequence)),
		tx.Bucket(eventsBucket).Delete(number(position)),
	)
	if err != nil {
		return fmt.Errorf("removing event %s: %w", e.ID, err)
	}
	return nil
}

// remove removes a delivery from the bucket that holds it, with its attempts.
func (c *callback) remove(holder *bolt.Bucket, position uint64) error {
	if err := c.removeAttempts(position); err != nil {
		return err
	}
	if err := holder.Delete(number(position)); err != nil {
		return fmt.Errorf("removing a delivery: %w", err)
	}
	return nil
}

func (c *callback) removeAttempts(position uint64) error {
	for _, key := range keysOf(c.attempts, number(position)) {
		if err := c.attempts.Delete(key); err != nil {
			return fmt.Errorf("removing an attempt: %w", err)
		}
	}
	return nil
}

func allCallbacks(tx *bolt.Tx) ([]*callback, error) {
	var all []*callback
	cursor := tx.Bucket(deliveriesBucket).Cursor()
	for name, _ := cursor.First(); name != nil; name, _ = cursor.Next() {
		c, err := openCallback(tx, string(bytes.Clone(name)))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
