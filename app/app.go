// Package app builds the parts of ecwid-events from a configuration, connects them
// and runs them. It reads no flags, no environment and no signals, and keeps no
// state outside an App, so that a process may hold several.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/metrics"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// Options are what an App needs besides its configuration.
type Options struct {
	Logger *zap.Logger
	// Version is told to Ecwid and to callbacks in the User-Agent header.
	Version string
	// Progress is told how far the first reading of a store has come; nil: the log
	// tells it.
	Progress func(poller.Progress)
	// Running is told when the App has begun to work; nil: nobody is.
	Running func()
	// Listening is told where the admin API listens, before Running; nil: nobody is.
	Listening func(net.Addr)
	// Load reads the configuration again, for LoadAgain; nil: there is none to read.
	Load func() (*config.Config, error)
	// OpenWithin is how long to wait for another process to let go of the storage; 0: one
	// second.
	OpenWithin time.Duration
	// WrapStorage puts something between the parts and the storage; nil: nothing.
	WrapStorage func(store.Backend) store.Backend
}

// An App is one copy of ecwid-events on its storage.
type App struct {
	options Options
	log     *zap.Logger
	storage *watched
	metrics *metrics.Metrics
	history *history
	bell    bell
	// outcomes outlive reloads.
	outcomes outcomes

	current atomic.Pointer[parts]
	started atomic.Pointer[time.Time] // nil while the App does not run
	change  atomic.Pointer[change]    // nil unless parts begin or are replaced
	reload  chan *reloading

	// steering is held while what a person wants of the parts is stored and done, so
	// that parts which are replaced meanwhile do not miss it.
	steering sync.Mutex
	today    today
	// erasing holds one token while an order is erased: nothing polls its store then,
	// also not with parts that have just taken the place of others.
	erasing chan struct{}
}

// A reloading hands over new parts. What came of it is sent on done, which has room for
// it, once they have taken the old ones' place, or cannot.
type reloading struct {
	next *parts
	old  *config.Config // what next is put in the place of; set before done is sent
	done chan error
}

// parts are what follows from a configuration. A reload replaces them all.
type parts struct {
	config     *config.Config
	built      time.Time
	callbacks  []notify.Callback
	byName     map[string]*notify.Callback
	byID       map[int64]*config.Store
	poller     *poller.Poller
	dispatcher *notify.Dispatcher
	retention  retention
	polling    atomic.Pointer[context.Context] // until the poller has stopped; nil before it runs
}

// New opens the storage and builds the parts. It touches no network. The caller
// closes the App. With a configuration that is not whole, see config.Extent, only its
// Service can be used, for what sends nothing.
func New(c *config.Config, o Options) (*App, error) {
	storage, err := openStorage(c.Storage, o.OpenWithin)
	if err != nil {
		return nil, err
	}
	if o.WrapStorage != nil {
		storage = o.WrapStorage(storage)
	}
	a := &App{
		options: o, log: o.Logger, storage: &watched{Backend: storage},
		metrics: metrics.New(o.Version), history: newHistory(time.Now()), reload: make(chan *reloading),
		erasing: make(chan struct{}, 1),
	}
	p, err := a.build(c)
	if err == nil {
		err = a.warnOfOrphans(p.byName)
	}
	if err != nil {
		return nil, errors.Join(err, storage.Close())
	}
	a.current.Store(p)
	return a, nil
}

func openStorage(c config.Storage, within time.Duration) (store.Backend, error) {
	db, err := boltstore.Open(c.Path, boltstore.Options{Timeout: within})
	if err != nil {
		return nil, fmt.Errorf("opening the storage: %w", err)
	}
	return db, nil
}

