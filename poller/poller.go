package poller

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/ecwid-events/ecwid-events/event"
)

// A Source is the API of one store. Its errors are event.ErrRefused when asking
// again is useless until a person acts, and event.ErrNotFound for a single order
// that does not exist.
type Source interface {
	Orders(ctx context.Context, q event.Query) (event.Page, error)
	Order(ctx context.Context, id string) (event.Object, error)
	// DeletedOrders lists deletions from that time on. It is called only when
	// ListsDeletions says so.
	DeletedOrders(ctx context.Context, from time.Time, offset int) (event.DeletionPage, error)
	ListsDeletions() bool
	// API names the interface: the same object has another id through another one.
	API() string
	// CreatedResolution is the finest step in which a query's creation times are
	// told apart.
	CreatedResolution() time.Duration
}

// Storage is what a poller needs of the storage. The methods promise what
// store.Backend says.
type Storage interface {
	Cursor(ctx context.Context, storeID int64, resource string) (event.Cursor, error)
	SnapshotsByID(ctx context.Context, storeID int64, resource string, ids []string) (map[string]event.Snapshot, error)
	SnapshotsByInternalID(ctx context.Context, storeID int64, resource string, ids []int64) (map[int64]event.Snapshot, error)
	SnapshotsCreated(ctx context.Context, storeID int64, resource string, q event.CreatedQuery) ([]event.Snapshot, error)
	Tombstones(ctx context.Context, storeID int64, resource string, ids []int64) (map[int64]time.Time, error)
	Commit(ctx context.Context, set *event.ChangeSet) error
}

// A Store is one shop to poll.
type Store struct {
	event.Store
	Source   Source
	Schedule Schedule
	// Reconcile is when the whole shop is compared with the snapshots; the zero
	// Schedule means never.
	Reconcile Schedule
	Start     Start
	// Overlap is how far each poll reads back behind the cursor. It covers the lag
	// of Ecwid's index.
	Overlap time.Duration
	Ignore  Ignore
	// Paused stores are not polled.
	Paused bool
}

// Options says what a Poller polls and where the outcome goes.
type Options struct {
	Stores  []Store
	Storage Storage
	// Route returns the pending deliveries of a new event.
	Route func(event.Event) []event.Delivery
	// Committed is told the store of each commit that held events. It must
	// not block.
	Committed func(storeID int64)
	// Progress is told how far the first reading of a store has come; nil: the log
	// tells it. It must not block.
	Progress func(Progress)
	// Polled is told of each poll that has ended; nil: nobody is. It must not block.
	Polled func(Poll)
	// MaxConcurrent is how many stores are polled at the same time, at least 1.
	MaxConcurrent int
	Logger        *zap.Logger
}

// A Poller polls stores on their schedules. A store is polled by one goroutine at
// a time.
type Poller struct {
	trackers      []*tracker
	byStore       map[int64]*tracker
	commands      *commands
	pausing       sync.Mutex
	pings         chan struct{}
	maxConcurrent int
}

// New returns a Poller. It does not touch the network or the storage.
func New(o Options) (*Poller, error) {
	if o.MaxConcurrent < 1 {
		return nil, fmt.Errorf("max concurrent polls must be at least 1, not %d", o.MaxConcurrent)
	}
	p := &Poller{maxConcurrent: o.MaxConcurrent, byStore: make(map[int64]*tracker), commands: newCommands(), pings: make(chan struct{})}
	for _, s := range o.Stores {
		switch {
		case s.Paused:
			continue
		case s.Schedule == (Schedule{}):
			return nil, fmt.Errorf("store %d has no schedule", s.ID)
		case s.Overlap < 0:
			return nil, fmt.Errorf("store %d: the overlap must not be negative, it is %s", s.ID, s.Overlap)
		}
		t := newTracker(s, o)
		t.wanted = func() bool { return p.commands.has(t) || t.occupied.isAwaited() }
		p.trackers = append(p.trackers, t)
		p.byStore[s.ID] = t
	}
	return p, nil
}

// Run polls every store at once and then on its schedule, until ctx ends. It
// returns when the last poll has ended. A poll that fails is logged and tried
// again at its next time; it does not end Run.
func (p *Poller) Run(ctx context.Context) {
	work := make(chan *tracker)
	done := make(chan *tracker)
	var workers sync.WaitGroup
	for range min(p.maxConcurrent, len(p.trackers)) {
		workers.Go(func() {
			for t := range work {
				_ = t.turn(ctx, false) // logged
				done <- t
			}
		})
	}
	p.dispatch(ctx, work, done)
	close(work)
	workers.Wait()
}

// dispatch hands each tracker to a worker when its time has come. It returns when
// ctx has ended and no worker is busy.
func (p *Poller) dispatch(ctx context.Context, work chan<- *tracker, done <-chan *tracker) {
	idle := waiting(p.trackers)
	busy := 0
	stop := ctx.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if p.commands.carryOut() {
			idle = waiting(p.trackers)
		}
		var hand chan<- *tracker
		var next *tracker
		var wake <-chan time.Time
		if len(idle) > 0 && ctx.Err() == nil {
			next = idle[0]
			if wait := time.Until(next.due); wait > 0 {
				timer.Reset(wait)
				wake = timer.C
			} else {
				hand = work
			}
		}
		if ctx.Err() != nil && busy == 0 {
			return
		}
		select {
		case hand <- next:
			heap.Pop(&idle)
			next.busy = true
			busy++
		case t := <-done:
			t.busy = false
			busy--
			heap.Push(&idle, t)
		case <-p.commands.news:
		case <-p.pings:
		case <-wake:
		case <-stop:
			stop = nil
		}
	}
}

// Once polls every store that is not paused once, and with reconcile compares each whole shop with its
// snapshots. It returns the errors of the polls that failed, each naming its store.
func (p *Poller) Once(ctx context.Context, reconcile bool) []error {
	var group errgroup.Group
	group.SetLimit(p.maxConcurrent)
	failures := make([]error, len(p.trackers))
	for i, t := range p.trackers {
		if t.board.read().Paused {
			continue
		}
		group.Go(func() error {
			t.passWanted = reconcile
			if err := t.turn(ctx, true); err != nil {
				failures[i] = fmt.Errorf("polling store %d: %w", t.store.ID, err)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return slices.DeleteFunc(failures, func(err error) bool { return err == nil })
}

// Ping returns when the scheduler of a running Poller has answered. It answers at once,
// whatever the polls do, unless it hangs; then Ping returns ctx's error.
func (p *Poller) Ping(ctx context.Context) error {
	select {
	case p.pings <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the scheduler of the polls does not answer: %w", ctx.Err())
	}
}

// An agenda is a heap of trackers by when they are due.
type agenda []*tracker

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(*tracker)) } //nolint:errcheck // it holds nothing else
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	return last
}
