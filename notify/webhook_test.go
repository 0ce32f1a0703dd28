package notify_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// secretURL adds to a server's URL what must never be shown.
func secretURL(server string) string {
	return strings.Replace(server, "://", "://user:hunter2@", 1) + "/hook?key=hunter2"
}

// serve serves a receiver that closes with the test.
func serve(t testing.TB, r *notifytest.Receiver) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(r)
	server.Config.ErrorLog = discardLog()
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(r.Close)
	return server
}

func TestWhatBecomesOfAnAttempt(t *testing.T) {
	t.Parallel()
	type want struct {
		state  event.DeliveryState
		status int
		class  string
		body   string
	}
	delivered := func(status int) want { return want{event.Delivered, status, "", "seen"} }
	refused := func(status int) want { return want{event.Pending, status, notify.ErrorStatus, "seen"} }
	for name, tc := range map[string]struct {
		step notifytest.Step
		want want
	}{
		"200":                   {notifytest.Step{Status: 200, Body: "seen"}, delivered(200)},
		"204":                   {notifytest.Step{Status: 204}, want{event.Delivered, 204, "", ""}},
		"301 without Location":  {notifytest.Step{Status: 301, Body: "seen"}, want{event.Pending, 301, notify.ErrorRedirect, "seen"}},
		"302":                   {notifytest.Step{Status: 302, Body: "seen", Location: "/hunter2"}, want{event.Pending, 302, notify.ErrorRedirect, "seen"}},
		"307 to a broken place": {notifytest.Step{Status: 307, Body: "seen", Location: "http://%hunter2"}, want{event.Pending, 307, notify.ErrorRedirect, "seen"}},
		"500":                   {notifytest.Step{Status: 500, Body: "seen"}, refused(500)},
		"a broken Retry-After":  {notifytest.Step{Status: 503, Body: "seen", RetryAfter: "soon"}, refused(503)},
		"reset after the body":  {notifytest.Step{Fault: notifytest.Reset}, want{event.Pending, 0, notify.ErrorReset, ""}},
		"hang before the answer": {
			notifytest.Step{Fault: notifytest.Hang},
			want{event.Pending, 0, notify.ErrorTimeout, ""},
		},
		"reset in the answer's body": {
			notifytest.Step{Body: "seen", Fault: notifytest.ResetBody},
			want{event.Pending, 200, notify.ErrorBody, "seen"},
		},
		"reset in the answer's body of a failure": {
			notifytest.Step{Status: 400, Body: "seen", Fault: notifytest.ResetBody},
			refused(400),
		},
		"hang in the answer's body": {
			notifytest.Step{Body: "seen", Fault: notifytest.HangBody},
			want{event.Pending, 200, notify.ErrorTimeout, "seen"},
		},
		"an endless body of a success": {
			notifytest.Step{Body: "seen", Fault: notifytest.EndlessBody},
			want{event.Delivered, 200, "", "seen" + strings.Repeat("more and ", 200)[:1020]},
		},
		"an endless body of a failure": {
			notifytest.Step{Status: 500, Body: "seen", Fault: notifytest.EndlessBody},
			want{event.Pending, 500, notify.ErrorStatus, "seen" + strings.Repeat("more and ", 200)[:1020]},
		},
		"a body that is not text": {
			notifytest.Step{Body: "\xff\xfea" + strings.Repeat("é", 1000)},
			want{event.Delivered, 200, "", "\uFFFDa" + strings.Repeat("é", 510)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := &notifytest.Receiver{Script: notifytest.InTurn(tc.step)}
			c := callbackTo(secretURL(serve(t, receiver).URL))
			c.Timeout = time.Minute
			if tc.want.class == notify.ErrorTimeout {
				c.Timeout = 200 * time.Millisecond
			}
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)

			b.checkAttempt(t, e, tc.want.state, tc.want.status, tc.want.class, tc.want.body)
			if n := receiver.Requests(); n != 1 {
				t.Errorf("%d requests for one attempt", n)
			}
		})
	}
}

// checkAttempt checks the one attempt of an event, and that neither it nor the log
// tells a secret.
func (b *bed) checkAttempt(t *testing.T, e event.Event, state event.DeliveryState, status int, class, body string) {
	t.Helper()
	d, attempts := b.delivery(t, e)
	if len(attempts) != 1 {
		t.Fatalf("%d attempts, want 1", len(attempts))
	}
	a := attempts[0]
	if d.State != state || a.Status != status || a.Error != class || string(a.Response) != body {
		t.Errorf("state %s, status %d, error %q (%s), response %q; want %s, %d, %q, %q",
			d.State, a.Status, a.Error, a.Detail, a.Response, state, status, class, body)
	}
	if class != "" && a.Detail == "" {
		t.Errorf("the failure %s has no detail", class)
	}
	if !utf8.Valid(a.Response) || len(a.Response) > 1024 {
		t.Errorf("the response kept is %d bytes, valid UTF-8: %t", len(a.Response), utf8.Valid(a.Response))
	}
	b.checkSecrets(t, a)
}

