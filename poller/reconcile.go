package poller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// progressInterval is how often a pass over the whole shop says how far it is.
const progressInterval = 5 * time.Second

// confirmBatch is how many orders are read by themselves before the store may be
// polled in between.
const confirmBatch = 100

// A pass reads everything that exists, window by window. The first one, the sweep,
// takes every object in; later ones, reconciliations, compare the list with the
// snapshots and read only what differs. Polls go on between its windows.
type pass struct {
	*windows
	sweep   bool
	started time.Time
	told    time.Time
	// objects were in the windows that have been read, total are in the shop as far
	// as is known, and before were read by an earlier run.
	objects, total, before int
	// inside counts the orders of the window: an answer may hold others too.
	inside int
}

// count counts the orders of a page, from that offset on, that belong to the window.
// Its first row is that of the page before.
func (p *pass) count(objects []event.Object, offset int) {
	if offset == 0 {
		p.inside = 0
	} else if len(objects) > 0 {
		objects = objects[1:]
	}
	for _, o := range objects {
		if !o.Created.Before(p.from) && (p.last() || o.Created.Before(p.to)) || o.Created.IsZero() {
			p.inside++
		}
	}
}

// Progress is how far the first reading of a store has come.
type Progress struct {
	StoreID int64
	// Done counts the orders that have been read, Read those of them since the
	// program started, and Total all that the store told of.
	Done, Read, Total int
	Elapsed           time.Duration // since the program started reading
	Finished          bool
}

// passDue tells whether the whole shop is to be read now, or its reading goes on.
func (t *tracker) passDue(now time.Time) bool {
	c := t.cursor
	if t.pass != nil || t.passWanted || !c.Sweep.Done && t.store.Start.Sweep {
		return true
	}
	if t.store.Reconcile == (Schedule{}) {
		return false
	}
	last := c.Reconciled
	if last.IsZero() {
		last = c.Began
	}
	next := func(after time.Time) time.Time { return t.store.Reconcile.Next(after, phase(t.store.ID)) }
	due := next(last)
	// A local clock that was put back must not put a reconciliation off for long.
	return !now.Before(due) || due.After(next(next(now)))
}

// readAll reads windows of the whole shop until all are read or the time is up;
// the zero time never is. A window that fails is read again by the next call.
func (t *tracker) readAll(ctx context.Context, until time.Time, r *report) error {
	if !t.passDue(time.Now()) {
		return nil
	}
	if t.pass == nil {
		p, err := t.newPass(ctx)
		if err != nil {
			return err
		}
		t.pass = p
	}
	p := t.pass
	for {
		if err := t.readWindow(ctx, p, r); err != nil {
			return fmt.Errorf("reading the orders created from %s to %s: %w", p.from.Format(time.RFC3339), p.to.Format(time.RFC3339), err)
		}
		p.objects += p.inside
		if p.last() {
			return t.finishPass(ctx, r)
		}
		t.tell(p, 0)
		p.next()
		if !until.IsZero() && !time.Now().Before(until) {
			return nil
		}
	}
}

