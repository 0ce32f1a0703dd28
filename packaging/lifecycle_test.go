package packaging_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A machine is a directory that packages are installed into, with a shell to run
// their scripts, which see it as their root. Its systemctl writes down how it is
// called, and enable does what it does.
type machine struct {
	t    *testing.T
	root string
	told int // how much of the calls was looked at
}

const systemctl = `#!/bin/sh
echo "$*" >> /calls
if [ "$1" = enable ]; then
	mkdir -p /etc/systemd/system/multi-user.target.wants
	ln -sf "/usr/lib/systemd/system/$2" "/etc/systemd/system/multi-user.target.wants/$2"
fi
`

const (
	configPath      = "/etc/ecwid-events/config.yaml"
	environmentPath = "/etc/ecwid-events/environment"
	secretPath      = "/etc/ecwid-events/secrets/order"
	statePath       = "/var/lib/private/ecwid-events/ecwid-events.db"
	stateLink       = "/var/lib/ecwid-events"
	enabled         = "/etc/systemd/system/multi-user.target.wants/ecwid-events.service"
)

// newMachine returns a machine on which systemd runs, or does not.
func newMachine(t *testing.T, systemd bool) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "only root can install packages")
	}
	m := &machine{t: t, root: t.TempDir()}
	m.write("/bin/busybox", read(t, command(t, "busybox").Path))
	m.write("/bin/systemctl", systemctl)
	m.write("/calls", "")
	m.write("/dev/null", "")
	for _, name := range []string{"busybox", "systemctl"} {
		if err := os.Chmod(m.path("/bin/"+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range []string{"sh", "cat", "rm", "ln", "mkdir"} {
		if err := os.Symlink("busybox", m.path("/bin/"+tool)); err != nil {
			t.Fatal(err)
		}
	}
	if systemd {
		m.write("/run/systemd/system/.keep", "")
	}
	// What dpkg expects of any machine.
	for _, path := range []string{"status", "available", "info/format", "updates/.keep", "triggers/.keep"} {
		text := ""
		if path == "info/format" {
			text = "1\n"
		}
		m.write("/var/lib/dpkg/"+path, text)
	}
	return m
}

func (m *machine) path(path string) string { return filepath.Join(m.root, path) }

func (m *machine) write(path, text string) {
	m.t.Helper()
	write(m.t, m.path(path), text)
}

func (m *machine) dpkg(args ...string) string {
	m.t.Helper()
	c := command(m.t, "dpkg", append([]string{"--root=" + m.root, "--force-bad-path", "--no-triggers"}, args...)...)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return run(m.t, c)
}

func (m *machine) rpm(args ...string) string {
	m.t.Helper()
	// No package provides the shell here.
	return run(m.t, command(m.t, "rpm", append([]string{"--root", m.root, "--nodeps", "--nosignature"}, args...)...))
}

// called tests how systemctl was called since it was last asked.
func (m *machine) called(when string, want ...string) {
	m.t.Helper()
	calls := strings.Fields(strings.ReplaceAll(read(m.t, m.path("/calls")), " ", "_"))
	got := calls[m.told:]
	m.told = len(calls)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		m.t.Errorf("%s: systemctl was called with %q, want %q", when, got, want)
	}
}

// has tests which of the files are there.
func (m *machine) has(when string, want bool, paths ...string) {
	m.t.Helper()
	for _, path := range paths {
		if exists(m.path(path)) != want {
			m.t.Errorf("%s: %s is there: %v, want %v", when, path, !want, want)
		}
	}
}

// use does what a person and the service do after the installation.
func (m *machine) use() {
	m.t.Helper()
	m.write(configPath, filledIn(read(m.t, "config.yaml")))
	m.write(secretPath, "secret_x\n")
	m.write(environmentPath, "ORDER_KEY_1003=secret_x\n")
	m.write(statePath, "orders")
	if err := os.Symlink("private/ecwid-events", m.path(stateLink)); err != nil {
		m.t.Fatal(err)
	}
}

// used tests that what use did is still there, configuration files with saved behind
// their names.
func (m *machine) used(when, saved string) {
	m.t.Helper()
	config, environment := configPath+saved, environmentPath+saved
	m.has(when, true, config, environment, secretPath, statePath, stateLink)
	if m.t.Failed() {
		return
	}
	if read(m.t, m.path(config)) != filledIn(read(m.t, "config.yaml")) || read(m.t, m.path(statePath)) != "orders" {
		m.t.Errorf("%s: the configuration or the storage has changed", when)
	}
	if info, err := os.Stat(m.path(environment)); err != nil || info.Mode().Perm() != 0o600 {
		m.t.Errorf("%s: the variables: %v, %v", when, info, err)
	}
}

// installed tests what a first installation leaves behind.
func (m *machine) installed(printed string) {
	m.t.Helper()
	m.has("installed", true, "/usr/bin/ecwid-events", configPath, enabled)
	if info, err := os.Stat(m.path("/etc/ecwid-events/secrets")); err != nil || info.Mode().Perm() != 0o700 {
		m.t.Errorf("installed: the directory of the secrets: %v, %v", info, err)
	}
	if !strings.Contains(printed, "fill in "+configPath) {
		m.t.Errorf("installed: nothing says what to do next:\n%s", printed)
	}
	// It runs here, and refuses the configuration as it is.
	start := exec.CommandContext(m.t.Context(), m.path("/usr/bin/ecwid-events"), "run", "--config", m.path(configPath))
	if out, err := start.CombinedOutput(); start.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "stores[0].id: ") {
		m.t.Errorf("installed: a start comes to %v:\n%s", err, out)
	}
}

