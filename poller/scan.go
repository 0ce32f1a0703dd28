package poller

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// scan reads what was updated since that time and returns the time up to which
// everything is read now: the store's clock when the walk began. There is no upper
// bound in the query: with one, an order that is touched again while it is read
// would leave the list and shift the others past the offset.
func (t *tracker) scan(ctx context.Context, since time.Time, r *report) (time.Time, error) {
	readTo, err := readWhole(ctx, func(ctx context.Context, offset int) (rows, error) {
		page, err := t.store.Source.Orders(ctx, event.Query{UpdatedFrom: since, Offset: offset})
		if err != nil {
			return rows{}, err
		}
		return t.takePage(ctx, page, since, r)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the updated orders: %w", err)
	}
	return readTo, nil
}

// takePage commits what a page brings.
func (t *tracker) takePage(ctx context.Context, page event.Page, since time.Time, r *report) (rows, error) {
	r.page(t.log, len(page.Objects), page.Unreadable)
	if err := t.observe(ctx, page.Objects, since, false, r); err != nil {
		return rows{}, err
	}
	return rowsOf(page), nil
}

func rowsOf(page event.Page) rows {
	ids := make([]string, len(page.Objects))
	for i, o := range page.Objects {
		ids[i] = o.ID
	}
	return rows{
		total: page.Total, next: page.Next, serverTime: page.ServerTime,
		keys: keysOf(page.Count, ids, page.Unreadable),
	}
}

// readDeletions reads what was deleted since that time.
func (t *tracker) readDeletions(ctx context.Context, since time.Time, r *report) error {
	_, err := readWhole(ctx, func(ctx context.Context, offset int) (rows, error) {
		page, err := t.store.Source.DeletedOrders(ctx, since, offset)
		if err != nil {
			return rows{}, err
		}
		r.page(t.log, 0, page.Unreadable)
		if err := t.bury(ctx, page.Deletions, page.ServerTime, r); err != nil {
			return rows{}, err
		}
		keys := make([]string, len(page.Deletions))
		for i, d := range page.Deletions {
			// An order can be deleted, come back and be deleted again.
			keys[i] = strconv.FormatInt(d.InternalID, 10) + "@" + d.Time.Format(time.RFC3339)
		}
		return rows{
			total: page.Total, next: page.Next, serverTime: page.ServerTime,
			keys: keysOf(page.Count, keys, page.Unreadable),
		}, nil
	})
	return err
}

// bury commits deletions: an event for each order that is known to live, and a
// tombstone for one that was never seen.
func (t *tracker) bury(ctx context.Context, deletions []event.Deletion, serverTime time.Time, r *report) error {
	ids := make([]int64, len(deletions))
	for i, d := range deletions {
		ids[i] = d.InternalID
	}
	known, err := t.recallDeleted(ctx, ids, deletions)
	if err != nil {
		return fmt.Errorf("reading snapshots: %w", err)
	}
	buried, err := t.storage.Tombstones(ctx, t.store.ID, event.Orders, ids)
	if err != nil {
		return fmt.Errorf("reading tombstones: %w", err)
	}
	var found []finding
	var tombstones []event.Tombstone
	for _, d := range deletions {
		last, seen := known[d.InternalID]
		if !seen && buried[d.InternalID].Before(d.Time) {
			tombstones = append(tombstones, event.Tombstone{InternalID: d.InternalID, Deleted: d.Time})
			buried[d.InternalID] = d.Time
		}
		if !seen || !last.Deleted.IsZero() {
			continue
		}
		gone, err := t.isGone(ctx, last, d.Time, r)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		f, err := t.judge(time.Time{}).vanished(last, d.Time)
		if err != nil {
			return err
		}
		found = append(found, f)
		known[d.InternalID] = f.snapshot
	}
	if err := t.commitFindings(ctx, found, r); err != nil {
		return err
	}
	if len(tombstones) == 0 {
		return nil
	}
	r.neverSeen += len(tombstones)
	return t.commit(ctx, &event.ChangeSet{
		Cursor: *t.cursor, Tombstones: tombstones,
		TombstonesFrom: serverTime.Add(-t.store.Overlap - tombstoneAge),
	}, r)
}

// recallDeleted returns the snapshots of deleted orders by internal number. Those of
// orders that were read without one are found by the list's own id, if it tells it.
func (t *tracker) recallDeleted(ctx context.Context, internal []int64, deletions []event.Deletion) (map[int64]event.Snapshot, error) {
	known, err := t.storage.SnapshotsByInternalID(ctx, t.store.ID, event.Orders, internal)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range deletions {
		if _, ok := known[d.InternalID]; !ok && d.ObjectID != "" {
			ids = append(ids, d.ObjectID)
		}
	}
	if len(ids) == 0 {
		return known, nil
	}
	byID, err := t.storage.SnapshotsByID(ctx, t.store.ID, event.Orders, ids)
	if err != nil {
		return nil, err
	}
	for _, d := range deletions {
		if s, ok := byID[d.ObjectID]; ok && (s.InternalID == 0 || s.InternalID == d.InternalID) {
			known[d.InternalID] = s
		}
	}
	return known, nil
}

// isGone tells whether a deletion at that time is the end of what is known of the
// order. An order that changed since lives again. Where both fall in the same
// second the order itself tells.
func (t *tracker) isGone(ctx context.Context, last event.Snapshot, at time.Time, r *report) (bool, error) {
	if !at.Equal(last.Updated) {
		return at.After(last.Updated), nil
	}
	_, err := t.readItself(ctx, last.ObjectID, r)
	if errors.Is(err, event.ErrNotFound) {
		return true, nil
	}
	return false, err
}
