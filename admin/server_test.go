package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ecwid-events/ecwid-events/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A pipe is a listener whose connections do not leave the process, so that time can
// be simulated.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipe() *pipe {
	closed := make(chan struct{})
	return &pipe{conns: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error   { p.close(); return nil }
func (p *pipe) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A running is a Server that runs on a pipe.
type running struct {
	pipe   *pipe
	client *http.Client
	stop   context.CancelFunc
	ended  chan error
}

func run(t *testing.T, service control.Service) *running {
	t.Helper()
	s, _ := newServer(t, service)
	r := &running{pipe: newPipe(), ended: make(chan error, 1)}
	done := make(chan struct{})
	s.listener = r.pipe
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() {
		defer close(done)
		r.ended <- s.Run(ctx)
	}()
	transport := &http.Transport{DialContext: r.pipe.dial}
	r.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		<-done
	})
	return r
}

// get returns the status and the body of an answer.
func (r *running) get(t *testing.T, path string) (int, string, error) {
	t.Helper()
	resp, err := r.client.Do(mustRequest(t, path))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func mustRequest(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	large := &fake{store: control.Store{Name: strings.Repeat("x", 1<<20)}}
	const poll = "POST /api/v1/stores/1/poll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{"
	tests := map[string]struct {
		send   string
		pause  time.Duration // before the client reads
		within time.Duration
		answer string // what it begins with
	}{
		"nothing is sent":         {"", 0, headerWithin, ""},
		"a header that ends not":  {"GET /healthz HTTP/1.1\r\nHost: local", 0, headerWithin, ""},
		"a body that ends not":    {poll, 0, requestWithin, "HTTP/1.1 400 "},
		"an answer is not read":   {"GET /api/v1/stores/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", time.Hour, time.Hour, ""},
		"no request follows":      {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, idleWithin, "HTTP/1.1 200 "},
		"a header that is a book": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", maxHeader+4<<10) + "\r\n\r\n", 0, time.Second, "HTTP/1.1 431 "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := run(t, large)
				conn, err := r.pipe.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				start := time.Now()
				go func() { _, _ = io.WriteString(conn, test.send) }()
				time.Sleep(test.pause)
				got, _ := io.ReadAll(conn)
				if !strings.HasPrefix(string(got), test.answer) || len(got) > 1<<19 {
					t.Errorf("answers %.200q and %d bytes", got, len(got))
				}
				if took := time.Since(start).Round(time.Second); took != test.within {
					t.Errorf("cut off after %v, want %v", took, test.within)
				}
			})
		})
	}
}

// TestWaitingForEventsOutlivesTheLimits waits longer than a request or an answer may
// take otherwise.
func TestWaitingForEventsOutlivesTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fake{}
		service.events = func(ctx context.Context) (control.EventPage, error) {
			select {
			case <-ctx.Done():
				return control.EventPage{}, ctx.Err()
			case <-time.After(control.MaxWait + answerWithin - time.Second):
				return control.EventPage{Next: 7}, nil
			}
		}
		r := run(t, service)
		status, body, err := r.get(t, "/api/v1/events?wait=60")
		if status != http.StatusOK || body != `{"events":[],"next":7,"more":false}`+"\n" {
			t.Errorf("answers %d %s %v", status, body, err)
		}
	})
}

func TestAServiceThatTakesTooLongIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &fake{}
		service.events = func(ctx context.Context) (control.EventPage, error) {
			<-ctx.Done()
			return control.EventPage{}, ctx.Err()
		}
		r := run(t, service)
		if status, body, err := r.get(t, "/api/v1/events"); status != http.StatusGatewayTimeout {
			t.Errorf("answers %d %s %v", status, body, err)
		}
	})
}

func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left := make(chan time.Time, 1)
		service := &fake{}
		service.events = func(ctx context.Context) (control.EventPage, error) {
			<-ctx.Done()
			left <- time.Now()
			return control.EventPage{}, ctx.Err()
		}
		r := run(t, service)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		resp, err := r.client.Do(mustRequest(t, "/api/v1/events?wait=60").WithContext(ctx))
		if err == nil {
			resp.Body.Close()
			t.Fatal("a request that was given up got an answer")
		}
		if took := (<-left).Sub(start); took != 3*time.Second {
			t.Errorf("the Service was told after %v", took)
		}
	})
}

