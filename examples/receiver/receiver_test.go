package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

var (
	secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key of 24 to 64 bytes!"))
	other  = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another key, not shared!"))
)

const updated = `{"id":"evt_2","type":"order.updated","data":{"objectId":"EBJFT","objectType":"orders","store":{"id":1003},` +
	`"version":2,"changes":[{"path":"/paymentStatus","old":"AWAITING_PAYMENT","new":"PAID"},{"path":"/email","new":null}],"raw":{"id":"EBJFT"}}}`

// sign signs with the library of the Standard Webhooks project, which shares no
// code with verify.
func sign(t *testing.T, secret, id string, stamp time.Time, body string) string {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := webhook.Sign(id, stamp, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func headers(id string, stamp time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(stamp.Unix(), 10))
	h.Set("webhook-signature", signature)
	return h
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_000_000, 0)
	key, err := parseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, secret, "evt_2", now, updated)
	for name, test := range map[string]struct {
		change func(http.Header)
		now    time.Time
		body   string
		want   string // part of the error; empty: accepted
	}{
		"signed by the library":       {},
		"clock 5 minutes ahead":       {now: now.Add(5 * time.Minute)},
		"clock 5 minutes behind":      {now: now.Add(-5 * time.Minute)},
		"one of several secrets":      {change: func(h http.Header) { h.Set("webhook-signature", sign(t, other, "evt_2", now, updated)+" "+good) }},
		"unknown version beside v1":   {change: func(h http.Header) { h.Set("webhook-signature", "v1a,AAAA v2 "+good) }},
		"recorded 301 seconds ago":    {now: now.Add(301 * time.Second), want: "5 minutes"},
		"301 seconds in the future":   {now: now.Add(-301 * time.Second), want: "5 minutes"},
		"beginning of time":           {change: func(h http.Header) { h.Set("webhook-timestamp", "-9223372036854775808") }, want: "5 minutes"},
		"end of time":                 {change: func(h http.Header) { h.Set("webhook-timestamp", "9223372036854775807") }, want: "5 minutes"},
		"another body":                {body: strings.Replace(updated, "PAID", "paid", 1), want: "matches"},
		"another id":                  {change: func(h http.Header) { h.Set("webhook-id", "evt_3") }, want: "matches"},
		"another timestamp":           {change: func(h http.Header) { h.Set("webhook-timestamp", "1795000001") }, want: "matches"},
		"another secret":              {change: func(h http.Header) { h.Set("webhook-signature", sign(t, other, "evt_2", now, updated)) }, want: "matches"},
		"another version":             {change: func(h http.Header) { h.Set("webhook-signature", strings.Replace(good, "v1,", "v2,", 1)) }, want: "matches"},
		"signature cut short":         {change: func(h http.Header) { h.Set("webhook-signature", good[:len(good)-4]) }, want: "matches"},
		"signature that is no base64": {change: func(h http.Header) { h.Set("webhook-signature", "v1,***") }, want: "matches"},
		"no signature":                {change: func(h http.Header) { h.Del("webhook-signature") }, want: "matches"},
		"no id":                       {change: func(h http.Header) { h.Del("webhook-id") }, want: "webhook-id"},
		"no timestamp":                {change: func(h http.Header) { h.Del("webhook-timestamp") }, want: "webhook-timestamp"},
		"timestamp that is no number": {change: func(h http.Header) { h.Set("webhook-timestamp", "today") }, want: "webhook-timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := headers("evt_2", now, good)
			if test.change != nil {
				test.change(h)
			}
			if test.now.IsZero() {
				test.now = now
			}
			if test.body == "" {
				test.body = updated
			}
			err := verify(key, h, []byte(test.body), test.now)
			if test.want == "" && err != nil {
				t.Errorf("verify: %v, want nil", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("verify: %v, want an error about %q", err, test.want)
			}
		})
	}
}

func TestParseSecretRefusesWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "whsec_", "whsec_***", "not base64"} {
		if _, err := parseSecret(s); err == nil {
			t.Errorf("parseSecret(%q) = nil, want an error", s)
		}
	}
}

// inbox is a receiver that keeps the ids of the events that it processed.
type inbox struct {
	*receiver
	processed []string
	fail      error
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	key, err := parseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	in := &inbox{}
	in.receiver = newReceiver(key, func(e event) error {
		if in.fail != nil {
			return in.fail
		}
		in.processed = append(in.processed, e.ID)
		return nil
	})
	return in
}

func (in *inbox) post(t *testing.T, id, body string) int {
	t.Helper()
	now := time.Now()
	return in.do(t, http.MethodPost, headers(id, now, sign(t, secret, id, now, body)), body)
}

func (in *inbox) do(t *testing.T, method string, h http.Header, body string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
	r.Header = h
	w := httptest.NewRecorder()
	in.ServeHTTP(w, r)
	return w.Code
}

func body(id, object, version string) string {
	return `{"id":"` + id + `","type":"order.updated","data":{"objectId":"` + object + `","objectType":"orders","store":{"id":1003},"version":` + version + `}}`
}

