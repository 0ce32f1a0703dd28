package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// sessionLasts is how long a login holds.
	sessionLasts = 12 * time.Hour
	// maxSessions bounds the logins that hold at a time. One more ends the oldest.
	maxSessions = 100
)

// sessions are the logins that hold, by the digest of the id that the browser keeps. A
// restart ends them.
type sessions struct {
	mu   sync.Mutex
	ends map[[sha256.Size]byte]time.Time
}

func newSessions() *sessions {
	return &sessions{ends: make(map[[sha256.Size]byte]time.Time)}
}

// begin returns the id of a new session.
func (s *sessions) begin() string {
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ends) >= maxSessions {
		var oldest [sha256.Size]byte
		for key, end := range s.ends {
			if s.ends[oldest].IsZero() || end.Before(s.ends[oldest]) {
				oldest = key
			}
		}
		delete(s.ends, oldest)
	}
	s.ends[sha256.Sum256([]byte(id))] = time.Now().Add(sessionLasts)
	return id
}

func (s *sessions) holds(id string) bool {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	end, known := s.ends[key]
	if known && !time.Now().Before(end) {
		delete(s.ends, key)
		return false
	}
	return known
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, sha256.Sum256([]byte(id)))
}

// IsLoggedIn tells whether who made a request has logged in, or need not.
func (d *dashboard) IsLoggedIn(r *http.Request) bool {
	return d.token == "" || d.sessions.holds(cookie(r, "session"))
}

// sendToLogin asks who has not logged in to do so, and leads back to the page then. One
// who gave an order is told that it was not carried out.
func (d *dashboard) sendToLogin(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/live" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	q := make(url.Values)
	here := r.URL.RequestURI()
	if r.Method == http.MethodPost {
		here = pageBefore(r)
		q.Set("undone", "1")
	}
	if r.Method != http.MethodHead && here != "/" && len(here) <= maxNext {
		q.Set("next", here)
	}
	to := "/login"
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// pageBefore is the page of ours that a form was on; the first one when that is not told.
func pageBefore(r *http.Request) string {
	before, err := url.Parse(r.Referer())
	if err != nil || before.Host != r.Host || !isOurPage(before.RequestURI()) {
		return "/"
	}
	return before.RequestURI()
}

// A loginForm is what the login page shows.
type loginForm struct {
	Next string
	// Undone tells that an order was not carried out, for there was no login any more.
	Undone bool
	Wrong  bool
	// Wait is how long there were too many wrong tokens for another one; 0: there were not.
	Wait time.Duration
}

func (d *dashboard) askToken(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	form := loginForm{Next: in.page("next"), Undone: in.oneOf("undone", "1") != ""}
	if err := in.err(); err != nil {
		d.refuse(w, r, err)
		return
	}
	if d.IsLoggedIn(r) {
		http.Redirect(w, r, form.Next, http.StatusSeeOther) // in.page takes our own pages only
		return
	}
	d.renderLogin(w, r, http.StatusOK, form)
}

func (d *dashboard) renderLogin(w http.ResponseWriter, r *http.Request, status int, form loginForm) {
	d.render(w, r, status, page{name: "login", Title: "Log in", Main: form})
}

func (d *dashboard) login(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	given, next := in.secret("token"), in.page("next")
	if err := in.err(); err != nil {
		d.refuse(w, r, err)
		return
	}
	if wait := d.guesses.guess(r); wait > 0 {
		d.refuseLogin(r, "too many wrong tokens")
		wait = wait.Truncate(time.Second) + time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		d.renderLogin(w, r, http.StatusTooManyRequests, loginForm{Next: next, Wait: wait})
		return
	}
	// Digests, so that the time tells nothing of the token, its length included.
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(d.token))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		d.refuseLogin(r, "wrong token")
		d.renderLogin(w, r, http.StatusUnauthorized, loginForm{Next: next, Wrong: true})
		return
	}
	d.guesses.forgive(r)
	d.log.Info("dashboard.login", zap.String("from", r.RemoteAddr))
	setCookie(w, r, "session", d.sessions.begin(), sessionLasts)
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // in.page takes our own pages only
}

// refuseLogin logs that somebody was not let in, now and then.
func (d *dashboard) refuseLogin(r *http.Request, reason string) {
	d.refusals.Do(func() {
		d.log.Warn("dashboard.login_refused", zap.String("from", r.RemoteAddr), zap.String("reason", reason))
	})
}

func (d *dashboard) logout(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err == nil {
		err = in.err()
	}
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	d.sessions.end(cookie(r, "session"))
	setCookie(w, r, "session", "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// cookieName has the port, for a browser keeps one set of cookies for all ports of a
// machine, and there may be a daemon on several.
func cookieName(r *http.Request, name string) string {
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil || strings.Trim(port, "0123456789") != "" {
		return "ecwid_events_" + name
	}
	return "ecwid_events_" + name + "_" + port
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(cookieName(r, name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie gives the browser a value to keep that long, and to send with requests of
// our own pages only. A negative duration has it forget the value.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, lasts time.Duration) {
	maxAge := int(lasts / time.Second)
	if lasts < 0 {
		maxAge = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // secure where there is TLS: a browser would not send it back without
		Name: cookieName(r, name), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}
