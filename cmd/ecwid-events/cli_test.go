package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const smallConfig = `admin: {listen: ""}
stores:
  - id: 1003
    order_secret: ${ECWID_ORDER_SECRET}
callbacks:
  - url: https://example.com/ecwid-events
`

func TestCommandLine(t *testing.T) {
	t.Parallel()
	secret := []string{"ECWID_ORDER_SECRET=secret_of_nobody"}
	whole := []string{"ECWID_STORE_ID=1003", "ECWID_ORDER_SECRET=secret_of_nobody", "CALLBACK_URL=https://example.com/x"}
	for name, c := range map[string]struct {
		files  map[string]string
		env    []string
		args   []string
		status int
		// What stdout and stderr must contain, a line each.
		stdout, stderr []string
	}{
		"no command shows the help": {
			args: nil, stdout: []string{"Available Commands:"},
		},
		"a mistyped command is named with the nearest": {
			args: []string{"rnu"}, status: 2, stderr: []string{`unknown command "rnu": did you mean run?`},
		},
		"an unknown flag": {
			args: []string{"run", "--foo"}, status: 2, stderr: []string{"unknown flag: --foo", "Try: ecwid-events run --help"},
		},
		"a flag of another kind": {
			args: []string{"events", "list", "--store", "shop"}, status: 2,
			stderr: []string{`--store takes a whole number, not "shop"`, "Try: ecwid-events events list --help"},
		},
		"a time that is none": {
			args: []string{"demo", "--for", "soon"}, status: 2, stderr: []string{`--for takes a duration, such as 30s or 5m, not "soon"`},
		},
		"a mistyped command of a command": {
			args: []string{"events", "lits"}, status: 2, stderr: []string{`unknown command "lits": did you mean list?`},
		},
		"an argument too many": {
			args: []string{"check", "config.yaml"}, status: 2, stderr: []string{`unknown argument "config.yaml"`},
		},
		"version": {
			args: []string{"version"}, stdout: []string{"ecwid-events "},
		},
		"version as a flag": {
			args: []string{"--version"}, stdout: []string{"ecwid-events devel (go"},
		},
		"help about a command": {
			args: []string{"help", "db", "backup"}, stdout: []string{"ecwid-events db backup FILE [flags]"},
		},
		"help about a command that there is not": {
			args: []string{"help", "rnu"}, status: 2, stderr: []string{`unknown command "rnu": did you mean run?`},
		},
		"help about a part of a command that there is not": {
			args: []string{"help", "db", "bogus"}, status: 2, stderr: []string{`unknown argument "bogus"`},
		},
		"completion for a shell": {
			args: []string{"completion", "bash"}, stdout: []string{"bash completion V2 for ecwid-events"},
		},
		"completion for a shell that is not supported": {
			args: []string{"completion", "tcsh"}, status: 2, stderr: []string{`unknown command "tcsh"`},
		},
		"completion with an argument too many": {
			args: []string{"completion", "bash", "zsh"}, status: 2, stderr: []string{`unknown argument "zsh"`},
		},
		"a health check by a faulty configuration": { // Docker keeps 2 for itself
			files: map[string]string{"config.yaml": "admin: {listen: nonsense}\n"},
			args:  []string{"healthcheck"}, status: 1, stderr: []string{"config.yaml:1: admin.listen"},
		},
		"a health check by no configuration": {
			args: []string{"healthcheck", "--config", "mine.yaml"}, status: 1, stderr: []string{"mine.yaml", "no such file"},
		},
		"a path to a secret that is not there": {
			files: map[string]string{"config.yaml": strings.Replace(smallConfig, "order_secret: ${ECWID_ORDER_SECRET}", "order_secret_file: /nowhere/order", 1)},
			args:  []string{"check"}, status: 2,
			stderr: []string{"config.yaml:4: stores[0].order_secret_file: cannot read /nowhere/order: no such file or directory"},
		},
		"check accepts the smallest file": {
			files: map[string]string{"config.yaml": smallConfig}, env: secret, args: []string{"check"},
			stdout: []string{"config.yaml is valid: 1 store, 1 callback"},
		},
		"check shows defaults and no secret": {
			files: map[string]string{"config.yaml": smallConfig}, env: secret, args: []string{"check", "--show"},
			stdout: []string{"order_secret: <secret>", "overlap: 5m", "api: v3"},
		},
		"check warns of a legacy store that is never compared": {
			files:  map[string]string{"config.yaml": strings.Replace(smallConfig, "${ECWID_ORDER_SECRET}", "legacy\n    reconcile: \"off\"", 1)},
			args:   []string{"check"},
			stdout: []string{"is valid"}, stderr: []string{"warning: store 1003: deleted orders are not noticed"},
		},
		"check accepts the environment": {
			env: whole, args: []string{"check"}, stdout: []string{"the environment is valid: 1 store, 1 callback"},
		},
		"nothing to go by names every variable": {
			args: []string{"check"}, status: 2,
			stderr: []string{"there is no config.yaml", "ECWID_STORE_ID", "ECWID_ORDER_SECRET", "CALLBACK_URL"},
		},
		"a file that is missing": {
			args: []string{"run", "--config", "mine.yaml"}, status: 2, stderr: []string{"mine.yaml", "no such file"},
		},
		"every fault of a file at once, before anything is stored": {
			files: map[string]string{"config.yaml": "schedul: 5m\nstores:\n  - id: abc\ncalbacks: []\n"},
			args:  []string{"run"}, status: 2,
			stderr: []string{"config.yaml:1: unknown key schedul: did you mean schedule?", "config.yaml:3: stores[0].id", "unknown key calbacks: did you mean callbacks?"},
		},
		"values whose grammar other packages know": {
			files: map[string]string{"config.yaml": strings.Replace(smallConfig, "    order", "    schedule: 30 2 31 2 *\n    ignore: [items]\n    order", 1) + "    signing_secret: short\n"},
			env:   secret, args: []string{"check"}, status: 2,
			stderr: []string{"stores[0].schedule", "stores[0].ignore", "callbacks[0].signing_secret"},
		},
		"a database that is another program's": {
			files: map[string]string{"config.yaml": smallConfig, "ecwid-events.db": "SQLite format 3\x00 and more"},
			env:   secret, args: []string{"run"}, status: 1,
			stderr: []string{"opening the storage", "not a storage of ecwid-events"},
		},
		"a storage where nobody may write": { // root neither
			files: map[string]string{"config.yaml": smallConfig + "storage: {path: /sys/ecwid-events.db}\n"},
			env:   secret, args: []string{"run"}, status: 1,
			stderr: []string{"opening the storage", "/sys/ecwid-events.db: ", "set storage.path to another place"},
		},
		"a demo of negative length": {
			args: []string{"demo", "--for", "-1s"}, status: 2, stderr: []string{"--for must not be negative"},
		},
		"a demo that other machines could reach": {
			args: []string{"demo", "--admin", ":8321"}, status: 2, stderr: []string{`--admin must be an address that only this machine can reach, such as 127.0.0.1:8321, got ":8321"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := command(t, c.files, c.env, c.args...)
			if r.status != c.status {
				t.Errorf("exit status %d, want %d", r.status, c.status)
			}
			for _, want := range c.stdout {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("stdout does not contain %q", want)
				}
			}
			for _, want := range c.stderr {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("stderr does not contain %q", want)
				}
			}
			if strings.Contains(r.stdout+r.stderr, "secret_of_nobody") {
				t.Error("the output holds the secret")
			}
			if t.Failed() {
				t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
			}
		})
	}
}

func TestExampleConfigurationPassesCheck(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile(filepath.Join("..", "..", "config.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := command(t, map[string]string{"config.yaml": string(example)}, []string{"ECWID_ORDER_SECRET=secret_of_nobody"}, "check")
	if r.status != 0 {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
}

// A foreign file must not be changed by the attempt to open it.
func TestForeignDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "ecwid-events.db")
	const foreign = "SQLite format 3\x00 and more"
	for name, text := range map[string]string{"config.yaml": smallConfig, "ecwid-events.db": foreign} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commandIn(t, dir, []string{"ECWID_ORDER_SECRET=secret_of_nobody"}, "run")
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != foreign {
		t.Error("the file was changed")
	}
}

func TestDemoLosesNothing(t *testing.T) {
	t.Parallel()
	r := command(t, nil, []string{"TMPDIR=" + t.TempDir()}, "demo", "--for", "6s", "--seed", "7")
	if r.status != 0 {
		t.Errorf("exit status %d", r.status)
	}
	for _, want := range []string{"order.created", "paymentStatus AWAITING_PAYMENT -> PAID", "none missing."} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout does not contain %q", want)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

// While the demo runs its dashboard answers, unless it is turned off.
func TestDemoHasADashboard(t *testing.T) {
	t.Parallel()
	start := func(args ...string) (address string, end func()) {
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"demo", "--seed", "7"}, args...)...)
		cmd.Dir = t.TempDir()
		cmd.Env = []string{"TMPDIR=" + cmd.Dir}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for lines.Scan() && lines.Text() != "" { // the introduction
			if _, found, ok := strings.Cut(lines.Text(), "The dashboard is at "); ok {
				address = found
			}
		}
		return address, func() {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, stdout)
			if err := cmd.Wait(); err != nil {
				t.Errorf("demo %q ended with %v", args, err)
			}
		}
	}
	address, end := start()
	for path, want := range map[string]string{"": "Flower shop", "readyz": `"ready"`} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s%s: status %d, %v, want 200 with %q", address, path, resp.StatusCode, err, want)
		}
	}
	listen := strings.Trim(address, "htp:/")
	if second := command(t, nil, []string{"TMPDIR=" + t.TempDir()}, "demo", "--admin", listen); second.status != exitFailed || !strings.Contains(second.stderr, "listen tcp "+listen) {
		t.Errorf("a second demo at %s: status %d\n%s", listen, second.status, second.stderr)
	}
	end()
	if address, end = start("--admin", ""); address != "" {
		t.Errorf("there is a dashboard at %s, though it is turned off", address)
	}
	end()
}
