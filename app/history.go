package app

import (
	"context"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// historyPeriod divides the last 24 hours into historyPeriods.
	historyPeriod  = 15 * time.Minute
	historyPeriods = int(24 * time.Hour / historyPeriod)

	// historyCallbacks is how many callbacks a period counts apart: with more, nobody
	// looks at each of them, and each costs memory.
	historyCallbacks = 200

	// latencyBuckets double from a millisecond on, to two minutes.
	latencyBuckets = 18
)

// A history counts what happened in the last 24 hours. It may be used concurrently.
type history struct {
	mu      sync.Mutex
	since   time.Time
	periods []period // the oldest first
}

type period struct {
	from     time.Time
	events   map[event.Type]int
	attempts map[string]*attemptCounts
}

type attemptCounts struct {
	accepted, failed int
	latency          [latencyBuckets]int // of those accepted
}

func newHistory(now time.Time) *history { return &history{since: now} }

// current returns the period that now lies in, and lets go of what is a day old. What a
// clock that was ahead has counted, and that was put back since, is counted now.
func (h *history) current(now time.Time) *period {
	from := now.Truncate(historyPeriod)
	if h.since.After(now) {
		h.since = now
	}
	for n := len(h.periods); n > 0 && h.periods[n-1].from.After(from); n = len(h.periods) {
		ahead := &h.periods[n-1]
		if n == 1 || h.periods[n-2].from.Before(from) {
			ahead.from = from
			break
		}
		h.periods[n-2].add(ahead)
		h.periods = h.periods[:n-1]
	}
	if n := len(h.periods); n > 0 && from.Equal(h.periods[n-1].from) {
		return &h.periods[n-1]
	}
	h.periods = append(h.periods, period{
		from: from, events: make(map[event.Type]int), attempts: make(map[string]*attemptCounts),
	})
	oldest := 0
	for h.periods[oldest].from.Before(from.Add(-(time.Duration(historyPeriods) - 1) * historyPeriod)) {
		oldest++
	}
	h.periods = append(h.periods[:0:0], h.periods[oldest:]...)
	return &h.periods[len(h.periods)-1]
}

// add adds what another period has counted.
func (p *period) add(other *period) {
	for typ, n := range other.events {
		p.events[typ] += n
	}
	for name, c := range other.attempts {
		sum := p.attempts[name]
		if sum == nil {
			p.attempts[name] = c
			continue
		}
		sum.accepted += c.accepted
		sum.failed += c.failed
		for i := range c.latency {
			sum.latency[i] += c.latency[i]
		}
	}
}

func (h *history) events(now time.Time, counts map[event.Type]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.current(now)
	for typ, n := range counts {
		p.events[typ] += n
	}
}

func (h *history) attempt(now time.Time, callback string, accepted bool, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.current(now)
	c := p.attempts[callback]
	if c == nil {
		if len(p.attempts) == historyCallbacks {
			return
		}
		c = new(attemptCounts)
		p.attempts[callback] = c
	}
	if !accepted {
		c.failed++
		return
	}
	c.accepted++
	c.latency[latencyBucket(took)]++
}

func latencyBucket(took time.Duration) int {
	bucket := 0
	for limit := time.Millisecond; bucket < latencyBuckets-1 && took > limit; limit *= 2 {
		bucket++
	}
	return bucket
}

// quantile returns how many seconds that share of the accepted attempts took at most,
// as far as the buckets tell: within them, attempts count as spread evenly.
func (c *attemptCounts) quantile(share float64) float64 {
	if c.accepted == 0 {
		return 0
	}
	rank, below := share*float64(c.accepted), 0.0
	for bucket, n := range c.latency {
		if below+float64(n) >= rank && n > 0 {
			high := math.Ldexp(0.001, bucket)
			low := high / 2
			if bucket == 0 {
				low = 0
			}
			return low + (high-low)*(rank-below)/float64(n)
		}
		below += float64(n)
	}
	return math.Ldexp(0.001, latencyBuckets-1)
}

// show returns every period of the last 24 hours, those in which nothing happened
// included.
func (h *history) show(now time.Time) control.History {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.current(now).from
	shown := control.History{Since: h.since.UTC(), Seconds: int(historyPeriod.Seconds())}
	next := 0
	for from := last.Add(-time.Duration(historyPeriods-1) * historyPeriod); !from.After(last); from = from.Add(historyPeriod) {
		one := control.Period{From: from.UTC(), Events: map[event.Type]int{}, Attempts: map[string]control.AttemptFigures{}}
		if next < len(h.periods) && h.periods[next].from.Equal(from) {
			h.periods[next].show(&one)
			next++
		}
		shown.Periods = append(shown.Periods, one)
	}
	return shown
}

func (p *period) show(shown *control.Period) {
	maps.Copy(shown.Events, p.events)
	for name, c := range p.attempts {
		shown.Attempts[name] = control.AttemptFigures{
			Accepted: c.accepted, Failed: c.failed, Median: c.quantile(0.5), P95: c.quantile(0.95),
		}
	}
}

// History implements control.Historian.
func (s service) History(context.Context) (control.History, error) {
	return s.history.show(time.Now()), nil
}
