package notify

import "time"

const (
	// openAfter is how many different deliveries must fail in a row, with none
	// accepted between them, before the callback and not its events is to blame.
	openAfter = 5

	// longestProbeWait bounds the wait between the probes of an open breaker. While
	// something is due, a callback that works again is noticed within that and an
	// attempt's time.
	longestProbeWait = time.Minute
)

// A breaker spares a callback that accepts nothing. It is closed at first. When
// openAfter different deliveries have failed in a row it opens: then only probes are
// made, one at a time, at waits that double. Whatever is accepted closes it.
//
// The times that it is given must hold a monotonic reading, so that a clock that is
// set does not move its probes. It is not safe for concurrent use.
type breaker struct {
	retry Retry
	// probeAtOnce makes the first probe when the breaker opens, unless the callback
	// asked to wait.
	probeAtOnce bool

	failures int                 // in a row
	distinct map[uint64]struct{} // the positions of the first openAfter of them
	opened   time.Time           // zero: closed
	probing  bool                // a probe is under way
	probes   int                 // failed since it opened
	probeAt  time.Time           // the earliest time of the next probe
}

func (b *breaker) isOpen() bool { return !b.opened.IsZero() }

// accept closes the breaker. It tells whether it was open.
func (b *breaker) accept() bool {
	closed := b.isOpen()
	*b = breaker{retry: b.retry, probeAtOnce: b.probeAtOnce}
	return closed
}

// fail counts the failure of an attempt, which may have been the probe, at the delivery
// at that position. It tells whether it has opened the breaker.
func (b *breaker) fail(position uint64, probe bool, ended time.Time, retryAfter time.Duration) bool {
	b.failures++
	// One event may be told to wait for long; the callback is asked again with
	// another one.
	retryAfter = min(retryAfter, b.retry.Longest)
	if b.isOpen() {
		b.failOpen(probe, ended, retryAfter)
		return false
	}
	if b.distinct == nil {
		b.distinct = make(map[uint64]struct{}, openAfter)
	}
	b.distinct[position] = struct{}{}
	if len(b.distinct) < openAfter {
		return false
	}
	b.opened = ended
	wait := b.probeWait()
	if b.probeAtOnce {
		wait = 0
	}
	b.probeAt = ended.Add(max(wait, retryAfter))
	return true
}

// failOpen puts the next probe off. What began before the breaker opened is no
// probe: it makes no wait longer than the callback asked for.
func (b *breaker) failOpen(probe bool, ended time.Time, retryAfter time.Duration) {
	wait := retryAfter
	if probe {
		b.probes++
		wait = max(b.probeWait(), retryAfter)
	}
	if at := ended.Add(wait); at.After(b.probeAt) {
		b.probeAt = at
	}
}

func (b *breaker) probeWait() time.Duration {
	const noJitter = 0.5
	return backoff(b.probes+1, b.retry.First, min(b.retry.Longest, longestProbeWait), noJitter)
}
