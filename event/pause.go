package event

import "time"

// A Pause keeps a callback from being sent to, or a store from being polled, until
// it is resumed. What the configuration pauses needs none.
type Pause struct {
	// Callback or StoreID is set, and the other one zero.
	Callback string
	StoreID  int64
	Since    time.Time
	Reason   PauseReason
}

// A PauseReason says who paused.
type PauseReason string

// The reasons.
const (
	// PausedByHand is a person's wish.
	PausedByHand PauseReason = "manual"
	// PausedGone is an answer of 410: the callback wants no more events.
	PausedGone PauseReason = "gone"
)
