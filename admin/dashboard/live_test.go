package dashboard

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
)

// A listener is a browser that listens to /live.
type listener struct {
	mu     sync.Mutex
	text   bytes.Buffer
	header http.Header
	stop   context.CancelFunc
	ended  chan struct{}
}

func (l *listener) Header() http.Header { return l.header }
func (l *listener) WriteHeader(int)     {}
func (l *listener) Flush()              {}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// heard returns the kinds and places of the messages since the last time.
func (l *listener) heard() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var heard []string
	for message := range strings.SplitSeq(l.text.String(), "\n\n") {
		var id, kind string
		for line := range strings.Lines(message) {
			if value, ok := strings.CutPrefix(line, "id: "); ok {
				id = strings.TrimSpace(value)
			}
			if value, ok := strings.CutPrefix(line, "event: "); ok {
				kind = strings.TrimSpace(value)
			}
		}
		if kind != "" {
			heard = append(heard, kind+" "+id)
		}
	}
	l.text.Reset()
	return heard
}

func listen(t *testing.T, d http.Handler, target string, cookies ...*http.Cookie) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listener{header: make(http.Header), stop: cancel, ended: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	r.Host = "127.0.0.1:8321"
	for _, c := range cookies {
		r.AddCookie(c)
	}
	go func() {
		defer close(l.ended)
		d.ServeHTTP(l, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-l.ended
	})
	return l
}

// inTime runs a test of what happens after a while, in simulated time.
func inTime(t *testing.T, test func(*testing.T, *fake, http.Handler)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shop := newFake(time.Now())
		d, _ := newDashboard(t, shop, "")
		test(t, shop, d)
	})
}

func TestLiveEvents(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		l := listen(t, d, "/live?after=130")
		if diff := cmp.Diff([]string{"tick 130"}, l.heard()); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		if got := l.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("the type is %q", got)
		}
		shop.happen(1001, "NEW")
		if diff := cmp.Diff([]string{"changed 131"}, l.heard()); diff != "" {
			t.Errorf("after an event (-want +got):\n%s", diff)
		}
		l.stop()
		<-l.ended
	})
}

func TestLiveGoesOnWhereItWas(t *testing.T) {
	inTime(t, func(t *testing.T, _ *fake, d http.Handler) {
		l := listen(t, d, "/live?after=127")
		if diff := cmp.Diff([]string{"tick 127", "changed 130"}, l.heard()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A page that stayed open over the restoring of a backup looks again, and goes on at the
// end of what is there.
func TestLiveAfterARestoredBackup(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		l := listen(t, d, "/live?after=200")
		if diff := cmp.Diff([]string{"tick 200", "changed 130"}, l.heard()); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		shop.happen(1001, "NEW")
		time.Sleep(between + time.Millisecond)
		if diff := cmp.Diff([]string{"changed 131"}, l.heard()); diff != "" {
			t.Errorf("after an event (-want +got):\n%s", diff)
		}
	})
}

func TestLiveStatusAndQuiet(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		l := listen(t, d, "/live?after=130")
		time.Sleep(eventsWait + between + time.Millisecond)
		l.heard()
		shop.setStore(1001, func(s *control.Store) { s.Suspended = "402" })
		time.Sleep(2 * (eventsWait + between))
		if diff := cmp.Diff([]string{"changed 130"}, l.heard()); diff != "" {
			t.Errorf("after a change (-want +got):\n%s", diff)
		}
		time.Sleep(quietFor + eventsWait + between)
		if diff := cmp.Diff([]string{"tick 130"}, l.heard()); diff != "" {
			t.Errorf("when nothing happens (-want +got):\n%s", diff)
		}
	})
}

func TestLiveSkipsBursts(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		l := listen(t, d, "/live?after=1")
		if diff := cmp.Diff([]string{"tick 1", "changed 130"}, l.heard()); diff != "" {
			t.Errorf("far behind (-want +got):\n%s", diff)
		}
		for i := range 10 {
			shop.happen(1001, fmt.Sprint("B-", i))
		}
		time.Sleep(between + time.Millisecond)
		heard := l.heard()
		if n := len(heard); n == 0 || n > 2 || heard[n-1] != "changed 140" {
			t.Errorf("10 events at once are told as %q, want one or two messages up to the last", heard)
		}
	})
}

func TestLiveIsBounded(t *testing.T) {
	inTime(t, func(t *testing.T, _ *fake, d http.Handler) {
		var all []*listener
		for range maxLive {
			all = append(all, listen(t, d, "/live?after=130"))
		}
		synctest.Wait()
		if w := get(t, d, "/live?after=130"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many = %d, want 503", w.Code)
		}
		all[0].stop()
		<-all[0].ended
		l := listen(t, d, "/live?after=130")
		if heard := l.heard(); len(heard) == 0 {
			t.Error("a place that became free is not given away")
		}
	})
}

// mustEnd waits for the end of a stream that has no reason to go on.
func mustEnd(t *testing.T, l *listener) {
	t.Helper()
	select {
	case <-l.ended:
	case <-time.After(eventsWait + 2*between):
		t.Fatal("the stream goes on")
	}
}

func TestLiveEndsWithTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := newDashboard(t, newFake(time.Now()), testToken)
		session := logIn(t, d)
		l := listen(t, d, "/live?after=130", session)
		if heard := l.heard(); len(heard) == 0 {
			t.Fatal("who has logged in hears nothing")
		}
		post(t, d, "/logout", "", session)
		mustEnd(t, l)
	})
}

func TestLiveEndsWhenTheServiceFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shop := newFake(time.Now())
		d, logs := newDashboard(t, shop, "")
		l := listen(t, d, "/live?after=130")
		l.heard()
		shop.fail(errors.New("broken"))
		mustEnd(t, l)
		if logs.FilterMessage("dashboard.failed").Len() != 1 {
			t.Errorf("the log has %v, want the failure once", logs.All())
		}
	})
}

func TestLiveRefuses(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "")
	for _, target := range []string{"/live?after=x", "/live?before=1"} {
		if w := get(t, d, target); w.Code != http.StatusBadRequest {
			t.Errorf("GET %s = %d, want 400", target, w.Code)
		}
	}
}

// TestLiveOutlastsTheTimeouts of a server that are meant for pages.
func TestLiveOutlastsTheTimeouts(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, "")
	server := httptest.NewUnstartedServer(d)
	server.Config.ReadTimeout, server.Config.WriteTimeout = between/2, between/2
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/live?after=130", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	// There is half a second between two messages, which is twice the timeouts.
	for seen := 0; seen < 3; {
		if !lines.Scan() {
			t.Fatalf("the stream ended after %d messages: %v", seen, lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "event: ") {
			seen++
			shop.happen(1001, fmt.Sprint("E-", seen))
		}
	}
}

// A live page that looks again beside the one that follows an order leaves its notice
// to that one.
func TestLookingAgainTakesNoNotice(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "")
	cookies := post(t, d, "/stores/1001/poll", "").Result().Cookies()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stores/1001", http.NoBody)
	r.Header.Set("X-Refresh", "1")
	const said = "Store 1001 is being polled"
	if w := send(d, r, cookies); strings.Contains(w.Body.String(), said) || len(w.Result().Cookies()) > 0 {
		t.Error("looking again takes the notice")
	}
	if w := get(t, d, "/stores/1001", cookies...); !strings.Contains(w.Body.String(), said) {
		t.Error("the notice is gone")
	}
}
