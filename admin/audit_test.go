package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// A house is a Dashboard that some have logged in to.
type house struct{ *http.ServeMux }

func newHouse() house {
	h := house{http.NewServeMux()}
	h.HandleFunc("/stores/{id}/{order}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("order") == "dance" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.Redirect(w, r, "/stores/"+r.PathValue("id"), http.StatusSeeOther)
	})
	h.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	return h
}

func (house) IsLoggedIn(r *http.Request) bool {
	_, err := r.Cookie("session")
	return err == nil
}

func withHouse(o *Options) { o.Dashboard = newHouse() }

func TestCommandsAreLogged(t *testing.T) {
	t.Parallel()
	const bearer = "Bearer " + aToken
	byToken := []string{"Authorization", bearer}
	line := func(what, by, through string, result int64, more ...string) map[string]any {
		fields := map[string]any{"what": what, "by": by, "through": through, "result": result, "from": "192.0.2.1"}
		for i := 0; i < len(more); i += 2 {
			fields[more[i]] = more[i+1]
		}
		return fields
	}
	for name, c := range map[string]struct {
		change               func(*Options)
		method, target, body string
		headers              []string
		err                  error
		want                 map[string]any // nil: no line
	}{
		"a poll":                {withToken, "POST", "/api/v1/stores/1003/poll", "", byToken, nil, line("POST /api/v1/stores/{id}/poll", "token", "api", 202, "store", "1003")},
		"without a token":       {withHouse, "POST", "/api/v1/callbacks/main/pause", "", nil, nil, line("POST /api/v1/callbacks/{name}/pause", "loopback", "api", 204, "callback", "main")},
		"with a body":           {withToken, "POST", "/api/v1/callbacks/main/drop", `{"state":"dead"}`, byToken, nil, line("POST /api/v1/callbacks/{name}/drop", "token", "api", 200, "callback", "main")},
		"of an event":           {withToken, "POST", "/api/v1/events/" + anID + "/replay", "", byToken, nil, line("POST /api/v1/events/{id}/replay", "token", "api", 200, "event", anID)},
		"of nothing by name":    {withToken, "POST", "/api/v1/reload", "", byToken, nil, line("POST /api/v1/reload", "token", "api", 404)},
		"that fails":            {withToken, "POST", "/api/v1/stores/7/pause", "", byToken, fmt.Errorf("disk: %w", io.ErrShortWrite), line("POST /api/v1/stores/{id}/pause", "token", "api", 500, "store", "7")},
		"of what is not there":  {withToken, "POST", "/api/v1/stores/7/pause", "", byToken, event.ErrNotFound, line("POST /api/v1/stores/{id}/pause", "token", "api", 404, "store", "7")},
		"an erasure":            {withToken, "DELETE", "/api/v1/stores/7/orders/EBJFT", "", byToken, nil, line("DELETE /api/v1/stores/{id}/orders/{object}", "token", "api", 200, "store", "7", "order", "EBJFT")},
		"a backup":              {withToken, "GET", "/api/v1/storage/backup", "", byToken, nil, line("GET /api/v1/storage/backup", "token", "api", 200)},
		"a backup of a thief":   {withToken, "GET", "/api/v1/storage/backup", "", nil, nil, nil},
		"a backup's size alone": {withToken, "HEAD", "/api/v1/storage/backup", "", byToken, nil, nil},
		"in the dashboard":      {withHouse, "POST", "/stores/7/poll", "", nil, nil, line("POST /stores/{id}/poll", "loopback", "dashboard", 303, "store", "7")},
		"with a session":        {both(withToken, withHouse), "POST", "/stores/7/poll", "", []string{"Cookie", "session=x"}, nil, line("POST /stores/{id}/poll", "session", "dashboard", 303, "store", "7")},
		"that nobody knows":     {withHouse, "POST", "/stores/7/dance", "", nil, nil, line("POST /stores/{id}/dance", "loopback", "dashboard", 404, "store", "7")},
		"without a session":     {both(withToken, withHouse), "POST", "/stores/7/poll", "", nil, nil, nil},
		"with a wrong token":    {withToken, "POST", "/api/v1/stores/1003/poll", "", []string{"Authorization", bearer + "x"}, nil, nil},
		"of another site":       {withHouse, "POST", "/api/v1/stores/1003/poll", "", []string{"Sec-Fetch-Site", "cross-site"}, nil, nil},
		"under a foreign name":  {withHouse, "POST", "/stores/7/poll", "", []string{"Host", "evil.example"}, nil, nil},
		"that makes no sense":   {withToken, "POST", "/api/v1/stores/secret/poll", "", byToken, nil, nil},
		"in a page that is not": {withHouse, "POST", "/secret", "", nil, nil, nil},
		"a question":            {withToken, "GET", "/api/v1/stores/1003", "", byToken, nil, nil},
		"a page":                {withHouse, "GET", "/stores/7/poll", "", nil, nil, nil},
		"a wrong method":        {withToken, "PUT", "/api/v1/stores/1003/poll", "", byToken, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := sample()
			service.err = c.err
			s, logs := newServer(t, service, c.change)
			s.ServeHTTP(httptest.NewRecorder(), newRequest(t, c.method, c.target, c.body, c.headers...))
			lines := logs.FilterMessage("admin.ordered").All()
			if c.want == nil {
				if len(lines) > 0 {
					t.Errorf("logs %v", lines[0].ContextMap())
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("logs %v", logs.All())
			}
			if diff := cmp.Diff(c.want, lines[0].ContextMap()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func both(first, second func(*Options)) func(*Options) {
	return func(o *Options) { first(o); second(o) }
}

// What a client wrote does not fill the log.
func TestALongSubjectIsCut(t *testing.T) {
	t.Parallel()
	s, logs := newServer(t, sample(), withHouse)
	s.ServeHTTP(httptest.NewRecorder(), newRequest(t, "POST", "/stores/"+strings.Repeat("7", 5000)+"/"+strings.Repeat("x", 5000), ""))
	lines := logs.FilterMessage("admin.ordered").All()
	if len(lines) != 1 || len(fmt.Sprint(lines[0].ContextMap())) > 500 {
		t.Errorf("logs %v", lines)
	}
}
