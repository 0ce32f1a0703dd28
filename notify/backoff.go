package notify

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// jitter is the share by which a wait is made shorter or longer at random, so that
// what failed together is not retried together.
const jitter = 0.2

// backoff returns how long to wait after the given number of failures in a row,
// from 1:
//
//	min(first * 2^(failures-1), longest) * (1 - 0.2 + 0.4*random)
//
// random is in [0, 1). With jitter the wait is at most 1.2 times longest.
func backoff(failures int, first, longest time.Duration, random float64) time.Duration {
	wait := min(first, longest)
	for i := 1; i < failures && wait < longest; i++ {
		if wait > longest/2 {
			wait = longest
			break
		}
		wait *= 2
	}
	// The factor is split off so that the longest possible duration does not
	// overflow.
	shift := time.Duration(float64(wait) * jitter * (2*random - 1))
	if sum := wait + shift; sum > 0 {
		return sum
	}
	return wait
}

// maxRetryAfter is the longest Retry-After that is obeyed. What asks for more has
// its clock or its units wrong.
const maxRetryAfter = 7 * 24 * time.Hour

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3), in seconds or
// as a date, and returns how long to wait from now: at most maxRetryAfter, and 0
// for what is absent, past or malformed. capped tells that it asked for more.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, capped bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, false
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	wait = date.Sub(now)
	if wait > maxRetryAfter {
		return maxRetryAfter, true
	}
	return max(wait, 0), false
}
