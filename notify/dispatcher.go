package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// DefaultStopTimeout is how long running POSTs may go on when a Dispatcher stops,
// unless Options say otherwise.
const DefaultStopTimeout = 10 * time.Second

// lastRecord is how long the last results may take to be recorded when a Dispatcher
// stops.
const lastRecord = 5 * time.Second

// Storage is what a Dispatcher needs of the storage. Its methods are called
// concurrently; their promises are those of store.Backend.
type Storage interface {
	PendingStores(ctx context.Context, callback string) (map[int64]time.Time, error)
	Due(ctx context.Context, q event.DueQuery) (due []event.Delivery, next time.Time, err error)
	Event(ctx context.Context, id string) (event.Event, error)
	Record(ctx context.Context, results []event.Result) error
	Pauses(ctx context.Context) ([]event.Pause, error)
	Pause(ctx context.Context, p event.Pause) error
	Resume(ctx context.Context, callback string, storeID int64) error
}

// Options are what a Dispatcher is made of.
type Options struct {
	Storage   Storage
	Callbacks []Callback
	// Logger gets one line an attempt; nil: none.
	Logger *zap.Logger
	// Transport makes the requests of all callbacks; nil: each callback has its
	// own, with a connection for each POST at once.
	Transport http.RoundTripper
	// UserAgent is sent with every request; empty: ecwid-events.
	UserAgent string
	// StopTimeout is how long running POSTs may go on when Run stops; 0:
	// DefaultStopTimeout.
	StopTimeout time.Duration
	// OnAttempt is told of every attempt, before it is recorded; nil: nobody. It is
	// called from several goroutines at once and must not block.
	OnAttempt func(Attempted)
}

// An Attempted is an attempt that has just been made.
type Attempted struct {
	// Delivery is as it was before the attempt.
	Delivery event.Delivery
	// Event is empty when it could not be read.
	Event  event.Event
	Result event.Result
}

// Lag is the time from the event's detection to its acceptance; 0 when it was not
// accepted.
func (a *Attempted) Lag() time.Duration {
	if a.Result.State != event.Delivered {
		return 0
	}
	return a.Result.Attempt.Time.Add(a.Result.Attempt.Duration).Sub(a.Event.DetectedAt)
}

// A Dispatcher delivers what is pending in a storage to its callbacks.
type Dispatcher struct {
	options  Options
	webhooks []*webhook

	running atomic.Bool
	mu      sync.RWMutex
	queues  []*queue // of the run that is under way
}

// NewDispatcher checks the options and returns a Dispatcher that does nothing until
// Run or Drain. Its error names the callback and what is wrong with it.
func NewDispatcher(o Options) (*Dispatcher, error) {
	if o.Storage == nil {
		return nil, errors.New("a dispatcher needs a storage")
	}
	if o.StopTimeout < 0 {
		return nil, fmt.Errorf("the stop timeout must not be negative, got %s", o.StopTimeout)
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = DefaultStopTimeout
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.UserAgent == "" {
		o.UserAgent = "ecwid-events"
	}
	d := &Dispatcher{options: o}
	names := make(map[string]bool)
	for _, c := range o.Callbacks {
		if names[c.Name] {
			return nil, fmt.Errorf("two callbacks are named %q", c.Name)
		}
		names[c.Name] = true
		w, err := newWebhook(c, &d.options)
		if err != nil {
			return nil, fmt.Errorf("callback %q: %w", c.Name, err)
		}
		d.webhooks = append(d.webhooks, w)
	}
	return d, nil
}

// Wake tells that deliveries of the store may have become due: something was
// committed or replayed. It is cheap, never blocks, and may be called at any time;
// what is pending when Run starts needs no Wake.
func (d *Dispatcher) Wake(storeID int64) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, q := range d.queues {
		q.wake(storeID)
	}
}

