package ecwid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	testToken  = "secret_Zq4+w/7=x"
	testSecret = "p&q+r/s%t4Zq4w7"
	testDate   = "Mon, 23 Nov 2026 06:00:00 GMT"
)

// roundTrip is a transport in the process itself, so that time can be simulated.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answerWith is the answer of a server.
func answerWith(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Date": {testDate}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode: status,
		Status:     fmt.Sprint(status, " ", http.StatusText(status)),
		Header:     h,
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// newTestClient returns a client of store 1003 for what o leaves open.
func newTestClient(tb testing.TB, o Options) *Client {
	tb.Helper()
	o.StoreID = 1003
	if o.API == "" {
		o.API = V3
	}
	if o.Secret == "" {
		o.Secret = map[API]string{V3: testToken, Legacy: testSecret}[o.API]
	}
	if o.Limiter == nil {
		o.Limiter = NewLimiters().For(o.Secret, DefaultPerMinute, o.API)
	}
	c, err := NewClient(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// serve returns a client of a real server, over connections that work in
// simulated time.
func serve(t *testing.T, api API, h http.HandlerFunc) *Client {
	t.Helper()
	l := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	transport := newTransport(0)
	transport.Proxy = nil
	transport.DialContext = l.dial
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
	})
	return newTestClient(t, Options{API: api, BaseURL: "http://ecwid.example", Transport: transport})
}

// pipes is a listener of connections in the process.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accepted <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestDetectAPI(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]API{"secret_x": V3, "public_x": V3, "Secret_x": Legacy, "x": Legacy, "": Legacy} {
		if got := DetectAPI(secret); got != want {
			t.Errorf("DetectAPI(%q) = %s, want %s", secret, got, want)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	limiter := NewLimiters().For(testToken, 0, V3)
	tests := map[string]struct {
		change func(*Options)
		want   string
	}{
		"no store":                {func(o *Options) { o.StoreID = 0 }, "the store id must be at least 1"},
		"no secret":               {func(o *Options) { o.Secret = "" }, "the secret is empty"},
		"line break in secret":    {func(o *Options) { o.Secret += "\n" }, "the secret holds a space or a character that cannot be sent"},
		"unknown API":             {func(o *Options) { o.API = "v2" }, `the API must be v3 or legacy, not "v2"`},
		"no limiter":              {func(o *Options) { o.Limiter = nil }, "a limiter is required"},
		"line break in agent":     {func(o *Options) { o.UserAgent = "a\r\nb" }, "the user agent holds a character that cannot be sent"},
		"other scheme":            {func(o *Options) { o.BaseURL = "ftp://x" }, "the base URL must start with http:// or https://"},
		"no host":                 {func(o *Options) { o.BaseURL = "https://:443" }, "the base URL names no host"},
		"password in base URL":    {func(o *Options) { o.BaseURL = "https://u:hunter2@x" }, "the base URL must have no user, query or fragment"},
		"query in base URL":       {func(o *Options) { o.BaseURL = "https://x?token=hunter2" }, "the base URL must have no user, query or fragment"},
		"base URL that is no URL": {func(o *Options) { o.BaseURL = "https://hunter2\x7f" }, "the base URL cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{StoreID: 1003, Secret: testToken, Limiter: limiter}
			if _, err := NewClient(o); err != nil {
				t.Fatal(err)
			}
			test.change(&o)
			_, err := NewClient(o)
			if !strings.HasSuffix(message(err), ": "+test.want) {
				t.Errorf("error %q, want %q", message(err), test.want)
			}
		})
	}
}

