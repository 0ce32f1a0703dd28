package notify_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// viaProxy serves a proxy in the way of that scheme and returns its URL.
func viaProxy(t *testing.T, p *notifytest.Proxy, scheme string, own *trust) string {
	t.Helper()
	t.Cleanup(p.Close)
	switch scheme {
	case "http":
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		return server.URL
	case "https":
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.TLS.PeerCertificates) > 0 {
				t.Error("the proxy was shown the certificate that is for the callback")
			}
			p.ServeHTTP(w, r)
		})
		return own.serve(t, h, "127.0.0.1", time.Now().Add(time.Hour), func(s *httptest.Server) {
			s.EnableHTTP2, s.TLS.ClientAuth = false, tls.RequestClientCert
		}).URL
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.ServeSOCKS(l)
	}()
	t.Cleanup(func() {
		_ = l.Close()
		p.Close()
		<-ended
	})
	return "socks5://" + l.Addr().String()
}

// withUser adds a user to a URL.
func withUser(rawURL, userinfo string) string {
	return strings.Replace(rawURL, "://", "://"+userinfo+"@", 1)
}

func hostOf(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestProxy(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	const host = "callback.test" // a name that only the proxy knows
	for _, scheme := range []string{"http", "https", "socks5"} {
		for _, target := range []string{"http", "https"} {
			for _, password := range []string{"", "hunter2"} {
				t.Run(scheme+" to "+target+" with password "+password, func(t *testing.T) {
					t.Parallel()
					receiver := &notifytest.Receiver{}
					server := serve(t, receiver)
					if target == "https" {
						server = own.serve(t, receiver, host, time.Now().Add(time.Hour), nil)
					}
					p := &notifytest.Proxy{Hosts: map[string]string{host: hostOf(t, server.URL)}}
					c := callbackTo(target + "://user:hunter2@" + host + "/hook?key=hunter2")
					c.Proxy = viaProxy(t, p, scheme, own)
					if password != "" {
						p.Username, p.Password = "user", password
						c.Proxy = withUser(c.Proxy, "user:"+password)
					}
					if target == "https" {
						c.TLS = own.client(t, "sender")
					}
					b := newBed(t, c)
					if scheme == "https" && target == "http" {
						// The proxy is not trusted: the authority would be of an https callback.
						e := b.commitObjects(t, someStore, 1)[0]
						b.drain(t)
						b.checkAttempt(t, e, event.Pending, 0, notify.ErrorProxy, "")
						return
					}
					events := b.commitObjects(t, someStore, 3)
					b.drain(t)
					for _, e := range events {
						b.checkAttempt(t, e, event.Delivered, 200, "", "")
					}
					if n := len(receiver.Arrivals()); n != 3 {
						t.Errorf("%d arrivals, want 3", n)
					}
					for _, target := range p.Targets() {
						if name, _, _ := strings.Cut(target, ":"); name != host {
							t.Errorf("the proxy was asked for %s, want the name %s", target, host)
						}
					}
				})
			}
		}
	}
}

func TestProxyFails(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	const callback = "callback.test"
	demanding := func() *notifytest.Proxy { return &notifytest.Proxy{Username: "user", Password: "right"} }
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, tc := range map[string]struct {
		proxy  string
		target string
		status int
		detail string
	}{
		"HTTP, nobody listens":               {closed.URL, "https", 0, "connection refused"},
		"SOCKS5, nobody listens":             {"socks5://" + hostOf(t, closed.URL), "https", 0, "connection refused"},
		"its name does not exist":            {"http://proxy.invalid", "http", 0, "no such host"},
		"HTTP, no password":                  {viaProxy(t, demanding(), "http", own), "http", 407, "(407)"},
		"HTTP, no password for a tunnel":     {viaProxy(t, demanding(), "http", own), "https", 0, "(407)"},
		"HTTP, the wrong password":           {withUser(viaProxy(t, demanding(), "http", own), "user:hunter2"), "https", 0, "(407)"},
		"HTTPS, the wrong password":          {withUser(viaProxy(t, demanding(), "https", own), "user:hunter2"), "https", 0, "(407)"},
		"SOCKS5, no password":                {viaProxy(t, demanding(), "socks5", own), "https", 0, "no acceptable authentication methods"},
		"SOCKS5, the wrong password":         {withUser(viaProxy(t, demanding(), "socks5", own), "user:hunter2"), "http", 0, "authentication failed"},
		"HTTP, it refuses the tunnel":        {viaProxy(t, &notifytest.Proxy{Refuse: 403}, "http", own), "https", 0, "403 Forbidden"},
		"HTTP, it does not know the name":    {viaProxy(t, &notifytest.Proxy{Hosts: map[string]string{callback: "callback.invalid:1"}}, "http", own), "https", 0, "502 Bad Gateway"},
		"SOCKS5, it does not know the name":  {viaProxy(t, &notifytest.Proxy{Hosts: map[string]string{callback: "callback.invalid:1"}}, "socks5", own), "http", 0, "host unreachable"},
		"it is of another kind":              {talk(t, "SSH-2.0-hunter2\r\n"), "https", 0, "not valid HTTP"},
		"SOCKS5, and it is of another kind":  {"socks5://" + hostOf(t, talk(t, "SSH-2.0-hunter2\r\n")), "http", 0, "unexpected protocol version"},
		"it hangs up":                        {talk(t, ""), "https", 0, "the connection broke"},
		"it breaks off":                      {talk(t, "HTTP/1.1 200 "), "https", 0, "the connection broke"},
		"SOCKS5, and it hangs up":            {"socks5://" + hostOf(t, talk(t, "")), "https", 0, "EOF"},
		"HTTPS, and it speaks no TLS":        {strings.Replace(talk(t, "HTTP/1.1 400 hunter2\r\n\r\n"), "http", "https", 1), "https", 0, "TLS"},
		"HTTPS, and its certificate is none": {viaProxy(t, &notifytest.Proxy{}, "https", newTrust(t)), "https", 0, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := callbackTo(tc.target + "://user:hunter2@" + callback + "/hook?key=hunter2")
			c.Proxy = tc.proxy
			if tc.target == "https" {
				c.TLS = own.ca
			}
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			b.checkAttempt(t, e, event.Pending, tc.status, notify.ErrorProxy, "")
			if _, attempts := b.delivery(t, e); !strings.HasPrefix(attempts[0].Detail, "the proxy: ") || !strings.Contains(attempts[0].Detail, tc.detail) {
				t.Errorf("the detail is %q, want that of the proxy and %q", attempts[0].Detail, tc.detail)
			}
		})
	}
}

