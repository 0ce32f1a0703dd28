package boltstore

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
)

// Keys are compared byte by byte, so that every number in them is big-endian.
const (
	storeSize    = 8
	stampSize    = 5
	instantSize  = stampSize + 4
	positionSize = 8
)

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func appendNumber(key []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(key, n) }

func storeKey(storeID int64) []byte { return number(uint64(storeID)) } //nolint:gosec // the same 64 bits, as a name

// appendStamp appends the second of a time, counted from the year 1, which is the
// zero time; five bytes last for 34,865 years.
func appendStamp(key []byte, t time.Time) []byte {
	second := min(max(t.Unix()-time.Time{}.Unix(), 0), 1<<(8*stampSize)-1)
	return append(key, byte(second>>32), byte(second>>24), byte(second>>16), byte(second>>8), byte(second)) //nolint:gosec // one byte each
}

// appendInstant appends a time to the nanosecond.
func appendInstant(key []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint32(appendStamp(key, t), uint32(t.Nanosecond())) //nolint:gosec // below 1e9
}

// instant reads what appendInstant wrote.
func instant(key []byte) time.Time {
	var second [8]byte
	copy(second[8-stampSize:], key[:stampSize])
	seconds := int64(binary.BigEndian.Uint64(second[:])) + time.Time{}.Unix() //nolint:gosec // 40 bits
	return time.Unix(seconds, int64(binary.BigEndian.Uint32(key[stampSize:instantSize]))).UTC()
}

func cursorKey(storeID int64, resource string) []byte { return append(storeKey(storeID), resource...) }

func idKey(storeID int64, objectID string) []byte { return append(storeKey(storeID), objectID...) }

func internalKey(storeID, internalID int64) []byte {
	return appendNumber(storeKey(storeID), uint64(internalID)) //nolint:gosec // the same 64 bits, as a name
}

func snapshotKey(storeID int64, created time.Time, objectID string) []byte {
	return append(appendStamp(storeKey(storeID), created), objectID...)
}

func sequenceKey(storeID int64, sequence uint64) []byte {
	return appendNumber(storeKey(storeID), sequence)
}

// queuePrefix is what the keys of one ordering key's deliveries begin with. The
// length in front keeps any ordering key from being the beginning of another.
func queuePrefix(orderingKey string) []byte {
	prefix := binary.AppendUvarint(make([]byte, 0, len(orderingKey)+2+positionSize), uint64(len(orderingKey)))
	return append(prefix, orderingKey...)
}

func queueKey(d *event.Delivery) []byte {
	return appendNumber(queuePrefix(d.OrderingKey), d.Position)
}

func readyKey(d *event.Delivery) []byte {
	key := appendNumber(make([]byte, 0, storeSize+instantSize+positionSize), uint64(d.StoreID)) //nolint:gosec // the same 64 bits, as a name
	return appendNumber(appendInstant(key, d.NextAttempt), d.Position)
}

// parseReadyKey reads what readyKey wrote.
func parseReadyKey(key []byte) (due time.Time, position []byte, ok bool) {
	if len(key) != storeSize+instantSize+positionSize {
		return time.Time{}, nil, false
	}
	return instant(key[storeSize:]), key[storeSize+instantSize:], true
}

func attemptKey(position uint64, n int) []byte {
	key := appendNumber(make([]byte, 0, positionSize+4), position)
	return binary.BigEndian.AppendUint32(key, uint32(min(n, math.MaxUint32))) //nolint:gosec // a count
}

// after returns the first key behind all that begin with prefix, nil when there
// can be none.
func after(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			return next[:i+1]
		}
	}
	return nil
}

// has tells whether a bucket holds a key. Get cannot tell for an empty value.
func has(b *bolt.Bucket, key []byte) bool { return seek(b.Cursor(), key) }

// seek moves a cursor to a key, and tells whether it is there.
func seek(in *bolt.Cursor, key []byte) bool {
	found, _ := in.Seek(key)
	return bytes.Equal(found, key)
}

// remove deletes a key where a cursor looks, if it is there.
func remove(in *bolt.Cursor, key []byte) error {
	if !seek(in, key) {
		return nil
	}
	return in.Delete()
}

// first returns the first key that begins with prefix, nil when there is none.
func first(in *bolt.Cursor, prefix []byte) []byte {
	key, _ := in.Seek(prefix)
	if !bytes.HasPrefix(key, prefix) {
		return nil
	}
	return key
}

// keysOf returns copies of all keys that begin with prefix.
func keysOf(b *bolt.Bucket, prefix []byte) [][]byte {
	var keys [][]byte
	cursor := b.Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}
