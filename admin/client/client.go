// Package client is a control.Service that asks a running daemon over its admin API.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How long an answer may take. The daemon gives up before, and says so.
const (
	answerWithin  = 35 * time.Second
	testWithin    = 2*time.Minute + 5*time.Second
	backlogWithin = 10*time.Minute + 5*time.Second
)

// The bytes that are read of an answer: a page holds at least one event, whose object
// has up to 64 MiB and whose changes repeat parts of it.
const (
	maxAnswer  = 256 << 20
	maxProblem = 64 << 10
)

// A Client asks one daemon. Its methods may be called concurrently; errors are as the
// Service's, and besides those ErrUnreachable and ErrUnauthorized.
type Client struct {
	base      *url.URL
	token     string
	http      *http.Client
	maxAnswer int64 // bytes
}

// New returns a Client of the daemon at base, such as http://127.0.0.1:8321. The
// token is that of admin.token, and may be empty. Without an http.Client, one with
// Go's defaults is used.
func New(base, token string, hc *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The address is not repeated: it may hold a password.
		return nil, errors.New("the daemon's address must be as http://127.0.0.1:8321, without a user, a password or a query")
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	own := *hc
	// The API redirects nowhere: what does is something else.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: u, token: token, http: &own, maxAnswer: maxAnswer}, nil
}

// A request is one question or order.
type request struct {
	method string
	path   []string // segments behind /api/v1
	query  url.Values
	body   any           // nil: none
	within time.Duration // 0: answerWithin
}

// ask sends a request and decodes the answer into a value, unless that is nil.
func (c *Client) ask(ctx context.Context, q request, into any) error {
	if q.within == 0 {
		q.within = answerWithin
	}
	limited, cancel := context.WithTimeoutCause(ctx, q.within, fmt.Errorf("no answer within %v: see the log of the daemon, and restart it when it hangs: %w", q.within, context.DeadlineExceeded))
	defer cancel()
	resp, err := c.send(limited, q)
	if err != nil {
		return c.unanswered(limited, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return c.refused(resp)
	}
	if into == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	if err != nil {
		return c.unanswered(limited, err)
	}
	if int64(len(body)) > c.maxAnswer {
		return fmt.Errorf("the answer of %s is larger than %d MiB: ask for less at once", c.base, c.maxAnswer>>20)
	}
	if !isMedia(resp, "application/json") {
		return c.stranger(resp.StatusCode)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.base, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	target := c.base.JoinPath("api", "v1")
	for _, segment := range q.path {
		target = target.JoinPath(url.PathEscape(segment))
	}
	target.RawQuery = q.query.Encode()
	var body io.Reader
	if q.body != nil {
		encoded, err := json.Marshal(q.body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(r)
}

// unanswered says why there is no answer.
func (c *Client) unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking %s: %w", c.base, context.Cause(ctx))
	}
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err // the URL holds the query
	}
	var broken net.Error
	if errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
	}
	return fmt.Errorf("asking %s: %w", c.base, err)
}

// isMedia reports whether the answer is of a media type.
func isMedia(resp *http.Response, want string) bool {
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && got == want
}

// exists reports whether a name can be a segment of a path. What cannot is the name
// of nothing.
func exists(name string) bool { return strings.Trim(name, ".") != "" }
