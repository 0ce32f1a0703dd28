package app

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// eventsAtOnce is how many events are read from the storage at once, since each may be
// large.
const eventsAtOnce = 20

// sparseRounds is how often the storage is asked for a page when it finds fewer events
// than were asked for: each time it looks at some 2,000.
const sparseRounds = 8

// Events implements control.Service.
func (s service) Events(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	if err := checkEvents(&q); err != nil {
		return control.EventPage{}, err
	}
	if err := s.checkStore(ctx, q.StoreID); err != nil {
		return control.EventPage{}, err
	}
	if err := s.checkPlace(ctx, &q); err != nil {
		return control.EventPage{}, err
	}
	patience := time.NewTimer(q.Wait)
	defer patience.Stop()
	for {
		rung := s.bell.next()
		page, err := s.readEvents(ctx, q)
		if err != nil || len(page.Events) > 0 || page.More || q.Wait == 0 {
			return page, err
		}
		q.After = page.Next
		select {
		case <-rung:
		case <-patience.C:
			return page, nil
		case <-ctx.Done():
			return page, nil
		}
	}
}

func checkEvents(q *control.EventQuery) error {
	switch {
	case q.Limit < 0 || q.Limit > control.MaxLimit:
		return invalid("limit must be from 1 to %d", control.MaxLimit)
	case q.Wait < 0 || q.Wait > control.MaxWait:
		return invalid("wait must be from 0 to %s", control.MaxWait)
	case q.Wait > 0 && q.Newest:
		return invalid("wait goes on from the newest event, so it does not go with newest")
	case !q.From.IsZero() && !q.To.IsZero() && !q.To.After(q.From):
		return invalid("to must be after from")
	case q.Type != "" && !slices.Contains(event.Types(), q.Type):
		return invalid("there is no type %q: use %s", q.Type, typesInWords())
	}
	if q.Limit == 0 {
		q.Limit = control.DefaultLimit
	}
	return nil
}

func typesInWords() string {
	words := make([]string, len(event.Types()))
	for i, t := range event.Types() {
		words[i] = string(t)
	}
	return strings.Join(words, ", ")
}

// checkPlace refuses a place beyond the end of the feed, from which nothing would come
// for long, and then not everything. Whoever has read the newest event is at the end: an
// event can be read no sooner than its place is the last one here.
func (s service) checkPlace(ctx context.Context, q *control.EventQuery) error {
	if q.After == 0 || q.Newest {
		return nil
	}
	last, err := s.lastPlace(ctx, q.StoreID)
	if err != nil || q.After <= last {
		return err
	}
	return fmt.Errorf("%w: after is %d, and the newest event here is %d: what was read last is not in this storage. "+
		"Where a backup was restored, go on with after=%d; where this is another storage, begin with after=0", control.ErrConflict, q.After, last, last)
}

// lastPlace is the place of the newest event, also of one that was removed since.
func (s service) lastPlace(ctx context.Context, storeID int64) (uint64, error) {
	if storeID == 0 {
		last, err := s.storage.LastPosition(ctx)
		if err != nil {
			return 0, fmt.Errorf("reading where the feed ends: %w", err)
		}
		return last, nil
	}
	cursor, err := s.storage.Cursor(ctx, storeID, event.Orders)
	if err != nil {
		return 0, fmt.Errorf("reading where the feed of store %d ends: %w", storeID, err)
	}
	return cursor.Sequence, nil
}

// readEvents reads one page as far as it has come.
func (s service) readEvents(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	page := control.EventPage{Events: []control.Event{}, Next: q.After}
	after, err := s.position(ctx, q)
	switch {
	case isNotFound(err) && q.Newest:
		after = 0 // beyond the end, so that all is below it
	case isNotFound(err):
		return page, nil
	case err != nil:
		return control.EventPage{}, err
	}
	if after, err = s.fill(ctx, &page, q, after); err != nil {
		return control.EventPage{}, err
	}
	if n := len(page.Events); n > 0 && q.StoreID != 0 {
		page.Next = page.Events[n-1].Data.Sequence
		if !page.More || n == q.Limit {
			return page, nil
		}
	}
	page.Next, err = s.place(ctx, q, after, page.Next)
	return page, err
}

