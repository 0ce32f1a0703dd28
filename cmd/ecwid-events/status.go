package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

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
				if q.output.json() {
					return p.JSON(status)
				}
				return printStatus(p, &status, time.Now())
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	return cmd
}

// What a terminal shows at once, less a line for what is typed next.
const (
	screenWidth  = 80
	screenHeight = 24 - 1
	// mostCallbacks is how many callbacks there is room for, and widestName how much of
	// their names.
	mostCallbacks = 4
	widestName    = 24
)

// printStatus prints no more than a terminal shows at once, the worst first.
func printStatus(p *print.Printer, s *control.Status, now time.Time) error {
	if s.Running && s.StartedAt != nil {
		_ = p.Line(print.Good, "running for %s, version %s", duration(now.Sub(*s.StartedAt)), s.Version)
	} else {
		_ = p.Line(print.Warn, "no daemon runs on this storage; this is what is stored")
	}
	lines := 1
	for _, summary := range []string{"stores: " + storeSummary(s.Stores), "callbacks: " + callbackSummary(s.Callbacks)} {
		_ = p.Line(print.Plain, "%s", summary)
		lines += height(summary)
	}
	listed, left := callbacksToList(s.Callbacks)
	if len(listed) > 0 {
		_ = p.Line(print.Plain, "")
		if err := printCallbackStates(p, listed, now); err != nil {
			return err
		}
		lines += 2 + len(listed)
	}
	if left > 0 {
		_ = p.Line(print.Plain, "and %d more: ecwid-events callbacks list", left)
		lines++
	}
	_ = p.Line(print.Plain, "")
	return printAttention(p, s, screenHeight-lines-1)
}

// printAttention prints as many troubles as there are lines for, one at least.
func printAttention(p *print.Printer, s *control.Status, lines int) error {
	if len(s.Attention) == 0 {
		return p.Line(print.Good, "nothing needs attention")
	}
	lines-- // for how many more there are
	shown := 0
	for _, a := range s.Attention {
		what, do := "! "+a.What, "    "+a.Do
		if lines -= height(what) + height(do); lines < 0 && shown > 0 {
			break
		}
		_ = p.Line(print.Bad, "%s", what)
		_ = p.Line(print.Plain, "%s", do)
		shown++
	}
	if left := len(s.Attention) - shown + s.AttentionMore; left > 0 {
		return p.Line(print.Bad, "! and %d more: --output json shows the worst %d", left, len(s.Attention))
	}
	return nil
}

// height is how many lines of the screen a line takes.
func height(line string) int { return max(1, (utf8.RuneCountInString(line)+screenWidth-1)/screenWidth) }

// callbacksToList returns all callbacks when they are few, else those in trouble; and how
// many of those there is no room for.
func callbacksToList(all []control.Callback) (listed []control.Callback, left int) {
	listed = all
	if len(all) > mostCallbacks {
		listed = nil
		for i := range all {
			if c := &all[i]; c.Dead > 0 || c.Paused != control.PausedByConfig && callbackState(c).Color != print.Good {
				listed = append(listed, *c)
			}
		}
	}
	shown := min(len(listed), mostCallbacks)
	return listed[:shown], len(listed) - shown
}

func callbackSummary(all []control.Callback) string {
	counts := make(map[string]int)
	for i := range all {
		word, _, _ := strings.Cut(callbackState(&all[i]).Text, ":")
		counts[word]++
	}
	words := []string{fmt.Sprint(len(all))}
	for _, word := range []string{"open", "failing", "paused", "orphaned", "orphaned, paused"} {
		if n := counts[word]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, strings.ReplaceAll(word, ",", " and")))
		}
	}
	return strings.Join(words, ", ")
}

// printCallbackStates is printCallbacks for a narrow screen.
func printCallbackStates(p *print.Printer, callbacks []control.Callback, now time.Time) error {
	rows := make([][]print.Cell, 0, len(callbacks))
	for i := range callbacks {
		c := &callbacks[i]
		why := "-"
		if c.LastError != nil {
			why = errorWord(c.LastError)
		}
		rows = append(rows, []print.Cell{
			print.Text("%s", cutTo(c.Name, widestName)), callbackState(c), print.Text("%d", c.Pending), print.Text("%s", at(c.OldestPending, now)),
			deadCell(c.Dead), print.Text("%s", why),
		})
	}
	headings := []string{"CALLBACK", "STATE", "PENDING", "OLDEST", "DEAD", "LAST ERROR"}
	if over := print.TableWidth(headings, rows) - screenWidth; over > 0 {
		for i := range rows {
			rows[i][0].Text = cutTo(rows[i][0].Text, widestName-over)
		}
	}
	return p.Table(headings, rows)
}

// cutTo cuts a text that has more characters.
func cutTo(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

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
