package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

var addGolden = flag.Bool("add", false, "write those golden files of notify that are missing")

// formatNames lists every format, and payloads every payload.
var (
	formatNames = []string{"standard", "openconnectors", "ecwid", "cloudevents"}
	payloads    = []event.Payload{event.Full, event.Thin}
)

func formatNamed(t testing.TB, name string) notify.Format {
	t.Helper()
	f, err := notify.FormatByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampleOrders returns the orders of one page of either API, byte for byte.
func sampleOrders(t testing.TB, name string) []json.RawMessage {
	t.Helper()
	var page struct{ Items, Orders []json.RawMessage }
	if err := json.Unmarshal(readSample(t, name), &page); err != nil {
		t.Fatal(err)
	}
	return append(page.Items, page.Orders...)
}

type namedEvent struct {
	name  string
	event event.Event
}

// sampleEvents holds one event of each kind, made of orders as Ecwid documents
// them or has sent them.
func sampleEvents(t testing.TB) []namedEvent {
	t.Helper()
	created := event.Event{
		ID:       "evt_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
		Type:     event.OrderCreated,
		Store:    event.Store{ID: 1003, Name: "Flower shop", Tags: []string{"eu"}},
		Resource: event.Orders, ObjectID: "K8XTQ", InternalID: 516483487,
		Time:       time.Date(2024, 9, 4, 7, 22, 9, 0, time.UTC),
		DetectedAt: time.Date(2024, 9, 4, 7, 25, 0, 123_456_789, time.UTC),
		Sequence:   1, Version: 1, Changes: []event.Change{},
		Raw: readSample(t, "v3-order.json"),
	}

	updated := created
	updated.ID = "evt_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	updated.Type = event.OrderUpdated
	updated.Store = event.Store{ID: 15695068, Name: `Café "Zoë" & Söhne <Köln> 🌷`, Tags: []string{"eu", `a\b`, ""}}
	updated.ObjectID, updated.InternalID = "EBJFT", 492512057
	updated.Time = time.Date(2024, 5, 1, 5, 26, 28, 0, time.UTC)
	updated.DetectedAt = time.Date(2024, 5, 1, 5, 30, 0, 999_999_999, time.UTC)
	updated.Sequence, updated.Version = 4711, 3
	updated.Raw = sampleOrders(t, "v3-orders.json")[0]
	updated.Changes = []event.Change{
		{Path: "/paymentStatus", Old: []byte(`"AWAITING_PAYMENT"`), New: []byte(`"PAID"`)},
		{Path: "/usdTotal", Old: []byte(`642.4044771309359999`), New: []byte(`642.404477130936`)},
		{Path: "/taxesOnShipping", New: []byte("[\n  {\"name\": \"Custom tax\"}\n]")},
		{Path: "/extraFields/a~1b", Old: []byte(`"\u003cb\u003e & <i>"`)},
		{Path: "/orderComments", Old: []byte(`null`), New: []byte(`""`)},
		{Path: "/customerGroup", Old: []byte(`"Wholesale"`), New: []byte(`null`)},
	}

	unknown := updated
	unknown.ID = "evt_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
	unknown.Sequence, unknown.Version, unknown.Changes = 1, 1, nil

	deleted := created
	deleted.ID = "evt_a0a1a2a3a4a5a6a7a8a9aaabacadaeafa0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
	deleted.Type = event.OrderDeleted
	deleted.Store = event.Store{ID: 1003, Name: "store 1003"}
	deleted.ObjectID, deleted.InternalID = "124", 0
	deleted.Time = time.Date(2014, 5, 9, 3, 0, 1, 0, time.UTC)
	deleted.DetectedAt = deleted.Time
	deleted.Sequence, deleted.Version = math.MaxInt64, 12
	deleted.Raw = sampleOrders(t, "legacy-orders.json")[0]

	legacy := deleted
	legacy.ID = "evt_b0b1b2b3b4b5b6b7b8b9babbbcbdbebfb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
	legacy.Type, legacy.InternalID = event.OrderUpdated, 124
	legacy.Sequence, legacy.Version = 2, 2
	legacy.Changes = []event.Change{{Path: "/paymentStatus", Old: []byte(`"QUEUED"`), New: []byte(`"ACCEPTED"`)}}

	reopened := created
	reopened.ID = "evt_c0c1c2c3c4c5c6c7c8c9cacbcccdcecfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	reopened.Time = time.Date(2024, 9, 4, 7, 26, 24, 0, time.UTC)
	reopened.DetectedAt = time.Date(2024, 9, 5, 0, 0, 0, 0, time.UTC)
	reopened.Sequence, reopened.Version = 99, 4

	return []namedEvent{
		{"created", created},
		{"updated", updated},
		{"updated-unknown", unknown},
		{"deleted", deleted},
		{"updated-legacy", legacy},
		{"reopened", reopened},
		{"test", notify.TestEvent(time.Date(2026, 11, 23, 6, 31, 2, 345_678_901, time.UTC))},
	}
}

// A golden file that changes breaks the promise that a retry and a replay are the
// same byte for byte, also after an upgrade: a body that was sent by one release
// must come out of every later one. Add files; do not change those that are there.
func TestBodyIsTheSameInEveryRelease(t *testing.T) {
	t.Parallel()
	for _, name := range formatNames {
		for _, sample := range sampleEvents(t) {
			for _, payload := range payloads {
				file := sample.name + map[event.Payload]string{event.Full: "", event.Thin: ".thin"}[payload] + ".json"
				t.Run(name+"/"+file, func(t *testing.T) {
					t.Parallel()
					got := bodyOf(t, name, sample.event, payload)
					checkGolden(t, filepath.Join("testdata", "golden", name, file), got)
					checkFacts(t, name, payload, got, sample.event)
				})
			}
		}
	}
}

func bodyOf(t testing.TB, format string, e event.Event, payload event.Payload) []byte {
	t.Helper()
	body, err := formatNamed(t, format).Body(e, payload)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func checkGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if _, err := os.Stat(path); *addGolden && errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("body differs from %s (-want +got):\n%s", path, diff)
	}
}

