package notify

import (
	"testing"
	"time"
)

// A step is an attempt: a failure of the delivery at that position, or accepted when
// the position is 0. It ended that many seconds after the test began.
type step struct {
	position   uint64
	probe      bool
	ended      int
	retryAfter time.Duration
}

func failures(positions ...uint64) []step {
	steps := make([]step, len(positions))
	for i, p := range positions {
		steps[i] = step{position: p}
	}
	return steps
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	five := failures(1, 2, 3, 4, 5)
	for name, tc := range map[string]struct {
		steps   []step
		longest time.Duration // 0: an hour
		atOnce  bool
		open    bool
		probe   time.Duration // since the test began
	}{
		"is closed at first":                    {},
		"opens when five deliveries fail":       {steps: five, open: true, probe: 5 * time.Second},
		"stays closed when four fail":           {steps: failures(1, 2, 3, 4, 1, 2, 3, 4)},
		"and when one fails again and again":    {steps: failures(7, 7, 7, 7, 7, 7, 7, 7)},
		"an acceptance ends the row":            {steps: failures(1, 2, 3, 4, 0, 5, 6, 7, 8)},
		"an acceptance closes it":               {steps: append(five[:5:5], step{ended: 3})},
		"it opens again after another five":     {steps: append(five[:5:5], failures(0, 1, 2, 3, 4, 5)...), open: true, probe: 5 * time.Second},
		"the wait doubles with a failed probe":  {steps: append(five[:5:5], step{6, true, 6, 0}), open: true, probe: 16 * time.Second},
		"and doubles":                           {steps: append(five[:5:5], step{6, true, 6, 0}, step{6, true, 17, 0}), open: true, probe: 37 * time.Second},
		"up to a minute":                        {steps: append(five[:5:5], repeat(step{6, true, 9, 0}, 100)...), open: true, probe: 69 * time.Second},
		"or to retry.longest when that is less": {steps: append(five[:5:5], repeat(step{6, true, 9, 0}, 100)...), longest: 20 * time.Second, open: true, probe: 29 * time.Second},
		"what began before is no probe":         {steps: append(five[:5:5], step{6, false, 4, 0}, step{7, false, 4, 0}), open: true, probe: 5 * time.Second},
		"but its Retry-After counts":            {steps: append(five[:5:5], step{6, false, 4, 30 * time.Second}), open: true, probe: 34 * time.Second},
		"a probe waits for the Retry-After":     {steps: append(five[:4:4], step{5, false, 0, time.Minute}), open: true, probe: time.Minute},
		"a failed one for the last":             {steps: append(five[:5:5], step{6, true, 6, 5 * time.Minute}), open: true, probe: 306 * time.Second},
		"but not longer than retry.longest":     {steps: append(five[:4:4], step{5, false, 0, 100 * time.Hour}), open: true, probe: time.Hour},
		"a drain probes at once":                {steps: five, atOnce: true, open: true},
		"once":                                  {steps: append(five[:5:5], step{6, true, 1, 0}), atOnce: true, open: true, probe: 11 * time.Second},
		"and not before the Retry-After":        {steps: append(five[:4:4], step{5, false, 0, time.Minute}), atOnce: true, open: true, probe: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.longest == 0 {
				tc.longest = time.Hour
			}
			start := time.Now()
			at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
			b := breaker{retry: Retry{First: 5 * time.Second, Longest: tc.longest}, probeAtOnce: tc.atOnce}
			for i, s := range tc.steps {
				wasOpen, changed := b.isOpen(), false
				if s.position == 0 {
					changed = b.accept()
				} else {
					changed = b.fail(s.position, s.probe, at(s.ended), s.retryAfter)
				}
				if changed != (wasOpen != b.isOpen()) {
					t.Errorf("step %d tells a change: %t; open before: %t, after: %t", i, changed, wasOpen, b.isOpen())
				}
			}
			if b.isOpen() != tc.open {
				t.Fatalf("open: %t, want %t", b.isOpen(), tc.open)
			}
			if tc.open && b.probeAt.Sub(start) != tc.probe {
				t.Errorf("the next probe is %s after the start, want %s", b.probeAt.Sub(start), tc.probe)
			}
		})
	}
}

func repeat(s step, n int) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = s
	}
	return steps
}

func TestSetBack(t *testing.T) {
	t.Parallel()
	// A time with a monotonic reading whose clock is wrong cannot be made; one without
	// is compared by the clock, so that it is never set back.
	now := time.Now()
	if setBack(now, now.Add(time.Hour)) || setBack(now.Round(0), now.Round(0).Add(-time.Hour)) {
		t.Error("a clock that goes forward is taken for one that was set back")
	}
}
