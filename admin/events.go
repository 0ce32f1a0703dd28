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
	if q.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
	}
	page, err := s.o.Service.Events(ctx, q)
	if err != nil {
		if s.stopping.Err() != nil && ctx.Err() != nil {
			return nil, errStopping
		}
		return nil, err
	}
	page.Events = array(slices.Clone(page.Events))
	for i := range page.Events {
		page.Events[i] = withTags(page.Events[i])
	}
	return page, nil
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
	order := control.Replay{EventID: in.eventID("id"), Callback: in.callback("callback")}
	if err := in.err(); err != nil {
		return nil, err
	}
	return s.o.Service.Replay(ctx, order)
}

func (s *Server) replay(ctx context.Context, in *input) (any, error) {
	order := control.Replay{
		EventID: in.eventID("eventId"), Dead: in.flag("dead"),
		From: in.optionalTime("from"), To: in.optionalTime("to"),
		Callback: in.callback("callback"), StoreID: in.storeID("storeId"),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return s.o.Service.Replay(ctx, order)
}
