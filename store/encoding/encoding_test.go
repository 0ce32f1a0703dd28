package encoding_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/encoding"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

// A sample is a value of any of the kinds, its record, and what reads it.
type sample struct {
	value  any
	record []byte
	decode func([]byte) (any, error)
}

func snapshot(t testing.TB, s event.Snapshot) sample {
	t.Helper()
	record, err := encoding.EncodeSnapshot(&s)
	if err != nil {
		t.Fatal(err)
	}
	return sample{s, record, func(b []byte) (any, error) { return encoding.DecodeSnapshot(b) }}
}

func occurrence(t testing.TB, e event.Event) sample {
	t.Helper()
	record, err := encoding.EncodeEvent(&e)
	if err != nil {
		t.Fatal(err)
	}
	return sample{e, record, func(b []byte) (any, error) { return encoding.DecodeEvent(b) }}
}

func attempt(t testing.TB, a event.Attempt) sample {
	t.Helper()
	record, err := encoding.EncodeAttempt(&a)
	if err != nil {
		t.Fatal(err)
	}
	return sample{a, record, func(b []byte) (any, error) { return encoding.DecodeAttempt(b) }}
}

func delivery(d event.Delivery) sample {
	return sample{d, encoding.EncodeDelivery(&d), func(b []byte) (any, error) { return encoding.DecodeDelivery(b) }}
}

func pause(p event.Pause) sample {
	return sample{p, encoding.EncodePause(&p), func(b []byte) (any, error) { return encoding.DecodePause(b) }}
}

func cursor(c event.Cursor) sample {
	return sample{c, encoding.EncodeCursor(&c), func(b []byte) (any, error) { return encoding.DecodeCursor(b) }}
}

var (
	stamp  = time.Date(2024, 9, 4, 7, 22, 9, 0, time.UTC)
	moment = time.Date(2026, 11, 23, 6, 32, 0, 123456789, time.UTC)
)

