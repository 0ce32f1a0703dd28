// Package admin serves what package control can tell and do over HTTP: the admin
// API, liveness, readiness and metrics, and next to them a dashboard.
//
// openapi.yaml describes every route with what it takes and answers. Whatever a
// route does not take is refused, never ignored, and every refusal is a problem
// after RFC 9457 that says what to do.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/ecwid-events/ecwid-events/control"
)

// The limits of a connection. A client that is slower is cut off.
const (
	headerWithin  = 5 * time.Second
	requestWithin = 15 * time.Second // header and body
	writeWithin   = 30 * time.Second // an answer, once it is known
	idleWithin    = 2 * time.Minute
	stopWithin    = 5 * time.Second // what runs when the server is stopped
	maxHeader     = 16 << 10        // bytes, to which net/http adds 4 KiB
)

// Options are what a Server needs.
type Options struct {
	Service control.Service
	// Listen is an address and a port; port 0 chooses one.
	Listen string
	// Token is what requests must carry, as Authorization: Bearer. It may be empty
	// where only this machine can reach Listen.
	Token  string
	Logger *zap.Logger
	// Ready says why the program cannot do its work now; nil: it always can. Anyone
	// may read the reason, so it must hold no secret.
	Ready func() error
	// Metrics serves /metrics; nil: there is none.
	Metrics http.Handler
	// Reload reads the configuration again; nil: there is none to read. Its error is
	// judged like one of the Service.
	Reload func(context.Context) error
	// Dashboard serves / and everything that no route has. It asks for the token
	// itself, for a browser does not send one; requests of other sites are refused
	// before they come to it. Where it has IsLoggedIn(*http.Request) bool, the log tells
	// what was commanded by those who have logged in. nil: there is none.
	Dashboard http.Handler
}

// A Server serves the admin API. It is made by New.
type Server struct {
	o   Options
	log *zap.Logger

	routes     http.Handler
	http       *http.Server
	listener   net.Listener
	sameOrigin *http.CrossOriginProtection
	refusals   rate.Sometimes // that are logged

	// stopping ends what waits for events, canceled every request.
	stopping, canceled context.Context
	stopWaiting        context.CancelFunc
	cancelRequests     context.CancelFunc

	rooms rooms

	// running counts the requests, of which none begins once the server has stopped.
	running sync.WaitGroup
	mu      sync.Mutex
	stopped bool
}

// New returns a Server that does not listen yet. It refuses an address that other
// machines can reach without a token.
func New(o Options) (*Server, error) {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("the address to listen on must be an address and a port, such as 127.0.0.1:8321: %w", err)
	}
	if o.Token == "" && !isLoopback(host) {
		return nil, fmt.Errorf("other machines can reach %s: set a token, or listen on 127.0.0.1", o.Listen)
	}
	errorLog, err := zap.NewStdLogAt(o.Logger, zap.WarnLevel)
	if err != nil {
		return nil, fmt.Errorf("logging what goes wrong with connections: %w", err)
	}
	s := &Server{
		o: o, log: o.Logger,
		sameOrigin: http.NewCrossOriginProtection(),
		rooms:      newRooms(),
		refusals:   rate.Sometimes{Interval: time.Second},
	}
	s.stopping, s.stopWaiting = context.WithCancel(context.Background())
	s.canceled, s.cancelRequests = context.WithCancel(context.Background())
	s.routes = s.mux()
	s.http = &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            headerWithin,
		ReadTimeout:                  requestWithin,
		WriteTimeout:                 answerWithin + writeWithin, // more for some routes
		IdleTimeout:                  idleWithin,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return s.canceled },
		ErrorLog:                     errorLog,
	}
	return s, nil
}

// Listen opens the port and logs the address as admin.listening, and returns it. It
// is called once, before Run.
func (s *Server) Listen(ctx context.Context) (net.Addr, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", s.o.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: another program listens there: stop it, or choose another admin.listen", err)
	}
	if err != nil {
		return nil, fmt.Errorf("listening for the admin API on %s (admin.listen): %w", s.o.Listen, err)
	}
	s.listener = l
	s.log.Info("admin.listening", zap.String("address", l.Addr().String()))
	return l.Addr(), nil
}

// Run serves until ctx ends. Then requests that wait for events end at once, the
// others have 5 seconds. When Run returns, the port is closed and no request runs
// any more.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("serving the admin API: Listen was not called")
	}
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serving the admin API: %w", err), s.stop())
	case <-ctx.Done():
		err := s.stop()
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serving the admin API: %w", end))
		}
		return err
	}
}

func (s *Server) stop() error {
	s.stopWaiting()
	grace, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	err := s.http.Shutdown(grace)
	if err != nil {
		s.cancelRequests()
		err = s.http.Close()
	}
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.running.Wait()
	s.cancelRequests()
	if err != nil {
		return fmt.Errorf("closing the admin API: %w", err)
	}
	return nil
}

// ServeHTTP serves one request, also without Listen and Run.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if !s.begin() {
		s.refuse(w, r, errStopping)
		return
	}
	defer s.running.Done()
	stay := s.rooms.of(r).enter()
	if stay == nil {
		s.refuse(w, r, errBusy)
		return
	}
	defer stay.leave()
	r = r.WithContext(context.WithValue(r.Context(), stayKey{}, stay))
	if isCommand(r) {
		s.serveAudited(w, r)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// begin counts a request, unless the server has stopped.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.running.Add(1)
	}
	return !s.stopped
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}
