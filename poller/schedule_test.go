package poller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	const friday = "2026-10-23T10:03:27.5Z"
	for name, test := range map[string]struct{ spec, after, want string }{
		"five fields":              {"*/5 * * * *", friday, "2026-10-23T10:05:00Z"},
		"exactly due":              {"*/5 * * * *", "2026-10-23T10:05:00Z", "2026-10-23T10:10:00Z"},
		"an instant before":        {"*/5 * * * *", "2026-10-23T10:04:59.999999999Z", "2026-10-23T10:05:00Z"},
		"names and lists":          {"0,30 8-18/2 * oct Mon-Wed,fri", friday, "2026-10-23T10:30:00Z"},
		"day of month or week":     {"0 0 1 * 6", friday, "2026-10-24T00:00:00Z"},
		"white space":              {" \t0  12 * *\t? ", friday, "2026-10-23T12:00:00Z"},
		"hourly":                   {"@hourly", friday, "2026-10-23T11:00:00Z"},
		"daily":                    {"@daily", friday, "2026-10-24T00:00:00Z"},
		"weekly":                   {"@weekly", friday, "2026-10-25T00:00:00Z"},
		"yearly":                   {"@yearly", friday, "2027-01-01T00:00:00Z"},
		"zone":                     {"CRON_TZ=Asia/Tokyo 30 4 * * *", friday, "2026-10-23T19:30:00Z"},
		"zone, short":              {"TZ=Asia/Tokyo @daily", friday, "2026-10-23T15:00:00Z"},
		"zone with a tab":          {"CRON_TZ=Asia/Tokyo\t@daily", friday, "2026-10-23T15:00:00Z"},
		"leap day":                 {"0 0 29 2 *", friday, "2028-02-29T00:00:00Z"},
		"leap day around 2100":     {"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		"leap day in a zone":       {"CRON_TZ=Europe/Berlin 0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-28T23:00:00Z"},
		"the beginning of time":    {"@daily", "0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"},
		"skipped time":             {"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		"across a skipped hour":    {"CRON_TZ=Europe/Berlin */20 * * * *", "2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z"},
		"time shown twice, first":  {"CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T04:00:00Z", "2026-11-01T05:30:00Z"},
		"time shown twice, second": {"CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		"time shown twice, after":  {"CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"},
		"across a repeated hour":   {"CRON_TZ=America/New_York */20 * * * *", "2026-11-01T05:40:00Z", "2026-11-01T06:00:00Z"},
		"due as the clock changes": {"CRON_TZ=Europe/Berlin 0 3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		"skipped midnight":         {"CRON_TZ=Africa/Cairo @daily", "2025-04-23T22:00:00Z", "2025-04-25T21:00:00Z"},
		"day without a midnight":   {"CRON_TZ=Africa/Cairo 0 12 * * 5", "2025-04-22T10:00:00Z", "2025-04-25T09:00:00Z"},
		"end of a leap year":       {"CRON_TZ=Europe/Berlin 30 23 * * *", "2040-12-31T12:00:00Z", "2040-12-31T22:30:00Z"},
		"half an hour of change":   {"CRON_TZ=Australia/Lord_Howe 0 2 * * *", "2025-10-04T00:00:00Z", "2025-10-05T15:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scheduleOf(t, test.spec)
			if got, want := s.String(), strings.TrimSpace(test.spec); got != want {
				t.Errorf("String: %q, want %q", got, want)
			}
			after, err := time.Parse(time.RFC3339, test.after)
			if err != nil {
				t.Fatal(err)
			}
			// Neither the location of the time given nor the phase matters.
			for phase, location := range []*time.Location{time.UTC, time.Local, time.FixedZone("", 5*3600+1800)} {
				if got := s.Next(after.In(location), uint64(phase)).Format(time.RFC3339Nano); got != test.want {
					t.Errorf("after %s in %s: %s, want %s", test.after, location, got, test.want)
				}
			}
		})
	}
}

func scheduleOf(t *testing.T, spec string) Schedule {
	t.Helper()
	s, err := ParseSchedule(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseScheduleRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ spec, want string }{
		"nothing":            {" ", "is empty"},
		"a word":             {"often", `"often" is neither a duration`},
		"a bare number":      {"5", `"5" is neither a duration`},
		"words":              {"every 5 minutes", "has 3 fields"},
		"four fields":        {"* * * *", "has 4 fields"},
		"six fields":         {"0 */5 * * * *", "leave out the first"},
		"value too large":    {"61 * * * *", "above maximum"},
		"reversed range":     {"10-5 * * * *", "beyond end"},
		"step of zero":       {"*/0 * * * *", "positive"},
		"range from a star":  {"*-5 * * * *", `"*-5" is no field`},
		"empty list":         {", * * * *", `"," is no field`},
		"empty item":         {"1,,2 * * * *", `"1,,2" is no field`},
		"sign":               {"+5 * * * *", `"+5" is no field`},
		"impossible date":    {"30 2 31 2 *", "never due"},
		"impossible in zone": {"CRON_TZ=Europe/Berlin 30 2 30 2 *", "never due"},
		"reboot":             {"@reboot", "is none of @every"},
		"unknown name":       {"@Hourly", "is none of @every"},
		"two names":          {"@daily @hourly", "is none of @every"},
		"every nothing":      {"@every", `"" is neither a duration`},
		"every word":         {"@every day", `"day" is neither a duration`},
		"every and more":     {"@every 5m 3s", `"5m 3s" is neither a duration`},
		"zero":               {"@every 0s", "shorter than one second"},
		"bare zero":          {"0", "shorter than one second"},
		"negative":           {"@every -1h", "shorter than one second"},
		"below a second":     {"500ms", "shorter than one second"},
		"part of a second":   {"@every 1m0.5s", "whole number of seconds"},
		"a nanosecond more":  {"1.000000001s", "whole number of seconds"},
		"too long":           {"@every 8785h", "longer than 366 days"},
		"beyond a duration":  {"@every 9999999h", "is neither a duration"},
		"zone only":          {"CRON_TZ=UTC", "has a time zone only"},
		"zone zero":          {"TZ=0", "has a time zone only"},
		"zone and space":     {"CRON_TZ=UTC ", "has a time zone only"},
		"empty zone":         {"TZ= * * * * *", "does not name its time zone"},
		"local zone":         {"CRON_TZ=Local @daily", "does not name its time zone"},
		"unknown zone":       {"CRON_TZ=Europe/Berlinn @daily", "unknown time zone"},
		"zone as a path":     {"CRON_TZ=../zone @daily", "time zone"},
		"two zones":          {"CRON_TZ=UTC TZ=UTC 0 0 * * *", "six fields"},
		"interval in a zone": {"CRON_TZ=UTC @every 5m", "leave the zone out"},
		"duration in a zone": {"CRON_TZ=UTC 5m", "leave the zone out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ParseSchedule(test.spec)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one on %q", err, test.want)
			}
			if !strings.Contains(err.Error(), `good ones are "5m" and "*/10 8-18 * * 1-5"`) {
				t.Errorf("the error shows no good ones: %v", err)
			}
			if next := s.Next(time.Unix(0, 0), 0); !next.IsZero() {
				t.Errorf("what was refused is due at %s", next)
			}
		})
	}
}

