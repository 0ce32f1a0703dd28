package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/poller"
	"github.com/ecwid-events/ecwid-events/store"
)

// Stores implements control.Service.
func (s service) Stores(ctx context.Context) ([]control.Store, error) {
	paused, _, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	p := s.parts()
	stores := make([]control.Store, 0, len(p.config.Stores))
	for i := range p.config.Stores {
		shown, err := s.showStore(ctx, p, &p.config.Stores[i], paused)
		if err != nil {
			return nil, err
		}
		stores = append(stores, shown)
	}
	return stores, nil
}

// Store implements control.Service.
func (s service) Store(ctx context.Context, id int64) (control.Store, error) {
	p := s.parts()
	c, err := p.store(id)
	if err != nil {
		return control.Store{}, err
	}
	paused, _, err := s.pauses(ctx)
	if err != nil {
		return control.Store{}, err
	}
	return s.showStore(ctx, p, c, paused)
}

func (s service) showStore(ctx context.Context, p *parts, c *config.Store, paused map[int64]event.Pause) (control.Store, error) {
	shown := control.Store{
		ID: c.ID, Name: c.Name, Tags: listed(c.Tags), API: c.API, Schedule: c.Schedule, Reconcile: c.Reconcile, Callbacks: listed(c.Callbacks),
	}
	if c.Paused {
		shown.Paused = control.PausedByConfig
	} else if _, ok := paused[c.ID]; ok {
		shown.Paused = control.PausedByHand
	}
	state, err := p.poller.State(c.ID)
	if err != nil && !isNotFound(err) { // the poller does not know what the configuration pauses
		return control.Store{}, err
	}
	cursor := state.Cursor
	if cursor.ReadTo.IsZero() {
		if cursor, err = s.storage.Cursor(ctx, c.ID, event.Orders); err != nil {
			return control.Store{}, fmt.Errorf("reading the cursor of store %d: %w", c.ID, err)
		}
	}
	if shown.Orders, err = s.storage.Known(ctx, c.ID, event.Orders); err != nil {
		return control.Store{}, err
	}
	today, err := s.today.events(ctx, s.storage, c.ID, cursor.Sequence, time.Now())
	switch {
	case err == nil:
		shown.EventsToday = &today
	case !errors.Is(err, store.ErrCorrupt):
		return control.Store{}, err
	}
	shown.Events, shown.ReadTo, shown.ReconciledAt = cursor.Sequence, known(cursor.ReadTo), known(cursor.Reconciled)
	if !cursor.ReadTo.IsZero() && c.Start.Mode != config.StartNow {
		shown.Snapshot = &control.Snapshot{Done: cursor.Sweep.Done, Orders: cursor.Sweep.Objects, Total: state.Total}
	}
	showPolls(&shown, state)
	shown.Overdue = s.isOverdue(p, &shown)
	return shown, nil
}

func showPolls(shown *control.Store, state poller.State) {
	shown.Suspended = state.Refused
	shown.LastSuccess = known(state.Success)
	if shown.Paused == "" {
		shown.NextPoll = known(state.Next)
	}
	last := state.Last
	if last.Time.IsZero() {
		return
	}
	shown.LastPoll = &control.Poll{
		At: last.Time.UTC(), Seconds: last.Duration.Seconds(), Result: last.Result,
		Orders: last.Objects, Created: last.Created, Updated: last.Updated, Deleted: last.Deleted,
	}
	if last.Err != nil {
		shown.LastPoll.Error, _, _ = strings.Cut(last.Err.Error(), "\n")
	}
	if asked, ok := errors.AsType[*ecwid.Error](last.Err); ok && asked.RetryAfter > 0 {
		shown.LastPoll.WaitUntil = known(last.Time.Add(last.Duration + asked.RetryAfter))
	}
}

// isOverdue tells whether the polls that have come due since the last good one, or
// since p began, are too many.
func (s service) isOverdue(p *parts, c *control.Store) bool {
	started := s.startedAt()
	if started.IsZero() || c.Paused != "" || c.Suspended != "" {
		return false
	}
	since, least := p.built, lateAfter
	if started.After(since) {
		since = started
	}
	if c.LastSuccess != nil {
		since, least = *c.LastSuccess, missedLeast
	}
	now := time.Now()
	if now.Sub(since) <= least {
		return false
	}
	due, err := p.poller.DueAfter(c.ID, since, missedPolls)
	return err == nil && now.After(due) // a reload may just have taken the store away
}

// listed is never nil, so that JSON has a list.
func listed(words []string) []string { return append([]string{}, words...) }

// PollStore implements control.Service.
func (s service) PollStore(_ context.Context, id int64) error {
	return s.poll(id, (*poller.Poller).Poll)
}

// ReconcileStore implements control.Service.
func (s service) ReconcileStore(_ context.Context, id int64) error {
	return s.poll(id, (*poller.Poller).Reconcile)
}

func (s service) poll(id int64, ask func(*poller.Poller, int64) error) error {
	s.steering.Lock()
	defer s.steering.Unlock()
	p := s.parts()
	c, err := p.store(id)
	if err != nil {
		return err
	}
	switch {
	case c.Paused:
		return pausedByConfig("store %d", id)
	case s.startedAt().IsZero():
		return errNotRunning
	}
	if err := ask(p.poller, id); errors.Is(err, poller.ErrPaused) {
		return fmt.Errorf("%w: store %d is paused: resume it", control.ErrConflict, id)
	} else if err != nil {
		return fmt.Errorf("asking for a poll: %w", err)
	}
	return nil
}

func pausedByConfig(what string, args ...any) error {
	return fmt.Errorf("%w: %s is paused in the configuration: resume it there, by removing paused, and reload", control.ErrConflict, fmt.Sprintf(what, args...))
}

// PauseStore implements control.Service.
func (s service) PauseStore(ctx context.Context, id int64) error {
	s.steering.Lock()
	defer s.steering.Unlock()
	p := s.parts()
	c, err := p.store(id)
	if err != nil {
		return err
	}
	if c.Paused {
		return pausedByConfig("store %d", id)
	}
	if err := s.storage.Pause(ctx, event.Pause{StoreID: id, Since: time.Now().UTC(), Reason: event.PausedByHand}); err != nil {
		return fmt.Errorf("pausing store %d: %w", id, err)
	}
	return p.poller.Pause(id)
}

// ResumeStore implements control.Service. It also ends a suspension.
func (s service) ResumeStore(ctx context.Context, id int64) error {
	s.steering.Lock()
	defer s.steering.Unlock()
	p := s.parts()
	c, err := p.store(id)
	switch {
	case err != nil:
		return s.endPauseLeft(ctx, "", id, err)
	case c.Paused:
		return pausedByConfig("store %d", id)
	}
	if err := s.storage.Resume(ctx, "", id); err != nil && !isNotFound(err) {
		return fmt.Errorf("resuming store %d: %w", id, err)
	}
	return p.poller.Resume(id)
}
