//go:build unix

package notify_test

import (
	"syscall"
	"testing"
)

// listenAgain makes the queue of a listener as short as can be.
func listenAgain(t *testing.T, fd uintptr) {
	if err := syscall.Listen(int(fd), 0); err != nil {
		t.Error(err)
	}
}
