package app

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

var _ control.Historian = service{}

func TestHistoryOfADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(time.Now())
		began := time.Now()
		for range 30 { // hours
			h.events(time.Now(), map[event.Type]int{event.OrderCreated: 2, event.OrderUpdated: 1})
			h.attempt(time.Now(), "crm", true, 40*time.Millisecond)
			h.attempt(time.Now(), "crm", false, time.Second)
			time.Sleep(time.Hour)
		}
		shown := h.show(time.Now())
		if len(shown.Periods) != historyPeriods || len(shown.Periods) > control.MaxPeriods || shown.Seconds != 900 || !shown.Since.Equal(began) {
			t.Fatalf("%d periods of %d s since %s", len(shown.Periods), shown.Seconds, shown.Since)
		}
		created, accepted, failed := 0, 0, 0
		for i, p := range shown.Periods {
			if i > 0 && p.From.Sub(shown.Periods[i-1].From) != historyPeriod {
				t.Errorf("period %d begins %s after the one before", i, p.From.Sub(shown.Periods[i-1].From))
			}
			created += p.Events[event.OrderCreated]
			accepted += p.Attempts["crm"].Accepted
			failed += p.Attempts["crm"].Failed
		}
		if created != 2*23 || accepted != 23 || failed != 23 {
			t.Errorf("%d created, %d accepted, %d failed in the last 24 hours; want 46, 23 and 23", created, accepted, failed)
		}
	})
}

func TestLatencyQuantiles(t *testing.T) {
	t.Parallel()
	h := newHistory(time.Now())
	now := time.Now()
	for range 90 {
		h.attempt(now, "crm", true, 12*time.Millisecond)
	}
	for range 10 {
		h.attempt(now, "crm", true, 3*time.Second)
	}
	h.attempt(now, "slow", true, time.Hour)
	periods := h.show(now).Periods
	last := periods[len(periods)-1].Attempts
	if m := last["crm"].Median; m < 0.008 || m > 0.016 {
		t.Errorf("the median of 12 ms is %g s", m)
	}
	if p := last["crm"].P95; p < 2 || p > 4.1 {
		t.Errorf("the 95th percentile of 3 s is %g s", p)
	}
	if m := last["slow"].Median; math.IsNaN(m) || m < 60 {
		t.Errorf("the median of an hour is %g s", m)
	}
}

// A clock that was ahead once leaves nothing in the future, and what it counted is not
// lost.
func TestHistoryAfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 6, 7, 0, 0, time.UTC)
	h := newHistory(now.AddDate(4, 0, 0))
	created := func(n int) map[event.Type]int { return map[event.Type]int{event.OrderCreated: n} }
	h.events(now.AddDate(4, 0, 0), created(1))
	h.attempt(now.AddDate(4, 0, 0), "crm", true, time.Second)
	h.attempt(now.AddDate(4, 0, 0).Add(time.Hour), "crm", false, time.Second)
	h.attempt(now, "crm", true, time.Second)
	h.events(now, created(10))
	h.events(now.Add(time.Hour), created(100))
	shown := h.show(now.Add(time.Hour))
	last, before := shown.Periods[len(shown.Periods)-1], shown.Periods[len(shown.Periods)-5]
	if !shown.Since.Equal(now) || !last.From.Equal(now.Add(time.Hour).Truncate(historyPeriod)) || last.Events[event.OrderCreated] != 100 {
		t.Errorf("since %s; the last period is %+v", shown.Since, last)
	}
	if f := before.Attempts["crm"]; before.Events[event.OrderCreated] != 11 || f.Accepted != 2 || f.Failed != 1 || f.Median < 0.5 {
		t.Errorf("the period of an hour ago is %+v", before)
	}
}

// Neither a clock that jumps nor very many callbacks cost memory or counts.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h := newHistory(now)
	for i := range 10 * historyCallbacks {
		h.attempt(now, fmt.Sprint("callback", i), true, time.Millisecond)
	}
	h.events(now.Add(-48*time.Hour), map[event.Type]int{event.OrderDeleted: 5})
	h.events(now.AddDate(10, 0, 0), map[event.Type]int{event.OrderDeleted: 7})
	if n := len(h.periods); n != 1 {
		t.Errorf("%d periods are kept after ten years, want one", n)
	}
	periods := h.show(now.AddDate(10, 0, 0)).Periods
	if last := periods[len(periods)-1]; last.Events[event.OrderDeleted] != 7 || len(last.Attempts) != 0 {
		t.Errorf("%+v", last)
	}
}
