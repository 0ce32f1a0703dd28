package notify_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

func standardSecret(key string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))
}

var (
	oldSecret   = standardSecret("the key that is on its way out")
	newSecret   = standardSecret("the key that is on its way in")
	otherSecret = standardSecret("a key that nobody was told of")
)

func keysOf(t testing.TB, f notify.Format, secrets ...string) [][]byte {
	t.Helper()
	var keys [][]byte
	for _, s := range secrets {
		key, err := f.ParseSecret(s)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// The verifier is the library that receivers use.
func TestStandardSignatureAtAReceiver(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		secrets  []string
		receiver string
		age      time.Duration
		tamper   func(h http.Header, body []byte)
		want     error
	}{
		"one secret":                      {secrets: []string{oldSecret}, receiver: oldSecret},
		"rotation, receiver behind":       {secrets: []string{newSecret, oldSecret}, receiver: oldSecret},
		"rotation, receiver ahead":        {secrets: []string{newSecret, oldSecret}, receiver: newSecret},
		"attempt minutes ago":             {secrets: []string{oldSecret}, receiver: oldSecret, age: 4 * time.Minute},
		"wrong secret":                    {secrets: []string{newSecret, oldSecret}, receiver: otherSecret, want: standardwebhooks.ErrNoMatchingSignature},
		"stale attempt":                   {secrets: []string{oldSecret}, receiver: oldSecret, age: 6 * time.Minute, want: standardwebhooks.ErrMessageTooOld},
		"attempt from the future":         {secrets: []string{oldSecret}, receiver: oldSecret, age: -6 * time.Minute, want: standardwebhooks.ErrMessageTooNew},
		"no secret":                       {receiver: oldSecret, want: standardwebhooks.ErrRequiredHeaders},
		"body changed on the way":         {secrets: []string{oldSecret}, receiver: oldSecret, tamper: func(_ http.Header, b []byte) { b[len(b)-1] = ' ' }, want: standardwebhooks.ErrNoMatchingSignature},
		"id changed on the way":           {secrets: []string{oldSecret}, receiver: oldSecret, tamper: func(h http.Header, _ []byte) { h.Set("webhook-id", "evt_1") }, want: standardwebhooks.ErrNoMatchingSignature},
		"old signature with a fresh time": {secrets: []string{oldSecret}, receiver: oldSecret, age: time.Hour, tamper: func(h http.Header, _ []byte) { h.Set("webhook-timestamp", strconv.FormatInt(time.Now().Unix(), 10)) }, want: standardwebhooks.ErrNoMatchingSignature},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, e := formatNamed(t, "standard"), sampleEvents(t)[1].event
			body := bodyOf(t, "standard", e, event.Full)
			h := http.Header{}
			f.Sign(requestWith(h), e, time.Now().Add(-c.age), body, keysOf(t, f, c.secrets...))
			if c.tamper != nil {
				c.tamper(h, body)
			}
			receiver, err := standardwebhooks.NewWebhook(c.receiver)
			if err != nil {
				t.Fatal(err)
			}
			if err := receiver.Verify(body, h); !errors.Is(err, c.want) {
				t.Errorf("receiver says %v, want %v", err, c.want)
			}
		})
	}
}

