package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Replay implements store.Backend. What says which store and object a delivery is
// about is taken from the event, whatever the argument holds.
func (d *DB) Replay(ctx context.Context, deliveries []event.Delivery) (replayed int, err error) {
	if len(deliveries) == 0 {
		return 0, ctx.Err()
	}
	err = d.update(ctx, func(tx *bolt.Tx) error {
		open := callbacks{tx: tx, open: createCallback}
		replayed = 0
		for i := range deliveries {
			became, err := replay(tx, &open, &deliveries[i])
			if err != nil {
				return fmt.Errorf("event %s for callback %q: %w", deliveries[i].EventID, deliveries[i].Callback, err)
			}
			if became {
				replayed++
			}
		}
		return open.save()
	})
	if err != nil {
		return 0, fmt.Errorf("replaying: %w", err)
	}
	return replayed, nil
}

// replay tells whether the delivery became pending.
func replay(tx *bolt.Tx, open *callbacks, wanted *event.Delivery) (became bool, err error) {
	if wanted.Callback == "" {
		return false, errors.New("it names no callback")
	}
	position, err := eventPosition(tx, wanted.EventID)
	if err != nil {
		return false, err
	}
	c, err := open.get(wanted.Callback)
	if err != nil {
		return false, err
	}
	delivery, holder, err := c.find(position)
	switch {
	case errors.Is(err, event.ErrNotFound):
		delivery, err = newDelivery(tx, wanted, position)
	case err != nil:
	case delivery.State == event.Pending:
		return false, nil
	default:
		err = c.leave(holder, &delivery)
	}
	if err != nil {
		return false, err
	}
	delivery.State, delivery.Manual, delivery.Refusals = event.Pending, wanted.Manual, 0
	delivery.FirstAttempt, delivery.NextAttempt = time.Time{}, wanted.NextAttempt
	delivery.OrderingKey = wanted.OrderingKey
	return true, c.enqueue(&delivery)
}

// newDelivery returns the delivery of an event that the callback has none of.
func newDelivery(tx *bolt.Tx, wanted *event.Delivery, position uint64) (event.Delivery, error) {
	e, err := encoding.DecodeEventHeader(tx.Bucket(eventsBucket).Get(number(position)))
	if err != nil {
		return event.Delivery{}, err
	}
	return event.Delivery{
		Callback: wanted.Callback, EventID: e.ID, StoreID: e.Store.ID, Resource: e.Resource, ObjectID: e.ObjectID,
		Format: wanted.Format, Payload: wanted.Payload, Position: position,
	}, nil
}

// leave takes a delivery, as it is stored, out of the bucket that holds it, and
// out of what belongs to its state. Its attempts stay.
func (c *callback) leave(holder *bolt.Bucket, d *event.Delivery) error {
	switch d.State {
	case event.Pending:
		return c.withdraw(d)
	case event.Dead:
		c.counts.dead--
	}
	return holder.Delete(number(d.Position))
}

// Move implements store.Backend. Those that are pending go first, the oldest ones
// before the others. What the other callback has already counts as moved: it is
// gone where it was.
func (d *DB) Move(ctx context.Context, from, to string, limit int) (moved int, err error) {
	switch err := checkLimit(limit); {
	case err != nil:
		return 0, fmt.Errorf("moving deliveries: %w", err)
	case to == "" || from == to:
		return 0, fmt.Errorf("moving deliveries of callback %q: they cannot go to %q", from, to)
	}
	err = d.update(ctx, func(tx *bolt.Tx) error {
		open := callbacks{tx: tx, open: createCallback}
		source, err := openCallback(tx, from)
		if source == nil || err != nil {
			return err
		}
		moved, err = source.each(limit, func(holder *bolt.Bucket, d *event.Delivery) error {
			target, err := open.get(to)
			if err != nil {
				return err
			}
			return source.move(target, to, holder, d)
		}, event.Pending, event.Dead)
		return errors.Join(err, source.save(), open.save())
	})
	if err != nil {
		return 0, fmt.Errorf("moving deliveries of callback %q to %q: %w", from, to, err)
	}
	return moved, nil
}

// move gives a delivery, which holder holds, with its attempts to another callback
// of that name.
func (c *callback) move(to *callback, name string, holder *bolt.Bucket, d *event.Delivery) error {
	_, _, err := to.find(d.Position)
	if err != nil && !errors.Is(err, event.ErrNotFound) {
		return err
	}
	if err != nil { // the other one has none of this event
		for _, key := range keysOf(c.attempts, number(d.Position)) {
			if err := to.attempts.Put(key, bytes.Clone(c.attempts.Get(key))); err != nil {
				return err
			}
		}
		moved := *d
		moved.Callback = name
		if err := to.place(&moved); err != nil {
			return err
		}
	}
	return c.drop(holder, d)
}

// place puts a delivery that was not there where its state belongs.
func (c *callback) place(d *event.Delivery) error {
	if d.State == event.Pending {
		return c.enqueue(d)
	}
	return c.putSettled(d)
}

// drop removes a delivery, which holder holds, with its attempts.
func (c *callback) drop(holder *bolt.Bucket, d *event.Delivery) error {
	if err := c.leave(holder, d); err != nil {
		return err
	}
	return c.removeAttempts(d.Position)
}

// Drop implements store.Backend. The oldest ones go first.
func (d *DB) Drop(ctx context.Context, name string, state event.DeliveryState, limit int) (dropped int, err error) {
	switch err := checkLimit(limit); {
	case err != nil:
		return 0, fmt.Errorf("dropping deliveries: %w", err)
	case state != event.Pending && state != event.Dead:
		return 0, fmt.Errorf("dropping deliveries: they can be pending or dead, not %q", state)
	}
	err = d.update(ctx, func(tx *bolt.Tx) error {
		c, err := openCallback(tx, name)
		if c == nil || err != nil {
			return err
		}
		dropped, err = c.each(limit, c.drop, state)
		return errors.Join(err, c.save())
	})
	if err != nil {
		return 0, fmt.Errorf("dropping deliveries of callback %q: %w", name, err)
	}
	return dropped, nil
}

// each calls change, which takes the delivery out of its bucket, with at most limit
// deliveries in the states, one state after the other and the oldest ones first. It
// returns how many that were.
func (c *callback) each(
	limit int, change func(*bolt.Bucket, *event.Delivery) error, states ...event.DeliveryState,
) (changed int, err error) {
	for _, state := range states {
		holder, err := c.holder(state)
		if err != nil {
			return 0, err
		}
		for position := uint64(0); changed < limit; changed++ {
			key, record := holder.Cursor().Seek(number(position))
			if key == nil {
				break
			}
			delivery, err := encoding.DecodeDelivery(record)
			if err != nil {
				return 0, err
			}
			if delivery.State != state {
				return 0, fmt.Errorf("%w: a delivery that is %q is kept as %q", store.ErrCorrupt, delivery.State, state)
			}
			if delivery.Position, err = parsePosition(key); err != nil {
				return 0, err
			}
			if err := change(holder, &delivery); err != nil {
				return 0, err
			}
			position = delivery.Position
		}
	}
	return changed, nil
}
