package poller

import "time"

// Start says what is announced of that which existed before a store was first
// polled. It counts at the first poll only. The zero Start announces what happens
// from then on, and learns nothing of what was before.
type Start struct {
	// Since is when tracking begins: what was created or updated from then on is
	// announced. Zero: at the first poll, by the store's clock.
	Since time.Time
	// Sweep reads everything that exists after the first poll.
	Sweep bool
}

// Everything is the Since of a Start that announces all that exists.
func Everything() time.Time { return oldest }
