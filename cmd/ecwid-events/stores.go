package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
)

func newStores() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stores",
		Short: "See and steer the stores",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(newStoresList(),
		newStoreCommand("poll", "Poll a store now", "Does not wait for the poll. Needs a running daemon.",
			"will be polled", control.Service.PollStore),
		newStoreCommand("reconcile", "Compare a whole store with what is known of it", "Does not wait for it. Needs a running daemon.",
			"will be compared in full", control.Service.ReconcileStore),
		newStoreCommand("pause", "Stop polling a store until it is resumed", "What has been detected is still delivered. A running poll finishes.",
			"is paused", control.Service.PauseStore),
		newStoreCommand("resume", "Poll a store again", "Polls it at once. It also tries a store again that Ecwid refuses.",
			"is resumed", control.Service.ResumeStore),
	)
	return cmd
}

func newStoresList() *cobra.Command {
	var q inquiry
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the stores and how polling them goes",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				stores, err := s.Stores(ctx)
				if err != nil {
					return err
				}
				if q.output.json() {
					return p.JSON(stores)
				}
				return printStores(p, stores, time.Now())
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	return cmd
}

func printStores(p *print.Printer, stores []control.Store, now time.Time) error {
	if len(stores) == 0 {
		return p.Line(print.Plain, "no stores are configured")
	}
	rows := make([][]print.Cell, 0, len(stores))
	for i := range stores {
		s := &stores[i]
		var polled *time.Time
		if s.LastPoll != nil {
			polled = &s.LastPoll.At
		}
		rows = append(rows, []print.Cell{
			print.Text("%d", s.ID), print.Text("%s", s.Name), storeState(s), print.Text("%s", at(polled, now)), print.Text("%s", at(s.NextPoll, now)),
			print.Text("%d", s.Events), print.Text("%s", at(s.ReconciledAt, now)), print.Text("%s", storeTrouble(s)),
		})
	}
	return p.Table([]string{"STORE", "NAME", "STATE", "POLLED", "NEXT", "EVENTS", "RECONCILED", "TROUBLE"}, rows)
}

func storeState(s *control.Store) print.Cell {
	switch {
	case s.Paused != "":
		return print.Cell{Text: "paused: " + string(s.Paused), Color: print.Warn}
	case s.Suspended != "":
		return print.Cell{Text: "suspended", Color: print.Bad}
	case s.Overdue:
		return print.Cell{Text: "overdue", Color: print.Bad}
	case s.LastPoll != nil && s.LastPoll.Error != "":
		return print.Cell{Text: strings.ReplaceAll(s.LastPoll.Result, "_", " "), Color: print.Bad}
	case s.Snapshot != nil && !s.Snapshot.Done:
		return print.Cell{Text: learning(s.Snapshot), Color: print.Warn}
	case s.LastPoll == nil:
		return print.Cell{Text: "-"}
	}
	return print.Cell{Text: "ok", Color: print.Good}
}

func learning(s *control.Snapshot) string {
	if s.Total == 0 {
		return fmt.Sprintf("snapshot: %d", s.Orders)
	}
	return fmt.Sprintf("snapshot: %d of %d", s.Orders, s.Total)
}

func storeTrouble(s *control.Store) string {
	if s.Suspended != "" {
		return s.Suspended
	}
	if s.LastPoll != nil {
		return s.LastPoll.Error
	}
	return ""
}

// newStoreCommand makes a command that has one thing done to stores.
func newStoreCommand(verb, short, long, done string, do func(control.Service, context.Context, int64) error) *cobra.Command {
	var q inquiry
	cmd := &cobra.Command{
		Use:               verb + " STORE...",
		Short:             short,
		Long:              short + ".\n\n" + long,
		Args:              someArguments("STORE"),
		ValidArgsFunction: q.complete(mostArguments, storeIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]int64, len(args))
			for i, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil {
					return usageError{fmt.Errorf("%q is no store id: it is a number", arg)}
				}
				ids[i] = id
			}
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				for _, id := range ids {
					if err := do(s, ctx, id); err != nil {
						return err
					}
					if err := p.Line(print.Plain, "store %d %s", id, done); err != nil {
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
