package poller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// progressInterval is how often a pass over the whole shop says how far it is.
const progressInterval = 5 * time.Second

// A pass reads everything that exists, window by window. The first one, the sweep,
// takes every object in; later ones, reconciliations, compare the list with the
// snapshots and read only what differs. Polls go on between its windows.
type pass struct {
	*windows
	sweep bool
	// asked tells that a person asked for it.
	asked   bool
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

// dropPass forgets the pass under way, but not that a person asked for it.
func (t *tracker) dropPass() {
	if t.pass != nil {
		t.passWanted = t.passWanted || t.pass.asked
	}
	t.pass = nil
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
		t.board.learn(p)
	}
	p := t.pass
	read := t.reconcile
	if p.sweep {
		read = t.sweep
	}
	all, err := read(ctx, p, until, r)
	if err != nil || !all {
		return err
	}
	return t.finishPass(ctx, r)
}

// reconcile compares windows with their snapshots.
func (t *tracker) reconcile(ctx context.Context, p *pass, until time.Time, r *report) (all bool, err error) {
	all, err = t.readWindows(p, until, func() error {
		if err := t.reconcileWindow(ctx, p, r); err != nil {
			return err
		}
		t.tell(p, p.objects+p.inside)
		return nil
	})
	if errors.Is(err, errWanted) {
		return false, nil // the window is read again
	}
	return all, err
}

// readWindows has window after window read, until the time is up or a person wants
// something of the store. It tells whether all have been read.
func (t *tracker) readWindows(p *pass, until time.Time, read func() error) (all bool, err error) {
	for {
		if err := read(); err != nil {
			return false, fmt.Errorf("reading the orders created from %s to %s: %w", p.from.Format(time.RFC3339), p.to.Format(time.RFC3339), err)
		}
		p.objects += p.inside
		if p.last() {
			return true, nil
		}
		p.next()
		if !until.IsZero() && !time.Now().Before(until) || t.wanted() {
			return false, nil
		}
	}
}

func (t *tracker) newPass(ctx context.Context) (*pass, error) {
	c := t.cursor
	p := &pass{sweep: !c.Sweep.Done, asked: t.passWanted, started: time.Now(), told: time.Now()}
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
	t.passWanted = false
	return p, nil
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
	t.pass = nil
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

// tell says how far the pass is: that many orders have been read.
func (t *tracker) tell(p *pass, done int) {
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
