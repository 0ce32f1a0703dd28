package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

const noSpace = "no space left on device"

// fullDiskConfig lets many POSTs be under way, so that a full disk has no room for
// what becomes of them; and polls do not read back as far as the disk is full.
const fullDiskConfig = `schedule: 1s
admin: {listen: ""}
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s, overlap: 1s}
callbacks:
  - {url: %[2]s, concurrency: 64, timeout: 60s, retry: {first: 20ms, longest: 200ms}}
storage: {path: `

// newSmallWorld is a world whose storage lies on a file system of its own, of 2 MiB.
// filler is a file there, which makes it full.
func newSmallWorld(t *testing.T, receiver *notifytest.Receiver) (w *world, path, filler string) {
	t.Helper()
	dir := smallFileSystem(t, 2<<20)
	path = filepath.Join(dir, "ecwid-events.db")
	return newWorld(t, t.TempDir(), receiver, fullDiskConfig+path+"}\n"), path, filepath.Join(dir, "filler")
}

// recovers makes room and lets the program, which has been running all the time,
// deliver n events in all: each once, and recorded.
func (w *world) recovers(path, filler string, n int) {
	w.t.Helper()
	w.daemon.runFor(3 * time.Second) // it keeps running, and trying
	if err := os.Remove(filler); err != nil {
		w.t.Fatal(err)
	}
	w.receives(n)
	w.daemon.stop()
	report := notifytest.Judge(w.receiver.Arrivals())
	if err := report.Err(); err != nil || report.Events != n || report.Duplicates > 0 {
		w.t.Errorf("%d events, %d of them twice, want %d once: %v", report.Events, report.Duplicates, n, err)
	}
	if left := backlog(w.t, path); left != "0 deliveries are pending and 0 dead" {
		w.t.Error(left)
	}
}

func TestDiskFullWhileCommitting(t *testing.T) {
	t.Parallel()
	w, path, filler := newSmallWorld(t, &notifytest.Receiver{})
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	fill(t, filler)
	for range 200 {
		w.shop.Place()
	}
	w.logs(noSpace)
	w.recovers(path, filler, 200)
}

func TestDiskFullWhileRecording(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	w, path, filler := newSmallWorld(t, &notifytest.Receiver{Script: func(a notifytest.Arrival) notifytest.Step {
		<-gate
		return notifytest.Step{Body: strings.Repeat(a.BodyHash, 16)}
	}})
	t.Cleanup(open)
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	for range 80 {
		w.shop.Place()
	}
	w.daemon.waitUntil(20*time.Second, "64 POSTs are under way", func() bool { return w.receiver.Requests() == 64 }, func() string {
		return fmt.Sprintf("%d are", w.receiver.Requests())
	})
	fill(t, filler)
	open()
	w.logs(`"delivery.record_failed"`)
	if log := w.daemon.log.String(); !strings.Contains(log, noSpace) {
		t.Error("the log does not tell that there is no space")
	}
	w.recovers(path, filler, 80)
	if log := w.daemon.log.String(); !strings.Contains(log, `"delivery.storage_recovered"`) {
		t.Error("the log does not tell that the storage has recovered")
	}
}

// smallFileSystem mounts a file system of its own, for which it needs root on Linux.
func smallFileSystem(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		missing(t, "root on Linux, to mount a small file system")
	}
	mount := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("a small file system: %v %s", err, out))
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v %s", err, out)
		}
	})
	return dir
}

// missing skips a test that the machine cannot run; in CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
}

// fill writes a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte{1}, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if cerr := f.Close(); cerr != nil {
		t.Fatal(cerr)
	}
}
