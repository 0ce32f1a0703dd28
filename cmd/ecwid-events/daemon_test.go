package main

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killable is the real program, again and again on the same storage.
type killable struct {
	t           *testing.T
	program     string // empty: binary
	dir, config string

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended, with err
	err    error
	log    logBuffer // of all runs
}

// A logBuffer can be read while it is written.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// start starts the program, with more in its environment when given.
func (k *killable) start(env ...string) {
	k.t.Helper()
	k.cmd = exec.CommandContext(k.t.Context(), cmp.Or(k.program, binary), "run", "--config", k.config)
	k.cmd.Dir, k.cmd.Env = k.dir, append(os.Environ(), env...)
	stderr, err := k.cmd.StderrPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan<- struct{}) {
		_, _ = io.Copy(&k.log, stderr)
		k.err = cmd.Wait()
		close(exited)
	}(k.cmd, k.exited)
	k.t.Cleanup(func() { _ = k.cmd.Process.Kill() })
}

// runFor lets the program run; it must not end by itself.
func (k *killable) runFor(d time.Duration) {
	k.t.Helper()
	select {
	case <-k.exited:
		k.t.Fatalf("the program ended by itself: %v\n%s", k.err, tail(k.log.String()))
	case <-time.After(d):
	}
}

func (k *killable) kill() {
	k.t.Helper()
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	<-k.exited
}

// dieAt starts the program and waits until it has killed itself at the failpoint.
func (k *killable) dieAt(failpoint string) {
	k.t.Helper()
	k.start("ECWID_EVENTS_FAILPOINT=" + failpoint)
	select {
	case <-k.exited:
	case <-time.After(30 * time.Second):
		k.kill()
		k.t.Fatalf("the program did not come to %s\n%s", failpoint, tail(k.log.String()))
	}
	status, ok := k.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		k.t.Fatalf("the program ended by itself before %s: %v\n%s", failpoint, k.err, tail(k.log.String()))
	}
}

// stop ends the program as a person would; it must end well.
func (k *killable) stop() {
	k.t.Helper()
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		k.t.Fatal(err)
	}
	select {
	case <-k.exited:
		if k.err != nil {
			k.t.Errorf("the program ended with %v\n%s", k.err, tail(k.log.String()))
		}
	case <-time.After(20 * time.Second):
		k.t.Error("the program did not stop")
		k.kill()
	}
}

// waitUntil lets the program run until a condition holds.
func (k *killable) waitUntil(limit time.Duration, what string, holds func() bool, otherwise func() string) {
	k.t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			k.kill()
			k.t.Fatalf("not within %s: %s: %s\n%s", limit, what, otherwise(), tail(k.log.String()))
		}
		k.runFor(50 * time.Millisecond)
	}
}

func tail(log string) string {
	const most = 8000
	return log[max(0, len(log)-most):]
}
