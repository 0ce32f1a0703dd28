package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// maxAnswer is how much of an answer's body is read, in bytes. A connection
	// whose answer is longer is closed, not read to its end.
	maxAnswer = 64 << 10

	// maxResponse is how much of an answer's body is kept with the attempt, in
	// bytes.
	maxResponse = 1 << 10
)

// A webhook is a callback that has been checked, and how it does. There is one for each
// callback, idle or not, so it is small. Its methods may be called concurrently.
type webhook struct {
	callback  *Callback
	options   *Options
	target    *url.URL      // without user and password
	user      *url.Userinfo // of the target
	format    Format
	keys      [][]byte // of format
	connector *connector
	limiter   *rate.Limiter // nil: no limit

	// gate says when an attempt may begin.
	gate gate
	// pausing is held while a pause is made durable, or ended.
	pausing sync.Mutex
}

func newWebhook(c *Callback, o *Options, connectors connectors) (*webhook, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	target, err := parseTarget(c.URL)
	if err != nil {
		return nil, err
	}
	if err := c.checkAuthorization(target); err != nil {
		return nil, err
	}
	if target.Scheme != "https" && c.TLS != (TLS{}) {
		return nil, errors.New("tls is for a URL that begins with https://")
	}
	format, err := FormatByName(c.Format)
	if err != nil {
		return nil, err
	}
	connector, err := connectors.get(c)
	if err != nil {
		return nil, err
	}
	w := &webhook{
		callback: c, options: o, target: target, user: target.User, format: format, connector: connector,
		limiter: newLimiter(c.RateLimit), gate: newGate(c),
	}
	target.User = nil
	for i, secret := range c.SigningSecrets {
		key, err := format.ParseSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("signing secret %d: %w", i+1, err)
		}
		w.keys = append(w.keys, key)
	}
	return w, nil
}

// A sender makes the attempts of one callback. Its methods may be called concurrently.
type sender struct {
	*webhook
	header    http.Header // what every request has, whatever its format
	transport http.RoundTripper
}

// sender returns what the caller closes. It opens no connection before the first
// attempt.
func (w *webhook) sender() *sender {
	s := &sender{webhook: w, header: w.callback.header(w.user, w.options.UserAgent), transport: w.options.Transport}
	if s.transport == nil {
		s.transport = w.connector.transport(w.callback.Timeout, w.callback.Concurrency)
	}
	return s
}

