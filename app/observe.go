package app

import (
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

// countRequest counts a request to Ecwid, and logs it: of interest when something is
// slow, or succeeds only after retries.
func (a *App) countRequest(r ecwid.Request) {
	a.metrics.Request(r.Status)
	a.log.Debug("request.finished", zap.Int64("store", r.StoreID), zap.String("api", string(r.API)), zap.String("operation", r.Op),
		zap.Int("try", r.Try), zap.Int("status", r.Status), zap.Duration("duration", r.Duration), zap.Error(r.Err))
}

func (a *App) countPoll(p poller.Poll) {
	found := map[event.Type]int{}
	for typ, n := range map[event.Type]int{event.OrderCreated: p.Created, event.OrderUpdated: p.Updated, event.OrderDeleted: p.Deleted} {
		if n > 0 {
			found[typ] = n
		}
	}
	a.metrics.Poll(p.StoreID, p.Result, p.Duration, found)
	if len(found) > 0 {
		a.history.events(time.Now(), found)
	}
}

func (a *App) countAttempt(t notify.Attempted) {
	a.outcomes.note(t.Result.Callback, &t.Result.Attempt)
	a.countPOST(t.Result.Callback, &t.Result.Attempt, t.Lag())
}

// countPOST counts an attempt or a test, for which lag is 0.
func (a *App) countPOST(callback string, made *event.Attempt, lag time.Duration) {
	result := made.Error
	if result == "" {
		result = string(event.Delivered)
	}
	a.metrics.Attempt(callback, result, made.Duration, lag)
	a.history.attempt(time.Now(), callback, made.Error == "", made.Duration)
}
