package notify

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// deadlyRefusals is how many refusals kill a delivery. What a callback answers just
// after an outage says little about the event: one that then fails every tenth request
// at random refuses one event in 100,000 five times in a row.
const deadlyRefusals = 5

// attempt makes one attempt and says what becomes of the delivery, and what that
// changes for the callback. It returns when the callback's timeout has passed, or ctx
// ends, at the latest.
func (s *sender) attempt(ctx context.Context, d *event.Delivery) (event.Result, passing) {
	start := time.Now()
	e, o := s.try(ctx, d)
	end := time.Now()
	r := event.Result{
		Callback: d.Callback,
		Position: d.Position,
		Attempt: event.Attempt{
			Number: d.Attempts + 1, Time: start.UTC(), Duration: end.Sub(start),
			Status: o.status, Error: o.class, Detail: o.detail, Response: o.response,
			Manual: d.Manual,
		},
	}
	s.settle(&r, d, &o, end)
	s.options.report(&Attempted{Delivery: *d, Event: e, Result: r})
	return r, s.gate.end(d.Position, end, &o)
}

// settle says what becomes of a delivery after an attempt that ended then.
func (w *webhook) settle(r *event.Result, d *event.Delivery, o *outcome, end time.Time) {
	r.State, r.Refusals = event.Pending, d.Refusals
	switch {
	case o.class == "":
		r.State = event.Delivered
		return
	case o.class == ErrorStopped || o.gone():
		// Neither says anything about the event: it is the first to be sent when
		// sending goes on.
		r.NextAttempt = end.Add(o.retryAfter).UTC()
		return
	case w.refused(d, end):
		r.Refusals++
	}
	if r.Refusals >= deadlyRefusals {
		r.State = event.Dead
		return
	}
	random := rand.Float64() //nolint:gosec // spreading retries needs no secrecy
	retry := w.callback.Retry
	wait := max(backoff(d.Attempts+1, retry.First, retry.Longest, random), o.retryAfter)
	r.NextAttempt = end.Add(wait).UTC()
}

// refused applies the rule of Retry.MaxAge to a delivery whose attempt has just
// failed.
func (w *webhook) refused(d *event.Delivery, now time.Time) bool {
	if d.FirstAttempt.IsZero() || now.Sub(d.FirstAttempt) < w.callback.Retry.MaxAge {
		return false
	}
	return w.gate.acceptedSince(d.LastAttempt)
}

// gone tells that the callback wants no more events.
func (o *outcome) gone() bool { return o.class != "" && o.status == http.StatusGone }