// TestRequests checks what is asked of Ecwid.
func TestRequests(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	orders := func(q event.Query) func(*Client) error {
		return func(c *Client) error { _, err := c.Orders(t.Context(), q); return err }
	}
	order := func(id string) func(*Client) error {
		return func(c *Client) error { _, err := c.Order(t.Context(), id); return err }
	}
	full := event.Query{
		UpdatedFrom: at("2024-05-01T05:26:28Z"),
		CreatedFrom: at("2024-03-01T23:00:00-02:00"),
		CreatedTo:   at("2024-12-30T12:00:00Z"),
		Offset:      300, Limit: 7,
	}
	tests := map[string]struct {
		api        API
		call       func(*Client) error
		path       string
		params     url.Values
		wantBearer bool
	}{
		"v3 list": {V3, orders(event.Query{}), "/base/api/v3/1003/orders", url.Values{"offset": {"0"}, "limit": {"100"}}, true},
		"v3 list with everything": {V3, orders(full), "/base/api/v3/1003/orders", url.Values{
			"offset": {"300"}, "limit": {"7"},
			"updatedFrom": {"1714541188"}, "createdFrom": {"1709341200"}, "createdTo": {"1735560000"},
		}, true},
		"v3 light list": {V3, orders(event.Query{Light: true}), "/base/api/v3/1003/orders", url.Values{
			"offset": {"0"}, "limit": {"100"}, "responseFields": {lightFields},
		}, true},
		"a limit above the page size": {V3, orders(event.Query{Limit: 101}), "/base/api/v3/1003/orders", url.Values{"offset": {"0"}, "limit": {"100"}}, true},
		"a time before the epoch":     {V3, orders(event.Query{CreatedFrom: time.Unix(-5, 0)}), "/base/api/v3/1003/orders", url.Values{"offset": {"0"}, "limit": {"100"}, "createdFrom": {"0"}}, true},
		"v3 order":                    {V3, order("A/B ?#%é"), "/base/api/v3/1003/orders/A%2FB%20%3F%23%25%C3%A9", url.Values{}, true},
		"deletions": {
			V3, func(c *Client) error { _, err := c.DeletedOrders(t.Context(), full.UpdatedFrom, 100); return err },
			"/base/api/v3/1003/orders/deleted",
			url.Values{"from_date": {"1714541188"}, "offset": {"100"}, "limit": {"100"}},
			true,
		},
		"all deletions": {
			V3, func(c *Client) error { _, err := c.DeletedOrders(t.Context(), time.Time{}, 0); return err },
			"/base/api/v3/1003/orders/deleted",
			url.Values{"offset": {"0"}, "limit": {"100"}},
			true,
		},
		"legacy list": {Legacy, orders(event.Query{}), "/base/api/v1/1003/orders", url.Values{"secure_auth_key": {testSecret}, "offset": {"0"}, "limit": {"200"}}, false},
		"legacy list with everything": {Legacy, orders(full), "/base/api/v1/1003/orders", url.Values{
			"secure_auth_key": {testSecret}, "offset": {"300"}, "limit": {"7"},
			"from_update_date": {"1714541188"}, "from_date": {"2024-02-29"}, "to_date": {"2025-01-01"},
		}, false},
		"legacy order": {Legacy, order("A&B"), "/base/api/v1/1003/orders", url.Values{"secure_auth_key": {testSecret}, "order": {"A&B"}, "limit": {"200"}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			c := newTestClient(t, Options{
				API: test.api, BaseURL: "https://ecwid.example/base/", UserAgent: "ecwid-events/1",
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					got = r
					return answerWith(200, `{"id":"A/B ?#%é","total":0}`), nil
				}),
			})
			if err := test.call(c); err != nil && !errors.Is(err, event.ErrNotFound) {
				t.Fatal(err)
			}
			if got.Method != http.MethodGet || got.URL.Host != "ecwid.example" || got.URL.EscapedPath() != test.path {
				t.Errorf("%s %s %s, want path %s", got.Method, got.URL.Host, got.URL.EscapedPath(), test.path)
			}
			if diff := cmp.Diff(test.params, got.URL.Query()); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
			want := map[bool]string{true: "Bearer " + testToken}[test.wantBearer]
			if got.Header.Get("Authorization") != want || got.Header.Get("User-Agent") != "ecwid-events/1" {
				t.Errorf("headers %v", got.Header)
			}
		})
	}
}

