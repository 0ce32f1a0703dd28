// Package encoding turns snapshots, events, deliveries, attempts, cursors and
// pauses into the bytes that a storage keeps, and back.
//
// A record is a version byte, the fields, and a CRC-32C of all that:
//
//	version (1) | fields | compressed part, where there is one | CRC-32C (4, little-endian)
//
// Numbers are varints, texts are length-prefixed, times are nanoseconds and
// seconds so that any time comes back, in UTC. What an order's JSON is found in
// (Snapshot.Raw, Event.Changes and Raw, Attempt.Response) is compressed with
// zstd against a dictionary of what is usual in an order, and comes back byte for
// byte; nil and empty stay apart.
//
// A record that was damaged is noticed by its checksum and gives
// store.ErrCorrupt; whatever it holds, reading it allocates no more than MaxData
// and a few times its own length.
//
// # Versions
//
// Records are read for ever. The version byte counts each kind of record for
// itself. A change of a kind's fields takes its next version, new records are
// written with it, and the old version goes on being read, with a value for what it
// does not hold. Version 2 of a delivery has added how much of the object is sent
// (version 1 always sent all of it), whether a person asked for it, and its refusals;
// everything else is at version 1.
//
// A better dictionary is added under the next id, new records are written with it,
// and the old ones go on being read: each names its dictionary. The bytes of a
// dictionary never change.
package encoding

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/ecwid-events/ecwid-events/store"
)

// MaxData is the number of bytes that the compressed part of one record may hold
// before compression. An answer of Ecwid is at most 64 MiB; an event holds the
// object and the old and new values besides.
const MaxData = 256 << 20

// ErrTooLarge is returned for what does not fit in a record.
var ErrTooLarge = errors.New("larger than a stored record may be")

// The versions that are written. Those below are read, too.
const (
	snapshotVersion = 1
	eventVersion    = 1
	deliveryVersion = 2
	attemptVersion  = 1
	cursorVersion   = 1
	pauseVersion    = 1
)

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal puts the checksum behind a record.
func seal(record []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, crc32.Checksum(record, castagnoli))
}

// unseal checks a record's checksum, and that its version is one up to newest. It
// returns the version and the fields.
func unseal(record []byte, newest byte) (version byte, fields *reader, err error) {
	if len(record) < 1+checksumSize {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", store.ErrCorrupt, len(record))
	}
	body, sum := record[:len(record)-checksumSize], record[len(record)-checksumSize:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return 0, nil, fmt.Errorf("%w: a record's checksum does not match", store.ErrCorrupt)
	}
	version = body[0]
	switch {
	case version == 0:
		return 0, nil, fmt.Errorf("%w: a record has version 0", store.ErrCorrupt)
	case version > newest:
		return 0, nil, fmt.Errorf("%w: a record has version %d, this program reads up to %d", store.ErrNewer, version, newest)
	}
	return version, &reader{rest: body[1:]}, nil
}
