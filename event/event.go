// Package event is the vocabulary of ecwid-events: what is read from a store
// (Object, Page), what is remembered of it (Snapshot, Cursor), what has happened
// (Event, Change), what is committed in one step (ChangeSet), and what is sent
// (Delivery, Attempt). It holds data and rules about that data, does no I/O, and
// imports the standard library only.
package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Orders is the resource that is polled.
const Orders = "orders"

// A Type says what happened to an object, in the words of the wire.
type Type string

// The types of event.
const (
	OrderCreated Type = "order.created"
	OrderUpdated Type = "order.updated"
	OrderDeleted Type = "order.deleted"
)

// Test is the type of an event that tells of nothing: it is sent to try a callback,
// is stored nowhere, and no callback can choose it.
const Test Type = "test"

// Types lists every Type that something which happened to an object can have.
func Types() []Type { return []Type{OrderCreated, OrderUpdated, OrderDeleted} }

// Action is what the type says after the point, in capitals, as receivers know it
// from Open Connectors: CREATED, UPDATED or DELETED; and TEST.
func (t Type) Action() string {
	return strings.ToUpper(string(t[strings.LastIndexByte(string(t), '.')+1:]))
}

// A Store is the Ecwid shop that an event belongs to, as it was described in the
// configuration when the event was detected.
type Store struct {
	ID   int64
	Name string
	Tags []string
}

// An Event is one detected change of one object. It never changes after the
// commit that holds it, so that every rendering of it is the same.
type Event struct {
	ID       string // see NewID
	Type     Type
	Store    Store
	Resource string
	ObjectID string

	// InternalID is Ecwid's internal number of the object, 0 when it has none.
	InternalID int64
	// Time is when the change happened, by Ecwid's stamp.
	Time time.Time
	// DetectedAt is when the poll saw it, by the local clock.
	DetectedAt time.Time
	// Sequence grows by one per store, from 1, without gaps.
	Sequence uint64
	// Version is the object's own counter, 1 at first sight.
	Version uint64
	// Changes is empty but not nil for what was created or deleted, and nil when
	// the earlier state of an updated object is unknown.
	Changes []Change
	// Raw is the object byte for byte as Ecwid returned it; for a deletion its
	// last known state.
	Raw []byte

	// Position is the event's place in the storage. It grows with every event of
	// any store. The backend sets it.
	Position uint64
}

// A Change is one field that differs between two states of an object.
type Change struct {
	Path string          `json:"path"`          // a JSON pointer, RFC 6901
	Old  json.RawMessage `json:"old,omitempty"` // nil: the field appeared
	New  json.RawMessage `json:"new,omitempty"` // nil: the field vanished
}

// Identity is what an event's id follows from. Detection time and sequence are no
// part of it, so that a second copy of the program mints the same id.
type Identity struct {
	StoreID  int64
	Resource string
	ObjectID string
	Type     Type
	Version  uint64
	// Old and New are the digests of the whole content before and after, update
	// stamps included; zero where there is none.
	Old, New [sha256.Size]byte
}

// NewID returns the id of the event with that identity: evt_ and 64 hexadecimal
// digits of a SHA-256.
func NewID(i Identity) string {
	h := sha256.New()
	number := func(n uint64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	text := func(s string) {
		number(uint64(len(s)))
		h.Write([]byte(s))
	}
	number(uint64(i.StoreID)) //nolint:gosec // any 64 bits do
	text(i.Resource)
	text(i.ObjectID)
	text(string(i.Type))
	number(i.Version)
	h.Write(i.Old[:])
	h.Write(i.New[:])
	return "evt_" + hex.EncodeToString(h.Sum(nil))
}
