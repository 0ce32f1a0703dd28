package app

import (
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
	a.metrics.Poll(p.StoreID, p.Result, p.Duration, map[string]int{
		string(event.OrderCreated): p.Created, string(event.OrderUpdated): p.Updated, string(event.OrderDeleted): p.Deleted,
	})
}

func (a *App) countAttempt(t notify.Attempted) {
	result := t.Result.Attempt.Error
	if result == "" {
		result = string(event.Delivered)
	}
	a.metrics.Attempt(t.Result.Callback, result, t.Result.Attempt.Duration, t.Lag())
}
