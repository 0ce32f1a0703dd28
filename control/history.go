package control

import (
	"context"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// MaxPeriods is how many periods a History has at most.
const MaxPeriods = 288

// A Historian is a Service that also remembers the last 24 hours in figures. A Service
// need not be one: without a daemon nobody counts.
type Historian interface {
	// History may be called concurrently. What it returns is the caller's.
	History(ctx context.Context) (History, error)
}

// A History is what happened in the last 24 hours, counted in periods of equal length.
type History struct {
	// Since is when counting began. What happened before is not counted, so that a
	// period which ends before says nothing.
	Since time.Time `json:"since"`
	// Seconds is the length of a period.
	Seconds int `json:"seconds"`
	// Periods follow each other without a gap, the oldest first. The last one is not
	// over yet.
	Periods []Period `json:"periods"`
}

// A Period counts what happened from its beginning until that of the next one.
type Period struct {
	From time.Time `json:"from"`
	// Events counts what was detected. A type that is absent had none.
	Events map[event.Type]int `json:"events"`
	// Attempts says how delivering went, by the name of the callback. One that is
	// absent had no attempt.
	Attempts map[string]AttemptFigures `json:"attempts"`
}

// AttemptFigures count the attempts of a callback, tests and probes included.
type AttemptFigures struct {
	Accepted int `json:"accepted"`
	Failed   int `json:"failed"`
	// Median and P95 are quantiles of how many seconds the accepted attempts took,
	// zero when there were none.
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}
