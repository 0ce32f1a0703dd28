package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A service is control.Service on an App: its storage, and its parts while they run.
type service struct{ *App }

// Service returns what a person or a program can see of the App and have it do. It
// works also while the App does not run, on what is stored.
func (a *App) Service() control.Service { return service{a} }

func (s service) parts() *parts { return s.current.Load() }

// startedAt is zero while the App does not run.
func (s service) startedAt() time.Time {
	if started := s.started.Load(); started != nil {
		return *started
	}
	return time.Time{}
}

// maxAttention is how many troubles a status lists.
const maxAttention = 20

// Status implements control.Service.
func (s service) Status(ctx context.Context) (control.Status, error) {
	status := control.Status{Version: s.options.Version, Attention: []control.Attention{}}
	if started := s.startedAt(); !started.IsZero() {
		status.Running, status.StartedAt = true, &started
	}
	stores, err := s.Stores(ctx)
	if err != nil {
		return control.Status{}, err
	}
	callbacks, err := s.Callbacks(ctx)
	if err != nil {
		return control.Status{}, err
	}
	status.Callbacks = callbacks
	for i := range callbacks {
		status.Attention = append(status.Attention, callbackTroubles(&callbacks[i])...)
	}
	status.Stores.Total = len(stores)
	for i := range stores {
		count(&status.Stores, &stores[i])
		status.Attention = append(status.Attention, storeTroubles(&stores[i])...)
	}
	status.Attention = status.Attention[:min(len(status.Attention), maxAttention)]
	return status, nil
}

func count(counts *control.StoreCounts, s *control.Store) {
	switch {
	case s.Paused != "":
		counts.Paused++
	case s.Suspended != "":
		counts.Suspended++
	case s.LastPoll != nil && s.LastPoll.Error != "":
		counts.Failing++
	}
	if s.Snapshot != nil && !s.Snapshot.Done {
		counts.Learning++
	}
}

func storeTroubles(s *control.Store) []control.Attention {
	switch {
	case s.Paused == control.PausedByHand:
		return []control.Attention{{
			What: fmt.Sprintf("store %d is paused", s.ID),
			Do:   fmt.Sprintf("ecwid-events stores resume %d", s.ID),
		}}
	case s.Paused != "":
		return nil
	case s.Suspended != "":
		return []control.Attention{{
			What: fmt.Sprintf("store %d: Ecwid refuses it: %s", s.ID, s.Suspended),
			Do:   fmt.Sprintf("mend its order_secret or its plan, then: ecwid-events stores resume %d", s.ID),
		}}
	case s.LastPoll != nil && s.LastPoll.Result == resultNotWhole:
		return []control.Attention{{
			What: fmt.Sprintf("store %d changes faster than it can be read whole; what was read is delivered", s.ID),
			Do:   "nothing, unless it lasts: then poll it less often, or at quieter times",
		}}
	case s.LastPoll != nil && s.LastPoll.Error != "":
		return []control.Attention{{
			What: fmt.Sprintf("store %d: the last poll failed: %s", s.ID, s.LastPoll.Error),
			Do:   "see whether Ecwid can be reached; it is polled again on its schedule",
		}}
	}
	return nil
}

func callbackTroubles(c *control.Callback) []control.Attention {
	var list []control.Attention
	add := func(do, what string, args ...any) {
		list = append(list, control.Attention{What: "callback " + c.Name + " " + fmt.Sprintf(what, args...), Do: do})
	}
	switch {
	case c.Orphaned:
		add("ecwid-events deliveries move "+c.Name+" NAME, or deliveries drop "+c.Name+" --state pending",
			"is not configured any more, and %d deliveries wait for it", c.Pending+c.Dead)
		return list
	case c.Paused == control.PausedGone:
		add("mend the receiver, or give the callback another url; then: ecwid-events callbacks resume "+c.Name,
			"answered 410 and is paused; %d deliveries wait", c.Pending)
	case c.Paused == control.PausedByHand:
		add("ecwid-events callbacks resume "+c.Name, "is paused; %d deliveries wait", c.Pending)
	case c.Open:
		add("mend the receiver; delivery goes on by itself", "does not take events; %d deliveries wait", c.Pending)
	}
	if c.Dead > 0 {
		add("ecwid-events deliveries list --state dead --callback "+c.Name+", then: ecwid-events replay --dead --callback "+c.Name,
			"has %d dead deliveries", c.Dead)
	}
	return list
}

// store returns the configuration of a store.
func (p *parts) store(id int64) (*config.Store, error) {
	for i := range p.config.Stores {
		if p.config.Stores[i].ID == id {
			return &p.config.Stores[i], nil
		}
	}
	return nil, fmt.Errorf("store %d: %w", id, event.ErrNotFound)
}

// pauses returns the stored pauses of stores and of callbacks.
func (s service) pauses(ctx context.Context) (stores map[int64]event.Pause, callbacks map[string]event.Pause, err error) {
	all, err := s.storage.Pauses(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading what is paused: %w", err)
	}
	stores, callbacks = make(map[int64]event.Pause), make(map[string]event.Pause)
	for _, p := range all {
		if p.Callback != "" {
			callbacks[p.Callback] = p
		} else {
			stores[p.StoreID] = p
		}
	}
	return stores, callbacks, nil
}

// errNotRunning is returned for what only a daemon can do.
var errNotRunning = fmt.Errorf("%w: no daemon runs: start one, or use ecwid-events once", control.ErrConflict)

// known is nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// invalid makes an error of the words that say what to change.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", control.ErrInvalid, fmt.Sprintf(format, args...))
}

func isNotFound(err error) bool { return errors.Is(err, event.ErrNotFound) }
