package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	elementSize   = 16   // of a leaf and of a branch page alike
	bucketElement = 0x01 // the flag of an element that is a bucket

	// A bucket's value is its root page and its sequence; behind them, when the root
	// is page 0, a page of its own that is smaller than others.
	bucketHeaderSize = 16
)

// A pageWalk goes through all pages that are in use, without trusting any: it reads
// the file, not the mapping, and visits no page twice. On what it finds whole bbolt
// can neither leave the file nor run in a circle, which would end the process.
type pageWalk struct {
	file     io.ReaderAt
	pageSize uint64
	pages    uint64
	fault    func(format string, args ...any)

	seen  []uint64 // a bit for each page
	queue []uint64
	used  int // pages that are in use
}

// run visits the page root and all that it leads to.
func (w *pageWalk) run(ctx context.Context, root uint64) error {
	w.seen = make([]uint64, w.pages/64+1)
	w.add(root, "the root")
	for len(w.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		id := w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		if err := w.visit(id); err != nil {
			return fmt.Errorf("reading page %d: %w", id, err)
		}
	}
	return nil
}

// add queues a page that something refers to.
func (w *pageWalk) add(id uint64, from string) {
	switch {
	case id < 2 || id >= w.pages:
		w.fault("%s refers to page %d, which is none of the file's %d", from, id, w.pages)
	case w.mark(id):
		w.queue = append(w.queue, id)
	}
}

// mark tells whether a page was not used before.
func (w *pageWalk) mark(id uint64) bool {
	bit := uint64(1) << (id % 64)
	if w.seen[id/64]&bit != 0 {
		w.fault("page %d is used twice", id)
		return false
	}
	w.seen[id/64] |= bit
	w.used++
	return true
}

func (w *pageWalk) visit(id uint64) error {
	var b [pageHeaderSize]byte
	if _, err := w.file.ReadAt(b[:], int64(id*w.pageSize)); err != nil { //nolint:gosec // inside of the file
		return err
	}
	header := parsePageHeader(b[:])
	if header.id != id || header.flags != branchPage && header.flags != leafPage || uint64(header.overflow) >= w.pages-id {
		w.fault("page %d is not what it should be", id)
		return nil
	}
	for next := id + 1; next <= id+uint64(header.overflow); next++ {
		if !w.mark(next) {
			return nil
		}
	}
	size := (uint64(header.overflow) + 1) * w.pageSize
	page := io.NewSectionReader(w.file, int64(id*w.pageSize), int64(size)) //nolint:gosec // inside of the file
	return w.elements(page, size, header, fmt.Sprintf("page %d", id))
}

// elements checks that the elements of a page lie inside of it, and adds the pages
// that they refer to.
func (w *pageWalk) elements(page io.ReaderAt, size uint64, header pageHeader, name string) error {
	end := pageHeaderSize + uint64(header.count)*elementSize
	if end > size || header.flags == branchPage && header.count == 0 {
		w.fault("%s has %d elements", name, header.count)
		return nil
	}
	if header.count == 0 {
		return nil
	}
	table := make([]byte, end-pageHeaderSize)
	if _, err := page.ReadAt(table, pageHeaderSize); err != nil {
		return err
	}
	order := binary.NativeEndian
	for at := uint64(pageHeaderSize); at < end; at += elementSize {
		e := table[at-pageHeaderSize:][:elementSize]
		position, keySize, valueSize := order.Uint32(e), order.Uint32(e[4:]), uint32(0)
		if header.flags == leafPage {
			position, keySize, valueSize = order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
		}
		begin := at + uint64(position)
		if begin < end || begin+uint64(keySize)+uint64(valueSize) > size {
			w.fault("%s has an element outside of it", name)
			return nil
		}
		switch {
		case header.flags == branchPage:
			w.add(order.Uint64(e[8:]), name)
		case order.Uint32(e)&bucketElement != 0:
			if err := w.bucket(io.NewSectionReader(page, int64(begin)+int64(keySize), int64(valueSize)), name); err != nil { //nolint:gosec // inside of the page
				return err
			}
		}
	}
	return nil
}

// bucket adds the root of a bucket, or checks the page that stands in its place.
func (w *pageWalk) bucket(value *io.SectionReader, name string) error {
	size := uint64(value.Size()) //nolint:gosec // no size is negative
	if size < bucketHeaderSize || size > w.pageSize {
		w.fault("%s has a bucket of %d bytes", name, size)
		return nil
	}
	b := make([]byte, size)
	if _, err := value.ReadAt(b, 0); err != nil {
		return err
	}
	if root := binary.NativeEndian.Uint64(b); root != 0 {
		w.add(root, name)
		return nil
	}
	inner := b[bucketHeaderSize:]
	if len(inner) < pageHeaderSize || parsePageHeader(inner).flags != leafPage {
		w.fault("%s has a bucket without a page", name)
		return nil
	}
	return w.elements(bytes.NewReader(inner), uint64(len(inner)), parsePageHeader(inner), name+", in a bucket,")
}
