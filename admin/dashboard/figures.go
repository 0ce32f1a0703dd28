package dashboard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A counting says what figures are about.
type counting struct {
	// Each is how long the period of a row is.
	Each time.Duration
	// Since is when counting began, where that is less than 24 hours ago.
	Since *moment
}

func countingOf(h *control.History) counting {
	c := counting{Each: each(h)}
	if len(h.Periods) > 0 && !isKnown(h, &h.Periods[0]) {
		c.Since = at(h.Since)
	}
	return c
}

// Counting is for templates that show nothing else.
func (c counting) Counting() counting { return c }

// Span says after a word which time a figure is about, and When says it at more length.
func (c counting) Span() string {
	if c.Since == nil {
		return "in 24 h"
	}
	return "since " + c.Since.Clock
}

// When says it in a sentence.
func (c counting) When() string {
	if c.Since == nil {
		return "in the last 24 hours"
	}
	return c.Span()
}

// A total is the last 24 hours of all stores and callbacks.
type total struct {
	counting

	Rows             []totalRow
	Events           int
	Accepted, Failed int
}

// Attempts counts those accepted and those that failed.
func (t *total) Attempts() int { return t.Accepted + t.Failed }

type totalRow struct {
	From time.Time
	// Known tells that somebody counted in that period.
	Known                     bool
	Created, Updated, Deleted int
	Accepted, Failed          int
}

// A day is the last 24 hours of a callback.
type day struct {
	counting

	Callback         string
	Rows             []dayRow
	Accepted, Failed int
	// Latest are the figures of the last period in which an attempt was accepted; nil:
	// there is none.
	Latest *control.AttemptFigures
}

// Attempts counts those accepted and those that failed.
func (d *day) Attempts() int { return d.Accepted + d.Failed }

type dayRow struct {
	From  time.Time
	Known bool
	control.AttemptFigures
}

// Rate is the share of the attempts that were accepted, in percent.
func (r dayRow) Rate() float64 { return 100 * float64(r.Accepted) / float64(r.Attempts()) }

// Attempts counts those accepted and those that failed.
func (r dayRow) Attempts() int { return r.Accepted + r.Failed }

// history returns the figures of the last 24 hours; nil: nobody counts.
func (d *dashboard) history(ctx context.Context) (*control.History, error) {
	historian, counts := d.service.(control.Historian)
	if !counts {
		return nil, nil //nolint:nilnil // as the comment says
	}
	h, err := historian.History(ctx)
	if err != nil {
		return nil, err
	}
	if extra := len(h.Periods) - control.MaxPeriods; extra > 0 {
		h.Periods = h.Periods[extra:]
	}
	return &h, nil
}

func each(h *control.History) time.Duration { return time.Duration(h.Seconds) * time.Second }

func isKnown(h *control.History, p *control.Period) bool {
	return p.From.Add(each(h)).After(h.Since)
}

func totalOf(h *control.History) *total {
	if h == nil {
		return nil
	}
	t := total{counting: countingOf(h)}
	for i := range h.Periods {
		p := &h.Periods[i]
		row := totalRow{
			From: p.From, Known: isKnown(h, p),
			Created: p.Events[event.OrderCreated], Updated: p.Events[event.OrderUpdated], Deleted: p.Events[event.OrderDeleted],
		}
		for _, f := range p.Attempts {
			row.Accepted += f.Accepted
			row.Failed += f.Failed
		}
		t.Events += row.Created + row.Updated + row.Deleted
		t.Accepted += row.Accepted
		t.Failed += row.Failed
		t.Rows = append(t.Rows, row)
	}
	return &t
}

func dayOf(h *control.History, callback string) *day {
	if h == nil {
		return nil
	}
	d := day{counting: countingOf(h), Callback: callback}
	for i := range h.Periods {
		p := &h.Periods[i]
		f := p.Attempts[callback]
		d.Rows = append(d.Rows, dayRow{p.From, isKnown(h, p), f})
		d.Accepted += f.Accepted
		d.Failed += f.Failed
		if f.Accepted > 0 {
			d.Latest = &f
		}
	}
	return &d
}

// A spark is a small chart of the last 24 hours: a line in a box of sparkWidth by
// sparkHeight, and what it says in words.
type spark struct {
	Path  string // of SVG; empty: there is nothing to draw
	Words string
}

const (
	sparkWidth, sparkHeight = 96, 22
	// sparkPoints is how many points a line has at most: as many periods as that takes
	// are drawn as one.
	sparkPoints = 48
)

// A mark is one point of a spark.
type mark struct {
	from             time.Time
	accepted, failed int
	slowest          float64
}

func (d *day) marks() []mark {
	each := max(1, (len(d.Rows)+sparkPoints-1)/sparkPoints)
	var marks []mark
	for rows := range slices.Chunk(d.Rows, each) {
		m := mark{from: rows[0].From}
		for _, row := range rows {
			m.accepted += row.Accepted
			m.failed += row.Failed
			m.slowest = max(m.slowest, row.P95)
		}
		marks = append(marks, m)
	}
	return marks
}

// Rates draws which share of the attempts was accepted.
func (d *day) Rates() spark {
	marks := d.marks()
	worst, least := -1, 1.0
	path := sparkPath(marks, func(i int) (float64, bool) {
		m := marks[i]
		if m.accepted+m.failed == 0 {
			return 0, false
		}
		rate := float64(m.accepted) / float64(m.accepted+m.failed)
		if worst < 0 || rate < least {
			worst, least = i, rate
		}
		return rate, true
	})
	if worst < 0 {
		return spark{}
	}
	m := marks[worst]
	return spark{path, fmt.Sprintf("Accepted %s: %s; the least %s, at %s",
		d.When(), percent(d.Accepted, d.Attempts()), percent(m.accepted, m.accepted+m.failed), clockOf(m.from))}
}

// Times draws within what time 95 % of the accepted attempts ended.
func (d *day) Times() spark {
	marks := d.marks()
	slowest := 0
	for i := range marks {
		if marks[i].slowest > marks[slowest].slowest {
			slowest = i
		}
	}
	if d.Latest == nil {
		return spark{}
	}
	most := marks[slowest].slowest
	path := sparkPath(marks, func(i int) (float64, bool) {
		if marks[i].accepted == 0 {
			return 0, false
		}
		return marks[i].slowest / max(most, 1e-9), true
	})
	return spark{path, fmt.Sprintf("95 %% of the accepted attempts took lately at most %s; %s at most %s, at %s",
		seconds(d.Latest.P95), d.When(), seconds(most), clockOf(marks[slowest].from))}
}

func clockOf(t time.Time) string { return clock(t, time.Now()) }

// sparkPath draws values from 0 to 1, one for each mark. Where there is none the line
// is broken.
func sparkPath(marks []mark, value func(int) (float64, bool)) string {
	var path strings.Builder
	drawing := false
	for i := range marks {
		v, known := value(i)
		if !known {
			drawing = false
			continue
		}
		x := 1 + float64(i)*(sparkWidth-2)/float64(max(1, len(marks)-1))
		y := 1 + (1-v)*(sparkHeight-2)
		if drawing {
			fmt.Fprintf(&path, "L%.1f %.1f", x, y)
		} else {
			fmt.Fprintf(&path, "M%.1f %.1fh0", x, y) // a dot, where nothing follows
		}
		drawing = true
	}
	return path.String()
}
