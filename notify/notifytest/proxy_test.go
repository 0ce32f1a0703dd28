package notifytest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

func TestProxyForwards(t *testing.T) {
	t.Parallel()
	authority, err := notifytest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Issue("shop.test", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "at "+r.Host) })
	plain := httptest.NewServer(answer)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(answer)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for name, tc := range map[string]struct {
		scheme, target, host string // of the proxy; of the request; where the name is
		user                 *url.Userinfo
		want                 string // "": it fails
	}{
		"a request":                    {"http", "http://shop.test/", plain.Listener.Addr().String(), url.UserPassword("u", "p"), "at shop.test"},
		"a tunnel":                     {"http", "https://shop.test/", secure.Listener.Addr().String(), url.UserPassword("u", "p"), "at shop.test"},
		"by SOCKS5":                    {"socks5", "http://shop.test/", plain.Listener.Addr().String(), url.UserPassword("u", "p"), "at shop.test"},
		"TLS by SOCKS5":                {"socks5", "https://shop.test/", secure.Listener.Addr().String(), url.UserPassword("u", "p"), "at shop.test"},
		"a request without a password": {"http", "http://shop.test/", "", nil, "407"},
		"a tunnel without a password":  {"http", "https://shop.test/", "", nil, ""},
		"the wrong password":           {"http", "https://shop.test/", "", url.UserPassword("u", "q"), ""},
		"SOCKS5 without a password":    {"socks5", "http://shop.test/", "", nil, ""},
		"SOCKS5, the wrong password":   {"socks5", "http://shop.test/", "", url.UserPassword("u", "q"), ""},
		"nobody there":                 {"socks5", "http://shop.test/", "127.0.0.1:1", url.UserPassword("u", "p"), ""},
		"a tunnel, and nobody there":   {"http", "https://shop.test/", "127.0.0.1:1", url.UserPassword("u", "p"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &notifytest.Proxy{Username: "u", Password: "p", Hosts: map[string]string{"shop.test": tc.host}}
			proxy := &url.URL{Scheme: tc.scheme, User: tc.user, Host: listen(t, p, tc.scheme)}
			transport := &http.Transport{
				Proxy: http.ProxyURL(proxy), DisableKeepAlives: true,
				TLSClientConfig: &tls.Config{RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12},
			}
			if got := get(t, transport, tc.target); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			var want []string
			if tc.host != "" {
				want = []string{map[string]string{"a request": "shop.test"}[name]}
				if want[0] == "" {
					want[0] = "shop.test:" + map[bool]string{true: "443", false: "80"}[strings.HasPrefix(tc.target, "https")]
				}
			}
			if diff := cmp.Diff(want, p.Targets()); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

// listen serves a proxy until the end of the test.
func listen(t *testing.T, p *notifytest.Proxy, scheme string) (addr string) {
	t.Helper()
	if scheme == "http" {
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		t.Cleanup(p.Close)
		return server.Listener.Addr().String()
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
	return l.Addr().String()
}

// get returns the body of a good answer, the status of another, and nothing when
// there is none.
func get(t *testing.T, transport http.RoundTripper, target string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.Status[:3]
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}
