package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// Callbacks implements control.Service.
func (s service) Callbacks(ctx context.Context) ([]control.Callback, error) {
	_, paused, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	p := s.parts()
	states := make(map[string]notify.CallbackState)
	for _, state := range p.dispatcher.States() {
		states[state.Name] = state
	}
	shown := make([]control.Callback, 0, len(p.callbacks))
	for i := range p.callbacks {
		c := &p.callbacks[i]
		one := control.Callback{Name: c.Name, Host: hostOf(c.URL), Format: c.Format, Payload: string(c.Payload)}
		showPause(&one, paused)
		showState(&one, states[c.Name])
		s.outcomes.show(&one)
		shown = append(shown, one)
	}
	orphans, err := s.orphans(ctx, paused)
	if err != nil {
		return nil, err
	}
	shown = append(shown, orphans...)
	for i := range shown {
		if err := s.showBacklog(ctx, &shown[i]); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(shown, func(c control.Callback) bool { return c.Orphaned && c.Pending+c.Dead == 0 && c.Paused == "" }), nil
}

// orphans returns the callbacks that had deliveries or are paused, and are not
// configured any more, by name.
func (s service) orphans(ctx context.Context, paused map[string]event.Pause) ([]control.Callback, error) {
	names, err := s.storage.Callbacks(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the names of the callbacks: %w", err)
	}
	names = slices.AppendSeq(names, maps.Keys(paused))
	slices.Sort(names)
	var orphans []control.Callback
	for _, name := range slices.Compact(names) {
		if s.parts().byName[name] != nil {
			continue
		}
		orphan := control.Callback{Name: name, Orphaned: true}
		showPause(&orphan, paused)
		orphans = append(orphans, orphan)
	}
	return orphans, nil
}

func showPause(shown *control.Callback, paused map[string]event.Pause) {
	if pause, ok := paused[shown.Name]; ok {
		shown.Paused, shown.PausedSince = control.Paused(pause.Reason), known(pause.Since)
	}
}

func showState(shown *control.Callback, state notify.CallbackState) {
	if state.Paused != "" {
		shown.Paused, shown.PausedSince = control.Paused(state.Paused), known(state.PausedSince)
	}
	shown.Open, shown.OpenSince, shown.NextProbe = !state.OpenSince.IsZero(), known(state.OpenSince), known(state.NextProbe)
	shown.LastAccepted = known(state.LastAccepted)
	if state.LastError != "" {
		shown.LastError = &control.LastError{
			At: state.LastErrorAt.UTC(), Error: state.LastError, Detail: state.LastDetail, Status: state.LastStatus,
		}
	}
}

func (s service) showBacklog(ctx context.Context, c *control.Callback) error {
	left, err := s.storage.Backlog(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("counting what is pending for callback %s: %w", c.Name, err)
	}
	c.Pending, c.Dead, c.OldestPending = left.Pending, left.Dead, known(left.Oldest)
	if !c.IsFailing() || c.Pending == 0 {
		return nil
	}
	due, err := s.storage.PendingStores(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("reading when callback %s is tried again: %w", c.Name, err)
	}
	times := slices.SortedFunc(maps.Values(due), time.Time.Compare)
	if len(times) > 0 {
		c.NextAttempt = known(times[0])
	}
	return nil
}

// hostOf is all that is shown of a callback's URL, which may hold secrets.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// callback returns a callback that is configured.
func (s service) callback(name string) (*notify.Callback, error) {
	p := s.parts()
	if c := p.byName[name]; c != nil {
		return c, nil
	}
	var names []string
	for i := range p.callbacks {
		names = append(names, p.callbacks[i].Name)
	}
	return nil, noCallback(name, "configured", names)
}

// checkCallback refuses a callback that is neither configured nor ever had a delivery.
func (s service) checkCallback(ctx context.Context, name string) error {
	if s.parts().byName[name] != nil {
		return nil
	}
	names, err := s.storage.Callbacks(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("reading the names of the callbacks: %w", err)
	case slices.Contains(names, name):
		return nil
	}
	for i := range s.parts().callbacks {
		names = append(names, s.parts().callbacks[i].Name)
	}
	slices.Sort(names)
	return noCallback(name, "known", slices.Compact(names))
}

// noCallback names the callbacks that there are, as many as one reads.
func noCallback(name, how string, names []string) error {
	const most = 20
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return fmt.Errorf("%w: there is no callback %q; %s: %s", event.ErrNotFound, name, how, strings.Join(names, ", "))
}

// Deliveries implements control.Service.
func (s service) Deliveries(ctx context.Context, q control.DeliveryQuery) (control.DeliveryPage, error) {
	switch {
	case q.Callback == "":
		return control.DeliveryPage{}, invalid("name a callback")
	case q.Limit < 0 || q.Limit > control.MaxLimit:
		return control.DeliveryPage{}, invalid("limit must be from 1 to %d", control.MaxLimit)
	case q.State != event.Pending && q.State != event.Delivered && q.State != event.Dead:
		return control.DeliveryPage{}, invalid("state must be pending, delivered or dead")
	}
	if err := s.checkCallback(ctx, q.Callback); err != nil {
		return control.DeliveryPage{}, err
	}
	if err := s.checkStore(ctx, q.StoreID); err != nil {
		return control.DeliveryPage{}, err
	}
	if q.Limit == 0 {
		q.Limit = control.DefaultLimit
	}
	found, next, more, err := s.storage.Deliveries(ctx, event.DeliveryQuery{
		Callback: q.Callback, State: q.State, StoreID: q.StoreID, After: q.After, Newest: q.Newest, Limit: q.Limit,
	})
	if err != nil {
		return control.DeliveryPage{}, fmt.Errorf("reading deliveries: %w", err)
	}
	page := control.DeliveryPage{Deliveries: make([]control.Delivery, 0, len(found)), Next: next, More: more}
	for i := range found {
		page.Deliveries = append(page.Deliveries, showDelivery(&found[i]))
	}
	return page, nil
}

// moveStep is how many deliveries are moved or dropped in one write.
const moveStep = 500

// Move implements control.Service.
func (s service) Move(ctx context.Context, from, to string) (int, error) {
	if from == to {
		return 0, invalid("the deliveries are at that callback already")
	}
	if _, err := s.callback(to); err != nil {
		return 0, err
	}
	if err := s.checkCallback(ctx, from); err != nil {
		return 0, err
	}
	moved, err := inSteps(func() (int, error) { return s.storage.Move(ctx, from, to, moveStep) })
	// Also after a failure: what was moved until then must not wait for a next event.
	err = errors.Join(err, s.wake(ctx, to))
	if err != nil {
		return moved, fmt.Errorf("moving deliveries, of which %d were moved: %w", moved, err)
	}
	return moved, nil
}

// wake has the dispatcher look for what is due for a callback.
func (s service) wake(ctx context.Context, callback string) error {
	stores, err := s.storage.PendingStores(context.WithoutCancel(ctx), callback)
	if err != nil {
		return fmt.Errorf("reading whose deliveries are pending: %w", err)
	}
	for storeID := range stores {
		s.parts().dispatcher.Wake(storeID)
	}
	return nil
}

// Drop implements control.Service.
func (s service) Drop(ctx context.Context, name string, state event.DeliveryState) (int, error) {
	if state != event.Pending && state != event.Dead {
		return 0, invalid("only pending and dead deliveries can be dropped")
	}
	if err := s.checkCallback(ctx, name); err != nil {
		return 0, err
	}
	dropped, err := inSteps(func() (int, error) { return s.storage.Drop(ctx, name, state, moveStep) })
	// What waited for one that was dropped waits no more.
	err = errors.Join(err, s.wake(ctx, name))
	if err != nil {
		return dropped, fmt.Errorf("dropping deliveries, of which %d were dropped: %w", dropped, err)
	}
	return dropped, nil
}

// inSteps repeats a step until there is nothing left for it to do.
func inSteps(step func() (int, error)) (int, error) {
	sum := 0
	for {
		n, err := step()
		sum += n
		if err != nil || n < moveStep {
			return sum, err
		}
	}
}

// TestCallback implements control.Service.
func (s service) TestCallback(ctx context.Context, name string) (control.Attempt, error) {
	if _, err := s.callback(name); err != nil {
		return control.Attempt{}, err
	}
	attempt, err := s.parts().dispatcher.Test(ctx, name)
	if err != nil {
		return control.Attempt{}, fmt.Errorf("testing callback %s: %w", name, err)
	}
	s.countPOST(name, &attempt, 0)
	return showAttempt(&attempt), nil
}

// PauseCallback implements control.Service.
func (s service) PauseCallback(ctx context.Context, name string) error {
	s.steering.Lock()
	defer s.steering.Unlock()
	c, err := s.callback(name)
	if err != nil {
		return err
	}
	if c.Paused {
		return pausedByConfig("callback %s", name)
	}
	return s.parts().dispatcher.Pause(ctx, name)
}

// ResumeCallback implements control.Service.
func (s service) ResumeCallback(ctx context.Context, name string) error {
	s.steering.Lock()
	defer s.steering.Unlock()
	c, err := s.callback(name)
	if err != nil {
		return s.endPauseLeft(ctx, name, 0, err)
	}
	if c.Paused {
		return pausedByConfig("callback %s", name)
	}
	return s.parts().dispatcher.Resume(ctx, name)
}
