package boltstore_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

// The variable that makes this test binary work on the file that it names until
// it is killed.
const workOn = "BOLTSTORE_WORK_ON"

func TestMain(m *testing.M) {
	path := os.Getenv(workOn)
	if path == "" {
		os.Exit(m.Run())
	}
	db, err := boltstore.Open(path, boltstore.Options{})
	if err == nil {
		err = storetest.Work(context.Background(), db, os.Stdout)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "storage.db")
	var acknowledged bytes.Buffer
	for round := range 20 {
		killAfter(t, path, rand.IntN(30), &acknowledged)
		db := open(t, path)
		storetest.Verify(t, db, bytes.NewReader(acknowledged.Bytes()))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	if lines := bytes.Count(acknowledged.Bytes(), []byte("\n")); lines == 0 {
		t.Error("nothing was acknowledged in any round")
	}
}

// killAfter runs a process that works on the storage at path and kills it when it
// has acknowledged some things.
func killAfter(t *testing.T, path string, lines int, acknowledged *bytes.Buffer) {
	t.Helper()
	child := testBinary(t)
	child.Env = append(os.Environ(), workOn+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems bytes.Buffer
	child.Stderr = &problems
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1<<10)
	for before := acknowledged.Len(); bytes.Count(acknowledged.Bytes()[before:], []byte("\n")) < lines; {
		n, err := out.Read(buffer)
		acknowledged.Write(buffer[:n])
		if err != nil {
			t.Fatalf("the process ended by itself: %v: %s", err, problems.String())
		}
	}
	// Without this the kill would always hit the beginning of the next call.
	<-time.After(rand.N(15 * time.Millisecond))
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := acknowledged.ReadFrom(out); err != nil {
		t.Fatal(err)
	}
	err = child.Wait()
	if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended with %v: %s", err, problems.String())
	}
	acknowledged.WriteString("\n") // behind a line that was cut off
}

// testBinary runs this test binary once more.
func testBinary(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), binary, arguments...)
}
