package encoding

import (
	"encoding/binary"
	"fmt"

	"github.com/ecwid-events/ecwid-events/event"
)

// EncodeCursor returns the record of a cursor.
func EncodeCursor(c *event.Cursor) []byte {
	b := binary.AppendVarint([]byte{cursorVersion}, c.StoreID)
	b = appendText(b, c.Resource)
	b = appendText(b, c.API)
	b = appendTime(b, c.ReadTo)
	b = appendTime(b, c.Began)
	b = appendTime(b, c.Sweep.Through)
	b = binary.AppendVarint(b, int64(c.Sweep.Objects))
	b = appendBool(b, c.Sweep.Done)
	b = appendTime(b, c.Reconciled)
	return seal(binary.AppendUvarint(b, c.Sequence))
}

// DecodeCursor reads the record of a cursor.
func DecodeCursor(record []byte) (event.Cursor, error) {
	_, r, err := unseal(record, cursorVersion)
	if err != nil {
		return event.Cursor{}, fmt.Errorf("cursor: %w", err)
	}
	c := event.Cursor{
		StoreID:    r.varint(),
		Resource:   r.text(),
		API:        r.text(),
		ReadTo:     r.time(),
		Began:      r.time(),
		Sweep:      event.Sweep{Through: r.time(), Objects: int(r.varint()), Done: r.bool()},
		Reconciled: r.time(),
		Sequence:   r.uvarint(),
	}
	if err := r.finish("cursor"); err != nil {
		return event.Cursor{}, err
	}
	return c, nil
}
