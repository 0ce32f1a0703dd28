package dashboard

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// eventsAtOnce is how many events the list of events has on a page.
	eventsAtOnce = 50
	// latestAtOnce is how many events other pages show.
	latestAtOnce = 15
)

// A shownEvent is an event as a row of a list.
type shownEvent struct {
	*control.Event
	Summary summary
}

func showEvents(events []control.Event) []shownEvent {
	shown := make([]shownEvent, 0, len(events))
	for i := range events {
		shown = append(shown, shownEvent{&events[i], summaryOf(&events[i])})
	}
	return shown
}

// eventsList is what the page of events shows.
type eventsList struct {
	StoreID int64
	Type    string
	Object  string
	Types   []string
	Events  []shownEvent
	// Older is the address of the page that goes on; empty: there is none.
	Older string
	// Newer is the address of the page before; empty: this is the first one.
	Newer string
	// First tells that this is the first page, on which new events belong.
	First bool
	// Newest is the address of the first page.
	Newest string
}

func (d *dashboard) eventsPage(ctx context.Context, in *input) (page, error) {
	list := eventsList{
		StoreID: in.storeID("store"), Type: in.oneOf("type", eventTypes...), Object: in.text("object"), Types: eventTypes,
	}
	after := in.number("after", 1<<64-1)
	if err := in.err(); err != nil {
		return page{}, err
	}
	place, err := d.newest(ctx)
	if err != nil {
		return page{}, err
	}
	query := control.EventQuery{
		StoreID: list.StoreID, Type: event.Type(list.Type), ObjectID: list.Object, After: after, Newest: true, Limit: eventsAtOnce,
	}
	found, err := d.service.Events(ctx, query)
	if err != nil {
		return page{}, err
	}
	list.Events = showEvents(found.Events)
	list.First = after == 0
	list.Newest = list.address(0)
	if found.More {
		list.Older = list.address(found.Next)
	}
	if !list.First {
		list.Newer, err = d.newer(ctx, &list, query)
	}
	p := page{name: "events", Title: "Events", Main: list}
	if list.First {
		p.Live = place
	}
	return p, err
}

// newer is the address of the page that ends where one begins.
func (d *dashboard) newer(ctx context.Context, list *eventsList, q control.EventQuery) (string, error) {
	q.After, q.Newest = q.After-1, false
	before, err := d.service.Events(ctx, q)
	switch {
	case err != nil && !errors.Is(err, control.ErrConflict): // a conflict: there is nothing as new
		return "", err
	case err == nil && before.More:
		return list.address(before.Next + 1), nil
	}
	return list.address(0), nil
}

func (l *eventsList) address(after uint64) string {
	q := make(url.Values)
	if l.StoreID != 0 {
		q.Set("store", strconv.FormatInt(l.StoreID, 10))
	}
	if l.Type != "" {
		q.Set("type", l.Type)
	}
	if l.Object != "" {
		q.Set("object", l.Object)
	}
	if after != 0 {
		q.Set("after", strconv.FormatUint(after, 10))
	}
	if len(q) == 0 {
		return "/events"
	}
	return "/events?" + q.Encode()
}

// oneEvent is what the page of an event shows.
type oneEvent struct {
	*control.Event
	Summary summary
	Changes []change
	// MoreChanges is how many the page leaves out.
	MoreChanges int
	Raw         string
	// RawIsCut tells that the page leaves out the end of the object.
	RawIsCut   bool
	Deliveries []control.Delivery
	// Callbacks are those that the event can be sent to.
	Callbacks []string
}

func (d *dashboard) eventPage(ctx context.Context, in *input) (page, error) {
	id, err := in.pathEvent()
	if err == nil {
		err = in.err()
	}
	if err != nil {
		return page{}, err
	}
	details, err := d.service.Event(ctx, id)
	if errors.Is(err, event.ErrNotFound) {
		return page{}, errNoEvent
	}
	if err != nil {
		return page{}, err
	}
	callbacks, err := d.service.Callbacks(ctx)
	if err != nil {
		return page{}, err
	}
	place, err := d.newest(ctx)
	if err != nil {
		return page{}, err
	}
	main := oneEvent{
		Event: &details.Event, Summary: summaryOf(&details.Event), Changes: changesOf(details.Event.Data.Changes),
		Deliveries: details.Deliveries,
	}
	main.MoreChanges = len(details.Event.Data.Changes) - len(main.Changes)
	whole := indent(details.Event.Data.Raw)
	main.Raw = shorten(whole, maxRaw)
	main.RawIsCut = main.Raw != whole
	for i := range callbacks {
		if !callbacks[i].Orphaned {
			main.Callbacks = append(main.Callbacks, callbacks[i].Name)
		}
	}
	title := details.Event.Type + " " + shorten(details.Event.Data.ObjectID, 40)
	return page{name: "event", Title: title, Main: main, Live: place}, nil
}

func (d *dashboard) replayEvent(ctx context.Context, in *input) (done, error) {
	id, err := in.pathEvent()
	if err != nil {
		return done{}, err
	}
	callback := in.callback("callback")
	if err := in.err(); err != nil {
		return done{}, err
	}
	replayed, err := d.service.Replay(ctx, control.Replay{EventID: id, Callback: callback})
	if err != nil {
		return done{}, err
	}
	return done{"/events/" + id, noticeOf(replayed)}, nil
}

// noticeOf tells what a replay came to.
func noticeOf(r control.Replayed) notice {
	if r.Deliveries == 0 {
		return notice{Text: "Nothing to replay: what was asked for is pending already, or was never sent there."}
	}
	return notice{Text: plural(r.Deliveries, "delivery", "deliveries") + " became pending again, with the same id and body."}
}
