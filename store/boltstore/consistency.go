package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// A Summary counts what Check has looked at.
type Summary struct {
	Bytes                    int64 // the size of the file
	Pages                    int   // in use
	Cursors                  int   // one for each store and resource
	Snapshots, Tombstones    int
	Events                   int
	Callbacks                int // that ever had a delivery
	Pending, Delivered, Dead int
	Attempts, Pauses         int
	Faults                   int
	// PagesOnly tells that faults in the file's pages kept the rest from being
	// looked at.
	PagesOnly bool
}

// checkStep is the number of entries after which a check looks at its context, and
// tells how far it has come.
const checkStep = 64

// Check looks at everything in the storage: that the file's pages are whole, that
// every record can be read, that what refers to something finds it, and that
// nothing contradicts itself; doc.go says what there is. fault is told of each
// fault in words that hold nothing of an order but its id; progress, unless it is
// nil, now and then how far the check has come. An error says that the check could
// not be finished. Memory does not grow with the storage, but for a bit and some
// bytes for each page. Nothing is written meanwhile.
//
// What Prune has removed, and what Forget has, is not missing: sequences have gaps
// there. There are no more of them than positions, though.
func (d *DB) Check(ctx context.Context, fault func(string), progress func(Summary)) (Summary, error) {
	select {
	case d.writer <- struct{}{}:
	case <-ctx.Done():
		return Summary{}, ctx.Err()
	}
	defer func() { <-d.writer }()
	c := checking{db: d, ctx: ctx, tell: fault, progress: progress}
	err := d.view(ctx, c.run)
	if errors.Is(err, store.ErrCorrupt) {
		c.fault("%v", err)
		err = nil
	}
	if err != nil {
		return Summary{}, fmt.Errorf("checking the storage: %w", err)
	}
	return c.sum, nil
}

// A checking is one call of Check.
type checking struct {
	db       *DB
	ctx      context.Context
	tell     func(string)
	progress func(Summary)

	tx    *bolt.Tx
	sum   Summary
	steps int
	last  sequenced // see sequence
}

func (c *checking) fault(format string, args ...any) {
	c.sum.Faults++
	c.tell(fmt.Sprintf(format, args...))
}

func (c *checking) run(tx *bolt.Tx) error {
	c.tx = tx
	if err := c.pages(); err != nil || c.sum.Faults > 0 {
		c.sum.PagesOnly = true
		return err
	}
	for fault := range tx.Check() { // it must be drained
		c.fault("%v", fault)
	}
	for _, part := range []struct {
		bucket []byte
		look   func(key, value []byte)
	}{
		{cursorsBucket, c.cursor},
		{eventsBucket, c.event},
		{eventIDsBucket, c.eventID},
		{sequencesBucket, c.sequence},
		{pausesBucket, c.pause},
	} {
		if b := tx.Bucket(part.bucket); b != nil {
			if err := c.each(b, part.look); err != nil {
				return err
			}
		}
	}
	c.endOfStore()
	if err := tx.Bucket(objectsBucket).ForEachBucket(c.resource); err != nil {
		return err
	}
	return tx.Bucket(deliveriesBucket).ForEachBucket(c.callback)
}

func (c *checking) pages() error {
	size, err := c.db.file.Seek(0, io.SeekEnd) // bbolt reads and writes at offsets of its own
	if err != nil {
		return err
	}
	c.sum.Bytes = size
	pageSize := uint64(c.db.bolt.Info().PageSize) //nolint:gosec // no size is negative
	w := pageWalk{
		file: c.db.file, pageSize: pageSize, pages: uint64(c.tx.Size()) / pageSize, fault: c.fault, //nolint:gosec // no size is negative
	}
	err = w.run(c.ctx, uint64(c.tx.Cursor().Bucket().Root()))
	c.sum.Pages = w.used
	return err
}

// each calls look with everything in a bucket.
func (c *checking) each(b *bolt.Bucket, look func(key, value []byte)) error {
	cursor := b.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if c.steps++; c.steps%checkStep == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			c.db.resident.read(c.db.bolt, residentStep)
			if c.progress != nil {
				c.progress(c.sum)
			}
		}
		look(key, value)
	}
	return nil
}

