package notify_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// TestStatusCodes says what every status code comes to: those of the IANA registry of
// HTTP status codes, and some that are in none. 410 is an answer like the others
// here; what else it means for the callback is not the attempt's business.
func TestStatusCodes(t *testing.T) {
	t.Parallel()
	groups := []struct {
		class  string // "": delivered
		waits  bool   // for the Retry-After
		status []int
	}{
		{"", false, []int{200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 218, 299}},
		{notify.ErrorRedirect, true, []int{300, 301, 302, 303, 304, 305, 306, 307, 308, 399}},
		{notify.ErrorStatus, true, []int{
			400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423,
			424, 425, 426, 428, 429, 431, 451, 420, 444, 499,
		}},
		{notify.ErrorStatus, true, []int{500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 530, 599}},
		{notify.ErrorStatus, true, []int{0, 99, 101, 600, 777, 999}},
		// The others that announce an answer are none, and the connection ends.
		{notify.ErrorReset, false, []int{100, 102, 103, 104, 199}},
	}
	var callbacks []notify.Callback
	for _, g := range groups {
		for _, status := range g.status {
			callbacks = append(callbacks, named(callbackTo(talk(t, answerOf(status))), strconv.Itoa(status)))
		}
	}
	b := newBed(t, callbacks...)
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)
	for _, g := range groups {
		for _, status := range g.status {
			d, attempts, err := b.storage.Delivery(t.Context(), strconv.Itoa(status), e.ID)
			if err != nil {
				t.Fatal(err)
			}
			state, want := event.Pending, status
			if g.class == "" {
				state = event.Delivered
			}
			if g.class == notify.ErrorReset {
				want = 0
			}
			a := attempts[0]
			if d.State != state || a.Error != g.class || a.Status != want || (a.Detail == "") != (g.class == "") {
				t.Errorf("%d: %s, error %q (%q), status %d; want %s, %q, %d", status, d.State, a.Error, a.Detail, a.Status, state, g.class, want)
			}
			if waits := time.Until(d.NextAttempt) > time.Minute; waits != g.waits {
				t.Errorf("%d: next attempt at %s; want it after its Retry-After: %t", status, d.NextAttempt, g.waits)
			}
		}
	}
}

// answerOf is an answer with a status and a Retry-After.
func answerOf(status int) string {
	body := "Content-Length: 4\r\n\r\nseen"
	if status < 200 || status == 204 || status == 304 { // they have none
		body = "\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 %03d Hunter2\r\nRetry-After: 90\r\nConnection: close\r\n%s", status, body)
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, tc := range map[string]struct {
		words string
		// class is that of an attempt of which nothing is known but that it failed.
		class string
	}{
		"another protocol":                      {"SSH-2.0-hunter2\r\n", notify.ErrorProtocol},
		"an answer of HTTP/0.9":                 {"<html>hunter2</html>", notify.ErrorProtocol},
		"a status of two digits":                {"HTTP/1.1 20 hunter2\r\n\r\n", notify.ErrorProtocol},
		"a status of letters":                   {"HTTP/1.1 hunter2 OK\r\n\r\n", notify.ErrorProtocol},
		"a status below nothing":                {"HTTP/1.1 -20 hunter2\r\n\r\n", notify.ErrorProtocol},
		"a version that is none":                {"HTTP/hunter2 200 OK\r\n\r\n", notify.ErrorProtocol},
		"a header that is none":                 {ok + "hunter2\r\n\r\n", notify.ErrorProtocol},
		"two lengths":                           {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", notify.ErrorProtocol},
		"a length that is none":                 {ok + "Content-Length: hunter2\r\n\r\n", notify.ErrorProtocol},
		"an unknown coding":                     {ok + "Transfer-Encoding: hunter2\r\n\r\n", notify.ErrorProtocol},
		"a header without an end":               {ok + strings.Repeat("X: hunter2\r\n", 10_000), notify.ErrorProtocol},
		"a header of one endless line":          {ok + "X: " + strings.Repeat("hunter2", 20_000), notify.ErrorProtocol},
		"nothing but announcements of one":      {strings.Repeat("HTTP/1.1 103 Hunter2\r\nX: y\r\n\r\n", 4_000), notify.ErrorProtocol},
		"nothing":                               {"", notify.ErrorReset},
		"a part of the first line":              {"HTTP/1.1 200", notify.ErrorReset},
		"a part of the header":                  {ok + "X: hunter2\r\n", notify.ErrorReset},
		"an announcement, and no answer to it":  {"HTTP/1.1 100 Continue\r\n\r\n", notify.ErrorReset},
		"a connection for another protocol":     {"HTTP/1.1 101 Hunter2\r\nConnection: upgrade\r\nUpgrade: hunter2\r\n\r\n", notify.ErrorStatus},
		"a part of the body":                    {ok + "Content-Length: 9\r\n\r\nseen", notify.ErrorBody},
		"a part of the body, in chunks":         {ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nseen\r\n", notify.ErrorBody},
		"chunks that are none":                  {ok + "Transfer-Encoding: chunked\r\n\r\nhunter2\r\n", notify.ErrorBody},
		"a body that ends with the connection":  {ok + "\r\nseen", ""},
		"announcements, and then an answer":     {strings.Repeat("HTTP/1.1 103 Hunter2\r\n\r\n", 5) + ok + "Content-Length: 0\r\n\r\n", ""},
		"an answer, and words that follow it":   {ok + "Connection: close\r\nContent-Length: 4\r\n\r\nseen and more", ""},
		"a part of the body of one that failed": {"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nseen", notify.ErrorStatus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, callbackTo(secretURL(talk(t, tc.words))))
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			d, attempts := b.delivery(t, e)
			a := attempts[0]
			if a.Error != tc.class || (d.State == event.Delivered) != (tc.class == "") {
				t.Errorf("%s, error %q (%s), want %q", d.State, a.Error, a.Detail, tc.class)
			}
			b.checkSecrets(t, a)
		})
	}
}

