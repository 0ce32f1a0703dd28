package poller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// confirmBatch is how many orders are read by themselves at most before they are judged,
// and the store may be polled in between.
const confirmBatch = 100

// errWanted ends a window early: a person wants something of the store.
var errWanted = errors.New("the store is wanted for something else")

// reconcileWindow compares the list of one window with its snapshots. It reads
// each order that is missing or differs, and each that the list lacks; an order is
// deleted only when the list was whole and the order itself is not found.
func (t *tracker) reconcileWindow(ctx context.Context, p *pass, r *report) error {
	var listed map[string]bool
	serverTime, err := readWhole(ctx, func(ctx context.Context, offset int) (rows, error) {
		if offset == 0 {
			listed = make(map[string]bool)
		}
		page, err := t.windowPage(ctx, p, offset)
		if err != nil {
			return rows{}, err
		}
		for _, o := range page.Objects {
			listed[o.ID] = true
		}
		r.page(t.log, len(page.Objects), page.Unreadable)
		if err := t.readDiffering(ctx, page.Objects, r); err != nil {
			return rows{}, err
		}
		return rowsOf(page), t.keepUp(ctx)
	})
	if err != nil {
		return err
	}
	return t.confirmMissing(ctx, p, listed, serverTime, r)
}

// readDiffering reads those of the listed orders that are unknown or newer than
// their snapshot. The list may lag; the orders themselves do not.
func (t *tracker) readDiffering(ctx context.Context, listed []event.Object, r *report) error {
	listed = finished(listed)
	last, _, err := t.recall(ctx, listed)
	if err != nil {
		return err
	}
	var differing []string
	for _, o := range listed {
		if differs(o, last) {
			differing = append(differing, o.ID)
		}
	}
	for len(differing) > 0 {
		// What is not found was deleted since it was listed.
		found, _, rest, readErr := t.readEach(ctx, differing, r)
		if err := errors.Join(readErr, t.observe(ctx, found, t.cursor.Began, true, r)); err != nil {
			return err
		}
		if differing = rest; len(rest) > 0 {
			if err := t.keepUp(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// differs tells whether a listed order may be another than the one that is known: one
// that counts as deleted is read too, since it may live.
func differs(o event.Object, last map[string]event.Snapshot) bool {
	s, known := last[o.ID]
	return !known || !s.Deleted.IsZero() || o.Updated.IsZero() || o.Updated.After(s.Updated)
}

// confirmMissing reads each order that has a snapshot in the window but was not
// listed, and commits the deletion of those that are not found.
func (t *tracker) confirmMissing(ctx context.Context, p *pass, listed map[string]bool, serverTime time.Time, r *report) error {
	var behind event.Snapshot
	for {
		q := p.snapshots(behind)
		batch, err := t.storage.SnapshotsCreated(ctx, t.store.ID, event.Orders, q)
		if err != nil {
			return fmt.Errorf("reading snapshots: %w", err)
		}
		var missing []string
		for _, s := range batch {
			if !listed[s.ObjectID] && !t.tooFresh(s, serverTime) {
				missing = append(missing, s.ObjectID)
			}
		}
		for len(missing) > 0 {
			if missing, err = t.confirmDeleted(ctx, missing, serverTime, r); err != nil {
				return err
			}
			if err := t.keepUp(ctx); err != nil {
				return err
			}
		}
		if len(batch) < q.Limit {
			return nil
		}
		behind = batch[len(batch)-1]
	}
}

// tooFresh tells an order whose absence proves nothing yet: the legacy API reads a
// single order from the index too, which may lag behind both.
func (t *tracker) tooFresh(s event.Snapshot, serverTime time.Time) bool {
	if t.store.Source.ListsDeletions() {
		return false
	}
	since := serverTime.Add(-t.store.Overlap)
	return s.Updated.After(since) || s.Created.After(since)
}

// keepUp polls when that has come due, so that reading many orders one by one does
// not hold up what changes meanwhile, and makes room for what a person wants.
func (t *tracker) keepUp(ctx context.Context) error {
	if t.wanted() {
		return errWanted
	}
	now := time.Now()
	if !t.pollIsDue(now) {
		return nil
	}
	t.pollDue = upcoming(t.store.Schedule, now, t.store.ID)
	var own report
	err := t.poll(ctx, &own)
	t.finish(&own, now, t.pollDue, err)
	if err != nil && !isPartial(err) {
		return fmt.Errorf("polling meanwhile: %w", err)
	}
	return nil
}

func (t *tracker) pollIsDue(now time.Time) bool {
	return !t.pollDue.IsZero() && !now.Before(t.pollDue)
}

// confirmDeleted reads orders that were not listed: those that exist are judged,
// the others were deleted. It returns those that it has not come to.
func (t *tracker) confirmDeleted(ctx context.Context, ids []string, at time.Time, r *report) (rest []string, err error) {
	alive, gone, rest, readErr := t.readEach(ctx, ids, r)
	err = t.observe(ctx, alive, t.cursor.Began, true, r)
	if err == nil {
		err = t.takeForDeleted(ctx, gone, at, r)
	}
	return rest, errors.Join(readErr, err)
}

// takeForDeleted commits the deletion of orders that were not found.
func (t *tracker) takeForDeleted(ctx context.Context, gone []string, at time.Time, r *report) error {
	last, err := t.storage.SnapshotsByID(ctx, t.store.ID, event.Orders, gone)
	if err != nil {
		return fmt.Errorf("reading snapshots: %w", err)
	}
	var found []finding
	for _, id := range gone {
		if !last[id].Deleted.IsZero() {
			continue // a poll that came between has told it
		}
		f, err := t.judge(time.Time{}).vanished(last[id], at)
		if err != nil {
			return err
		}
		found = append(found, f)
	}
	return t.commitFindings(ctx, found, r)
}

// readEach reads orders one by one. An order that cannot be read by itself does not
// keep the others from being read, but a store that answers nothing else either ends
// it: what was read until then is returned with the error. It stops after confirmBatch
// orders, and when a poll is due or a person wants something, and returns the rest.
func (t *tracker) readEach(ctx context.Context, ids []string, r *report) (found []event.Object, gone, rest []string, err error) {
	for i, id := range ids {
		if i > 0 && (i == confirmBatch || t.pollIsDue(time.Now()) || t.wanted()) {
			return found, gone, ids[i:], nil
		}
		itself, err := t.readItself(ctx, id, r)
		switch {
		case errors.Is(err, event.ErrNotFound):
			gone = append(gone, id)
		case err != nil:
			return found, gone, nil, err
		case len(itself) == 0:
			if _, err := t.store.Source.Orders(ctx, event.Query{Limit: 1}); err != nil {
				return found, gone, nil, fmt.Errorf("asking whether the store answers at all: %w", err)
			}
		}
		found = append(found, itself...)
	}
	return found, gone, nil, nil
}

// readItself reads one order, which does not lag as the list does. It returns
// event.ErrNotFound when there is none, and nothing for an order that cannot be
// read now: that is counted, and left to the next pass.
func (t *tracker) readItself(ctx context.Context, id string, r *report) ([]event.Object, error) {
	r.settled++
	o, err := t.store.Source.Order(ctx, id)
	switch {
	case ctx.Err() != nil, errors.Is(err, event.ErrRefused), errors.Is(err, event.ErrNotFound):
		return nil, fmt.Errorf("reading order %s: %w", id, err)
	case err == nil && o.ID != id:
		err = errors.New("another order was returned")
	}
	if err != nil {
		r.unsettle(t.log, id, err)
		return nil, nil
	}
	return []event.Object{o}, nil
}
