package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/ecwid-events/ecwid-events/admin"
	"github.com/ecwid-events/ecwid-events/control"
)

const testToken = "a-token-for-tests-only"

// TestInBrowser has browsertest/test.mjs click through the dashboard in Chromium. With
// ECWID_EVENTS_SCREENSHOTS it leaves pictures of every page in that directory. With
// ECWID_EVENTS_STEPS it takes those steps only whose name has that text.
func TestInBrowser(t *testing.T) {
	command := browserTest(t)
	shops := httptest.NewServer(controlOf(t))
	defer shops.Close()
	command.Env = append(os.Environ(),
		"SHOPS="+shops.URL, "TOKEN="+testToken,
		"SCREENSHOTS="+os.Getenv("ECWID_EVENTS_SCREENSHOTS"), "STEPS="+os.Getenv("ECWID_EVENTS_STEPS"))
	out, err := command.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the browser test failed: %v", err)
	}
}

// browserTest skips the test where Node, Chromium or the packages are missing; in CI
// that is a failure.
func browserTest(t *testing.T) *exec.Cmd {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		fmt.Fprintln(os.Stderr, "TestInBrowser is skipped:", what) // go test tells of a skip only with -v
		t.Skip(what)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is missing: install Node 20 or later")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		missing("chromium is missing: install Debian's package chromium")
	}
	for _, name := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join("browsertest", "node_modules", name)); err != nil {
			missing("the npm package " + name + " is missing: run npm ci --ignore-scripts in admin/dashboard/browsertest, or make receivers")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, node, "test.mjs", chromium)
	c.Dir = "browsertest"
	c.WaitDelay = 10 * time.Second
	return c
}

// serve runs the admin server with the dashboard as the daemon does, and returns where.
func serve(t *testing.T, shop *fake, token string) string {
	t.Helper()
	log := zaptest.NewLogger(t)
	d, err := New(Options{Service: shop, Token: token, Version: "1.2.3", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	s, err := admin.New(admin.Options{Service: shop, Listen: "127.0.0.1:0", Token: token, Logger: log, Dashboard: d})
	if err != nil {
		t.Fatal(err)
	}
	address, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the server does not end")
		}
	})
	return "http://" + address.String()
}

// shops are what the steps of the browser test look at, each at its own.
type shops struct {
	mu  sync.Mutex
	all []*fake
}

// controlOf has the browser test open a dashboard, have something happen there, and see
// what was ordered.
func controlOf(t *testing.T) http.Handler {
	t.Helper()
	s := &shops{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /shops", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(s.open(t, r.FormValue("kind")))
	})
	mux.HandleFunc("POST /shops/{id}/events", func(_ http.ResponseWriter, r *http.Request) {
		store, _ := strconv.ParseInt(r.FormValue("store"), 10, 64)
		for object := range strings.SplitSeq(r.FormValue("objects"), ",") {
			s.find(r).happen(store, object)
		}
	})
	mux.HandleFunc("POST /shops/{id}/suspend", func(_ http.ResponseWriter, r *http.Request) {
		s.find(r).setStore(1002, func(s *control.Store) { s.Suspended = "402: the subscription ended" })
	})
	mux.HandleFunc("POST /shops/{id}/fail", func(_ http.ResponseWriter, r *http.Request) {
		s.find(r).fail(errors.New("the storage is broken"))
	})
	mux.HandleFunc("POST /shops/{id}/mend", func(_ http.ResponseWriter, r *http.Request) { s.find(r).fail(nil) })
	mux.HandleFunc("GET /shops/{id}/orders", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(append([]string{}, s.find(r).noted()...))
	})
	return mux
}

// An opened dashboard, for the browser test.
type opened struct {
	ID      int    `json:"id"`
	Address string `json:"address"`
	Event   string `json:"event"` // one that is an update
}

func (s *shops) open(t *testing.T, kind string) opened {
	t.Helper()
	shop, token := newFake(time.Now()), ""
	switch kind {
	case "many":
		shop = newManyCallbacks()
	case "young":
		shop.forgetHistory()
	}
	shop.stores[0].Name = "Tea & Mugs <b>bold</b>"
	switch kind {
	case "locked":
		token = testToken
	case "long":
		shop.lengthen()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, shop)
	return opened{len(s.all) - 1, serve(t, shop, token), shop.events[128].ID}
}

func (s *shops) find(r *http.Request) *fake {
	id, _ := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// forgetHistory leaves the figures as they are soon after a start: of one period.
func (f *fake) forgetHistory() {
	last := len(f.history.Periods) - 1
	for i := range last {
		p := &f.history.Periods[i]
		p.Events, p.Attempts = nil, nil
	}
	f.history.Since = f.history.Periods[last].From.Add(time.Minute)
}

// lengthen makes every word and number as long as it may be.
func (f *fake) lengthen() {
	word := strings.Repeat("Donaudampfschifffahrt", 10)
	for i := range f.stores {
		s := &f.stores[i]
		s.ID += 900_000_000_000
		today := 1_012_812
		s.Name, s.Events, s.Orders, s.EventsToday = word, 1_012_812_345, 112_345_678, &today
		if s.Suspended != "" {
			s.Suspended = "403: " + word
		}
		if s.Snapshot != nil {
			s.Snapshot.Orders, s.Snapshot.Total = 12_345_678, 87_654_321
		}
	}
	for i := range f.callbacks {
		c := &f.callbacks[i]
		c.Pending, c.Dead = 12_345_678, 12_345_678
		if c.LastError != nil {
			c.Host, c.LastError.Detail = word[:63]+".example.com", word
		}
	}
	f.callbacks[1].Name = word[:63]
	for i := range f.events {
		e := &f.events[i]
		e.Data.ObjectID, e.Data.Store.ID, e.Data.Store.Name = strings.Repeat("0123456789", 20), e.Data.Store.ID+900_000_000_000, word
		for j := range e.Data.Changes {
			e.Data.Changes[j].New = json.RawMessage(`"` + word + `"`)
		}
	}
	for i := range f.dead {
		f.dead[i].Callback, f.dead[i].ObjectID, f.dead[i].LastError.Detail = f.callbacks[1].Name, word, word
	}
}
