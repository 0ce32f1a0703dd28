package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ecwid-events/ecwid-events/config"
)

// The log tells who had a store polled: a program with the token, or a person who has
// logged in to the dashboard.
func TestTheLogTellsWhoOrdered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Admin.Token = config.NewSecret("sesame open")
	d := s.start(t)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var session *http.Cookie
	post := func(path, form, token string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, strings.NewReader(form))
		d.must(t, err)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		} else {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if session != nil {
			r.AddCookie(session)
		}
		resp, err := browser.Do(r)
		d.must(t, err)
		d.must(t, resp.Body.Close())
		for _, c := range resp.Cookies() {
			if strings.Contains(c.Name, "session") {
				session = c
			}
		}
	}
	post("/stores/1003/pause", "", "") // before the login
	post("/api/v1/stores/1003/pause", "", "sesame shut")
	post("/api/v1/stores/1003/pause", "", "sesame open")
	post("/login", url.Values{"token": {"sesame open"}}.Encode(), "")
	post("/stores/1003/resume", "", "")
	lines := d.logs.FilterMessage("admin.ordered").All()
	if len(lines) != 2 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for i, want := range []map[string]any{
		{"what": "POST /api/v1/stores/{id}/pause", "store": "1003", "result": int64(204), "from": "127.0.0.1", "by": "token", "through": "api"},
		{"what": "POST /stores/{id}/resume", "store": "1003", "result": int64(303), "from": "127.0.0.1", "by": "session", "through": "dashboard"},
	} {
		for name, value := range want {
			if got := lines[i].ContextMap()[name]; got != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, got, value)
			}
		}
	}
}
