package encoding

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendBytes keeps nil and empty apart.
func appendBytes(b, data []byte) []byte {
	if data == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(data))+1)
	return append(b, data...)
}

// appendTime writes the zero time as one byte, and what is stamped in whole
// seconds, as Ecwid's are, in six.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(t.Nanosecond())+1) //nolint:gosec // below 1e9
	return binary.AppendVarint(b, t.Unix())
}

func appendBool(b []byte, is bool) []byte {
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

const (
	idPrefix   = "evt_"
	idAsText   = 0
	idAsHash   = 1
	idHashSize = 32
)

// AppendEventID appends an event's id to b: in 33 bytes when event.NewID made it,
// else as text. No id's bytes are the beginning of another's.
func AppendEventID(b []byte, id string) []byte {
	if digits, ok := strings.CutPrefix(id, idPrefix); ok && len(digits) == 2*idHashSize {
		if hash, ok := appendHex(append(b, idAsHash), digits); ok {
			return hash
		}
	}
	return appendText(append(b, idAsText), id)
}

// appendHex appends the bytes that lower-case hexadecimal digits stand for. It
// tells whether they are such digits.
func appendHex(b []byte, digits string) (appended []byte, ok bool) {
	for i := 0; i < len(digits); i += 2 {
		high, low := hexDigit(digits[i]), hexDigit(digits[i+1])
		if high > 15 || low > 15 {
			return nil, false
		}
		b = append(b, high<<4|low)
	}
	return b, true
}

// hexDigit returns what a digit stands for, above 15 for what is none.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// words are what deliveries are described with.
var words = []string{
	event.Orders, "standard", "openconnectors", string(event.Pending), string(event.Delivered), string(event.Dead),
	string(event.Full), string(event.Thin),
}

// A reader takes fields off the front of a record. After the first field that
// does not fit it gives zeros; finish tells.
type reader struct {
	rest   []byte
	broken bool
	// owned tells that the record is nobody else's: bytes need no copy.
	owned bool
}

func (r *reader) fail() {
	r.broken, r.rest = true, nil
}

// finish returns the error of a record that is cut short or too long.
func (r *reader) finish(what string) error {
	if r.broken || len(r.rest) > 0 {
		return fmt.Errorf("%w: the fields of a stored %s do not fit", store.ErrCorrupt, what)
	}
	return nil
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// take returns the next n bytes, still part of the record.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) bool() bool { return r.byte() == 1 }

func (r *reader) text() string { return string(r.take(r.uvarint())) }

// word is text that mostly is one of a few words, which need no memory of their own.
func (r *reader) word() string {
	text := r.take(r.uvarint())
	for _, word := range words {
		if string(text) == word {
			return word
		}
	}
	return string(text)
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	taken := r.take(n - 1)
	if r.owned {
		return taken
	}
	return append([]byte{}, taken...)
}

func (r *reader) time() time.Time {
	n := r.uvarint()
	if n == 0 {
		return time.Time{}
	}
	if n > uint64(time.Second) {
		r.fail()
		return time.Time{}
	}
	return time.Unix(r.varint(), int64(n-1)).UTC()
}

func (r *reader) eventID() string {
	switch r.byte() {
	case idAsText:
		return r.text()
	case idAsHash:
		var id [len(idPrefix) + 2*idHashSize]byte
		copy(id[:], idPrefix)
		hex.Encode(id[len(idPrefix):], r.take(idHashSize))
		return string(id[:])
	}
	r.fail()
	return ""
}
