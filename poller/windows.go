package poller

import (
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// maxWindow is how many orders a window of creation time may hold. A window is
// what is read again after a kill, or when its list moved; and what a
// reconciliation holds in memory.
const maxWindow = 2000

// oldest is before the first order of any store.
var oldest = time.Unix(0, 0).UTC()

// windows divides the time in which orders were created, oldest first, so that a
// list of any length is read in pieces of a bounded one.
type windows struct {
	from, to time.Time
	// end is where the last window begins to be open.
	end time.Time
	// grain is the finest step in which creation times can be asked for.
	grain time.Duration
	most  int // orders that a window may hold
	held  int // orders in the window that was read last
}

// newWindows begins with one window for all.
func newWindows(from, end time.Time, grain time.Duration, most int) *windows {
	if from.Before(oldest) {
		from = oldest
	}
	if end.Before(from) {
		end = from
	}
	return &windows{from: from, to: end, end: end, grain: grain, most: most}
}

// next goes on behind the window, with a wider one when there was room.
func (w *windows) next() {
	span := w.to.Sub(w.from)
	if w.held < w.most/2 {
		span *= 2
	}
	w.from = w.to
	if span > w.end.Sub(w.from) {
		w.to = w.end
		return
	}
	w.to = w.from.Add(span)
}

func (w *windows) last() bool { return !w.to.Before(w.end) }

// tooWide tells that the window should be halved: it holds too many orders, and
// can be made smaller.
func (w *windows) tooWide(total int) bool {
	return total > w.most && w.to.Sub(w.from) > w.grain
}

func (w *windows) halve() {
	half := (w.to.Sub(w.from) / 2).Truncate(w.grain)
	w.to = w.from.Add(max(half, w.grain))
}

// query asks for the window with a second to spare on both sides, since whether
// Ecwid counts the bounds in is not documented. The last window is open: what is
// created later belongs to it.
func (w *windows) query() event.Query {
	var q event.Query
	if w.from.After(oldest) {
		q.CreatedFrom = w.from.Add(-time.Second)
	}
	if !w.last() {
		q.CreatedTo = w.to.Add(time.Second)
	}
	return q
}

// snapshots asks for the snapshots of the window, from the one behind the given
// one on.
func (w *windows) snapshots(behind event.Snapshot) event.CreatedQuery {
	q := event.CreatedQuery{From: w.from, To: w.to, After: behind.ObjectID, Limit: w.most}
	if !w.from.After(oldest) {
		q.From = time.Time{}
	}
	if w.last() {
		q.To = w.end.AddDate(100, 0, 0)
	}
	if behind.ObjectID != "" {
		q.From = behind.Created
	}
	return q
}
