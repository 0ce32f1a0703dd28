package admin

import (
	"context"
	_ "embed" // openapi.yaml
	"fmt"
	"net/http"
	"strings"
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

// metrics serves the metrics. What is no answer becomes a problem.
func (s *Server) metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := readInput(w, r, route{})
		if err == nil && s.o.Metrics == nil {
			err = errNoMetrics
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		answer := &answerOrNothing{ResponseWriter: w}
		s.o.Metrics.ServeHTTP(answer, r)
		switch {
		case answer.failed == http.StatusServiceUnavailable:
			s.refuse(w, r, errBusy)
		case answer.failed != 0:
			s.refuse(w, r, fmt.Errorf("reading the metrics: %s", strings.TrimSpace(answer.why.String())))
		}
	})
}

// answerOrNothing keeps back an answer that tells of a failure.
type answerOrNothing struct {
	http.ResponseWriter
	failed int // the status; 0: none was kept back
	why    strings.Builder
}

// WriteHeader implements http.ResponseWriter.
func (a *answerOrNothing) WriteHeader(status int) {
	if status < http.StatusBadRequest {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.failed = status
	a.Header().Del("Content-Encoding")
}

// Write implements http.ResponseWriter.
func (a *answerOrNothing) Write(p []byte) (int, error) {
	const most = 1 << 10
	if a.failed == 0 {
		return a.ResponseWriter.Write(p)
	}
	a.why.Write(p[:min(len(p), most-min(most, a.why.Len()))])
	return len(p), nil
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
