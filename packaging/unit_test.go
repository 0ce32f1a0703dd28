package packaging_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
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
