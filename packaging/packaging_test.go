// Package packaging_test holds the files of this directory and of examples/ against
// the programs that will read them, or against the types of those programs.
package packaging_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// built is the program, built once, with what the build printed.
var built struct {
	sync.Once
	directory, path string
	printed         []byte
	err             error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if built.directory != "" {
		_ = os.RemoveAll(built.directory)
	}
	os.Exit(status)
}

// program returns the path of ecwid-events, built from this checkout.
func program(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.directory, built.err = os.MkdirTemp("", "packaging"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.directory, "ecwid-events")
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", built.path, "./cmd/ecwid-events")
		build.Dir = ".."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		built.printed, built.err = build.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("building ecwid-events: %v\n%s", built.err, built.printed)
	}
	return built.path
}

// command is a call of a program that is no part of Go, and that is installed or in
// bin/. Where it is missing the test is skipped; in CI that is a failure.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("..", "bin", name))
	}
	if err != nil {
		skip(t, name+" is missing: tools/test-tools.sh installs it")
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// skip ends the test for a reason that must not hold in CI.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// run runs the command, which must succeed, and returns what it printed.
func run(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
	return string(out)
}

// check runs ecwid-events check on a configuration and returns its exit status and
// what it printed.
func check(t *testing.T, text string) (int, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, text)
	c := exec.CommandContext(t.Context(), program(t), "check", "--config", path)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
