package notify

import (
	"math"
	"net/http"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	const most = time.Duration(math.MaxInt64)
	for name, tc := range map[string]struct {
		failures       int
		first, longest time.Duration
		random         float64
		want           time.Duration
	}{
		"the first wait":              {1, 5 * time.Second, time.Hour, 0.5, 5 * time.Second},
		"doubles":                     {2, 5 * time.Second, time.Hour, 0.5, 10 * time.Second},
		"and doubles":                 {10, 5 * time.Second, time.Hour, 0.5, 2560 * time.Second},
		"up to the longest":           {11, 5 * time.Second, time.Hour, 0.5, time.Hour},
		"and stays there":             {1_000_000_000, 5 * time.Second, time.Hour, 0.5, time.Hour},
		"at least 20 % less":          {1, 10 * time.Second, time.Hour, 0, 8 * time.Second},
		"at most 20 % more":           {12, 5 * time.Second, time.Hour, 1, 72 * time.Minute},
		"below a second":              {2, time.Millisecond, time.Second, 0.5, 2 * time.Millisecond},
		"a nanosecond is a wait":      {1, 1, 1, 0, 1},
		"no failure is like one":      {0, time.Second, time.Hour, 0.5, time.Second},
		"the longest does not wrap":   {100, time.Second, most, 0.99, most},
		"nor does it with the lowest": {100, most, most, 0.5, most},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := backoff(tc.failures, tc.first, tc.longest, tc.random)
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func FuzzBackoffStaysInItsBounds(f *testing.F) {
	f.Add(3, int64(5e9), int64(3600e9), 0.5)
	f.Add(math.MaxInt, int64(1), int64(math.MaxInt64), 0.999)
	f.Fuzz(func(t *testing.T, failures int, first, longest int64, random float64) {
		if first < 1 || longest < first || !(random >= 0 && random < 1) {
			t.Skip()
		}
		got := backoff(failures, time.Duration(first), time.Duration(longest), random)
		if least := float64(first) * 0.8; float64(got) < least*0.999-1 {
			t.Errorf("%s is less than 80 %% of the first wait", got)
		}
		if most := float64(longest) * 1.2; float64(got) > most*1.001+1 {
			t.Errorf("%s is more than 120 %% of the longest wait", got)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "120", "-1", "1.5", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT",
		"Friday, 31-Dec-99 23:59:59 GMT", "Fri Dec 31 23:59:59 9999", " 7 ", "٣",
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 6, 31, 2, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait, capped := retryAfter(http.Header{"Retry-After": {value}}, now)
		if wait < 0 || wait > maxRetryAfter || (capped && wait != maxRetryAfter) {
			t.Errorf("%q: wait %s, cut %t", value, wait, capped)
		}
		date, err := http.ParseTime(value)
		if err == nil && !capped && !date.Before(now) && !now.Add(wait).Equal(date) {
			t.Errorf("%q: wait %s from %s", value, wait, now)
		}
	})
}
