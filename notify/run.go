package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A run is one Run or Drain of a Dispatcher. In it a callback has a queue while
// anything may be pending for it, and for as long afterwards as its connections last:
// an idle callback has neither a goroutine nor a connection.
type run struct {
	options  *Options
	recorder *recorder
	drainAt  time.Time // see queue
	// ctx ends the queues, attempts the POSTs that are under way then, and stop ctx.
	ctx, attempts context.Context
	stop          func()

	working sync.WaitGroup // the queues

	mu     sync.Mutex
	queues map[*webhook]*queue
	held   bool // nothing can be recorded: see inbox
	// complete tells that no queue begins any more.
	complete bool
	failed   []error // of queues that have ended
}

// deliver runs the queues until all is done, when they drain, or else until ctx has
// ended. cutOff ends the POSTs that then take longer than StopTimeout. The failure of a
// queue ends the others.
func (r *run) deliver(webhooks []*webhook, cutOff func()) error {
	for _, w := range webhooks {
		if r.ctx.Err() == nil && r.hasWork(w) {
			r.mu.Lock()
			r.begin(w)
			r.mu.Unlock()
		}
	}
	ended := make(chan struct{})
	go func() {
		if r.drainAt.IsZero() {
			<-r.ctx.Done()
		}
		r.mu.Lock()
		r.complete = true
		r.mu.Unlock()
		r.working.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-r.ctx.Done():
		grace := time.AfterFunc(r.options.StopTimeout, cutOff)
		defer grace.Stop()
		<-ended
	}
	return errors.Join(r.failed...)
}

// hasWork tells whether a callback needs a queue from the start. Where the storage
// cannot tell, the queue goes on asking.
func (r *run) hasWork(w *webhook) bool {
	stores, err := r.options.Storage.PendingStores(r.ctx, w.callback.Name)
	return len(stores) > 0 || err != nil
}

// begin gives a callback a queue, unless it has one. The configuration pauses a
// callback until it changes, which makes another Dispatcher. The caller holds mu.
func (r *run) begin(w *webhook) {
	if r.complete || r.queues[w] != nil || w.callback.Paused {
		return
	}
	q := newQueue(w, r)
	q.inbox.held = r.held
	r.queues[w] = q
	r.working.Go(func() {
		if err := q.run(r.ctx, r.attempts); err != nil {
			r.mu.Lock()
			r.failed = append(r.failed, err)
			r.mu.Unlock()
			r.stop()
		}
	})
}

// retire ends a queue that has nothing to do, unless it has been told something
// meanwhile. What is told later is told to another queue.
func (r *run) retire(q *queue) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !q.inbox.isEmpty() {
		return false
	}
	delete(r.queues, q.webhook)
	return true
}

// wake tells a callback that a store may have something for it. What drains does not
// begin anew.
func (r *run) wake(w *webhook, storeID int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drainAt.IsZero() {
		r.begin(w)
	}
	if q := r.queues[w]; q != nil {
		q.wake(storeID)
	}
}

// nudge makes a callback's queue look at its webhook's gate again.
func (r *run) nudge(w *webhook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.queues[w]; q != nil {
		signal(q.inbox.news)
	}
}

// hold keeps all queues from sending, or lets them go on.
func (r *run) hold(held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
	for _, q := range r.queues {
		q.hold(held)
	}
}

// ping returns when each queue has answered.
func (r *run) ping(ctx context.Context) error {
	r.mu.Lock()
	queues := make([]*queue, 0, len(r.queues))
	for _, q := range r.queues {
		queues = append(queues, q)
	}
	r.mu.Unlock()
	for _, q := range queues {
		select {
		case q.pings <- struct{}{}:
		case <-q.ended:
		case <-ctx.Done():
			return fmt.Errorf("the scheduler of callback %s does not answer: %w", q.webhook.callback.Name, ctx.Err())
		}
	}
	return nil
}
