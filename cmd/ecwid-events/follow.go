package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
)

// followAgain is how long to wait before a daemon is asked again that does not answer.
const followAgain = time.Second

func newEventsFollow() *cobra.Command {
	var q inquiry
	var s selection
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Print events as they are detected, until stopped",
		Long: `Print each event as soon as it is detected, until stopped by a signal. Needs a
running daemon; when that restarts, it goes on where it was. With -o json, one
event a line.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := s.query(time.Now())
			if err != nil {
				return err
			}
			return q.ask(cmd, func(ctx context.Context, service control.Service, p *print.Printer) error {
				if query.After, err = placeToFollow(ctx, service, query.StoreID); err != nil {
					return err
				}
				query.Wait = control.MaxWait / 2
				f := follower{service: service, print: p, asJSON: q.output.json(), notes: cmd.ErrOrStderr()}
				return f.follow(ctx, query)
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	s.addFlags(cmd, &q)
	return cmd
}

// placeToFollow is where the feed of a running daemon ends now.
func placeToFollow(ctx context.Context, service control.Service, storeID int64) (uint64, error) {
	status, err := service.Status(ctx)
	if err != nil {
		return 0, err
	}
	if !status.Running {
		return 0, errors.New("no daemon runs on this storage, so nothing will be detected: start ecwid-events run")
	}
	page, err := service.Events(ctx, control.EventQuery{StoreID: storeID, Newest: true, Limit: 1})
	return page.Next, err
}

// A follower prints events as they come.
type follower struct {
	service control.Service
	print   *print.Printer
	asJSON  bool
	notes   io.Writer // is told when the daemon is away, and back
}

// follow prints what is behind the query's place until ctx ends. A daemon that is away
// for a while is waited for: its storage goes on with the same places.
func (f *follower) follow(ctx context.Context, q control.EventQuery) error {
	away := false
	for {
		page, err := f.service.Events(ctx, q)
		switch {
		case ctx.Err() != nil:
			return nil // stopped, as was meant
		case errors.Is(err, client.ErrUnreachable):
			if !away {
				_, _ = fmt.Fprintf(f.notes, "ecwid-events: %s; waiting for it\n", err)
			}
			away = true
			select {
			case <-ctx.Done():
			case <-time.After(followAgain):
			}
			continue
		case err != nil:
			return err
		case away:
			_, _ = fmt.Fprintln(f.notes, "ecwid-events: the daemon answers again")
			away = false
		}
		q.After = page.Next
		for i := range page.Events {
			if err := printFollowed(f.print, &page.Events[i], f.asJSON); err != nil {
				return err
			}
		}
	}
}

func printFollowed(p *print.Printer, e *control.Event, asJSON bool) error {
	if asJSON {
		return p.JSONLine(e)
	}
	line := fmt.Sprintf("%s  %d  %-13s  %s", e.Data.DetectedAt.Format(time.DateTime), e.Data.Store.ID, e.Type, e.Data.ObjectID)
	if changes := changesText(e); changes != "" {
		line += "  " + changes
	}
	return p.Line(print.Plain, "%s", line)
}
