package ecwid

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

func FuzzReadOrdersV3(f *testing.F) {
	f.Add(sample(f, "ecwid-v3/orders-search-docs-2024.json"))
	f.Add(sample(f, "ecwid-v3/carts-search-docs-2024.json"))
	f.Add([]byte(`{"total":2,"\u0069tems":[{"id":"\\\"","a":"\\\\"},{"\u0069d":1e5}, -1.5e-3,[[],{}],"]"],"x":{"items":[1]}}`))
	f.Add([]byte("{\"total\":1,\"items\":[{\"id\":\"caf\xe9\"}]}"))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzOrders(t, body, v3) })
}

func FuzzReadOrdersLegacy(f *testing.F) {
	f.Add(sample(f, "ecwid-v1/orders-response-2014.json"))
	f.Add([]byte(`{"count":1,"total":300,"nextUrl":"https:\/\/app.ecwid.com\/x?offset=200","orders":[{"number":7}]}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzOrders(t, body, legacy) })
}

// FuzzScanObject puts what comes where an order's member is skipped, too.
func FuzzScanObject(f *testing.F) {
	for _, value := range append(rightValues, wrongValues...) {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		value = bytes.ToValidUTF8(value, []byte("\uFFFD"))
		_, err := scanObject(value)
		checkValidity(t, value, err)
		body := []byte(`{"total":1,"items":[{"x":` + string(value) + `}]}`)
		_, err = readOrders(body, v3, 0)
		checkValidity(t, body, err)
	})
}

// checkValidity holds the error of reading a body against encoding/json's opinion.
func checkValidity(t *testing.T, body []byte, err error) {
	t.Helper()
	refused := strings.Contains(message(err), "no valid JSON")
	if valid := json.Valid(body); valid == refused {
		t.Fatalf("error %v, while encoding/json has %v for %q", err, valid, body)
	}
}

// fuzzOrders holds the scanner against encoding/json.
func fuzzOrders(t *testing.T, body []byte, d dialect) {
	page, err := readOrders(body, d, 0)
	body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	checkValidity(t, body, err)
	if err != nil {
		return
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("read what encoding/json does not: %v", err)
	}
	var want []json.RawMessage
	if err := json.Unmarshal(answer[d.items], &want); err != nil && page.count > 0 {
		t.Fatalf("read items that encoding/json does not: %v", err)
	}
	if page.count != len(want) || len(page.objects)+len(page.unreadable) != len(want) {
		t.Fatalf("count %d, %d objects, %d unreadable; want %d items", page.count, len(page.objects), len(page.unreadable), len(want))
	}
	unreadable := map[int]bool{}
	for _, u := range page.unreadable {
		unreadable[u.Row] = true
	}
	for row, raw := range want {
		if unreadable[row] {
			continue
		}
		checkFuzzed(t, page.objects[0], raw, d)
		page.objects = page.objects[1:]
	}
}

func checkFuzzed(t *testing.T, got event.Object, raw json.RawMessage, d dialect) {
	t.Helper()
	if !bytes.Equal(got.Raw, raw) {
		t.Fatalf("raw %q, want %q", got.Raw, raw)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	names := []string{"id", "vendorOrderNumber", "orderNumber"}
	if d.items == legacy.items {
		names = []string{"number"}
	}
	want := ""
	for _, name := range names {
		if want = idByStandard(fields[name]); want != "" {
			break
		}
	}
	if got.ID != want {
		t.Fatalf("id %q, want %q, of %q", got.ID, want, raw)
	}
	var status string
	if json.Unmarshal(fields["paymentStatus"], &status) == nil && got.Unfinished != (status == "INCOMPLETE") {
		t.Fatalf("unfinished %v of %q", got.Unfinished, raw)
	}
	if got.InternalID < 0 || got.Created.Unix() > lastSecond || got.Updated.Unix() > lastSecond {
		t.Fatalf("out of range: %+v", got)
	}
}

func idByStandard(raw json.RawMessage) string {
	var id any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&id) != nil {
		return ""
	}
	switch id := id.(type) {
	case string:
		return id
	case json.Number:
		if !strings.ContainsAny(id.String(), "-.eE") {
			return id.String()
		}
	}
	return ""
}

func FuzzReadDeletions(f *testing.F) {
	f.Add(sample(f, "ecwid-v3/orders-deleted-docs-2014.json"))
	f.Add([]byte(`{"total":3,"items":[{"id":"9","orderId":"A","date":"2014-10-20"},{"id":-1},null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := readDeletions(body, 0)
		if err != nil {
			return
		}
		if len(page.deletions)+len(page.unreadable) != page.count {
			t.Fatalf("%d deletions and %d unreadable of %d", len(page.deletions), len(page.unreadable), page.count)
		}
		for _, deletion := range page.deletions {
			if deletion.InternalID < 0 || deletion.InternalID == 0 && deletion.ObjectID == "" {
				t.Fatalf("nothing tells what was deleted: %+v", deletion)
			}
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, date := range []string{"2024-05-01 05:26:28 +0000", "2014-10-20 18:07:24 +0400", "2014-05-06 16:28:06", "2024-05-01", "1714541188", "-1", ""} {
		f.Add(date)
	}
	f.Fuzz(func(t *testing.T, date string) {
		got := parseDate(date, legacyZone)
		if got.IsZero() {
			return
		}
		if got.Location() != time.UTC || got.Unix() <= 0 || got.Year() > 9999 {
			t.Fatalf("%q read as %v", date, got)
		}
		if again := parseDate(got.Format("2006-01-02 15:04:05 -0700"), legacyZone); again != got {
			t.Fatalf("%q read as %v, and that as %v", date, got, again)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"0", "17", "-1", "99999999999999999999", "Mon, 23 Nov 2026 06:00:30 GMT", "soon"} {
		f.Add(value, "Mon, 23 Nov 2026 06:00:00 GMT")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, time.Unix(1700000000, 0))
		if got != 0 && (got < shortestRetryAfter || got > longestRetryAfter) {
			t.Fatalf("Retry-After %q at %q: %v", value, date, got)
		}
	})
}
