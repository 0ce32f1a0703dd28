package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
	"unicode/utf8"

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

// A webhook makes the attempts of one callback. Its methods may be called
// concurrently.
type webhook struct {
	callback  Callback
	target    *url.URL // without user and password
	user      *url.Userinfo
	format    Format
	keys      [][]byte // of format
	storage   Storage
	transport http.RoundTripper
	userAgent string
	report    func(Attempted)

	// accepted is when the callback accepted an event last, in nanoseconds since
	// 1970; 0 when it has not since the program started.
	accepted atomic.Int64
}

func newWebhook(c Callback, o *Options) (*webhook, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	target, err := parseTarget(c.URL)
	if err != nil {
		return nil, err
	}
	format, err := FormatByName(c.Format)
	if err != nil {
		return nil, err
	}
	w := &webhook{
		callback: c, user: target.User, format: format, storage: o.Storage,
		transport: o.Transport, userAgent: o.UserAgent, report: o.report,
	}
	target.User = nil
	w.target = target
	for i, secret := range c.SigningSecrets {
		key, err := format.ParseSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("signing secret %d: %w", i+1, err)
		}
		w.keys = append(w.keys, key)
	}
	if w.transport == nil {
		w.transport = newTransport(c.Concurrency, c.Timeout)
	}
	return w, nil
}

// attempt makes one attempt and says what becomes of the delivery. It returns when
// the callback's timeout has passed, or ctx ends, at the latest.
func (w *webhook) attempt(ctx context.Context, d event.Delivery) event.Result {
	start := time.Now()
	e, o := w.try(ctx, d)
	end := time.Now()
	r := event.Result{
		Callback: d.Callback,
		Position: d.Position,
		Attempt: event.Attempt{
			Number: d.Attempts + 1, Time: start.UTC(), Duration: end.Sub(start),
			Status: o.status, Error: o.class, Detail: o.detail, Response: o.response,
		},
	}
	r.State, r.NextAttempt = w.settle(d, o, end)
	w.report(Attempted{Delivery: d, Event: e, Result: r})
	return r
}

// try reads the event and sends it. An event that cannot be read or rendered is a
// failed attempt: it is retried, and seen by whoever looks at the delivery.
func (w *webhook) try(ctx context.Context, d event.Delivery) (event.Event, outcome) {
	e, err := w.storage.Event(ctx, d.EventID)
	switch {
	case err != nil && ctx.Err() != nil:
		return event.Event{}, stopped()
	case err != nil:
		return event.Event{}, outcome{class: ErrorEvent, detail: clip(err.Error(), maxDetail)}
	}
	format, keys, err := w.formatOf(d)
	if err != nil {
		return e, outcome{class: ErrorFormat, detail: clip(err.Error(), maxDetail)}
	}
	body, err := format.Body(e)
	if err != nil {
		return e, outcome{class: ErrorFormat, detail: clip(err.Error(), maxDetail)}
	}
	return e, w.post(ctx, format, keys, e.ID, body)
}

// formatOf returns the delivery's format, which is another than the callback's
// when the configuration has changed since the event, and the keys for it.
func (w *webhook) formatOf(d event.Delivery) (Format, [][]byte, error) {
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

func (w *webhook) post(ctx context.Context, format Format, keys [][]byte, id string, body []byte) outcome {
	limited, cancel := context.WithTimeout(ctx, w.callback.Timeout)
	defer cancel()
	resp, err := w.transport.RoundTrip(w.request(limited, format, keys, id, body))
	if err != nil {
		if o, ended := w.endedBy(ctx, limited, 0, nil); ended {
			return o
		}
		return judgeError(err)
	}
	defer func() { _ = resp.Body.Close() }()

	response, err := readAnswer(resp.Body)
	if err == nil {
		return judgeAnswer(resp.StatusCode, resp.Header, response, time.Now())
	}
	if o, ended := w.endedBy(ctx, limited, resp.StatusCode, response); ended {
		return o
	}
	if resp.StatusCode/100 != 2 {
		return judgeAnswer(resp.StatusCode, resp.Header, response, time.Now())
	}
	// A 2xx does not count here: a receiver that fails on its way breaks off like
	// this, and receiving twice is better than losing.
	return outcome{
		class: ErrorBody, detail: "the connection broke within the answer's body",
		status: resp.StatusCode, response: response,
	}
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
func (w *webhook) request(ctx context.Context, format Format, keys [][]byte, id string, body []byte) *http.Request {
	r := (&http.Request{
		Method:        http.MethodPost,
		URL:           w.target,
		Host:          w.target.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, 8),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		GetBody:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	r.Header.Set("Content-Type", format.ContentType())
	r.Header.Set("User-Agent", w.userAgent)
	if w.user != nil {
		password, _ := w.user.Password()
		r.SetBasicAuth(w.user.Username(), password)
	}
	format.Sign(r.Header, id, time.Now(), body, keys)
	return r
}

// readAnswer reads an answer's body up to maxAnswer, to its end if it is not
// longer so that the connection can be used again, and returns its start as text.
func readAnswer(body io.Reader) ([]byte, error) {
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
