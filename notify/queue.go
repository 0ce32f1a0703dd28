package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// minOpen and openPerWorker bound the deliveries of a callback that are being
	// attempted or not recorded yet. That many may be repeated after a kill.
	minOpen       = 1024
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
	webhook *webhook
	options *Options
	within  *run
	// concurrency is the most workers.
	concurrency int
	// drainAt, when set, is the time as of which the queue asks for what is due;
	// it ends when that is done.
	drainAt time.Time

	lanes lanes
	// known tells that the stores with pending deliveries have been read, and searched
	// that they have been read once.
	known, searched bool
	// open holds the positions of what has been taken and is not recorded yet.
	open map[uint64]struct{}
	head *event.Delivery // the next to attempt, in a page; nil when there is none now
	held bool            // see inbox
	// hasMore tells the recorder that there is something to attempt whatever it
	// records.
	hasMore atomic.Bool
	// shut is how long no attempt may begin, and probing that the next one is a
	// probe: see gate.wait.
	shut    time.Duration
	probing bool
	looked  time.Time // when the loop went round last
	idle    time.Time // since when nothing is known to be pending; zero: something is

	sender  *sender // nil before the first attempt
	workers sync.WaitGroup
	started int // workers
	jobs    chan job
	pings   chan struct{} // see Dispatcher.Ping
	ended   chan struct{} // closed when nobody reads pings any more

	// search is the trouble with reading known, and searchAt when that may be tried
	// again.
	search   trouble
	searchAt time.Time
	// failed is the first failure of the storage while the queue drained.
	failed error

	inbox inbox
}

// A job is an attempt to make.
type job struct {
	delivery *event.Delivery
	probe    bool
}

func newQueue(w *webhook, within *run) *queue {
	concurrency := w.callback.Concurrency
	if w.callback.Ordering == OrderByCallback {
		concurrency = 1 // also for what was detected under another ordering, or is replayed
	}
	return &queue{
		webhook: w, options: within.options, within: within, concurrency: concurrency, drainAt: within.drainAt,
		lanes:  newLanes(),
		open:   make(map[uint64]struct{}),
		looked: time.Now(),
		jobs:   make(chan job),
		pings:  make(chan struct{}),
		ended:  make(chan struct{}),
		inbox:  inbox{news: make(chan struct{}, 1)},
	}
}

// log returns the logger of the queue, which is rarely needed.
func (q *queue) log() *zap.Logger {
	return q.options.Logger.With(zap.String(keyCallback, q.webhook.callback.Name))
}

// run hands deliveries to the workers until ctx ends, and returns when the workers
// have finished what they had begun. attempts ends what takes too long. It also returns
// when it has long had nothing to do, or when it drains and nothing is left, then with
// the storage's first error.
func (q *queue) run(ctx, attempts context.Context) error {
	defer close(q.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wasProbing := q.probing
		now := q.look()
		if q.shut > 0 || q.probing != wasProbing {
			q.putBack()
		}
		if q.shut == 0 {
			q.choose(ctx)
		}
		q.offer(q.head != nil)
		if q.drained() || q.retired(now) {
			break
		}
		pace := q.pace(now)
		var jobs chan<- job
		var next job
		if q.head != nil && !q.held && pace == 0 {
			jobs, next = q.jobs, job{q.head, q.probing}
			q.startWorker(attempts)
		}
		var alarm <-chan time.Time
		if wait := q.nap(pace); wait > 0 {
			timer.Reset(wait)
			alarm = timer.C
		}
		select {
		case <-ctx.Done():
		case jobs <- next:
			q.head = nil
			q.sent()
		case <-q.inbox.news:
		case <-q.pings:
		case <-alarm:
		}
	}
	q.offer(false)
	close(q.jobs)
	q.workers.Wait()
	if q.sender != nil {
		q.sender.close()
	}
	q.readInbox() // a worker may have failed last
	return q.failed
}