func TestReceiverProcessesOnce(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	for _, e := range []struct{ id, object, version string }{
		{"evt_1", "A", "1"},
		{"evt_3", "A", "3"},
		{"evt_1", "A", "1"}, // a replay of what came
		{"evt_2", "A", "2"}, // older than what came, not seen before
		{"evt_3", "A", "3"},
		{"evt_b1", "B", "1"}, // another object counts for itself
		{"evt_4", "A", "4"},
		{"msg_1", "", "0"}, // test messages have no version
		{"msg_2", "", "0"},
		{"msg_1", "", "0"},
	} {
		if status := in.post(t, e.id, body(e.id, e.object, e.version)); status != http.StatusNoContent {
			t.Errorf("%s: status %d, want 204", e.id, status)
		}
	}
	if diff := cmp.Diff([]string{"evt_1", "evt_3", "evt_b1", "evt_4", "msg_1", "msg_2"}, in.processed); diff != "" {
		t.Errorf("processed (-want +got):\n%s", diff)
	}
}

func TestReceiverLetsTheSenderTryAgain(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	in.fail = errors.New("database is down")
	if status := in.post(t, "evt_2", updated); status != http.StatusServiceUnavailable {
		t.Errorf("while processing fails: status %d, want 503", status)
	}
	in.fail = nil
	if status := in.post(t, "evt_2", updated); status != http.StatusNoContent {
		t.Errorf("second try: status %d, want 204", status)
	}
	if diff := cmp.Diff([]string{"evt_2"}, in.processed); diff != "" {
		t.Errorf("processed (-want +got):\n%s", diff)
	}
}

func TestReceiverRefuses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	large := `{"id":"` + strings.Repeat("x", maxBody) + `"}`
	for name, test := range map[string]struct {
		method string
		header http.Header
		body   string
		want   int
	}{
		"another method":        {http.MethodGet, headers("evt_2", now, sign(t, secret, "evt_2", now, updated)), updated, http.StatusMethodNotAllowed},
		"a wrong signature":     {http.MethodPost, headers("evt_2", now, sign(t, other, "evt_2", now, updated)), updated, http.StatusUnauthorized},
		"an old request":        {http.MethodPost, headers("evt_2", now.Add(-time.Hour), sign(t, secret, "evt_2", now.Add(-time.Hour), updated)), updated, http.StatusUnauthorized},
		"signed, but no JSON":   {http.MethodPost, headers("evt_2", now, sign(t, secret, "evt_2", now, "{")), "{", http.StatusBadRequest},
		"a body over the limit": {http.MethodPost, headers("evt_2", now, sign(t, secret, "evt_2", now, large)), large, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInbox(t)
			if status := in.do(t, test.method, test.header, test.body); status != test.want {
				t.Errorf("status %d, want %d", status, test.want)
			}
			if len(in.processed) != 0 {
				t.Errorf("processed %v, want nothing", in.processed)
			}
		})
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	t.Parallel()
	r := newRecent[int, string](3)
	for i := range 7 {
		r.put(i, "a")
		r.put(i, "b") // the same key again takes no second place
	}
	var kept []int
	for i := range 7 {
		if v, ok := r.get(i); ok && v == "b" {
			kept = append(kept, i)
		}
	}
	if diff := cmp.Diff([]int{4, 5, 6}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if len(r.values) != 3 {
		t.Errorf("%d values held, want 3", len(r.values))
	}
}

func TestRunServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	env := map[string]string{"SIGNING_SECRET": secret, "LISTEN": "127.0.0.1:0"}
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, func(key string) string { return env[key] }, writer)
		writer.Close()
		done <- err
	}()

	var printed bytes.Buffer
	readLine := func() string {
		t.Helper()
		for {
			if line, err := printed.ReadString('\n'); err == nil {
				return line
			}
			chunk := make([]byte, 512)
			n, err := reader.Read(chunk)
			if err != nil {
				t.Fatalf("reading what run prints: %v", err)
			}
			printed.Write(chunk[:n])
		}
	}
	url := strings.TrimSpace(strings.TrimPrefix(readLine(), "listening on "))

	now := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(updated))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = headers("evt_2", now, sign(t, secret, "evt_2", now, updated))
	answered := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode != http.StatusNoContent {
				err = errors.New(response.Status)
			}
		}
		if err != nil {
			reader.CloseWithError(err) // nothing will be printed: readLine must not wait for it
		}
		answered <- err
	}()
	if got, want := readLine(), "order.updated  store 1003  orders EBJFT  version 2\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := readLine(), `    /paymentStatus: "AWAITING_PAYMENT" -> "PAID"`+"\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := readLine(), "    /email: (none) -> null\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if err := <-answered; err != nil {
		t.Errorf("POST: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v, want nil", err)
	}
}

func TestRunNeedsASecret(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // should it start to serve all the same, it stops at once
	err := run(ctx, func(string) string { return "" }, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "SIGNING_SECRET") {
		t.Errorf("run: %v, want an error that names SIGNING_SECRET", err)
	}
}
