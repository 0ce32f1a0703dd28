package boltstore

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

const (
	// scanWindow is the number of records that one call of Events or Deliveries
	// looks at, at most.
	scanWindow = 2000
	// scanBytes is how much of what it found such a call keeps in memory, give or
	// take one record.
	scanBytes = 16 << 20
)

// checkLimit refuses a limit with which a listing, or a change in steps, would go
// on for ever.
func checkLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("the limit is %d, it must be positive", limit)
	}
	return nil
}

// A scan goes over keys that end in a rising number, those of a bucket that begin
// with prefix, in their order or against it.
type scan struct {
	cursor *bolt.Cursor
	prefix []byte
	after  uint64 // the number behind which it begins; 0: at the end that comes first
	newest bool   // against the order
	limit  int
}

// run calls look with one key after the other. look returns the position that the
// key stands for, and how many bytes it took; 0: it did not want this one. run
// returns the position of the last key, or begin when there was none, and whether
// more keys follow.
func (s *scan) run(
	begin uint64, look func(key, value []byte) (position uint64, took int, err error),
) (next uint64, more bool, err error) {
	next = begin
	seen, found, size := 0, 0, 0
	for key, value := s.first(); key != nil; key, value = s.next() {
		if seen == scanWindow || found == s.limit || size >= scanBytes {
			return next, true, nil
		}
		position, took, err := look(key, value)
		if err != nil {
			return 0, false, err
		}
		next = position
		seen++
		size += took
		if took > 0 {
			found++
		}
	}
	return next, false, nil
}

func (s *scan) first() (key, value []byte) {
	from := appendNumber(bytes.Clone(s.prefix), s.after)
	if !s.newest {
		if key, value = s.cursor.Seek(from); bytes.Equal(key, from) {
			key, value = s.cursor.Next()
		}
		return s.within(key, value)
	}
	if s.after == 0 {
		from = after(s.prefix)
	}
	if from != nil {
		key, _ = s.cursor.Seek(from)
	}
	if key == nil {
		return s.within(s.cursor.Last())
	}
	return s.within(s.cursor.Prev())
}

func (s *scan) next() (key, value []byte) {
	if s.newest {
		return s.within(s.cursor.Prev())
	}
	return s.within(s.cursor.Next())
}

func (s *scan) within(key, value []byte) (k, v []byte) {
	if !bytes.HasPrefix(key, s.prefix) {
		return nil, nil
	}
	return key, value
}
