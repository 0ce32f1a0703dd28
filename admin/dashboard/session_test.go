package dashboard

import (
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
	for _, target := range []string{"/stores/1001/poll", "/callbacks/erp/drop", "/deliveries/replay"} {
		if w := post(t, d, target, "state=dead"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login" {
			t.Errorf("POST %s = %d to %q, want 303 to /login", target, w.Code, w.Header().Get("Location"))
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
	session := logIn(t, d)
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