// fill reads events into a page, a few at a time, and returns the position that it has
// come to. Where few events match it ends the page early, so that none takes long.
func (s service) fill(ctx context.Context, page *control.EventPage, q control.EventQuery, after uint64) (uint64, error) {
	search := event.HistoryQuery{StoreID: q.StoreID, Type: q.Type, ObjectID: q.ObjectID, From: q.From, To: q.To, Newest: q.Newest}
	size, rounds := 0, 0
	for {
		search.After, search.Limit = after, min(q.Limit-len(page.Events), eventsAtOnce)
		found, next, more, err := s.storage.Events(ctx, search)
		if err != nil {
			return 0, fmt.Errorf("reading events: %w", err)
		}
		for i := range found {
			if size += weight(&found[i]); size > control.MaxPage && len(page.Events) > 0 {
				page.More = true
				return after, nil
			}
			page.Events = append(page.Events, showEvent(&found[i]))
			after = found[i].Position
		}
		after, page.More = next, more
		if len(found) < search.Limit {
			rounds++ // the storage has looked at as many as it does at once
		}
		if !more || len(page.Events) == q.Limit || rounds == sparseRounds {
			return after, nil
		}
	}
}

// weight is what an event counts for in control.MaxPage.
func weight(e *event.Event) int {
	sum := len(e.Raw)
	for _, c := range e.Changes {
		sum += len(c.Path) + len(c.Old) + len(c.New)
	}
	return sum
}

// place is the way back from position. Where the event is gone it is the one given.
func (s service) place(ctx context.Context, q control.EventQuery, position, otherwise uint64) (uint64, error) {
	if q.StoreID == 0 || position == 0 {
		return position, nil
	}
	found, _, _, err := s.storage.Events(ctx, event.HistoryQuery{StoreID: q.StoreID, After: position - 1, Limit: 1})
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading an event: %w", err)
	case len(found) == 0 || found[0].Position != position:
		return otherwise, nil
	}
	return found[0].Sequence, nil
}

// position turns the place where a question goes on into one of the storage. A
// store's own place is a sequence.
func (s service) position(ctx context.Context, q control.EventQuery) (uint64, error) {
	if q.StoreID == 0 || q.After == 0 {
		return q.After, nil
	}
	if q.Newest {
		return s.storage.EventFrom(ctx, q.StoreID, q.After)
	}
	if q.After == math.MaxUint64 {
		return 0, event.ErrNotFound // nothing is behind it
	}
	next, err := s.storage.EventFrom(ctx, q.StoreID, q.After+1)
	if err != nil {
		return 0, err
	}
	return next - 1, nil
}

// readEvent reads an event, and says what to do where there is none.
func (s service) readEvent(ctx context.Context, id string) (event.Event, error) {
	e, err := s.storage.Event(ctx, id)
	if isNotFound(err) {
		return event.Event{}, fmt.Errorf("%w: there is no event %s, or none any more: ecwid-events events list, or GET /api/v1/events, "+
			"tells which there are; delivered ones are kept for storage.keep_delivered", event.ErrNotFound, id)
	}
	return e, err
}

// Event implements control.Service.
func (s service) Event(ctx context.Context, id string) (control.EventDetails, error) {
	e, err := s.readEvent(ctx, id)
	if err != nil {
		return control.EventDetails{}, err
	}
	details := control.EventDetails{Event: showEvent(&e), Deliveries: []control.Delivery{}}
	names, err := s.storage.Callbacks(ctx)
	if err != nil {
		return control.EventDetails{}, fmt.Errorf("reading the names of the callbacks: %w", err)
	}
	for _, name := range names {
		d, attempts, err := s.storage.Delivery(ctx, name, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return control.EventDetails{}, err
		}
		shown := showDelivery(&d)
		for i := range attempts {
			shown.History = append(shown.History, showAttempt(&attempts[i]))
		}
		details.Deliveries = append(details.Deliveries, shown)
	}
	return details, nil
}
