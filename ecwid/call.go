package ecwid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// mostTries is how often one call asks.
	mostTries = 3
	// firstBackoff is the longest wait before the second try. It doubles with each
	// further one, and at least half of it is waited.
	firstBackoff = time.Second
	// longestWait is how long one call waits in all because Ecwid asked it to.
	longestWait = time.Minute
	// defaultRetryAfter is the pause after a 429 that names none. Ecwid's own Java
	// client waits as long.
	defaultRetryAfter = 10 * time.Second
	// requestTimeout is for one request, from connecting to the answer's last byte.
	requestTimeout = time.Minute
	// longestAnswer is a Client's longest.
	longestAnswer = 64 << 20
	// longestFailure bounds what is read of an answer that tells a failure.
	longestFailure = 64 << 10
	// longestKept is the largest buffer that is kept for the next answer.
	longestKept = 4 << 20
)

// A request is one thing to ask for.
type request struct {
	op     string
	path   string // escaped, below the store
	params url.Values
	single bool // the path names one order
}

// buffers holds memory for answers: an order is copied out of the answer that
// brought it.
var buffers sync.Pool

func takeBuffer() *bytes.Buffer {
	if b, ok := buffers.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

func giveBuffer(b *bytes.Buffer) {
	if b.Cap() <= longestKept {
		buffers.Put(b)
	}
}

// get sends a request until it is answered and read accepts the answer, at most
// mostTries times. The body is read's only while it runs. The header returned is
// that of the accepted answer.
func (c *Client) get(ctx context.Context, r request, read func(body []byte) error) (http.Header, error) {
	patience := longestWait
	var last *Error
	for try := 1; ; try++ {
		release, err := c.limiter.acquire(ctx, &patience)
		if err != nil {
			return nil, unsent(ctx, r, last, err)
		}
		header, failure := c.attempt(ctx, r, try, read)
		release()
		switch {
		case failure == nil:
			return header, nil
		case ctx.Err() != nil:
			return nil, ended(r, ctx.Err())
		case !failure.retry || try == mostTries:
			return nil, failure
		}
		last = failure
		if err := c.backOff(ctx, failure, &patience); err != nil {
			return nil, unsent(ctx, r, failure, err)
		}
	}
}

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, r request, try int, read func([]byte) error) (http.Header, *Error) {
	began := time.Now()
	status, header, failure := c.send(ctx, r, began, read)
	done := Request{StoreID: c.storeID, API: c.api, Op: r.op, Try: try, Status: status, Duration: time.Since(began)}
	if failure != nil {
		failure.Op, failure.Status, failure.Tries, failure.single = r.op, status, try, r.single
		done.Err = failure
	}
	if c.onRequest != nil {
		c.onRequest(done)
	}
	return header, failure
}

func (c *Client) send(ctx context.Context, r request, began time.Time, read func([]byte) error) (int, http.Header, *Error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return 0, nil, &Error{Message: c.clean(err.Error())}
	}
	// The transport itself, and not an http.Client: nothing may follow a redirect,
	// and a client's errors tell the address, which holds a legacy store's secret.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, &Error{Message: c.clean(transportMessage(err, c.base.Host)), retry: true}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil, c.refusal(resp, began)
	}

	body := takeBuffer()
	defer giveBuffer(body)
	switch n, err := body.ReadFrom(io.LimitReader(resp.Body, c.longest+1)); {
	case err != nil:
		return resp.StatusCode, nil, &Error{Message: c.clean(transportMessage(err, c.base.Host)), retry: true}
	case n > c.longest:
		return resp.StatusCode, nil, &Error{Message: fmt.Sprintf("the answer is larger than %d MiB", c.longest>>20), retry: true}
	}
	if err := read(body.Bytes()); err != nil {
		return resp.StatusCode, nil, &Error{Message: c.clean(err.Error()), retry: true}
	}
	return resp.StatusCode, resp.Header, nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	params := url.Values{}
	maps.Copy(params, r.params)
	if c.api == Legacy {
		params.Set("secure_auth_key", c.secret)
	}
	address := c.root + r.path
	if len(params) > 0 {
		address += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("no address can be made from the base URL") // err tells the secret
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if c.api == V3 {
		req.Header.Set("Authorization", "Bearer "+c.secret)
	}
	return req, nil
}

// backOff waits before the next try: longer each time, with jitter, and no less
// than Ecwid asked for. A pause is waited for where the request is sent.
func (c *Client) backOff(ctx context.Context, failure *Error, patience *time.Duration) error {
	if failure.limited() {
		return nil
	}
	if failure.RetryAfter > *patience {
		return &pausedError{left: failure.RetryAfter}
	}
	*patience -= failure.RetryAfter
	longest := firstBackoff << (failure.Tries - 1)
	jittered := longest/2 + rand.N(longest/2) //nolint:gosec // spreads load, guards nothing
	return sleep(ctx, max(jittered, failure.RetryAfter))
}

// unsent is the error of a call that may not go on: what came of the last try,
// where there was one, unless the context ended.
func unsent(ctx context.Context, r request, last *Error, err error) error {
	var pause *pausedError
	switch {
	case ctx.Err() != nil || !errors.As(err, &pause):
		return ended(r, err)
	case last != nil:
		return last
	}
	return &Error{
		Op:         r.op,
		Status:     http.StatusTooManyRequests,
		Code:       codeRateLimited,
		Message:    "not sent, as Ecwid asked for a pause",
		RetryAfter: pause.left,
		single:     r.single,
	}
}

// ended keeps the context's error to be found in the call's.
func ended(r request, err error) error { return fmt.Errorf("%s: %w", r.op, err) }
