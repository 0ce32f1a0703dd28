package ecwidtest_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// outcome says in a few words what a client gets.
func (w *world) outcome(path string) string {
	r, err := w.try(path)
	switch {
	case errors.Is(err, syscall.ECONNRESET) && r.status == 0:
		return "reset"
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("%d, then reset", r.status)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Sprintf("%d, cut", r.status)
	case err != nil:
		return err.Error()
	case r.status != http.StatusOK:
		var e struct{ ErrorCode string }
		_ = json.Unmarshal(r.body, &e) // not every error is JSON
		return strings.TrimSpace(fmt.Sprint(r.status, " ", e.ErrorCode, " ", r.header.Get("Retry-After")))
	case len(r.body) == 0:
		return "200, empty"
	case !json.Valid(r.body):
		return "200, not JSON"
	}
	return "200"
}

// overWires runs a test against the in-process transport and over real TCP.
func overWires(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		f(t, newWorld(t, ecwidtest.Behaviour{}))
	})
	t.Run("over TCP", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, ecwidtest.Behaviour{})
		listener := httptest.NewServer(w.server)
		t.Cleanup(listener.Close)
		transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
		t.Cleanup(transport.CloseIdleConnections)
		w.base, w.client = listener.URL, &http.Client{Transport: transport}
		f(t, w)
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	want := map[ecwidtest.FaultKind]string{
		ecwidtest.RateLimited:     "429 RATE_LIMITED 5",
		ecwidtest.RequestTimeout:  "408 TIMEOUT",
		ecwidtest.InternalError:   "500 INTERNAL_ERROR",
		ecwidtest.BadGateway:      "502",
		ecwidtest.Unavailable:     "503",
		ecwidtest.PaymentRequired: "402 NOT_AVAILABLE_ON_CURRENT_PLAN",
		ecwidtest.Forbidden:       "403 INVALID_API_TOKEN",
		ecwidtest.TokenRevoked:    "403 INVALID_API_TOKEN",
		ecwidtest.HTMLPage:        "200, not JSON",
		ecwidtest.EmptyBody:       "200, empty",
		ecwidtest.InvalidJSON:     "200, not JSON",
		ecwidtest.Truncated:       "200, cut",
		ecwidtest.WrongLength:     "200, not JSON",
		ecwidtest.ResetBefore:     "reset",
		ecwidtest.ResetMidway:     "200, then reset",
		ecwidtest.Slow:            "200",
		ecwidtest.SlowBody:        "200",
		ecwidtest.OrderWithoutID:  "200",
		ecwidtest.OrderNotObject:  "200",
		ecwidtest.ShiftedPage:     "200",
	}
	if len(want) != len(ecwidtest.FaultKinds()) {
		t.Errorf("%d kinds of fault, %d are tested", len(ecwidtest.FaultKinds()), len(want))
	}
	overWires(t, func(t *testing.T, w *world) {
		w.shop.Fill(150)
		for _, kind := range ecwidtest.FaultKinds() {
			w.server.Fault(ecwidtest.Fault{Kind: kind, Delay: time.Millisecond})
			for _, expected := range []string{want[kind], "200"} {
				if kind == ecwidtest.TokenRevoked {
					expected = want[kind] // from now on
				}
				if got := w.outcome("/api/v3/1003/orders?offset=50"); got != expected {
					t.Errorf("%s: got %s, want %s", kind, got, expected)
				}
			}
			w.shop.SetRefusal(ecwidtest.Open)
		}
		if n := w.server.PendingFaults(); n != 0 {
			t.Errorf("%d faults are pending", n)
		}
	})
}

func TestFaultsOfAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(150)
	all := w.walk("")
	page := func(kind ecwidtest.FaultKind) (list []json.RawMessage) {
		w.server.Fault(ecwidtest.Fault{Kind: kind})
		w.get("/api/v3/1003/orders/" + all[0]) // no list: it does not count
		p := w.orders("offset=100")
		l := w.legacy("offset=100") // the fault is used up
		if w.server.PendingFaults() != 0 || p.Total != 150 || p.Count != 50 || len(l.Orders) != 50 {
			t.Errorf("%s: total %d, count %d, pending %d", kind, p.Total, p.Count, w.server.PendingFaults())
		}
		return p.Items
	}
	if got := page(ecwidtest.OrderNotObject); string(got[25]) != "[]" || idOf(t, got[24]) != all[124] || idOf(t, got[26]) != all[126] {
		t.Errorf("an order that is no object: %s", got[25])
	}
	got := page(ecwidtest.OrderWithoutID)
	for _, name := range []string{"id", "internalId", "orderNumber", "vendorOrderNumber", "publicUid"} {
		if value := member(t, got[25], name); value != "" {
			t.Errorf("the order without id has %s %s", name, value)
		}
	}
	if member(t, got[25], "email") == "" || idOf(t, got[24]) != all[124] {
		t.Error("the order without id lacks the rest too, or others do")
	}
	if got := page(ecwidtest.ShiftedPage); idOf(t, got[0]) != all[99] || idOf(t, got[49]) != all[148] {
		t.Errorf("the shifted page begins with %s and ends with %s", idOf(t, got[0]), idOf(t, got[49]))
	}
	w.server.Fault(ecwidtest.Fault{Kind: ecwidtest.OrderWithoutID})
	if raw := w.legacy("").Orders[75]; member(t, raw, "number") != "" || member(t, raw, "vendorNumber") != "" {
		t.Errorf("the legacy order without id is %s", raw)
	}
}

