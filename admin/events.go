package admin

import (
	"context"
	"slices"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

func (s *Server) events(ctx context.Context, in *input) (any, error) {
	q := control.EventQuery{
		StoreID: in.storeID("store"), Type: in.eventType("type"), ObjectID: in.text("object"),
		From: in.time("from"), To: in.time("to"),
		After: in.after("after"), Newest: in.flag("newest"), Limit: in.limit("limit"), Wait: in.wait("wait"),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	page, err := s.eventsOf(ctx, q)
	if err != nil {
		return nil, err
	}
	page.Events = array(slices.Clone(page.Events))
	for i := range page.Events {
		page.Events[i] = withTags(page.Events[i])
	}
	return page, nil
}

// eventsOf reads a page, once there is an event if that is asked for.
func (s *Server) eventsOf(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	if q.Wait > 0 {
		first := q
		first.Limit = 1
		page, err := s.awaitEvent(ctx, first)
		if err != nil || len(page.Events) == 0 {
			return page, err
		}
		q.Wait = 0
	}
	if err := s.rooms.run(ctx); err != nil {
		return control.EventPage{}, err
	}
	return s.o.Service.Events(ctx, q)
}

// awaitEvent waits as long as it may, and until the server stops.
func (s *Server) awaitEvent(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	page, err := s.o.Service.Events(ctx, q)
	if len(page.Events) == 0 && s.stopping.Err() != nil {
		return page, errStopping
	}
	return page, err
}

func (in *input) eventType(name string) event.Type {
	var words []string
	for _, t := range event.Types() {
		words = append(words, string(t))
	}
	return event.Type(in.oneOf(name, words...))
}

func (s *Server) event(ctx context.Context, in *input) (any, error) {
	id := in.eventID("id")
	if err := in.err(); err != nil {
		return nil, err
	}
	d, err := s.o.Service.Event(ctx, id)
	d.Event, d.Deliveries = withTags(d.Event), array(d.Deliveries)
	return d, err
}

func withTags(e control.Event) control.Event {
	e.Data.Store.Tags = array(e.Data.Store.Tags)
	return e
}

func (s *Server) replayEvent(ctx context.Context, in *input) (any, error) {
	asked := control.Replay{EventID: in.eventID("id"), Callback: in.callback("callback")}
	if err := in.err(); err != nil {
		return nil, err
	}
	return s.o.Service.Replay(ctx, asked)
}

func (s *Server) replay(ctx context.Context, in *input) (any, error) {
	asked := control.Replay{
		EventID: in.eventID("eventId"), Dead: in.flag("dead"),
		From: in.optionalTime("from"), To: in.optionalTime("to"),
		Callback: in.callback("callback"), StoreID: in.storeID("storeId"),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return s.o.Service.Replay(ctx, asked)
}
