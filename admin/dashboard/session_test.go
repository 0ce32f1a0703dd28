package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// logIn returns the cookie that the right token gives.
func logIn(t testing.TB, d http.Handler) *http.Cookie {
	t.Helper()
	w := post(t, d, "/login", "token="+testToken)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("logging in = %d with %d cookies, want 303 and one", w.Code, len(cookies))
	}
	return cookies[0]
}

func TestWithoutLogin(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, testToken)
	for target, want := range map[string]string{
		"/":                "/login",
		"/stores?state=ok": "/login?next=%2Fstores%3Fstate%3Dok",
		"/stores?find=" + strings.Repeat("x", maxNext): "/login",
		"/events/evt_1":       "/login?next=%2Fevents%2Fevt_1",
		"/callbacks/erp/drop": "/login?next=%2Fcallbacks%2Ferp%2Fdrop",
	} {
		if w := get(t, d, target); w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("GET %s = %d to %q, want 303 to %q", target, w.Code, w.Header().Get("Location"), want)
		}
	}
	if w := get(t, d, "/login?undone=1"); !strings.Contains(textOf(w), "You were logged out; nothing was done.") {
		t.Errorf("nobody is told that an order was not carried out:\n%s", textOf(w))
	}
	if w := get(t, d, "/login"); strings.Contains(textOf(w), "nothing was done") {
		t.Errorf("who only asks to log in is told that nothing was done:\n%s", textOf(w))
	}
	for _, target := range []string{"/stores/1001/poll", "/callbacks/erp/drop", "/deliveries/replay"} {
		if w := post(t, d, target, "state=dead"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login?undone=1" {
			t.Errorf("POST %s = %d to %q, want 303 to /login?undone=1", target, w.Code, w.Header().Get("Location"))
		}
	}
	if w := get(t, d, "/live"); w.Code != http.StatusUnauthorized {
		t.Errorf("GET /live = %d, want 401", w.Code)
	}
	forged := &http.Cookie{Name: "ecwid_events_session_8321", Value: testToken}
	if w := get(t, d, "/stores", forged); w.Code != http.StatusSeeOther {
		t.Errorf("the token as a cookie = %d, want 303", w.Code)
	}
	if orders := shop.noted(); len(orders) > 0 {
		t.Errorf("a stranger's orders were carried out: %q", orders)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	d, logs := newDashboard(t, newFake(time.Now()), testToken)
	session := logIn(t, d)
	for name, form := range map[string]string{
		"wrong":    "token=guess",
		"empty":    "token=",
		"absent":   "",
		"a part":   "token=" + testToken[1:],
		"and more": "token=" + testToken + "x",
	} {
		w := post(t, d, "/login", form)
		if w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) > 0 || !strings.Contains(textOf(w), "That is not the token.") {
			t.Errorf("%s: logging in = %d with %d cookies, want 401", name, w.Code, len(w.Result().Cookies()))
		}
	}
	if !session.HttpOnly || session.SameSite != http.SameSiteStrictMode || session.Secure || strings.Contains(session.Value, testToken) {
		t.Errorf("the cookie is %v", session)
	}
	if w := get(t, d, "/stores", session); w.Code != http.StatusOK || !strings.Contains(textOf(w), "Log out") {
		t.Errorf("after logging in GET /stores = %d", w.Code)
	}
	if w := get(t, d, "/login?next=/events", session); w.Header().Get("Location") != "/events" {
		t.Errorf("who has logged in is led to %q, want /events", w.Header().Get("Location"))
	}
	if w := post(t, d, "/logout", "", session); w.Code != http.StatusSeeOther {
		t.Errorf("logging out = %d, want 303", w.Code)
	}
	if w := get(t, d, "/stores", session); w.Code != http.StatusSeeOther {
		t.Errorf("after logging out GET /stores = %d, want 303", w.Code)
	}
	for _, entry := range logs.All() {
		for _, field := range entry.Context {
			if strings.Contains(field.String, "guess") || strings.Contains(field.String, testToken) {
				t.Errorf("%s logs the token", entry.Message)
			}
		}
	}
}

// TestLoginLeadsBackToTheForm whose order was not carried out.
func TestLoginLeadsBackToTheForm(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), testToken)
	for referer, want := range map[string]string{
		"http://127.0.0.1:8321/deliveries?state=dead":                       "/login?next=%2Fdeliveries%3Fstate%3Ddead&undone=1",
		"http://127.0.0.1:8321/":                                            "/login?undone=1",
		"http://evil.example/deliveries":                                    "/login?undone=1",
		"http://127.0.0.1:8321//evil.example":                               "/login?undone=1",
		"http://127.0.0.1:8321/stores?find=" + strings.Repeat("x", maxNext): "/login?undone=1",
		"": "/login?undone=1",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/deliveries/replay", strings.NewReader("callback=erp"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Referer", referer)
		if got := send(d, r, nil).Header().Get("Location"); got != want {
			t.Errorf("from %.60q the login is %q, want %q", referer, got, want)
		}
	}
}

