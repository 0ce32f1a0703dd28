package boltstore

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/store"
)

// The buckets; doc.go says what they hold.
var (
	metaBucket       = []byte("meta")
	cursorsBucket    = []byte("cursors")
	objectsBucket    = []byte("objects")
	eventsBucket     = []byte("events")
	eventIDsBucket   = []byte("event_ids")
	sequencesBucket  = []byte("sequences")
	deliveriesBucket = []byte("deliveries")
	pausesBucket     = []byte("pauses") // there since the first pause

	topBuckets = [][]byte{
		metaBucket, cursorsBucket, objectsBucket, eventsBucket, eventIDsBucket, sequencesBucket, deliveriesBucket,
	}

	snapshotsBucket  = []byte("snapshots")
	idsBucket        = []byte("ids")
	internalBucket   = []byte("internal")
	tombstonesBucket = []byte("tombstones")
	knownBucket      = []byte("known") // there since the first snapshot that was counted

	pendingBucket   = []byte("pending")
	queueBucket     = []byte("queue")
	readyBucket     = []byte("ready")
	deliveredBucket = []byte("delivered")
	deadBucket      = []byte("dead")
	attemptsBucket  = []byte("attempts")

	countsKey = []byte("counts")
)

// Keys that mostly come in rising order fill their pages to the brim; a page that
// splits in the middle of such a bucket leaves a full one and the rest.
const risingFill = 1

// objects are the buckets of one resource, of all stores.
type objects struct {
	snapshots, ids, internal, tombstones *bolt.Bucket
	known                                lateBucket
}

// openObjects returns the buckets of a resource, nil when nothing has been
// committed for it yet.
func openObjects(tx *bolt.Tx, resource string) (*objects, error) {
	b := tx.Bucket(objectsBucket).Bucket([]byte(resource))
	if b == nil {
		return nil, nil //nolint:nilnil // nothing there is no error
	}
	o := &objects{
		snapshots: b.Bucket(snapshotsBucket), ids: b.Bucket(idsBucket),
		internal: b.Bucket(internalBucket), tombstones: b.Bucket(tombstonesBucket), known: lateBucket{b, knownBucket},
	}
	if o.snapshots == nil || o.ids == nil || o.internal == nil || o.tombstones == nil {
		return nil, fmt.Errorf("%w: resource %q lacks a bucket", store.ErrCorrupt, resource)
	}
	o.snapshots.FillPercent, o.internal.FillPercent = risingFill, risingFill
	return o, nil
}

// createObjects is openObjects that makes what is missing.
func createObjects(tx *bolt.Tx, resource string) (*objects, error) {
	o, err := openObjects(tx, resource)
	if o != nil || err != nil {
		return o, err
	}
	err = createNested(tx.Bucket(objectsBucket), resource, snapshotsBucket, idsBucket, internalBucket, tombstonesBucket)
	if err != nil {
		return nil, err
	}
	return openObjects(tx, resource)
}

func createNested(parent *bolt.Bucket, name string, children ...[]byte) error {
	b, err := parent.CreateBucket([]byte(name))
	if err != nil {
		return fmt.Errorf("creating bucket %q: %w", name, err)
	}
	for _, child := range children {
		if _, err := b.CreateBucket(child); err != nil {
			return fmt.Errorf("creating bucket %q in %q: %w", child, name, err)
		}
	}
	return nil
}

// A callback is the buckets and the counters of one callback's deliveries. Who
// changes the counters calls save before the transaction ends.
type callback struct {
	bucket                                           *bolt.Bucket
	pending, queue, ready, delivered, dead, attempts *bolt.Bucket
	counts, saved                                    counts
	// Each looks into one bucket for as long as the transaction lasts: to look there
	// otherwise takes memory each time.
	inPending, inQueue, inReady *bolt.Cursor
}

type counts struct{ pending, dead uint64 }

// openCallback returns a callback, nil when it never had a delivery.
func openCallback(tx *bolt.Tx, name string) (*callback, error) {
	b := tx.Bucket(deliveriesBucket).Bucket([]byte(name))
	if b == nil {
		return nil, nil //nolint:nilnil // nothing there is no error
	}
	c := &callback{
		bucket: b, pending: b.Bucket(pendingBucket), queue: b.Bucket(queueBucket), ready: b.Bucket(readyBucket),
		delivered: b.Bucket(deliveredBucket), dead: b.Bucket(deadBucket), attempts: b.Bucket(attemptsBucket),
	}
	value := b.Get(countsKey)
	if c.pending == nil || c.queue == nil || c.ready == nil || c.delivered == nil || c.dead == nil || c.attempts == nil ||
		len(value) != 2*positionSize {
		return nil, fmt.Errorf("%w: callback %q lacks a bucket or its counters", store.ErrCorrupt, name)
	}
	c.counts = counts{pending: binary.BigEndian.Uint64(value), dead: binary.BigEndian.Uint64(value[8:])}
	c.saved = c.counts
	for _, rising := range []*bolt.Bucket{c.pending, c.delivered, c.dead, c.attempts} {
		rising.FillPercent = risingFill
	}
	c.inPending, c.inQueue, c.inReady = c.pending.Cursor(), c.queue.Cursor(), c.ready.Cursor()
	return c, nil
}

func createCallback(tx *bolt.Tx, name string) (*callback, error) {
	c, err := openCallback(tx, name)
	if c != nil || err != nil {
		return c, err
	}
	err = createNested(tx.Bucket(deliveriesBucket), name,
		pendingBucket, queueBucket, readyBucket, deliveredBucket, deadBucket, attemptsBucket)
	if err != nil {
		return nil, err
	}
	if err := putCounts(tx.Bucket(deliveriesBucket).Bucket([]byte(name)), counts{}); err != nil {
		return nil, err
	}
	return openCallback(tx, name)
}

func putCounts(callback *bolt.Bucket, c counts) error {
	if err := callback.Put(countsKey, appendNumber(number(c.pending), c.dead)); err != nil {
		return fmt.Errorf("saving the counters of a callback: %w", err)
	}
	return nil
}

func (c *callback) save() error {
	if c.counts == c.saved {
		return nil
	}
	return putCounts(c.bucket, c.counts)
}

// callbacks opens each callback of one transaction once.
type callbacks struct {
	tx     *bolt.Tx
	open   func(*bolt.Tx, string) (*callback, error)
	byName map[string]*callback
}

// get returns nil where open does.
func (c *callbacks) get(name string) (*callback, error) {
	if found, ok := c.byName[name]; ok {
		return found, nil
	}
	opened, err := c.open(c.tx, name)
	if err != nil {
		return nil, err
	}
	if c.byName == nil {
		c.byName = map[string]*callback{}
	}
	c.byName[name] = opened
	return opened, nil
}

func (c *callbacks) save() error {
	for _, callback := range c.byName {
		if callback == nil {
			continue
		}
		if err := callback.save(); err != nil {
			return err
		}
	}
	return nil
}
