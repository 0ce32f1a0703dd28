package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
)

func newCallbacks() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "callbacks",
		Short: "See and steer the callbacks",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(newCallbacksList(), newCallbacksTest(),
		newCallbackCommand("pause", "Stop delivering to a callback until it is resumed",
			"Events go on being detected and wait. Running POSTs finish.", "paused", control.Service.PauseCallback),
		newCallbackCommand("resume", "Deliver to a callback again",
			"What is due is delivered at once, and what was refused before when its next\nattempt comes. It also ends the pause that an answer of 410 began.", "resumed", control.Service.ResumeCallback),
	)
	return cmd
}

func newCallbacksList() *cobra.Command {
	var q inquiry
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the callbacks and what waits for them",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				callbacks, err := s.Callbacks(ctx)
				if err != nil {
					return err
				}
				if q.output.json() {
					return p.JSON(callbacks)
				}
				return printCallbacks(p, callbacks, time.Now())
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	return cmd
}

func printCallbacks(p *print.Printer, callbacks []control.Callback, now time.Time) error {
	if len(callbacks) == 0 {
		return p.Line(print.Plain, "no callbacks are configured")
	}
	rows := make([][]print.Cell, 0, len(callbacks))
	for i := range callbacks {
		c := &callbacks[i]
		rows = append(rows, []print.Cell{
			print.Text("%s", c.Name), print.Text("%s", c.Host), callbackState(c), print.Text("%d", c.Pending),
			print.Text("%s", at(c.OldestPending, now)), deadCell(c.Dead), print.Text("%s", at(c.LastAccepted, now)), print.Text("%s", lastError(c, now)),
		})
	}
	return p.Table([]string{"CALLBACK", "HOST", "STATE", "PENDING", "OLDEST", "DEAD", "ACCEPTED", "LAST ERROR"}, rows)
}

func callbackState(c *control.Callback) print.Cell {
	switch {
	case c.Orphaned && c.Paused != "":
		return print.Cell{Text: "orphaned, paused", Color: print.Bad}
	case c.Orphaned:
		return print.Cell{Text: "orphaned", Color: print.Bad}
	case c.Paused == control.PausedGone:
		return print.Cell{Text: "paused: 410", Color: print.Bad}
	case c.Paused != "":
		return print.Cell{Text: "paused: " + string(c.Paused), Color: print.Warn}
	case c.Open:
		return print.Cell{Text: "open", Color: print.Bad}
	case c.IsFailing():
		return print.Cell{Text: "failing", Color: print.Bad}
	}
	return print.Cell{Text: "ok", Color: print.Good}
}

func deadCell(n int) print.Cell {
	cell := print.Text("%d", n)
	if n > 0 {
		cell.Color = print.Bad
	}
	return cell
}

func lastError(c *control.Callback, now time.Time) string {
	e := c.LastError
	if e == nil {
		return "-"
	}
	return errorWord(e) + ", " + at(&e.At, now)
}

func errorWord(e *control.LastError) string {
	if e.Status == 0 {
		return e.Error
	}
	return fmt.Sprintf("%s %d", e.Error, e.Status)
}

func newCallbacksTest() *cobra.Command {
	q := inquiry{sends: true}
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "POST a test event to a callback",
		Long: `POST an event of the type test to a callback, with its headers and its
signature, and say what it answered. Nothing is stored.`,
		Args:              oneArgument("NAME"),
		ValidArgsFunction: q.complete(1, callbackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				a, err := s.TestCallback(ctx, args[0])
				if err != nil {
					return err
				}
				switch {
				case q.output.json():
					err = p.JSON(a)
				case a.Error == "":
					err = p.Line(print.Good, "%s accepted the test event: %d in %.0f ms", args[0], a.Status, a.Seconds*1000)
				default:
					err = p.Line(print.Bad, "%s did not accept the test event: %s", args[0], attemptText(&a))
					if answer := answerText(&a); err == nil && answer != "" {
						err = p.Line(print.Plain, "it answered: %s", answer)
					}
				}
				if err == nil && a.Error != "" {
					return exitError{exitFailed}
				}
				return err
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	return cmd
}

// newCallbackCommand makes a command that has one thing done to callbacks.
func newCallbackCommand(verb, short, long, done string, do func(control.Service, context.Context, string) error) *cobra.Command {
	var q inquiry
	cmd := &cobra.Command{
		Use:               verb + " NAME...",
		Short:             short,
		Long:              short + ".\n\n" + long,
		Args:              someArguments("NAME"),
		ValidArgsFunction: q.complete(mostArguments, callbackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				for _, name := range args {
					if err := do(s, ctx, name); err != nil {
						return err
					}
					if err := p.Line(print.Plain, "callback %s is %s", name, done); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	q.addFlags(cmd)
	return cmd
}
