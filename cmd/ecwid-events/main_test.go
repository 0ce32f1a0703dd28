package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binary is the real program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ecwid-events-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a directory for the binary:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "ecwid-events")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A result is what a command came to.
type result struct {
	status         int
	stdout, stderr string
}

// command runs the real program to its end in an empty directory that holds the
// files, with the environment and nothing else.
func command(t *testing.T, files map[string]string, env []string, args ...string) result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return commandIn(t, dir, env, args...)
}

func commandIn(t *testing.T, dir string, env []string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Env = dir, append([]string{"HOME=" + dir}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("running %v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// What is removed for good is removed after a yes, and after nothing else.
func TestOnlyAYesConfirms(t *testing.T) {
	t.Parallel()
	for answer, isYes := range map[string]bool{
		"y\n": true, "Yes\n": true, "y": true,
		"n\n": false, "N\n": false, "no\n": false, "\n": false, "": false, "yesterday\n": false, "ny\n": false, "n\ny\n": false,
	} {
		var asked strings.Builder
		if err := confirmOn(strings.NewReader(answer), &asked, "Remove it?"); (err == nil) != isYes {
			t.Errorf("%q: %v", answer, err)
		}
		if asked.String() != "Remove it? [y/N] " {
			t.Errorf("it asks %q", asked.String())
		}
	}
}
