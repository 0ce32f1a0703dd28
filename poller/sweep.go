package poller

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// batchOrders is how many orders a sweep commits at once. Beyond that a fuller
	// commit saves little.
	batchOrders = 300
	// largestBatch and sweepBytes bound the orders, as they came, that one batch and
	// all sweeps hold; but for the page that a batch ends with.
	largestBatch, sweepBytes = 4 << 20, 64 << 20
)

// batchBytes is how large a batch may grow where so many stores are polled at a
// time: each holds one that is being read and one that is being committed.
func batchBytes(stores int) int { return min(largestBatch, sweepBytes/(2*max(stores, 1))) }

// A batch is a part of what a sweep reads. After a kill, two are read again at most.
type batch struct {
	pages         []event.Page
	orders, bytes int // in the pages
	// through is how far the sweep has come when the batch is taken in; zero when
	// no window ends in it.
	through event.Sweep
	// done counts the orders that have been read up to here.
	done int
}

func (b *batch) add(page event.Page) {
	b.pages = append(b.pages, page)
	b.orders += page.Count
	for _, o := range page.Objects {
		b.bytes += len(o.Raw)
	}
}

// sweep takes in every order of its windows. One goroutine reads, and this one judges
// and commits what was read before; when reading fails, that too.
func (t *tracker) sweep(ctx context.Context, p *pass, until time.Time, r *report) (bool, error) {
	var all bool
	var readErr error
	var reader sync.WaitGroup
	defer reader.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan batch)
	reader.Go(func() {
		defer close(batches)
		all, readErr = t.readSweep(ctx, p, until, batches)
	})
	for b := range batches {
		if err := t.takeBatch(ctx, b, r); err != nil {
			t.dropPass() // it is ahead of what is committed: begin anew from there
			return false, err
		}
		t.tell(p, b.done)
	}
	if readErr != nil && ctx.Err() != nil {
		t.dropPass() // the last batch may not have been handed over
	}
	return all, readErr
}

// readSweep reads windows of the sweep and hands over what it has read, batch by
// batch; at an error, what came before it. Of the tracker it changes nothing but the
// pass.
func (t *tracker) readSweep(ctx context.Context, p *pass, until time.Time, batches chan<- batch) (all bool, err error) {
	b := batch{done: p.objects}
	hand := func() error {
		select {
		case batches <- b:
			b = batch{done: b.done}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err = recovered(func() (err error) {
		all, err = t.readWindows(p, until, func() error { return t.readWindow(ctx, p, &b, hand) })
		return err
	})
	if handErr := hand(); err == nil {
		err = handErr
	}
	return all, err
}

// readWindow reads one window into the batch, which hand takes away when it is full.
func (t *tracker) readWindow(ctx context.Context, p *pass, b *batch, hand func() error) error {
	_, err := readWhole(ctx, func(ctx context.Context, offset int) (rows, error) {
		page, err := t.windowPage(ctx, p, offset)
		if err != nil {
			return rows{}, err
		}
		b.add(page)
		b.done = p.objects + p.inside
		if b.orders >= batchOrders || b.bytes >= t.batchBytes {
			err = hand()
		}
		return rowsOf(page), err
	})
	if err == nil && !p.last() {
		b.through = event.Sweep{Through: p.to, Objects: p.objects + p.inside}
	}
	return err
}

// takeBatch judges and commits a batch, in one step unless an order changed between
// two of its pages: each state that was seen is judged by the one before.
func (t *tracker) takeBatch(ctx context.Context, b batch, r *report) error {
	var orders []event.Object
	seen := make(map[string][]byte, b.orders)
	for _, page := range b.pages {
		r.page(t.log, len(page.Objects), page.Unreadable)
		listed := finished(page.Objects)
		if seenOtherwise(listed, seen) {
			if err := t.takeIn(ctx, orders, t.cursor.Sweep, r); err != nil {
				return err
			}
			orders = nil
			clear(seen)
		}
		for _, o := range listed {
			if _, again := seen[o.ID]; !again {
				seen[o.ID] = o.Raw
				orders = append(orders, o)
			}
		}
	}
	if b.through == (event.Sweep{}) {
		b.through = t.cursor.Sweep
	}
	return t.takeIn(ctx, orders, b.through, r)
}

// seenOtherwise tells whether one of the orders was seen in another state.
func seenOtherwise(orders []event.Object, seen map[string][]byte) bool {
	for _, o := range orders {
		if raw, again := seen[o.ID]; again && !bytes.Equal(raw, o.Raw) {
			return true
		}
	}
	return false
}

// takeIn commits what orders bring, and how far the sweep has come with them.
func (t *tracker) takeIn(ctx context.Context, orders []event.Object, through event.Sweep, r *report) error {
	found, err := t.examine(ctx, orders, time.Time{}, false, r)
	if err != nil {
		return err
	}
	if len(found) == 0 && through == t.cursor.Sweep {
		return nil
	}
	next := *t.cursor
	next.Sweep = through
	return t.commitTo(ctx, next, found, r)
}
