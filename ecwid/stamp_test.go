package ecwid

import (
	"net/http"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 1, 5, 26, 28, 0, time.UTC)
	tests := map[string]struct {
		date string
		zone *time.Location
		want time.Time
	}{
		"with offset":                     {"2024-05-01 05:26:28 +0000", time.UTC, at},
		"with another offset":             {"2024-05-01 09:26:28 +0400", time.UTC, at},
		"an offset wins over the zone":    {"2024-04-30 22:26:28 -0700", legacyZone, at},
		"without offset":                  {"2024-05-01 05:26:28", time.UTC, at},
		"without offset, of another zone": {"2024-05-01 01:26:28", legacyZone, at},
		"day":                             {"2024-05-01", time.UTC, at.Truncate(24 * time.Hour)},
		"seconds":                         {"1714541188", time.UTC, at},
		"a day that does not exist":       {"2024-02-30", time.UTC, time.Time{}},
		"the epoch, which means none":     {"1970-01-01 00:00:00 +0000", time.UTC, time.Time{}},
		"before the epoch":                {"0001-01-01", time.UTC, time.Time{}},
		"the last second":                 {"9999-12-31 23:59:59", time.UTC, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		"behind the last second":          {"9999-12-31 23:59:59 -0100", time.UTC, time.Time{}},
		"milliseconds":                    {"1714541188000000", time.UTC, time.Time{}},
		"empty":                           {"", time.UTC, time.Time{}},
		"words":                           {"yesterday", time.UTC, time.Time{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parseDate(test.date, test.zone); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	served := now.Add(time.Hour) // a server whose clock is ahead
	tests := map[string]struct {
		value string
		date  bool
		want  time.Duration
	}{
		"seconds":                       {"17", false, 17 * time.Second},
		"zero is no leave to hammer":    {"0", false, time.Second},
		"a date":                        {now.Add(30 * time.Second).Format(http.TimeFormat), false, 30 * time.Second},
		"a date by the server's clock":  {served.Add(30 * time.Second).Format(http.TimeFormat), true, 30 * time.Second},
		"a date that has passed":        {now.Add(-time.Hour).Format(http.TimeFormat), false, time.Second},
		"longer than a day":             {"999999999999", false, 24 * time.Hour},
		"a date years ahead":            {now.AddDate(9, 0, 0).Format(http.TimeFormat), false, 24 * time.Hour},
		"negative":                      {"-5", false, 0},
		"more digits than a number has": {"99999999999999999999", false, 0},
		"words":                         {"soon", false, 0},
		"none":                          {"", false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{"Retry-After": {test.value}}
			if test.date {
				h.Set("Date", served.Format(http.TimeFormat))
			}
			if got := retryAfter(h, now); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
