package ecwidtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameters reads a query string; the first fault in it sticks.
type parameters struct {
	values    url.Values
	exclusive bool
	bad       *answer
}

func (p *parameters) fail(format string, args ...any) {
	if p.bad == nil {
		a := textAnswer(http.StatusBadRequest, format, args...)
		p.bad = &a
	}
}

// number reads a whole number of at least least; those above most are cut to it.
func (p *parameters) number(name string, fallback, least, most int) int {
	if !p.values.Has(name) {
		return fallback
	}
	n, err := strconv.Atoi(p.values.Get(name))
	if err != nil || n < least {
		p.fail("Wrong numeric parameter '%s' value: not a number or a number out of range", name)
	}
	return min(n, most)
}

// list reads a comma list; nil when the parameter is not there.
func (p *parameters) list(name string) []string {
	if !p.values.Has(name) {
		return nil
	}
	return strings.Split(p.values.Get(name), ",")
}

// oneOf reads a comma list of known words.
func (p *parameters) oneOf(name string, known []string) []string {
	list := p.list(name)
	for _, word := range list {
		if !slices.Contains(known, word) {
			p.fail("Wrong parameter '%s' value: %s", name, word)
		}
	}
	return list
}

// span reads two dates in any of Ecwid's four forms.
func (p *parameters) span(from, to string) span {
	s := always
	if p.values.Has(from) {
		s.from = p.date(from)
		if p.exclusive {
			s.from++
		}
	}
	if p.values.Has(to) {
		s.to = p.date(to)
		if p.exclusive {
			s.to--
		}
	}
	return s
}

func (p *parameters) date(name string) int64 {
	unix, err := parseDate(p.values.Get(name))
	if err != nil {
		p.fail("Wrong date parameter '%s' value: %v", name, err)
	}
	return unix
}

// parseDate reads UNIX seconds, a date with time and offset, one without offset,
// or a day; the latter two are UTC.
func parseDate(s string) (int64, error) {
	if unix, err := strconv.ParseInt(s, 10, 64); err == nil {
		return unix, nil
	}
	for _, layout := range []string{stampLayout, legacyLayout, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, fmt.Errorf("%q is no date", s)
}

// days reads two days of New York's calendar; exclusive leaves out the last one
// and the first second of the first one.
func (p *parameters) days(from, to string) span {
	s := always
	if p.values.Has(from) {
		s.from = p.midnight(from, 0)
		if p.exclusive {
			s.from++
		}
	}
	if p.values.Has(to) {
		s.to = p.midnight(to, 1) - 1
		if p.exclusive {
			s.to = p.midnight(to, 0) - 1
		}
	}
	return s
}

func (p *parameters) midnight(name string, plusDays int) int64 {
	day, err := time.Parse(time.DateOnly, p.values.Get(name))
	if err != nil {
		p.fail("Wrong date parameter '%s' value: not a date", name)
		return 0
	}
	local := day.AddDate(0, 0, plusDays).Unix()
	return local - newYorkOffset(local+5*60*60)
}
