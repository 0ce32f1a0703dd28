package notify

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ecwid-events/ecwid-events/event"
)

// The log lines of this package.
const (
	msgAttempted        = "delivery.attempted" // one an attempt
	msgRecordFailed     = "delivery.record_failed"
	msgReadFailed       = "delivery.read_failed"
	msgDeliveryGone     = "delivery.gone"
	msgStorageRecovered = "delivery.storage_recovered"
	msgCallbackOpened   = "callback.opened"
	msgCallbackClosed   = "callback.closed"
	msgCallbackGone     = "callback.gone"
	msgPauseFailed      = "callback.pause_failed"
)

// The fields of the log lines.
const (
	keyCallback    = "callback"
	keyEventID     = "event_id"
	keyStore       = "store"
	keyObject      = "object"
	keyType        = "type"
	keyAttempt     = "attempt"
	keyStatus      = "status"
	keyErrorClass  = "error"
	keyDetail      = "detail"
	keyDuration    = "duration_ms"
	keyState       = "state"
	keyNextAttempt = "next_attempt"
	keyLag         = "lag_ms"
	keyAttempts    = "attempts"
	keyPosition    = "position"
	keyFailures    = "failures"
	keyNextProbe   = "next_probe"
	keyHint        = "hint"
)

// report logs an attempt and passes it on. The line holds nothing of the body, the
// secrets or the URL.
func (o *Options) report(a *Attempted) {
	if line := o.Logger.Check(attemptLevel(&a.Result), msgAttempted); line != nil {
		line.Write(attemptFields(a)...)
	}
	if o.OnAttempt != nil {
		o.OnAttempt(*a)
	}
}

// attemptLevel lets a log of warnings show what fails, and one of errors what is
// given up.
func attemptLevel(r *event.Result) zapcore.Level {
	switch {
	case r.State == event.Dead:
		return zap.ErrorLevel
	case r.Attempt.Error != "" && r.Attempt.Error != ErrorStopped:
		return zap.WarnLevel
	default:
		return zap.InfoLevel
	}
}

func attemptFields(a *Attempted) []zap.Field {
	r := &a.Result
	fields := make([]zap.Field, 0, 12)
	fields = append(fields,
		zap.String(keyCallback, r.Callback),
		zap.String(keyEventID, a.Delivery.EventID),
		zap.Int64(keyStore, a.Delivery.StoreID),
		zap.String(keyObject, a.Delivery.ObjectID),
		zap.String(keyType, string(a.Event.Type)),
		zap.Int(keyAttempt, r.Attempt.Number),
		zap.Int64(keyDuration, r.Attempt.Duration.Milliseconds()),
		zap.String(keyState, string(r.State)),
	)
	if r.Attempt.Status != 0 {
		fields = append(fields, zap.Int(keyStatus, r.Attempt.Status))
	}
	if r.Attempt.Error != "" {
		fields = append(fields, zap.String(keyErrorClass, r.Attempt.Error), zap.String(keyDetail, r.Attempt.Detail))
	}
	if !r.NextAttempt.IsZero() {
		fields = append(fields, zap.Time(keyNextAttempt, r.NextAttempt))
	}
	if lag := a.Lag(); lag > 0 {
		fields = append(fields, zap.Int64(keyLag, lag.Milliseconds()))
	}
	return fields
}

// logPassing tells what the attempts at a callback have changed for it.
func (q *queue) logPassing(p passing) {
	switch p {
	case passedBy:
	case breakerOpened:
		s := q.webhook.gate.state()
		q.log().Warn(msgCallbackOpened, zap.Int(keyFailures, s.Failures), zap.String(keyErrorClass, s.LastError),
			zap.String(keyDetail, s.LastDetail), zap.Time(keyNextProbe, s.NextProbe.UTC()))
	case breakerClosed:
		q.log().Info(msgCallbackClosed)
	case callbackGone:
		q.log().Error(msgCallbackGone, zap.String(keyHint, "it answered 410 and is paused; its events are kept. "+
			"When it wants them again: ecwid-events callbacks resume "+q.webhook.callback.Name))
	}
}
