package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/ecwid-events/ecwid-events/store"
)

// The parts of bbolt's file format that are checked before bbolt maps the file:
// it trusts what it reads, and would write to, or crash on, a file that is not
// whole. Numbers are in the machine's own byte order.
// https://pkg.go.dev/go.etcd.io/bbolt/internal/common
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderSize = 16
	metaSize       = 64
	metaChecked    = 56 // what a meta's checksum covers

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	minPageSize, maxPageSize = 1 << 10, 1 << 24 // those that bbolt looks for

	noFreelist    = 1<<64 - 1
	manyFreePages = 0xFFFF
)

// A pageHeader stands at the beginning of each page.
type pageHeader struct {
	id           uint64
	flags, count uint16
	overflow     uint32
}

// A metaBlock is one of the two that say where everything is. The one with the
// higher txid counts.
type metaBlock struct {
	header                      pageHeader
	magic, version, pageSize    uint32
	root, freelist, pages, txid uint64
	checksum, actualChecksum    uint64
}

func (m *metaBlock) valid() bool {
	return m.magic == boltMagic && m.version == boltVersion && m.checksum == m.actualChecksum
}

// resembles tells a damaged meta from what never was one.
func (m *metaBlock) resembles() bool {
	return m.magic == boltMagic || m.header.flags == metaPage && m.version == boltVersion
}

// checkFile tells whether a file that is not empty is a whole bbolt file, as far
// as that can be told without reading all of it.
func checkFile(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("reading the file's size: %w", err)
	}
	meta, err := newestMeta(file, info.Size())
	if err != nil {
		return err
	}
	if need := meta.pages * uint64(meta.pageSize); uint64(info.Size()) < need { //nolint:gosec // no size is negative
		return fmt.Errorf("%w: the file is cut short: %d of at least %d bytes are there; restore it from a backup", store.ErrCorrupt, info.Size(), need)
	}
	if meta.freelist == noFreelist {
		return fmt.Errorf("%w: a bbolt file of another program", store.ErrForeign)
	}
	if _, err := checkPage(file, meta, meta.root, branchPage|leafPage); err != nil {
		return err
	}
	return checkFreelist(file, meta)
}

// newestMeta finds the two metas and returns the one that counts. One of the two
// may be invalid: it was being written when the power failed.
func newestMeta(file io.ReaderAt, size int64) (newest *metaBlock, err error) {
	begin := make([]byte, min(size, minPageSize))
	if _, err := file.ReadAt(begin, 0); err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	resembles := isZero(begin)
	for offset := int64(0); offset <= maxPageSize; offset = max(minPageSize, 2*offset) {
		meta, err := readMeta(file, offset)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		resembles = resembles || meta.resembles()
		if meta.magic == boltMagic && meta.version > boltVersion && meta.checksum == meta.actualChecksum {
			return nil, fmt.Errorf("%w: bbolt file format %d", store.ErrNewer, meta.version)
		}
		if meta.valid() && (offset == 0 || offset == int64(meta.pageSize)) && (newest == nil || meta.txid > newest.txid) {
			newest = meta
		}
	}
	switch {
	case newest != nil:
		return newest, nil
	case resembles:
		return nil, fmt.Errorf("%w: both meta pages are unreadable; restore the file from a backup", store.ErrCorrupt)
	default:
		return nil, fmt.Errorf("%w: move the file away, or name another one", store.ErrForeign)
	}
}

func readMeta(file io.ReaderAt, offset int64) (*metaBlock, error) {
	var b [pageHeaderSize + metaSize]byte
	if _, err := file.ReadAt(b[:], offset); err != nil {
		return nil, fmt.Errorf("reading a meta page: %w", err)
	}
	order, body := binary.NativeEndian, b[pageHeaderSize:]
	sum := fnv.New64a()
	_, _ = sum.Write(body[:metaChecked]) // a hash takes everything
	return &metaBlock{
		header:   parsePageHeader(b[:]),
		magic:    order.Uint32(body),
		version:  order.Uint32(body[4:]),
		pageSize: order.Uint32(body[8:]),
		root:     order.Uint64(body[16:]),
		freelist: order.Uint64(body[32:]),
		pages:    order.Uint64(body[40:]),
		txid:     order.Uint64(body[48:]),
		checksum: order.Uint64(body[metaChecked:]),

		actualChecksum: sum.Sum64(),
	}, nil
}

func parsePageHeader(b []byte) pageHeader {
	order := binary.NativeEndian
	return pageHeader{
		id: order.Uint64(b), flags: order.Uint16(b[8:]), count: order.Uint16(b[10:]), overflow: order.Uint32(b[12:]),
	}
}

// checkPage checks that a page is of one of the kinds, and inside of the file.
func checkPage(file io.ReaderAt, meta *metaBlock, id uint64, kinds uint16) (pageHeader, error) {
	var b [pageHeaderSize]byte
	if id < 2 || id >= meta.pages {
		return pageHeader{}, fmt.Errorf("%w: page %d is none of the file's %d; restore the file from a backup", store.ErrCorrupt, id, meta.pages)
	}
	if _, err := file.ReadAt(b[:], int64(id)*int64(meta.pageSize)); err != nil { //nolint:gosec // inside of the file
		return pageHeader{}, fmt.Errorf("reading page %d: %w", id, err)
	}
	header := parsePageHeader(b[:])
	if header.id != id || header.flags&kinds == 0 || uint64(header.overflow) >= meta.pages-id {
		return pageHeader{}, fmt.Errorf("%w: page %d is not what it should be; restore the file from a backup", store.ErrCorrupt, id)
	}
	return header, nil
}

// checkFreelist checks that the list of free pages names pages of the file in
// rising order. bbolt would hand out whatever it names.
func checkFreelist(file io.ReaderAt, meta *metaBlock) error {
	header, err := checkPage(file, meta, meta.freelist, freelistPage)
	if err != nil {
		return err
	}
	room := (uint64(header.overflow)+1)*uint64(meta.pageSize) - pageHeaderSize
	list := make([]byte, room)
	if _, err := file.ReadAt(list, int64(meta.freelist)*int64(meta.pageSize)+pageHeaderSize); err != nil { //nolint:gosec // inside of the file
		return fmt.Errorf("reading the list of free pages: %w", err)
	}
	count := uint64(header.count)
	if count == manyFreePages {
		count, list = binary.NativeEndian.Uint64(list), list[8:]
	}
	damaged := count > uint64(len(list))/8
	for last := uint64(1); count > 0 && !damaged; count, list = count-1, list[8:] {
		id := binary.NativeEndian.Uint64(list)
		damaged = id <= last || id >= meta.pages
		last = id
	}
	if damaged {
		return fmt.Errorf("%w: the list of free pages makes no sense; restore the file from a backup", store.ErrCorrupt)
	}
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
