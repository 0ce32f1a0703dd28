package admin

import (
	"context"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// How long the Service may take.
const (
	answerWithin = 30 * time.Second
	// testWithin leaves room for the timeout of a callback.
	testWithin = 2 * time.Minute
	// backlogWithin is for what goes through all deliveries of a callback.
	backlogWithin = 10 * time.Minute
)

// A route is a path with a method, what it takes, and who answers.
type route struct {
	method string
	path   string // a pattern of http.ServeMux
	query  []string
	body   []string // the members of the JSON object that it takes
	within time.Duration
	// handle returns what is answered: a value that becomes JSON, a status without a
	// body, or YAML as bytes. Its context ends after within.
	handle func(context.Context, *input) (any, error)
	// raw answers by itself, in place of handle, and reads the query itself.
	raw http.Handler
	// public needs no token and may be asked under any name.
	public bool
}

// A status is an answer that has no body.
type status int

func (s *Server) table() []route {
	const get, post = http.MethodGet, http.MethodPost
	const api = "/api/v1/"
	return []route{
		{method: get, path: "/healthz", public: true, handle: s.alive},
		{method: get, path: "/readyz", public: true, handle: s.ready},
		{method: get, path: "/metrics", raw: s.metrics()},
		{method: get, path: api + "openapi.yaml", handle: s.document},

		{method: get, path: api + "status", handle: s.status},
		{method: post, path: api + "reload", within: testWithin, handle: s.reload},

		{method: get, path: api + "stores", handle: s.stores},
		{method: get, path: api + "stores/{id}", handle: s.store},
		{method: post, path: api + "stores/{id}/poll", handle: storeCommand(s.o.Service.PollStore, http.StatusAccepted)},
		{method: post, path: api + "stores/{id}/reconcile", handle: storeCommand(s.o.Service.ReconcileStore, http.StatusAccepted)},
		{method: post, path: api + "stores/{id}/pause", handle: storeCommand(s.o.Service.PauseStore, http.StatusNoContent)},
		{method: post, path: api + "stores/{id}/resume", handle: storeCommand(s.o.Service.ResumeStore, http.StatusNoContent)},
		{method: http.MethodDelete, path: api + "stores/{id}/orders/{object}", within: backlogWithin, handle: s.forget},

		{
			method: get, path: api + "events", within: control.MaxWait + answerWithin, handle: s.events,
			query: []string{"store", "type", "object", "from", "to", "after", "newest", "limit", "wait"},
		},
		{method: get, path: api + "events/{id}", handle: s.event},
		{method: post, path: api + "events/{id}/replay", body: []string{"callback"}, handle: s.replayEvent},
		{
			method: post, path: api + "replay", within: backlogWithin, handle: s.replay,
			body: []string{"eventId", "dead", "from", "to", "callback", "storeId"},
		},

		{
			method: get, path: api + "deliveries", handle: s.deliveries,
			query: []string{"callback", "state", "store", "after", "newest", "limit"},
		},
		{method: get, path: api + "callbacks", handle: s.callbacks},
		{method: get, path: api + "callbacks/{name}", handle: s.callback},
		{method: post, path: api + "callbacks/{name}/test", within: testWithin, handle: s.testCallback},
		{method: post, path: api + "callbacks/{name}/pause", handle: callbackCommand(s.o.Service.PauseCallback)},
		{method: post, path: api + "callbacks/{name}/resume", handle: callbackCommand(s.o.Service.ResumeCallback)},
		{method: post, path: api + "callbacks/{name}/move", within: backlogWithin, body: []string{"to"}, handle: s.move},
		{method: post, path: api + "callbacks/{name}/drop", within: backlogWithin, body: []string{"state"}, handle: s.drop},

		{method: get, path: backupPath, within: backupWithin, raw: http.HandlerFunc(s.backup)},
	}
}

// mux leads each path to the handlers of its methods, and the rest to the dashboard.
func (s *Server) mux() http.Handler {
	paths := make(map[string]methods)
	for _, rt := range s.table() {
		if paths[rt.path] == nil {
			paths[rt.path] = make(methods)
		}
		paths[rt.path][rt.method] = s.serve(rt)
	}
	mux := http.NewServeMux()
	for pattern, m := range paths {
		mux.Handle(pattern, s.serveMethods(m))
	}
	mux.HandleFunc("/", s.elsewhere)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A slash that is escaped belongs to a name.
		if !isClean(r.URL.EscapedPath()) {
			// The mux would redirect to the clean path. Who writes it otherwise errs.
			s.elsewhere(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// methods are the handlers of a path.
type methods map[string]http.Handler

func (s *Server) serveMethods(m methods) http.Handler {
	allowed := slices.Sorted(maps.Keys(m))
	if i := slices.Index(allowed, http.MethodGet); i >= 0 {
		allowed = slices.Insert(allowed, i+1, http.MethodHead)
		m[http.MethodHead] = m[http.MethodGet]
	}
	refusal := wrongMethod(strings.Join(allowed, " or "))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := m[r.Method]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		if err := s.admit(r, true); err != nil {
			s.refuse(w, r, err)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.refuse(w, r, refusal)
	})
}

// elsewhere serves the paths that have no route.
func (s *Server) elsewhere(w http.ResponseWriter, r *http.Request) {
	ours := s.o.Dashboard == nil || strings.HasPrefix(r.URL.Path+"/", "/api/") || !isClean(r.URL.Path)
	if err := s.admit(r, ours); err != nil {
		s.refuse(w, r, err)
		return
	}
	if ours {
		s.refuse(w, r, errNoRoute)
		return
	}
	if r.Method == http.MethodGet {
		// A page may stay open to tell what happens, and ends like what waits for
		// events. A command is carried out.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.stopping, cancel)()
		r = r.WithContext(ctx)
	}
	s.o.Dashboard.ServeHTTP(w, r)
}

func isClean(p string) bool { return strings.HasPrefix(p, "/") && path.Clean(p) == p }

// serve answers the requests of a route.
func (s *Server) serve(rt route) http.Handler {
	if rt.within == 0 {
		rt.within = answerWithin
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !rt.public {
			if err := s.admit(r, true); err != nil {
				s.refuse(w, r, err)
				return
			}
		}
		// What is no connection, as in a test, has no deadline to set.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(rt.within + writeWithin))
		if rt.raw != nil {
			rt.raw.ServeHTTP(w, r)
			return
		}
		in, err := readInput(w, r, rt)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		s.answer(w, r, rt, in)
	})
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, rt route, in *input) {
	ctx, cancel := context.WithTimeout(r.Context(), rt.within)
	defer cancel()
	value, err := rt.handle(ctx, in)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	switch value := value.(type) {
	case status:
		w.WriteHeader(int(value))
	case []byte:
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(value) // a client that is gone needs no answer
	default:
		s.write(w, http.StatusOK, "application/json", value)
	}
}
