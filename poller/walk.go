package poller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// maxWalks is how often a list is walked in one poll before it counts as moving
// too fast to be read whole.
const maxWalks = 3

// errNotWhole is returned when rows slid past the offset in each of maxWalks walks.
// Every page that was seen has been committed.
var errNotWhole = errors.New("the list moved while it was read")

// rows is what a walk looks at in a page: a key for each row, empty where the row
// could not be read.
type rows struct {
	total      int
	next       int
	keys       []string
	serverTime time.Time
}

// readWhole walks a list, again when rows slid past the offset, and returns the
// store's clock at the first page of the walk that was whole. read reads one page
// and commits what it brings: a page is used even when its walk is not whole.
func readWhole(ctx context.Context, read func(ctx context.Context, offset int) (rows, error)) (time.Time, error) {
	for range maxWalks {
		began, whole, err := walk(ctx, read)
		if err != nil || whole {
			return began, err
		}
	}
	return time.Time{}, fmt.Errorf("%w in %d walks; the store may be very busy", errNotWhole, maxWalks)
}

// walk reads a list page by page to its end. The list moves under it: an object
// that leaves it shifts the rest up, past the offset. Two things give that away:
// consecutive pages are read so that they share a row, and a row that is not
// found again has slid; and a whole walk holds as many rows as the smallest total
// that was told.
func walk(ctx context.Context, read func(ctx context.Context, offset int) (rows, error)) (began time.Time, whole bool, err error) {
	t := tally{seen: make(map[string]bool), least: math.MaxInt}
	for offset := 0; ; {
		page, err := read(ctx, offset)
		if err != nil {
			return time.Time{}, false, err
		}
		if offset == 0 {
			began = page.serverTime
		}
		fresh, slid := t.add(page)
		if slid {
			return time.Time{}, false, nil
		}
		if page.next == 0 {
			return began, t.whole(), nil
		}
		if !fresh {
			return time.Time{}, false, nil // the list grows faster than it is read
		}
		offset = page.next - t.back
	}
}

// A tally counts the distinct rows of a walk.
type tally struct {
	seen       map[string]bool
	unreadable int
	least      int // the smallest total told

	// The next page is asked for so that it repeats the last back rows, of which
	// the first has the key shared: the last one that could be read. Without one
	// nothing is repeated.
	back   int
	shared string
}

// add counts a page. It tells whether the page held a row that was not seen
// before, and whether the row that it shares with the page before has slid away.
func (t *tally) add(page rows) (fresh, slid bool) {
	met := t.shared == ""
	for i, key := range page.keys {
		met = met || key == t.shared
		switch {
		case key == "" && i < t.back: // counted with the page before
		case key == "":
			t.unreadable++
			fresh = true
		case !t.seen[key]:
			t.seen[key] = true
			fresh = true
		}
	}
	t.least = min(t.least, page.total)
	t.back, t.shared = 0, ""
	for i := len(page.keys) - 1; i > 0 && t.back == 0; i-- {
		if page.keys[i] != "" {
			t.back, t.shared = len(page.keys)-i, page.keys[i]
		}
	}
	return fresh, !met
}

func (t *tally) whole() bool { return len(t.seen)+t.unreadable >= t.least }

// keysOf returns the key of each row of a page, in order: that of the next readable
// one, or none.
func keysOf(count int, readable []string, unreadable []event.Unreadable) []string {
	keys := make([]string, 0, count)
	bad := make(map[int]bool, len(unreadable))
	for _, u := range unreadable {
		bad[u.Row] = true
	}
	next := 0
	for row := range count {
		switch {
		case bad[row]:
			keys = append(keys, "")
		case next < len(readable):
			keys = append(keys, readable[next])
			next++
		}
	}
	return keys
}