// Who waits for events, and is told by the Service that none came, is told when that is
// because the server stops.
func TestAnEmptyPageIsNoAnswerWhenStopping(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]int{"none": 0, "one, at the last moment": 1} {
		s, _ := newServer(t, &fake{events: func(ctx context.Context) (control.EventPage, error) {
			return control.EventPage{Events: make([]control.Event, found)}, nil
		}})
		s.stopWaiting()
		_, err := s.awaitEvent(t.Context(), control.EventQuery{Wait: time.Minute})
		if (found == 0) != errors.Is(err, errStopping) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStopping(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) func(context.Context) (control.EventPage, error) {
		return func(ctx context.Context) (control.EventPage, error) {
			select {
			case <-ctx.Done():
				time.Sleep(time.Second) // what it takes to leave things tidy
				return control.EventPage{}, ctx.Err()
			case <-time.After(d):
				return control.EventPage{}, nil
			}
		}
	}
	tests := map[string]struct {
		path   string
		takes  time.Duration
		status int           // 0: the connection breaks
		ends   time.Duration // Run, after it was told to
	}{
		"who waits for events is told":  {"/api/v1/events?wait=60s", time.Minute, 503, time.Second},
		"a short request gets its time": {"/api/v1/events", 4 * time.Second, 200, 4 * time.Second},
		"a long request is broken off":  {"/api/v1/events", 20 * time.Second, 0, stopWithin + time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := run(t, &fake{events: after(test.takes)})
				status := make(chan int, 1)
				go func() {
					code, _, _ := r.get(t, test.path)
					status <- code
				}()
				synctest.Wait()
				start := time.Now()
				r.stop()
				if err := <-r.ended; err != nil {
					t.Errorf("Run gives %v", err)
				}
				// Shutdown looks after its connections every half second.
				if took := time.Since(start); took < test.ends || took > test.ends+time.Second {
					t.Errorf("Run ends after %v, want %v", took, test.ends)
				}
				if got := <-status; got != test.status {
					t.Errorf("answers %d, want %d", got, test.status)
				}
			})
		})
	}
}

// TestStoppingEndsARequestThatNoConnectionEnds sends more behind a request, after
// which net/http does not see that the connection is closed.
func TestStoppingEndsARequestThatNoConnectionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &fake{events: func(ctx context.Context) (control.EventPage, error) {
			<-ctx.Done()
			return control.EventPage{}, ctx.Err()
		}})
		conn, err := r.pipe.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, part := range []string{"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n", "G"} {
			if _, err := io.WriteString(conn, part); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		start := time.Now()
		r.stop()
		if err := <-r.ended; err != nil || time.Since(start) > stopWithin+time.Second {
			t.Errorf("Run ends after %v: %v", time.Since(start), err)
		}
	})
}

func TestListenAndRun(t *testing.T) {
	t.Parallel()
	s, logs := newServer(t, &fake{})
	address, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := logs.FilterMessage("admin.listening").All()
	if len(lines) != 1 || lines[0].ContextMap()["address"] != address.String() || strings.HasSuffix(address.String(), ":0") {
		t.Errorf("logs %v for %v", lines, address)
	}
	second, _ := newServer(t, &fake{}, func(o *Options) { o.Listen = address.String() })
	if _, err := second.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "(admin.listen): ") || !strings.Contains(err.Error(), "choose another admin.listen") {
		t.Errorf("listening where another listens gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r := mustRequest(t, "/healthz")
	r.URL.Host, r.Close = address.String(), true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	cancel()
	if err := <-ended; err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("answers %d; Run gives %v", resp.StatusCode, err)
	}
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Error("the port is open after Run")
	}
	if w := ask(t, s, newRequest(t, "GET", "/api/v1/status", "")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a request after Run is answered %d", w.Code)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, &fake{})
	if err := s.Run(t.Context()); err == nil {
		t.Error("Run without Listen gives no error")
	}
	if _, err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.listener.Close()
	if err := s.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run on a broken listener gives %v", err)
	}
}