// wholeSamples have no field empty. They are kept in testdata, each in the
// directory of the format in which its kind was written last.
func wholeSamples(t testing.TB) map[string]sample {
	t.Helper()
	raw := []byte("{\"id\":\"K8XTQ\", \"total\": 1e400,\n\"n\":123456789012345678901234567890,\"s\":\"\\u003c&\\/\\u2028é\"}")
	id := event.NewID(event.Identity{StoreID: 1003, Resource: event.Orders, ObjectID: "K8XTQ", Type: event.OrderUpdated, Version: 3})
	return map[string]sample{
		"snapshot": snapshot(t, event.Snapshot{
			ObjectID: "K8XTQ", InternalID: 516483487, Version: 3, Created: stamp, Updated: stamp.Add(time.Hour), Deleted: moment, Raw: raw,
		}),
		"event": occurrence(t, event.Event{
			ID: id, Type: event.OrderUpdated, Store: event.Store{ID: 1003, Name: "Flower shop", Tags: []string{"eu", ""}},
			Resource: event.Orders, ObjectID: "K8XTQ", InternalID: 516483487, Time: stamp, DetectedAt: moment, Sequence: 4711, Version: 3,
			Changes: []event.Change{
				{Path: "/paymentStatus", Old: json.RawMessage(`"AWAITING_PAYMENT"`), New: json.RawMessage(`"PAID"`)},
				{Path: "/a~1b", New: json.RawMessage(`{ "a" : 1.0 }`)},
				{Path: "", Old: json.RawMessage(`null`)},
			},
			Raw: raw,
		}),
		"delivery": delivery(event.Delivery{
			Callback: "default", EventID: id, StoreID: 1003, Resource: event.Orders, ObjectID: "K8XTQ", OrderingKey: "1003/K8XTQ",
			Format: "standard", Payload: event.Thin, State: event.Pending, Manual: true, Attempts: 2, Refusals: 3, FirstAttempt: moment, LastAttempt: moment.Add(5), NextAttempt: moment.Add(time.Hour),
		}),
		"attempt": attempt(t, event.Attempt{
			Number: 2, Time: moment, Duration: 1234567 * time.Nanosecond, Status: 503, Error: "status", Detail: "Service Unavailable",
			Response: bytes.Repeat([]byte("<p>try later</p>"), 9), Manual: true,
		}),
		"cursor": cursor(event.Cursor{
			StoreID: 1003, Resource: event.Orders, API: "v3", ReadTo: moment, Began: stamp,
			Sweep: event.Sweep{Through: stamp, Objects: 17, Done: true}, Reconciled: moment, Sequence: 4711,
		}),
		"pause": pause(event.Pause{Callback: "default", StoreID: 1003, Since: moment, Reason: event.PausedGone}),
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	samples := map[string]sample{
		"snapshot of nothing":            snapshot(t, event.Snapshot{}),
		"snapshot with empty raw":        snapshot(t, event.Snapshot{ObjectID: "A", Raw: []byte{}}),
		"snapshot with odd numbers":      snapshot(t, event.Snapshot{InternalID: -1 << 63, Version: 1<<64 - 1, Created: time.Unix(-1, 5).UTC()}),
		"snapshot that is no JSON":       snapshot(t, event.Snapshot{Raw: []byte("\x00\xff\x00")}),
		"snapshot with one long run":     snapshot(t, event.Snapshot{Raw: bytes.Repeat([]byte("a"), 1<<16)}),
		"snapshot that does not shrink":  snapshot(t, event.Snapshot{Raw: noise(1 << 20)}),
		"event of nothing":               occurrence(t, event.Event{}),
		"event with empty lists":         occurrence(t, event.Event{ID: "evt_", Changes: []event.Change{}, Store: event.Store{Tags: []string{}}, Raw: []byte{}}),
		"event with empty values":        occurrence(t, event.Event{Changes: []event.Change{{Old: json.RawMessage{}}, {New: json.RawMessage{}}}}),
		"event with an id like a hash":   occurrence(t, event.Event{ID: "evt_" + strings.Repeat("A", 64)}),
		"event with an id of another's":  occurrence(t, event.Event{ID: strings.Repeat("\x01", 33)}),
		"delivery of nothing":            delivery(event.Delivery{}),
		"delivery with a negative count": delivery(event.Delivery{Attempts: -1, StoreID: -5, Refusals: -1}),
		"delivery with rare words":       delivery(event.Delivery{Resource: "products", Format: "xml", Payload: "half", State: "lost"}),
		"pause of nothing":               pause(event.Pause{}),
		"attempt of nothing":             attempt(t, event.Attempt{}),
		"attempt with an empty response": attempt(t, event.Attempt{Response: []byte{}, Duration: -1}),
		"cursor of nothing":              cursor(event.Cursor{}),
	}
	for name, s := range wholeSamples(t) {
		samples["whole "+name] = s
	}
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := s.decode(s.record)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.value, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesComeBackInUTC(t *testing.T) {
	t.Parallel()
	there := time.Date(2024, 9, 4, 9, 22, 9, 0, time.FixedZone("", 7200))
	got, err := encoding.DecodeSnapshot(snapshot(t, event.Snapshot{Created: there, Updated: time.Now()}).record)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Created.Equal(there) || got.Created.Location() != time.UTC {
		t.Errorf("%s came back as %s", there, got.Created)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	samples := wholeSamples(t)
	wantSnapshot, _ := samples["snapshot"].value.(event.Snapshot)
	wantSnapshot.Raw = nil
	if got, err := encoding.DecodeSnapshotHeader(samples["snapshot"].record); err != nil || !cmp.Equal(got, wantSnapshot) {
		t.Errorf("snapshot: %v\n%s", err, cmp.Diff(wantSnapshot, got))
	}
	wantAttempt, _ := samples["attempt"].value.(event.Attempt)
	wantAttempt.Response = nil
	if got, err := encoding.DecodeAttemptHeader(samples["attempt"].record); err != nil || !cmp.Equal(got, wantAttempt) {
		t.Errorf("attempt: %v\n%s", err, cmp.Diff(wantAttempt, got))
	}
	wantEvent, _ := samples["event"].value.(event.Event)
	wantEvent.Store.Name, wantEvent.Store.Tags, wantEvent.Changes, wantEvent.Raw = "", nil, nil, nil
	if got, err := encoding.DecodeEventHeader(samples["event"].record); err != nil || !cmp.Equal(got, wantEvent) {
		t.Errorf("event: %v\n%s", err, cmp.Diff(wantEvent, got))
	}
}

// Records that were written once are read for ever. What a version does not hold
// comes back as what it was then.
func TestOldRecordsAreStillRead(t *testing.T) {
	t.Parallel()
	samples := wholeSamples(t)
	was, _ := samples["delivery"].value.(event.Delivery)
	was.Payload, was.Manual, was.Refusals = event.Full, false, 0
	for path, want := range map[string]any{
		"format1/snapshot": samples["snapshot"].value,
		"format1/event":    samples["event"].value,
		"format1/delivery": was,
		"format1/attempt":  samples["attempt"].value,
		"format1/cursor":   samples["cursor"].value,
		"format2/delivery": samples["delivery"].value,
		"format2/pause":    samples["pause"].value,
	} {
		record, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := samples[filepath.Base(path)].decode(record)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// A record of a version that is none, or of a later program's, is told apart.
func TestUnknownVersions(t *testing.T) {
	t.Parallel()
	for name, s := range wholeSamples(t) {
		newest := s.record[0]
		for version, want := range map[byte]error{0: store.ErrCorrupt, newest + 1: store.ErrNewer, 255: store.ErrNewer} {
			body := bytes.Clone(s.record[:len(s.record)-4])
			body[0] = version
			if _, err := s.decode(withChecksum(body)); !errors.Is(err, want) {
				t.Errorf("%s of version %d: %v, want %v", name, version, err, want)
			}
		}
	}
}

// A dictionary must not change by one byte: a better one is another file with
// another id.
func TestDictionaryStaysAsItIs(t *testing.T) {
	t.Parallel()
	dictionary, err := os.ReadFile("dictionary1.txt")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(dictionary)
	const want = "c5c5916b52851b698e78cf49712e654db8dcff9bd9e40269119b2c6822e93918"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("dictionary1.txt has the digest %s, it was released with %s", got, want)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	for name, s := range wholeSamples(t) {
		for i := range s.record {
			for _, flip := range []byte{1, 0x80, 0xFF} {
				damaged := bytes.Clone(s.record)
				damaged[i] ^= flip
				if _, err := s.decode(damaged); !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("%s with byte %d changed: %v, want ErrCorrupt", name, i, err)
				}
			}
			if _, err := s.decode(s.record[:i]); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: %v, want ErrCorrupt", name, i, err)
			}
		}
	}
}

// withChecksum gives a record that somebody made the right checksum.
func withChecksum(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestForgedRecords(t *testing.T) {
	t.Parallel()
	empty := snapshot(t, event.Snapshot{}).record
	header := empty[:len(empty)-5] // without the length of raw and the checksum
	raw := snapshot(t, event.Snapshot{Raw: bytes.Repeat([]byte("a"), 1<<20)}).record
	frame := raw[len(header)+3+1 : len(raw)-4] // behind the length and the way of keeping
	part := func(length uint64, rest ...byte) []byte {
		return append(binary.AppendUvarint(bytes.Clone(header), length+1), rest...)
	}
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"no fields":                  {[]byte{1}, store.ErrCorrupt},
		"a text beyond the end":      {append([]byte{1}, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F), store.ErrCorrupt},
		"a number without end":       {append([]byte{1}, bytes.Repeat([]byte{0xFF}, 20)...), store.ErrCorrupt},
		"more bytes than it says":    {part(2, 0, 'a', 'b', 'c'), store.ErrCorrupt},
		"an unknown compression":     {part(1, 9, 'a'), store.ErrCorrupt},
		"compressed larger":          {part(100, append([]byte{1}, frame...)...), store.ErrCorrupt},
		"compressed smaller":         {part(1<<20+1, append([]byte{1}, frame...)...), store.ErrCorrupt},
		"more than a record may be":  {part(encoding.MaxData+1, append([]byte{1}, frame...)...), store.ErrCorrupt},
		"a length that overflows":    {part(1<<64-2, append([]byte{1}, frame...)...), store.ErrCorrupt},
		"bytes behind a missing raw": {append(bytes.Clone(header), 0, 0), store.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := encoding.DecodeSnapshot(withChecksum(c.body))
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("reading it took %d bytes", took)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	huge := make([]byte, encoding.MaxData+1)
	_, snapshotErr := encoding.EncodeSnapshot(&event.Snapshot{Raw: huge})
	_, eventErr := encoding.EncodeEvent(&event.Event{Raw: huge})
	_, attemptErr := encoding.EncodeAttempt(&event.Attempt{Response: huge})
	for kind, err := range map[string]error{"snapshot": snapshotErr, "event": eventErr, "attempt": attemptErr} {
		if !errors.Is(err, encoding.ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", kind, err)
		}
	}
}

func TestEventIDsAreNoBeginnings(t *testing.T) {
	t.Parallel()
	ids := []string{"", "a", "ab", "evt_", "evt_" + strings.Repeat("a", 64), "evt_" + strings.Repeat("A", 64), "evt_" + strings.Repeat("a", 63)}
	for _, one := range ids {
		for _, other := range ids {
			if one != other && bytes.HasPrefix(encoding.AppendEventID(nil, one), encoding.AppendEventID(nil, other)) {
				t.Errorf("the bytes of %q begin with those of %q", one, other)
			}
		}
	}
}

// The budget for a snapshot on disk is a quarter of the JSON; the storage's own
// pages and indexes take some of that.
func TestOrdersShrink(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	raw, stored := 0, 0
	for i := range 500 {
		order := storetest.Order(random, i)
		if !json.Valid(order) {
			t.Fatalf("the order is no JSON: %s", order)
		}
		raw += len(order)
		stored += len(snapshot(t, event.Snapshot{ObjectID: storetest.ObjectID(i), Created: stamp, Updated: stamp, Version: 1, Raw: order}).record)
	}
	if ratio := float64(stored) / float64(raw); ratio > 0.22 {
		t.Errorf("records take %.3f of the JSON (%d bytes an order), want at most 0.22", ratio, raw/500)
	}
}

func noise(n int) []byte {
	random := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

func FuzzDecode(f *testing.F) {
	for _, s := range wholeSamples(f) {
		f.Add(s.record[:len(s.record)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, s := range wholeSamples(t) {
			value, err := s.decode(withChecksum(body))
			if err != nil && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrNewer) {
				t.Errorf("%s: %v, want ErrCorrupt or ErrNewer", name, err)
			}
			if err != nil && !reflect.ValueOf(value).IsZero() {
				t.Errorf("%s: an error and a value", name)
			}
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	f.Add("K8XTQ", int64(516483487), uint64(1), int64(1725434529), int64(0), []byte(`{"id":"K8XTQ"}`))
	f.Fuzz(func(t *testing.T, id string, internal int64, version uint64, second, nano int64, raw []byte) {
		s := snapshot(t, event.Snapshot{ObjectID: id, InternalID: internal, Version: version, Created: time.Unix(second, nano).UTC(), Raw: raw})
		got, err := s.decode(s.record)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.value, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var snapshots []event.Snapshot
	var records [][]byte
	raw, stored := 0, 0
	for i := range 1000 {
		s := event.Snapshot{ObjectID: storetest.ObjectID(i), Version: 1, Created: stamp, Updated: stamp, Raw: storetest.Order(random, i)}
		record := snapshot(b, s).record
		snapshots, records = append(snapshots, s), append(records, record)
		raw, stored = raw+len(s.Raw), stored+len(record)
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(raw / len(records)))
		for i := 0; b.Loop(); i++ {
			snapshot(b, snapshots[i%len(snapshots)])
		}
		b.ReportMetric(float64(stored)/float64(raw), "stored/raw")
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(raw / len(records)))
		for i := 0; b.Loop(); i++ {
			if _, err := encoding.DecodeSnapshot(records[i%len(records)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
