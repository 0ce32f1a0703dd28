package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// TestEvent returns the event that is sent to try a callback. Every format can
// render it. It tells of an order TEST of a store 0, has no place in the feed, and
// has an id of its own for every nanosecond, so that no receiver takes it for one
// that it has had.
func TestEvent(now time.Time) event.Event {
	return event.Event{
		ID:       fmt.Sprintf("evt_test_%d", now.UnixNano()),
		Type:     event.Test,
		Store:    event.Store{Name: "test"},
		Resource: event.Orders, ObjectID: "TEST",
		Time: now, DetectedAt: now,
		Changes: []event.Change{},
		Raw:     []byte(`{"id":"TEST"}`),
	}
}

// Test POSTs a test event to a callback, paused or not, and returns what came of it.
// Nothing is stored, and nothing that the Dispatcher does depends on the outcome. The
// error is event.ErrNotFound for an unknown name.
func (d *Dispatcher) Test(ctx context.Context, name string) (event.Attempt, error) {
	w, err := d.webhook(name)
	if err != nil {
		return event.Attempt{}, fmt.Errorf("test a callback: %w", err)
	}
	return w.test(ctx), nil
}

// Try is Dispatcher.Test for a callback that no Dispatcher has. The error tells what is
// wrong with the callback.
func Try(ctx context.Context, c Callback, userAgent string) (event.Attempt, error) {
	w, err := newWebhook(&c, &Options{UserAgent: userAgent}, connectors{})
	if err != nil {
		return event.Attempt{}, fmt.Errorf("callback %q: %w", c.Name, err)
	}
	return w.test(ctx), nil
}

func (w *webhook) test(ctx context.Context) event.Attempt {
	s := w.sender()
	defer s.close()
	start := time.Now()
	o := s.send(ctx, TestEvent(start), w.format, w.callback.Payload, w.keys)
	return event.Attempt{
		Number: 1, Time: start.UTC(), Duration: time.Since(start), Manual: true,
		Status: o.status, Error: o.class, Detail: o.detail, Response: o.response,
	}
}
