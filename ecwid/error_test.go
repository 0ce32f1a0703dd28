package ecwid

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// inBubble runs a test in simulated time.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// failureKind is one way in which Ecwid can refuse.
type failureKind struct {
	status  int
	line    string // the status line behind the number; empty: the usual one
	body    string
	header  []string
	code    string
	message string
	refused bool // on the list
	missing bool // on a single order
	tries   int
}

var failureKinds = map[string]failureKind{
	"wrong parameter":           {status: 400, body: `{"errorMessage":"Wrong 'limit'","errorCode":"WRONG_PARAMETER"}`, code: "WRONG_PARAMETER", message: "Wrong 'limit'", tries: 1},
	"plain text":                {status: 400, body: "Wrong numeric parameter\r\n'orderNumber' value ", message: "Wrong numeric parameter 'orderNumber' value", tries: 1},
	"text in the status line":   {status: 400, line: "Wrong parameter 'x'", message: "Wrong parameter 'x'", tries: 1},
	"a page for people":         {status: 400, body: "<html><body>Oh no</body></html>", message: "Bad Request", tries: 1},
	"broken JSON":               {status: 400, body: `{"errorMessage":"Wro`, message: "Bad Request", tries: 1},
	"old spelling":              {status: 400, body: `{"error_message":"Bad batch"}`, message: "Bad batch", tries: 1},
	"not paid for":              {status: 402, body: `{"errorMessage":"Upgrade","errorCode":"NOT_AVAILABLE_ON_CURRENT_PLAN"}`, code: "NOT_AVAILABLE_ON_CURRENT_PLAN", message: "Upgrade", refused: true, tries: 1},
	"suspended":                 {status: 402, body: `{"errorMessage":"Suspended","errorCode":"STORE_IS_SUSPENDED"}`, code: "STORE_IS_SUSPENDED", message: "Suspended", refused: true, tries: 1},
	"402 without words":         {status: 402, message: "Payment Required", refused: true, tries: 1},
	"scope":                     {status: 403, body: `{"errorMessage":"No scope","errorCode":"INSUFFICIENT_APP_SCOPE"}`, code: "INSUFFICIENT_APP_SCOPE", message: "No scope", refused: true, tries: 1},
	"dead token":                {status: 403, body: `{"errorMessage":"Wrong token","errorCode":"INVALID_API_TOKEN"}`, code: "INVALID_API_TOKEN", message: "Wrong token", refused: true, tries: 1},
	"bare 403":                  {status: 403, message: "Forbidden", refused: true, tries: 1},
	"403 for another reason":    {status: 403, body: `{"errorCode":"SOMETHING_NEW"}`, code: "SOMETHING_NEW", message: "Forbidden", tries: 1},
	"no such store":             {status: 404, body: `{"errorMessage":"No store","errorCode":"STORE_NOT_FOUND"}`, code: "STORE_NOT_FOUND", message: "No store", refused: true, tries: 1},
	"no such order":             {status: 404, body: `{"errorMessage":"Order #123 not found","errorCode":"ORDER_NOT_FOUND"}`, code: "ORDER_NOT_FOUND", message: "Order #123 not found", missing: true, tries: 1},
	"method":                    {status: 405, body: `{"errorCode":"METHOD_NOT_ALLOWED"}`, code: "METHOD_NOT_ALLOWED", message: "Method Not Allowed", tries: 1},
	"timeout":                   {status: 408, body: `{"errorMessage":"Too slow","errorCode":"TIMEOUT"}`, code: "TIMEOUT", message: "Too slow", tries: 3},
	"content type":              {status: 415, message: "Unsupported Media Type", tries: 1},
	"too many requests":         {status: 429, body: `{"errorMessage":"Slow down","errorCode":"RATE_LIMITED"}`, code: "RATE_LIMITED", message: "Slow down", tries: 3},
	"internal":                  {status: 500, body: `{"errorMessage":"Oops","errorCode":"INTERNAL_ERROR"}`, code: "INTERNAL_ERROR", message: "Oops", tries: 3},
	"bad gateway":               {status: 502, body: "<html>", message: "Bad Gateway", tries: 3},
	"unavailable":               {status: 503, message: "Service Unavailable", tries: 3},
	"a redirect":                {status: 302, header: []string{"Location", "https://login.example/x?y"}, message: "redirected to login.example, which is not followed: check the base URL", tries: 1},
	"a redirect on the host":    {status: 301, header: []string{"Location", "/login"}, message: "redirected to the same host, which is not followed: check the base URL", tries: 1},
	"an unreadable redirect":    {status: 301, header: []string{"Location", "https://%zz"}, message: "redirected to an address that cannot be read, which is not followed: check the base URL", tries: 1},
	"success without an answer": {status: 204, message: "No Content", tries: 1},
	"a code that is no code":    {status: 400, body: `{"errorCode":"<b>x</b>","errorMessage":"m"}`, message: "m", tries: 1},
}

