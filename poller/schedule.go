package poller

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones, for machines and containers that have none

	"github.com/robfig/cron/v3"
)

// The shortest and the longest interval of a schedule.
const (
	minInterval = time.Second
	maxInterval = 366 * 24 * time.Hour
)

// A Schedule says when something is due. It is immutable and may be used
// concurrently. The zero Schedule is never due.
type Schedule struct {
	spec string
	// interval is set for what recurs in a fixed interval, calendar and zone for
	// what follows a cron expression.
	interval time.Duration
	calendar *cron.SpecSchedule
	zone     *time.Location
}

// ParseSchedule understands
//
//   - an interval: a duration such as 5m, or @every 5m; whole seconds, from one
//     second to 366 days;
//   - a cron expression of five fields (minute, hour, day of the month, month, day of
//     the week), or @hourly, @daily, @midnight, @weekly, @monthly, @yearly or
//     @annually.
//
// A cron expression is read in UTC, whatever the machine's zone, unless a zone of
// the IANA database goes before it: CRON_TZ=Europe/Berlin 30 4 * * *. A schedule
// that would never be due is refused.
func ParseSchedule(spec string) (Schedule, error) {
	s, err := parseSchedule(strings.TrimSpace(spec))
	if err != nil {
		return Schedule{}, fmt.Errorf(`schedule %q: %w; good ones are "5m" and "*/10 8-18 * * 1-5"`, spec, err)
	}
	return s, nil
}

func parseSchedule(spec string) (Schedule, error) {
	zone, expression, err := cutZone(spec)
	if err != nil {
		return Schedule{}, err
	}
	fields := strings.Fields(expression)
	switch {
	case len(fields) == 0:
		return Schedule{}, errors.New("is empty")
	case fields[0] == "@every", len(fields) == 1 && fields[0][0] != '@':
		if zone != "" {
			return Schedule{}, errors.New("an interval has no time zone: leave the zone out")
		}
		interval, err := parseInterval(strings.TrimPrefix(expression, "@every"))
		return Schedule{spec: spec, interval: interval}, err
	}
	s, err := parseCalendar(zone, fields)
	s.spec = spec
	return s, err
}

// cutZone splits the time zone off a cron expression.
func cutZone(spec string) (zone, expression string, err error) {
	rest, found := strings.CutPrefix(spec, "CRON_TZ=")
	if !found {
		rest, found = strings.CutPrefix(spec, "TZ=")
	}
	if !found {
		return "", spec, nil
	}
	end := strings.IndexAny(rest, " \t")
	if end < 0 {
		return "", "", errors.New("has a time zone only: put a cron expression behind it")
	}
	zone = rest[:end]
	// The name Local would make the schedule depend on the machine.
	if zone == "" || zone == "Local" {
		return "", "", errors.New("does not name its time zone: write it like CRON_TZ=Europe/Berlin")
	}
	return zone, rest[end:], nil
}

func parseInterval(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	interval, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is neither a duration, such as 90s, 5m or 1h30m, nor a cron expression", text)
	case interval < minInterval:
		return 0, errors.New("the interval is shorter than one second")
	case interval > maxInterval:
		return 0, errors.New("the interval is longer than 366 days")
	case interval%time.Second != 0:
		return 0, errors.New("the interval is not a whole number of seconds")
	}
	return interval, nil
}

// cronField is the grammar of a field. The cron library lets more pass and ignores
// what it cannot use: it takes *-5 for *, and nothing between commas for no value.
var cronField = regexp.MustCompile(`^` + cronRange + `(,` + cronRange + `)*$`)

const cronRange = `([*?]|[0-9]+(-[0-9]+)?|[A-Za-z]+(-[A-Za-z]+)?)(/[0-9]+)?`

func parseCalendar(zone string, fields []string) (Schedule, error) {
	if err := checkCron(fields); err != nil {
		return Schedule{}, err
	}
	if zone == "" {
		zone = "UTC"
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Schedule{}, fmt.Errorf("time zone: %w", err)
	}
	calendar, err := parseCron("CRON_TZ=UTC " + strings.Join(fields, " "))
	if err != nil {
		return Schedule{}, err
	}
	s := Schedule{calendar: calendar, zone: location}
	if s.nextInCalendar(time.Unix(0, 0)).IsZero() {
		return Schedule{}, errors.New("is never due: no such date exists")
	}
	return s, nil
}

