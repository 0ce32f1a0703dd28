// Package app builds the parts of ecwid-events from a configuration, connects them
// and runs them. It reads no flags, no environment and no signals, and keeps no
// state outside an App, so that a process may hold several.
package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/event"
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
}

// An App is one running copy of ecwid-events.
type App struct {
	log        *zap.Logger
	storage    store.Backend
	poller     *poller.Poller
	dispatcher *notify.Dispatcher
	retention  retention
}

// New opens the storage and builds the parts. It touches no network. The caller
// closes the App.
func New(c *config.Config, o Options) (*App, error) {
	storage, err := openStorage(c.Storage)
	if err != nil {
		return nil, err
	}
	a := &App{
		log:       o.Logger,
		storage:   storage,
		retention: retention{delivered: c.Storage.KeepDelivered, dead: c.Storage.KeepDead},
	}
	if err := a.connect(c, o); err != nil {
		return nil, errors.Join(err, storage.Close())
	}
	return a, nil
}

func openStorage(c config.Storage) (store.Backend, error) {
	db, err := boltstore.Open(c.Path, boltstore.Options{})
	if err != nil {
		return nil, fmt.Errorf("opening the storage: %w", err)
	}
	return db, nil
}

// connect builds poller and dispatcher around the storage:
// poller -> storage -> dispatcher.
func (a *App) connect(c *config.Config, o Options) error {
	callbacks := callbacksOf(c)
	if err := a.warnOfOrphans(callbacks); err != nil {
		return err
	}
	userAgent := "ecwid-events/" + o.Version
	var err error
	a.dispatcher, err = notify.NewDispatcher(notify.Options{
		Storage: a.storage, Callbacks: callbacks, Logger: o.Logger, UserAgent: userAgent,
	})
	if err != nil {
		return fmt.Errorf("setting up the callbacks: %w", err)
	}
	stores, err := storesOf(c, userAgent, o.Logger)
	if err != nil {
		return err
	}
	a.poller, err = poller.New(poller.Options{
		Stores: stores, Storage: a.storage, MaxConcurrent: c.MaxConcurrentPolls, Logger: o.Logger,
		Route:     notify.Route(callbacks, routesOf(c)),
		Committed: a.dispatcher.Wake,
		Progress:  o.Progress,
	})
	if err != nil {
		return fmt.Errorf("setting up the poller: %w", err)
	}
	return nil
}

// warnOfOrphans tells of deliveries whose callback the configuration does not know:
// they stay until one of that name is back.
func (a *App) warnOfOrphans(known []notify.Callback) error {
	ctx := context.Background() // reading a local file
	names, err := a.storage.Callbacks(ctx)
	if err != nil {
		return fmt.Errorf("reading the storage: %w", err)
	}
	for _, name := range names {
		if slices.ContainsFunc(known, func(c notify.Callback) bool { return c.Name == name }) {
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
// records them. What is not delivered by then is delivered by the next run.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { a.poller.Run(ctx) })
	parts.Go(func() { a.retention.run(ctx, a.storage, a.log) })
	err := a.dispatcher.Run(ctx)
	stop()
	parts.Wait()
	if err != nil {
		return fmt.Errorf("delivering: %w", err)
	}
	return nil
}

// Once polls every store once, with reconcile compares each whole shop too, then
// attempts what is due. It returns what is left, over all callbacks, and the errors of
// polls that failed.
func (a *App) Once(ctx context.Context, reconcile bool) (event.Backlog, error) {
	polled := a.poller.Once(ctx, reconcile)
	delivered := a.dispatcher.Drain(ctx)
	// What is left is told also when a signal has cut the rest short.
	left, err := a.backlog(context.WithoutCancel(ctx))
	return left, errors.Join(polled, delivered, err)
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
