package boltstore

import (
	"context"
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
		if err := checkState(results[i].State); err != nil {
			return fmt.Errorf("recording results: %w", err)
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

func checkState(state event.DeliveryState) error {
	switch state {
	case event.Pending, event.Delivered, event.Dead:
		return nil
	}
	return fmt.Errorf("%q is no state of a delivery", state)
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
	at := r.Attempt.Time
	if delivery.FirstAttempt.IsZero() || at.Before(delivery.FirstAttempt) {
		delivery.FirstAttempt = at
	}
	// While it is pending its attempts come one after the other: one that bears an
	// earlier time was made after the clock was put back.
	if before.State == event.Pending || at.After(delivery.LastAttempt) {
		delivery.LastAttempt = at
	}
	if err := c.addAttempt(r, delivery.Attempts); err != nil {
		return err
	}
	if before.State != event.Pending {
		return holder.Put(number(r.Position), encoding.EncodeDelivery(&delivery))
	}
	delivery.Refusals = r.Refusals
	if r.State == event.Pending {
		delivery.NextAttempt = r.NextAttempt
		return c.retry(&before, &delivery)
	}
	delivery.State, delivery.Manual, delivery.NextAttempt = r.State, false, time.Time{}
	if err := c.withdraw(&before); err != nil {
		return err
	}
	return c.putSettled(&delivery)
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
