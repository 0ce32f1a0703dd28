package poller

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// errKilled is what a dead poller meets: nothing that it does has an effect.
var errKilled = errors.New("killed")

// A lifeline counts a poller's calls to the outside, and kills it at the last one:
// before that call, or afterwards.
type lifeline struct {
	left       int
	afterwards bool
	dead       atomic.Bool
	spared     atomic.Bool
	cut        context.CancelFunc
}

func (l *lifeline) spare()      { l.spared.Store(true) }
func (l *lifeline) alive() bool { return !l.dead.Load() }

// call makes a call, unless the poller is dead.
func (l *lifeline) call(f func() error) error {
	if l.dead.Load() {
		return errKilled
	}
	l.left--
	if l.left > 0 || l.spared.Load() {
		return f()
	}
	if l.afterwards {
		_ = f() // nobody is left to be told
	}
	l.dead.Store(true)
	l.cut()
	return errKilled
}

// mortal is the storage of a poller that can be killed. Reading has no effect, so
// that only commits count. Some of them fail: before or after they are durable.
type mortal struct {
	*journal
	life *lifeline
	full func() bool
}

func (m mortal) Commit(ctx context.Context, set *event.ChangeSet) error {
	return m.life.call(func() error {
		if m.full() {
			return syscall.ENOSPC
		}
		err := m.journal.Commit(ctx, set)
		if err == nil && m.full() {
			err = syscall.EIO
		}
		return err
	})
}

// mortalTransport is the way to Ecwid of a poller that can be killed.
type mortalTransport struct {
	http.RoundTripper
	life *lifeline
	deaf func() bool
}

func (m mortalTransport) RoundTrip(r *http.Request) (response *http.Response, err error) {
	err = m.life.call(func() (err error) {
		if single(r) && m.deaf() {
			return syscall.ECONNRESET
		}
		response, err = m.RoundTripper.RoundTrip(r) //nolint:bodyclose // the caller closes what it gets
		return err
	})
	if errors.Is(err, errKilled) && response != nil {
		response.Body.Close()
		response = nil
	}
	return response, err
}

// steady takes the jitter out of retries, so that a seed repeats itself: a request
// that is made again waits for the end of the longest backoff.
type steady struct {
	next http.RoundTripper
	pace time.Duration
	last time.Time
	url  string
}

// longestBackoff is that of the client before its third and last try.
const longestBackoff = 2 * time.Second

func (s *steady) RoundTrip(r *http.Request) (*http.Response, error) {
	pace := s.pace
	if s.url == r.URL.String() {
		pace = longestBackoff
	}
	time.Sleep(time.Until(s.last.Add(pace)))
	s.url = r.URL.String()
	defer func() { s.last = time.Now() }()
	return s.next.RoundTrip(r)
}
