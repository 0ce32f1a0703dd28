package notify_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// A trust is an authority, with files for a callback's TLS.
type trust struct {
	*notifytest.Authority
	dir string
	ca  notify.TLS // the authority's certificate
}

func newTrust(t testing.TB) *trust {
	t.Helper()
	a, err := notifytest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	own := &trust{Authority: a, dir: t.TempDir()}
	own.ca.CAFile = own.write(t, "ca.pem", a.PEM())
	return own
}

func (own *trust) write(t testing.TB, name string, data []byte) string {
	t.Helper()
	// A directory of its own: tests that run at the same time write files of one name.
	dir, err := os.MkdirTemp(own.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// client returns TLS with the authority and a client certificate of it.
func (own *trust) client(t testing.TB, name string) notify.TLS {
	t.Helper()
	cert, key, err := own.IssuePEM(name, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	files := own.ca
	files.CertFile, files.KeyFile = own.write(t, name+".pem", cert), own.write(t, name+".key", key)
	return files
}

// serve serves HTTP/2, and HTTP/1.1, with a certificate for that host. change, when
// it is not nil, has the last word on the server.
func (own *trust) serve(t testing.TB, h http.Handler, host string, notAfter time.Time, change func(*httptest.Server)) *httptest.Server {
	t.Helper()
	certificate, err := own.Issue(host, notAfter)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = discardLog()
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if change != nil {
		change(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// system is an authority that the system trusts, where the system is told by a file
// which ones those are.
var system = sync.OnceValues(func() (*notifytest.Authority, error) {
	a, err := notifytest.NewAuthority()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "authority")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(a.PEM()); err != nil {
		return nil, err
	}
	before, set := os.LookupEnv("SSL_CERT_FILE")
	if err := errors.Join(f.Close(), os.Setenv("SSL_CERT_FILE", f.Name())); err != nil {
		return nil, err
	}
	_, err = x509.SystemCertPool() // it is read once
	if set {
		return a, errors.Join(err, os.Setenv("SSL_CERT_FILE", before))
	}
	return a, errors.Join(err, os.Unsetenv("SSL_CERT_FILE"))
})

func init() { _, _ = system() } // before anything asks for the system's authorities

func TestSystemsAuthorities(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("this system is not told by a file which authorities it trusts")
	}
	authority, err := system()
	if err != nil {
		t.Fatal(err)
	}
	url := (&trust{Authority: authority}).serve(t, &notifytest.Receiver{}, "127.0.0.1", time.Now().Add(time.Hour), nil).URL
	for name, tc := range map[string]struct {
		tls   notify.TLS
		state event.DeliveryState
	}{
		"are trusted":                  {notify.TLS{}, event.Delivered},
		"are not, with one of its own": {newTrust(t).ca, event.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := callbackTo(url)
			c.TLS = tc.tls
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			b.checkState(t, e, tc.state, 1)
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	own, other := newTrust(t), newTrust(t)
	inAnHour, anHourAgo := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	askForCertificate := func(s *httptest.Server) {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, own.Pool()
	}
	// In TLS 1.2 the handshake waits for the verdict on the client; in 1.3 the request is
	// under way by then, and a reset may overtake the alert: see
	// TestClientCertificateIsRefusedAfterTheHandshake.
	refuseInHandshake := func(s *httptest.Server) {
		askForCertificate(s)
		s.TLS.MaxVersion = tls.VersionTLS12
	}
	stranger := other.client(t, "stranger")
	old := func(s *httptest.Server) { s.TLS.MinVersion, s.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }
	for name, tc := range map[string]struct {
		host     string
		notAfter time.Time
		server   func(*httptest.Server)
		tls      notify.TLS
		detail   string // "": accepted
	}{
		"an authority of one's own":            {"127.0.0.1", inAnHour, nil, own.ca, ""},
		"a client certificate":                 {"127.0.0.1", inAnHour, askForCertificate, own.client(t, "sender"), ""},
		"a client certificate nobody asks for": {"127.0.0.1", inAnHour, nil, own.client(t, "other"), ""},
		"an authority that nobody trusts":      {"127.0.0.1", inAnHour, nil, notify.TLS{}, "unknown authority"},
		"an authority that is another":         {"127.0.0.1", inAnHour, nil, other.ca, "unknown authority"},
		"a certificate of another name":        {"callback.test", inAnHour, nil, own.ca, "127.0.0.1"},
		"a certificate that has expired":       {"127.0.0.1", anHourAgo, nil, own.ca, "expired"},
		"no client certificate":                {"127.0.0.1", inAnHour, refuseInHandshake, own.ca, "handshake failure"},
		"a client certificate of nobody": {
			"127.0.0.1", inAnHour, refuseInHandshake,
			notify.TLS{CAFile: own.ca.CAFile, CertFile: stranger.CertFile, KeyFile: stranger.KeyFile},
			"certificate",
		},
		"a version that is too old": {"127.0.0.1", inAnHour, old, own.ca, "version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := &notifytest.Receiver{}
			c := callbackTo(secretURL(own.serve(t, receiver, tc.host, tc.notAfter, tc.server).URL))
			c.TLS = tc.tls
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			if tc.detail == "" {
				b.checkAttempt(t, e, event.Delivered, 200, "", "")
				return
			}
			b.checkAttempt(t, e, event.Pending, 0, notify.ErrorTLS, "")
			if _, attempts := b.delivery(t, e); !strings.Contains(attempts[0].Detail, tc.detail) {
				t.Errorf("the detail is %q, want it to tell of %q", attempts[0].Detail, tc.detail)
			}
			if n := receiver.Requests(); n != 0 {
				t.Errorf("%d requests came through", n)
			}
		})
	}
}

func TestClientCertificateIsRefusedAfterTheHandshake(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	receiver := &notifytest.Receiver{}
	server := own.serve(t, receiver, "127.0.0.1", time.Now().Add(time.Hour), func(s *httptest.Server) {
		s.TLS.ClientAuth, s.TLS.ClientCAs, s.TLS.MinVersion = tls.RequireAndVerifyClientCert, own.Pool(), tls.VersionTLS13
	})
	c := callbackTo(secretURL(server.URL))
	c.TLS = own.ca
	b := newBed(t, c)
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)
	class := notify.ErrorTLS
	if _, attempts := b.delivery(t, e); attempts[0].Error == notify.ErrorReset {
		class = notify.ErrorReset
	}
	b.checkAttempt(t, e, event.Pending, 0, class, "")
	if n := receiver.Requests(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestCheckTLS(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	client, another := own.client(t, "a"), own.client(t, "b")
	key, err := os.ReadFile(client.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	bundle := own.write(t, "bundle.pem", append(append([]byte("two of them\n"), own.PEM()...), newTrust(t).PEM()...))
	half := own.write(t, "half.pem", append(own.PEM(), own.PEM()[:200]...))
	broken := own.write(t, "broken.pem", []byte("-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n"))
	mixed := own.write(t, "mixed.pem", append(own.PEM(), key...))
	none := own.write(t, "none.pem", []byte("hunter2"))
	large := own.write(t, "large.pem", make([]byte, 1<<20+1))
	missing := filepath.Join(own.dir, "missing.pem")
	for name, tc := range map[string]struct {
		files notify.TLS
		want  string // "": none
	}{
		"nothing":                    {notify.TLS{}, ""},
		"an authority":               {own.ca, ""},
		"several, and a comment":     {notify.TLS{CAFile: bundle}, ""},
		"a certificate with its key": {client, ""},
		"a missing authority":        {notify.TLS{CAFile: missing}, "ca_file cannot be read: no such file"},
		"a directory":                {notify.TLS{CAFile: own.dir}, "ca_file is not a regular file"},
		"a large file":               {notify.TLS{CAFile: large}, "ca_file holds more than 1024 KiB"},
		"no PEM":                     {notify.TLS{CAFile: none}, "ca_file holds no certificate"},
		"half a certificate":         {notify.TLS{CAFile: half}, "ca_file is damaged"},
		"no certificate within":      {notify.TLS{CAFile: broken}, "ca_file cannot be read at its certificate 1"},
		"a key with an authority":    {notify.TLS{CAFile: mixed}, "ca_file holds something else than certificates, a PRIVATE KEY"},
		"a certificate without key":  {notify.TLS{CertFile: client.CertFile}, "both of cert_file and key_file"},
		"a key without certificate":  {notify.TLS{KeyFile: client.KeyFile}, "both of cert_file and key_file"},
		"a missing certificate":      {notify.TLS{CertFile: missing, KeyFile: client.KeyFile}, "cert_file cannot be read"},
		"a missing key":              {notify.TLS{CertFile: client.CertFile, KeyFile: missing}, "key_file cannot be read"},
		"the key of another":         {notify.TLS{CertFile: client.CertFile, KeyFile: another.KeyFile}, "does not match"},
		"both the wrong way round":   {notify.TLS{CertFile: client.KeyFile, KeyFile: client.CertFile}, "cert_file and key_file must be PEM"},
		"a key that is no PEM":       {notify.TLS{CertFile: client.CertFile, KeyFile: none}, "cert_file and key_file must be PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := notify.CheckTLS(tc.files)
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), own.dir)) {
				t.Errorf("the error tells what it must not: %v", err)
			}
			c := callbackTo("https://callback.test")
			c.TLS = tc.files
			if _, made := notify.NewDispatcher(notify.Options{Storage: openStorage(t), Callbacks: []notify.Callback{c}}); (made != nil) != (err != nil) {
				t.Errorf("the dispatcher is made with %v, the check says %v", made, err)
			}
		})
	}
}

func TestConnectionsOfHTTP2(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	var mu sync.Mutex
	open, all, others := 0, 0, 0
	closed := make(chan struct{}, 100)
	receiver := &notifytest.Receiver{}
	server := own.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			mu.Lock()
			others++
			mu.Unlock()
		}
		receiver.ServeHTTP(w, r)
	}), "127.0.0.1", time.Now().Add(time.Hour), func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			switch state {
			case http.StateNew:
				open++
				all++
			case http.StateClosed:
				open--
				closed <- struct{}{}
			}
		}
	})
	c := callbackTo(server.URL)
	c.TLS, c.Concurrency = own.client(t, "sender"), 3
	b := newBed(t, c)
	b.commitObjects(t, someStore, 60)
	b.drain(t)
	if n := len(receiver.Arrivals()); n != 60 {
		t.Errorf("%d arrivals, want 60", n)
	}
	mu.Lock()
	if others != 0 || all > c.Concurrency {
		t.Errorf("%d requests were not of HTTP/2, and %d connections were made for %d workers", others, all, c.Concurrency)
	}
	left := all
	mu.Unlock()
	for range left {
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("a connection is still open though the dispatcher has ended")
		}
	}
}

