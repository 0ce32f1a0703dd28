package boltstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/store"
)

const (
	// What the name of a file ends in that is not finished.
	partialSuffix = ".partial"
	// compactStep is how much of the storage one write of a compact copy holds.
	compactStep = 4 << 20
)

// Backup writes a copy of one state of the storage to a new file at path, which its
// owner alone can read. The file appears there when it is on disk and has been
// checked from end to end, or not at all; until then it is called path.partial.
//
// It returns an error that is fs.ErrExist when there is a file at path, unless it is
// to be replaced, and store.ErrCorrupt when the copy has faults.
func (d *DB) Backup(ctx context.Context, path string, replace bool) (Summary, error) {
	return Receive(ctx, d.file.Name(), path, replace, func(ctx context.Context, to io.Writer) error {
		return d.Stream(ctx, func(int64) io.Writer { return to })
	})
}

// Receive is Backup of the storage at own, which another process has open: fetch
// writes what the Stream of that process writes, all of it or an error.
func Receive(ctx context.Context, own, path string, replace bool, fetch func(context.Context, io.Writer) error) (Summary, error) {
	sum, err := writeTo(ctx, own, path, replace, fetched(fetch))
	if err != nil {
		return Summary{}, fmt.Errorf("backing up the storage to %s: %w", path, err)
	}
	return sum, nil
}

// CheckReceived is Check of a storage that another process has open, by a copy that
// is made at path as in Receive, and is gone when it returns. There must be room for
// it.
func CheckReceived(
	ctx context.Context, path string, fetch func(context.Context, io.Writer) error, fault func(string), progress func(Summary),
) (Summary, error) {
	var sum Summary
	err := exclusively(path, func() error {
		err := removeIfThere(path)
		if err == nil {
			err = fetched(fetch)(ctx, path)
		}
		if err == nil {
			sum, err = checkCopy(ctx, path, fault, progress)
		}
		return errors.Join(err, removeIfThere(path))
	})
	if err != nil {
		return Summary{}, fmt.Errorf("checking a copy of the storage at %s: %w", path, err)
	}
	return sum, nil
}

// CompactTo is Backup that leaves behind what is free in the file.
func (d *DB) CompactTo(ctx context.Context, path string, replace bool) (Summary, error) {
	sum, err := writeTo(ctx, d.file.Name(), path, replace, d.copyRecords)
	if err != nil {
		return Summary{}, fmt.Errorf("writing a compact copy of the storage to %s: %w", path, err)
	}
	return sum, nil
}

// Compact rewrites the storage in the file at path, without what is free in it,
// and returns its size before. The new file is written beside the old one, as
// path.compact, checked from end to end, given the old one's mode and owner, and
// then takes its place in one step: whenever the machine stops, one of the two is
// there, and whole. Nothing else may have the storage open.
//
// After an error the old file is as it was. There must be room for both.
func Compact(ctx context.Context, path string) (before int64, after Summary, err error) {
	path, err = filepath.EvalSymlinks(path) // the link stays
	if err != nil {
		return 0, Summary{}, fmt.Errorf("compacting the storage: %w", err)
	}
	db, err := Open(path, Options{})
	if err != nil {
		return 0, Summary{}, err
	}
	before, after, err = db.compact(ctx, path)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, Summary{}, fmt.Errorf("compacting the storage %s: %w", path, err)
	}
	return before, after, nil
}

func (d *DB) compact(ctx context.Context, path string) (before int64, after Summary, err error) {
	old, err := d.file.Stat()
	if err != nil {
		return 0, Summary{}, err
	}
	fresh := path + ".compact"
	after, err = makeCopy(ctx, fresh, d.copyRecords)
	if err != nil {
		return 0, Summary{}, err
	}
	if err = errors.Join(giveAway(fresh, old), ctx.Err()); err == nil {
		err = moveTo(path, fresh)
	}
	if err != nil {
		return 0, Summary{}, errors.Join(err, removeIfThere(fresh))
	}
	return old.Size(), after, nil
}

// writeTo makes a file at path of what write writes, which is a copy of the storage
// at own.
func writeTo(
	ctx context.Context, own, path string, replace bool, write func(ctx context.Context, path string) error,
) (Summary, error) {
	found, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return Summary{}, err
	case isSame(own, found):
		return Summary{}, errors.New("that is the storage itself: name another file")
	case !found.Mode().IsRegular():
		return Summary{}, errors.New("that is not a regular file: name another one")
	case !replace:
		return Summary{}, fs.ErrExist
	}
	var sum Summary
	err = exclusively(path, func() error {
		partial := path + partialSuffix
		if sum, err = makeCopy(ctx, partial, write); err != nil {
			return err
		}
		if err := moveTo(path, partial); err != nil {
			return errors.Join(err, removeIfThere(partial))
		}
		return nil
	})
	return sum, err
}

func isSame(path string, found os.FileInfo) bool {
	there, err := os.Stat(path)
	return err == nil && os.SameFile(there, found)
}

// makeCopy makes a whole storage at path of what write writes, in the place of what
// an interrupted call has left. It leaves nothing there when it fails.
func makeCopy(ctx context.Context, path string, write func(ctx context.Context, path string) error) (sum Summary, err error) {
	if err := removeIfThere(path); err != nil {
		return Summary{}, err
	}
	first := ""
	if err = write(ctx, path); err == nil {
		sum, err = checkCopy(ctx, path, func(fault string) { first = cmp.Or(first, fault) }, nil)
	}
	if err == nil && sum.Faults > 0 {
		err = fmt.Errorf("%w: the copy has %d faults, the first: %s", store.ErrCorrupt, sum.Faults, first)
	}
	if err != nil {
		return Summary{}, errors.Join(err, removeIfThere(path))
	}
	return sum, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func checkCopy(ctx context.Context, path string, fault func(string), progress func(Summary)) (Summary, error) {
	db, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		return Summary{}, err
	}
	sum, err := db.Check(ctx, fault, progress)
	return sum, errors.Join(err, db.Close())
}

// fetched returns what makes a file, which is on disk then, of what fetch writes.
func fetched(fetch func(context.Context, io.Writer) error) func(ctx context.Context, path string) error {
	return func(ctx context.Context, path string) error {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the operator names the path
		if err != nil {
			return err
		}
		if err = fetch(ctx, file); err == nil {
			err = file.Sync()
		}
		return errors.Join(err, file.Close())
	}
}

// copyRecords writes every record of one transaction to a new file.
func (d *DB) copyRecords(ctx context.Context, path string) error {
	fresh, err := bolt.Open(path, fileMode, &bolt.Options{PageSize: pageSize, Timeout: defaultTimeout})
	if err != nil {
		return err
	}
	fresh.NoSync, fresh.NoGrowSync = true, true // until all is written the file is worth nothing
	return errors.Join(compact(fresh, d.bolt), ctx.Err(), fresh.Sync(), fresh.Close())
}

func compact(fresh, old *bolt.DB) (err error) {
	defer guard(&err)()
	return translate(bolt.Compact(fresh, old, compactStep))
}
