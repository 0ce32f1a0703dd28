package poller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// commitFindings commits what was found in one step, events in the order in which
// they happened. It writes nothing when nothing was found.
func (t *tracker) commitFindings(ctx context.Context, found []finding, r *report) error {
	if len(found) == 0 {
		return nil
	}
	return t.commitTo(ctx, *t.cursor, found, r)
}

// commitTo commits what was found together with the cursor that it leads to.
func (t *tracker) commitTo(ctx context.Context, next event.Cursor, found []finding, r *report) error {
	slices.SortStableFunc(found, func(a, b finding) int { return a.event.Time.Compare(b.event.Time) })
	set := event.ChangeSet{Cursor: next}
	now := time.Now().UTC()
	for _, f := range found {
		set.Snapshots = append(set.Snapshots, f.snapshot)
		if f.verdict != changed {
			continue
		}
		set.Cursor.Sequence++
		e := f.event
		e.Store = t.store.Store
		e.Sequence = set.Cursor.Sequence
		e.DetectedAt = now
		if e.Time.IsZero() {
			e.Time = now // the order carries no stamp
		}
		set.Events = append(set.Events, e)
		set.Deliveries = append(set.Deliveries, t.route(e)...)
	}
	return t.commit(ctx, &set, r)
}

// commit makes a change set durable and moves the tracker's own cursor with it.
func (t *tracker) commit(ctx context.Context, set *event.ChangeSet, r *report) error {
	set.Base = t.cursor.Sequence
	if err := t.storage.Commit(ctx, set); err != nil {
		// Whether the storage holds another cursor now is not known: load it again,
		// and go on from there.
		t.cursor = nil
		t.dropPass()
		return fmt.Errorf("committing: %w", err)
	}
	cursor := set.Cursor
	t.cursor = &cursor
	t.board.move(cursor)
	r.commits++
	r.count(set)
	if len(set.Events) > 0 {
		t.committed(t.store.ID)
	}
	return nil
}
