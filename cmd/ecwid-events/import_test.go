package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// instance is the documentation's instance of Open Connectors, with its values filled
// in but for the address of the callback.
const instance = `{
  "element": {
    "key": "ecwid"
  },
  "configuration": {
    "ecwid.order.key": "legacyOf1003",
    "ecwid.product.key": "productsOf1003",
    "ecwid.store.id": "1003",
    "event.notification.enabled": "true",
    "event.notification.callback.url": "CALLBACK"
  },
  "tags": [
    "eu"
  ],
  "name": "Flowers"
}
`

// A notification is what a receiver that was written for Open Connectors reads.
type notification struct {
	Message struct {
		ElementKey, InstanceName string
		InstanceID               int64 `json:"instanceId"`
		InstanceTags             []string
		Events                   []struct{ ObjectID, ObjectType, EventType string }
	}
}

// The documentation's instance works unchanged: put into stores_dir, and imported.
func TestInstanceMovesIn(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string, env []string) []string{
		"in stores_dir": func(t *testing.T, dir string, env []string) []string {
			t.Helper()
			writeFile(t, filepath.Join(dir, "config.yaml"), "stores_dir: stores\nadmin: {listen: \"\"}\n")
			return env
		},
		"imported": func(t *testing.T, dir string, env []string) []string {
			t.Helper()
			r := commandIn(t, dir, env, "import", "stores/shop.json")
			writeFile(t, filepath.Join(dir, "config.yaml"), r.stdout+"admin: {listen: \"\"}\n")
			if !strings.Contains(r.stderr, "  ECWID_ORDER_SECRET_1003: ecwid.order.key of stores/shop.json\n") {
				t.Errorf("the variable to set is not told:\n%s", r.stderr)
			}
			return append(env, "ECWID_ORDER_SECRET_1003=legacyOf1003")
		},
	} {
		const note = "shop.json: ecwid.product.key is not used"
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, received := t.TempDir(), make(chan notification, 10)
			callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var n notification
				if err := json.NewDecoder(r.Body).Decode(&n); err != nil || r.Header.Get("Elements-Webhook-Id") == "" {
					t.Errorf("not a notification: %v, %v", err, r.Header)
				}
				received <- n
			}))
			t.Cleanup(callback.Close)
			writeFile(t, filepath.Join(dir, "stores", "shop.json"), strings.Replace(instance, "CALLBACK", callback.URL, 1))
			shop, env := atEcwid(t, dir)
			env = prepare(t, dir, env)

			r := commandIn(t, dir, env, "check")
			if r.status != 0 || !strings.Contains(r.stdout, "config.yaml is valid: 1 store, 1 callback") {
				t.Fatalf("check: exit status %d\n%s%s", r.status, r.stdout, r.stderr)
			}
			first := onceIn(t, dir, env)
			if inDir := name == "in stores_dir"; strings.Contains(r.stderr, "warning: stores/"+note) != inDir || strings.Contains(first.stderr, note) != inDir {
				t.Errorf("what is not used is told: %t, want %t, by check and once:\n%s%s", !inDir, inDir, r.stderr, first.stderr)
			}
			if n := len(received); n > 0 {
				t.Errorf("%d notifications of what was there before", n)
			}
			shop.Place()
			onceIn(t, dir, env)
			if len(received) != 1 {
				t.Fatalf("%d notifications, want 1", len(received))
			}
			var want notification
			want.Message.ElementKey, want.Message.InstanceName = "ecwid", "Flowers"
			want.Message.InstanceID, want.Message.InstanceTags = 1003, []string{"eu"}
			got := <-received
			if len(got.Message.Events) != 1 {
				t.Fatalf("%d events, want 1", len(got.Message.Events))
			}
			e := got.Message.Events[0]
			if _, err := strconv.Atoi(e.ObjectID); err != nil || e.ObjectType != "orders" || e.EventType != "CREATED" {
				t.Errorf("event %+v, want an order by its number, CREATED", e)
			}
			got.Message.Events = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestImportCommand(t *testing.T) {
	t.Parallel()
	shop := strings.Replace(instance, "CALLBACK", "https://example.com/events", 1)
	files := map[string]string{"shop.json": shop, "config.yaml": smallConfig, "unfilled.json": strings.Replace(shop, "1003", "<INSERT_STORE_ID>", 1)}
	for name, c := range map[string]struct {
		args  []string
		stdin string
		// The exit status, what stdout is or begins with, and what stderr contains.
		status         int
		stdout, stderr string
	}{
		"no file":                 {status: 2, stderr: "name the instances' files"},
		"a file":                  {args: []string{"shop.json"}, stdout: "# A store", stderr: "warning: shop.json: ecwid.product.key is not used"},
		"secrets as references":   {args: []string{"shop.json"}, stdout: "# A store", stderr: "  ECWID_ORDER_SECRET_1003: ecwid.order.key of shop.json\n"},
		"secrets themselves":      {args: []string{"--show-secrets", "shop.json"}, stdout: "# A store", stderr: "warning: shop.json"},
		"the standard input":      {args: []string{"-"}, stdin: shop, stdout: "# A store", stderr: "warning: standard input: "},
		"no instance":             {args: []string{"shop.json", "config.yaml"}, status: 2, stderr: "config.yaml:1: is not JSON"},
		"an empty standard input": {args: []string{"-"}, status: 2, stderr: "standard input: is empty"},
		"no such file":            {args: []string{"none.json"}, status: 2, stderr: "none.json: cannot be read: no such file"},
		"a value that is missing": {args: []string{"unfilled.json"}, status: 2, stderr: "unfilled.json:6: ecwid.order.key: is a placeholder"},
		"the same instance twice": {args: []string{"shop.json", "shop.json"}, status: 2, stderr: "1003 is the id of shop.json already (line 8)"},
		"grammars of other packages": {
			args: []string{"-"}, stdin: strings.Replace(shop, "\"event.notification.enabled", "\"event.poller.refresh_interval\": \"999999\",\n\"event.notification.enabled", 1),
			status: 2, stderr: "standard input:9: event.poller.refresh_interval: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := commandWith(t, files, c.stdin, append([]string{"import"}, c.args...)...)
			if r.status != c.status {
				t.Errorf("exit status %d, want %d", r.status, c.status)
			}
			if !strings.HasPrefix(r.stdout, c.stdout) || c.stdout == "" && r.stdout != "" {
				t.Errorf("stdout does not begin with %q", c.stdout)
			}
			if !strings.Contains(r.stderr, c.stderr) {
				t.Errorf("stderr does not contain %q", c.stderr)
			}
			if shown := strings.Contains(r.stdout, "legacyOf1003"); shown != slices.Contains(c.args, "--show-secrets") || strings.Contains(r.stderr, "Of1003") {
				t.Errorf("the secret is in the output: %t", shown)
			}
			if t.Failed() {
				t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
			}
		})
	}
}

