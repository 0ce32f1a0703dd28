package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const aToken = "s3cret-token"

// answering returns a Client of a server that gives every request the same answer.
func answering(t *testing.T, status int, mediaType, body string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL, server.Client())
}

func newClient(t *testing.T, base string, hc *http.Client) *Client {
	t.Helper()
	c, err := New(base, aToken, hc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func problem(word, title, detail string) string {
	text, _ := json.Marshal(map[string]string{"type": "urn:ecwid-events:" + word, "title": title, "detail": detail})
	return string(text)
}

func TestAnswersBecomeErrors(t *testing.T) {
	t.Parallel()
	const problems, plain = "application/problem+json", "text/html; charset=utf-8"
	tests := map[string]struct {
		status          int
		mediaType, body string
		is              error // nil: none of ours
		text            string
	}{
		"not found":             {404, problems, problem("not-found", "Not found", "store 7: not found"), event.ErrNotFound, "store 7: not found"},
		"invalid":               {400, problems, problem("invalid", "x", "limit must be"), control.ErrInvalid, "limit must be"},
		"conflict":              {409, problems + "; charset=utf-8", problem("conflict", "x", "resume it"), control.ErrConflict, "resume it"},
		"timeout":               {504, problems, problem("timeout", "x", "ask for less"), context.DeadlineExceeded, "ask for less"},
		"wrong token":           {401, problems, problem("unauthorized", "x", "send it"), ErrUnauthorized, "admin.token does not match"},
		"busy":                  {503, problems, problem("busy", "Too many requests", "Ask again."), nil, "answered 503: Too many requests: Ask again."},
		"stopping":              {503, problems, problem("stopping", "The program is stopping", "x"), ErrUnreachable, "The program is stopping"},
		"failed":                {500, problems, problem("internal", "It failed", "See the log."), nil, "answered 500: It failed: See the log."},
		"a path of a newer one": {404, problems, problem("no-route", "There is no such path", "x"), nil, "answered 404: There is no such path"},
		"another server's 404":  {404, plain, "<h1>Not Found</h1>", nil, "not as ecwid-events does"},
		"another server's 401":  {401, plain, "", nil, "not as ecwid-events does"},
		"another server's page": {200, plain, "<h1>Welcome</h1>", nil, "not as ecwid-events does"},
		"a redirect":            {302, plain, "", nil, "answered 302, and not as"},
		"a broken problem":      {404, problems, "{", nil, "not as ecwid-events does"},
		"an endless problem":    {404, problems, `{"detail":"` + strings.Repeat("x", maxProblem) + `"}`, nil, "not as ecwid-events does"},
		"cut JSON":              {200, "application/json", `{"version":`, nil, "reading the answer"},
		"other JSON":            {200, "application/json", `[]`, nil, "reading the answer"},
		"more than JSON":        {200, "application/json", `{}{}`, nil, "reading the answer"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, test.status, test.mediaType, test.body).Status(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("gives %v, want %q", err, test.text)
			}
			for _, kind := range []error{
				event.ErrNotFound, control.ErrInvalid, control.ErrConflict, context.DeadlineExceeded, ErrUnauthorized, ErrUnreachable,
			} {
				if errors.Is(err, kind) != errors.Is(test.is, kind) {
					t.Errorf("%v is %v: %t", err, kind, errors.Is(err, kind))
				}
			}
		})
	}
}

func TestNoDaemonIsUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(broken.Close)
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
	}))
	t.Cleanup(cut.Close)
	for name, base := range map[string]string{"none": server.URL, "one that breaks off": broken.URL, "one that breaks off its answer": cut.URL} {
		q := control.EventQuery{ObjectID: "SECRET"}
		_, err := newClient(t, base, broken.Client()).Events(t.Context(), q)
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "no daemon answers at "+base) {
			t.Errorf("%s gives %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), aToken)) {
			t.Errorf("%s tells what was asked: %v", name, err)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	asked := 0
	hc := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		return &http.Response{StatusCode: 307, Header: http.Header{"Location": {"http://evil.example/"}}, Body: http.NoBody, Request: r}, nil
	})}
	if _, err := newClient(t, "http://127.0.0.1:1", hc).Replay(t.Context(), control.Replay{}); err == nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if hc.CheckRedirect != nil {
		t.Error("the caller's http.Client was changed")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTheClientGivesUp asks a daemon that never answers.
func TestTheClientGivesUp(t *testing.T) {
	t.Parallel()
	silent := roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	tests := map[string]struct {
		ask    func(context.Context, *Client) error
		caller time.Duration
		within time.Duration
		text   string
	}{
		"a question": {
			func(ctx context.Context, c *Client) error { _, err := c.Stores(ctx); return err },
			time.Hour, answerWithin, "asking http://localhost: no answer within 35s: see the log of the daemon, and restart it when it hangs",
		},
		"a question that waits": {
			func(ctx context.Context, c *Client) error {
				_, err := c.Events(ctx, control.EventQuery{Wait: time.Minute})
				return err
			},
			time.Hour, time.Minute + answerWithin, "no answer within 1m35s",
		},
		"a test": {
			func(ctx context.Context, c *Client) error { _, err := c.TestCallback(ctx, "main"); return err },
			time.Hour, testWithin, "no answer within",
		},
		"an order that is long": {
			func(ctx context.Context, c *Client) error { _, err := c.Move(ctx, "a", "b"); return err },
			time.Hour, backlogWithin, "no answer within",
		},
		"a caller in a hurry": {
			func(ctx context.Context, c *Client) error { return c.PollStore(ctx, 1) },
			time.Second, time.Second, "context deadline exceeded",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, "http://localhost", &http.Client{Transport: silent})
				ctx, cancel := context.WithTimeout(t.Context(), test.caller)
				defer cancel()
				start := time.Now()
				err := test.ask(ctx, c)
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("gives %v", err)
				}
				if took := time.Since(start); took != test.within {
					t.Errorf("gives up after %v, want %v", took, test.within)
				}
			})
		})
	}
}

func TestACanceledCallerHearsOfThat(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dialed := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return nil, ctx.Err()
	}}}
	if _, err := newClient(t, "http://localhost:1", dialed).Status(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("gives %v", err)
	}
}

// zeros is a body without an end.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) { z.read += len(p); return len(p), nil }
func (z *zeros) Close() error               { return nil }

func TestAnswersAreCapped(t *testing.T) {
	t.Parallel()
	const most = 1 << 20 // of an answer
	for name, test := range map[string]struct{ status, most int }{
		"an answer":  {200, most + 1},
		"a problem":  {500, maxProblem},
		"a redirect": {302, maxProblem},
	} {
		body := &zeros{}
		hc := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Request: r}, nil
		})}
		c := newClient(t, "http://localhost", hc)
		c.maxAnswer = most
		if _, err := c.Status(t.Context()); err == nil || body.read > test.most {
			t.Errorf("of %s %d bytes are read, want %d: %v", name, body.read, test.most, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		base string
		url  string // of the status; "": refused
	}{
		"daemon":        {"http://127.0.0.1:8321", "http://127.0.0.1:8321/api/v1/status"},
		"slash":         {"http://127.0.0.1:8321/", "http://127.0.0.1:8321/api/v1/status"},
		"behind a path": {"https://shop.example/events", "https://shop.example/events/api/v1/status"},
		"IPv6":          {"http://[::1]:8321", "http://[::1]:8321/api/v1/status"},
		"no scheme":     {"127.0.0.1:8321", ""},
		"a name":        {"localhost", ""},
		"file":          {"file:///etc/passwd", ""},
		"no host":       {"http://", ""},
		"password":      {"http://admin:hunter2@localhost", ""},
		"query":         {"http://localhost?token=hunter2", ""},
		"fragment":      {"http://localhost#hunter2", ""},
		"broken":        {"http://local host", ""},
		"nothing":       {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked, token string
			hc := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked, token = r.URL.String(), r.Header.Get("Authorization")
				return nil, io.EOF
			})}
			c, err := New(test.base, aToken, hc)
			if test.url == "" {
				if err == nil || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("New gives %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Status(t.Context()); !errors.Is(err, ErrUnreachable) || asked != test.url || token != "Bearer "+aToken {
				t.Errorf("asks %s with %s: %v", asked, token, err)
			}
		})
	}
}
