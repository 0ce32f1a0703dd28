package notify

import (
	"math/rand/v2"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// settle says what becomes of a delivery after an attempt that ended then.
func (w *webhook) settle(d event.Delivery, o outcome, end time.Time) (event.DeliveryState, time.Time) {
	switch {
	case o.class == "":
		w.accepted.Store(end.UnixNano())
		return event.Delivered, time.Time{}
	case o.class == ErrorStopped:
		return event.Pending, end.UTC()
	case w.dies(d, end):
		return event.Dead, time.Time{}
	}
	random := rand.Float64() //nolint:gosec // spreading retries needs no secrecy
	retry := w.callback.Retry
	wait := max(backoff(d.Attempts+1, retry.First, retry.Longest, random), o.retryAfter)
	return event.Pending, end.Add(wait).UTC()
}

// dies applies the rule of Retry.MaxAge to a delivery whose attempt has just
// failed.
func (w *webhook) dies(d event.Delivery, now time.Time) bool {
	if d.FirstAttempt.IsZero() || now.Sub(d.FirstAttempt) < w.callback.Retry.MaxAge {
		return false
	}
	return w.accepted.Load() > d.LastAttempt.UnixNano()
}
