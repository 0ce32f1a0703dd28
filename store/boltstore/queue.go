package boltstore

import (
	"encoding/binary"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// The pending deliveries of a callback: the bucket pending holds them, queue says
// who waits for whom, and ready names the oldest one of each ordering key. The
// methods below are the only ones that change these three, and keep them in step.

// enqueue makes a delivery pending that was not. It takes its place among those of
// its ordering key by its position, which may be before all of them: what is
// replayed is older than what waits.
func (c *callback) enqueue(d *event.Delivery) error {
	if err := c.pending.Put(number(d.Position), encoding.EncodeDelivery(d)); err != nil {
		return err
	}
	oldest := c.oldest(d.OrderingKey)
	if err := c.queue.Put(queueKey(d), []byte{}); err != nil {
		return err
	}
	c.counts.pending++
	if oldest != 0 && oldest < d.Position {
		return nil
	}
	if oldest != 0 {
		waits, err := c.waiting(oldest)
		if err != nil {
			return err
		}
		if err := remove(c.inReady, readyKey(&waits)); err != nil {
			return err
		}
	}
	return c.ready.Put(readyKey(d), []byte{})
}

// oldest returns the position of the oldest pending delivery of an ordering key,
// 0 when there is none.
func (c *callback) oldest(orderingKey string) uint64 {
	return queuePosition(first(c.inQueue, queuePrefix(orderingKey)))
}

// queuePosition returns the position in a key of the bucket queue, 0 of no key.
func queuePosition(key []byte) uint64 {
	if key == nil {
		return 0
	}
	return binary.BigEndian.Uint64(key[len(key)-positionSize:])
}

// retry keeps a delivery pending, to be attempted at its new time.
func (c *callback) retry(before, d *event.Delivery) error {
	if err := c.pending.Put(number(d.Position), encoding.EncodeDelivery(d)); err != nil {
		return err
	}
	if !seek(c.inReady, readyKey(before)) {
		return nil // an older one of its ordering key is pending
	}
	if err := c.inReady.Delete(); err != nil {
		return err
	}
	return c.ready.Put(readyKey(d), []byte{})
}

// withdraw takes a delivery, as it is stored, out of those that are pending, and
// lets the next one of its ordering key come forward.
func (c *callback) withdraw(d *event.Delivery) error {
	c.counts.pending--
	if err := remove(c.inPending, number(d.Position)); err != nil {
		return err
	}
	isOldest := c.oldest(d.OrderingKey) == d.Position
	if err := remove(c.inQueue, queueKey(d)); err != nil {
		return err
	}
	if !isOldest {
		return nil
	}
	if err := remove(c.inReady, readyKey(d)); err != nil {
		return err
	}
	next := c.oldest(d.OrderingKey)
	if next == 0 {
		return nil
	}
	waits, err := c.waiting(next)
	if err != nil {
		return err
	}
	return c.ready.Put(readyKey(&waits), []byte{})
}
