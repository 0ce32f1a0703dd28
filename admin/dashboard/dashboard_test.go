package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// newDashboard returns the dashboard of a Service, and what it logs.
func newDashboard(t testing.TB, service control.Service, token string) (http.Handler, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	d, err := New(Options{Service: service, Token: token, Version: "1.2.3", Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	return d, logs
}

// get asks for a page, with cookies.
func get(t testing.TB, d http.Handler, target string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	return send(d, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody), cookies)
}

// post sends a form, given as the query of an address.
func post(t testing.TB, d http.Handler, target, form string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(d, r, cookies)
}

func send(d http.Handler, r *http.Request, cookies []*http.Cookie) *httptest.ResponseRecorder {
	r.Host = "127.0.0.1:8321"
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

var (
	tag    = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// textOf is what a person reads on a page.
func textOf(w *httptest.ResponseRecorder) string {
	return spaces.ReplaceAllString(tag.ReplaceAllString(w.Body.String(), " "), " ")
}

// TestNothingYet looks at the pages of a daemon that has just been installed.
func TestNothingYet(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, &fake{rung: make(chan struct{})}, "")
	for target, want := range map[string]string{
		"/":           "Nothing needs attention No store is configured. No callback is configured.",
		"/stores":     "No store is configured",
		"/callbacks":  "No callback is configured",
		"/events":     "No event matches",
		"/deliveries": "No callback is configured",
	} {
		if w := get(t, d, target); w.Code != http.StatusOK || !strings.Contains(textOf(w), want) {
			t.Errorf("GET %s = %d, want 200 and %q:\n%s", target, w.Code, want, textOf(w))
		}
	}
}

// A stranger is a Service that counts nothing.
type stranger struct{ control.Service }

func TestWithoutHistory(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, stranger{newFake(time.Now())}, "")
	for _, target := range []string{"/", "/callbacks", "/callbacks/erp"} {
		w := get(t, d, target)
		if w.Code != http.StatusOK || strings.Contains(textOf(w), "24 h") || strings.Contains(w.Body.String(), "uPlot") {
			t.Errorf("GET %s = %d, want 200 without figures:\n%s", target, w.Code, textOf(w))
		}
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	ids := []string{"evt_" + strings.Repeat("a", 64), "evt_" + strings.Repeat("b", 64), "evt_gone"}
	for target, c := range map[string]struct {
		form  string
		want  []string
		to    string
		notes string
	}{
		"/stores/1001/poll":             {"", []string{"poll 1001"}, "/stores/1001", "Store 1001 is being polled."},
		"/stores/1001/reconcile":        {"", []string{"reconcile 1001"}, "/stores/1001", "compared as a whole"},
		"/stores/1001/pause":            {"", []string{"pause 1001"}, "/stores/1001", "Store 1001 is paused."},
		"/stores/1001/resume":           {"", []string{"resume 1001"}, "/stores/1001", "is polled again"},
		"/callbacks/erp/test":           {"", []string{"test erp"}, "/callbacks/erp", "accepted the test event with 200 in 52 ms"},
		"/callbacks/erp/pause":          {"", []string{"pause erp"}, "/callbacks/erp", "Callback erp is paused."},
		"/callbacks/erp/resume":         {"", []string{"resume erp"}, "/callbacks/erp", "is delivered to again"},
		"/callbacks/older-crm/resume":   {"", []string{"resume older-crm"}, "/callbacks", "is not paused any more"},
		"/callbacks/erp/replay":         {"", []string{"replay event= dead=true callback=erp"}, "/callbacks/erp", "1 delivery became pending again"},
		"/callbacks/old-crm/move":       {"to=erp", []string{"move old-crm to erp"}, "/callbacks/erp", "7 deliveries moved from old-crm to erp."},
		"/callbacks/old-crm/drop":       {"state=dead", []string{"drop dead old-crm"}, "/callbacks", "3 dead of old-crm dropped for good."},
		"/events/" + ids[0] + "/replay": {"callback=", []string{"replay event=" + ids[0] + " dead=false callback="}, "/events/" + ids[0], "1 delivery became pending again"},
		"/events/" + ids[1] + "/replay": {"callback=erp", []string{"replay event=" + ids[1] + " dead=false callback=erp"}, "/events/" + ids[1], "1 delivery became pending again"},
		"/deliveries/replay": {
			"callback=erp&state=dead&event=" + ids[0] + "&event=" + ids[2],
			[]string{"replay event=" + ids[0] + " dead=false callback=erp", "replay event=evt_gone dead=false callback=erp"},
			"/deliveries?callback=erp&state=dead", "1 event is not there any more.",
		},
	} {
		shop := newFake(time.Now())
		d, _ := newDashboard(t, shop, "")
		w := post(t, d, target, c.form)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != c.to {
			t.Errorf("POST %s = %d to %q, want 303 to %s:\n%s", target, w.Code, w.Header().Get("Location"), c.to, textOf(w))
			continue
		}
		if diff := cmp.Diff(c.want, shop.noted()); diff != "" {
			t.Errorf("POST %s ordered (-want +got):\n%s", target, diff)
		}
		cookies := w.Result().Cookies()
		if text := textOf(get(t, d, "/stores", cookies...)); !strings.Contains(text, c.notes) {
			t.Errorf("POST %s did not say %q:\n%s", target, c.notes, text)
		}
		if text := textOf(get(t, d, "/stores", cookies...)); strings.Contains(text, c.notes) {
			t.Errorf("POST %s said %q twice", target, c.notes)
		}
	}
}

func TestTestEventThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	shop.attempt = control.Attempt{Error: "timeout", Detail: "no answer within 5s", Seconds: 5}
	d, _ := newDashboard(t, shop, "")
	w := post(t, d, "/callbacks/erp/test", "")
	const want = "Not done: Callback erp did not accept the test event: timeout after 5.0 s. no answer within 5s"
	if text := textOf(get(t, d, "/callbacks/erp", w.Result().Cookies()...)); !strings.Contains(text, want) {
		t.Errorf("the page does not say %q:\n%s", want, text)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, "")
	const get, post = http.MethodGet, http.MethodPost
	for _, c := range []struct {
		name, method, target, form string
		status                     int
		says                       string
	}{
		{"no such page", get, "/nothing", "", 404, "no such page"},
		{"no such store", get, "/stores/77", "", 404, "page of all stores lists"},
		{"a store that is no number", get, "/stores/x", "", 404, "no such store"},
		{"no such callback", get, "/callbacks/none", "", 404, "no callback of that name"},
		{"no such event", get, "/events/evt_0", "", 404, "storage.keep_delivered"},
		{"an event's id of another form", get, "/events/%3Cscript%3E", "", 404, "no event"},
		{"no such asset", get, "/assets/secret", "", 404, "no such file"},
		{"an asset that is a licence", get, "/assets/LICENSE", "", 404, "no such file"},
		{"an unknown filter", get, "/stores?colour=red", "", 400, "colour"},
		{"an unknown state", get, "/stores?state=sleepy", "", 400, "state must be one of"},
		{"a page that is no number", get, "/stores?page=-1", "", 400, "page must be a whole number"},
		{"a filter given twice", get, "/events?store=1&store=2", "", 400, "more than once"},
		{"an unknown type", get, "/events?type=order.eaten", "", 400, "type must be one of"},
		{"a control character", get, "/events?object=%00", "", 400, "control characters"},
		{"too long a text", get, "/stores?find=" + strings.Repeat("x", 257), "", 400, "256 bytes"},
		{"a broken address", get, "/events?store=%zz", "", 400, "cannot be read"},
		{"dropping what is delivered", get, "/callbacks/erp/drop?state=delivered", "", 400, "state must be"},
		{"dropping nothing in particular", post, "/callbacks/erp/drop", "", 400, "dead or pending"},
		{"moving nowhere", post, "/callbacks/erp/move", "", 400, "to must be"},
		{"replaying to nobody", post, "/deliveries/replay", "event=evt_1", 400, "callback must be"},
		{"replaying what is no event", post, "/deliveries/replay", "callback=erp&event=1", 400, "ids of at most"},
		{"an order nobody knows", post, "/stores/1001/sell", "", 404, "no such page"},
		{"an order with something more", post, "/stores/1001/poll", "twice=yes", 400, "twice"},
		{"an order in the address", post, "/stores/1001/poll?x=1", "", 400, "nothing in its address"},
		{"asking where one orders", get, "/stores/1001/poll", "", 405, "does not take that method"},
		{"ordering where one asks", post, "/stores", "", 405, "does not take that method"},
		{"another method", http.MethodDelete, "/stores", "", 405, "does not take that method"},
		{"too large a form", post, "/callbacks/erp/move", "to=" + strings.Repeat("x", maxBody), 413, "64 KiB"},
		{"leading elsewhere", get, "/login?next=//evil.example", "", 400, "page of this dashboard"},
		{"leading elsewhere as browsers read it", get, "/login?next=///evil.example", "", 400, "page of this dashboard"},
		{"leading elsewhere by a scheme", get, "/login?next=javascript:alert(1)", "", 400, "page of this dashboard"},
		{"leading elsewhere with a backslash", get, `/login?next=/%5Cevil.example`, "", 400, "page of this dashboard"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.target, strings.NewReader(c.form))
		if c.method == post {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := send(d, r, nil)
		if w.Code != c.status || !strings.Contains(textOf(w), c.says) {
			t.Errorf("%s: %s %.80s = %d, want %d and %q:\n%.600s", c.name, c.method, c.target, w.Code, c.status, c.says, textOf(w))
		}
	}
	if orders := shop.noted(); len(orders) > 0 {
		t.Errorf("what was refused was done: %q", orders)
	}
	w := send(d, httptest.NewRequestWithContext(t.Context(), post, "/stores/1001/poll", strings.NewReader(`{}`)), nil)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("an order that is no form = %d, want 415", w.Code)
	}
}

func TestErrorsOfTheService(t *testing.T) {
	t.Parallel()
	secret := errors.New("open /var/lib/secret: broken")
	for name, c := range map[string]struct {
		err    error
		status int
		says   string
		logged bool
	}{
		"not found":     {fmt.Errorf("store 9: %w", event.ErrNotFound), 404, "Not found", false},
		"invalid":       {fmt.Errorf("%w: limit", control.ErrInvalid), 400, "That cannot be done Limit.", false},
		"conflict":      {fmt.Errorf("%w: resume it first", control.ErrConflict), 409, "Not possible now Resume it first.", false},
		"too slow":      {fmt.Errorf("reading: %w", context.DeadlineExceeded), 504, "took too long", false},
		"anything else": {secret, 500, "See the log of the program.", true},
	} {
		shop := newFake(time.Now())
		d, logs := newDashboard(t, shop, "")
		shop.fail(c.err)
		for _, target := range []string{"/", "/stores", "/stores/1001", "/callbacks", "/callbacks/erp", "/events", "/events/" + shop.events[0].ID, "/deliveries"} {
			if w := get(t, d, target); w.Code != c.status || !strings.Contains(textOf(w), c.says) || strings.Contains(textOf(w), "secret") {
				t.Errorf("%s: GET %s = %d, want %d and %q:\n%s", name, target, w.Code, c.status, c.says, textOf(w))
			}
		}
		for _, target := range []string{"/stores/1001/poll", "/callbacks/erp/test", "/callbacks/erp/pause", "/callbacks/erp/replay"} {
			if w := post(t, d, target, ""); w.Code != c.status || !strings.Contains(textOf(w), c.says) || len(w.Result().Cookies()) > 0 {
				t.Errorf("%s: POST %s = %d, want %d and %q:\n%s", name, target, w.Code, c.status, c.says, textOf(w))
			}
		}
		if got := logs.FilterMessage("dashboard.failed").Len() > 0; got != c.logged {
			t.Errorf("%s: logged is %t, want %t", name, got, c.logged)
		}
	}
}

// TestDetails: a page says once of which kind an error is, in its title.
func TestDetails(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"There is no store 9.": fmt.Errorf("%w: there is no store 9", event.ErrNotFound),
		"Store 9: not found.":  fmt.Errorf("store 9: %w", event.ErrNotFound),
		"Limit is too large.":  fmt.Errorf("%w: limit is too large", control.ErrInvalid),
		"Store 9 is paused.":   fmt.Errorf("%w: store 9 is paused", control.ErrConflict),
	} {
		if got := problemOf(t.Context(), err).Detail; got != want {
			t.Errorf("of %q the page says %q, want %q", err, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "")
	for _, target := range []string{"/", "/nothing", "/assets/dashboard.js"} {
		h := get(t, d, target).Header()
		for name, want := range map[string]string{
			"X-Frame-Options":        "DENY",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin", // no-referrer would make a browser hide the origin of a form
			"Cache-Control":          "no-store",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", target, name, got, want)
			}
		}
		policy := strings.Split(h.Get("Content-Security-Policy"), "; ")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !slices.Contains(policy, want) {
				t.Errorf("GET %s: the policy has no %q: %q", target, want, policy)
			}
		}
	}
}