func TestOrdersPage(t *testing.T) {
	t.Parallel()
	items := func(key string, n int) string {
		return `"` + key + `":[` + strings.TrimSuffix(strings.Repeat(`{"id":"A","number":1},`, n), ",") + `]`
	}
	tests := map[string]struct {
		api        API
		body       string
		wantNext   int
		wantErrEnd string
	}{
		"v3, more to come":             {V3, `{"total":6,` + items("items", 2) + `}`, 5, ""},
		"v3, the last":                 {V3, `{"total":5,` + items("items", 2) + `}`, 0, ""},
		"v3, nothing at the offset":    {V3, `{"total":50,` + items("items", 0) + `}`, 0, ""},
		"legacy, no nextUrl":           {Legacy, `{"total":50,` + items("orders", 2) + `}`, 0, ""},
		"legacy, null nextUrl":         {Legacy, `{"total":50,"nextUrl":null,` + items("orders", 2) + `}`, 0, ""},
		"legacy, empty nextUrl":        {Legacy, `{"total":50,"nextUrl":"",` + items("orders", 2) + `}`, 0, ""},
		"legacy, offset in nextUrl":    {Legacy, `{"total":50,"nextUrl":"https://ECWID.example:443/x?secure_auth_key=k&offset=200",` + items("orders", 2) + `}`, 200, ""},
		"legacy, nextUrl without one":  {Legacy, `{"total":50,"nextUrl":"https://ecwid.example/x",` + items("orders", 2) + `}`, 5, ""},
		"legacy, relative nextUrl":     {Legacy, `{"total":50,"nextUrl":"/x?offset=4",` + items("orders", 2) + `}`, 4, ""},
		"legacy, nextUrl elsewhere":    {Legacy, `{"total":50,"nextUrl":"https://evil.example/x?offset=200",` + items("orders", 2) + `}`, 0, "nextUrl leads to another host or scheme than the base URL"},
		"legacy, nextUrl in clear":     {Legacy, `{"total":50,"nextUrl":"http://ecwid.example/x?offset=200",` + items("orders", 2) + `}`, 0, "nextUrl leads to another host or scheme than the base URL"},
		"legacy, in clear on its port": {Legacy, `{"total":50,"nextUrl":"http://ecwid.example:443/x?offset=200",` + items("orders", 2) + `}`, 0, "nextUrl leads to another host or scheme than the base URL"},
		"legacy, another port":         {Legacy, `{"total":50,"nextUrl":"https://ecwid.example:444/x?offset=200",` + items("orders", 2) + `}`, 0, "nextUrl leads to another host or scheme than the base URL"},
		"legacy, nextUrl to here":      {Legacy, `{"total":50,"nextUrl":"https://ecwid.example/x?offset=3",` + items("orders", 2) + `}`, 0, "nextUrl does not lead forward"},
		"legacy, empty page goes on":   {Legacy, `{"total":50,"nextUrl":"https://ecwid.example/x",` + items("orders", 0) + `}`, 0, "nextUrl does not lead forward"},
		"legacy, offset no number":     {Legacy, `{"total":50,"nextUrl":"https://ecwid.example/x?offset=many",` + items("orders", 2) + `}`, 0, "nextUrl has an offset that is no number"},
		"legacy, nextUrl no URL":       {Legacy, `{"total":50,"nextUrl":"https://ecwid.example/%zz",` + items("orders", 2) + `}`, 0, "nextUrl cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			c := newTestClient(t, Options{
				API: test.api, BaseURL: "https://ecwid.example",
				Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					requests++
					return answerWith(200, test.body), nil
				}),
			})
			page, err := c.Orders(t.Context(), event.Query{Offset: 3})
			if requests != 1 || !strings.HasSuffix(message(err), test.wantErrEnd) {
				t.Fatalf("%d requests, error %q, want one and %q", requests, message(err), test.wantErrEnd)
			}
			var typed *Error
			if (test.wantErrEnd != "") != errors.As(err, &typed) {
				t.Fatalf("error %v, want an *Error: %t", err, test.wantErrEnd != "")
			}
			if err == nil && (page.Next != test.wantNext || !page.ServerTime.Equal(time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC))) {
				t.Errorf("next %d at %v, want %d", page.Next, page.ServerTime, test.wantNext)
			}
		})
	}
}

func TestServerTimeIsRequiredOfLists(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]string{"": "has no Date header", "today": "Date header, which tells the server's clock, cannot be read"} {
		c := newTestClient(t, Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return answerWith(200, `{"id":"A","total":0}`, "Date", date), nil
		})}) // Order and the lists take the same answer
		if _, err := c.Orders(t.Context(), event.Query{}); !strings.Contains(message(err), want) {
			t.Errorf("orders with Date %q: %v", date, err)
		}
		if _, err := c.DeletedOrders(t.Context(), time.Time{}, 0); !strings.Contains(message(err), want) {
			t.Errorf("deletions with Date %q: %v", date, err)
		}
		if _, err := c.Order(t.Context(), "A"); err != nil {
			t.Errorf("order with Date %q: %v", date, err)
		}
	}
}

func TestDeletedOrders(t *testing.T) {
	t.Parallel()
	inBubble(t, testDeletedOrders)
}

