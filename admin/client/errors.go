package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

var (
	// ErrUnreachable is returned when no daemon answers: there is none, or it is just
	// starting or stopping. Whether an order was carried out is not known.
	ErrUnreachable = errors.New("no daemon answers")

	// ErrUnauthorized is returned when the daemon has another token.
	ErrUnauthorized = errors.New("admin.token does not match that of the daemon")
)

// kinds are the errors that the daemon's problems stand for.
var kinds = map[string]error{
	"urn:ecwid-events:invalid":   control.ErrInvalid,
	"urn:ecwid-events:not-found": event.ErrNotFound,
	"urn:ecwid-events:conflict":  control.ErrConflict,
	"urn:ecwid-events:timeout":   context.DeadlineExceeded,
}

// A refusal has the text of a problem and is the error that it stands for, whose words
// the problem has in its title when its detail does not begin with them.
type refusal struct {
	detail string
	kind   error
}

func (r *refusal) Error() string {
	if errors.Is(r.kind, context.DeadlineExceeded) || strings.Contains(r.detail, r.kind.Error()) {
		return r.detail
	}
	return r.kind.Error() + ": " + r.detail
}

func (r *refusal) Unwrap() error { return r.kind }

// refused turns an answer that is no success back into an error.
func (c *Client) refused(resp *http.Response) error {
	var p struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || !isMedia(resp, "application/problem+json") || json.Unmarshal(body, &p) != nil {
		return c.stranger(resp.StatusCode)
	}
	switch kind := kinds[p.Type]; {
	case kind != nil:
		return &refusal{detail: p.Detail, kind: kind}
	case resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("asking %s: %w", c.base, ErrUnauthorized)
	case resp.StatusCode == http.StatusServiceUnavailable && p.Type != "urn:ecwid-events:busy":
		return fmt.Errorf("%w at %s: %s", ErrUnreachable, c.base, p.Title)
	}
	return fmt.Errorf("%s answered %d: %s: %s", c.base, resp.StatusCode, p.Title, p.Detail)
}

func (c *Client) stranger(status int) error {
	return fmt.Errorf("%s answered %d, and not as ecwid-events does: is admin.listen another address?", c.base, status)
}
