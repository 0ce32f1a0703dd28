// Package dashboard serves the pages on which a person sees what ecwid-events does and
// has it do things, in a browser.
//
// The pages are made on the server from control.Service and need no JavaScript: orders
// are forms, each answered by a redirect to a page that says what was done. With
// JavaScript the pages are live and the figures are drawn as charts. Templates and
// assets are part of the program.
//
// Requests of other sites must have been refused before they come here, as package
// admin does.
package dashboard

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/ecwid-events/ecwid-events/control"
)

//go:embed templates
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// How long the Service may take.
const (
	showWithin = 30 * time.Second
	// orderWithin is for what goes through all deliveries of a callback.
	orderWithin = 10 * time.Minute
	// writeWithin is for a page, once it is known.
	writeWithin = 30 * time.Second
)

// The policy lets a page load and ask nothing but its own server, and no other page
// show it in a frame.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Options are what New needs.
type Options struct {
	Service control.Service
	// Token is what a person must know to log in; empty: nobody needs to.
	Token string
	// Version of the program, shown at the foot of each page.
	Version string
	Logger  *zap.Logger
}

type dashboard struct {
	service  control.Service
	token    string
	version  string
	log      *zap.Logger
	pages    pages
	sessions *sessions
	guesses  *guesses
	refusals rate.Sometimes // to log in, that are logged
	notices  *notices
	live     *live
	mux      *http.ServeMux
}

// New returns the dashboard, which serves /, /stores, /callbacks, /events,
// /deliveries, /login, /logout, /live and /assets.
func New(o Options) (http.Handler, error) {
	if o.Service == nil || o.Logger == nil {
		return nil, errors.New("the dashboard needs a service and a logger")
	}
	assets, err := readAssets()
	if err != nil {
		return nil, err
	}
	pages, err := parsePages(assets)
	if err != nil {
		return nil, err
	}
	d := &dashboard{
		service: o.Service, token: o.Token, version: o.Version, log: o.Logger, pages: pages,
		sessions: newSessions(), guesses: newGuesses(), refusals: rate.Sometimes{Interval: time.Second}, notices: newNotices(), live: newLive(o.Service), mux: http.NewServeMux(),
	}
	for path, m := range d.routes(assets) {
		d.mux.Handle(path, d.only(m))
	}
	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { d.refuse(w, r, errNoPage) })
	return d, nil
}

// methods are the handlers of a path.
type methods struct {
	get, post http.Handler
	// public needs no session.
	public bool
}

func (d *dashboard) routes(assets assets) map[string]methods {
	return map[string]methods{
		"/{$}": {get: d.show(d.overview)},

		"/stores":              {get: d.show(d.storesPage)},
		"/stores/{id}":         {get: d.show(d.storePage)},
		"/stores/{id}/{order}": {post: d.do(d.orderStore)},

		"/callbacks":                {get: d.show(d.callbacksPage)},
		"/callbacks/{name}":         {get: d.show(d.callbackPage)},
		"/callbacks/{name}/{order}": {post: d.do(d.orderCallback)},
		"/callbacks/{name}/replay":  {get: d.show(d.confirmReplay), post: d.do(d.replayDead)},
		"/callbacks/{name}/move":    {get: d.show(d.confirmMove), post: d.do(d.move)},
		"/callbacks/{name}/drop":    {get: d.show(d.confirmDrop), post: d.do(d.drop)},

		"/events":             {get: d.show(d.eventsPage)},
		"/events/{id}":        {get: d.show(d.eventPage)},
		"/events/{id}/replay": {post: d.do(d.replayEvent)},

		"/deliveries":        {get: d.show(d.deliveriesPage)},
		"/deliveries/replay": {post: d.do(d.replaySelected)},

		"/login":         {get: http.HandlerFunc(d.askToken), post: http.HandlerFunc(d.login), public: true},
		"/logout":        {post: http.HandlerFunc(d.logout), public: true},
		"/live":          {get: http.HandlerFunc(d.serveLive)},
		"/assets/{name}": {get: assets, public: true},
	}
}

// ServeHTTP implements http.Handler.
func (d *dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// With no-referrer a browser would not say either which site a form is of.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	d.mux.ServeHTTP(w, r)
}

// only serves the methods of a path to who has logged in.
func (d *dashboard) only(m methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !m.public && !d.IsLoggedIn(r) {
			d.sendToLogin(w, r)
			return
		}
		switch {
		case m.get != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			m.get.ServeHTTP(w, r)
		case m.post != nil && r.Method == http.MethodPost:
			m.post.ServeHTTP(w, r)
		default:
			w.Header().Set("Allow", m.allowed())
			d.refuse(w, r, errMethod)
		}
	})
}

func (m methods) allowed() string {
	var allowed []string
	if m.get != nil {
		allowed = append(allowed, http.MethodGet, http.MethodHead)
	}
	if m.post != nil {
		allowed = append(allowed, http.MethodPost)
	}
	return strings.Join(allowed, ", ")
}

// show serves a page.
func (d *dashboard) show(look func(context.Context, *input) (page, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := within(w, r, showWithin)
		defer cancel()
		in, err := readInput(w, r)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		p, err := look(ctx, in)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		d.render(w, r, http.StatusOK, p)
	})
}

// A done says what an order came to, and which page shows it.
type done struct {
	to     string
	notice notice
}

// do carries out an order, and sends the browser to the page that tells of it, so that
// reloading that page does not repeat the order.
func (d *dashboard) do(order func(context.Context, *input) (done, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := within(w, r, orderWithin)
		defer cancel()
		in, err := readInput(w, r)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		result, err := order(ctx, in)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		d.notices.set(w, r, result.notice)
		http.Redirect(w, r, result.to, http.StatusSeeOther)
	})
}

// within bounds how long a request takes.
func within(w http.ResponseWriter, r *http.Request, limit time.Duration) (context.Context, context.CancelFunc) {
	// What is no connection, as in a test, has no deadline to set.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + writeWithin))
	return context.WithTimeout(r.Context(), limit)
}