func (t *tracker) newPass(ctx context.Context) (*pass, error) {
	c := t.cursor
	p := &pass{sweep: !c.Sweep.Done, started: time.Now(), told: time.Now()}
	var from time.Time
	if p.sweep {
		from, p.objects, p.before = c.Sweep.Through, c.Sweep.Objects, c.Sweep.Objects
		page, err := t.store.Source.Orders(ctx, event.Query{Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("asking how many orders there are: %w", err)
		}
		p.total = page.Total
	}
	p.windows = newWindows(from, c.ReadTo, t.store.Source.CreatedResolution(), t.maxWindow)
	return p, nil
}

func (t *tracker) readWindow(ctx context.Context, p *pass, r *report) error {
	if !p.sweep {
		return t.reconcileWindow(ctx, p, r)
	}
	_, err := readWhole(ctx, func(ctx context.Context, offset int) (rows, error) {
		page, err := t.windowPage(ctx, p, offset)
		if err != nil {
			return rows{}, err
		}
		taken, err := t.takePage(ctx, page, time.Time{}, r)
		t.tell(p, p.inside)
		return taken, err
	})
	if err != nil || p.last() {
		return err
	}
	next := *t.cursor
	next.Sweep = event.Sweep{Through: p.to, Objects: p.objects + p.inside}
	return t.commit(ctx, &event.ChangeSet{Cursor: next}, r)
}

// windowPage asks for a page of the window. A first page that tells of too many
// orders halves the window instead.
func (t *tracker) windowPage(ctx context.Context, p *pass, offset int) (event.Page, error) {
	for {
		q := p.query()
		q.Offset, q.Light = offset, !p.sweep
		page, err := t.store.Source.Orders(ctx, q)
		if err != nil {
			return event.Page{}, err
		}
		if offset > 0 || !p.tooWide(page.Total) {
			p.held = page.Total
			p.count(page.Objects, offset)
			return page, nil
		}
		p.halve()
	}
}

func (t *tracker) finishPass(ctx context.Context, r *report) error {
	p := t.pass
	next := *t.cursor
	next.Reconciled = time.Now().UTC()
	next.Sweep = event.Sweep{Through: p.end, Objects: p.objects, Done: true}
	if err := t.commit(ctx, &event.ChangeSet{Cursor: next}, r); err != nil {
		return err
	}
	t.pass, t.passWanted = nil, false
	if p.sweep && t.progress != nil {
		t.progress(Progress{StoreID: t.store.ID, Done: p.objects, Read: p.objects - p.before, Total: p.objects, Elapsed: time.Since(p.started), Finished: true})
	}
	name := "reconcile.finished"
	if p.sweep {
		name = "sweep.finished"
	}
	t.log.Info(name, zap.Int("orders", p.objects), zap.Duration("duration", time.Since(p.started)))
	return nil
}

// tell says how far the pass is: that many orders into its window.
func (t *tracker) tell(p *pass, inWindow int) {
	done := p.objects + inWindow
	if p.sweep && t.progress != nil {
		t.progress(Progress{StoreID: t.store.ID, Done: done, Read: done - p.before, Total: p.total, Elapsed: time.Since(p.started)})
		return
	}
	if time.Since(p.told) < progressInterval {
		return
	}
	p.told = time.Now()
	if !p.sweep {
		t.log.Info("reconcile.progress", zap.Int("orders", done), zap.Time("created_to", p.to))
		return
	}
	rate := float64(done-p.before) / time.Since(p.started).Seconds()
	t.log.Info("sweep.progress", zap.Int("orders", done), zap.Int("total", p.total), zap.Float64("per_second", math.Round(rate)))
}

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
	var differing []event.Object
	for _, o := range listed {
		if !differs(o, last) {
			continue
		}
		itself, err := t.readItself(ctx, o.ID, r)
		if errors.Is(err, event.ErrNotFound) {
			continue // deleted since it was listed
		}
		if err != nil {
			return err
		}
		differing = append(differing, itself...)
	}
	return t.observe(ctx, differing, t.cursor.Began, true, r)
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
		for ids := range slices.Chunk(missing, confirmBatch) {
			if err := t.confirmDeleted(ctx, ids, serverTime, r); err != nil {
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
// not hold up what changes meanwhile.
func (t *tracker) keepUp(ctx context.Context) error {
	now := time.Now()
	if t.pollDue.IsZero() || now.Before(t.pollDue) {
		return nil
	}
	t.pollDue = upcoming(t.store.Schedule, now, t.store.ID)
	var own report
	err := t.poll(ctx, &own)
	own.log(t.log, time.Since(now), t.pollDue, err)
	if err != nil && !isPartial(err) {
		return fmt.Errorf("polling meanwhile: %w", err)
	}
	return nil
}

// confirmDeleted reads orders that were not listed: those that exist are judged,
// the others were deleted.
func (t *tracker) confirmDeleted(ctx context.Context, ids []string, at time.Time, r *report) error {
	var alive []event.Object
	var gone []string
	for _, id := range ids {
		itself, err := t.readItself(ctx, id, r)
		if errors.Is(err, event.ErrNotFound) {
			gone = append(gone, id)
			continue
		}
		if err != nil {
			return err
		}
		alive = append(alive, itself...)
	}
	if err := t.observe(ctx, alive, t.cursor.Began, true, r); err != nil {
		return err
	}
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
