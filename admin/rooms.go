package admin

import (
	"context"
	"net/http"
	"time"
)

// How many requests there are at the same time. Those that ask whether the program
// lives, and what it counts, have a room of their own, so that no others keep them out.
//
// The rooms also bound the memory of the answers. The largest is a page of events: its
// objects are at most control.MaxPage, 8 MiB, and the text of its JSON is there twice,
// once for the encoder and once to be sent: about 24 MiB, and 768 MiB for all that run. A
// page as it mostly is, 100 events of 5 KB, takes 1.5 MiB; one event that is larger than
// MaxPage is a page alone. Who waits for events holds one event at most, and gets a page
// when it is its turn to run.
const (
	maxRunning = 32
	maxWaiting = 256 // long polls, and pages that stay open
	maxProbing = 8
	// Who wants to log in may be anybody, and slow.
	maxEntering = 8
)

const eventsPath = "/api/v1/events"

const (
	// turnWithin is how long who has waited for events waits for a place to run.
	turnWithin = 10 * time.Second
	// retryAfter is told to those for whom there is no place, in seconds.
	retryAfter = "1"
)

// A room holds a token for each request that is in it.
type room chan struct{}

// rooms are where requests are, each in one of them.
type rooms struct{ running, waiting, probing, entering room }

func newRooms() rooms {
	return rooms{make(room, maxRunning), make(room, maxWaiting), make(room, maxProbing), make(room, maxEntering)}
}

// of is the room that a request begins in.
func (rs *rooms) of(r *http.Request) room {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/metrics":
		return rs.probing
	case "/login":
		return rs.entering
	case "/live":
		return rs.waiting
	case eventsPath:
		if r.URL.Query().Has("wait") {
			return rs.waiting
		}
	}
	return rs.running
}

// A stay is a request in a room.
type stay struct{ in room }

// enter is nil when the room is full.
func (ro room) enter() *stay {
	select {
	case ro <- struct{}{}:
		return &stay{ro}
	default:
		return nil
	}
}

func (s *stay) leave() { <-s.in }

type stayKey struct{}

// run moves the request of a context to the room of those that run, as soon as there is
// a place.
func (rs *rooms) run(ctx context.Context) error {
	s, has := ctx.Value(stayKey{}).(*stay)
	if !has || s.in == rs.running {
		return nil
	}
	patience := time.NewTimer(turnWithin)
	defer patience.Stop()
	select {
	case rs.running <- struct{}{}:
		s.leave()
		s.in = rs.running
		return nil
	case <-patience.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}
