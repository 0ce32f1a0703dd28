package ecwidtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A FaultKind is one way to misbehave.
type FaultKind string

// The kinds of fault.
const (
	RateLimited     FaultKind = "rate limited"     // 429 RATE_LIMITED, with Retry-After
	RequestTimeout  FaultKind = "request timeout"  // 408 TIMEOUT
	InternalError   FaultKind = "internal error"   // 500 INTERNAL_ERROR
	BadGateway      FaultKind = "bad gateway"      // 502 with an HTML page
	Unavailable     FaultKind = "unavailable"      // 503 in plain text
	PaymentRequired FaultKind = "payment required" // 402 NOT_AVAILABLE_ON_CURRENT_PLAN, this once
	Forbidden       FaultKind = "forbidden"        // 403 INVALID_API_TOKEN, this once
	TokenRevoked    FaultKind = "token revoked"    // the same from now on, see SetRefusal
	HTMLPage        FaultKind = "HTML page"        // 200 with an HTML page
	EmptyBody       FaultKind = "empty body"       // 200 and nothing
	InvalidJSON     FaultKind = "invalid JSON"     // one byte of the body is wrong
	Truncated       FaultKind = "truncated"        // the connection ends in the middle of the body
	WrongLength     FaultKind = "wrong length"     // Content-Length is too small: half the body, with no error but gzip's own
	ResetBefore     FaultKind = "reset before"     // the connection is reset before the answer
	ResetMidway     FaultKind = "reset midway"     // the connection is reset in the middle of the body
	Slow            FaultKind = "slow"             // the answer begins after a delay
	SlowBody        FaultKind = "slow body"        // the second half of the body comes after a delay

	OrderWithoutID FaultKind = "order without id" // one order of the page has no id of any kind
	OrderNotObject FaultKind = "order not object" // one order of the page is no JSON object
	// ShiftedPage begins a page with the last order of the one before, as if
	// another order had been placed and deleted again in between: what should have
	// ended the page is missing from the walk, with the same total.
	ShiftedPage FaultKind = "shifted page"
)

// What a fault is given that does not say, or that comes by chance.
const (
	defaultRetryAfter = 5 * time.Second
	defaultDelay      = 2 * time.Second
)

// A Fault is what befalls the next requests that match it.
type Fault struct {
	Kind FaultKind
	// Match selects requests; nil: every one. Faults of an order or a page befall
	// lists of orders only, ShiftedPage only those behind the first page.
	Match func(*http.Request) bool
	// After lets that many matching requests pass first.
	After int
	// Times is how many requests it befalls; 0: one.
	Times int
	// RetryAfter goes with RateLimited, in whole seconds; 0: 5 s, negative: the
	// answer has no such header.
	RetryAfter time.Duration
	// Delay goes with Slow and SlowBody; 0: 2 s.
	Delay time.Duration
}

