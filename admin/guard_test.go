package admin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

const aToken = "s3cret token" // with a space, which only the first one separates

func withToken(o *Options) { o.Listen, o.Token = "0.0.0.0:0", aToken }

// Of two tokens nobody can say which one counts, so neither does.
func TestSeveralTokensAreNone(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"Bearer " + aToken, "Bearer x", ""} {
		s, _ := newServer(t, sample(), withToken)
		r := newRequest(t, http.MethodGet, "/api/v1/status", "", "Authorization", "Bearer "+aToken)
		r.Header.Add("Authorization", second)
		if w := ask(t, s, r); w.Code != http.StatusUnauthorized {
			t.Errorf("with %q too it answers %d", second, w.Code)
		}
	}
}

func TestTheTokenIsAskedForEverywhere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		headers []string
		status  int
	}{
		"right":                {[]string{"Authorization", "Bearer " + aToken}, 200},
		"scheme in capitals":   {[]string{"Authorization", "BEARER " + aToken}, 200},
		"under any name":       {[]string{"Authorization", "Bearer " + aToken, "Host", "shop.example:8321"}, 200},
		"missing":              {nil, 401},
		"empty":                {[]string{"Authorization", "Bearer "}, 401},
		"only the scheme":      {[]string{"Authorization", "Bearer"}, 401},
		"without the scheme":   {[]string{"Authorization", aToken}, 401},
		"another scheme":       {[]string{"Authorization", "Basic " + aToken}, 401},
		"wrong":                {[]string{"Authorization", "Bearer s3cret tokeN"}, 401},
		"beginning":            {[]string{"Authorization", "Bearer s3cret"}, 401},
		"with more behind":     {[]string{"Authorization", "Bearer " + aToken + "x"}, 401},
		"with a space":         {[]string{"Authorization", "Bearer  " + aToken}, 401},
		"in another header":    {[]string{"X-Token", aToken}, 401},
		"wrong, of this site":  {[]string{"Authorization", "Bearer x", "Sec-Fetch-Site", "same-origin"}, 401},
		"wrong, of other site": {[]string{"Authorization", "Bearer x", "Sec-Fetch-Site", "cross-site"}, 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := sample()
			s, _ := newServer(t, service, withToken)
			for _, o := range requests {
				w := ask(t, s, newRequest(t, o.method, o.target, o.body, test.headers...))
				if got := w.Code == http.StatusUnauthorized; got != (test.status == 401) {
					t.Errorf("%s %s answers %d %s", o.method, o.target, w.Code, w.Body)
				}
				if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (test.status == 401) {
					t.Errorf("WWW-Authenticate is %q", challenge)
				}
			}
			if calls := service.taken(); test.status == 401 && calls != nil {
				t.Errorf("the Service was asked %v", calls)
			}
		})
	}
}

func TestWhatNeedsTheToken(t *testing.T) {
	t.Parallel()
	dashboard := func(o *Options) {
		o.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "dashboard") })
	}
	tests := map[string]struct {
		method, target string
		headers        []string
		status         int
	}{
		"alive":                         {"GET", "/healthz", nil, 200},
		"ready":                         {"GET", "/readyz", nil, 200},
		"metrics":                       {"GET", "/metrics", nil, 401},
		"document":                      {"GET", "/api/v1/openapi.yaml", nil, 401},
		"path that is none":             {"GET", "/api/v2/status", nil, 401},
		"the API itself":                {"GET", "/api", nil, 401},
		"wrong method":                  {"PUT", "/api/v1/status", nil, 401},
		"unclean path":                  {"GET", "//", nil, 401},
		"dashboard asks for it itself":  {"GET", "/", nil, 200},
		"its assets":                    {"GET", "/assets/style.css", nil, 200},
		"its login":                     {"POST", "/login", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"its login from another page":   {"POST", "/login", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"its login from another origin": {"POST", "/login", []string{"Origin", "https://evil.example"}, 403},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newServer(t, sample(), withToken, dashboard)
			r := newRequest(t, test.method, test.target, "", test.headers...)
			if test.target == "//" {
				r.URL.Host, r.URL.Path = "", "//"
			}
			w := httptest.NewRecorder() // openapi.yaml does not describe the dashboard
			s.ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("answers %d %s, want %d", w.Code, w.Body, test.status)
			}
		})
	}
}

func TestPagesOfOtherSitesMayNotCommandWithAToken(t *testing.T) {
	t.Parallel()
	service := sample()
	s, _ := newServer(t, service, withToken)
	r := newRequest(t, "POST", "/api/v1/stores/1/poll", "", "Authorization", "Bearer "+aToken, "Sec-Fetch-Site", "cross-site")
	if w := ask(t, s, r); w.Code != http.StatusForbidden || service.taken() != nil {
		t.Errorf("answers %d %s", w.Code, w.Body)
	}
}

func TestNamesOfThisMachineAreServed(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, sample())
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1:8321", "127.1.2.3:80", "localhost", "localhost:8321", "LocalHost", "localhost.", "[::1]", "[::1]:8321",
		"[::ffff:127.0.0.1]:8321",
	} {
		r := newRequest(t, "POST", "/api/v1/stores/1/poll", "", "Host", host, "Origin", "http://"+host)
		if w := ask(t, s, r); w.Code != http.StatusAccepted {
			t.Errorf("as %s answers %d %s", host, w.Code, w.Body)
		}
	}
}

// TestWrongTokensAreLoggedOnceASecond also sees that no token is in the log.
func TestWrongTokensAreLoggedOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, logs := newServer(t, sample(), withToken)
		for range 30 {
			ask(t, s, newRequest(t, "GET", "/api/v1/status", "", "Authorization", "Bearer "+aToken+"x"))
			time.Sleep(100 * time.Millisecond)
		}
		if logs.Len() != 3 {
			t.Errorf("30 wrong tokens in 3 s are logged %d times", logs.Len())
		}
		for _, line := range logs.All() {
			if fields := line.ContextMap(); line.Message != "admin.refused" || len(fields) != 2 || fields["reason"] != "token" || fields["from"] == "" {
				t.Errorf("logs %v", line)
			}
		}
	})
}

func TestNewRefusesAnOpenAddressWithoutAToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		listen, token string
		ok            bool
	}{
		"loopback":                  {"127.0.0.1:0", "", true},
		"localhost":                 {"localhost:8321", "", true},
		"loopback of IPv6":          {"[::1]:0", "", true},
		"every address":             {"0.0.0.0:8321", "", false},
		"no address":                {":8321", "", false},
		"every address of IPv6":     {"[::]:8321", "", false},
		"a name":                    {"admin.example:8321", "", false},
		"a name that begins as one": {"localhost.example:8321", "", false},
		"every address, token":      {":8321", "t", true},
		"no port":                   {"127.0.0.1", "t", false},
		"nothing":                   {"", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(Options{Listen: test.listen, Token: test.token, Service: &fake{}, Logger: zap.NewNop()}); (err == nil) != test.ok {
				t.Errorf("New gives %v", err)
			}
		})
	}
}
