package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
)

func newStatus() *cobra.Command {
	var q inquiry
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show in one look how everything is",
		Long: `Show whether the daemon runs, how polling and delivering go, and what needs a
person's attention, with the command that helps.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				status, err := s.Status(ctx)
				if err != nil {
					return err
				}
				if q.json() {
					return p.JSON(status)
				}
				return printStatus(p, &status, time.Now())
			})
		},
	}
	q.addFlags(cmd)
	q.addOutputFlag(cmd)
	return cmd
}

func printStatus(p *print.Printer, s *control.Status, now time.Time) error {
	if s.Running {
		_ = p.Line(print.Good, "running since %s, version %s", at(s.StartedAt, now), s.Version)
	} else {
		_ = p.Line(print.Warn, "no daemon runs on this storage; this is what is stored")
	}
	_ = p.Line(print.Plain, "stores: %s", storeSummary(s.Stores))
	_ = p.Line(print.Plain, "")
	if err := printCallbacks(p, s.Callbacks, now); err != nil {
		return err
	}
	_ = p.Line(print.Plain, "")
	if len(s.Attention) == 0 {
		return p.Line(print.Good, "nothing needs attention")
	}
	for i, a := range s.Attention {
		if i == mostTroubles {
			return p.Line(print.Bad, "! and %d more: --output json shows them", len(s.Attention)-i)
		}
		_ = p.Line(print.Bad, "! %s", a.What)
		_ = p.Line(print.Plain, "    %s", a.Do)
	}
	return nil
}

// mostTroubles is how many troubles fit a screen.
const mostTroubles = 6

func storeSummary(c control.StoreCounts) string {
	words := []string{fmt.Sprint(c.Total)}
	for _, part := range []struct {
		n    int
		what string
	}{{c.Learning, "taking in their first snapshot"}, {c.Failing, "failing"}, {c.Suspended, "refused by Ecwid"}, {c.Paused, "paused"}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return strings.Join(words, ", ")
}

// at tells a time by how long ago or ahead it is, which is what matters to a person
// who looks.
func at(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	if ago := now.Sub(*t); ago >= 0 {
		return duration(ago) + " ago"
	}
	return "in " + duration(t.Sub(now))
}

// duration is d in its largest unit, or two of them.
func duration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
