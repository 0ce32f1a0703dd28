package poller

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// The words of Poll.Result. They are also fit for a metrics label.
const (
	ResultOK       = "ok"
	ResultRefused  = "refused"   // Ecwid serves the store no more: see event.ErrRefused
	ResultNotWhole = "not_whole" // the list moved while it was read, each time
	ResultStopped  = "stopped"   // the program stopped
	ResultFailed   = "failed"
)

// A Poll is one poll and what it found, the reading of the whole shop that went on
// behind it included.
type Poll struct {
	StoreID  int64
	Time     time.Time
	Duration time.Duration
	Result   string
	// Err is why it failed; nil when it did not.
	Err error
	// Objects were in the answers.
	Objects, Created, Updated, Deleted int
	// Unreadable are rows that were no orders, Unsettled the orders that wait for the
	// next poll.
	Unreadable, Unsettled int
}

// A State is how polling a store goes.
type State struct {
	StoreID int64
	Paused  bool
	// Refused is why Ecwid refuses the store; empty while it does not.
	Refused string
	// Last is the poll that ended last, not counting those that a stop cut short, and
	// Success when the last good one began; zero before the first.
	Last    Poll
	Success time.Time
	// Next is when the next poll is due; zero before the first one.
	Next time.Time
	// Cursor is as of the last poll. It may be ahead of the stored one.
	Cursor event.Cursor
	// Total is how many orders the shop told of when its first reading began; 0 when
	// none is under way.
	Total int
}

// result names what an error makes of a poll.
func result(err error) string {
	switch {
	case err == nil:
		return ResultOK
	case errors.Is(err, event.ErrRefused):
		return ResultRefused
	case errors.Is(err, errNotWhole):
		return ResultNotWhole
	case errors.Is(err, context.Canceled):
		return ResultStopped
	default:
		return ResultFailed
	}
}

// A board shows a tracker's State to others while the tracker works.
type board struct {
	mu    sync.Mutex
	state State
}

func (b *board) read() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

func (b *board) pause(paused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.Paused = paused
}

// takeOver shows what another Poller's board showed, but for who is paused.
func (b *board) takeOver(s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Paused = b.state.Paused
	b.state = s
}

// learn shows how much there is to read in a sweep that begins.
func (b *board) learn(p *pass) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.Total = 0
	if p.sweep {
		b.state.Total = p.total
	}
}

func (b *board) move(c event.Cursor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.Cursor = c
}

// finish logs a poll that has ended and shows it.
func (t *tracker) finish(r *report, start, next time.Time, err error) {
	p := t.outcome(r, start, err)
	r.log(t.log, p, next)
	t.show(p, next)
	if t.polled != nil {
		t.polled(p)
	}
}

func (t *tracker) outcome(r *report, start time.Time, err error) Poll {
	return Poll{
		StoreID: t.store.ID, Time: start, Duration: time.Since(start), Result: result(err), Err: err,
		Objects: r.objects, Created: r.created, Updated: r.updated, Deleted: r.deleted,
		Unreadable: r.notObjects, Unsettled: r.unsettled,
	}
}

// show puts a poll on the board. What others have done since it began is not undone: a
// poll that came between is later, and as good.
func (t *tracker) show(p Poll, next time.Time) {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	s := &t.board.state
	s.Next = next
	if p.Result != ResultStopped && (p.Err != nil || !p.Time.Before(s.Last.Time)) {
		s.Last = p
	}
	switch {
	case p.Err == nil:
		s.Refused = ""
		if p.Time.After(s.Success) {
			s.Success = p.Time
		}
	case p.Result == ResultRefused:
		s.Refused, _, _ = strings.Cut(p.Err.Error(), "\n")
	case isPartial(p.Err):
		s.Refused = "" // the store answers
	}
	if t.cursor != nil {
		s.Cursor = *t.cursor
	}
	s.Total = 0
	if t.pass != nil && t.pass.sweep {
		s.Total = t.pass.total
	}
}
