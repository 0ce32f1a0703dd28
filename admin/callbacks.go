package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

type callbackList struct {
	Callbacks []control.Callback `json:"callbacks"`
}

// A moved tells how many deliveries a command was about.
type moved struct {
	Deliveries int `json:"deliveries"`
}

func (s *Server) callbacks(ctx context.Context, _ *input) (any, error) {
	callbacks, err := s.o.Service.Callbacks(ctx)
	return callbackList{array(callbacks)}, err
}

func (s *Server) callback(ctx context.Context, in *input) (any, error) {
	name := in.callback("name")
	if err := in.err(); err != nil {
		return nil, err
	}
	callbacks, err := s.o.Service.Callbacks(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(callbacks, func(c control.Callback) bool { return c.Name == name })
	if i < 0 {
		return nil, newProblem(http.StatusNotFound, "not-found", "Not found", "There is no callback of that name: use "+names(callbacks)+".")
	}
	return callbacks[i], nil
}

// callbackCommand passes on what is to be done with a callback.
func callbackCommand(command func(context.Context, string) error) func(context.Context, *input) (any, error) {
	return func(ctx context.Context, in *input) (any, error) {
		name := in.callback("name")
		if err := in.err(); err != nil {
			return nil, err
		}
		return status(http.StatusNoContent), command(ctx, name)
	}
}

func (s *Server) testCallback(ctx context.Context, in *input) (any, error) {
	name := in.callback("name")
	if err := in.err(); err != nil {
		return nil, err
	}
	return s.o.Service.TestCallback(ctx, name)
}

func (s *Server) move(ctx context.Context, in *input) (any, error) {
	in.require("to", "the callback that gets the deliveries")
	from, to := in.callback("name"), in.callback("to")
	if err := in.err(); err != nil {
		return nil, err
	}
	n, err := s.o.Service.Move(ctx, from, to)
	return moved{n}, err
}

func (s *Server) drop(ctx context.Context, in *input) (any, error) {
	in.require("state", "dead or pending, the deliveries that are removed for good")
	name, state := in.callback("name"), in.oneOf("state", string(event.Dead), string(event.Pending))
	if err := in.err(); err != nil {
		return nil, err
	}
	n, err := s.o.Service.Drop(ctx, name, event.DeliveryState(state))
	return moved{n}, err
}

func (s *Server) deliveries(ctx context.Context, in *input) (any, error) {
	q := control.DeliveryQuery{
		Callback: in.callback("callback"),
		State:    event.DeliveryState(in.oneOf("state", string(event.Pending), string(event.Delivered), string(event.Dead))),
		StoreID:  in.storeID("store"), After: in.after("after"), Newest: in.flag("newest"), Limit: in.limit("limit"),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	if q.State == "" {
		q.State = event.Dead // what a person comes to look for
	}
	if q.Callback == "" {
		var err error
		if q.Callback, err = s.onlyCallback(ctx); err != nil {
			return nil, err
		}
	}
	page, err := s.o.Service.Deliveries(ctx, q)
	page.Deliveries = array(page.Deliveries)
	return page, err
}

// onlyCallback is the callback that is meant where none is named.
func (s *Server) onlyCallback(ctx context.Context) (string, error) {
	callbacks, err := s.o.Service.Callbacks(ctx)
	if err != nil {
		return "", err
	}
	if len(callbacks) != 1 {
		return "", invalid("callback is required: use %s.", names(callbacks))
	}
	return callbacks[0].Name, nil
}

// names lists callbacks, as many as one reads.
func names(callbacks []control.Callback) string {
	const most = 20
	var names []string
	for _, c := range callbacks[:min(len(callbacks), most)] {
		names = append(names, c.Name)
	}
	if len(callbacks) > most {
		names = append(names, "…")
	}
	return list(names, "one that is configured")
}