// close closes the connections, when all attempts have ended.
func (s *sender) close() {
	if s.options.Transport != nil {
		return // not ours
	}
	if t, ok := s.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// try reads the event and sends it. An event that cannot be read or rendered is a
// failed attempt: it is retried, and seen by whoever looks at the delivery.
func (s *sender) try(ctx context.Context, d *event.Delivery) (event.Event, outcome) {
	e, err := s.options.Storage.EventAt(ctx, d.Position)
	switch {
	case err != nil && ctx.Err() != nil:
		return event.Event{}, stopped()
	case err == nil && e.ID != d.EventID:
		err = fmt.Errorf("the storage holds event %s in the place of %s", e.ID, d.EventID)
	}
	if err != nil {
		return event.Event{}, outcome{class: ErrorEvent, detail: clip(err.Error(), maxDetail)}
	}
	format, keys, err := s.formatOf(d)
	if err != nil {
		return e, outcome{class: ErrorFormat, detail: clip(err.Error(), maxDetail)}
	}
	return e, s.send(ctx, e, format, d.Payload, keys)
}

// send renders an event and POSTs it.
func (s *sender) send(ctx context.Context, e event.Event, format Format, payload event.Payload, keys [][]byte) outcome {
	body, err := format.Body(e, payload)
	if err != nil {
		return outcome{class: ErrorFormat, detail: clip(err.Error(), maxDetail)}
	}
	return s.post(ctx, format, keys, e, body)
}

// formatOf returns the delivery's format, which is another than the callback's
// when the configuration has changed since the event, and the keys for it.
func (w *webhook) formatOf(d *event.Delivery) (Format, [][]byte, error) {
	if d.Format == w.callback.Format {
		return w.format, w.keys, nil
	}
	format, err := FormatByName(d.Format)
	if err != nil {
		return nil, nil, err
	}
	var keys [][]byte
	for _, secret := range w.callback.SigningSecrets {
		if key, err := format.ParseSecret(secret); err == nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 && len(w.callback.SigningSecrets) > 0 {
		return nil, nil, fmt.Errorf("the event is to be sent in the format %s, which it was detected with, "+
			"and none of the signing secrets suits that: add one that does", d.Format)
	}
	return format, keys, nil
}

func (s *sender) post(ctx context.Context, format Format, keys [][]byte, e event.Event, body []byte) outcome {
	limited, cancel := context.WithTimeout(ctx, s.callback.Timeout)
	defer cancel()
	watched, reached := watch(limited)
	resp, err := s.transport.RoundTrip(s.request(watched, format, keys, e, body))
	if err != nil {
		if o, ended := s.endedBy(ctx, limited, 0, nil); ended {
			return o
		}
		return judgeError(err, s.callback.Proxy != "" && !reached.target.Load())
	}
	defer func() { _ = resp.Body.Close() }()

	var response []byte
	if resp.StatusCode >= 200 { // otherwise it has no body, and 101 hands the connection over
		response, err = readAnswer(resp.Body)
	}
	refused := resp.StatusCode/100 != 2 && ctx.Err() == nil // whatever its body was to say
	if err == nil || refused {
		return s.judge(resp, response)
	}
	if o, ended := s.endedBy(ctx, limited, resp.StatusCode, response); ended {
		return o
	}
	// A 2xx does not count here: a receiver that fails on its way breaks off like
	// this, and receiving twice is better than losing.
	return outcome{
		class: ErrorBody, detail: "the connection broke within the answer's body",
		status: resp.StatusCode, response: response,
	}
}

// judge classifies an answer whose body is whole, or does not matter.
func (w *webhook) judge(resp *http.Response, response []byte) outcome {
	o := judgeAnswer(resp.StatusCode, resp.Header, response, time.Now())
	if w.callback.Proxy != "" && resp.StatusCode == http.StatusProxyAuthRequired {
		o.class, o.detail = ErrorProxy, proxyDetail((&proxyError{resp.StatusCode}).Error())
	}
	return o
}

// endedBy tells whether a request was ended by the program's stop or the callback's
// timeout rather than by the other side.
func (w *webhook) endedBy(ctx, limited context.Context, status int, response []byte) (outcome, bool) {
	switch {
	case ctx.Err() != nil:
		return stopped(), true
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		return timedOut(w.callback.Timeout, status, response), true
	default:
		return outcome{}, false
	}
}

// request is made for RoundTrip rather than a Client, which would read an answer's
// Location.
func (s *sender) request(ctx context.Context, format Format, keys [][]byte, e event.Event, body []byte) *http.Request {
	r := (&http.Request{
		Method:        http.MethodPost,
		URL:           s.url(),
		Host:          s.target.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        s.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	r.Header.Set("Content-Type", format.ContentType())
	format.Sign(r, e, time.Now(), body, keys)
	return r
}

// header returns what each request to the callback has, whatever its format.
func (c *Callback) header(user *url.Userinfo, userAgent string) http.Header {
	r := http.Request{Header: make(http.Header, len(c.Headers)+8)}
	for name, value := range c.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", userAgent)
	switch {
	case user != nil:
		password, _ := user.Password()
		r.SetBasicAuth(user.Username(), password)
	case c.Username != "":
		r.SetBasicAuth(c.Username, c.Password)
	case c.BearerToken != "":
		r.Header.Set("Authorization", "Bearer "+c.BearerToken)
	}
	return r.Header
}

// url returns a copy of the target, which the format may add to.
func (w *webhook) url() *url.URL {
	target := *w.target
	return &target
}

// readAnswer reads an answer's body up to maxAnswer, to its end if it is not
// longer so that the connection can be used again, and returns its start as text.
func readAnswer(body io.Reader) ([]byte, error) {
	if body == http.NoBody {
		return nil, nil
	}
	limited := io.LimitReader(body, maxAnswer)
	// A rune more than is kept, so that one across the border is not mangled.
	start, err := io.ReadAll(io.LimitReader(limited, maxResponse+utf8.UTFMax))
	if err == nil {
		_, err = io.Copy(io.Discard, limited)
	}
	if len(start) == 0 {
		return nil, err
	}
	return []byte(clip(string(start), maxResponse)), err
}
