package poller

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// errKilled is what a dead poller meets: nothing that it does has an effect.
var errKilled = errors.New("killed")

// A lifeline counts a poller's calls to the outside, and kills it at the last one:
// before that call, or afterwards. It lets through one call at a time.
type lifeline struct {
	turn       chan struct{} // full while a call is under way
	left       int
	afterwards bool
	dead       atomic.Bool
	spared     atomic.Bool
	cut        context.CancelFunc
}

func newLifeline(cut context.CancelFunc) *lifeline {
	return &lifeline{turn: make(chan struct{}, 1), left: 1 << 30, cut: cut}
}

func (l *lifeline) spare()      { l.spared.Store(true) }
func (l *lifeline) alive() bool { return !l.dead.Load() }

// call makes a call, unless the poller is dead.
func (l *lifeline) call(f func() error) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
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
// that only commits count. Some of them fail or panic: before or after they are
// durable.
type mortal struct {
	*journal
	life         *lifeline
	full, panics func() bool
	// back is how far the local clock has been put back in all: what was written by
	// it before lies that much in the future.
	back time.Duration
	// committed is told the outcome of each commit.
	committed func(*event.ChangeSet, error)
}

func (m mortal) Cursor(ctx context.Context, storeID int64, resource string) (event.Cursor, error) {
	c, err := m.journal.Cursor(ctx, storeID, resource)
	c.Reconciled = shift(c.Reconciled, m.back)
	return c, err
}

func (m mortal) Commit(ctx context.Context, set *event.ChangeSet) error {
	kept := *set
	kept.Cursor.Reconciled = shift(kept.Cursor.Reconciled, -m.back)
	time.Sleep(aside)
	return m.life.call(func() error {
		if m.full() {
			return syscall.ENOSPC
		}
		err := m.journal.Commit(ctx, &kept)
		m.committed(&kept, err)
		if err == nil && m.panics() {
			panic("behind a durable commit")
		}
		if err == nil && m.full() {
			err = syscall.EIO
		}
		return err
	})
}

// shift moves a time, unless it is zero.
func shift(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(by)
}

// mortalTransport is the way to Ecwid of a poller that can be killed.
type mortalTransport struct {
	http.RoundTripper
	life *lifeline
	deaf func() bool
	// answered is told of each list that was answered.
	answered func(*http.Request)
}

func (m mortalTransport) RoundTrip(r *http.Request) (response *http.Response, err error) {
	err = m.life.call(func() (err error) {
		if single(r) && m.deaf() {
			return syscall.ECONNRESET
		}
		response, err = m.RoundTripper.RoundTrip(r) //nolint:bodyclose // the caller closes what it gets
		if err == nil {
			m.answered(r)
		}
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

	mu    sync.Mutex
	last  time.Time            // when the last request ended
	asked map[string]time.Time // the same by URL
}

// longestBackoff is that of the client before its third and last try.
const longestBackoff = 2 * time.Second

// aside is how long the goroutine of a sweep that judges and commits waits before each
// call, so that the one that reads has gone as far as it can: a seed repeats itself.
const aside = time.Millisecond

func (s *steady) RoundTrip(r *http.Request) (*http.Response, error) {
	url := r.URL.String()
	s.mu.Lock()
	at := s.last.Add(s.pace)
	if again := s.asked[url].Add(longestBackoff); again.After(at) {
		at = again
	}
	s.mu.Unlock()
	time.Sleep(time.Until(at))
	if single(r) {
		time.Sleep(aside)
	}
	defer func() {
		s.mu.Lock()
		s.last = time.Now()
		s.asked[url] = s.last
		s.mu.Unlock()
	}()
	return s.next.RoundTrip(r)
}
