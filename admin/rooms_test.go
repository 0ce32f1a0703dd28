package admin

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
)

// A crowd is a Service whose questions for events wait until they are let go, and a
// Server of it that listens.
type crowd struct {
	fake
	inside atomic.Int64
	letGo  chan struct{}
	url    string
	client http.Client
}

func (c *crowd) Events(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	c.inside.Add(1)
	defer c.inside.Add(-1)
	select {
	case <-c.letGo:
	case <-ctx.Done():
	}
	return control.EventPage{}, ctx.Err()
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{letGo: make(chan struct{}), client: http.Client{Transport: &http.Transport{}}}
	s, _ := newServer(t, c, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
		o.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				c.inside.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
			}
			_, _ = io.WriteString(w, "page")
		})
	})
	address, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.url = "http://" + address.String()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		c.client.CloseIdleConnections()
	})
	return c
}

func (c *crowd) get(t *testing.T, path string) (status int, retryAfter, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, http.NoBody)
	if err != nil {
		t.Error(err)
		return 0, "", ""
	}
	resp, err := c.client.Do(r)
	if err != nil {
		t.Error(err)
		return 0, "", ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), string(text)
}

// fill has n requests inside the Service, each on a connection of its own, until the
// returned function lets them go.
func (c *crowd) fill(t *testing.T, path string, n int) (empty func()) {
	t.Helper()
	var asked sync.WaitGroup
	before := c.inside.Load()
	for range n {
		asked.Go(func() {
			if status, _, body := c.get(t, path); status != http.StatusOK {
				t.Errorf("one of %d answers %d %s", n, status, body)
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); c.inside.Load() < before+int64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d are inside", c.inside.Load()-before, n)
		}
	}
	return func() { close(c.letGo); asked.Wait() }
}

func TestOneRequestMoreThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path    string
		n       int
		refused []string
		served  []string
	}{
		"those that run": {
			"/api/v1/events", maxRunning,
			[]string{"/api/v1/events", "/api/v1/status", "/", "/events"},
			[]string{"/live", "/login"},
		},
		"those that wait": {
			"/api/v1/events?wait=60s", maxWaiting,
			[]string{"/api/v1/events?wait=1s", "/live"},
			[]string{"/api/v1/status", "/", "/login"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t)
			empty := c.fill(t, test.path, test.n)
			for _, path := range test.refused {
				status, retryAfter, body := c.get(t, path)
				var p problem
				if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusServiceUnavailable || retryAfter != "1" || p != *errBusy {
					t.Errorf("%s answers %d, Retry-After %q, %s", path, status, retryAfter, body)
				}
			}
			for _, path := range append(test.served, "/healthz", "/readyz", "/metrics") {
				if status, _, body := c.get(t, path); status != http.StatusOK {
					t.Errorf("%s answers %d %s", path, status, body)
				}
			}
			empty()
			for _, path := range test.refused {
				if status, _, body := c.get(t, path); status != http.StatusOK {
					t.Errorf("once there is room, %s answers %d %s", path, status, body)
				}
			}
		})
	}
}

// Logins that never end keep out neither who has logged in nor the API.
func TestSlowLoginsAreApart(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	var refused atomic.Int64
	for range maxRunning {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", c.url[len("http://"):])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		go func() {
			if n, _ := conn.Read(make([]byte, 1)); n > 0 {
				refused.Add(1)
			}
		}()
	}
	for c.inside.Load()+refused.Load() < maxRunning {
		time.Sleep(time.Millisecond)
	}
	for _, path := range []string{"/api/v1/status", "/", "/healthz"} {
		if status, _, body := c.get(t, path); status != http.StatusOK {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
}

// Who waits for events holds one of them at most, and reads the page when it is its
// turn, so that the pages of all that wait are never there at the same time.
func TestWhoWaitsHoldsOneEvent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		taken   int           // of the places of those that run
		frees   time.Duration // until there is one; 0: never
		status  int
		takes   time.Duration
		asked   []any
		waiting bool // it is not seen whether an event comes
	}{
		"there is a place":    {0, 0, 200, 0, []any{control.EventQuery{Limit: 1, Wait: time.Minute}, control.EventQuery{Limit: 7}}, false},
		"there will be one":   {maxRunning, 3 * time.Second, 200, 3 * time.Second, []any{control.EventQuery{Limit: 1, Wait: time.Minute}, control.EventQuery{Limit: 7}}, false},
		"there is none":       {maxRunning, 0, 503, turnWithin, []any{control.EventQuery{Limit: 1, Wait: time.Minute}}, false},
		"no event has come":   {maxRunning, 0, 200, 0, []any{control.EventQuery{Limit: 1, Wait: time.Minute}}, true},
		"it left, still none": {maxRunning, turnWithin + time.Second, 503, turnWithin, []any{control.EventQuery{Limit: 1, Wait: time.Minute}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				service := sample()
				if test.waiting {
					service.page.Events = nil
				}
				s, _ := newServer(t, service)
				for range test.taken {
					s.rooms.running <- struct{}{}
				}
				if test.frees > 0 {
					time.AfterFunc(test.frees, func() { <-s.rooms.running })
				}
				start := time.Now()
				w := ask(t, s, newRequest(t, "GET", "/api/v1/events?limit=7&wait=60s", ""))
				if took := time.Since(start); w.Code != test.status || took != test.takes {
					t.Errorf("answers %d after %s", w.Code, took)
				}
				var asked []any
				for _, c := range service.taken() {
					asked = append(asked, c.Args...)
				}
				if diff := cmp.Diff(test.asked, asked); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				time.Sleep(time.Minute) // until the timer has run
				left := test.taken
				if test.frees > 0 {
					left--
				}
				if len(s.rooms.waiting) != 0 || len(s.rooms.running) != left {
					t.Errorf("%d stayed behind waiting, %d running", len(s.rooms.waiting), len(s.rooms.running)-left)
				}
			})
		})
	}
}