// cronNames are the names that stand for a whole cron expression.
var cronNames = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}

func checkCron(fields []string) error {
	switch {
	case len(fields) == 1 && slices.Contains(cronNames, fields[0]):
		return nil
	case fields[0][0] == '@':
		return fmt.Errorf("is none of @every and a duration, %s", strings.Join(cronNames, ", "))
	case len(fields) == 6:
		return errors.New("has six fields: leave out the first if it is for seconds, the last if it is for years")
	case len(fields) != 5:
		return fmt.Errorf("has %d fields where a cron expression has five", len(fields))
	}
	for _, field := range fields {
		if !cronField.MatchString(field) {
			return fmt.Errorf("%q is no field of a cron expression", field)
		}
	}
	return nil
}

// parseCron has the library read what checkCron has found good. The library panics
// on some bad input: should any get through to it, that is an error as well.
func parseCron(spec string) (calendar *cron.SpecSchedule, err error) {
	defer func() {
		if recover() != nil {
			calendar, err = nil, errors.New("is not a cron expression")
		}
	}()
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return nil, err
	}
	calendar, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("is not a cron expression")
	}
	return calendar, nil
}

// String returns the schedule as it was written.
func (s Schedule) String() string { return s.spec }

// Next returns the first time at which the schedule is due that is later than
// after, in UTC; never the zero time, unless the schedule is the zero Schedule.
//
// An interval is due at the multiples of its length since 1970, moved by a part of
// it that is drawn from phase: schedules with different phases spread, and a
// restart moves none. A cron expression is due whenever the clock of its zone comes
// to show such a time, and has no phase. So when that clock is put forward, a time
// that it skips is left out that day; when it is put back, a time that it shows
// twice is due twice.
func (s Schedule) Next(after time.Time, phase uint64) time.Time {
	switch {
	case s.interval > 0:
		return s.nextInInterval(after, phase)
	case s.calendar != nil:
		return s.nextInCalendar(after)
	default:
		return time.Time{}
	}
}

func (s Schedule) nextInInterval(after time.Time, phase uint64) time.Time {
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, phase))
	seconds := int64(s.interval / time.Second)
	shift := time.Duration(fraction(hash[:4], seconds))*time.Second +
		time.Duration(fraction(hash[4:8], int64(time.Second)))
	now := after.Add(-shift).Unix()
	elapsed := (now%seconds + seconds) % seconds
	return time.Unix(now-elapsed+seconds, 0).Add(shift).UTC()
}

// fraction returns a number from 0 to below limit, in proportion to 32 bits.
func fraction(bits []byte, limit int64) int64 {
	return int64(binary.BigEndian.Uint32(bits)) * limit >> 32
}

// nextInCalendar returns the zero time when the schedule is not due within
// searchYears.
//
// The cron library goes astray where a zone's clock changes: around a midnight that
// does not exist it passes over whole days. It is therefore asked about one
// stretch of constant offset after another.
func (s Schedule) nextInCalendar(after time.Time) time.Time {
	// February 29 is the rarest date: eight years apart around 2100. Should the
	// clock skip the time on one, the next is at most another eight away.
	const searchYears = 20
	limit := after.AddDate(searchYears, 0, 0)
	for start := after; start.Before(limit); {
		offset, end := s.stretch(start)
		calendar := *s.calendar
		calendar.Location = time.FixedZone("", offset)
		if next := calendar.Next(start); !next.IsZero() && next.Before(end) {
			return next.UTC()
		}
		start = end.Add(-time.Nanosecond)
	}
	return time.Time{}
}

// stretch returns the offset of the zone's clock right after a time, in seconds,
// and until when it stays so; sooner where that is years away.
func (s Schedule) stretch(start time.Time) (offset int, end time.Time) {
	const maxYears = 4 // the library looks five years ahead
	local := start.Add(time.Nanosecond).In(s.zone)
	_, offset = local.Zone()
	_, end = local.ZoneBounds()
	most := start.AddDate(maxYears, 0, 0)
	switch {
	case end.IsZero() || end.After(most):
		return offset, most
	case !end.After(local):
		// Go 1.26 ends the stretch too early on the last day of a leap year for
		// which its zone data has rules only, from 2040 on.
		return offset, local.Add(time.Hour)
	}
	return offset, end
}
