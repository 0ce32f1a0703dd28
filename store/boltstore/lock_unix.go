//go:build unix && !aix && !solaris

package boltstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// errBusy is returned by exclusively while another call is under way.
var errBusy = errors.New("another copy is being made in that directory: wait until it is done")

// exclusively calls f while nobody else makes a copy in the directory of a path, this
// process or another one. Where the file system cannot lock a directory, it just calls f.
func exclusively(path string, f func() error) (err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return errBusy
	}
	return f()
}

// release lets the lock go and closes the file. Closing alone would not do: as
// long as the file is mapped, the lock stays.
func release(file *os.File) error {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_UN); err != nil {
		return errors.Join(fmt.Errorf("unlocking the file: %w", err), file.Close())
	}
	return file.Close()
}