// retired tells whether the queue has ended because nothing is pending: at once when it
// has sent nothing, else when the connections are not worth keeping any more.
func (q *queue) retired(now time.Time) bool {
	if !q.drainAt.IsZero() || !q.known || len(q.lanes.byStore) > 0 {
		q.idle = time.Time{}
		return false
	}
	if q.idle.IsZero() {
		q.idle = now
	}
	return (q.sender == nil || now.Sub(q.idle) >= idleConnection) && q.within.retire(q)
}

// offer sets hasMore. When it ends, what has been attempted is recorded at once: only
// that can bring something forward.
func (q *queue) offer(more bool) {
	if q.hasMore.Swap(more) && !more {
		q.within.recorder.hurry()
	}
}

// startWorker starts another worker unless all run. An idle callback has none.
func (q *queue) startWorker(attempts context.Context) {
	if q.started == q.concurrency {
		return
	}
	if q.sender == nil {
		q.sender = q.webhook.sender()
	}
	q.started++
	q.workers.Go(func() {
		for j := range q.jobs {
			q.work(attempts, j)
		}
	})
}

// work makes one attempt, unless the gate has shut since the queue looked.
func (q *queue) work(ctx context.Context, j job) {
	if !q.webhook.gate.begin(j.probe) {
		q.inbox.mu.Lock()
		q.inbox.refused = append(q.inbox.refused, j.delivery)
		q.inbox.mu.Unlock()
		signal(q.inbox.news)
		return
	}
	result, change := q.sender.attempt(ctx, j.delivery)
	q.within.recorder.add(&attempted{queue: q, delivery: j.delivery, result: result})
	q.logPassing(change)
	if change == callbackGone {
		q.keepPause(ctx)
	}
}

// keepPause makes the pause of a callback that is gone durable. The storage is asked
// until it does, ctx ends, or somebody resumes; meanwhile the pause holds in memory.
func (q *queue) keepPause(ctx context.Context) {
	var seen trouble
	for {
		err := q.webhook.savePause(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if !q.drainAt.IsZero() {
			q.inbox.mu.Lock()
			q.inbox.failed = err
			q.inbox.mu.Unlock()
			return
		}
		wait, isNew := seen.again(err)
		if isNew {
			q.log().Error(msgPauseFailed, zap.Error(err))
		}
		pause(ctx, nil, wait)
	}
}

// look takes in what has happened since the loop went round last, and returns the
// time.
func (q *queue) look() time.Time {
	q.readInbox()
	now := time.Now()
	if setBack(q.looked, now) {
		q.lanes.askAll(q.now())
	}
	q.looked = now
	q.shut, q.probing = q.webhook.gate.wait(now)
	if q.probing && q.shut == 0 && (len(q.open) > 1 || (len(q.open) == 1 && q.head == nil)) {
		q.shut = untilNews // one at a time, and recorded before the next
	}
	return now
}

func (q *queue) readInbox() {
	q.inbox.mu.Lock()
	woken, recorded, refused := q.inbox.woken, q.inbox.recorded, q.inbox.refused
	q.inbox.woken, q.inbox.recorded, q.inbox.refused = nil, nil, nil
	q.held = q.inbox.held
	if q.failed == nil {
		q.failed = q.inbox.failed
	}
	q.inbox.mu.Unlock()

	now := q.now()
	across := q.webhook.callback.Ordering == OrderByCallback
	for storeID := range woken {
		l := q.lanes.of(storeID)
		l.woken = true
		l.askBy(now)
		q.lanes.place(l, now)
		if across {
			q.known = false
		}
	}
	for _, a := range recorded {
		ask := now // for the next delivery of its ordering key
		if a.result.State == event.Pending && !a.lost {
			ask = a.result.NextAttempt
		} else if spansStores(a.delivery) {
			q.known = false
		}
		q.close(a.delivery, ask, now)
	}
	for _, d := range refused {
		q.close(d, now, now)
	}
}

// close ends what choose has begun: the delivery is not open any more, and its lane
// is asked at that time.
func (q *queue) close(d *event.Delivery, ask, now time.Time) {
	delete(q.open, d.Position)
	l := q.lanes.of(d.StoreID)
	l.open--
	l.askBy(ask)
	q.lanes.place(l, now)
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
		l := q.lanes.nextTurn(q.probing)
		if l == nil {
			return
		}
		if len(l.page) == 0 || time.Since(l.read) > longestPageLife {
			q.fill(ctx, l, now)
		}
		if len(l.page) > 0 {
			q.take(l)
		}
		q.lanes.place(l, now)
	}
}