// A delivery that an earlier release stored names no payload.
func TestPayloadIsFullUnlessItIsThin(t *testing.T) {
	t.Parallel()
	for _, name := range formatNames {
		e := sampleEvents(t)[1].event
		if diff := cmp.Diff(bodyOf(t, name, e, event.Full), bodyOf(t, name, e, "")); diff != "" {
			t.Errorf("%s (-full +unnamed):\n%s", name, diff)
		}
	}
}

func TestBodyDoesNotDependOnTheTimeZone(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 14*60*60)
	for _, name := range formatNames {
		e := sampleEvents(t)[0].event
		want := bodyOf(t, name, e, event.Full)
		e.Time, e.DetectedAt = e.Time.In(east), e.DetectedAt.In(east)
		got := bodyOf(t, name, e, event.Full)
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-UTC +east):\n%s", name, diff)
		}
	}
}

func TestBodyKeepsTheObjectAndEscapesTheRest(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*event.Event){
		"white space in the object":  func(e *event.Event) { e.Raw = []byte(" {\r\n\t\"a\" : [ 1 ,\n2 ]  }\n") },
		"escapes in the object":      func(e *event.Event) { e.Raw = []byte(`{"\u0061":"\/ \u00e9 \ud83c\udf37 \ud800 \b\f"}`) },
		"HTML in the object":         func(e *event.Event) { e.Raw = []byte(`{"a":"<script>&amp;</script>"}`) },
		"line separators":            func(e *event.Event) { e.Raw = []byte("{\"a\":\"\u2028\u2029\x7f\"}") },
		"numbers beyond float64":     func(e *event.Event) { e.Raw = []byte(`{"a":123456789012345678901234567890,"b":1e400,"c":-0.10}`) },
		"a key that comes twice":     func(e *event.Event) { e.Raw = []byte(`{"a":1,"a":2}`) },
		"an object that is not UTF8": func(e *event.Event) { e.Raw = []byte("{\"a\":\"\xff\xc3\"}") },
		"no object":                  func(e *event.Event) { e.Raw = nil },
		"quotes in the name":         func(e *event.Event) { e.Store.Name = `"},"x":{"\` },
		"emoji in the name":          func(e *event.Event) { e.Store.Name = "🌷👩‍🌾é" },
		"control characters":         func(e *event.Event) { e.Store.Name = "\x00\b\t\n\f\r\x1b\x1f\x7f\u0085\u2028" },
		"a name that is not UTF8":    func(e *event.Event) { e.Store.Name = "a\xff\xfeb\xc3\xed\xa0\x80" },
		"HTML in a tag":              func(e *event.Event) { e.Store.Tags = []string{"<b>", "a&b", ""} },
		"no tags":                    func(e *event.Event) { e.Store.Tags = nil },
		"quotes in the object's id":  func(e *event.Event) { e.ObjectID = `A"1\` },
		"a path with every escape":   func(e *event.Event) { e.Changes = []event.Change{{Path: "/a~1b~0/\"\\\n", New: []byte(" 1 ")}} },
		"values that are empty":      func(e *event.Event) { e.Changes = []event.Change{{Path: "/a", Old: []byte{}, New: []byte{}}} },
		"a store's largest number":   func(e *event.Event) { e.Store.ID, e.Sequence = math.MaxInt64, math.MaxUint64 },
		"a time before 1970":         func(e *event.Event) { e.DetectedAt = time.Date(1969, 12, 31, 23, 59, 59, 999_000_000, time.UTC) },
	}
	for title, change := range cases {
		for _, name := range formatNames {
			t.Run(name+"/"+title, func(t *testing.T) {
				t.Parallel()
				e := sampleEvents(t)[1].event
				change(&e)
				for _, payload := range payloads {
					checkFacts(t, name, payload, bodyOf(t, name, e, payload), e)
				}
			})
		}
	}
}

