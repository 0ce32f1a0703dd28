package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// callback checks the deliveries of one callback.
func (c *checking) callback(name []byte) error {
	cb, err := openCallback(c.tx, string(name))
	if err != nil {
		c.fault("%v", err)
		return nil
	}
	c.sum.Callbacks++
	k := deliveryCheck{checking: c, name: string(name), callback: cb}
	var found counts
	for _, part := range []struct {
		state event.DeliveryState
		in    *bolt.Bucket
		all   *int
	}{
		{event.Pending, cb.pending, &c.sum.Pending}, {event.Delivered, cb.delivered, &c.sum.Delivered}, {event.Dead, cb.dead, &c.sum.Dead},
	} {
		before := *part.all
		err := c.each(part.in, func(key, record []byte) {
			*part.all++
			k.delivery(part.state, key, record)
		})
		if err != nil {
			return err
		}
		switch n := uint64(*part.all - before); part.state { //nolint:gosec // it only grows
		case event.Pending:
			found.pending = n
		case event.Dead:
			found.dead = n
		}
	}
	if found != cb.counts {
		c.fault("callback %q counts %d pending and %d dead deliveries, it has %d and %d",
			name, cb.counts.pending, cb.counts.dead, found.pending, found.dead)
	}
	if err := c.each(cb.queue, k.queued); err != nil {
		return err
	}
	if err := c.each(cb.ready, k.ready); err != nil {
		return err
	}
	return c.each(cb.attempts, k.attempt)
}

// A deliveryCheck checks what one callback's buckets hold.
type deliveryCheck struct {
	*checking
	name     string
	callback *callback
}

func (k *deliveryCheck) delivery(state event.DeliveryState, key, record []byte) {
	d, err := encoding.DecodeDelivery(record)
	if err != nil || len(key) != positionSize {
		k.fault("the %s delivery of callback %q at %x: %v", state, k.name, key, err)
		return
	}
	d.Position = binary.BigEndian.Uint64(key)
	if d.State != state || d.Callback != k.name {
		k.fault("callback %q holds the delivery of event %s as %s, which is %s and for callback %q", k.name, d.EventID, state, d.State, d.Callback)
	}
	e, err := encoding.DecodeEventHeader(k.tx.Bucket(eventsBucket).Get(key))
	if err != nil || e.ID != d.EventID || e.Store.ID != d.StoreID || e.Resource != d.Resource || e.ObjectID != d.ObjectID {
		k.fault("callback %q has a %s delivery of event %s, which is not there", k.name, state, d.EventID)
	}
	k.onlyOnce(state, key, &d)
	k.attempts(&d)
	if state != event.Pending {
		return
	}
	if !has(k.callback.queue, queueKey(&d)) {
		k.fault("the pending delivery of event %s for callback %q is not in the queue", d.EventID, k.name)
		return
	}
	isOldest := k.callback.oldest(d.OrderingKey) == d.Position
	if has(k.callback.ready, readyKey(&d)) != isOldest {
		k.fault("the pending delivery of event %s for callback %q: is ready %t, is the oldest of its order %t", d.EventID, k.name, !isOldest, isOldest)
	}
}

// onlyOnce checks that a delivery is in no other state too.
func (k *deliveryCheck) onlyOnce(state event.DeliveryState, key []byte, d *event.Delivery) {
	for other, b := range map[event.DeliveryState]*bolt.Bucket{
		event.Pending: k.callback.pending, event.Delivered: k.callback.delivered, event.Dead: k.callback.dead,
	} {
		if other != state && b.Get(key) != nil {
			k.fault("the delivery of event %s for callback %q is %s and %s", d.EventID, k.name, state, other)
		}
	}
}

// attempts checks that as many are there as the delivery had, by their numbers.
func (k *deliveryCheck) attempts(d *event.Delivery) {
	prefix, found := number(d.Position), 0
	cursor := k.callback.attempts.Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		found++
		if !bytes.Equal(key, attemptKey(d.Position, found)) {
			break
		}
	}
	if found != d.Attempts {
		k.fault("the delivery of event %s for callback %q had %d attempts, %d are there", d.EventID, k.name, d.Attempts, found)
	}
}

func (k *deliveryCheck) queued(key, _ []byte) {
	d, err := readDelivery(k.callback.pending, queuePosition(key))
	if errors.Is(err, event.ErrNotFound) || err == nil && !bytes.Equal(key, queueKey(&d)) {
		k.fault("callback %q has an entry %x in its queue that leads to no delivery", k.name, key)
	}
}

func (k *deliveryCheck) ready(key, _ []byte) {
	_, position, ok := parseReadyKey(key)
	if !ok {
		k.fault("callback %q has a ready key %x of %d bytes", k.name, key, len(key))
		return
	}
	d, err := readDelivery(k.callback.pending, binary.BigEndian.Uint64(position))
	if errors.Is(err, event.ErrNotFound) || err == nil && !bytes.Equal(key, readyKey(&d)) {
		k.fault("callback %q has a ready key %x that leads to no delivery", k.name, key)
	}
}

func (k *deliveryCheck) attempt(key, record []byte) {
	k.sum.Attempts++
	a, err := encoding.DecodeAttempt(record)
	if err != nil || len(key) != positionSize+4 {
		k.fault("the attempt for callback %q at %x: %v", k.name, key, err)
		return
	}
	position := binary.BigEndian.Uint64(key)
	if !bytes.Equal(key, attemptKey(position, a.Number)) {
		k.fault("attempt %d for callback %q is in the place of another", a.Number, k.name)
	}
	if _, _, err := k.callback.find(position); errors.Is(err, event.ErrNotFound) {
		k.fault("attempt %d for callback %q at position %d is of no delivery", a.Number, k.name, position)
	}
}