// An answer that hands the connection over has no end. The attempt must have one.
func TestSwitchingProtocolsIsNoAnswerToWaitFor(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the sender goes
	}))
	t.Cleanup(server.Close)
	b := newBed(t, callbackTo(server.URL))
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)
	b.checkAttempt(t, e, event.Pending, 101, notify.ErrorStatus, "")
	<-ended
}

// hangs is how long a test's callback may take where the other side says nothing.
const hangs = 200 * time.Millisecond

func TestHangs(t *testing.T) {
	t.Parallel()
	silent := silence(t)
	for name, tc := range map[string]struct {
		url    string
		status int
		body   string
	}{
		"in connecting":         {"http://" + unanswered(t), 0, ""},
		"in the TLS handshake":  {"https://" + silent.addr, 0, ""},
		"before the answer":     {"http://" + silent.addr, 0, ""},
		"within the first line": {"http://" + silence(t, "HTTP/1.1 2").addr, 0, ""},
		"within the header":     {"http://" + silence(t, "HTTP/1.1 200 OK\r\nX: y\r\n").addr, 0, ""},
		"after announcing":      {"http://" + silence(t, "HTTP/1.1 100 Continue\r\n\r\n").addr, 0, ""},
		"within the body":       {"http://" + silence(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nseen").addr, 200, "seen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := callbackTo(tc.url)
			c.Timeout = hangs
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			b.checkAttempt(t, e, event.Pending, tc.status, notify.ErrorTimeout, tc.body)
			_, attempts := b.delivery(t, e)
			if took := attempts[0].Duration; took < hangs {
				t.Errorf("took %s, want at least the timeout of %s", took, hangs)
			}
		})
	}
	// What has failed has failed, whatever its body was to say.
	b := newBed(t, callbackTo("http://"+silence(t, "HTTP/1.1 503 X\r\nRetry-After: 90\r\nContent-Length: 9\r\n\r\nseen").addr))
	b.options.Callbacks[0].Timeout = hangs
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)
	b.checkAttempt(t, e, event.Pending, 503, notify.ErrorStatus, "seen")
	if d, _ := b.delivery(t, e); time.Until(d.NextAttempt) < time.Minute {
		t.Errorf("next attempt at %s, before the answer's Retry-After", d.NextAttempt)
	}
}

// unanswered returns an address at which nobody answers an attempt to connect: that
// of a listener whose queue is full. Where the system has no such thing, it skips
// the test.
func unanswered(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	shortenQueue(t, l)
	for range 10 {
		conn, err := (&net.Dialer{Timeout: hangs}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return l.Addr().String()
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Skip("this system takes more connections than a listener's queue holds")
	return ""
}

func shortenQueue(t *testing.T, l net.Listener) {
	t.Helper()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		t.Fatalf("a listener of tcp is a %T", l)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { listenAgain(t, fd) }); err != nil {
		t.Fatal(err)
	}
}
