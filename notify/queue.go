package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// pagesAhead times the concurrency is how many deliveries a queue reads ahead.
	pagesAhead = 4

	// minOpen and openPerWorker bound the deliveries of a callback that are being
	// attempted or not recorded yet. That many may be repeated after a kill.
	minOpen       = 256
	openPerWorker = 32

	// longestNap bounds how long a queue waits by a timer, so that a clock that is
	// put forward, or a machine that slept, delays nothing for longer. Waking costs
	// no access to the storage.
	longestNap = time.Minute

	// emptyPause is how long a storage is left alone that says that something is
	// due, and returns nothing.
	emptyPause = time.Second
)

// A queue decides what a callback's workers attempt next. One goroutine runs it and
// owns its fields; the others talk to it through its inbox.
type queue struct {
	webhook  *webhook
	storage  Storage
	recorder *recorder
	logger   *zap.Logger
	// drainAt, when set, is the time as of which the queue asks for what is due;
	// it ends when that is done.
	drainAt time.Time

	lanes lanes
	// known tells that the stores with pending deliveries have been read.
	known bool
	// open holds the positions of what has been taken and is not recorded yet.
	open map[uint64]struct{}
	head *event.Delivery // the next to attempt; nil when there is none now
	held bool            // see inbox

	workers sync.WaitGroup
	started int // workers
	jobs    chan event.Delivery

	// search is the trouble with reading known, and searchAt when that may be tried
	// again.
	search   trouble
	searchAt time.Time
	// failed is the first failure of the storage while the queue drained.
	failed error

	inbox inbox
}

// An inbox takes what others tell a queue. None of them ever waits for the queue.
type inbox struct {
	mu       sync.Mutex
	woken    map[int64]struct{}
	recorded []attempted
	held     bool          // nothing can be recorded, so nothing is to be sent
	news     chan struct{} // holds one token when there is something
}

func newQueue(w *webhook, storage Storage, logger *zap.Logger, drainAt time.Time) *queue {
	return &queue{
		webhook: w, storage: storage, drainAt: drainAt,
		logger: logger.With(zap.String(keyCallback, w.callback.Name)),
		lanes:  newLanes(),
		open:   make(map[uint64]struct{}),
		jobs:   make(chan event.Delivery),
		inbox:  inbox{news: make(chan struct{}, 1)},
	}
}

func (q *queue) wake(storeID int64) {
	q.inbox.mu.Lock()
	if q.inbox.woken == nil {
		q.inbox.woken = make(map[int64]struct{})
	}
	q.inbox.woken[storeID] = struct{}{}
	q.inbox.mu.Unlock()
	signal(q.inbox.news)
}

func (q *queue) recorded(batch []attempted) {
	q.inbox.mu.Lock()
	q.inbox.recorded = append(q.inbox.recorded, batch...)
	q.inbox.mu.Unlock()
	signal(q.inbox.news)
}

func (q *queue) hold(held bool) {
	q.inbox.mu.Lock()
	q.inbox.held = held
	q.inbox.mu.Unlock()
	signal(q.inbox.news)
}

// run hands deliveries to the workers until ctx ends, and returns when the workers
// have finished what they had begun. attempts ends what takes too long. A queue
// that drains returns when nothing is left to do, with the storage's first error.
func (q *queue) run(ctx, attempts context.Context) error {
	defer q.workers.Wait()
	defer close(q.jobs)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		q.readInbox()
		q.choose(ctx)
		if q.drained() {
			break
		}
		var jobs chan<- event.Delivery
		var next event.Delivery
		if q.head != nil && !q.held {
			jobs, next = q.jobs, *q.head
			q.startWorker(attempts)
		}
		var alarm <-chan time.Time
		if wait := q.nap(); wait > 0 {
			timer.Reset(wait)
			alarm = timer.C
		}
		select {
		case <-ctx.Done():
		case jobs <- next:
			q.head = nil
		case <-q.inbox.news:
		case <-alarm:
		}
	}
	return q.failed
}

// startWorker starts another worker unless all run. An idle callback has none.
func (q *queue) startWorker(attempts context.Context) {
	if q.started == q.webhook.callback.Concurrency {
		return
	}
	q.started++
	q.workers.Go(func() {
		for d := range q.jobs {
			result := q.webhook.attempt(attempts, d)
			q.recorder.add(attempted{queue: q, storeID: d.StoreID, result: result})
		}
	})
}