// Run delivers until ctx ends. Then it starts no attempt any more, gives those
// under way StopTimeout to finish, and records what they came to; an attempt that is
// cut off is recorded as such and is due again at once. Everything that Run has
// started has ended when it returns. Its error tells that results could not be
// recorded; those deliveries are sent again.
//
// What a callback refuses is tried again after a while, see Retry. One that accepts
// nothing is spared: see CallbackState.OpenSince. One that answers 410 is paused.
//
// Trouble with the storage does not end Run: it logs each change of it, sends
// nothing that it could not record, and goes on when the storage does.
func (d *Dispatcher) Run(ctx context.Context) error {
	return d.run(ctx, time.Time{})
}

// Drain attempts every delivery that is due when it is called at most once, those
// that become the oldest of their ordering key meanwhile included, and returns when
// all have been attempted and recorded, or ctx has ended as in Run. It does not wait
// for a callback that is paused or accepts nothing: what is left stays pending. Its
// error is the storage's, and unlike Run it does not wait for one that fails.
func (d *Dispatcher) Drain(ctx context.Context) error {
	return d.run(ctx, time.Now())
}

// run is Run when drainAt is zero, and Drain otherwise.
func (d *Dispatcher) run(ctx context.Context, drainAt time.Time) error {
	if !d.running.CompareAndSwap(false, true) {
		return errors.New("the dispatcher is running already")
	}
	defer d.running.Store(false)
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	once := !drainAt.IsZero()
	if err := d.readPauses(ctx, once); err != nil || ctx.Err() != nil {
		return err
	}
	queues := make([]*queue, 0, len(d.webhooks))
	for _, w := range d.webhooks {
		if w.callback.Paused {
			continue // until the configuration changes, which makes another Dispatcher
		}
		w.gate.reset(once)
		queues = append(queues, newQueue(w, d.options.Storage, d.options.Logger, drainAt))
	}
	rec := newRecorder(d.options.Storage, d.options.Logger, queues, once)
	for _, q := range queues {
		q.recorder = rec
	}
	d.setQueues(queues)
	defer d.setQueues(nil)

	// The recorder outlives ctx, so that the last results are recorded.
	recording, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	finished, recorded := make(chan struct{}), make(chan error, 1)
	go func() {
		err := rec.run(recording, finished)
		if err != nil {
			stop()
		}
		recorded <- err
	}()

	err := d.runQueues(ctx, stop, queues, !once)
	close(finished)
	deadline := time.AfterFunc(lastRecord, giveUp)
	defer deadline.Stop()
	err = errors.Join(err, <-recorded)
	d.closeIdleConnections()
	return err
}

// Ping returns when each callback's scheduler of a running Dispatcher has answered.
// They answer at once, whatever POSTs do, unless one hangs, or the storage that it asks;
// then Ping returns ctx's error. Without a run nothing answers.
func (d *Dispatcher) Ping(ctx context.Context) error {
	d.mu.RLock()
	queues := d.queues
	d.mu.RUnlock()
	if queues == nil {
		return errors.New("no deliveries are scheduled")
	}
	for _, q := range queues {
		select {
		case q.pings <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("the scheduler of callback %s does not answer: %w", q.webhook.callback.Name, ctx.Err())
		}
	}
	return nil
}

func (d *Dispatcher) setQueues(queues []*queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queues = queues
}

// runQueues runs the queues until they have ended, and with forever not before ctx.
// The failure of one stops the others.
func (d *Dispatcher) runQueues(ctx context.Context, stop func(), queues []*queue, forever bool) error {
	attempts, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	errs := make([]error, len(queues))
	var running sync.WaitGroup
	for i, q := range queues {
		running.Go(func() {
			if errs[i] = q.run(ctx, attempts); errs[i] != nil {
				stop()
			}
		})
	}
	if forever {
		running.Go(func() { <-ctx.Done() })
	}
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return errors.Join(errs...)
	case <-ctx.Done():
	}
	grace := time.AfterFunc(d.options.StopTimeout, cutOff)
	defer grace.Stop()
	<-ended
	return errors.Join(errs...)
}

func (d *Dispatcher) closeIdleConnections() {
	if d.options.Transport != nil {
		return // not ours
	}
	for _, w := range d.webhooks {
		w.closeIdleConnections()
	}
}
