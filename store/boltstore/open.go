package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/store"
)

const (
	// magic is kept in every file, to tell it from other programs' bbolt files.
	magic = "ecwid-events"
	// format is the version of the layout in doc.go.
	format = 1

	// A compressed order is some 900 bytes. bbolt's usual 4 KiB would leave a tenth
	// of the file unused; with 16 KiB each changed order rewrites more.
	pageSize = 8 << 10
	// The file grows by this much at a time.
	growBy = 1 << 20

	defaultTimeout = time.Second
	fileMode       = 0o600
)

var (
	magicKey  = []byte("magic")
	formatKey = []byte("format")
)

// Options say how a storage is opened.
type Options struct {
	// ReadOnly opens the file for reading, beside other readers. A file that does
	// not exist is an error then.
	ReadOnly bool
	// Timeout is how long to wait for another process to let go of the file; 0
	// stands for one second.
	Timeout time.Duration
}

// Open opens the storage in the file at path, and creates it there when the file
// does not exist or is empty. The directory must exist.
//
// It returns store.ErrLocked when another process holds the file; store.ErrForeign
// when the file is not ours, store.ErrNewer when a newer version wrote it, and
// store.ErrCorrupt when it is damaged. In these cases the file is left as it is.
//
// A new file is readable and writable by its owner alone, for it holds personal
// data. The mode of an existing one is left to whoever set it.
func Open(path string, o Options) (*DB, error) {
	if o.Timeout < 0 {
		return nil, fmt.Errorf("opening storage %s: the timeout is %s, it must not be negative", path, o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("opening storage %s: its directory must exist: %w", path, err)
	}
	file, err := openFile(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening storage %s: %w", path, err)
	}
	db, err := openBolt(file, o)
	if err != nil {
		_ = release(file) // the error that counts is the other one
		return nil, fmt.Errorf("opening storage %s: %w", path, err)
	}
	return db, nil
}

// openFile returns the locked file at path, which holds a whole storage.
func openFile(path string, o Options) (*os.File, error) {
	for {
		file, err := lockFile(path, o)
		if err != nil {
			return nil, err
		}
		again, err := prepare(file, path, o)
		if err == nil && !again {
			return file, nil
		}
		_ = file.Close() // nothing was written to it
		if err != nil {
			return nil, err
		}
	}
}

func lockFile(path string, o Options) (*os.File, error) {
	flags := os.O_RDWR | os.O_CREATE
	if o.ReadOnly {
		flags = os.O_RDONLY
	}
	file, err := os.OpenFile(path, flags, fileMode) //nolint:gosec // the operator names the path
	if err != nil {
		return nil, err
	}
	if err := lock(file, o.ReadOnly, o.Timeout); err != nil {
		_ = file.Close() // nothing was written to it
		return nil, err
	}
	return file, nil
}

// prepare checks a locked file. It asks to open the path again when the file is
// not, or no longer, the one that should be used.
func prepare(file *os.File, path string, o Options) (again bool, err error) {
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(opened, now) {
		return true, nil // another process put its new file there while we waited for the lock
	}
	switch {
	case err != nil:
		return false, err
	case !opened.Mode().IsRegular():
		return false, fmt.Errorf("%w: not a regular file", store.ErrForeign)
	case opened.Size() > 0:
		return false, checkFile(file)
	case o.ReadOnly:
		return false, fmt.Errorf("%w: the file is empty", store.ErrForeign)
	default:
		return true, create(path)
	}
}

// create puts a new storage in the place of the empty file at path, whose lock
// the caller holds. The new file appears whole or not at all; what a crash leaves
// behind is the empty file, and one beside it that the next try replaces.
func create(path string) error {
	path, err := filepath.EvalSymlinks(path) // the link stays
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(fresh, fileMode, &bolt.Options{PageSize: pageSize, Timeout: defaultTimeout})
	if err != nil {
		return fmt.Errorf("creating the storage: %w", err)
	}
	if err := errors.Join(db.Update(initialize), db.Close()); err != nil {
		return fmt.Errorf("creating the storage: %w", err)
	}
	if err := moveTo(path, fresh); err != nil {
		return fmt.Errorf("creating the storage: %w", err)
	}
	return nil
}

// moveTo gives a file that is on disk its name, in the place of what had it, and
// makes that durable.
func moveTo(path, fresh string) error {
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func initialize(tx *bolt.Tx) error {
	for _, name := range topBuckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	return errors.Join(
		meta.Put(magicKey, []byte(magic)),
		meta.Put(formatKey, binary.BigEndian.AppendUint32(nil, format)),
	)
}

// openBolt opens bbolt on a file that has been locked and checked.
func openBolt(file *os.File, o Options) (db *DB, err error) {
	defer guard(&err)()
	b, err := bolt.Open(file.Name(), fileMode, &bolt.Options{
		ReadOnly:     o.ReadOnly,
		Timeout:      o.Timeout,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	})
	if err != nil {
		return nil, fmt.Errorf("mapping the file: %w", err)
	}
	b.AllocSize = growBy
	if err := b.View(checkLayout); err != nil {
		_ = b.Close() // the error that counts is the other one
		return nil, err
	}
	return &DB{bolt: b, file: file, writer: make(chan struct{}, 1), resident: newResidency()}, nil
}

// checkLayout tells whether a bbolt file is ours, and of a format that this
// version knows.
func checkLayout(tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil || string(meta.Get(magicKey)) != magic {
		return fmt.Errorf("%w: a bbolt file of another program; move it away, or name another one", store.ErrForeign)
	}
	value := meta.Get(formatKey)
	if len(value) != 4 {
		return fmt.Errorf("%w: the format version has %d bytes", store.ErrCorrupt, len(value))
	}
	if found := binary.BigEndian.Uint32(value); found > format {
		return fmt.Errorf("%w: format %d, this version knows up to %d; use the newer version", store.ErrNewer, found, format)
	}
	for _, name := range topBuckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: the bucket %q is missing; restore the file from a backup", store.ErrCorrupt, name)
		}
	}
	return nil
}
