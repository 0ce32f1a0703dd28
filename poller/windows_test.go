package poller

import (
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// Windows cover all time, one right behind the other, however many orders were
// created when; and none holds more than it may, if it can be made smaller.
func TestWindowsCoverAllTimeWithoutAGap(t *testing.T) {
	t.Parallel()
	random := diffRandom(t)
	for range 2000 {
		grain := pick(random, time.Second, 24*time.Hour)
		end := oldest.Add(time.Duration(random.Int64N(int64(60 * 365 * 24 * time.Hour)))).Truncate(time.Second)
		created := make([]time.Time, random.IntN(200))
		for i := range created {
			created[i] = end.Add(-time.Duration(random.ExpFloat64() * float64(24*time.Hour) * pick(random, 0.001, 1, 1000)))
		}
		start := pick(random, time.Time{}, end.AddDate(0, -3, 0), end.AddDate(1, 0, 0))
		w := newWindows(start, end, grain, 5)
		from := w.from
		for n := 0; ; n++ {
			if !w.from.Equal(from) || !w.last() && !w.to.After(w.from) || n > 10_000 {
				t.Fatalf("window %d is from %s to %s, the one before ended at %s", n, w.from, w.to, from)
			}
			w.held = countWithin(created, w.query())
			for w.tooWide(w.held) {
				w.halve()
				w.held = countWithin(created, w.query())
			}
			if w.held > 5 && w.to.Sub(w.from) > grain {
				t.Fatalf("%d orders from %s to %s", w.held, w.from, w.to)
			}
			checkBounds(t, w)
			if w.last() {
				break
			}
			from = w.to
			w.next()
		}
		if w.to.Before(end) {
			t.Fatalf("the last window ends at %s, before %s", w.to, end)
		}
	}
}

func countWithin(created []time.Time, q event.Query) int {
	n := 0
	for _, at := range created {
		if !at.Before(q.CreatedFrom) && (q.CreatedTo.IsZero() || !at.After(q.CreatedTo)) {
			n++
		}
	}
	return n
}

// checkBounds checks that the query of a window leaves nothing of it out, and that
// the snapshots asked for are of the window alone.
func checkBounds(t *testing.T, w *windows) {
	t.Helper()
	q, s := w.query(), w.snapshots(event.Snapshot{})
	if q.CreatedFrom.IsZero() != w.from.Equal(oldest) || !q.CreatedFrom.Before(w.from) {
		t.Fatalf("the query of %s begins at %s", w.from, q.CreatedFrom)
	}
	if q.CreatedTo.IsZero() != w.last() || !w.last() && !q.CreatedTo.After(w.to) {
		t.Fatalf("the query of a window to %s ends at %s", w.to, q.CreatedTo)
	}
	if s.From.IsZero() != w.from.Equal(oldest) || !s.From.IsZero() && !s.From.Equal(w.from) {
		t.Fatalf("the snapshots of %s begin at %s", w.from, s.From)
	}
	if !w.last() && !s.To.Equal(w.to) || w.last() && !s.To.After(w.end.AddDate(50, 0, 0)) {
		t.Fatalf("the snapshots of a window to %s end at %s", w.to, s.To)
	}
	behind := event.Snapshot{ObjectID: "A", Created: w.from.Add(time.Second)}
	if next := w.snapshots(behind); !next.From.Equal(behind.Created) || next.After != "A" || !next.To.Equal(s.To) {
		t.Fatalf("behind %+v it is %+v", behind, next)
	}
}
