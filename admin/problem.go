package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A problem is an answer after RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // what to do
}

func (p *problem) Error() string { return p.Detail }

// newProblem returns a problem whose type is a word of openapi.yaml.
func newProblem(status int, word, title, detail string) *problem {
	return &problem{Type: "urn:ecwid-events:" + word, Title: title, Status: status, Detail: detail}
}

func invalid(format string, args ...any) *problem {
	return newProblem(http.StatusBadRequest, "invalid", "Invalid request", fmt.Sprintf(format, args...))
}

var (
	errNoToken = newProblem(http.StatusUnauthorized, "unauthorized", "The token is missing or wrong",
		"Send the value of admin.token in the header Authorization: Bearer <token>.")
	errForeignHost = newProblem(http.StatusForbidden, "forbidden", "Refused",
		"Without a token only this machine is served: ask http://localhost or http://127.0.0.1, or set admin.token.")
	errForeignOrigin = newProblem(http.StatusForbidden, "forbidden", "Refused",
		"A page of another site made this request: only the daemon's own pages may.")
	errNoRoute = newProblem(http.StatusNotFound, "no-route", "There is no such path",
		"GET /api/v1/openapi.yaml lists the paths.")
	errNoMetrics = newProblem(http.StatusNotFound, "no-route", "There is no such path",
		"This program was started without metrics.")
	errNoReload = newProblem(http.StatusNotFound, "no-route", "There is no such path",
		"This program has no configuration file to read again: restart it instead.")
	errMediaType = newProblem(http.StatusUnsupportedMediaType, "media-type", "The body is not JSON",
		"Send the header Content-Type: application/json.")
	errTooLarge = newProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large",
		"A body may have 64 KiB.")
	errTimeout = newProblem(http.StatusGatewayTimeout, "timeout", "It took too long",
		"Ask again, or for less at once. What was done until then stays done.")
	errStopping = newProblem(http.StatusServiceUnavailable, "stopping", "The program is stopping",
		"Ask again when it has been started again.")
	errBusy = newProblem(http.StatusServiceUnavailable, "busy", "Too many requests at the same time",
		"Ask again in a moment, and fewer at the same time.")
	errInternal = newProblem(http.StatusInternalServerError, "internal", "It failed", "See the log of the program.")
)

func wrongMethod(allowed string) *problem {
	return newProblem(http.StatusMethodNotAllowed, "method", "The path does not take this method", "Use "+allowed+".")
}

// problemOf says what went wrong in the words of the API. What only the log may tell
// becomes errInternal.
func problemOf(r *http.Request, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, event.ErrNotFound):
		return newProblem(http.StatusNotFound, "not-found", "Not found", without(event.ErrNotFound, err))
	case errors.Is(err, control.ErrInvalid):
		return invalid("%s", without(control.ErrInvalid, err))
	case errors.Is(err, control.ErrConflict):
		return newProblem(http.StatusConflict, "conflict", "Not possible now", without(control.ErrConflict, err))
	case errors.Is(err, control.ErrStopping):
		return errStopping
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return errStopping // or nobody is there to read it
	default:
		return errInternal
	}
}

// without is an error's text without the words that the title says already.
func without(kind, err error) string {
	return strings.TrimPrefix(err.Error(), kind.Error()+": ")
}

// refuse answers with the problem that err is. An error that the answer does not
// tell is logged.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r, err)
	if p == errInternal {
		s.log.Error("admin.failed", zap.String("method", r.Method), zap.String("route", r.Pattern), zap.Error(err))
	}
	switch {
	case p.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="ecwid-events"`)
	case p == errBusy:
		w.Header().Set("Retry-After", retryAfter)
	}
	s.write(w, p.Status, "application/problem+json", p)
}

// write answers with a JSON value.
func (s *Server) write(w http.ResponseWriter, status int, mediaType string, value any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		s.log.Error("admin.failed", zap.String("reason", "the answer is no JSON"), zap.Error(err))
		s.write(w, errInternal.Status, "application/problem+json", errInternal)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone needs no answer
}
