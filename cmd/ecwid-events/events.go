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
	"github.com/ecwid-events/ecwid-events/event"
)

func newEvents() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "See what was detected",
		Args:  noArguments,
		RunE:  showHelp,
	}
	cmd.AddCommand(newEventsList(), newEventsShow(), newEventsFollow())
	return cmd
}

// A selection is what the flags of events pick.
type selection struct {
	store    int64
	typ      string
	object   string
	from, to string
}

func (s *selection) addFlags(cmd *cobra.Command, q *inquiry) {
	cmd.Flags().Int64Var(&s.store, "store", 0, "only this store's")
	cmd.Flags().StringVar(&s.typ, "type", "", "only this type: order.created, order.updated or order.deleted")
	cmd.Flags().StringVar(&s.object, "object", "", "only this order's, by its id")
	var types []string
	for _, t := range event.Types() {
		types = append(types, string(t))
	}
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(types, cobra.ShellCompDirectiveNoFileComp))
	q.completeFlag(cmd, "store", storeIDs)
	q.completeFlag(cmd, "object", objectIDs)
}

func (s *selection) addRangeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.from, "from", "", "detected at or after this time: 2026-11-23T06:00:00Z, 2026-11-23, or 2h for two hours ago")
	cmd.Flags().StringVar(&s.to, "to", "", "detected before this time")
}

func (s *selection) query(now time.Time) (control.EventQuery, error) {
	q := control.EventQuery{StoreID: s.store, Type: event.Type(s.typ), ObjectID: s.object}
	var err error
	if q.From, err = parseTime("from", s.from, now); err != nil {
		return q, err
	}
	q.To, err = parseTime("to", s.to, now)
	return q, err
}

// parseTime reads a point in time as a person writes it: in full, as a day, or as how
// long ago it was.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && !t.IsZero() {
			return t, nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, usageError{fmt.Errorf("--%s must be a time such as 2026-11-23T06:00:00Z, a day, or a duration such as 2h for two hours ago, not %q", flag, text)}
}