func TestBodyDoesNotEscapeHTML(t *testing.T) {
	t.Parallel()
	e := sampleEvents(t)[0].event
	e.ObjectID = "<A&B>\u2028"
	for _, name := range formatNames {
		if body := bodyOf(t, name, e, event.Full); !bytes.Contains(body, []byte(`"<A&B>`+"\u2028\"")) {
			t.Errorf("%s: the order's id is escaped: %s", name, body[:150])
		}
	}
}

func TestFormatByName(t *testing.T) {
	t.Parallel()
	for name, contentType := range map[string]string{
		"standard":       "application/json",
		"openconnectors": "application/json",
		"ecwid":          "application/json; charset=UTF-8",
		"cloudevents":    "application/cloudevents+json",
	} {
		f := formatNamed(t, name)
		if f.Name() != name || f.ContentType() != contentType {
			t.Errorf("FormatByName(%q) is %q with content type %q, want %q", name, f.Name(), f.ContentType(), contentType)
		}
	}
	for _, name := range []string{"", "Standard", "xml"} {
		f, err := notify.FormatByName(name)
		if err == nil {
			t.Fatalf("FormatByName(%q) = %q, want an error", name, f.Name())
		}
		for _, want := range append(formatNames, fmt.Sprintf("%q", name)) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not hold %s", err, want)
			}
		}
	}
}

// A receiver that passes over ids that it has had must not pass over a test.
func TestTestEventsDiffer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if a, b := notify.TestEvent(now).ID, notify.TestEvent(now.Add(1)).ID; a == b {
		t.Errorf("two test events have the id %s", a)
	}
}

func BenchmarkBody(b *testing.B) {
	for _, name := range formatNames {
		b.Run(name, func(b *testing.B) {
			f, e := formatNamed(b, name), sampleEvents(b)[1].event
			b.SetBytes(int64(len(e.Raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Body(e, event.Full); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