// commandWith is command with something on the standard input.
func commandWith(t *testing.T, files map[string]string, stdin string, args ...string) result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, []string{"HOME=" + dir}, strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("running %v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func onceIn(t *testing.T, dir string, env []string) result {
	t.Helper()
	r := commandIn(t, dir, env, "once")
	if r.status != 0 || strings.Contains(r.stderr, "Of1003") {
		t.Fatalf("once: exit status %d\n%s", r.status, r.stderr)
	}
	return r
}

// atEcwid returns a legacy shop with some orders, and the environment in which the
// program finds it at Ecwid's own address: an instance names no other.
func atEcwid(t *testing.T, dir string) (*ecwidtest.Shop, []string) {
	t.Helper()
	server := ecwidtest.NewServer(ecwidtest.Options{Seed: testSeed(t)})
	shop := server.AddShop(ecwidtest.ShopOptions{ID: 1003, LegacySecret: "legacyOf1003"})
	shop.Fill(20)
	authority, err := notifytest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Issue("app.ecwid.com", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ecwid := httptest.NewUnstartedServer(server)
	ecwid.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	ecwid.StartTLS()
	t.Cleanup(ecwid.Close)
	tunnel := &notifytest.Proxy{Hosts: map[string]string{"app.ecwid.com": ecwid.Listener.Addr().String()}}
	proxy := httptest.NewServer(tunnel)
	t.Cleanup(proxy.Close)
	t.Cleanup(tunnel.Close)
	authorities := filepath.Join(dir, "ca.pem")
	writeFile(t, authorities, string(authority.PEM()))
	return shop, []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + authorities}
}
