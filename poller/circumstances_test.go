package poller

import (
	"math/rand/v2"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// circumstances are what a seed decides about a simulation as a whole.
type circumstances struct {
	legacy, old bool
	interval    string
	overlap     time.Duration
	// reconcile is empty where polls alone have to find everything.
	reconcile time.Duration
	start     string
	pageSize  int
	hours     int
	drifting  float64 // the chance that something happens during a request
	faults    float64 // the chance that a request fails
	kills     bool
	full      float64 // the chance that a commit fails or panics, durable or not
	deaf      float64 // the chance that an order cannot be read by itself, this once
	skew      time.Duration
	behaviour ecwidtest.Behaviour
	// bursts makes several changes of an order within one second.
	bursts bool
	// pace is the least time between two requests.
	pace time.Duration
	// shifted pages begin a row too early and lack their last one, with the same
	// total. Where a seen order is deleted during the same walk, nothing tells.
	shifted bool
	// spoiled pages hold rows that cannot be read, and late ones come when the
	// overlap is over: what the polls miss so is the reconciliation's to find.
	spoiled, late bool
	// jumps puts the local clock back now and then while the poller runs.
	jumps bool
	// calm leaves out whatever can hold up a poll, so that each has to succeed and
	// to tell at once what can be seen (witness_test.go).
	calm bool
	// rush shifts every page behind the first: few walks are whole. Only what is
	// deleted has to be told at once.
	rush bool
	// shrinking lists lose their last row between two pages.
	shrinking bool
}

func draw(r *rand.Rand) circumstances {
	c := circumstances{
		legacy: r.IntN(3) == 0, old: r.IntN(8) == 0,
		interval: pick(r, "2m", "5m", "13m", "30m", "1h"),
		overlap:  pick(r, 5*time.Second, time.Minute, 5*time.Minute, 20*time.Minute),
		start:    pick(r, "snapshot", "snapshot", "now", "replay", "date"),
		pageSize: pick(r, 2, 3, 5, 10, 100),
		hours:    pick(r, 1, 2, 4, 4, 8),
		drifting: pick(r, 0, 0.05, 0.3),
		faults:   pick(r, 0, 0.02, 0.2),
		kills:    r.IntN(2) == 0,
		full:     pick(r, 0, 0, 0.1),
		deaf:     pick(r, 0, 0, 0.8),
		skew:     pick(r, 0, 0, 7*time.Hour, -7*time.Hour, 30*time.Second),
		bursts:   r.IntN(2) == 0,
	}
	if c.drifting == 0 && r.IntN(2) == 0 {
		c.shifted = true
	} else {
		c.pace = pick(r, 0, longestBackoff)
	}
	// The polls have to be held against the truth without the reconciliation, which
	// repairs what they miss. Legacy deletions need it.
	if c.legacy && r.IntN(4) > 0 || r.IntN(3) == 0 {
		c.reconcile = pick(r, 20*time.Minute, 2*time.Hour)
		c.spoiled = !c.bursts && r.IntN(4) == 0
		c.late = !c.bursts && r.IntN(4) == 0
	}
	if c.spoiled || c.late {
		c.drifting = 0 // two changes of a second, of which the later one is missed, are beyond repair
	}
	lag := c.overlap - 2*time.Second // the bounds' own second, and that of the clock
	if c.late {
		lag = 3 * c.overlap
	}
	index := fraction64(r, lag)
	c.behaviour = ecwidtest.Behaviour{
		IndexLag: index, StaleChance: pick(r, 0, 0.1, 0.5), StaleAge: fraction64(r, lag-index),
		DeletedIndexLag: pick(r, 0, 0, 0, 10*time.Second, lag-index, time.Hour), DeletionListLag: fraction64(r, lag),
		ShowUnfinished: r.IntN(2) == 0, ExclusiveBounds: r.IntN(2) == 0,
		DeletedWithOrderID: r.IntN(2) == 0, ResetCreateDate: r.IntN(2) == 0,
	}
	if c.shifted {
		c.behaviour.StaleChance = 0
	}
	c.jumps = r.IntN(4) == 0
	if !c.spoiled && !c.late && r.IntN(4) == 0 {
		c.calmDown(r)
	}
	return c
}

// calmDown leaves at most one thing that moves a list while it is read.
func (c *circumstances) calmDown(r *rand.Rand) {
	c.calm, c.kills, c.jumps, c.shifted = true, false, false, false
	c.faults, c.full, c.deaf, c.drifting, c.pace, c.behaviour.StaleChance = 0, 0, 0, 0, 0, 0
	switch r.IntN(3) {
	case 0:
		c.rush, c.shifted, c.legacy = true, true, false
		c.hours, c.pageSize = min(c.hours, 4), 5
	case 1:
		c.shrinking, c.bursts = true, false
		c.overlap, c.pageSize = max(c.overlap, 20*time.Minute), 3
		c.behaviour.IndexLag, c.behaviour.DeletedIndexLag = 0, 0
	}
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// fraction64 is nothing at all once in three times.
func fraction64(r *rand.Rand, most time.Duration) time.Duration {
	if r.IntN(3) == 0 || most <= 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(most) + 1))
}