// A connection of HTTP/2 that has died in silence is shared by all attempts. They
// must not fail for as long as TCP takes to notice.
func TestDeadConnectionOfHTTP2IsGivenUp(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	server := own.serve(t, &notifytest.Receiver{}, "127.0.0.1", time.Now().Add(time.Hour), nil)
	relay := newRelay(t, server.Listener.Addr().String())
	c := callbackTo("https://" + relay.addr)
	c.TLS, c.Timeout, c.Concurrency = own.ca, 500*time.Millisecond, 1
	b := newBed(t, c)
	d, _ := b.start(t)
	b.commitObjects(t, someStore, 1)
	d.Wake(someStore)
	b.awaitDelivered(t, c.Name)
	relay.freeze()
	b.commitObjects(t, otherStore, 1)
	d.Wake(otherStore)
	b.awaitDelivered(t, c.Name)
	if n := relay.connections(); n < 2 {
		t.Errorf("%d connections, want another after the first died", n)
	}
}

// The deadline for setting a connection up is no limit to its use.
func TestConnectionOutlivesItsDeadline(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	plain := serve(t, &notifytest.Receiver{})
	secure := own.serve(t, &notifytest.Receiver{}, "127.0.0.1", time.Now().Add(time.Hour), nil)
	for name, server := range map[string]*httptest.Server{"HTTP/1.1": plain, "HTTP/2": secure} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			relay := newRelay(t, server.Listener.Addr().String())
			c := callbackTo(strings.Replace(server.URL, server.Listener.Addr().String(), relay.addr, 1))
			c.Timeout, c.Concurrency = time.Second, 1
			if server == secure {
				c.TLS = own.ca
			}
			b := newBed(t, c)
			d, _ := b.start(t)
			for store := range int64(2) {
				if store > 0 {
					time.Sleep(c.Timeout + c.Timeout/2) // the deadline is the operating system's
				}
				e := b.commitObjects(t, someStore+store, 1)[0]
				d.Wake(someStore + store)
				b.awaitDelivered(t, c.Name)
				b.checkState(t, e, event.Delivered, 1)
			}
			if n := relay.connections(); n != 1 {
				t.Errorf("%d connections, want the first to be used again", n)
			}
		})
	}
}

// The connection ends, and says so.
func TestGoAway(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	certificate, err := own.Issue("127.0.0.1", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	addr := listen(t, func(conn net.Conn) {
		secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
		request := make([]byte, 64<<10)
		_, _ = secure.Read(request)
		// Empty SETTINGS; then GOAWAY, last stream 1, ENHANCE_YOUR_CALM (RFC 9113).
		_, _ = secure.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
		_, _ = secure.Read(request)
		_, _ = secure.Write([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11})
		_ = secure.Close()
	})
	c := callbackTo("https://" + addr)
	c.TLS = own.ca
	b := newBed(t, c)
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)
	b.checkAttempt(t, e, event.Pending, 0, notify.ErrorReset, "")
}
