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
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// PendingStores implements store.Backend.
func (d *DB) PendingStores(ctx context.Context, name string) (map[int64]time.Time, error) {
	stores := map[int64]time.Time{}
	err := d.viewCallback(ctx, name, func(_ *bolt.Tx, c *callback) error {
		cursor := c.ready.Cursor()
		// From each store's first key straight to the next store.
		for key, _ := cursor.First(); key != nil; {
			due, _, ok := parseReadyKey(key)
			if !ok {
				return fmt.Errorf("%w: a ready key of %d bytes", store.ErrCorrupt, len(key))
			}
			stores[int64(binary.BigEndian.Uint64(key))] = due //nolint:gosec // what storeKey made
			next := after(key[:storeSize])
			if next == nil {
				break
			}
			key, _ = cursor.Seek(next)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading which stores have pending deliveries for callback %q: %w", name, err)
	}
	return stores, nil
}

// Due implements store.Backend.
func (d *DB) Due(ctx context.Context, q event.DueQuery) (due []event.Delivery, next time.Time, err error) {
	err = d.viewCallback(ctx, q.Callback, func(_ *bolt.Tx, c *callback) error {
		due, next, err = c.due(q)
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading due deliveries of store %d for callback %q: %w", q.StoreID, q.Callback, err)
	}
	return due, next, nil
}

func (c *callback) due(q event.DueQuery) (due []event.Delivery, next time.Time, err error) {
	prefix := storeKey(q.StoreID)
	cursor := c.inReady
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		from, position, ok := parseReadyKey(key)
		if !ok {
			return nil, time.Time{}, fmt.Errorf("%w: a ready key of %d bytes", store.ErrCorrupt, len(key))
		}
		at := binary.BigEndian.Uint64(position)
		if q.Skip != nil && q.Skip(at) {
			continue
		}
		if len(due) >= q.Limit || from.After(q.Now) {
			if from.IsZero() {
				from = q.Now // zero would say that there is none
			}
			return due, from, nil
		}
		delivery, err := c.waiting(at)
		if err != nil {
			return nil, time.Time{}, err
		}
		due = append(due, delivery)
	}
	return due, time.Time{}, nil
}

// Delivery implements store.Backend.
func (d *DB) Delivery(
	ctx context.Context, name, eventID string,
) (delivery event.Delivery, attempts []event.Attempt, err error) {
	err = d.view(ctx, func(tx *bolt.Tx) error {
		position, err := eventPosition(tx, eventID)
		if err != nil {
			return err
		}
		c, err := openCallback(tx, name)
		if err != nil {
			return err
		}
		if c == nil {
			return event.ErrNotFound
		}
		if delivery, _, err = c.find(position); err != nil {
			return err
		}
		attempts, err = c.readAttempts(position)
		return err
	})
	if err != nil {
		return event.Delivery{}, nil, fmt.Errorf("reading the delivery of event %s for callback %q: %w", eventID, name, err)
	}
	return delivery, attempts, nil
}

// Deliveries implements store.Backend.
func (d *DB) Deliveries(
	ctx context.Context, q event.DeliveryQuery,
) (deliveries []event.Delivery, next uint64, more bool, err error) {
	if err := errors.Join(checkLimit(q.Limit), checkState(q.State)); err != nil {
		return nil, 0, false, fmt.Errorf("listing deliveries for callback %q: %w", q.Callback, err)
	}
	next = q.After
	err = d.viewCallback(ctx, q.Callback, func(_ *bolt.Tx, c *callback) error {
		holder, err := c.holder(q.State)
		if err != nil {
			return err
		}
		s := scan{cursor: holder.Cursor(), after: q.After, newest: q.Newest, limit: q.Limit}
		next, more, err = s.run(q.After, func(key, record []byte) (position uint64, took int, err error) {
			if position, err = parsePosition(key); err != nil {
				return 0, 0, err
			}
			delivery, err := encoding.DecodeDelivery(record)
			if err != nil || q.StoreID != 0 && delivery.StoreID != q.StoreID {
				return position, 0, err
			}
			delivery.Position = position
			if delivery.Failure, err = c.failure(&delivery); err != nil {
				return position, 0, err
			}
			deliveries = append(deliveries, delivery)
			return position, len(record), nil
		})
		return err
	})
	if err != nil {
		return nil, 0, false, fmt.Errorf("listing deliveries for callback %q: %w", q.Callback, err)
	}
	return deliveries, next, more, nil
}

// Callbacks implements store.Backend.
func (d *DB) Callbacks(ctx context.Context) ([]string, error) {
	var names []string
	err := d.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(deliveriesBucket).ForEachBucket(func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the names of the callbacks: %w", err)
	}
	return names, nil
}

// Backlog implements store.Backend.
func (d *DB) Backlog(ctx context.Context, name string) (event.Backlog, error) {
	var backlog event.Backlog
	err := d.viewCallback(ctx, name, func(tx *bolt.Tx, c *callback) error {
		backlog.Pending, backlog.Dead = int(c.counts.pending), int(c.counts.dead) //nolint:gosec // counts of what is there
		oldest, _ := c.pending.Cursor().First()
		if oldest == nil {
			return nil
		}
		e, err := encoding.DecodeEventHeader(tx.Bucket(eventsBucket).Get(oldest))
		backlog.Oldest = e.DetectedAt
		return err
	})
	if err != nil {
		return event.Backlog{}, fmt.Errorf("reading the backlog of callback %q: %w", name, err)
	}
	return backlog, nil
}

// viewCallback is view for the buckets of a callback. It does not call read where
// there are none.
func (d *DB) viewCallback(ctx context.Context, name string, read func(*bolt.Tx, *callback) error) error {
	return d.view(ctx, func(tx *bolt.Tx) error {
		c, err := openCallback(tx, name)
		if c == nil || err != nil {
			return err
		}
		return read(tx, c)
	})
}

// readDelivery returns the delivery of the event at a position from the bucket of
// a state. It is event.ErrNotFound when the bucket does not hold it.
func readDelivery(b *bolt.Bucket, position uint64) (event.Delivery, error) {
	return deliveryAt(b.Cursor(), position)
}

// deliveryAt is readDelivery where a cursor looks.
func deliveryAt(in *bolt.Cursor, position uint64) (event.Delivery, error) {
	key := number(position)
	found, record := in.Seek(key)
	if !bytes.Equal(found, key) {
		return event.Delivery{}, event.ErrNotFound
	}
	delivery, err := encoding.DecodeDelivery(record)
	delivery.Position = position
	return delivery, err
}

// waiting returns a pending delivery that an index names.
func (c *callback) waiting(position uint64) (event.Delivery, error) {
	delivery, err := deliveryAt(c.inPending, position)
	if errors.Is(err, event.ErrNotFound) {
		return event.Delivery{}, fmt.Errorf("%w: an index names a delivery that is not pending", store.ErrCorrupt)
	}
	return delivery, err
}

// find returns a delivery and the bucket that holds it, or event.ErrNotFound.
func (c *callback) find(position uint64) (event.Delivery, *bolt.Bucket, error) {
	delivery, err := deliveryAt(c.inPending, position)
	if !errors.Is(err, event.ErrNotFound) {
		return delivery, c.pending, err
	}
	for _, b := range []*bolt.Bucket{c.delivered, c.dead} {
		delivery, err := readDelivery(b, position)
		if !errors.Is(err, event.ErrNotFound) {
			return delivery, b, err
		}
	}
	return event.Delivery{}, nil, event.ErrNotFound
}

// holder returns the bucket of the deliveries in a state that has been checked, or
// was stored.
func (c *callback) holder(state event.DeliveryState) (*bolt.Bucket, error) {
	switch state {
	case event.Pending:
		return c.pending, nil
	case event.Delivered:
		return c.delivered, nil
	case event.Dead:
		return c.dead, nil
	}
	return nil, fmt.Errorf("%w: a delivery is %q", store.ErrCorrupt, state)
}

// putSettled writes a delivery that is not pending, and was not there.
func (c *callback) putSettled(d *event.Delivery) error {
	holder, err := c.holder(d.State)
	if err != nil {
		return err
	}
	if d.State == event.Dead {
		c.counts.dead++
	}
	return holder.Put(number(d.Position), encoding.EncodeDelivery(d))
}

// failure returns why the last attempt of a delivery that is not delivered failed; nil
// when there was none, or it did not.
func (c *callback) failure(d *event.Delivery) (*event.Failure, error) {
	if d.State == event.Delivered || d.Attempts == 0 {
		return nil, nil //nolint:nilnil // no failure is no error
	}
	record := c.attempts.Get(attemptKey(d.Position, d.Attempts))
	if record == nil {
		return nil, fmt.Errorf("%w: the last attempt of a delivery is missing", store.ErrCorrupt)
	}
	a, err := encoding.DecodeAttemptHeader(record)
	if err != nil || a.Error == "" {
		return nil, err
	}
	return &event.Failure{Time: a.Time, Status: a.Status, Error: a.Error, Detail: a.Detail}, nil
}

func (c *callback) readAttempts(position uint64) ([]event.Attempt, error) {
	var attempts []event.Attempt
	prefix := number(position)
	cursor := c.attempts.Cursor()
	for key, record := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, record = cursor.Next() {
		attempt, err := encoding.DecodeAttempt(record)
		if err != nil {
			return nil, err
		}
		attempts = append(attempts, attempt)
	}
	return attempts, nil
}