// take makes the first delivery of a lane's page the head. A probe is to tell
// whether the callback works, so it is the one that has been attempted least, and
// what else was read for it is not kept.
func (q *queue) take(l *lane) {
	q.head = &l.page[0]
	if q.probing {
		least := slices.MinFunc(l.page, func(a, b event.Delivery) int { return cmp.Compare(a.Attempts, b.Attempts) })
		q.head = &least
		l.forget(q.now())
	} else {
		l.page = l.page[1:]
	}
	l.open++
	q.open[q.head.Position] = struct{}{}
}

// putBack forgets what has been read and is not attempted. It is read again when
// attempts may begin, by when much may have changed.
func (q *queue) putBack() {
	now := q.now()
	if q.head != nil {
		q.close(q.head, now, now)
		q.head = nil
	}
	for _, l := range q.lanes.turns {
		if len(l.page) > 0 {
			l.forget(now)
		}
	}
}

func (q *queue) full() bool {
	return len(q.open) >= max(minOpen, openPerWorker*q.concurrency)
}

// nap is how long to wait, unless there is news, before choosing again; 0: until
// there is news.
func (q *queue) nap(pace time.Duration) time.Duration {
	switch {
	case q.held || q.shut == untilNews:
		return 0
	case q.shut > 0:
		return min(q.shut, longestNap)
	case q.head != nil:
		return pace
	case q.full():
		return 0
	}
	next := q.searchAt
	if !q.idle.IsZero() {
		next = q.idle.Add(idleConnection)
	}
	if len(q.lanes.waiting) > 0 && (next.IsZero() || q.lanes.waiting[0].ask.Before(next)) {
		next = q.lanes.waiting[0].ask
	}
	if next.IsZero() {
		return 0
	}
	return min(max(time.Until(next), time.Nanosecond), longestNap)
}

// findStores learns which stores have pending deliveries that are the oldest of their
// ordering key. What is added later is told by wake; what comes forward in another
// store, because its key spans stores, makes it learn anew.
func (q *queue) findStores(ctx context.Context) {
	if q.known || time.Now().Before(q.searchAt) {
		return
	}
	stores, err := q.options.Storage.PendingStores(ctx, q.webhook.callback.Name)
	if err != nil {
		q.searchAt = q.fail(ctx, &q.search, fmt.Errorf("read which stores have pending deliveries: %w", err))
		return
	}
	first := !q.searched
	q.known, q.searched, q.search, q.searchAt = true, true, trouble{}, time.Time{}
	now := q.now()
	for storeID, due := range stores {
		// Zero would mean never; and at first each store is asked, because a time that
		// is still to come may be misdated.
		if due.IsZero() || first {
			due = now
		}
		l := q.lanes.of(storeID)
		l.askBy(due)
		q.lanes.place(l, now)
	}
}

// fail notes that reading has failed, and returns when to try again. It logs each
// change of the error.
func (q *queue) fail(ctx context.Context, t *trouble, err error) time.Time {
	if ctx.Err() == nil && !q.drainAt.IsZero() && q.failed == nil {
		q.failed = err
	}
	wait, isNew := t.again(err)
	if isNew && ctx.Err() == nil {
		q.log().Error(msgReadFailed, zap.Error(err))
	}
	return time.Now().Add(wait)
}

// now is the time as of which deliveries are due.
func (q *queue) now() time.Time {
	if !q.drainAt.IsZero() {
		return q.drainAt
	}
	return time.Now()
}

// drained tells that a queue that drains has nothing left to do, or may do nothing.
func (q *queue) drained() bool {
	switch {
	case q.drainAt.IsZero() || len(q.open) > 0:
		return false
	case q.shut > 0:
		return true
	default:
		return len(q.lanes.turns) == 0 && (q.known || q.failed != nil)
	}
}