// ParseSchedule lets none of these through to the library, which panics on the first
// two and takes the third for something else.
func TestParseCronRefusesWhatTheLibraryGetsWrong(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"TZ=0", "CRON_TZ=UTC", "@every 5m"} {
		if calendar, err := parseCron(spec); err == nil {
			t.Errorf("%q: %v", spec, calendar)
		}
	}
}

// Errors must not show what is refused in its turn.
func TestScheduleErrorsShowGoodExamples(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"5m", "*/10 8-18 * * 1-5"} {
		scheduleOf(t, spec)
	}
}

func TestIntervalKeepsItsPhase(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"5m", "@every 5m", " @every  300s ", "0h5m"} {
		s := scheduleOf(t, spec)
		// The phase of a store must outlive restarts and updates of the program.
		got := s.Next(time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), 1003).Format(time.RFC3339Nano)
		if want := "2026-11-23T06:00:15.910593319Z"; got != want {
			t.Errorf("%q: %s, want %s", spec, got, want)
		}
	}
}

func TestIntervalsSpread(t *testing.T) {
	t.Parallel()
	const stores, parts = 10_000, 20
	for _, spec := range []string{"1s", "5m", "24h", "8784h"} {
		s := scheduleOf(t, spec)
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var count [parts]int
		for store := range uint64(stores) {
			wait := s.Next(start, store).Sub(start)
			count[int(float64(wait-1)/float64(s.interval)*parts)]++
		}
		if low, high := slices.Min(count[:]), slices.Max(count[:]); low < stores/parts*8/10 || high > stores/parts*12/10 {
			t.Errorf("%s: between %d and %d of %d stores in each of %d parts", spec, low, high, stores, parts)
		}
	}
}

