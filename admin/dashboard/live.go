package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
)

const (
	// maxLive is how many pages are live at a time.
	maxLive = 32
	// eventsWait is how long to wait for an event before looking at the status again,
	// and how long a status that somebody looked at is good for the others.
	eventsWait = 2 * time.Second
	// quietFor is how long nothing is sent before the page is told that all is well. It
	// waits twice as long before it says that contact is lost.
	quietFor = 10 * time.Second
	// between is the least time between two messages.
	between = 500 * time.Millisecond
	// sendWithin is how long the browser may take to receive a message.
	sendWithin = 10 * time.Second
)

// live tells pages when to look again, by server-sent events with the place of the newest
// event as their id: changed says that there are new events or that the status is another
// one, and tick that nothing has happened. What has happened, the page itself says.
type live struct {
	service control.Service
	slots   chan struct{}

	mu     sync.Mutex
	looked time.Time
	seen   [sha256.Size]byte
}

func newLive(service control.Service) *live {
	return &live{service: service, slots: make(chan struct{}, maxLive)}
}

// status is a digest that changes with the status.
func (l *live) status(ctx context.Context) ([sha256.Size]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.looked) < eventsWait {
		return l.seen, nil
	}
	status, err := l.service.Status(ctx)
	if err != nil {
		return l.seen, err
	}
	text, err := json.Marshal(status)
	if err != nil {
		return l.seen, fmt.Errorf("comparing the status: %w", err)
	}
	l.looked, l.seen = time.Now(), sha256.Sum256(text)
	return l.seen, nil
}

func (d *dashboard) serveLive(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	after := in.number("after", 1<<64-1)
	if err := in.err(); err != nil {
		d.refuse(w, r, err)
		return
	}
	select {
	case d.live.slots <- struct{}{}:
		defer func() { <-d.live.slots }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many pages are live. This one looks again now and then; close some to have it live.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s := stream{d: d, w: w, control: http.NewResponseController(w), place: after}
	if r.Method == http.MethodHead {
		return
	}
	for d.IsLoggedIn(r) && s.next(r.Context()) {
		continue
	}
}

// A stream is what one page is told.
type stream struct {
	d       *dashboard
	w       http.ResponseWriter
	control *http.ResponseController
	place   uint64 // of the last event
	status  [sha256.Size]byte
	sent    time.Time
}

// next sends what is new, and tells whether there is more to come. The page comes back
// after an end.
func (s *stream) next(ctx context.Context) bool {
	if s.sent.IsZero() && !s.send("tick") { // the browser learns that it is connected
		return false
	}
	if err := s.look(ctx); err != nil {
		if ctx.Err() == nil {
			s.d.log.Error("dashboard.failed", zap.String("route", "/live"), zap.Error(err))
		}
		return false
	}
	select {
	case <-time.After(between):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *stream) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, showWithin)
	defer cancel()
	found, err := s.d.service.Events(ctx, control.EventQuery{After: s.place, Limit: 1, Wait: eventsWait})
	// A conflict: the page has seen events that are not there any more, for a backup was
	// restored.
	moved := errors.Is(err, control.ErrConflict) || len(found.Events) > 0
	if err != nil && !moved {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if moved {
		newest, err := s.d.newest(ctx)
		if err != nil {
			return err
		}
		s.place = *newest
	}
	status, err := s.d.live.status(ctx)
	if err != nil {
		return err
	}
	changed := s.status != status && s.status != [sha256.Size]byte{}
	s.status = status
	switch {
	case changed || moved:
		s.send("changed")
	case time.Since(s.sent) >= quietFor:
		s.send("tick")
	}
	return nil
}

// send sends a message and tells whether the browser is still there.
func (s *stream) send(kind string) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(sendWithin)) // a test has no connection
	if _, err := fmt.Fprintf(s.w, "id: %d\nevent: %s\ndata:\n\n", s.place, kind); err != nil {
		return false
	}
	s.sent = time.Now()
	return s.control.Flush() == nil
}