func newEventsList() *cobra.Command {
	var q inquiry
	var s selection
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events, the newest first",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := s.query(time.Now())
			if err != nil {
				return err
			}
			if limit < 1 {
				return usageError{fmt.Errorf("--limit must be at least 1, not %d", limit)}
			}
			query.Newest = true
			return q.ask(cmd, func(ctx context.Context, service control.Service, p *print.Printer) error {
				events, err := newestEvents(ctx, service, query, limit)
				if err != nil {
					return err
				}
				if q.output.json() {
					return p.JSON(events)
				}
				return printEvents(p, events, p.Width())
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	s.addFlags(cmd, &q)
	s.addRangeFlags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most")
	return cmd
}

// newestEvents asks page by page.
func newestEvents(ctx context.Context, service control.Service, q control.EventQuery, limit int) ([]control.Event, error) {
	events := []control.Event{}
	for {
		q.Limit = min(limit-len(events), control.MaxLimit)
		page, err := service.Events(ctx, q)
		if err != nil {
			return nil, err
		}
		events = append(events, page.Events...)
		if !page.More || len(events) >= limit {
			return events, nil
		}
		q.After = page.Next
	}
}

// printEvents shortens the ids, and leaves out which fields changed, on a terminal that
// is too narrow for them; its width is 0 when there is none.
func printEvents(p *print.Printer, events []control.Event, width int) error {
	if len(events) == 0 {
		return p.Line(print.Plain, "no events; ecwid-events status tells how polling goes")
	}
	rows := make([][]print.Cell, 0, len(events))
	for i := range events {
		rows = append(rows, eventRow(&events[i]))
	}
	headings := []string{"DETECTED", "STORE", "TYPE", "OBJECT", "CHANGES", "EVENT"}
	if width == 0 || print.TableWidth(headings, rows) <= width {
		return p.Table(headings, rows)
	}
	const changes, id = 4, 5
	shortenIDs(rows, id)
	if over := print.TableWidth(headings, rows) - width; over > 0 {
		widest := len(headings[changes])
		for _, row := range rows {
			widest = max(widest, utf8.RuneCountInString(row[changes].Text))
		}
		for _, row := range rows {
			row[changes].Text = cutTo(row[changes].Text, max(len(headings[changes]), widest-over))
		}
	}
	return p.Table(headings, rows)
}

func eventRow(e *control.Event) []print.Cell {
	return []print.Cell{
		print.Text("%s", e.Data.DetectedAt.Format(time.DateTime)), print.Text("%d", e.Data.Store.ID), typeCell(e.Type),
		print.Text("%s", e.Data.ObjectID), print.Text("%s", changesText(e)),
		{Text: e.ID, Color: print.Faint},
	}
}

func typeCell(typ string) print.Cell {
	colors := map[string]print.Color{string(event.OrderCreated): print.Good, string(event.OrderDeleted): print.Bad}
	return print.Cell{Text: typ, Color: colors[typ]}
}

// changesText names the fields that changed, as many as fit a table.
func changesText(e *control.Event) string {
	const most = 3
	if e.Data.Changes == nil {
		return "unknown"
	}
	text := ""
	for i, c := range e.Data.Changes {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", text, len(e.Data.Changes)-most)
		case i > 0:
			text += " "
		}
		text += c.Path
	}
	return text
}

func newEventsShow() *cobra.Command {
	var q inquiry
	var raw bool
	cmd := &cobra.Command{
		Use:   "show EVENT",
		Short: "Show an event, what changed, and each attempt to deliver it",
		Long: `Show an event, what changed, and each attempt to deliver it. The beginning of
its id is enough, as lists show it, as long as no other of the newest events has
it.`,
		Args:              oneArgument("EVENT"),
		ValidArgsFunction: q.complete(1, eventIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.ask(cmd, func(ctx context.Context, s control.Service, p *print.Printer) error {
				details, err := findEvent(ctx, s, args[0])
				if err != nil {
					return err
				}
				if q.output.json() {
					return p.JSON(details)
				}
				return printDetails(p, &details, raw)
			})
		},
	}
	q.addFlags(cmd)
	q.output.add(cmd)
	cmd.Flags().BoolVar(&raw, "raw", false, "also print the whole object")
	return cmd
}

func printDetails(p *print.Printer, d *control.EventDetails, raw bool) error {
	e := &d.Event
	_ = p.Line(print.Strong, "%s %s in store %d (%s)", e.Type, e.Data.ObjectID, e.Data.Store.ID, e.Data.Store.Name)
	_ = p.Line(print.Plain, "event %s", e.ID)
	_ = p.Line(print.Plain, "happened %s, detected %s, sequence %d, version %d",
		e.Timestamp.Format(time.RFC3339), e.Data.DetectedAt.Format(time.RFC3339), e.Data.Sequence, e.Data.Version)
	if err := printChanges(p, e); err != nil {
		return err
	}
	for i := range d.Deliveries {
		delivery := &d.Deliveries[i]
		_ = p.Line(print.Plain, "")
		_ = p.Line(print.Strong, "callback %s: %s", delivery.Callback, deliveryText(delivery))
		for j := range delivery.History {
			a := &delivery.History[j]
			_ = p.Line(print.Plain, "  %d  %s  %s", a.Number, a.At.Format(time.RFC3339), attemptText(a))
			if answer := answerText(a); answer != "" {
				_ = p.Line(print.Faint, "     %s", answer)
			}
		}
	}
	if !raw {
		return nil
	}
	_ = p.Line(print.Plain, "")
	return p.JSON(e.Data.Raw)
}

func printChanges(p *print.Printer, e *control.Event) error {
	if e.Data.Changes != nil && len(e.Data.Changes) == 0 {
		return nil
	}
	_ = p.Line(print.Plain, "")
	if e.Data.Changes == nil {
		return p.Line(print.Plain, "what changed is not known: the order was not known before")
	}
	rows := make([][]print.Cell, 0, len(e.Data.Changes))
	for _, c := range e.Data.Changes {
		rows = append(rows, []print.Cell{print.Text("%s", c.Path), {Text: value(c.Old), Color: print.Bad}, {Text: value(c.New), Color: print.Good}})
	}
	return p.Table([]string{"FIELD", "OLD", "NEW"}, rows)
}

// value is a JSON value as far as a table has room for it.
func value(raw []byte) string {
	const most = 60
	if raw == nil {
		return "-"
	}
	return cutTo(string(raw), most+1)
}

func deliveryText(d *control.Delivery) string {
	text := fmt.Sprintf("%s after %s", d.State, count(d.Attempts, "attempt"))
	if d.State == event.Pending && d.NextAttempt != nil {
		text += ", next at " + d.NextAttempt.Format(time.RFC3339)
	}
	return text
}

// answerText is how a receiver that did not accept an event answered: often that says why.
func answerText(a *control.Attempt) string {
	if a.Error == "" {
		return ""
	}
	return onOneLine(a.Response)
}

// onOneLine is the start of an answer.
func onOneLine(answer string) string {
	const most = 200
	return cutTo(strings.Join(strings.Fields(answer), " "), most)
}

func attemptText(a *control.Attempt) string {
	text := fmt.Sprintf("%.0f ms", a.Seconds*1000)
	if a.Status != 0 {
		text += fmt.Sprintf(", %d", a.Status)
	}
	if a.Error != "" {
		text += ", " + a.Error
	}
	if a.Detail != "" {
		text += ": " + a.Detail
	}
	if a.Manual {
		text += " (by hand)"
	}
	return text
}