// TestFailures checks what each refusal is made of, for lists and single orders.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, kind := range failureKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				requests := 0
				c := newTestClient(t, Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					requests++
					return kind.answer(), nil
				})})
				_, err := c.Orders(t.Context(), event.Query{})
				checkFailure(t, err, kind)
				if requests != kind.tries {
					t.Errorf("%d requests, want %d", requests, kind.tries)
				}
				if errors.Is(err, event.ErrRefused) != kind.refused {
					t.Errorf("list: %v is ErrRefused: %t", err, !kind.refused)
				}
				if kind.code == "" && errors.Is(err, event.ErrNotFound) {
					t.Errorf("list: %v is ErrNotFound", err)
				}
				_, err = c.Order(t.Context(), "A")
				checkFailure(t, err, kind)
				if errors.Is(err, event.ErrNotFound) != kind.missing {
					t.Errorf("order: %v is ErrNotFound: %t", err, !kind.missing)
				}
			})
		})
	}
}

func (k failureKind) answer() *http.Response {
	resp := answerWith(k.status, k.body, k.header...)
	line := k.line
	if line == "" {
		line = http.StatusText(k.status)
	}
	resp.Status = fmt.Sprintf("%d %s", k.status, line)
	return resp
}

func checkFailure(t *testing.T, err error, kind failureKind) {
	t.Helper()
	var typed *Error
	if !errors.As(err, &typed) {
		t.Fatalf("%v is no *Error", err)
	}
	if typed.Status != kind.status || typed.Code != kind.code || typed.Message != kind.message || typed.Tries != kind.tries {
		t.Errorf("got %d %q %q after %d tries, want %+v", typed.Status, typed.Code, typed.Message, typed.Tries, kind)
	}
}

// A 404 that names nothing is about the store on a list, about the order on an
// order, and about the API on a legacy store's order.
func TestBare404(t *testing.T) {
	t.Parallel()
	bare := roundTrip(func(*http.Request) (*http.Response, error) { return answerWith(404, ""), nil })
	for api, wantMissing := range map[API]bool{V3: true, Legacy: false} {
		c := newTestClient(t, Options{API: api, Transport: bare})
		_, err := c.Orders(t.Context(), event.Query{})
		if !errors.Is(err, event.ErrRefused) || errors.Is(err, event.ErrNotFound) {
			t.Errorf("%s list: %v is not ErrRefused alone", api, err)
		}
		_, err = c.Order(t.Context(), "7")
		if errors.Is(err, event.ErrNotFound) != wantMissing || errors.Is(err, event.ErrRefused) == wantMissing {
			t.Errorf("%s order: %v is ErrNotFound: %t", api, err, !wantMissing)
		}
	}
}

