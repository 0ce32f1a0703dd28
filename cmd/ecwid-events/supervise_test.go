package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// A notifySocket is what systemd listens on.
type notifySocket struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func listenAsSystemd(t *testing.T) *notifySocket {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return &notifySocket{t, path, conn}
}

// next returns the next message; empty when none comes in time.
func (s *notifySocket) next(within time.Duration) string {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		s.t.Fatal(err)
	}
	buffer := make([]byte, 1024)
	n, err := s.conn.Read(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(buffer[:n])
}

// until waits for a message, over those of the watchdog.
func (s *notifySocket) until(want string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		got := s.next(time.Until(deadline))
		switch got {
		case want:
			return
		case "WATCHDOG=1":
		default:
			s.t.Fatalf("systemd is told %q, want %s", got, want)
		}
	}
}

func TestSystemdIsToldTheState(t *testing.T) {
	t.Parallel()
	systemd := listenAsSystemd(t)
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{}, worldConfig)
	w.daemon.start("NOTIFY_SOCKET="+systemd.path, "WATCHDOG_USEC=3000000")
	systemd.until("READY=1")
	for range 3 {
		systemd.until("WATCHDOG=1")
	}
	w.logs("sweep.finished")

	hangUp := func(change string) {
		config, err := os.ReadFile(w.daemon.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.daemon.config, append(config, change...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		systemd.until("RELOADING=1")
		systemd.until("READY=1")
	}
	hangUp("  - {name: second, url: " + w.callback + "}\n") // the first one has no name
	w.logs("config.reload_failed")
	w.shop.Place()
	w.receives(1)

	if err := w.daemon.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	systemd.until("STOPPING=1")
	<-w.daemon.exited
	if log := w.daemon.log.String(); strings.Index(log, `"stopping"`) > strings.Index(log, `"stopped"`) {
		t.Error("the log says stopped before stopping")
	}
}

func TestReloadTakesEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{}, worldConfig)
	w.daemon.start()
	w.logs("sweep.finished")
	config, err := os.ReadFile(w.daemon.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(config), "id: 1003,", "id: 1003, name: Renamed,", 1)
	if err := os.WriteFile(w.daemon.config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.logs(`"config.reloaded","stores_changed":["1003"]`)
	w.shop.Place()
	w.receives(1)
	w.daemon.stop()
}

// The watchdog is fed while the schedulers answer, and starves as soon as one hangs.
func TestWatchdogStarvesWhenASchedulerHangs(t *testing.T) {
	systemd := listenAsSystemd(t)
	t.Setenv("NOTIFY_SOCKET", systemd.path)
	core, logs := observer.New(zap.ErrorLevel)
	hanging := make(chan struct{})
	ping := func(ctx context.Context) error {
		select {
		case <-hanging:
			<-ctx.Done()
			return errors.New("the scheduler of the polls does not answer")
		default:
			return nil
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		feedWatchdog(ctx, 150*time.Millisecond, ping, zap.New(core))
	}()
	for range 3 {
		if got := systemd.next(20 * time.Second); got != "WATCHDOG=1" {
			t.Fatalf("systemd is told %q", got)
		}
	}
	close(hanging)
	for systemd.next(500*time.Millisecond) != "" { // what was under way
	}
	if got := systemd.next(500 * time.Millisecond); got != "" {
		t.Errorf("systemd is told %q while a scheduler hangs", got)
	}
	if logs.FilterMessage("watchdog.silent").Len() == 0 {
		t.Error("the log does not say why the watchdog starves")
	}
	stop()
	<-ended
}

// A SIGHUP that comes while the configuration is still read does not end the program: the
// configuration is read once more.
func TestHangupDuringTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{}, worldConfig)
	config, err := os.ReadFile(w.daemon.config)
	if err != nil {
		t.Fatal(err)
	}
	// What reads a pipe waits until it is written to.
	w.daemon.config = filepath.Join(w.daemon.dir, "pipe.yaml")
	if err := syscall.Mkfifo(w.daemon.config, 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(signal os.Signal) {
		t.Helper()
		pipe, err := os.OpenFile(w.daemon.config, os.O_WRONLY, 0) // waits for a reader
		if err != nil {
			t.Fatal(err)
		}
		if signal != nil {
			if err := w.daemon.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := pipe.Write(config); err != nil {
			t.Fatal(err)
		}
		if err := pipe.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.daemon.start()
	write(syscall.SIGHUP)
	w.logs(`"started"`)
	write(nil)
	w.logs("config.reloaded")
	w.daemon.stop()
}
