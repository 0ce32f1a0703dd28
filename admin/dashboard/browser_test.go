package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/ecwid-events/ecwid-events/admin"
	"github.com/ecwid-events/ecwid-events/control"
)

const testToken = "a-token-for-tests-only"

// TestInBrowser has browsertest/test.mjs click through the dashboard in Chromium. With
// ECWID_EVENTS_SCREENSHOTS it leaves a picture of every page in that directory.
func TestInBrowser(t *testing.T) {
	command := browserTest(t)
	shop := newFake(time.Now())
	shop.stores[0].Name = "Tea & Mugs <b>bold</b>"
	open, locked := serve(t, shop, ""), serve(t, newFake(time.Now()), testToken)
	orders := httptest.NewServer(controlOf(shop))
	defer orders.Close()
	command.Env = append(os.Environ(),
		"OPEN="+open, "LOCKED="+locked, "TOKEN="+testToken, "CONTROL="+orders.URL, "EVENT="+shop.events[128].ID,
		"SCREENSHOTS="+os.Getenv("ECWID_EVENTS_SCREENSHOTS"))
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
	missing := t.Skip
	if os.Getenv("CI") == "true" {
		missing = t.Fatal
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is missing: install Node 20 or later to run this test")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		missing("chromium is missing: install Debian's package chromium to run this test")
	}
	if _, err := os.Stat(filepath.Join("browsertest", "node_modules")); err != nil {
		missing("the packages of admin/dashboard/browsertest are missing: run npm ci there to run this test")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return "http://" + address.String()
}

// controlOf lets the browser test have something happen, and see what was ordered.
func controlOf(shop *fake) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /event", func(w http.ResponseWriter, r *http.Request) {
		store, _ := strconv.ParseInt(r.FormValue("store"), 10, 64)
		_, _ = w.Write([]byte(shop.happen(store, r.FormValue("object")).ID))
	})
	mux.HandleFunc("POST /suspend", func(http.ResponseWriter, *http.Request) {
		shop.setStore(1002, func(s *control.Store) { s.Suspended = "402: the subscription ended" })
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(append([]string{}, shop.noted()...))
	})
	return mux
}