// A page for browsers comes from something between Ecwid and here. It proves neither
// an order nor a store gone.
func TestPageWith404ProvesNothing(t *testing.T) {
	t.Parallel()
	page := roundTrip(func(*http.Request) (*http.Response, error) {
		return answerWith(404, "\n<!DOCTYPE html><title>Not found</title>"), nil
	})
	for _, api := range []API{V3, Legacy} {
		c := newTestClient(t, Options{API: api, Transport: page})
		_, list := c.Orders(t.Context(), event.Query{})
		_, single := c.Order(t.Context(), "7")
		for what, err := range map[string]error{"list": list, "order": single} {
			if err == nil || errors.Is(err, event.ErrRefused) || errors.Is(err, event.ErrNotFound) {
				t.Errorf("%s %s: %v tells more than a failure", api, what, err)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  Error
		want string
	}{
		"all": {
			Error{Op: opOrders, Status: 429, Code: "RATE_LIMITED", Message: "Slow down", Tries: 3, RetryAfter: 10 * time.Second},
			"list orders: HTTP 429 RATE_LIMITED: Slow down (3 tries) (asked to wait 10s)",
		},
		"no answer": {Error{Op: opOrder, Message: "timeout", Tries: 1}, "read order: timeout"},
	}
	for name, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestMessagesAreShortPrintableLines(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, Options{})
	tests := map[string]struct{ text, want string }{
		"lines":           {" a\r\n\tb\x00c\u202ed ", "a b c d"},
		"not UTF-8":       {"caf\xe9", "caf\uFFFD"},
		"long":            {strings.Repeat("é", 150), strings.Repeat("é", 98) + "…"},
		"200 bytes":       {strings.Repeat("x", 200), strings.Repeat("x", 200)},
		"a secret":        {"no " + testToken + "\n!", "no <secret> !"},
		"a capped secret": {strings.Repeat("x", 194) + testToken, strings.Repeat("x", 194) + "<se…"},
		"escaped secrets": {
			`secret_Zq4&#43;w/7=x, secret_Zq4\u002bw/7\u003dx, SECRET_ZQ4%2bW%2f7%3DX, %73ecret_Zq4+w%2F7%3Dx`,
			"<secret>, <secret>, <secret>, <secret>",
		},
	}
	for name, test := range tests {
		if got := c.clean(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestNoErrorTellsTheSecret walks all kinds of failure with the secret wherever
// it can be repeated, and looks at every error and account of a request.
func TestNoErrorTellsTheSecret(t *testing.T) {
	t.Parallel()
	for _, api := range []API{V3, Legacy} {
		secret := map[API]string{V3: testToken, Legacy: testSecret}[api]
		for name, transport := range leakyTransports(secret) {
			t.Run(string(api)+", "+name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					var errs []error
					c := newTestClient(t, Options{
						API: api, Secret: secret, BaseURL: "https://ecwid.example", Transport: transport,
						OnRequest: func(r Request) { errs = append(errs, r.Err) },
					})
					_, err1 := c.Orders(t.Context(), event.Query{})
					_, err2 := c.Order(t.Context(), "A")
					_, err3 := c.DeletedOrders(t.Context(), time.Time{}, 0)
					if err1 == nil || err2 == nil || err3 == nil {
						t.Fatalf("a call succeeded: %v, %v, %v", err1, err2, err3)
					}
					checkNoSecret(t, append(errs, err1, err2, err3), secret)
				})
			})
		}
	}
}

// leakyTransports fail in every way there is, and repeat the secret as they do.
func leakyTransports(secret string) map[string]http.RoundTripper {
	said := "key " + secret + " or " + url.QueryEscape(secret) + " or " + strings.ToLower(url.QueryEscape(secret)) +
		" or " + url.PathEscape(secret) + " is wrong"
	quoted := fmt.Sprintf("%q", said)
	transports := map[string]http.RoundTripper{}
	answers := map[string]func() *http.Response{
		"no JSON":   func() *http.Response { return answerWith(200, said) },
		"no object": func() *http.Response { return answerWith(200, quoted) },
		"no total":  func() *http.Response { return answerWith(200, `{"total":`+quoted+`}`) },
		"no Date":   func() *http.Response { return answerWith(200, `{"total":0,"id":`+quoted+`}`, "Date", said) },
		"cut short": func() *http.Response {
			return withBody(io.MultiReader(strings.NewReader(said), failing{errors.New(said)}))
		},
		"nextUrl": func() *http.Response {
			return answerWith(200, `{"total":1,"nextUrl":`+quoted+`,"orders":[{}],"items":7}`)
		},
		"nextUrl far": func() *http.Response {
			return answerWith(200, `{"total":1,"nextUrl":"https://`+url.PathEscape(secret)+`/","orders":[]}`)
		},
		"Location": func() *http.Response {
			return answerWith(302, said, "Location", "https://"+secret+"@"+strings.ReplaceAll(secret, "/", "")+"/?key="+secret)
		},
		"Location host": func() *http.Response { return answerWith(302, "", "Location", "//"+url.PathEscape(secret)+"/") },
	}
	for _, status := range []int{400, 401, 402, 403, 404, 408, 415, 429, 500, 503} {
		answers[fmt.Sprint(status, " in JSON")] = func() *http.Response {
			return answerWith(status, `{"errorMessage":`+quoted+`,"errorCode":`+fmt.Sprintf("%q", secret)+`}`)
		}
		answers[fmt.Sprint(status, " in text")] = func() *http.Response { return answerWith(status, said) }
		answers[fmt.Sprint(status, " in the status line")] = func() *http.Response {
			resp := answerWith(status, "")
			resp.Status = fmt.Sprint(status, " ", said)
			return resp
		}
	}
	for name, answer := range answers {
		transports[name] = roundTrip(func(*http.Request) (*http.Response, error) { return answer(), nil })
	}
	for name, err := range map[string]error{
		"any":    errors.New(said),
		"lookup": &net.DNSError{Err: said, Name: said},
		"dial":   &net.OpError{Op: "dial", Err: errors.New(said)},
		"read":   &net.OpError{Op: "read", Err: errors.New(said)},
		"TLS":    &tls.CertificateVerificationError{Err: errors.New(said)},
		"cut":    io.ErrUnexpectedEOF,
	} {
		transports["transport, "+name] = roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: r.URL.String() + secret, Err: err}
		})
	}
	return transports
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func withBody(r io.Reader) *http.Response {
	resp := answerWith(200, "")
	resp.Body = io.NopCloser(r)
	return resp
}

