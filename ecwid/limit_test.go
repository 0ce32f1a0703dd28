package ecwid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// starts lets several callers take turns until a time, and returns when the
// requests of each limiter began.
func starts(t *testing.T, until time.Duration, limiters ...*Limiter) []time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), until)
	defer cancel()
	var mu sync.Mutex
	var at []time.Time
	var callers sync.WaitGroup
	for _, l := range limiters {
		callers.Go(func() {
			for {
				patience := longestWait
				release, err := l.acquire(ctx, &patience)
				if err != nil {
					return
				}
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
				release()
			}
		})
	}
	callers.Wait()
	return at
}

// most returns the largest number of times in any span shorter than per.
func most(at []time.Time, per time.Duration) int {
	largest, first := 0, 0
	for i := range at {
		for at[i].Sub(at[first]) >= per {
			first++
		}
		largest = max(largest, i-first+1)
	}
	return largest
}

func TestRateOfAToken(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{1, 2, 59, 60, 120, 600, 0} {
		t.Run(strconv.Itoa(perMinute), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				limiters := NewLimiters()
				at := starts(t, 5*time.Minute, limiters.For("t", perMinute, V3), limiters.For("t", perMinute, V3), limiters.For("t", perMinute, V3))
				limit := perMinute
				if limit == 0 {
					limit = 600
				}
				// The limiter computes with float64, which is good to some nanoseconds.
				if got := most(at, time.Minute-time.Microsecond); got > limit {
					t.Errorf("%d requests in a minute, want at most %d", got, limit)
				}
				if got := most(at, time.Nanosecond); got > 5 {
					t.Errorf("%d requests at once, want at most 5", got)
				}
				if least := 5 * limit * 95 / 100; len(at) < least {
					t.Errorf("%d requests in 5 minutes, want at least %d", len(at), least)
				}
			})
		})
	}
}

func TestLowestRateHolds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		limiters := NewLimiters()
		first, lower, higher := limiters.For("t", 600, V3), limiters.For("t", 60, V3), limiters.For("t", 300, V3)
		at := starts(t, 5*time.Minute, first, lower, higher)
		if got := most(at, time.Minute-time.Microsecond); got != 60 {
			t.Errorf("%d requests in a minute, want 60", got)
		}
		if other := starts(t, time.Minute, limiters.For("other", 600, V3)); len(other) < 590 {
			t.Errorf("%d requests of another token in a minute, want 600", len(other))
		}
	})
}

var documentedWindows = []window{{100, 5 * time.Second}, {400, 50 * time.Second}, {1400, 500 * time.Second}}

func TestLegacyLimitsOfAnAddress(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		limiters := NewLimiters()
		var stores []*Limiter
		for i := range 50 {
			stores = append(stores, limiters.For(fmt.Sprint("secret ", i), 600, Legacy))
		}
		at := starts(t, 30*time.Minute, stores...)
		for _, w := range documentedWindows {
			if got := most(at, w.per); got != w.count {
				t.Errorf("%d requests in %v, want the limit of %d", got, w.per, w.count)
			}
		}
	})
}

func TestLegacyConnections(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		limiters := NewLimiters()
		var mu sync.Mutex
		running, largest := 0, 0
		slow := roundTrip(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			running++
			largest = max(largest, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return answerWith(200, emptyPage), nil
		})
		began := time.Now()
		var calls sync.WaitGroup
		for i := range 30 {
			c := newTestClient(t, Options{API: Legacy, Transport: slow, Limiter: limiters.For(strconv.Itoa(i), 600, Legacy)})
			calls.Go(func() {
				if _, err := c.Orders(t.Context(), event.Query{}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if largest != 10 || time.Since(began) != 3*time.Second {
			t.Errorf("%d requests at once, done after %v; want 10, 3s", largest, time.Since(began))
		}
	})
}

func TestPauseIsShared(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		paused, asks   string
		pausedAPI, api API
		want           time.Duration
	}{
		"the same token":        {"a", "a", V3, V3, 20 * time.Second},
		"another token":         {"a", "b", V3, V3, 0},
		"another legacy secret": {"a", "b", Legacy, Legacy, 20 * time.Second},
		"a token after legacy":  {"a", "b", Legacy, V3, 0},
		"legacy after a token":  {"a", "b", V3, Legacy, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				limiters := NewLimiters()
				limiters.For(test.paused, 0, test.pausedAPI).pause.extend(20 * time.Second)
				limiters.For(test.paused, 0, test.pausedAPI).pause.extend(time.Second) // shortens nothing
				began := time.Now()
				patience := longestWait
				release, err := limiters.For(test.asks, 0, test.api).acquire(t.Context(), &patience)
				if err != nil {
					t.Fatal(err)
				}
				release()
				if waited := time.Since(began); waited != test.want || longestWait-patience != test.want {
					t.Errorf("waited %v, used up %v of the patience; want %v", waited, longestWait-patience, test.want)
				}
			})
		})
	}
}

// A pause that begins while a request waits for its turn holds for it, too.
func TestPauseHoldsForThoseThatWait(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		l := NewLimiters().For("a", 1, V3)
		patience := longestWait
		if _, err := l.acquire(t.Context(), &patience); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(59*time.Second, func() { l.pause.extend(2 * time.Hour) })
		_, err := l.acquire(t.Context(), &patience)
		var paused *pausedError
		if !errors.As(err, &paused) || paused.left != 2*time.Hour-time.Second {
			t.Errorf("error %v", err)
		}
	})
}

func TestLimitersHoldNoToken(t *testing.T) {
	t.Parallel()
	limiters := NewLimiters()
	limiters.For(testToken, 0, V3)
	limiters.For(testSecret, 0, Legacy)
	shown := fmt.Appendf(nil, "%#v", limiters.tokens)
	for key := range limiters.tokens {
		shown = append(shown, key[:]...)
	}
	if len(limiters.tokens) != 2 || bytes.Contains(shown, []byte(testToken)) || bytes.Contains(shown, []byte(testSecret)) {
		t.Errorf("limiters hold %q", shown)
	}
}

// TestAddressLimitAtRandom asks at random times and counts.
func TestAddressLimitAtRandom(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ECWID_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ECWID_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	a := newAddressLimit()
	now := time.Unix(1700000000, 0)
	var at []time.Time
	for range 20_000 {
		now = now.Add(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
		if random.IntN(500) == 0 {
			now = now.Add(time.Duration(random.Int64N(int64(10 * time.Minute))))
		}
		wait := a.take(now)
		if wait <= 0 {
			at = append(at, now)
			continue
		}
		if again := a.take(now.Add(wait - 1)); again != 1 {
			t.Fatalf("told to wait %v, and a nanosecond before that another %v", wait, again)
		}
	}
	for _, w := range documentedWindows {
		if got := most(at, w.per); got > w.count {
			t.Errorf("%d requests in %v, want at most %d", got, w.per, w.count)
		}
	}
}
