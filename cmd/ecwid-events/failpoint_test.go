package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKillAtFailpoints lets the real program kill itself where that could hurt
// most, again and again.
func TestKillAtFailpoints(t *testing.T) {
	t.Parallel()
	program := mortalProgram(t)
	for _, c := range []struct {
		point string
		hits  int // how often the program is killed there
		// most bounds how often the program comes to the point before it dies there.
		most int
		// within bounds how far into a call it dies.
		within time.Duration
		// before lets the program work in peace before each hit.
		before func(*killBed)
	}{
		{point: "after-fetch", hits: 12, most: 8},
		{point: "before-commit", hits: 12, most: 6},
		{point: "while-committing", hits: 20, most: 6, within: 2 * time.Millisecond},
		{point: "after-commit", hits: 12, most: 6},
		{point: "before-post", hits: 12, most: 60},
		{point: "after-post", hits: 12, most: 20},
		{point: "while-recording", hits: 40, most: 10, within: 3 * time.Millisecond},
		{point: "while-pruning", hits: 12, most: 1, within: 2 * time.Millisecond, before: fillForPruning},
	} {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			seed := testSeed(t)
			random := rand.New(rand.NewPCG(seed, 0))
			bed := newKillBed(t, seed, program)
			bed.learn()
			stopLife := bed.live()
			for range c.hits {
				if c.before != nil {
					c.before(bed)
				}
				spec := fmt.Sprintf("%s:%d", c.point, 1+random.IntN(c.most))
				if c.within > 0 {
					spec += fmt.Sprintf(":%s", time.Duration(random.Int64N(int64(c.within))))
				}
				bed.daemon.dieAt(spec)
				bed.checkStorage()
			}
			stopLife()
			counts := bed.finish()
			log := bed.daemon.log.String()
			if n := strings.Count(log, "failpoint "+c.point+": killed"); n != c.hits {
				t.Errorf("the program was killed there %d times, want %d", n, c.hits)
			}
			t.Logf("%d kills, %d of them in the midst of a call, %s", c.hits, strings.Count(log, ": killed in its midst"), counts)
		})
	}
}

// mortalProgram builds the program with its failpoints, once for all tests.
func mortalProgram(t *testing.T) string {
	t.Helper()
	path, err := buildMortal()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildMortal = sync.OnceValues(func() (string, error) {
	path := binary + "-failpoints"
	build := exec.CommandContext(context.Background(), "go", "build", "-tags", "failpoints", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program with failpoints: %w\n%s", err, out)
	}
	return path, nil
})

// fillForPruning lets some more events be delivered, which the next start prunes.
func fillForPruning(b *killBed) {
	b.t.Helper()
	accepted := b.states.count()
	b.daemon.start()
	b.daemon.waitUntil(20*time.Second, "20 more events are accepted", func() bool {
		return b.states.count() >= accepted+20
	}, func() string { return fmt.Sprintf("%d are", b.states.count()-accepted) })
	b.kill()
}

func TestFailpointIsRefused(t *testing.T) {
	t.Parallel()
	program := mortalProgram(t)
	for name, spec := range map[string]string{
		"unknown":                "before-lunch:1",
		"without a number":       "before-commit",
		"never":                  "before-commit:0",
		"a moment with duration": "before-commit:1:1ms",
		"a call without one":     "while-recording:1",
		"no duration":            "while-recording:1:soon",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, "once")
			cmd.Dir = t.TempDir()
			cmd.Env = []string{
				"ECWID_STORE_ID=1003", "ECWID_ORDER_SECRET=secret_of_1003", "CALLBACK_URL=http://127.0.0.1:1/",
				"ECWID_EVENTS_FAILPOINT=" + spec,
			}
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "ECWID_EVENTS_FAILPOINT="+spec) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
