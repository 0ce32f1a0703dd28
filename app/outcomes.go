package app

import (
	"sync"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// outcomes are what the last attempts at each callback came to, over reloads, which
// begin with new dispatchers. They may be used concurrently.
type outcomes struct {
	mu     sync.Mutex
	byName map[string]outcome
}

type outcome struct{ accepted, failed event.Attempt } // zero: there was none

// note takes an attempt that has ended.
func (o *outcomes) note(callback string, a *event.Attempt) {
	if a.Error == notify.ErrorStopped {
		return // it says nothing of the callback
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byName == nil {
		o.byName = make(map[string]outcome)
	}
	last := o.byName[callback]
	if a.Error == "" {
		last.accepted = *a
	} else {
		last.failed = *a
	}
	last.accepted.Response, last.failed.Response = nil, nil // nobody is shown it
	o.byName[callback] = last
}

// forget lets go of a callback.
func (o *outcomes) forget(callback string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byName, callback)
}

// show adds what the dispatcher does not know, since it is new.
func (o *outcomes) show(c *control.Callback) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.byName[c.Name]
	if c.LastAccepted == nil && !last.accepted.Time.IsZero() {
		c.LastAccepted = known(last.accepted.Time.Add(last.accepted.Duration))
	}
	if f := last.failed; c.LastError == nil && !f.Time.IsZero() {
		c.LastError = &control.LastError{At: f.Time.Add(f.Duration).UTC(), Error: f.Error, Detail: f.Detail, Status: f.Status}
	}
}