func guessFrom(t *testing.T, d http.Handler, address, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", strings.NewReader("token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = address
	return send(d, r, nil)
}

func TestWrongTokensAreSlowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, logs := newDashboard(t, newFake(time.Now()), testToken)
		const here, near, elsewhere = "[2001:db8::1]:4000", "[2001:db8::2:0:0:1]:5000", "[2001:db8:1::1]:4000"
		for i := range maxGuesses {
			time.Sleep(10 * time.Second)
			if w := guessFrom(t, d, here, "guess"); w.Code != http.StatusUnauthorized {
				t.Errorf("wrong token %d = %d, want 401", i+1, w.Code)
			}
		}
		for name, token := range map[string]string{"a wrong": "guess", "the right": testToken} {
			w := guessFrom(t, d, near, token)
			if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "21" || len(w.Result().Cookies()) > 0 {
				t.Errorf("%s token after five wrong ones = %d, Retry-After %q, want 429 and 21", name, w.Code, w.Header().Get("Retry-After"))
			}
		}
		if w := guessFrom(t, d, elsewhere, testToken); w.Code != http.StatusSeeOther {
			t.Errorf("from elsewhere logging in = %d, want 303", w.Code)
		}
		time.Sleep(20 * time.Second)
		if w := guessFrom(t, d, here, testToken); w.Code != http.StatusSeeOther {
			t.Errorf("a minute after the first wrong token logging in = %d, want 303", w.Code)
		}
		if n := logs.FilterMessage("dashboard.login_refused").Len(); n != maxGuesses {
			t.Errorf("%d refusals in %d different seconds are %d lines", maxGuesses+2, maxGuesses, n)
		}
	})
}

// TestGuessesAreForgiven to who knows the token.
func TestGuessesAreForgiven(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), testToken)
	for range 3 * maxGuesses {
		guessFrom(t, d, "192.0.2.7:1", "guess")
		if w := guessFrom(t, d, "192.0.2.7:1", testToken); w.Code != http.StatusSeeOther {
			t.Fatalf("logging in after one wrong token = %d, want 303", w.Code)
		}
	}
}

func TestGuessesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		guess := func(i int) time.Duration {
			return g.guess(&http.Request{RemoteAddr: fmt.Sprintf("10.0.%d.%d:1", i/256, i%256)})
		}
		refused := 0
		for i := range 2 * maxGuessers {
			if guess(i) > 0 {
				refused++
			}
		}
		if len(g.tallies) > maxGuessers+1 || refused != maxGuessers-maxGuesses {
			t.Errorf("%d addresses are told apart, %d refused", len(g.tallies), refused)
		}
		time.Sleep(guessesLast)
		if guess(3*maxGuessers) > 0 || len(g.tallies) > 2 {
			t.Errorf("%d addresses are remembered for longer than a minute", len(g.tallies))
		}
	})
}

func TestCookieBehindTLS(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), testToken)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", strings.NewReader("token="+testToken))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-Proto", "https")
	if cookies := send(d, r, nil).Result().Cookies(); len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("behind a proxy that does TLS the cookies are %v, want a secure one", cookies)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := newDashboard(t, newFake(time.Now()), testToken)
		session := logIn(t, d)
		time.Sleep(sessionLasts - time.Second)
		if w := get(t, d, "/stores", session); w.Code != http.StatusOK {
			t.Errorf("a second before the end GET /stores = %d, want 200", w.Code)
		}
		time.Sleep(time.Second)
		if w := get(t, d, "/stores", session); w.Code != http.StatusSeeOther {
			t.Errorf("at the end GET /stores = %d, want 303", w.Code)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		first := s.begin()
		var last string
		for range maxSessions {
			time.Sleep(time.Second)
			last = s.begin()
		}
		if len(s.ends) != maxSessions || s.holds(first) || !s.holds(last) {
			t.Errorf("%d sessions hold, the oldest %t, the newest %t", len(s.ends), s.holds(first), s.holds(last))
		}
	})
}

func TestNoticesAreBounded(t *testing.T) {
	t.Parallel()
	n := newNotices()
	var cookies []*http.Cookie
	for range maxNotices + 1 {
		w := httptest.NewRecorder()
		n.set(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody), notice{Text: "done"})
		cookies = append(cookies, w.Result().Cookies()...)
	}
	take := func(c *http.Cookie) *notice {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.AddCookie(c)
		return n.take(httptest.NewRecorder(), r)
	}
	if len(n.texts) != maxNotices || take(cookies[0]) != nil || take(cookies[maxNotices]) == nil {
		t.Errorf("%d notices wait, the oldest among them or the newest not", len(n.texts))
	}
}