// Whatever the schedule, Next names the very next time: nothing is due between,
// from anywhere before it the answer is the same, and from it on a later one.
func TestScheduleNextIsTheVeryNext(t *testing.T) {
	t.Parallel()
	random := diffRandom(t)
	intervals := []string{"1s", "7s", "90m", "8784h"}
	calendars := []string{"@hourly", "@daily", "@weekly", "@monthly", "0 0 29 2 *", "*/7 1-3 * * *", "30 2 * 3,10 0", "0 12 * * 5"}
	for range 600 {
		zone := scheduleZones[random.IntN(len(scheduleZones))]
		spec := "CRON_TZ=" + zone + " " + calendars[random.IntN(len(calendars))]
		if random.IntN(4) == 0 {
			spec = intervals[random.IntN(len(intervals))]
		}
		s, phase := scheduleOf(t, spec), random.Uint64()
		after := scheduleMoment(t, random, zone)
		next := s.Next(after, phase)
		between := after.Add(time.Duration(random.Int64N(int64(next.Sub(after)))))
		describe := fmt.Sprintf("%s after %s: %s", spec, after, next)
		if !next.After(after) || next.Location() != time.UTC {
			t.Fatal(describe)
		}
		for _, from := range []time.Time{between, next.Add(-1)} {
			if got := s.Next(from, phase); !got.Equal(next) {
				t.Fatalf("%s, but after %s: %s", describe, from, got)
			}
		}
		later := s.Next(next, phase)
		if !later.After(next) {
			t.Fatalf("%s, then %s", describe, later)
		}
		if s.interval > 0 && later.Sub(next) != s.interval {
			t.Fatalf("%s, then %s", describe, later)
		}
	}
}

// Zones whose clocks change in different ways: at night, at midnight, by half an
// hour, and by a whole day.
var scheduleZones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia",
}

// scheduleMoment returns a time between 1960 and 2110, every other one close to a
// change of the zone's clock.
func scheduleMoment(t *testing.T, random *rand.Rand, zone string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(int64(random.IntN(150)-10)*365*24*3600+random.Int64N(365*24*3600), random.Int64N(1e9)).In(location)
	if _, end := at.ZoneBounds(); random.IntN(2) == 0 && !end.IsZero() {
		at = end.Add(time.Duration(random.Int64N(int64(60*time.Hour)) - int64(30*time.Hour)))
	}
	return at
}

// A cron expression is due whenever its zone's clock shows such a time: found here
// by looking at the clock every minute.
func TestCalendarFollowsTheClock(t *testing.T) {
	t.Parallel()
	random := diffRandom(t)
	for range 80 {
		minute, hour, weekday := random.IntN(60), random.IntN(4), random.IntN(7)
		zone := scheduleZones[random.IntN(len(scheduleZones))]
		spec := fmt.Sprintf("CRON_TZ=%s %d %d * * %d", zone, minute, hour, weekday)
		s := scheduleOf(t, spec)
		after := scheduleMoment(t, random, zone).Truncate(time.Minute)
		want := after
		for {
			want = want.Add(time.Minute)
			clock := want.In(s.zone)
			if clock.Minute() == minute && clock.Hour() == hour && int(clock.Weekday()) == weekday {
				break
			}
		}
		if got := s.Next(after, 0); !got.Equal(want) {
			t.Fatalf("%s after %s: %s, want %s", spec, after, got.In(s.zone), want.In(s.zone))
		}
	}
}

func TestScheduleInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		interval, calendar := scheduleOf(t, "90s"), scheduleOf(t, "0 */6 * * *")
		for _, s := range []Schedule{interval, calendar} {
			for range 3 {
				next := s.Next(time.Now(), 1003)
				time.Sleep(time.Until(next))
				if now := time.Now(); !now.Equal(next) {
					t.Errorf("%s: woke at %s, want %s", s, now, next)
				}
			}
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, spec := range []string{
		"", "5m", "@every 1h30m", "@daily", "@reboot", "*/5 * * * *", "0 0 31 2 *", "TZ=0", "CRON_TZ=UTC", "CRON_TZ=Europe/Berlin 30 2 * 3 sun",
		"TZ= @daily", "CRON_TZ=UTC\t@hourly", "*-5 , ,, * *", "@every -1h", "@every 0.5s", "0 0 1-31/99999999999 * *", "1 2 3 4 5 6",
	} {
		f.Add(spec, int64(1_800_000_000), uint64(1003))
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64, phase uint64) {
		s, err := ParseSchedule(spec)
		if err != nil {
			return
		}
		const year2200 = 230 * 365 * 24 * 3600
		after := time.Unix(unix%year2200, 0)
		next := s.Next(after, phase)
		if !next.After(after) {
			t.Fatalf("%q after %s: %s", spec, after, next)
		}
		again, err := ParseSchedule(s.String())
		if err != nil || !again.Next(after, phase).Equal(next) {
			t.Fatalf("%q is printed as %q: %v", spec, s, err)
		}
	})
}
