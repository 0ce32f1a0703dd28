package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
)

func newReplay() *cobra.Command {
	var q inquiry
	var r control.Replay
	var span selection
	cmd := &cobra.Command{
		Use:   "replay [EVENT]",
		Short: "Deliver an event, a range of time, or what is dead, once more",
		Long: `Deliver again: one event, all events that were detected in a range of time, or
all dead deliveries. Each goes out with the same id and the same body as before,
to the callbacks that it had been sent to, or to the one that --callback names,
which also gets what was never sent to it. They take turns with new events; a
replay that fails holds up none.`,
		Example: `  ecwid-events replay evt_4f0c…
  ecwid-events replay --dead
  ecwid-events replay --from 2026-11-23 --to 2026-11-24T12:00:00Z --callback crm`,
		Args:              atMostOneArgument("EVENT"),
		ValidArgsFunction: q.complete(1, eventIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.EventID = args[0]
			}
			if err := setRange(&r, &span, time.Now()); err != nil {
				return err
			}
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				if r.EventID != "" {
					details, err := findEvent(ctx, s, r.EventID)
					if err != nil {
						return err
					}
					r.EventID = details.Event.ID
				}
				replayed, err := s.Replay(ctx, r)
				if err != nil {
					return err
				}
				if q.output.json() {
					return p.JSON(replayed)
				}
				if replayed.Deliveries == 0 {
					return p.Line(print.Plain, "nothing to send again: %s", whyNothing(&r))
				}
				return p.Line(print.Plain, "%s will be sent again", deliveries(replayed.Deliveries))
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	span.addRangeFlags(cmd)
	cmd.Flags().BoolVar(&r.Dead, "dead", false, "the dead deliveries")
	cmd.Flags().StringVar(&r.Callback, "callback", "", "to this callback only")
	cmd.Flags().Int64Var(&r.StoreID, "store", 0, "of this store only")
	q.completeFlag(cmd, "callback", callbackNames)
	q.completeFlag(cmd, "store", storeIDs)
	return cmd
}

// whyNothing says what came of a replay of no delivery.
func whyNothing(r *control.Replay) string {
	switch {
	case r.EventID != "":
		return "the event is pending already, and is sent without a replay"
	case r.Dead:
		return "nothing is dead"
	default:
		return "nothing was detected in that time, or it is pending already"
	}
}

func setRange(r *control.Replay, span *selection, now time.Time) error {
	query, err := span.query(now)
	if err != nil {
		return err
	}
	if !query.From.IsZero() {
		r.From = &query.From
	}
	if !query.To.IsZero() {
		r.To = &query.To
	}
	if r.EventID == "" && !r.Dead && r.From == nil {
		return usageError{errors.New("say what to replay: an event, --dead, or --from")}
	}
	return nil
}
