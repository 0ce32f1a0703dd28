package ecwid

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// lastSecond is that of the year 9999, behind which a time has no RFC 3339 form.
const lastSecond = 253402300799

// stampOf returns the time of UNIX seconds, or the zero time where no order can
// have a stamp: at the epoch, before it, and after the year 9999.
func stampOf(seconds int64) time.Time {
	if seconds <= 0 || seconds > lastSecond {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// parseDate reads a date in any form that Ecwid writes or takes, and returns it
// in UTC; the zone is that of dates without one. It returns the zero time for
// what it cannot read.
func parseDate(s string, zone *time.Location) time.Time {
	layout := ""
	switch len(s) {
	case len("2006-01-02 15:04:05 -0700"):
		layout = "2006-01-02 15:04:05 -0700"
	case len(time.DateTime):
		layout = time.DateTime
	case len(time.DateOnly):
		layout = time.DateOnly
	}
	if layout != "" {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return stampOf(t.Unix())
		}
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return stampOf(seconds)
}

// serverTime is the clock of the server that answered.
func serverTime(h http.Header) (time.Time, error) {
	date := h.Get("Date")
	if date == "" {
		return time.Time{}, errors.New("the answer has no Date header, which tells the server's clock: does a proxy remove it?")
	}
	t, err := http.ParseTime(date)
	if err != nil {
		return time.Time{}, errors.New("the answer's Date header, which tells the server's clock, cannot be read")
	}
	return t.UTC(), nil
}

// The bounds of a Retry-After. Ecwid blocks for longer who asks on, but a header
// gone wrong must not silence a store for ever.
const (
	shortestRetryAfter = time.Second
	longestRetryAfter  = 24 * time.Hour
)

// retryAfter reads the Retry-After header, in seconds or as an HTTP date; 0 when
// there is none that can be read. A date is held against the server's own clock
// where the answer tells it.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds < 0 {
			return 0
		}
		seconds = min(seconds, int64(longestRetryAfter/time.Second))
		return max(time.Duration(seconds)*time.Second, shortestRetryAfter)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if served, err := serverTime(h); err == nil {
		now = served
	}
	return min(max(until.Sub(now), shortestRetryAfter), longestRetryAfter)
}
