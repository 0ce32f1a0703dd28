package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

func newDeliveries() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "See what is pending or dead, and settle what old callbacks left",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(newDeliveriesList(), newDeliveriesMove(), newDeliveriesDrop())
	return cmd
}

func newDeliveriesList() *cobra.Command {
	var q inquiry
	var callback, state string
	var store int64
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries of one state, the oldest event first",
		Long: `List the deliveries of one state, the oldest event first, of one callback or of
all, with why the last attempt failed. events show tells every attempt of one.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usageError{fmt.Errorf("--limit must be at least 1, not %d", limit)}
			}
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				found, err := deliveriesOf(ctx, s, control.DeliveryQuery{Callback: callback, State: event.DeliveryState(state), StoreID: store}, limit)
				if err != nil {
					return err
				}
				if q.output.json() {
					return p.JSON(found)
				}
				if len(found) == 0 {
					return p.Line(print.Plain, "no %s deliveries", state)
				}
				return printDeliveries(p, found, p.Width(), time.Now())
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	cmd.Flags().StringVar(&state, "state", string(event.Dead), "pending, delivered or dead")
	cmd.Flags().StringVar(&callback, "callback", "", "only this callback's")
	cmd.Flags().Int64Var(&store, "store", 0, "only this store's")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most, for each callback")
	states := []string{string(event.Pending), string(event.Delivered), string(event.Dead)}
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	q.completeFlag(cmd, "callback", callbackNames)
	q.completeFlag(cmd, "store", storeIDs)
	return cmd
}

// deliveriesOf asks page by page, for each callback when none is named.
func deliveriesOf(ctx context.Context, s control.Service, q control.DeliveryQuery, limit int) ([]control.Delivery, error) {
	names := []string{q.Callback}
	if q.Callback == "" {
		callbacks, err := s.Callbacks(ctx)
		if err != nil {
			return nil, err
		}
		names = names[:0]
		for i := range callbacks {
			names = append(names, callbacks[i].Name)
		}
	}
	found := []control.Delivery{}
	for _, name := range names {
		q.Callback, q.After = name, 0
		for more, left := true, limit; more && left > 0; {
			q.Limit = min(left, control.MaxLimit)
			page, err := s.Deliveries(ctx, q)
			if err != nil {
				return nil, err
			}
			found = append(found, page.Deliveries...)
			q.After, more = page.Next, page.More
			left -= len(page.Deliveries)
		}
	}
	return found, nil
}

// printDeliveries shortens the ids where a terminal is too narrow for them, as printEvents
// does.
func printDeliveries(p *print.Printer, found []control.Delivery, width int, now time.Time) error {
	rows := make([][]print.Cell, 0, len(found))
	for i := range found {
		d := &found[i]
		rows = append(rows, []print.Cell{
			print.Text("%s", d.Callback), print.Text("%d", d.StoreID), print.Text("%s", d.ObjectID), stateCell(d.State),
			print.Text("%d", d.Attempts), print.Text("%s", at(d.LastAttempt, now)),
			{Text: d.EventID, Color: print.Faint},
			print.Text("%s", whyFailed(d.LastError)),
		})
	}
	headings := []string{"CALLBACK", "STORE", "OBJECT", "STATE", "ATTEMPTS", "LAST", "EVENT", "ERROR"}
	if width > 0 && print.TableWidth(headings, rows) > width {
		const id = 6
		shortenIDs(rows, id)
	}
	return p.Table(headings, rows)
}

// whyFailed comes last in a row, for a detail may be long.
func whyFailed(e *control.LastError) string {
	if e == nil {
		return ""
	}
	why := errorWord(e)
	if e.Detail != "" {
		why += ": " + e.Detail
	}
	return why
}

func stateCell(s event.DeliveryState) print.Cell {
	colors := map[event.DeliveryState]print.Color{event.Dead: print.Bad, event.Pending: print.Warn, event.Delivered: print.Good}
	return print.Cell{Text: string(s), Color: colors[s]}
}

func newDeliveriesMove() *cobra.Command {
	var q inquiry
	cmd := &cobra.Command{
		Use:   "move FROM TO",
		Short: "Give what waits for one callback to another",
		Long: `Give the pending and the dead deliveries of a callback, which need not be
configured any more, to one that is. Each keeps its body and its attempts, and
waits for those that it waited for before, whatever the ordering of the other
callback.`,
		Args:              twoArguments("FROM", "TO"),
		ValidArgsFunction: q.complete(2, callbackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				n, err := s.Move(ctx, args[0], args[1])
				if err != nil {
					return err
				}
				return p.Line(print.Plain, "%s moved from %s to %s", deliveries(n), args[0], args[1])
			})
		},
	}
	q.addFlags(cmd)
	return cmd
}

func newDeliveriesDrop() *cobra.Command {
	var q inquiry
	var state string
	var yes bool
	cmd := &cobra.Command{
		Use:   "drop CALLBACK",
		Short: "Remove what is dead, or pending, for a callback, for good",
		Long: `Remove the dead deliveries of a callback, or with --state pending those that
wait. The callback will never receive them. It asks first, unless --yes is
given.`,
		Args:              oneArgument("CALLBACK"),
		ValidArgsFunction: q.complete(1, callbackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			question := fmt.Sprintf("Remove all %s deliveries of callback %s for good?", state, args[0])
			if !yes {
				if err := confirm(cmd, question); err != nil {
					return err
				}
			}
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				n, err := s.Drop(ctx, args[0], event.DeliveryState(state))
				if err != nil {
					return err
				}
				return p.Line(print.Plain, "%s removed from %s", deliveries(n), args[0])
			})
		},
	}
	q.addFlags(cmd)
	cmd.Flags().StringVar(&state, "state", string(event.Dead), "dead or pending")
	states := []string{string(event.Dead), string(event.Pending)}
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