// calls is what was called when systemd runs, and nothing when not.
func calls(systemd bool, all ...string) []string {
	if systemd {
		return all
	}
	return nil
}

const (
	enable  = "enable_ecwid-events.service"
	restart = "try-restart_ecwid-events.service"
	stop    = "stop_ecwid-events.service"
	reload  = "daemon-reload"
)

func testDeb(t *testing.T, old, young string, systemd bool) {
	m := newMachine(t, systemd)
	m.installed(m.dpkg("-i", old))
	m.called("installed", append(calls(systemd, reload), enable)...)

	m.use()
	if out := m.dpkg("-i", young); strings.Contains(out, "not started yet") {
		t.Errorf("an upgrade speaks like a first installation:\n%s", out)
	}
	m.used("upgraded", "")
	m.called("upgraded", calls(systemd, reload, reload, restart)...)

	m.dpkg("--remove", "ecwid-events")
	m.used("removed", "")
	m.has("removed", false, "/usr/bin/ecwid-events")
	m.called("removed", calls(systemd, stop, reload)...)

	m.dpkg("-i", young)
	m.used("installed again", "")
	m.has("installed again", true, "/usr/bin/ecwid-events", enabled)
	m.called("installed again", calls(systemd, reload, restart)...)

	m.dpkg("--purge", "ecwid-events")
	m.has("purged", false, "/etc/ecwid-events", stateLink, filepath.Dir(statePath), enabled, "/usr/share/ecwid-events")
	m.called("purged", calls(systemd, stop, reload, reload)...)
}

// rpm asks the new package's script first, and the old one's then.
func testRPM(t *testing.T, old, young string, systemd bool) {
	m := newMachine(t, systemd)
	m.installed(m.rpm("-i", old))
	m.called("installed", append(calls(systemd, reload), enable)...)

	m.use()
	m.rpm("-U", young)
	m.used("upgraded", "")
	m.has("upgraded", true, enabled)
	m.called("upgraded", calls(systemd, reload, restart, reload)...)

	m.rpm("-e", "ecwid-events")
	m.used("removed", ".rpmsave")
	m.has("removed", false, "/usr/bin/ecwid-events", enabled)
	m.called("removed", calls(systemd, stop, reload)...)
}

// testOldSystemd installs the packages beside a systemd of some version. One that cannot
// take secrets from a directory keeps them away.
func testOldSystemd(t *testing.T, files map[string]string, version string, wanted bool) {
	m := newMachine(t, false)
	directory := t.TempDir()
	config := filepath.Join(directory, "nfpm.yaml")
	write(t, config, fmt.Sprintf("name: systemd\narch: %s\nversion: %q\nversion_schema: none\nmaintainer: nobody\ndescription: a systemd\noverrides: {rpm: {provides: [/bin/sh]}}\n", runtime.GOARCH, version))
	for _, format := range []string{"deb", "rpm"} {
		systemd := filepath.Join(directory, "systemd."+format)
		run(t, exec.CommandContext(t.Context(), "go", "tool", "nfpm", "package", "--config", config, "--packager", format, "--target", systemd))
		install := command(t, "dpkg", "--root="+m.root, "--force-bad-path", "--no-triggers", "-i", files[format])
		if format == "deb" {
			m.dpkg("-i", systemd)
		} else {
			m.rpm("-i", systemd)
			install = command(t, "rpm", "--root", m.root, "--nosignature", "-i", "--test", files[format])
		}
		out, err := install.CombinedOutput()
		if (err == nil) != wanted || !wanted && !strings.Contains(string(out), "systemd") {
			t.Errorf("the %s beside systemd %s: %v, want it to be installed: %t\n%s", format, version, err, wanted, out)
		}
	}
}
