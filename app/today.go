package app

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// today tells how many events a store has had since midnight, UTC. It remembers where
// the day began in the store's sequence, so that nothing needs to be counted.
type today struct {
	mu     sync.Mutex
	stores map[int64]morning
}

// A morning is the beginning of a store's day.
type morning struct {
	day   time.Time // midnight, UTC
	first uint64    // the sequence of the first event of the day, whether or not it is there yet
}

// events returns how many events a store has had today, when last is the sequence of
// its last one.
func (t *today) events(ctx context.Context, storage eventReader, storeID int64, last uint64, now time.Time) (int, error) {
	const day = 24 * time.Hour
	midnight := now.UTC().Truncate(day)
	t.mu.Lock()
	m, ok := t.stores[storeID]
	t.mu.Unlock()
	if !ok || !m.day.Equal(midnight) {
		first, err := firstSince(ctx, storage, storeID, m.first, last, midnight)
		if err != nil {
			return 0, fmt.Errorf("finding where the day of store %d begins: %w", storeID, err)
		}
		m = morning{midnight, first}
		t.mu.Lock()
		if t.stores == nil {
			t.stores = make(map[int64]morning)
		}
		t.stores[storeID] = m
		t.mu.Unlock()
	}
	return int(max(last+1, m.first) - m.first), nil //nolint:gosec // no day has that many
}

// An eventReader is what reads events of a storage.
type eventReader interface {
	EventFrom(ctx context.Context, storeID int64, sequence uint64) (uint64, error)
	Events(ctx context.Context, q event.HistoryQuery) ([]event.Event, uint64, bool, error)
}

// firstSince returns the sequence of a store's first event, from begin on, that was
// detected at or after a time; last+1 when there is none. What is gone, by pruning or
// because it was erased, is passed over.
func firstSince(ctx context.Context, storage eventReader, storeID int64, begin, last uint64, since time.Time) (uint64, error) {
	begin = max(begin, 1)
	end := max(begin, last+1)
	var failed error
	// from returns the first event that is there from a sequence on.
	from := func(sequence uint64) (found event.Event, ok bool) {
		if failed != nil {
			return event.Event{}, false
		}
		found, failed = eventFrom(ctx, storage, storeID, sequence)
		return found, failed == nil && found.Sequence != 0
	}
	isSince := func(sequence uint64) bool {
		found, ok := from(sequence)
		return !ok || !found.DetectedAt.Before(since)
	}
	if begin == end {
		return end, nil
	}
	if newest, ok := from(last); ok && newest.DetectedAt.Before(since) { // as in most stores at night
		return end, nil
	}
	n := sort.Search(int(end-begin), func(i int) bool { return isSince(begin + uint64(i)) }) //nolint:gosec // no store has that many
	if first, ok := from(begin + uint64(n)); ok {                                            //nolint:gosec // never negative
		return first.Sequence, nil
	}
	return end, failed
}

// eventFrom returns the first event of a store that is there from a sequence on; the
// zero event when there is none.
func eventFrom(ctx context.Context, storage eventReader, storeID int64, sequence uint64) (event.Event, error) {
	position, err := storage.EventFrom(ctx, storeID, sequence)
	if isNotFound(err) {
		return event.Event{}, nil
	}
	if err != nil {
		return event.Event{}, err
	}
	found, _, _, err := storage.Events(ctx, event.HistoryQuery{StoreID: storeID, After: position - 1, Limit: 1})
	if err != nil || len(found) == 0 {
		return event.Event{}, err
	}
	return found[0], nil
}
