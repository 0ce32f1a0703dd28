package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// Whoever follows goes on behind the last event when the daemon was killed and started
// again, with no gap and no repeat.
func TestFollowOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, dir, &notifytest.Receiver{}, strings.Replace(worldConfig, `{listen: ""}`, `{listen: "`+freePort(t)+`"}`, 1))
	w.daemon.start()
	w.logs("sweep.finished")

	var stdout, stderr logBuffer
	follow := exec.CommandContext(t.Context(), binary, "events", "follow", "-o", "json")
	follow.Dir, follow.Stdout, follow.Stderr = dir, &stdout, &stderr
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	await := func(what string, holds func() bool) {
		t.Helper()
		w.daemon.waitUntil(30*time.Second, what, holds, func() string { return stdout.String() + stderr.String() })
	}
	await("it follows", func() bool { w.shop.Place(); return stdout.String() != "" })
	w.daemon.kill()
	meanwhile := w.shop.Place()
	w.daemon.start()
	await("it goes on", func() bool { return strings.Contains(stdout.String(), meanwhile) })
	last := w.shop.Place()
	await("it is as before", func() bool { return strings.Contains(stdout.String(), last) })
	if err := follow.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(stderr.String(), "no daemon answers") || !strings.Contains(stderr.String(), "waiting for it") || !strings.HasSuffix(stderr.String(), "answers again\n") {
		t.Errorf("it said %q", stderr.String())
	}

	var told, followed []string
	var events []control.Event
	if err := json.Unmarshal([]byte(commandIn(t, dir, nil, "events", "list", "--limit", "1000", "-o", "json").stdout), &events); err != nil {
		t.Fatal(err)
	}
	w.daemon.stop()
	for _, e := range slices.Backward(events) {
		told = append(told, e.ID)
	}
	for line := range strings.Lines(stdout.String()) {
		var e control.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		followed = append(followed, e.ID)
	}
	if diff := cmp.Diff(told[max(0, len(told)-len(followed)):], followed); diff != "" {
		t.Errorf("it did not show what was detected (-want +got):\n%s", diff)
	}
}
