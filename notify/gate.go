package notify

import (
	"math"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// PausedByConfig is CallbackState.Paused of a callback that the configuration
// pauses.
const PausedByConfig event.PauseReason = "config"

// A CallbackState is how a callback does at one moment.
type CallbackState struct {
	Name string
	// Paused says why nothing is sent: PausedByConfig, or the reason of an
	// event.Pause. Empty: not paused.
	Paused event.PauseReason
	// PausedSince is zero when the configuration pauses.
	PausedSince time.Time
	// OpenSince is when the breaker opened: so many different deliveries had failed in
	// a row that only probes are made, one at a time. Zero: closed.
	OpenSince time.Time
	// NextProbe is the earliest time of the next probe; zero unless the breaker is
	// open.
	NextProbe time.Time
	// Failures counts the failed attempts since the last accepted one.
	Failures int
	// LastError, LastDetail and LastErrorAt tell of the last failed attempt, as in
	// event.Attempt. Empty when none has failed since the program started.
	LastError, LastDetail string
	LastStatus            int // of its answer, 0 when there was none
	LastErrorAt           time.Time
	// LastAccepted is when the callback accepted an event last; zero when it has not
	// since the program started.
	LastAccepted time.Time
	// UnderWay counts the attempts that are being made.
	UnderWay int
}

// untilNews is a wait that no time ends.
const untilNews time.Duration = math.MaxInt64

// A gate says whether an attempt at a callback may begin, and remembers what the
// attempts came to. It may be used concurrently.
type gate struct {
	name     string
	byConfig bool

	mu       sync.Mutex
	pause    event.Pause // Reason is empty when there is none
	breaker  breaker
	underWay int
	accepted time.Time // last
	failed   struct {  // last
		class, detail string
		status        int
		at            time.Time
	}
}

// A passing is what an attempt that has ended has changed.
type passing int

const (
	passedBy passing = iota
	breakerOpened
	breakerClosed
	callbackGone // paused: it wants no more events
)

func newGate(c *Callback) gate {
	return gate{name: c.Name, byConfig: c.Paused, breaker: breaker{retry: c.Retry}}
}

// reset closes the breaker.
func (g *gate) reset(probeAtOnce bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.breaker = breaker{retry: g.breaker.retry, probeAtOnce: probeAtOnce}
}

// wait returns how long no attempt may begin; 0: one may begin now. probing tells
// that it would be a probe, which is made alone.
func (g *gate) wait(now time.Time) (wait time.Duration, probing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut(now), g.breaker.isOpen()
}

func (g *gate) shut(now time.Time) time.Duration {
	switch {
	case g.byConfig || g.pause.Reason != "":
		return untilNews
	case !g.breaker.isOpen():
		return 0
	case g.underWay > 0:
		return untilNews
	default:
		return max(0, g.breaker.probeAt.Sub(now))
	}
}

// begin tells whether an attempt may begin, which then must be ended. While the breaker
// is open only what was chosen as a probe may.
func (g *gate) begin(asProbe bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut(time.Now()) > 0 || (g.breaker.isOpen() && !asProbe) {
		return false
	}
	g.underWay++
	g.breaker.probing = g.breaker.isOpen()
	return true
}

// end notes what an attempt came to. Failures that are no word of the callback tell
// nothing about it.
func (g *gate) end(position uint64, ended time.Time, o *outcome) passing {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	// Nothing else is under way with a probe.
	probe := g.breaker.probing
	g.breaker.probing = false
	if o.class == "" {
		g.accepted = ended
		if g.breaker.accept() {
			return breakerClosed
		}
		return passedBy
	}
	if o.class == ErrorStopped {
		return passedBy
	}
	g.failed.class, g.failed.detail, g.failed.status, g.failed.at = o.class, o.detail, o.status, ended
	switch {
	case o.class == ErrorEvent || o.class == ErrorFormat:
		return passedBy
	case o.gone():
		if g.pause.Reason != "" {
			return passedBy
		}
		g.pause = event.Pause{Callback: g.name, Since: ended.UTC(), Reason: event.PausedGone}
		return callbackGone
	case g.breaker.fail(position, probe, ended, o.retryAfter):
		return breakerOpened
	default:
		return passedBy
	}
}

// acceptedSince tells whether the callback has accepted an event after that time.
func (g *gate) acceptedSince(t time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accepted.After(t)
}

// setPause pauses, unless there is a pause already.
func (g *gate) setPause(p event.Pause) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pause.Reason == "" {
		g.pause = p
	}
}

// clearPause ends the pause and gives the callback a fresh start.
func (g *gate) clearPause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pause = event.Pause{}
	g.breaker.accept()
}

// paused returns the pause that holds; its Reason is empty when none does.
func (g *gate) paused() event.Pause {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pause
}

func (g *gate) state() CallbackState {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := CallbackState{
		Name: g.name, Paused: g.pause.Reason, PausedSince: g.pause.Since,
		OpenSince: g.breaker.opened, NextProbe: g.breaker.probeAt, Failures: g.breaker.failures,
		LastError: g.failed.class, LastDetail: g.failed.detail, LastStatus: g.failed.status, LastErrorAt: g.failed.at,
		LastAccepted: g.accepted, UnderWay: g.underWay,
	}
	if g.byConfig {
		s.Paused, s.PausedSince = PausedByConfig, time.Time{}
	}
	return s
}