func (c *checking) cursor(key, record []byte) {
	c.sum.Cursors++
	cursor, err := encoding.DecodeCursor(record)
	switch {
	case err != nil:
		c.fault("the cursor at %x: %v", key, err)
	case !bytes.Equal(key, cursorKey(cursor.StoreID, cursor.Resource)):
		c.fault("the cursor of store %d is in the place of another's", cursor.StoreID)
	case cursor.Sequence > c.tx.Bucket(eventsBucket).Sequence():
		c.fault("the cursor of store %d counts %d events, there were %d of all stores",
			cursor.StoreID, cursor.Sequence, c.tx.Bucket(eventsBucket).Sequence())
	}
}

func (c *checking) event(key, record []byte) {
	c.sum.Events++
	e, err := encoding.DecodeEvent(record)
	if err != nil || len(key) != positionSize {
		c.fault("the event at %x: %v", key, err)
		return
	}
	if position := binary.BigEndian.Uint64(key); position > c.tx.Bucket(eventsBucket).Sequence() {
		c.fault("event %s is at position %d, which was never given out", e.ID, position)
	}
	if !bytes.Equal(c.tx.Bucket(eventIDsBucket).Get(encoding.AppendEventID(nil, e.ID)), key) {
		c.fault("event %s is not found by its id", e.ID)
	}
	if !bytes.Equal(c.tx.Bucket(sequencesBucket).Get(sequenceKey(e.Store.ID, e.Sequence)), key) {
		c.fault("event %s is not found by its store %d and its sequence %d", e.ID, e.Store.ID, e.Sequence)
	}
}

func (c *checking) eventID(key, position []byte) {
	record := c.tx.Bucket(eventsBucket).Get(position)
	if record == nil {
		c.fault("the event id at %x leads to no event", key)
		return
	}
	e, err := encoding.DecodeEventHeader(record)
	if err == nil && !bytes.Equal(key, encoding.AppendEventID(nil, e.ID)) { // an event that cannot be read has been told
		c.fault("the event id at %x leads to event %s", key, e.ID)
	}
}

// A sequenced is an entry of the bucket sequences.
type sequenced struct {
	storeID            int64
	resource           string
	sequence, position uint64
}

// sequence checks an entry, and that it fits behind the one before: positions grow
// with sequences, and faster, since all stores share them.
func (c *checking) sequence(key, value []byte) {
	position, err := parsePosition(value)
	if err != nil || len(key) != storeSize+positionSize {
		c.fault("the sequence at %x: %v", key, err)
		return
	}
	now := sequenced{
		storeID: int64(binary.BigEndian.Uint64(key)), sequence: binary.BigEndian.Uint64(key[storeSize:]), position: position, //nolint:gosec // what storeKey made
	}
	record := c.tx.Bucket(eventsBucket).Get(value)
	if record == nil {
		c.fault("sequence %d of store %d leads to no event", now.sequence, now.storeID)
		return
	}
	e, err := encoding.DecodeEventHeader(record)
	if err != nil {
		return // it has been told
	}
	if now.resource = e.Resource; e.Store.ID != now.storeID || e.Sequence != now.sequence {
		c.fault("sequence %d of store %d leads to event %s", now.sequence, now.storeID, e.ID)
	}
	if c.last.storeID != now.storeID {
		c.endOfStore()
		c.last = sequenced{storeID: now.storeID}
	}
	if now.position <= c.last.position || now.sequence-c.last.sequence > now.position-c.last.position {
		c.fault("sequence %d of store %d is at position %d, which does not fit behind sequence %d at position %d",
			now.sequence, now.storeID, now.position, c.last.sequence, c.last.position)
	}
	c.last = now
}

// endOfStore checks a store's last event against its cursor.
func (c *checking) endOfStore() {
	if c.last.sequence == 0 {
		return
	}
	cursor, err := readCursor(c.tx, c.last.storeID, c.last.resource)
	if err != nil {
		return // it has been told
	}
	given := c.tx.Bucket(eventsBucket).Sequence()
	if cursor.Sequence < c.last.sequence || cursor.Sequence-c.last.sequence > given-c.last.position {
		c.fault("the cursor of store %d counts %d events, the last one is %d", c.last.storeID, cursor.Sequence, c.last.sequence)
	}
}

func (c *checking) pause(key, record []byte) {
	c.sum.Pauses++
	p, err := encoding.DecodePause(record)
	if err != nil || !bytes.Equal(key, pauseKey(p.Callback, p.StoreID)) {
		c.fault("the pause at %x, of %s: %v", key, pauseName(p.Callback, p.StoreID), err)
	}
}