// checkSecrets checks that neither an attempt nor the log tells a secret.
func (b *bed) checkSecrets(t *testing.T, a event.Attempt) {
	t.Helper()
	shown := a.Detail
	for _, line := range b.log.All() {
		shown += fmt.Sprintln(line.Message, line.ContextMap())
	}
	for _, secret := range []string{"hunter2", "user:", "key=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if strings.Contains(strings.ToLower(shown), strings.ToLower(secret)) {
			t.Errorf("%q is told: %s", secret, shown)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	accepting := &notifytest.Receiver{}
	closed := httptest.NewServer(accepting)
	closed.Close()
	secure := httptest.NewUnstartedServer(accepting)
	secure.Config.ErrorLog = discardLog()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := serve(t, accepting)
	for name, tc := range map[string]struct{ url, class string }{
		"nobody listens":                      {closed.URL, notify.ErrorConnect},
		"the name does not exist":             {"http://callback.invalid", notify.ErrorDNS},
		"the certificate is not trusted":      {secure.URL, notify.ErrorTLS},
		"HTTP where HTTPS is expected":        {strings.Replace(plain.URL, "http", "https", 1), notify.ErrorTLS},
		"not HTTP":                            {talk(t, "SSH-2.0-hunter2\r\n"), notify.ErrorProtocol},
		"the connection is closed":            {talk(t, ""), notify.ErrorReset},
		"the connection breaks in the header": {talk(t, "HTTP/1.1 200 OK\r\n"), notify.ErrorReset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, callbackTo(secretURL(tc.url)))
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			b.checkAttempt(t, e, event.Pending, 0, tc.class, "")
		})
	}
}

// talk returns the URL of a server that reads a request's header, says something,
// and hangs up.
func talk(t *testing.T, words string) string {
	t.Helper()
	return "http://" + listen(t, func(conn net.Conn) {
		request := make([]byte, 64<<10)
		_, _ = conn.Read(request)
		_, _ = conn.Write([]byte(words))
	})
}

// listen serves connections, each in its turn, until the end of the test, and returns
// the address.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	return l.Addr().String()
}

func TestCertificateOfAnotherName(t *testing.T) {
	t.Parallel()
	receiver := &notifytest.Receiver{}
	server := httptest.NewUnstartedServer(receiver)
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	transport, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("the test server's client has another transport than expected")
	}
	transport = transport.Clone()
	t.Cleanup(transport.CloseIdleConnections)
	// The server's certificate is trusted by this transport; it is for 127.0.0.1
	// and example.com.
	for host, class := range map[string]string{"127.0.0.1": "", "localhost": notify.ErrorTLS} {
		b := newBed(t, callbackTo("https://"+host+":"+port))
		b.options.Transport = transport
		e := b.commitObjects(t, someStore, 1)[0]
		b.drain(t)
		_, attempts := b.delivery(t, e)
		if a := attempts[0]; a.Error != class {
			t.Errorf("%s: error %q (%s), want %q", host, a.Error, a.Detail, class)
		}
	}
}

func TestResetBeforeTheBody(t *testing.T) {
	t.Parallel()
	receiver := &notifytest.Receiver{ResetBefore: func(n int) bool { return n == 1 }}
	b := newBed(t, callbackTo(serve(t, receiver).URL))
	e := version(someStore, "A", 1)
	e.Raw = []byte(`{"id":"A","note":"` + strings.Repeat("long ", 1<<20) + `"}`)
	b.commit(t, e)
	b.drain(t)
	b.checkAttempt(t, e, event.Pending, 0, notify.ErrorReset, "")
}

func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want int
	}{
		"after a short answer":             {"seen", 1},
		"not after one beyond the maximum": {strings.Repeat("long ", 20<<10), 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connections := make(map[string]bool)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				connections[r.RemoteAddr] = true // one worker: one request at a time
				_, _ = w.Write([]byte(tc.body))
			}))
			t.Cleanup(server.Close)
			c := callbackTo(server.URL)
			c.Concurrency = 1
			b := newBed(t, c)
			b.commitObjects(t, someStore, 20)
			b.drain(t)
			if len(connections) != tc.want {
				t.Errorf("%d connections for 20 deliveries, want %d", len(connections), tc.want)
			}
		})
	}
}