func checkNoSecret(t *testing.T, errs []error, secret string) {
	t.Helper()
	for _, err := range errs {
		if err == nil {
			continue
		}
		for ; err != nil; err = errors.Unwrap(err) {
			shown := fmt.Sprintf("%v %+v %#v", err, err, err)
			for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
				if strings.Contains(strings.ToLower(shown), strings.ToLower(form)) {
					t.Errorf("the secret stands in %s", shown)
				}
			}
			if strings.Contains(shown, "https://") {
				t.Errorf("an address stands in %s", shown)
			}
		}
	}
}

func TestTransportMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want string
	}{
		"lookup":       {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}, "the address of h was not found: no such host"},
		"refused":      {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "no connection to h: connection refused"},
		"dial timeout": {&net.OpError{Op: "dial", Err: timeoutError{}}, "no connection to h: timeout"},
		"read timeout": {&net.OpError{Op: "read", Err: timeoutError{}}, "timeout: no whole answer from h"},
		"reset":        {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "the connection to h, or its answer, was cut short"},
		"certificate":  {&tls.CertificateVerificationError{Err: errors.New("expired")}, "TLS with h failed: expired"},
		"alert":        {&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "TLS with h failed: tls: handshake failure"},
		"no TLS":       {tls.RecordHeaderError{Msg: "not TLS"}, "TLS with h failed: not TLS"},
		"other":        {errors.New("odd"), "the request to h failed: odd"},
	}
	for name, test := range tests {
		if got := transportMessage(&url.Error{Op: "Get", URL: "https://h/?key=k", Err: test.err}, "h"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