func TestSignSetsTheHeaders(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		format, id, body string
		at               time.Time
		happened         time.Time // the event's own time
		secrets          []string
		want             http.Header
	}{
		// The vector of the Standard Webhooks libraries.
		"standard vector": {
			format: "standard", id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: time.Unix(1614265330, 999_999_999), body: `{"test": 2432232314}`,
			secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
			want: http.Header{
				"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			},
		},
		"standard with two secrets": {
			format: "standard", id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: time.Unix(1614265330, 0), body: `{"test": 2432232314}`,
			secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
			want: http.Header{
				"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			},
		},
		"standard without a secret": {
			format: "standard", id: "evt_1", at: time.Unix(1, 0), body: "{}",
			want: http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {"1"}},
		},
		// The vector of the vendor's page on hash verification.
		"openconnectors vector": {
			format: "openconnectors", id: "evt_1", at: time.Unix(1, 0), body: "<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
			secrets: []string{"MySecretEventSignatureKey"},
			want: http.Header{
				"Elements-Webhook-Id":        {"evt_1"},
				"Elements-Webhook-Signature": {"sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ="},
			},
		},
		"openconnectors with two secrets signs with the first": {
			format: "openconnectors", id: "evt_1", at: time.Unix(2, 0), body: "<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
			secrets: []string{"MySecretEventSignatureKey", "another"},
			want: http.Header{
				"Elements-Webhook-Id":        {"evt_1"},
				"Elements-Webhook-Signature": {"sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ="},
			},
		},
		"openconnectors without a secret": {
			format: "openconnectors", id: "evt_1", at: time.Unix(1, 0), body: "{}",
			want: http.Header{"Elements-Webhook-Id": {"evt_1"}},
		},
		// A vector that an independent client of Ecwid publishes.
		"ecwid vector": {
			format: "ecwid", id: "80aece08-40e8-4145-8764-6c2f0d38678", at: time.Unix(7654321, 0), happened: time.Unix(1234567, 999_999_999), body: "{}",
			secrets: []string{"test_client_secret"},
			want:    http.Header{"X-Ecwid-Webhook-Signature": {"ekmGPQc/IpCwO6woAiM+L8uvY6chew4n6JVQCiDrEVw="}},
		},
		"ecwid with two secrets signs with the first": {
			format: "ecwid", id: "80aece08-40e8-4145-8764-6c2f0d38678", at: time.Unix(7654321, 0), happened: time.Unix(1234567, 0), body: "{}",
			secrets: []string{"test_client_secret", "another"},
			want:    http.Header{"X-Ecwid-Webhook-Signature": {"ekmGPQc/IpCwO6woAiM+L8uvY6chew4n6JVQCiDrEVw="}},
		},
		"ecwid without a secret": {format: "ecwid", id: "evt_1", at: time.Unix(1, 0), body: "{}", want: http.Header{}},
		"cloudevents signs as standard": {
			format: "cloudevents", id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: time.Unix(1614265330, 0), body: `{"test": 2432232314}`,
			secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
			want: http.Header{
				"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, got := formatNamed(t, c.format), http.Header{}
			f.Sign(requestWith(got), event.Event{ID: c.id, Time: c.happened}, c.at, []byte(c.body), keysOf(t, f, c.secrets...))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckSigningSecret(t *testing.T) {
	t.Parallel()
	bytesOf := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, n)) }
	cases := map[string]struct {
		format, secret string
		want           string // part of the error; empty: accepted
	}{
		"24 bytes":              {"standard", "whsec_" + bytesOf(24), ""},
		"64 bytes":              {"standard", "whsec_" + bytesOf(64), ""},
		"23 bytes":              {"standard", "whsec_" + bytesOf(23), "24 to 64"},
		"65 bytes":              {"standard", "whsec_" + bytesOf(65), "24 to 64"},
		"no prefix":             {"standard", bytesOf(32), `"whsec_"`},
		"private key":           {"standard", "whsk_" + bytesOf(32), `"whsec_"`},
		"plain words":           {"standard", "correct horse battery staple", "openssl rand -base64 32"},
		"empty":                 {"standard", "", `"whsec_"`},
		"prefix alone":          {"standard", "whsec_", "24 to 64"},
		"no padding":            {"standard", "whsec_" + strings.TrimRight(bytesOf(32), "="), "base64"},
		"the URL's alphabet":    {"standard", "whsec_" + strings.ReplaceAll(bytesOf(32), "+", "-"), "base64"},
		"a line break at end":   {"standard", "whsec_" + bytesOf(32) + "\n", "base64"},
		"a line break within":   {"standard", "whsec_" + bytesOf(12) + "\r\n" + bytesOf(12), "base64"},
		"stray bits":            {"standard", "whsec_" + strings.Repeat("A", 42) + "B=", "base64"},
		"Open Connectors' key":  {"openconnectors", "MySecretEventSignatureKey", ""},
		"one byte":              {"openconnectors", "x", ""},
		"empty key":             {"openconnectors", "", "is empty"},
		"an app's secret":       {"ecwid", "test_client_secret", ""},
		"empty app's secret":    {"ecwid", "", "is empty"},
		"for CloudEvents":       {"cloudevents", "whsec_" + bytesOf(24), ""},
		"words for CloudEvents": {"cloudevents", "correct horse battery staple", "openssl rand -base64 32"},
		"unknown format":        {"xml", "MySecretEventSignatureKey", "unknown format"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := notify.CheckSigningSecret(c.format, c.secret)
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v does not hold %q", err, c.want)
			}
			if bare := strings.TrimPrefix(c.secret, "whsec_"); bare != "" && strings.Contains(err.Error(), bare) {
				t.Errorf("error holds the secret: %v", err)
			}
		})
	}
}

// What is taken for a secret must give receivers the same key.
func FuzzParseStandardSecret(f *testing.F) {
	f.Add(oldSecret)
	f.Add("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	f.Add("whsec_" + strings.Repeat("A", 42) + "B=")
	f.Add("whsec_\n")
	f.Fuzz(func(t *testing.T, secret string) {
		format := formatNamed(t, "standard")
		key, err := format.ParseSecret(secret)
		if err != nil {
			if _, same := format.ParseSecret(""); err.Error() != same.Error() {
				t.Errorf("error depends on the secret: %v", err)
			}
			return
		}
		if len(key) < 24 || len(key) > 64 || standardSecret(string(key)) != secret {
			t.Fatalf("%q gives a key of %d bytes that is not what it spells", secret, len(key))
		}
		receiver, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatalf("a receiver refuses %q: %v", secret, err)
		}
		h, body := http.Header{}, []byte("{}")
		format.Sign(requestWith(h), event.Event{ID: "evt_1"}, time.Now(), body, [][]byte{key})
		if err := receiver.Verify(body, h); err != nil {
			t.Errorf("a receiver with %q: %v", secret, err)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for format, secret := range map[string]string{
		"standard": oldSecret, "openconnectors": "MySecretEventSignatureKey", "ecwid": "test_client_secret",
	} {
		b.Run(format, func(b *testing.B) {
			f, e := formatNamed(b, format), sampleEvents(b)[1].event
			body := bodyOf(b, format, e, event.Full)
			keys, h, at := keysOf(b, f, secret), http.Header{}, time.Unix(1714541188, 0)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				f.Sign(requestWith(h), e, at, body, keys)
			}
		})
	}
}

// requestWith is a request to be signed whose headers are those.
func requestWith(h http.Header) *http.Request {
	return &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "example.com", Path: "/hook"}, Header: h}
}
