package admin

import (
	"context"
	_ "embed" // openapi.yaml
	"net/http"
)

// document describes the API.
//
//go:embed openapi.yaml
var document []byte

// A health is the answer of /healthz and /readyz.
type health struct {
	Status string `json:"status"`
}

func (s *Server) document(context.Context, *input) (any, error) { return document, nil }

func (s *Server) alive(context.Context, *input) (any, error) { return health{"alive"}, nil }

func (s *Server) ready(context.Context, *input) (any, error) {
	if s.o.Ready != nil {
		if err := s.o.Ready(); err != nil {
			return nil, newProblem(http.StatusServiceUnavailable, "not-ready", "Not ready", err.Error())
		}
	}
	return health{"ready"}, nil
}

func (s *Server) metrics() http.Handler {
	if s.o.Metrics != nil {
		return s.o.Metrics
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, errNoMetrics) })
}

func (s *Server) status(ctx context.Context, _ *input) (any, error) {
	st, err := s.o.Service.Status(ctx)
	if err != nil {
		return nil, err
	}
	st.Attention, st.Callbacks = array(st.Attention), array(st.Callbacks)
	return st, nil
}

func (s *Server) reload(ctx context.Context, _ *input) (any, error) {
	if s.o.Reload == nil {
		return nil, errNoReload
	}
	return status(http.StatusNoContent), s.o.Reload(ctx)
}

// array is never nil: what the API calls an array is not null when it is empty.
func array[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
