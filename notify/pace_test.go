package notify_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// mostWithin is the most of the times that lie within a span.
func mostWithin(at []time.Time, span time.Duration) int {
	most := 0
	for first, next := 0, 0; next < len(at); next++ {
		for at[next].Sub(at[first]) >= span {
			first++
		}
		most = max(most, next-first+1)
	}
	return most
}

func TestRateLimitIsKept(t *testing.T) {
	for _, tc := range []struct {
		perSecond      float64
		took           time.Duration
		concurrency    int
		inTenSeconds   int
		mostInASecond  int
		mostInTwoTenth int
	}{
		{0.5, 0, 4, 5, 1, 1},
		{1, 0, 4, 10, 1, 1},
		{3, 100 * time.Millisecond, 4, 30, 3, 1},
		// Tokens do not pile up while all workers are busy.
		{1, 7 * time.Second, 1, 2, 1, 1},
		{0.7, 10 * time.Second, 2, 2, 1, 1},
		{250, 0, 4, 2500, 255, 55},
	} {
		t.Run(fmt.Sprintf("%g a second, answers in %s", tc.perSecond, tc.took), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := callbackTo("http://callback.test")
				c.RateLimit, c.Concurrency, c.Timeout = tc.perSecond, tc.concurrency, time.Minute
				b := newBed(t, c)
				receiver := &gauge{took: tc.took}
				b.options.Transport = receiver
				b.commitObjects(t, someStore, tc.inTenSeconds+10)
				d, stop := b.start(t)
				time.Sleep(10*time.Second - time.Millisecond)
				if n := d.States()[0].UnderWay; n > tc.concurrency {
					t.Errorf("%d attempts under way", n)
				}
				stop()
				at, _ := receiver.take()
				if len(at) < tc.inTenSeconds || len(at) > tc.inTenSeconds+5 {
					t.Errorf("%d POSTs in ten seconds, want %d", len(at), tc.inTenSeconds)
				}
				if n := mostWithin(at, time.Second); n > tc.mostInASecond {
					t.Errorf("%d POSTs within a second, want at most %d", n, tc.mostInASecond)
				}
				if n := mostWithin(at, 200*time.Millisecond); n > tc.mostInTwoTenth {
					t.Errorf("%d POSTs within 200 ms, want at most %d", n, tc.mostInTwoTenth)
				}
			})
		})
	}
}

func TestRateLimitHoldsADrainBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.RateLimit = 2
		b := newBed(t, c)
		receiver := &gauge{}
		b.options.Transport = receiver
		events := b.commitObjects(t, someStore, 21)
		start := time.Now()
		b.drain(t)
		if took := time.Since(start).Round(time.Millisecond); took != 10*time.Second {
			t.Errorf("21 POSTs took %s at 2 a second, want 10s", took)
		}
		for _, e := range events {
			b.checkState(t, e, event.Delivered, 1)
		}
	})
}

func TestRateLimitLosesNothingWhenStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.RateLimit = 0.1
		b := newBed(t, c)
		b.options.Transport = &gauge{}
		events := b.commitObjects(t, someStore, 3)
		_, stop := b.start(t)
		time.Sleep(15 * time.Second)
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 0 {
			t.Errorf("stopping took %s though nothing was under way", took)
		}
		b.checkState(t, events[0], event.Delivered, 1)
		b.checkState(t, events[1], event.Delivered, 1)
		b.checkState(t, events[2], event.Pending, 0)
	})
}