// Fault queues a fault. A request is befallen by the first queued one that matches
// it, else by chance (see SetFaultRate).
func (s *Server) Fault(f Fault) {
	if !slices.Contains(faultKinds, f.Kind) {
		panic("ecwidtest: there is no fault of kind " + strconv.Quote(string(f.Kind)))
	}
	f.Times = max(f.Times, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// PendingFaults is how many queued faults have not befallen all their requests.
func (s *Server) PendingFaults() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

// SetFaultRate makes a fault befall requests by chance, with that probability.
func (s *Server) SetFaultRate(kind FaultKind, probability float64) {
	if !slices.Contains(faultKinds, kind) {
		panic("ecwidtest: there is no fault of kind " + strconv.Quote(string(kind)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rates[kind] = probability
}

var faultKinds = []FaultKind{
	RateLimited, RequestTimeout, InternalError, BadGateway, Unavailable, PaymentRequired, Forbidden,
	TokenRevoked, HTMLPage, EmptyBody, InvalidJSON, Truncated, WrongLength, ResetBefore, ResetMidway,
	Slow, SlowBody, OrderWithoutID, OrderNotObject, ShiftedPage,
}

// FaultKinds returns every kind of fault.
func FaultKinds() []FaultKind { return slices.Clone(faultKinds) }

// nextFault returns the fault that befalls a request; nil: none.
func (s *Server) nextFault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.Kind.suits(r) || f.Match != nil && !f.Match(r) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		hit := *f
		return &hit
	}
	for _, kind := range faultKinds {
		if p := s.rates[kind]; p > 0 && kind.suits(r) && s.random.Float64() < p {
			return &Fault{Kind: kind}
		}
	}
	return nil
}

// suits tells whether a fault can befall a request at all.
func (k FaultKind) suits(r *http.Request) bool {
	list := strings.HasSuffix(r.URL.Path, "/orders")
	switch k {
	case OrderWithoutID, OrderNotObject:
		return list
	case ShiftedPage:
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		return list && offset > 0
	}
	return true
}

func (f *Fault) is(kind FaultKind) bool { return f != nil && f.Kind == kind }

// wait passes the fault's delay when it is of that kind. It reports whether the
// client still waits too.
func (f *Fault) wait(ctx context.Context, kind FaultKind) bool {
	if !f.is(kind) {
		return true
	}
	delay := f.Delay
	if delay == 0 {
		delay = defaultDelay
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

const htmlPage = "<html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>\n"

// answer is what a fault answers in the place of the right answer, if it does.
func (f *Fault) answer() (answer, bool) {
	if f == nil {
		return answer{}, false
	}
	switch f.Kind {
	case RateLimited:
		a := errorAnswer(http.StatusTooManyRequests, "RATE_LIMITED", "Too many requests")
		wait := f.RetryAfter
		if wait == 0 {
			wait = defaultRetryAfter
		}
		a.retryAfter = int(wait / time.Second)
		return a, true
	case RequestTimeout:
		return errorAnswer(http.StatusRequestTimeout, "TIMEOUT", "The request took too long"), true
	case InternalError:
		return errorAnswer(http.StatusInternalServerError, "INTERNAL_ERROR", "Internal error"), true
	case BadGateway:
		return answer{http.StatusBadGateway, htmlType, 0, []byte(htmlPage)}, true
	case Unavailable:
		return textAnswer(http.StatusServiceUnavailable, "Service Unavailable"), true
	case PaymentRequired:
		return refusals[PlanWithoutAPI], true
	case Forbidden:
		return refusals[InvalidToken], true
	case HTMLPage:
		return answer{http.StatusOK, htmlType, 0, []byte(htmlPage)}, true
	case EmptyBody:
		return answer{http.StatusOK, jsonType, 0, nil}, true
	}
	return answer{}, false
}

// list answers a query from the shop's index, or a page that begins one order too early for
// ShiftedPage.
func (f *Fault) list(s *Shop, q query) (total int, page []row) {
	if !f.is(ShiftedPage) || q.offset == 0 {
		return s.list(q)
	}
	wanted := q.offset
	q.offset--
	total, page = s.list(q)
	return total, page[:min(len(page), max(0, total-wanted))]
}

// appendRows renders a page; a fault spoils the order in its middle.
func (f *Fault) appendRows(dst []byte, page []row, one func([]byte, row) []byte) []byte {
	middle := -1
	if f.is(OrderWithoutID) || f.is(OrderNotObject) {
		middle = len(page) / 2
	}
	i := -1
	return appendEach(dst, page, func(dst []byte, o row) []byte {
		if i++; i != middle {
			return one(dst, o)
		}
		if f.is(OrderNotObject) {
			return append(dst, "[]"...)
		}
		d := o.change()
		for _, name := range []string{"id", "internalId", "orderNumber", "vendorOrderNumber", "publicUid"} {
			d.edited[name] = nil
		}
		return one(dst, o)
	})
}

// send writes an answer, or what a fault makes of it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, a answer, fault *Fault) {
	body := a.body
	if fault.is(InvalidJSON) && len(body) > 0 {
		body = bytes.Clone(body)
		body[len(body)/2] = 0
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Date", s.clock().Format(http.TimeFormat))
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	half := len(body) / 2
	length := len(body)
	if fault.is(WrongLength) {
		length = half
	}
	h.Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.status)
	switch {
	case fault.is(WrongLength), fault.is(Truncated):
		write(w, body[:half]) // the rest is missing: the server ends the connection
	case fault.is(ResetMidway):
		write(w, body[:half])
		reset(w)
	case fault.is(SlowBody):
		write(w, body[:half])
		if !fault.wait(r.Context(), SlowBody) {
			panic(http.ErrAbortHandler)
		}
		write(w, body[half:])
	default:
		write(w, body)
	}
}

// write sends bytes at once. An error is a client that has gone, which is no
// matter here.
func write(w http.ResponseWriter, data []byte) {
	if _, err := w.Write(data); err == nil {
		_ = http.NewResponseController(w).Flush()
	}
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic(err)
	}
	_, _ = z.Write(body) // a bytes.Buffer does not fail
	_ = z.Close()
	return b.Bytes()
}

// reset ends the connection with a TCP reset, and the handler with it.
func reset(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	}
	panic(http.ErrAbortHandler)
}
