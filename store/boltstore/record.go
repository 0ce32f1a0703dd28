package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Record implements store.Backend. The attempts of a delivery are numbered from 1
// in the order in which they are recorded, whatever Attempt.Number says: two that
// ran at the same time cannot take each other's place.
func (d *DB) Record(ctx context.Context, results []event.Result) error {
	if len(results) == 0 {
		return ctx.Err()
	}
	for i := range results {
		switch results[i].State {
		case event.Pending, event.Delivered, event.Dead:
		default:
			return fmt.Errorf("recording results: %q is no state of a delivery", results[i].State)
		}
	}
	err := d.update(ctx, func(tx *bolt.Tx) error {
		open := callbacks{tx: tx, open: openCallback}
		for i := range results {
			if err := record(&open, &results[i]); err != nil {
				return fmt.Errorf("the delivery at position %d for callback %q: %w", results[i].Position, results[i].Callback, err)
			}
		}
		return open.save()
	})
	if err != nil {
		return fmt.Errorf("recording results: %w", err)
	}
	return nil
}

func record(open *callbacks, r *event.Result) error {
	c, err := open.get(r.Callback)
	if err != nil {
		return err
	}
	if c == nil {
		return event.ErrNotFound
	}
	delivery, holder, err := c.find(r.Position)
	if err != nil {
		return err
	}
	before := delivery
	delivery.Attempts++
	if delivery.FirstAttempt.IsZero() {
		delivery.FirstAttempt = r.Attempt.Time
	}
	if r.Attempt.Time.After(delivery.LastAttempt) {
		delivery.LastAttempt = r.Attempt.Time
	}
	if err := c.addAttempt(r, delivery.Attempts); err != nil {
		return err
	}
	switch {
	case before.State != event.Pending:
		return holder.Put(number(r.Position), encoding.EncodeDelivery(&delivery))
	case r.State == event.Pending:
		delivery.NextAttempt = r.NextAttempt
		return c.retry(&before, &delivery)
	default:
		delivery.State, delivery.NextAttempt = r.State, time.Time{}
		return c.settle(&before, &delivery)
	}
}

func (c *callback) addAttempt(r *event.Result, n int) error {
	attempt := r.Attempt
	attempt.Number = n
	record, err := encoding.EncodeAttempt(&attempt)
	if err != nil {
		return err
	}
	return c.attempts.Put(attemptKey(r.Position, n), record)
}

// add makes a new delivery pending, behind those of its ordering key.
func (c *callback) add(d *event.Delivery) error {
	if has(c.pending, number(d.Position)) {
		return errors.New("it is there twice")
	}
	isFirst := first(c.queue, queuePrefix(d.OrderingKey)) == nil
	if err := c.pending.Put(number(d.Position), encoding.EncodeDelivery(d)); err != nil {
		return err
	}
	if err := c.queue.Put(queueKey(d), []byte{}); err != nil {
		return err
	}
	c.counts.pending++
	if !isFirst {
		return nil
	}
	return c.ready.Put(readyKey(d), []byte{})
}

// retry keeps a delivery pending, to be attempted at its new time.
func (c *callback) retry(before, d *event.Delivery) error {
	if err := c.pending.Put(number(d.Position), encoding.EncodeDelivery(d)); err != nil {
		return err
	}
	if !has(c.ready, readyKey(before)) {
		return nil // an older one of its ordering key is pending
	}
	if err := c.ready.Delete(readyKey(before)); err != nil {
		return err
	}
	return c.ready.Put(readyKey(d), []byte{})
}

// settle takes a delivery out of those that are pending and lets the next one of
// its ordering key come forward.
func (c *callback) settle(before, d *event.Delivery) error {
	holder := c.delivered
	if d.State == event.Dead {
		holder = c.dead
		c.counts.dead++
	}
	c.counts.pending--
	position := number(d.Position)
	if err := holder.Put(position, encoding.EncodeDelivery(d)); err != nil {
		return err
	}
	if err := c.pending.Delete(position); err != nil {
		return err
	}
	if err := c.queue.Delete(queueKey(before)); err != nil {
		return err
	}
	if !has(c.ready, readyKey(before)) {
		return nil // an older one of its ordering key is pending
	}
	if err := c.ready.Delete(readyKey(before)); err != nil {
		return err
	}
	return c.advance(before.OrderingKey)
}

// advance makes the oldest pending delivery of an ordering key ready.
func (c *callback) advance(orderingKey string) error {
	key := first(c.queue, queuePrefix(orderingKey))
	if key == nil {
		return nil
	}
	next, err := c.waiting(binary.BigEndian.Uint64(key[len(key)-positionSize:]))
	if err != nil {
		return err
	}
	return c.ready.Put(readyKey(&next), []byte{})
}
