package app

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Ready tells why the App cannot do its work now; nil when it can: it runs, and the
// storage takes what is written to it and gives back what it holds.
func (a *App) Ready() error {
	if a.started.Load() == nil {
		return errors.New("starting or stopping")
	}
	return a.storage.failure()
}

// errStopped is what Ping returns while nothing runs.
var errStopped = errors.New("nothing is scheduled: the program is starting or stopping")

// changeWithin is how long the parts may take to stop and others to begin: far more than
// what is under way then is given.
const changeWithin = time.Minute

// A change is a time in which parts may not answer: they begin, or a reload replaces
// them.
type change struct {
	since    time.Time
	replaced bool // the new parts are in place
}

// ping is what Ping returns when parts do not answer, for the reason err, or are not to
// be asked.
func (c *change) ping(err error) error {
	took := time.Since(c.since).Round(time.Second)
	switch {
	case took < changeWithin:
		return nil
	case err == nil:
		err = errStopped
	}
	return fmt.Errorf("a start or a reload has not come to its end in %s: %w", took, err)
}

// Ping returns when the scheduler of the polls and that of the deliveries have
// answered. They answer at once, whatever polls and POSTs do, unless they hang; then
// it returns ctx's error, and says which. Where they do not run it returns an error at
// once. While they begin or a reload replaces them it does not wait for them, and returns
// an error only when that takes more than a minute.
func (a *App) Ping(ctx context.Context) error {
	before := a.change.Load()
	if before != nil && !before.replaced {
		return before.ping(nil)
	}
	err := a.ask(ctx)
	now := a.change.Load()
	switch {
	case now == nil:
		return err
	case err != nil:
		return now.ping(err)
	case now == before:
		a.change.CompareAndSwap(before, nil) // it has come to its end
	}
	return nil
}

// ask asks the schedulers of the present parts.
func (a *App) ask(ctx context.Context) error {
	p := a.current.Load()
	polling := p.polling.Load()
	if polling == nil {
		return errStopped
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(*polling, func() { cancel(errStopped) })()
	err := p.poller.Ping(ctx)
	if err == nil {
		err = p.dispatcher.Ping(ctx)
	}
	if err != nil && errors.Is(context.Cause(ctx), errStopped) {
		return errStopped
	}
	return err
}
