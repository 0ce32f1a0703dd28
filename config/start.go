package config

import (
	"errors"
	"time"
)

// The words of Start.Mode.
const (
	StartSnapshot = "snapshot" // learn what exists in silence
	StartNow      = "now"      // learn nothing
	StartReplay   = "replay"   // an event for all that exists
	StartDate     = "date"     // an event for what was updated since Start.Time
)

// A Start says what the first poll of a store makes of what exists already.
type Start struct {
	Mode string
	// Time is zero unless Mode is StartDate.
	Time time.Time
}

// String returns the start as the file gives it.
func (s Start) String() string {
	if s.Mode == StartDate {
		return s.Time.Format(time.RFC3339Nano)
	}
	return s.Mode
}

// oldestStart is before the first Ecwid store. An older date is a slip.
var oldestStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// parse sets the start. A date without a time means its midnight in UTC.
func (s *Start) parse(text string) error {
	switch text {
	case StartSnapshot, StartNow, StartReplay:
		*s = Start{Mode: text}
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	switch {
	case err != nil:
		return errors.New("must be snapshot, now, replay, or a date such as 2026-01-31 or 2026-01-31T09:00:00Z")
	case t.After(time.Now()):
		return errors.New("lies in the future: write a date that has passed, or now")
	case t.Before(oldestStart):
		return errors.New("lies before the year 2000: write replay to get an event for all that exists")
	}
	*s = Start{Mode: StartDate, Time: t.UTC()}
	return nil
}