func TestFaultsAreScripted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.server.Fault(ecwidtest.Fault{
		Kind: ecwidtest.RateLimited, RetryAfter: 90 * time.Second, After: 1, Times: 2,
		Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/deleted") },
	})
	w.server.Fault(ecwidtest.Fault{Kind: ecwidtest.RateLimited, RetryAfter: -1, After: 4})
	var got []string
	for _, path := range []string{"deleted", "", "deleted", "deleted", "deleted", ""} {
		got = append(got, w.outcome(strings.TrimSuffix("/api/v3/1003/orders/"+path, "/")))
	}
	// The second fault does not see the two requests that the first one befell.
	want := []string{"200", "200", "429 RATE_LIMITED 90", "429 RATE_LIMITED 90", "200", "200"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := w.outcome("/api/v3/1003/orders"); got != "429 RATE_LIMITED" {
		t.Errorf("without Retry-After: %s", got)
	}
}

func TestFaultsByChanceFollowTheSeed(t *testing.T) {
	t.Parallel()
	run := func() (outcomes []string) {
		w := newWorld(t, ecwidtest.Behaviour{})
		w.server.SetFaultRate(ecwidtest.InternalError, 0.2)
		w.server.SetFaultRate(ecwidtest.Truncated, 0.2)
		for range 200 {
			outcomes = append(outcomes, w.outcome("/api/v3/1003/orders"))
		}
		return outcomes
	}
	first := run()
	count := map[string]int{}
	for _, o := range first {
		count[o]++
	}
	if len(count) != 3 || count["500 INTERNAL_ERROR"] < 20 || count["200, cut"] < 16 || count["200"] < 90 {
		t.Errorf("outcomes are %v", count)
	}
	if diff := cmp.Diff(first, run()); diff != "" {
		t.Error("the same seed gives other outcomes:", diff)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.server.SetRequestsPerMinute(2)
	other := w.server.AddShop(ecwidtest.ShopOptions{ID: 1004, Token: token}).ID()
	for _, c := range []struct {
		advance time.Duration
		path    string
		want    string
	}{
		{0, "/api/v3/1003/orders", "200"},
		{10 * time.Second, fmt.Sprintf("/api/v3/%d/orders", other), "200"}, // the same token
		{500 * time.Millisecond, "/api/v3/1003/orders", "429 RATE_LIMITED 50"},
		{0, "/api/v1/1003/orders?secure_auth_key=" + secret, "200"}, // another secret
		{49499 * time.Millisecond, "/api/v3/1003/orders", "429 RATE_LIMITED 1"},
		{time.Millisecond, "/api/v3/1003/orders", "200"},
		{0, "/api/v3/1003/orders", "429 RATE_LIMITED 10"},
	} {
		w.clock.advance(c.advance)
		if got := w.outcome(c.path); got != c.want {
			t.Errorf("GET %s at %s: got %s, want %s", c.path, w.clock.now().Format(time.TimeOnly), got, c.want)
		}
	}
}

func TestGzipWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(100)
	plain := w.get("/api/v3/1003/orders").body
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/api/v3/1003/orders", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept-Encoding", "gzip")
	res, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Encoding") != "gzip" || res.ContentLength > int64(len(plain)/4) {
		t.Fatalf("encoding %q, %d bytes of %d", res.Header.Get("Content-Encoding"), res.ContentLength, len(plain))
	}
	z, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := io.ReadAll(z)
	if err != nil || string(unzipped) != string(plain) {
		t.Errorf("%d bytes, %v", len(unzipped), err)
	}
}

func TestRequestsAreRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.outcome("/api/v3/1003/orders?sortBy=UPDATED_TIME_ASC&token=" + token)
	w.clock.advance(time.Second)
	w.outcome("/api/v1/1003/orders?format=json&secure_auth_key=" + secret)
	w.outcome("/api/v3/1003/orders/NOONE")
	got := w.server.Requests()
	var lines []string
	for _, r := range got {
		lines = append(lines, fmt.Sprintf("%s %s %s %v %v %d %d", r.Time.Format(time.TimeOnly), r.Method, r.Path, r.Query, r.Unknown, r.Status, r.Concurrent))
	}
	want := []string{
		"12:00:00 GET /api/v3/1003/orders map[sortBy:[UPDATED_TIME_ASC] token:[<secret>]] [sortBy] 200 1",
		"12:00:01 GET /api/v1/1003/orders map[format:[json] secure_auth_key:[<secret>]] [format] 200 1",
		"12:00:01 GET /api/v3/1003/orders/NOONE map[] [] 404 1",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"format", "sortBy"}, w.server.UnknownParameters()); diff != "" {
		t.Error(diff)
	}
	w.server.ForgetRequests()
	for range 10_010 {
		w.outcome("/api/v3/1003/orders/NOONE")
	}
	if n := len(w.server.Requests()); n != 10_000 {
		t.Errorf("%d requests are kept", n)
	}
}
