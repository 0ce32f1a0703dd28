package notify_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// The last second that RFC 3339 can write, and the first.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

func FuzzBody(f *testing.F) {
	f.Add("Flower shop", "eu", "EBJFT", "/paymentStatus", []byte(`"AWAITING_PAYMENT"`), []byte(`"PAID"`), []byte(`{"id":"EBJFT"}`), int64(1003), uint64(4711), int64(1714541188), int64(999_999_999), uint8(1))
	f.Add("a\xff\"\\\x00<&>\u2028", "", "12\n4", "/a~1b~0", []byte(nil), []byte("null"), []byte(" [1e400]\n"), int64(-1), uint64(0), int64(-1), int64(1), uint8(2))
	f.Add("", "🌷", "", "", []byte("{"), []byte{}, []byte(nil), int64(0), uint64(1), int64(0), int64(0), uint8(0))
	f.Add("/fulfillmentStatus", "eu", "-1", "/paymentStatus", []byte(`"QUEUED"`), []byte(`"NEW"`), []byte(`{"paymentStatus":"NEW","paymentStatus":"CHARGEABLE","fulfillmentStatus":"\ud800"}`), int64(1003), uint64(7), int64(1714541188), int64(0), uint8(1))
	f.Fuzz(func(t *testing.T, name, tag, objectID, path string, before, after, raw []byte, storeID int64, sequence uint64, seconds, nanoseconds int64, kind uint8) {
		before, after, raw = storable(t, before), storable(t, after), storable(t, raw)
		at := time.Unix(clamp(seconds, firstSecond, lastSecond), clamp(nanoseconds, 0, 999_999_999))
		e := event.Event{
			ID:    event.NewID(event.Identity{StoreID: storeID, ObjectID: objectID, Version: sequence}),
			Type:  event.Types()[int(kind)%len(event.Types())],
			Store: event.Store{ID: storeID, Name: name, Tags: []string{tag, name}}, Resource: event.Orders, ObjectID: objectID,
			Time: at, DetectedAt: at, Sequence: sequence, Version: sequence,
			Changes: []event.Change{{Path: path, Old: before, New: after}, {Path: name, New: before}},
			Raw:     raw,
		}
		if kind&0x80 != 0 {
			e.Changes = nil
		}
		for _, format := range formatNames {
			for _, payload := range payloads {
				checkFacts(t, format, payload, bodyOf(t, format, e, payload), e)
			}
		}
	})
}

func clamp(n, least, most int64) int64 { return max(least, min(n, most)) }

// storable turns what is not JSON into JSON.
func storable(t *testing.T, b []byte) []byte {
	t.Helper()
	if len(b) == 0 || json.Valid(b) {
		return b
	}
	text, err := json.Marshal(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
