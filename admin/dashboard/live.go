package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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
	// quietFor is how long nothing is sent before the page is told that all is well, by
	// which it also brings its times up to date.
	quietFor = 15 * time.Second
	// between is the least time between two messages.
	between = 500 * time.Millisecond
	// eventsPerMessage bounds what a page is sent of a burst. It skips the others.
	eventsPerMessage = 20
	// sendWithin is how long the browser may take to receive a message.
	sendWithin = 10 * time.Second
)

// live tells pages what happens, by server-sent events: events has the rows of new
// events and their place as its id; status says that a page should look again what it
// shows; and tick that nothing has happened.
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
	// A browser that comes back says what it has seen.
	if last, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = last
	}
	select {
	case d.live.slots <- struct{}{}:
		defer func() { <-d.live.slots }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many pages are live. Close some, or reload this one by hand.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s := stream{d: d, w: w, control: http.NewResponseController(w), place: after}
	if r.Method == http.MethodHead {
		return
	}
	for d.isLoggedIn(r) && s.next(r.Context()) {
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

// next sends what is new, and tells whether there is more to come. A browser comes back
// by itself after an end.
func (s *stream) next(ctx context.Context) bool {
	if s.sent.IsZero() && !s.send("tick", "") { // the browser learns that it is connected
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
	found, err := s.d.service.Events(ctx, control.EventQuery{After: s.place, Limit: eventsPerMessage, Wait: eventsWait})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.place = found.Next
	if found.More {
		newest, err := s.d.newest(ctx)
		if err != nil {
			return err
		}
		s.place, found.Events = *newest, nil
	}
	if len(found.Events) > 0 {
		rows, err := s.d.eventRows(found.Events)
		if err != nil || !s.send("events", rows) {
			return err
		}
	}
	status, err := s.d.live.status(ctx)
	if err != nil {
		return err
	}
	changed := s.status != status && s.status != [sha256.Size]byte{}
	s.status = status
	switch {
	case changed || found.More:
		s.send("status", "")
	case time.Since(s.sent) >= quietFor:
		s.send("tick", "")
	}
	return nil
}

// eventRows renders the rows of new events, the newest first as the page has them.
func (d *dashboard) eventRows(events []control.Event) (string, error) {
	shown := showEvents(events)
	slices.Reverse(shown)
	var rows bytes.Buffer
	if err := d.pages["events"].ExecuteTemplate(&rows, "event-rows", shown); err != nil {
		return "", fmt.Errorf("showing new events: %w", err)
	}
	return string(showControls(rows.Bytes())), nil
}

// send sends a message and tells whether the browser is still there.
func (s *stream) send(kind, text string) bool {
	var message bytes.Buffer
	fmt.Fprintf(&message, "retry: 5000\nid: %d\nevent: %s\n", s.place, kind)
	for line := range bytes.Lines([]byte(text + "\n")) {
		fmt.Fprintf(&message, "data: %s", line)
	}
	message.WriteString("\n")
	_ = s.control.SetWriteDeadline(time.Now().Add(sendWithin)) // a test has no connection
	if _, err := s.w.Write(message.Bytes()); err != nil {
		return false
	}
	s.sent = time.Now()
	return s.control.Flush() == nil
}
