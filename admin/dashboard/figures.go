package dashboard

import (
	"context"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A total is the last 24 hours of all stores and callbacks.
type total struct {
	Rows []totalRow
	// Each is how long the period of a row is.
	Each             time.Duration
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
	Callback         string
	Rows             []dayRow
	Each             time.Duration
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
	t := total{Each: each(h)}
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
	d := day{Callback: callback, Each: each(h)}
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
