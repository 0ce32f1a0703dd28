package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// maxBatch is the most results that are recorded together.
	maxBatch = 1000

	// What is recorded together costs one disk write, however much that is. So while
	// their queues have other deliveries to attempt, results wait for enoughTogether
	// of them, but not for longer than longestGather.
	enoughTogether = 400
	longestGather  = 50 * time.Millisecond

	// How long to wait before the storage is asked again after it has failed.
	firstStorageRetry   = 100 * time.Millisecond
	longestStorageRetry = 30 * time.Second
)

// A recorder saves the results of all queues, many together where nobody waits for
// them: a result is saved at once when its queue has nothing else to attempt. It may
// be added to concurrently, and never makes the adder wait: the queues bound what is
// not recorded yet.
type recorder struct {
	storage Storage
	logger  *zap.Logger
	// hold keeps the queues from sending what could not be recorded.
	hold func(held bool)
	// once gives up on the first failure instead of retrying.
	once bool

	mu      sync.Mutex
	waiting []*attempted
	urgent  bool          // a queue waits for one of them
	added   chan struct{} // holds one token when there may be something to do
}

// An attempted is a result that is to be recorded, and who asks.
type attempted struct {
	queue    *queue
	delivery *event.Delivery // as it was before the attempt
	result   event.Result
	// lost tells that the storage does not hold the delivery any more.
	lost bool
}

func newRecorder(storage Storage, logger *zap.Logger, hold func(bool), once bool) *recorder {
	return &recorder{storage: storage, logger: logger, hold: hold, once: once, added: make(chan struct{}, 1)}
}

func (r *recorder) add(a *attempted) {
	r.mu.Lock()
	r.waiting = append(r.waiting, a)
	r.urgent = r.urgent || !a.queue.hasMore.Load()
	wake := r.urgent || len(r.waiting) == 1 || len(r.waiting) >= enoughTogether
	r.mu.Unlock()
	if wake {
		signal(r.added)
	}
}

// hurry tells that a queue whose results may be waiting has nothing else to attempt.
func (r *recorder) hurry() {
	r.mu.Lock()
	r.urgent = len(r.waiting) > 0
	r.mu.Unlock()
	signal(r.added)
}

// run records until finished is closed and nothing is left, or ctx ends. Its error
// says how many results are lost with it.
func (r *recorder) run(ctx context.Context, finished <-chan struct{}) error {
	for {
		// Asked before taking: what was added before the end is then seen.
		ended := isClosed(finished)
		r.gather(finished)
		batch := r.take()
		if len(batch) == 0 {
			if ended {
				return nil
			}
			select {
			case <-r.added:
			case <-finished:
			}
			continue
		}
		if err := r.record(ctx, finished, batch); err != nil {
			return err
		}
	}
}

// gather waits until what there is should be saved.
func (r *recorder) gather(finished <-chan struct{}) {
	if r.ripe() {
		return
	}
	timer := time.NewTimer(longestGather)
	defer timer.Stop()
	for !r.ripe() {
		select {
		case <-r.added:
		case <-timer.C:
			return
		case <-finished:
			return
		}
	}
}

// ripe tells that nothing is gained by waiting for more results.
func (r *recorder) ripe() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) == 0 || r.urgent || len(r.waiting) >= enoughTogether
}

func (r *recorder) take() []*attempted {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.waiting), maxBatch)
	batch := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	if len(r.waiting) == 0 {
		r.waiting, r.urgent = nil, false
	}
	return batch
}

func (r *recorder) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

// record saves a batch, however often the storage fails, and tells the queues.
// Meanwhile they send nothing more, because what is sent could not be recorded. Its
// error, when ctx has ended, is the storage's last, and says how much is lost.
func (r *recorder) record(ctx context.Context, finished <-chan struct{}, batch []*attempted) error {
	var seen trouble
	for {
		n, err := r.save(ctx, batch)
		r.tell(batch[:n])
		batch = batch[n:]
		if err == nil {
			break
		}
		if r.once || ctx.Err() != nil {
			return fmt.Errorf("record %d attempts, which will be repeated: %w", len(batch)+r.len(), err)
		}
		r.hold(true)
		wait, isNew := seen.again(err)
		if isNew {
			r.logger.Error(msgRecordFailed, zap.Int(keyAttempts, len(batch)), zap.Error(err))
		}
		early := finished
		if isClosed(finished) {
			wait, early = firstStorageRetry, nil
		}
		pause(ctx, early, wait)
	}
	if seen.failures > 0 {
		r.logger.Info(msgStorageRecovered)
		r.hold(false)
	}
	return nil
}

// save records a batch, and returns how many of it, from the first on, are done with.
// A delivery that the storage does not hold any more has nothing to be recorded, and
// must not keep the others from it: the batch is halved until it is found.
func (r *recorder) save(ctx context.Context, batch []*attempted) (int, error) {
	results := make([]event.Result, len(batch))
	for i := range batch {
		results[i] = batch[i].result
	}
	err := r.storage.Record(ctx, results)
	switch {
	case err == nil:
		return len(batch), nil
	case !errors.Is(err, event.ErrNotFound):
		return 0, err
	case len(batch) == 1:
		batch[0].lost = true
		r.logger.Warn(msgDeliveryGone, zap.String(keyCallback, results[0].Callback), zap.Uint64(keyPosition, results[0].Position))
		return 1, nil
	}
	half := len(batch) / 2
	n, err := r.save(ctx, batch[:half])
	if err != nil {
		return n, err
	}
	m, err := r.save(ctx, batch[half:])
	return n + m, err
}

// tell tells each queue what of its has been recorded.
func (r *recorder) tell(batch []*attempted) {
	byQueue := make(map[*queue][]*attempted)
	for _, a := range batch {
		byQueue[a.queue] = append(byQueue[a.queue], a)
	}
	for q, recorded := range byQueue {
		q.recorded(recorded)
	}
}

// storageRetry is how long to wait after the storage has failed that often in a
// row.
func storageRetry(failures int) time.Duration {
	random := rand.Float64() //nolint:gosec // spreading retries needs no secrecy
	return backoff(failures, firstStorageRetry, longestStorageRetry, random)
}

// pause waits that long, or until ctx ends or early is closed.
func pause(ctx context.Context, early <-chan struct{}, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-early:
	}
}

// signal puts a token into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