// build builds poller and dispatcher around the storage:
// poller -> storage -> dispatcher.
func (a *App) build(c *config.Config) (*parts, error) {
	callbacks, err := callbacksOf(c)
	if err != nil {
		return nil, err
	}
	p := &parts{
		config: c, built: time.Now(), callbacks: callbacks,
		byName: make(map[string]*notify.Callback, len(callbacks)), byID: make(map[int64]*config.Store, len(c.Stores)),
		retention: retention{delivered: c.Storage.KeepDelivered, dead: c.Storage.KeepDead},
	}
	for i := range callbacks {
		p.byName[callbacks[i].Name] = &callbacks[i]
	}
	for i := range c.Stores {
		p.byID[c.Stores[i].ID] = &c.Stores[i]
	}
	userAgent := "ecwid-events/" + a.options.Version
	p.dispatcher, err = notify.NewDispatcher(notify.Options{
		Storage: a.storage, Callbacks: callbacks, Logger: a.log, UserAgent: userAgent,
		OnAttempt: a.countAttempt,
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the callbacks: %w", err)
	}
	stores, err := a.storesOf(c, ecwid.NewLimiters(), userAgent)
	if err != nil {
		return nil, err
	}
	routes := routesOf(c)
	p.poller, err = poller.New(poller.Options{
		Stores: stores, Storage: a.storage, MaxConcurrent: c.MaxConcurrentPolls, Logger: a.log,
		Route: notify.Route(callbacks, routes),
		Committed: func(storeID int64) {
			p.dispatcher.Wake(storeID, routes[storeID]...)
			a.bell.ring()
		},
		Progress: a.options.Progress,
		Polled:   a.countPoll,
	})
	if err != nil {
		return nil, fmt.Errorf("setting up the poller: %w", err)
	}
	return p, nil
}

// warnOfOrphans tells of deliveries whose callback the configuration does not know:
// they stay until one of that name is back.
func (a *App) warnOfOrphans(known map[string]*notify.Callback) error {
	ctx := context.Background() // reading a local file
	names, err := a.storage.Callbacks(ctx)
	if err != nil {
		return fmt.Errorf("reading the storage: %w", err)
	}
	for _, name := range names {
		if known[name] != nil {
			continue
		}
		left, err := a.storage.Backlog(ctx, name)
		if err != nil {
			return fmt.Errorf("reading the storage: %w", err)
		}
		if left.Pending+left.Dead > 0 {
			a.log.Warn("callback.unknown", zap.String("callback", name), zap.Int("pending", left.Pending), zap.Int("dead", left.Dead),
				zap.String("hint", "events wait for a callback of this name: give one that name back, or they stay undelivered"))
		}
	}
	return nil
}

// Run polls and delivers until ctx ends, then lets running POSTs finish and
// records them. What is not delivered by then is delivered by the next run. Where the
// configuration says so it also serves the admin API, which ends last.
func (a *App) Run(ctx context.Context) error {
	if err := a.isWhole(); err != nil {
		return err
	}
	if err := a.holdPaused(ctx, a.current.Load()); err != nil {
		return err
	}
	server, err := a.listen(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	a.started.Store(&now)
	defer a.started.Store(nil)
	if a.options.Running != nil {
		a.options.Running()
	}
	if server == nil {
		return a.work(ctx)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Run(serving) }()
	err = a.work(ctx)
	a.started.Store(nil)
	stop()
	return errors.Join(err, <-served)
}

// work runs the parts until ctx ends, and others in their place after each reload.
func (a *App) work(ctx context.Context) error {
	a.change.Store(&change{since: time.Now(), replaced: true})
	defer a.change.Store(nil)
	for {
		running, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- a.current.Load().run(running, a.storage, a.log) }()
		end := sync.OnceValue(func() error { stop(); return <-ended })
		select {
		case err := <-ended:
			stop()
			return err
		case r := <-a.reload:
			err := a.exchange(ctx, r, end)
			r.done <- err
			switch {
			case errors.Is(err, control.ErrStopping):
				return end()
			case err != nil:
				return err
			}
		}
	}
}

// exchange ends the parts that run and puts those of a reload in their place. It returns
// control.ErrStopping when ctx ends first, and may not have ended the parts then.
func (a *App) exchange(ctx context.Context, r *reloading, end func() error) error {
	select {
	case a.erasing <- struct{}{}: // before the parts end: what is erased may take a while
	case <-ctx.Done():
		return control.ErrStopping
	}
	defer func() { <-a.erasing }()
	began := time.Now()
	a.change.Store(&change{since: began})
	err := end()
	if ctx.Err() != nil {
		return control.ErrStopping
	}
	if err != nil {
		// What could not be recorded is sent again by the new parts.
		a.log.Error("reload.incomplete", zap.Error(err))
	}
	r.old = a.current.Load().config
	err = a.replace(ctx, r.next)
	a.change.Store(&change{since: began, replaced: true})
	return err
}

// replace puts new parts in the place of those that have ended. The caller holds erasing.
func (a *App) replace(ctx context.Context, next *parts) error {
	a.steering.Lock()
	defer a.steering.Unlock()
	if err := a.holdPaused(ctx, next); err != nil {
		return err
	}
	old := a.current.Load()
	next.poller.TakeOver(old.poller)
	a.current.Store(next)
	a.forgetRemoved(old, next)
	return nil
}

// forgetRemoved lets go of what was counted of stores and callbacks that are not
// configured any more. What is under way has ended, so that nothing counts on.
func (a *App) forgetRemoved(old, next *parts) {
	for id := range old.byID {
		if next.byID[id] == nil {
			a.metrics.ForgetStore(id)
		}
	}
	for name := range old.byName {
		if next.byName[name] == nil {
			a.metrics.ForgetCallback(name)
			a.outcomes.forget(name)
		}
	}
}

// run runs the parts until ctx ends.
func (p *parts) run(ctx context.Context, storage *watched, log *zap.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	polling, ended := context.WithCancel(context.WithoutCancel(ctx))
	p.polling.Store(&polling)
	others.Go(func() {
		defer ended()
		p.poller.Run(ctx)
	})
	others.Go(func() { p.retention.run(ctx, storage, log) })
	others.Go(func() { storage.run(ctx) })
	err := p.dispatcher.Run(ctx)
	stop()
	others.Wait()
	if err != nil {
		return fmt.Errorf("delivering: %w", err)
	}
	return nil
}

// Once polls every store once, with reconcile compares each whole shop too, then
// attempts what is due. It returns what is left, over all callbacks, and the errors of
// polls that failed.
func (a *App) Once(ctx context.Context, reconcile bool) (event.Backlog, error) {
	p := a.current.Load()
	if err := errors.Join(a.isWhole(), a.holdPaused(ctx, p)); err != nil {
		return event.Backlog{}, err
	}
	failed := p.poller.Once(ctx, reconcile)
	for i, err := range failed {
		if errors.Is(err, event.ErrRefused) {
			failed[i] = fmt.Errorf("%w: %s", err, remedy(err))
		}
	}
	delivered := p.dispatcher.Drain(ctx)
	// What is left is told also when a signal has cut the rest short.
	left, err := a.backlog(context.WithoutCancel(ctx))
	return left, errors.Join(append(failed, delivered, err)...)
}

// isWhole tells what is missing of a configuration that was read without secrets.
func (a *App) isWhole() error {
	if unread := a.current.Load().config.Unread; len(unread) > 0 {
		return fmt.Errorf("the configuration is not whole:\n%w", unread)
	}
	return nil
}

// holdPaused keeps stores from being polled that a person has paused.
func (a *App) holdPaused(ctx context.Context, p *parts) error {
	pauses, err := a.storage.Pauses(ctx)
	if err != nil {
		return fmt.Errorf("reading what is paused: %w", err)
	}
	for _, pause := range pauses {
		if pause.StoreID == 0 {
			continue
		}
		// A store that is not configured any more, or paused there, is not polled anyway.
		if err := p.poller.Pause(pause.StoreID); err != nil && !errors.Is(err, event.ErrNotFound) {
			return err
		}
	}
	return nil
}

// backlog adds up what is left of all callbacks, those included that the
// configuration does not know any more.
func (a *App) backlog(ctx context.Context) (event.Backlog, error) {
	names, err := a.storage.Callbacks(ctx)
	if err != nil {
		return event.Backlog{}, fmt.Errorf("counting what is pending: %w", err)
	}
	var sum event.Backlog
	for _, name := range names {
		b, err := a.storage.Backlog(ctx, name)
		if err != nil {
			return event.Backlog{}, fmt.Errorf("counting what is pending for callback %s: %w", name, err)
		}
		sum.Pending += b.Pending
		sum.Dead += b.Dead
		if sum.Oldest.IsZero() || (!b.Oldest.IsZero() && b.Oldest.Before(sum.Oldest)) {
			sum.Oldest = b.Oldest
		}
	}
	return sum, nil
}

// Close releases the storage. No method may be called after it.
func (a *App) Close() error {
	if err := a.storage.Close(); err != nil {
		return fmt.Errorf("closing the storage: %w", err)
	}
	return nil
}
