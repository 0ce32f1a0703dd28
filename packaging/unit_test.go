package packaging_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// maxExposure is the most that systemd may find wanting in the unit's hardening, on
// its scale from 0 (none) to 10.
const maxExposure = 1.5

func TestUnitIsValid(t *testing.T) {
	t.Parallel()
	out, err := analyze(t, "verify", "--man=no", unit(t))
	if err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestUnitIsHardened(t *testing.T) {
	t.Parallel()
	out, err := analyze(t, "security", "--offline=true", "--no-pager", unit(t))
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	figure := regexp.MustCompile(`Overall exposure level for \S+: (\d+\.\d+)`).FindStringSubmatch(out)
	if figure == nil {
		t.Fatalf("no exposure level in:\n%s", out)
	}
	exposure, err := strconv.ParseFloat(figure[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("exposure level %.1f", exposure)
	if exposure > maxExposure {
		t.Errorf("exposure level %.1f, want at most %.1f:\n%s", exposure, maxExposure, out)
	}
}

// settings returns what the unit sets, by section and name. Lines of one name follow each
// other.
func settings(t *testing.T) map[string][]string {
	t.Helper()
	found, section := map[string][]string{}, ""
	for line := range strings.Lines(read(t, "ecwid-events.service")) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]") + "."
		case !ok:
			t.Fatalf("what is %q in the unit?", line)
		default:
			found[section+name] = append(found[section+name], value)
		}
	}
	return found
}

// What keeps the service running, and what only root can read. No program on the machine
// that tests tells whether these are meant so.
func TestUnitSays(t *testing.T) {
	t.Parallel()
	unit := settings(t)
	for name, want := range map[string][]string{
		"Service.Type":                     {"notify"},
		"Service.NotifyAccess":             {"main"},
		"Service.WatchdogSec":              {"60s"},
		"Service.ExecStart":                {"/usr/bin/ecwid-events run --config /etc/ecwid-events/config.yaml"},
		"Service.ExecReload":               {"/bin/kill -HUP $MAINPID"},
		"Service.Restart":                  {"always"},
		"Service.RestartSec":               {"5s"},
		"Service.RestartPreventExitStatus": {"2"},
		"Service.Environment":              {"GOTRACEBACK=crash"},
		"Service.LimitCORE":                {"0"},
		"Service.DynamicUser":              {"yes"},
		"Service.LoadCredential":           {"secret:/etc/ecwid-events/secrets"},
		"Service.EnvironmentFile":          {"-/etc/ecwid-events/environment"},
		"Install.WantedBy":                 {"multi-user.target"},
	} {
		if diff := cmp.Diff(want, unit[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A service that the watchdog aborts, or that panics, must not end with the status of a
// configuration error, after which systemd leaves it dead. It is run as systemd does it.
func TestAbortedServiceDoesNotLookMisconfigured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	write(t, config, "admin: {listen: \"\"}\nstores: [{id: 1003, order_secret: secret_x, base_url: \"http://127.0.0.1:9\"}]\ncallbacks: [{url: \"http://127.0.0.1:9/\"}]\n")
	unit := settings(t)
	c := exec.CommandContext(t.Context(), "/bin/sh", "-c", `ulimit -c "$0" && exec "$@"`,
		strings.Join(unit["Service.LimitCORE"], ""), program(t), "run", "--config", config)
	c.Dir, c.Env = dir, unit["Service.Environment"]
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"started"`) {
		t.Errorf("it did not start: %s", lines.Text())
	}
	if err := c.Process.Signal(syscall.SIGABRT); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, stderr)
	_ = c.Wait() // an error, and which one is looked at
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGABRT || status.CoreDump() {
		t.Errorf("it ended with %s, want signal: aborted without a core dump", c.ProcessState)
	}
}

// unit returns the path of a copy of the unit that starts a program which is
// installed here: verify looks for it.
func unit(t *testing.T) string {
	t.Helper()
	const name, installed = "ecwid-events.service", "ExecStart=/usr/bin/ecwid-events "
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), installed) {
		t.Fatalf("%s has no %q", name, installed)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), installed, "ExecStart="+program+" ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// analyze runs systemd-analyze and returns what it printed.
func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := command(t, "systemd-analyze", args...).CombinedOutput()
	return string(out), err
}