func TestConnectionsAreClosedInTheEnd(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(&notifytest.Receiver{})
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed) // there is one connection
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	b := newBed(t, callbackTo(server.URL))
	b.commitObjects(t, someStore, 1)
	b.drain(t)
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open though the dispatcher has ended")
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var got *http.Request
	receiver := &notifytest.Receiver{
		Verify: func(h http.Header, body []byte) error { return verifier.Verify(body, h) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		receiver.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c := callbackTo(secretURL(server.URL))
	c.SigningSecrets = []string{"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD0000", secret}
	c.Headers = map[string]string{"x-tenant": "7 Blumen ☺"}
	b := newBed(t, c)
	b.options.UserAgent = "ecwid-events/1.2.3"
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)

	b.checkState(t, e, event.Delivered, 1)
	if refused := receiver.Refused(); len(refused) != 0 {
		t.Errorf("refused: %v", refused)
	}
	user, password, _ := got.BasicAuth()
	if got.Method != http.MethodPost || got.RequestURI != "/hook?key=hunter2" || user != "user" || password != "hunter2" {
		t.Errorf("got %s %s as %s:%s", got.Method, got.RequestURI, user, password)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "ecwid-events/1.2.3", "Webhook-Id": e.ID,
		"X-Tenant": "7 Blumen ☺",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("header %s is %q, want %q", name, v, want)
		}
	}
	format, err := notify.FormatByName("standard")
	if err != nil {
		t.Fatal(err)
	}
	body, err := format.Body(e, event.Full)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(body)
	if arrivals := receiver.Arrivals(); len(arrivals) != 1 || arrivals[0].BodyHash != hex.EncodeToString(hash[:]) {
		t.Errorf("arrived: %+v, want the body of the format", arrivals)
	}
}

func TestFormatIsThatOfTheDetection(t *testing.T) {
	t.Parallel()
	const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for name, tc := range map[string]struct {
		secrets []string
		class   string
	}{
		"with a secret that suits it": {[]string{"other", standardSecret}, ""},
		"without secrets":             {nil, ""},
		"with none that suits it":     {[]string{"other"}, notify.ErrorFormat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := &notifytest.Receiver{}
			b := newBed(t, callbackTo(serve(t, receiver).URL))
			e := b.commitObjects(t, someStore, 1)[0]
			b.options.Callbacks[0].Format = "openconnectors"
			b.options.Callbacks[0].SigningSecrets = tc.secrets
			b.drain(t)
			_, attempts := b.delivery(t, e)
			if attempts[0].Error != tc.class {
				t.Errorf("error %q (%s), want %q", attempts[0].Error, attempts[0].Detail, tc.class)
			}
			if refused := receiver.Refused(); len(refused) != 0 {
				t.Errorf("not the standard format: %v", refused)
			}
		})
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	receiver := &notifytest.Receiver{Script: notifytest.InTurn(notifytest.Step{Status: 500})}
	b := newBed(t, callbackTo(serve(t, receiver).URL))
	var told []notify.Attempted
	b.options.OnAttempt = func(a notify.Attempted) { told = append(told, a) }
	c := &b.options.Callbacks[0]
	c.Retry.First, c.Retry.Longest, c.Concurrency = time.Nanosecond, time.Nanosecond, 1
	b.commitObjects(t, someStore, 1)
	b.drain(t)
	b.drain(t)
	lines := b.log.FilterMessage("delivery.attempted").All()
	if len(lines) != 2 || len(told) != 2 {
		t.Fatalf("%d lines and %d calls for 2 attempts", len(lines), len(told))
	}
	always := []string{"attempt", "callback", "duration_ms", "event_id", "object", "state", "status", "store", "type"}
	if lines[0].Level != zap.WarnLevel || lines[1].Level != zap.InfoLevel {
		t.Errorf("levels %s and %s, want warn for the failure and info for the success", lines[0].Level, lines[1].Level)
	}
	for i, want := range [][]string{{"detail", "error", "next_attempt"}, {"lag_ms"}} {
		var got []string
		for key := range lines[i].ContextMap() {
			got = append(got, key)
		}
		slices.Sort(got)
		want = append(want, always...)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("line %d has the fields %v, want %v", i+1, got, want)
		}
	}
	if told[0].Lag() != 0 || told[1].Lag() <= 0 {
		t.Errorf("lags %s and %s, want 0 for the failure and more for the success", told[0].Lag(), told[1].Lag())
	}
}
