package app

import (
	"context"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// replayStep is how many deliveries become pending in one write, so that none holds up
// the others for long.
const replayStep = 500

// Replay implements control.Service.
func (s service) Replay(ctx context.Context, r control.Replay) (control.Replayed, error) {
	if err := checkReplay(&r); err != nil {
		return control.Replayed{}, err
	}
	if err := s.checkStore(ctx, r.StoreID); err != nil {
		return control.Replayed{}, err
	}
	callbacks := s.parts().callbacks
	if r.Callback != "" {
		c, err := s.callback(r.Callback)
		if err != nil {
			return control.Replayed{}, err
		}
		callbacks = []notify.Callback{*c}
	}
	var n int
	var err error
	switch {
	case r.EventID != "":
		n, err = s.replayOne(ctx, r, callbacks)
	case r.Dead:
		n, err = s.replayDead(ctx, r, callbacks)
	default:
		n, err = s.replayRange(ctx, r, callbacks)
	}
	return control.Replayed{Deliveries: n}, err
}

func checkReplay(r *control.Replay) error {
	ways := 0
	for _, asked := range []bool{r.EventID != "", r.Dead, r.From != nil} {
		if asked {
			ways++
		}
	}
	switch {
	case ways != 1:
		return invalid("say what to replay: an event, the dead deliveries, or a range of time that has a beginning, and only one of these")
	case r.To != nil && (r.From == nil || !r.To.After(*r.From)):
		return invalid("the range must end after it begins")
	case r.From != nil && r.From.IsZero():
		return invalid("the range must begin after the year 1") // the zero time bounds nothing
	case r.EventID != "" && r.StoreID != 0:
		return invalid("an event belongs to one store already: leave the store out")
	}
	return nil
}

func (s service) replayOne(ctx context.Context, r control.Replay, callbacks []notify.Callback) (int, error) {
	e, err := s.readEvent(ctx, r.EventID)
	if err != nil {
		return 0, err
	}
	replays, err := s.replaysOf(ctx, &e, r, callbacks)
	if err != nil {
		return 0, err
	}
	if len(replays) == 0 {
		return 0, invalid("the event was sent to no callback that is configured: name a callback to send it to")
	}
	return s.replay(ctx, replays)
}

// replaysOf returns the deliveries with which an event is replayed: to the callback
// that is named, or else to those that it had been sent to.
func (s service) replaysOf(ctx context.Context, e *event.Event, r control.Replay, callbacks []notify.Callback) ([]event.Delivery, error) {
	var replays []event.Delivery
	for i := range callbacks {
		if r.Callback == "" {
			_, _, err := s.storage.Delivery(ctx, callbacks[i].Name, e.ID)
			if isNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		replays = append(replays, notify.Replay(&callbacks[i], *e, time.Now().UTC()))
	}
	return replays, nil
}

func (s service) replayDead(ctx context.Context, r control.Replay, callbacks []notify.Callback) (int, error) {
	sum := 0
	for i := range callbacks {
		q := event.DeliveryQuery{Callback: callbacks[i].Name, State: event.Dead, StoreID: r.StoreID, Limit: replayStep}
		for more := true; more; {
			var dead []event.Delivery
			var err error
			dead, q.After, more, err = s.storage.Deliveries(ctx, q)
			if err != nil {
				return sum, fmt.Errorf("reading dead deliveries: %w", err)
			}
			replays := make([]event.Delivery, len(dead))
			for j := range dead {
				replays[j] = notify.Replay(&callbacks[i], eventOf(&dead[j]), time.Now().UTC())
			}
			n, err := s.replay(ctx, replays)
			sum += n
			if err != nil {
				return sum, err
			}
		}
	}
	return sum, nil
}

// eventOf is as much of a delivery's event as its replay is made of.
func eventOf(d *event.Delivery) event.Event {
	return event.Event{ID: d.EventID, Store: event.Store{ID: d.StoreID}, Resource: d.Resource, ObjectID: d.ObjectID}
}

func (s service) replayRange(ctx context.Context, r control.Replay, callbacks []notify.Callback) (int, error) {
	q := event.HistoryQuery{StoreID: r.StoreID, From: *r.From, To: time.Now(), Limit: eventsAtOnce}
	if r.To != nil {
		q.To = *r.To
	}
	sum := 0
	var replays []event.Delivery
	for more := true; more; {
		var found []event.Event
		var err error
		found, q.After, more, err = s.storage.Events(ctx, q)
		if err != nil {
			return sum, fmt.Errorf("reading events: %w", err)
		}
		for i := range found {
			of, err := s.replaysOf(ctx, &found[i], r, callbacks)
			if err != nil {
				return sum, err
			}
			replays = append(replays, of...)
		}
		if more && len(replays) < replayStep {
			continue
		}
		n, err := s.replay(ctx, replays)
		sum += n
		if err != nil {
			return sum, err
		}
		replays = replays[:0]
	}
	return sum, nil
}

func (s service) replay(ctx context.Context, replays []event.Delivery) (int, error) {
	if len(replays) == 0 {
		return 0, nil
	}
	n, err := s.storage.Replay(ctx, replays)
	if isNotFound(err) && len(replays) > 1 {
		return s.replayApart(ctx, replays)
	}
	if err != nil {
		return 0, fmt.Errorf("replaying: %w", err)
	}
	for _, storeID := range storesIn(replays) {
		s.parts().dispatcher.Wake(storeID)
	}
	return n, nil
}

// replayApart replays one by one, and passes over events that were removed since they
// were found.
func (s service) replayApart(ctx context.Context, replays []event.Delivery) (int, error) {
	sum := 0
	for i := range replays {
		n, err := s.replay(ctx, replays[i:i+1])
		sum += n
		if err != nil && !isNotFound(err) {
			return sum, err
		}
	}
	return sum, nil
}

func storesIn(deliveries []event.Delivery) []int64 {
	var ids []int64
	seen := make(map[int64]bool)
	for i := range deliveries {
		if id := deliveries[i].StoreID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
