package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A health check succeeds when the daemon says that it is ready, and else tells why not.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer int
		body   string
		status int
		stderr string
	}{
		"ready":       {http.StatusOK, `{"status":"ready"}`, 0, ""},
		"not ready":   {http.StatusServiceUnavailable, `{"title":"Not ready","status":503,"detail":"the storage fails: no space"}`, 1, "the daemon is not ready: the storage fails: no space\n"},
		"another one": {http.StatusNotFound, "what storage?\n", 1, "the daemon is not ready: what storage?\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					t.Errorf("asks for %s", r.URL.Path)
				}
				w.WriteHeader(test.answer)
				_, _ = w.Write([]byte(test.body))
			}))
			defer daemon.Close()
			// The rest of the configuration is faulty: a daemon goes on with the one before.
			config := fmt.Sprintf("admin: {listen: %q}\ncallbacks: [{url: nonsense}]\n", strings.TrimPrefix(daemon.URL, "http://"))
			got := command(t, map[string]string{"config.yaml": config}, nil, "healthcheck")
			if got.status != test.status || !strings.Contains(got.stderr, test.stderr) {
				t.Errorf("status %d, want %d and %q\n%s", got.status, test.status, test.stderr, got.stderr)
			}
		})
	}
}
