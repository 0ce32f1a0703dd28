package boltstore_test

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// wantConsistent checks that everything in a storage agrees with everything else:
// no index leads nowhere, nothing lacks its index, and the counters are right. The
// layout is that of doc.go.
func wantConsistent(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		wantIndexedEvents(t, tx)
		deliveries := tx.Bucket([]byte("deliveries"))
		return deliveries.ForEachBucket(func(name []byte) error {
			wantConsistentCallback(t, string(name), entries(deliveries.Bucket(name)), tx)
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// entries returns what a bucket and the buckets in it hold, the names of these in
// front of the keys.
func entries(b *bolt.Bucket) map[string]map[string][]byte {
	all := map[string]map[string][]byte{"": {}}
	_ = b.ForEach(func(key, value []byte) error { // it fails only with its function
		if value != nil {
			all[""][string(key)] = value
			return nil
		}
		all[string(key)] = entries(b.Bucket(key))[""]
		return nil
	})
	return all
}

func wantIndexedEvents(t *testing.T, tx *bolt.Tx) {
	t.Helper()
	ids, sequences := entries(tx.Bucket([]byte("event_ids")))[""], entries(tx.Bucket([]byte("sequences")))[""]
	events := entries(tx.Bucket([]byte("events")))[""]
	if len(ids) != len(events) || len(sequences) != len(events) {
		t.Errorf("%d events have %d ids and %d sequences", len(events), len(ids), len(sequences))
	}
	for position, record := range events {
		e, err := encoding.DecodeEvent(record)
		if err != nil {
			t.Errorf("the event at %x: %v", position, err)
		}
		sequence := binary.BigEndian.AppendUint64(nil, uint64(e.Store.ID))
		sequence = binary.BigEndian.AppendUint64(sequence, e.Sequence)
		if string(ids[string(encoding.AppendEventID(nil, e.ID))]) != position || string(sequences[string(sequence)]) != position {
			t.Errorf("event %s at %x is not found by its id and its sequence", e.ID, position)
		}
	}
}

func wantConsistentCallback(t *testing.T, name string, buckets map[string]map[string][]byte, tx *bolt.Tx) {
	t.Helper()
	oldest := map[string]event.Delivery{} // by ordering key
	attempts := 0
	seen := map[string]bool{}
	for _, state := range []event.DeliveryState{event.Pending, event.Delivered, event.Dead} {
		for position, record := range buckets[string(state)] {
			d, err := encoding.DecodeDelivery(record)
			if err != nil || d.State != state || d.Callback != name || seen[position] {
				t.Errorf("%s/%s holds %+v at %x, seen before: %v; %v", name, state, d, position, seen[position], err)
			}
			seen[position] = true
			attempts += d.Attempts
			d.Position = binary.BigEndian.Uint64([]byte(position))
			if tx.Bucket([]byte("events")).Get([]byte(position)) == nil {
				t.Errorf("%s/%s has a delivery of no event at %x", name, state, position)
			}
			queued := binary.AppendUvarint(nil, uint64(len(d.OrderingKey)))
			queued = append(append(queued, d.OrderingKey...), position...)
			if _, ok := buckets["queue"][string(queued)]; ok != (state == event.Pending) {
				t.Errorf("%s/%s has one at %x that is in the queue: %v", name, state, position, ok)
			}
			if first, ok := oldest[d.OrderingKey]; state == event.Pending && (!ok || d.Position < first.Position) {
				oldest[d.OrderingKey] = d
			}
		}
	}
	if len(buckets["attempts"]) != attempts {
		t.Errorf("%s has %d attempts, its deliveries had %d", name, len(buckets["attempts"]), attempts)
	}
	pending, dead := len(buckets["pending"]), len(buckets["dead"])
	want := binary.BigEndian.AppendUint64(nil, uint64(pending))
	want = binary.BigEndian.AppendUint64(want, uint64(dead))
	if counts := buckets[""]["counts"]; string(counts) != string(want) {
		t.Errorf("%s counts %x, it has %d pending and %d dead ones", name, counts, pending, dead)
	}
	if len(buckets["queue"]) != pending || len(buckets["ready"]) != len(oldest) {
		t.Errorf("%s has %d queued and %d ready, it has %d pending ones of %d ordering keys",
			name, len(buckets["queue"]), len(buckets["ready"]), pending, len(oldest))
	}
	for key := range buckets["ready"] {
		wantReady(t, []byte(key), buckets["pending"], oldest)
	}
}

// wantReady checks that a key of the bucket ready is that of the oldest delivery of
// its ordering key.
func wantReady(t *testing.T, key []byte, pending map[string][]byte, oldest map[string]event.Delivery) {
	t.Helper()
	position := key[len(key)-8:]
	d, err := encoding.DecodeDelivery(pending[string(position)])
	if err != nil {
		t.Errorf("the delivery at %x is ready: %v", position, err)
		return
	}
	second := uint64(d.NextAttempt.Unix() + 62135596800) // from the year 1
	due := binary.BigEndian.AppendUint64(nil, second)[3:]
	want := append(binary.BigEndian.AppendUint64(nil, uint64(d.StoreID)), due...)
	want = binary.BigEndian.AppendUint32(want, uint32(d.NextAttempt.Nanosecond()))
	want = append(want, position...)
	if first := oldest[d.OrderingKey]; first.Position != binary.BigEndian.Uint64(position) || string(want) != string(key) {
		t.Errorf("ready is %s, want %s; the oldest is at %d", hex.EncodeToString(key), hex.EncodeToString(want), first.Position)
	}
}
