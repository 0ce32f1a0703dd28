package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	EventAt(ctx context.Context, position uint64) (event.Event, error)
	Record(ctx context.Context, results []event.Result) error
	Pauses(ctx context.Context) ([]event.Pause, error)
	Pause(ctx context.Context, p event.Pause) error
	Resume(ctx context.Context, callback string, storeID int64) error
}

// Options are what a Dispatcher is made of.
type Options struct {
	Storage Storage
	// Callbacks are kept, and must not change any more.
	Callbacks []Callback
	// Logger gets one line an attempt; nil: none.
	Logger *zap.Logger
	// Transport makes the requests of all callbacks; nil: each callback that is not
	// idle has its own, with a connection for each POST at once.
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
	byName   map[string]*webhook

	running atomic.Bool
	current atomic.Pointer[run] // nil when none is under way
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
	d := &Dispatcher{options: o, byName: make(map[string]*webhook, len(o.Callbacks))}
	connectors := make(connectors)
	for i := range o.Callbacks {
		c := &o.Callbacks[i]
		if d.byName[c.Name] != nil {
			return nil, fmt.Errorf("two callbacks are named %q", c.Name)
		}
		w, err := newWebhook(c, &d.options, connectors)
		if err != nil {
			return nil, fmt.Errorf("callback %q: %w", c.Name, err)
		}
		d.webhooks = append(d.webhooks, w)
		d.byName[c.Name] = w
	}
	return d, nil
}

// Wake tells that deliveries of the store to these callbacks, or to any when none is
// named, may have become due: something was committed or replayed. Names that no
// callback has are passed over. It never blocks, costs little for each callback, and may
// be called at any time; what is pending when Run starts needs no Wake.
func (d *Dispatcher) Wake(storeID int64, callbacks ...string) {
	r := d.current.Load()
	if r == nil {
		return
	}
	if len(callbacks) == 0 {
		for _, w := range d.webhooks {
			r.wake(w, storeID)
		}
		return
	}
	for _, name := range callbacks {
		if w := d.byName[name]; w != nil {
			r.wake(w, storeID)
		}
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
	for _, w := range d.webhooks {
		w.gate.reset(once)
	}
	attempts, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	r := &run{
		options: &d.options, drainAt: drainAt, ctx: ctx, attempts: attempts, stop: stop,
		queues: make(map[*webhook]*queue),
	}
	r.recorder = newRecorder(d.options.Storage, d.options.Logger, r.hold, once)
	d.current.Store(r)
	defer d.current.Store(nil)

	// The recorder outlives ctx, so that the last results are recorded.
	recording, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	finished, recorded := make(chan struct{}), make(chan error, 1)
	go func() {
		err := r.recorder.run(recording, finished)
		if err != nil {
			stop()
		}
		recorded <- err
	}()

	err := r.deliver(d.webhooks, cutOff)
	close(finished)
	deadline := time.AfterFunc(lastRecord, giveUp)
	defer deadline.Stop()
	return errors.Join(err, <-recorded)
}

// Ping returns when the scheduler of each callback that is not idle has answered, in a
// running Dispatcher. They answer at once, whatever POSTs do, unless one hangs, or the
// storage that it asks; then Ping returns ctx's error. Without a run nothing answers.
func (d *Dispatcher) Ping(ctx context.Context) error {
	r := d.current.Load()
	if r == nil {
		return errors.New("no deliveries are scheduled")
	}
	return r.ping(ctx)
}
