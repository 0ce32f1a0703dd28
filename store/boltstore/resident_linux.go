package boltstore

import (
	"bytes"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxResident is how much of the process's mapped files may stay in its memory.
	maxResident = 48 << 20
	// residentStep is how much may have been mapped until it is looked at again:
	// looking takes longer than reading a record.
	residentStep = 2 << 20
	// mappedAround is what reading one record maps, besides the record: the kernel
	// maps 64 KiB around each page that it is asked for, of the record itself and of
	// the index that led there. What is above in the trees is mapped anyway.
	mappedAround = 128 << 10
)

// A residency keeps the mapped file from counting as the process's memory. The
// kernel leaves every page that was ever read mapped, with its neighbours, until
// memory is short: after one walk over a million orders that is the whole file.
type residency struct {
	statm *os.File
	most  int
	// unseen is an estimate of what has been mapped since the last look.
	unseen atomic.Int64
}

// newResidency returns one that does nothing where /proc cannot be read.
func newResidency() *residency {
	statm, err := os.Open("/proc/self/statm")
	if err != nil {
		return &residency{}
	}
	return &residency{statm: statm, most: maxResident}
}

// read says that a call has read a record of some size, or with residentStep much.
// It limits what is resident when enough has been read for that.
func (r *residency) read(db *bolt.DB, size int) {
	if r.unseen.Add(int64(size)+mappedAround) < residentStep {
		return
	}
	r.unseen.Store(0)
	r.limit(db)
}

// limit unmaps the pages when too many are resident. They stay in the page cache,
// and are mapped again where they are read. The transaction holds the mapping in
// its place meanwhile.
func (r *residency) limit(db *bolt.DB) {
	if r.bytes() <= r.most {
		return
	}
	var err error
	defer guard(&err)()
	// An error means that the storage has been closed, or is in ruins: whoever
	// reads it next will be told.
	_ = db.View(func(tx *bolt.Tx) error {
		size := uintptr(tx.Size()) //nolint:gosec // no size is negative
		_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, db.Info().Data, size, syscall.MADV_DONTNEED)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// bytes returns the size of all mapped files' resident pages, 0 when it is not
// known. The third field of statm is their number: proc_pid_statm(5).
func (r *residency) bytes() int {
	if r.statm == nil {
		return 0
	}
	var line [128]byte
	n, _ := r.statm.ReadAt(line[:], 0) // it ends before the buffer does
	fields := bytes.Fields(line[:n])
	if len(fields) < 3 {
		return 0
	}
	pages, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}

func (r *residency) close() {
	if r.statm != nil {
		_ = r.statm.Close() // it was only read
	}
}