func testDeletedOrders(t *testing.T) {
	c := serve(t, V3, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", testDate)
		_, _ = io.WriteString(w, `{"total":9,"count":2,"items":[{"id":9,"date":"2014-10-20 18:07:24 +0400"},{"id":10}]}`)
	})
	got, err := c.DeletedOrders(t.Context(), time.Time{}, 4)
	if err != nil {
		t.Fatal(err)
	}
	served := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	want := event.DeletionPage{
		Total: 9, Count: 2, Next: 6, ServerTime: served,
		Deletions: []event.Deletion{
			{InternalID: 9, Time: time.Date(2014, 10, 20, 14, 7, 24, 0, time.UTC)},
			{InternalID: 10, Time: served},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deletions (-want +got):\n%s", diff)
	}
}

func TestWhatAnAPICan(t *testing.T) {
	t.Parallel()
	type abilities struct {
		deletions  bool
		page       int
		resolution time.Duration
	}
	for api, want := range map[API]abilities{V3: {true, 100, time.Second}, Legacy: {false, 200, 24 * time.Hour}} {
		c := newTestClient(t, Options{API: api})
		if got := (abilities{c.ListsDeletions(), c.PageSize(), c.CreatedResolution()}); got != want {
			t.Errorf("%s: %+v, want %+v", api, got, want)
		}
	}
}

func TestLegacyListsNoDeletions(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, Options{API: Legacy, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("something was sent")
		return nil, io.EOF
	})})
	if _, err := c.DeletedOrders(t.Context(), time.Time{}, 0); !strings.Contains(message(err), "legacy API has no such list") {
		t.Errorf("error %v", err)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		api     API
		id      string
		status  int
		body    string
		want    string // what the error holds; empty: none
		missing bool
	}{
		"v3":                               {V3, "EBJFT", 200, `{"id":"EBJFT"}`, "", false},
		"v3, gone":                         {V3, "EBJFT", 404, `{"errorMessage":"Order #EBJFT not found","errorCode":"ORDER_NOT_FOUND"}`, "Order #EBJFT not found", true},
		"v3, an internal id of another":    {V3, "34", 200, `{"id":"EBJFT","internalId":34}`, "another order", false},
		"v3, no order in the answer":       {V3, "deleted", 200, `{"total":0,"items":[]}`, "it has no id", false},
		"an empty id":                      {V3, "", 200, ``, "cannot be the id of an order", false},
		"an id that leaves the path":       {V3, "..", 200, ``, "cannot be the id of an order", false},
		"legacy":                           {Legacy, "7", 200, `{"total":1,"orders":[{"number":7}]}`, "", false},
		"legacy, among others":             {Legacy, "7", 200, `{"total":2,"orders":[{"number":9,"vendorNumber":"7"},{"number":7}]}`, "", false},
		"legacy, gone":                     {Legacy, "7", 200, `{"total":0,"count":0,"orders":[]}`, "not found", true},
		"legacy, only another":             {Legacy, "7", 200, `{"total":1,"orders":[{"number":9,"vendorNumber":"7"}]}`, "lacks the order asked for", false},
		"legacy, unreadable":               {Legacy, "7", 200, `{"total":1,"orders":[{"vendorNumber":"7"}]}`, "it has no id", false},
		"legacy, empty but told otherwise": {Legacy, "7", 200, `{"total":1,"orders":[]}`, "lacks the order asked for", false},
		"legacy, API gone":                 {Legacy, "7", 404, ``, "HTTP 404", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				c := newTestClient(t, Options{API: test.api, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					return answerWith(test.status, test.body), nil
				})})
				got, err := c.Order(t.Context(), test.id)
				if !strings.Contains(message(err), test.want) || (err == nil) != (test.want == "") {
					t.Fatalf("error %q, want %q", message(err), test.want)
				}
				if errors.Is(err, event.ErrNotFound) != test.missing {
					t.Errorf("%v is ErrNotFound: %t, want %t", err, !test.missing, test.missing)
				}
				if err == nil && got.ID != test.id {
					t.Errorf("got order %q", got.ID)
				}
			})
		})
	}
}

func TestNegativeOffsetsAreRefused(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, context.Canceled })})
	_, err1 := c.Orders(t.Context(), event.Query{Offset: -1})
	_, err2 := c.Orders(t.Context(), event.Query{Limit: -1})
	_, err3 := c.DeletedOrders(t.Context(), time.Time{}, -1)
	for _, err := range []error{err1, err2, err3} {
		if !strings.Contains(message(err), "must not be negative") {
			t.Errorf("error %v", err)
		}
	}
}
