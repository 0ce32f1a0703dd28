package poller

import (
	"container/heap"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// ErrPaused is returned for a poll of a store that is paused.
var ErrPaused = errors.New("the store is paused")

// commands is what others have asked for. The scheduler carries a command out as soon
// as its store is not being polled.
type commands struct {
	mu   sync.Mutex
	open map[*tracker]command
	news chan struct{} // holds one token when there is one
}

// A command asks for a poll, for one that compares the whole shop, or for a pause or
// its end.
type command struct {
	poll, reconcile bool
	paused          *bool
}

func newCommands() *commands {
	return &commands{open: make(map[*tracker]command), news: make(chan struct{}, 1)}
}

func (c *commands) add(t *tracker, add command) {
	c.mu.Lock()
	sum := c.open[t]
	sum.poll = sum.poll || add.poll
	sum.reconcile = sum.reconcile || add.reconcile
	if add.paused != nil {
		sum.paused = add.paused
	}
	c.open[t] = sum
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// left returns the command that is open for a tracker; zero when there is none.
func (c *commands) left(t *tracker) command {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[t]
}

// has tells whether a command is open for a tracker.
func (c *commands) has(t *tracker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, open := c.open[t]
	return open
}

// carryOut carries out the commands for trackers that no worker has, and tells
// whether there were any.
func (c *commands) carryOut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	carried := false
	for t, command := range c.open {
		if t.busy {
			continue
		}
		delete(c.open, t)
		carried = true
		if command.paused != nil {
			t.paused = *command.paused
			t.due = time.Now()
		}
		if command.poll || command.reconcile {
			t.due = time.Now()
		}
		t.passWanted = t.passWanted || command.reconcile
	}
	return carried
}

// waiting returns the trackers that wait for their time.
func waiting(trackers []*tracker) agenda {
	w := make(agenda, 0, len(trackers))
	for _, t := range trackers {
		if !t.busy && !t.paused {
			w = append(w, t)
		}
	}
	heap.Init(&w)
	return w
}

// Poll has a store polled as soon as a worker is free, and before more is read of its
// whole shop, also one that Ecwid refuses.
// While it is being polled it is polled once more. It returns event.ErrNotFound for a
// store that the Poller was not given, and ErrPaused for one that is paused.
func (p *Poller) Poll(storeID int64) error { return p.want(storeID, command{poll: true}) }

// Reconcile is Poll, and has the whole shop compared with what is known of it.
func (p *Poller) Reconcile(storeID int64) error { return p.want(storeID, command{reconcile: true}) }

func (p *Poller) want(storeID int64, c command) error {
	t, err := p.tracker(storeID)
	if err != nil {
		return err
	}
	if t.board.read().Paused {
		return fmt.Errorf("store %d: %w", storeID, ErrPaused)
	}
	p.commands.add(t, c)
	return nil
}

// TakeOver has the stores polled and compared for which that was asked of another
// Poller, which does not run any more, and which has not begun it or not come to its end,
// and shows how polling them went until p has polled them itself. It leaves out stores
// that p was not given. It is called before p runs.
func (p *Poller) TakeOver(from *Poller) {
	for storeID, old := range from.byStore {
		t, err := p.tracker(storeID)
		if err != nil {
			continue
		}
		t.board.takeOver(old.board.read())
		wish := from.commands.left(old)
		wish.reconcile = wish.reconcile || old.passWanted || old.pass != nil && old.pass.asked
		if wish.poll || wish.reconcile {
			p.commands.add(t, command{poll: wish.poll, reconcile: wish.reconcile})
		}
	}
}

// Pause stops polling a store. A poll that is under way goes on to its end; the reading
// of a whole shop stops with its present window, and goes on there later.
func (p *Poller) Pause(storeID int64) error { return p.setPaused(storeID, true) }

// Resume polls a store again, at once.
func (p *Poller) Resume(storeID int64) error { return p.setPaused(storeID, false) }

func (p *Poller) setPaused(storeID int64, paused bool) error {
	t, err := p.tracker(storeID)
	if err != nil {
		return err
	}
	p.pausing.Lock() // what is shown is what is done, also when two disagree
	defer p.pausing.Unlock()
	t.board.pause(paused)
	p.commands.add(t, command{paused: &paused})
	return nil
}

// State returns how polling a store goes, or event.ErrNotFound.
func (p *Poller) State(storeID int64) (State, error) {
	t, err := p.tracker(storeID)
	if err != nil {
		return State{}, err
	}
	return t.board.read(), nil
}

// DueAfter returns when the schedule of a store has come due that many times, at least
// once, after a time; or event.ErrNotFound.
func (p *Poller) DueAfter(storeID int64, after time.Time, times int) (time.Time, error) {
	t, err := p.tracker(storeID)
	if err != nil {
		return time.Time{}, err
	}
	for range times {
		after = t.store.Schedule.Next(after, phase(storeID))
	}
	return after, nil
}

func (p *Poller) tracker(storeID int64) (*tracker, error) {
	t, ok := p.byStore[storeID]
	if !ok {
		return nil, fmt.Errorf("store %d: %w", storeID, event.ErrNotFound)
	}
	return t, nil
}