// TestAssets loads what a page asks for. The page names the content, so it may be kept.
func TestAssets(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "a token")
	page := get(t, d, "/login").Body.String()
	found := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(found) < 3 {
		t.Fatalf("the page asks for %d assets:\n%s", len(found), page)
	}
	for _, match := range found {
		w := get(t, d, match[1])
		if w.Code != http.StatusOK || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("GET %s = %d with %d bytes and %q", match[1], w.Code, w.Body.Len(), w.Header().Get("Cache-Control"))
		}
	}
	if page := get(t, d, "/login").Body.String(); strings.Contains(page, "<style") || strings.Contains(page, " style=") || strings.Contains(page, "<script>") {
		t.Error("the page has styles or scripts of its own, which the policy forbids")
	}
}

// TestLinks follows every kind of link: each leads to a page.
func TestLinks(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "")
	seen := map[string]bool{"/": true}
	for todo := []string{"/"}; len(todo) > 0; todo = todo[1:] {
		w := get(t, d, todo[0])
		if w.Code != http.StatusOK {
			t.Errorf("a page links to %s, which is %d", todo[0], w.Code)
		}
		for _, match := range regexp.MustCompile(`<a [^>]*href="([^"#]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
			address := strings.ReplaceAll(match[1], "&amp;", "&")
			// A few of each kind are enough.
			kind := regexp.MustCompile(`[0-9a-f]{64}|[0-9]+`).ReplaceAllString(address, "N")
			if u, err := url.Parse(address); err != nil || u.Host != "" || seen[kind] {
				continue
			}
			seen[kind] = true
			todo = append(todo, address)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d kinds of pages were found: %v", len(seen), seen)
	}
}
