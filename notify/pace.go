package notify

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// paceBurst is the time whose POSTs may be made at once: a timer that is late by so
// much does not lower the rate. Up to 100 POSTs a second it makes no difference.
const paceBurst = 20 * time.Millisecond

// newLimiter returns what keeps to that many POSTs a second; nil for 0.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond*paceBurst.Seconds())))
}

// pace is how long the callback's rate limit holds the next POST back. No worker
// waits for it: the limit is only counted against when a worker takes the delivery.
func (q *queue) pace(now time.Time) time.Duration {
	if q.webhook.limiter == nil {
		return 0
	}
	lacking := 1 - q.webhook.limiter.TokensAt(now)
	if lacking <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(lacking / float64(q.webhook.limiter.Limit()) * float64(time.Second)))
}

// sent counts a POST against the rate limit.
func (q *queue) sent() {
	if q.webhook.limiter != nil {
		q.webhook.limiter.Reserve()
	}
}
