//go:build unix && !aix && !solaris

package boltstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/ecwid-events/ecwid-events/store"
)

// lockRetry is how long to wait between two tries for the lock, as bbolt does.
const lockRetry = 50 * time.Millisecond

// lock takes the lock on a file that bbolt takes: exclusive for writing, shared
// for reading. It belongs to the open file, so that bbolt can take it once more,
// and ends when the file is closed.
func lock(file *os.File, readOnly bool, timeout time.Duration) error {
	how := syscall.LOCK_EX
	if readOnly {
		how = syscall.LOCK_SH
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(lockRetry) {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("locking the file: %w", err)
		case !time.Now().Before(deadline):
			return fmt.Errorf("%w: stop it first, or use another storage.path", store.ErrLocked)
		}
	}
}

// release lets the lock go and closes the file. Closing alone would not do: as
// long as the file is mapped, the lock stays.
func release(file *os.File) error {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_UN); err != nil {
		return errors.Join(fmt.Errorf("unlocking the file: %w", err), file.Close())
	}
	return file.Close()
}