// What fails behind the proxy is not the proxy's failure.
func TestTargetFailsBehindAProxy(t *testing.T) {
	t.Parallel()
	own, other := newTrust(t), newTrust(t)
	const host = "callback.test"
	untrusted := other.serve(t, &notifytest.Receiver{}, host, time.Now().Add(time.Hour), nil)
	for name, tc := range map[string]struct {
		scheme, server, class string
	}{
		"a certificate through a tunnel":  {"http", untrusted.URL, notify.ErrorTLS},
		"a certificate through SOCKS5":    {"socks5", untrusted.URL, notify.ErrorTLS},
		"a connection through SOCKS5":     {"socks5", talk(t, ""), notify.ErrorReset},
		"another protocol through SOCKS5": {"socks5", talk(t, "SSH-2.0\r\n"), notify.ErrorProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &notifytest.Proxy{Hosts: map[string]string{host: hostOf(t, tc.server)}}
			scheme, _, _ := strings.Cut(tc.server, ":")
			c := callbackTo(scheme + "://" + host)
			c.Proxy = viaProxy(t, p, tc.scheme, own)
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			b.checkAttempt(t, e, event.Pending, 0, tc.class, "")
		})
	}
}

func TestAddressesAreRefused(t *testing.T) {
	t.Parallel()
	own := newTrust(t)
	p := &notifytest.Proxy{}
	proxies := map[string]string{"http": viaProxy(t, p, "http", own), "socks5": viaProxy(t, p, "socks5", own)}
	for name, tc := range map[string]struct{ target, proxy string }{
		"a target":                           {"http://169.254.169.254", ""},
		"a target of https":                  {"https://169.254.169.254", ""},
		"a target of IPv6":                   {"http://[fd00:ec2::254]:80", ""},
		"a target with a zone":               {"http://[fe80::1%25lo]", ""},
		"a mapped target":                    {"http://[::ffff:169.254.169.254]", ""},
		"a target behind a proxy":            {"http://169.254.169.254", proxies["http"]},
		"a target in a tunnel":               {"https://169.254.169.254", proxies["http"]},
		"a target behind SOCKS5":             {"http://[fe80::a9fe:a9fe%25eth0]:8080", proxies["socks5"]},
		"a target in decimal behind a proxy": {"http://2852039166", proxies["http"]},
		"a target in octal behind a proxy":   {"http://0251.0376.0251.0376", proxies["socks5"]},
		"a proxy":                            {"http://callback.test", "http://169.254.169.254:3128"},
		"a proxy of https":                   {"https://callback.test", "https://169.254.169.254:3128"},
		"a proxy of SOCKS5":                  {"https://callback.test", "socks5://user:hunter2@[fd00:ec2::254]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := callbackTo(secretURL(tc.target))
			c.Proxy = tc.proxy
			b := newBed(t, c)
			e := b.commitObjects(t, someStore, 1)[0]
			b.drain(t)
			b.checkAttempt(t, e, event.Pending, 0, notify.ErrorAddress, "")
			if _, attempts := b.delivery(t, e); !strings.Contains(attempts[0].Detail, "correct the url") {
				t.Errorf("the detail %q does not say what to do", attempts[0].Detail)
			}
		})
	}
	t.Cleanup(func() {
		if asked := p.Targets(); len(asked) != 0 {
			t.Errorf("the proxy was asked for %v", asked)
		}
	})
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	p := &notifytest.Proxy{Hosts: map[string]string{}}
	proxy := viaProxy(t, p, "http", nil)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	b := newBed(t, callbackTo("http://callback.invalid"))
	e := b.commitObjects(t, someStore, 1)[0]
	b.drain(t)
	b.checkAttempt(t, e, event.Pending, 0, notify.ErrorDNS, "")
	if slices.Contains(p.Targets(), "callback.invalid") {
		t.Error("the proxy of the environment was asked")
	}
}
