package notify_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

func TestCheckHeader(t *testing.T) {
	t.Parallel()
	const name, own, control, space = "no header can have", "set by the program", "line break", "a space"
	for _, tc := range []struct{ name, value, want string }{
		{"X-Tenant", "7", ""},
		{"x-tenant", "", ""},
		{"X-Tenant", "a\tb ☺ \u00e9 \"quoted\"; c=d", ""},
		{"Authorization", "Basic dTpw", ""},
		{"Cookie", "a=b", ""},
		{"Accept", "*/*", ""},
		{"Webhooks", "x", ""},
		{"X-Webhook-Id", "x", ""},
		{"Content-Language", "en", ""},

		{"", "x", name},
		{"X Tenant", "x", name},
		{"X-Tenant:", "x", name},
		{"X-Tenant\r\nX-Other", "x", name},
		{"X-Größe", "x", name},

		{"Webhook-Signature", "x", own},
		{"WEBHOOK-ID", "x", own},
		{"webhook-anything", "x", own},
		{"Elements-Webhook-Signature", "x", own},
		{"elements-webhook-id", "x", own},
		{"X-Ecwid-Webhook-Signature", "x", own},
		{"Content-Type", "x", own},
		{"content-length", "1", own},
		{"Content-Encoding", "gzip", own},
		{"User-Agent", "x", own},
		{"Host", "x", own},
		{"Connection", "close", own},
		{"Keep-Alive", "x", own},
		{"Proxy-Authorization", "x", own},
		{"Proxy-Connection", "x", own},
		{"Transfer-Encoding", "chunked", own},
		{"Trailer", "x", own},
		{"TE", "trailers", own},
		{"Upgrade", "x", own},
		{"Expect", "100-continue", own},

		{"X-Tenant", "hunter2\r\nX-Other: x", control},
		{"X-Tenant", "hunter2\n", control},
		{"X-Tenant", "\x00hunter2", control},
		{"X-Tenant", "hunter2\x7f", control},
		{"X-Tenant", " hunter2", space},
		{"X-Tenant", "hunter2\t", space},
	} {
		err := notify.CheckHeader(tc.name, tc.value)
		if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %q: got %v, want %q", tc.name, tc.value, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the value: %v", err)
		}
	}
}

// A header that passes the check arrives as it is, and alone.
func FuzzCheckHeader(f *testing.F) {
	f.Add("X-Tenant", "7")
	f.Add("X-Tenant", "a\r\nX-Other: b")
	f.Add("X-Tenant\r\nX-Other", " é\t☺ ")
	f.Fuzz(func(t *testing.T, name, value string) {
		if notify.CheckHeader(name, value) != nil {
			return
		}
		h := http.Header{}
		h.Set(name, value)
		var text strings.Builder
		if err := h.Write(&text); err != nil {
			t.Fatal(err)
		}
		text.WriteString("\r\n")
		got, err := textproto.NewReader(bufio.NewReader(strings.NewReader(text.String()))).ReadMIMEHeader()
		if err != nil || len(got) != 1 || len(got.Values(name)) != 1 || got.Get(name) != value {
			t.Errorf("%q: %q arrives as %q, %v", name, value, got, err)
		}
	})
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*notify.Callback)
		want   string
	}{
		"none":                 {func(*notify.Callback) {}, ""},
		"a bearer token":       {func(c *notify.Callback) { c.BearerToken = "abc" }, "Bearer abc"},
		"a user":               {func(c *notify.Callback) { c.Username, c.Password = "user", "pass:word" }, "Basic dXNlcjpwYXNzOndvcmQ="},
		"a user alone":         {func(c *notify.Callback) { c.Username = "user" }, "Basic dXNlcjo="},
		"a user in the URL":    {func(c *notify.Callback) { c.URL = withUser(c.URL, "user:p%40ss") }, "Basic dXNlcjpwQHNz"},
		"a header of its name": {func(c *notify.Callback) { c.Headers = map[string]string{"authorization": "Key abc"} }, "Key abc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			receiver := &notifytest.Receiver{Script: notifytest.InTurn(notifytest.Step{Status: 500})}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, strings.Join(r.Header.Values("Authorization"), ", "))
				receiver.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			c := callbackTo(server.URL)
			tc.change(&c)
			c.Concurrency = 1
			b := newBed(t, c)
			b.commitObjects(t, someStore, 2)
			b.drain(t)
			if len(got) != 2 || got[0] != tc.want || got[1] != tc.want {
				t.Errorf("got %q, want %q twice", got, tc.want)
			}
		})
	}
}