func (q *queue) readInbox() {
	q.inbox.mu.Lock()
	woken, recorded := q.inbox.woken, q.inbox.recorded
	q.inbox.woken, q.inbox.recorded = nil, nil
	q.held = q.inbox.held
	q.inbox.mu.Unlock()

	now := q.now()
	for storeID := range woken {
		l := q.lanes.of(storeID)
		l.askBy(now)
		q.lanes.place(l, now)
	}
	for _, a := range recorded {
		delete(q.open, a.result.Position)
		l := q.lanes.of(a.storeID)
		l.open--
		if a.result.State == event.Pending {
			l.askBy(a.result.NextAttempt)
		} else {
			l.askBy(now) // for the next delivery of its ordering key
		}
		q.lanes.place(l, now)
	}
}

// choose makes the delivery whose turn it is the head: store by store, one each.
// There is none when nothing is due, or nothing more may be open.
func (q *queue) choose(ctx context.Context) {
	if q.held || q.full() {
		return
	}
	q.findStores(ctx)
	now := q.now()
	q.lanes.wakeDue(now)
	for q.head == nil && ctx.Err() == nil {
		l := q.lanes.nextTurn()
		if l == nil {
			return
		}
		if len(l.page) == 0 {
			q.fill(ctx, l, now)
		}
		if len(l.page) > 0 {
			d := l.page[0]
			l.page = l.page[1:]
			l.open++
			q.open[d.Position] = struct{}{}
			q.head = &d
		}
		q.lanes.place(l, now)
	}
}

func (q *queue) full() bool {
	return len(q.open) >= max(minOpen, openPerWorker*q.webhook.callback.Concurrency)
}

// nap is how long to wait, unless there is news, before choosing again; 0: until
// there is news.
func (q *queue) nap() time.Duration {
	if q.head != nil || q.held || q.full() {
		return 0
	}
	next := q.searchAt
	if len(q.lanes.waiting) > 0 && (next.IsZero() || q.lanes.waiting[0].ask.Before(next)) {
		next = q.lanes.waiting[0].ask
	}
	if next.IsZero() {
		return 0
	}
	return min(max(time.Until(next), time.Nanosecond), longestNap)
}

// findStores learns once which stores have pending deliveries. What is added later
// is told by wake.
func (q *queue) findStores(ctx context.Context) {
	if q.known || time.Now().Before(q.searchAt) {
		return
	}
	stores, err := q.storage.PendingStores(ctx, q.webhook.callback.Name)
	if err != nil {
		q.searchAt = q.fail(ctx, &q.search, fmt.Errorf("read which stores have pending deliveries: %w", err))
		return
	}
	q.known, q.search, q.searchAt = true, trouble{}, time.Time{}
	now := q.now()
	for storeID, due := range stores {
		if due.IsZero() {
			due = now // zero would mean never
		}
		l := q.lanes.of(storeID)
		l.askBy(due)
		q.lanes.place(l, now)
	}
}

// fail notes that reading has failed, and returns when to try again. It logs each
// change of the error.
func (q *queue) fail(ctx context.Context, t *trouble, err error) time.Time {
	t.failures++
	if ctx.Err() == nil && !q.drainAt.IsZero() && q.failed == nil {
		q.failed = err
	}
	if text := err.Error(); ctx.Err() == nil && text != t.text {
		t.text = text
		q.logger.Error(msgReadFailed, zap.Error(err))
	}
	return time.Now().Add(storageRetry(t.failures))
}

// fill reads the next page of a lane. The more lanes take turns, the smaller are
// the pages, so that all of them together stay small.
func (q *queue) fill(ctx context.Context, l *lane, now time.Time) {
	ahead := pagesAhead * q.webhook.callback.Concurrency
	due, next, err := q.storage.Due(ctx, event.DueQuery{
		Callback: q.webhook.callback.Name,
		StoreID:  l.storeID,
		Now:      now,
		Limit:    max(1, ahead/(len(q.lanes.turns)+1)),
		Skip: func(position uint64) bool {
			_, open := q.open[position]
			return open
		},
	})
	if err != nil {
		l.ask = q.fail(ctx, &l.trouble, fmt.Errorf("read the due deliveries of store %d: %w", l.storeID, err))
		return
	}
	l.page, l.ask, l.trouble = due, next, trouble{}
	if len(due) == 0 && !next.IsZero() && !next.After(now) {
		l.ask = now.Add(emptyPause)
	}
}

// now is the time as of which deliveries are due.
func (q *queue) now() time.Time {
	if !q.drainAt.IsZero() {
		return q.drainAt
	}
	return time.Now()
}

// drained tells that a queue that drains has nothing left to do.
func (q *queue) drained() bool {
	return !q.drainAt.IsZero() && q.head == nil && len(q.open) == 0 && len(q.lanes.turns) == 0 &&
		(q.known || q.failed != nil)
}
