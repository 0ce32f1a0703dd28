package ecwid

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// What a request asks for, as Error and Request tell it.
const (
	opOrders  = "list orders"
	opOrder   = "read order"
	opDeleted = "list deleted orders"
)

// Ecwid's error codes that decide something, by docs.ecwid.com/api-reference.
const (
	codeInvalidToken      = "INVALID_API_TOKEN" //nolint:gosec // the name of an error
	codeInsufficientScope = "INSUFFICIENT_APP_SCOPE"
	codeStoreNotFound     = "STORE_NOT_FOUND"
	codeOrderNotFound     = "ORDER_NOT_FOUND"
	codeRateLimited       = "RATE_LIMITED"
)

// An Error is a request that failed. It matches event.ErrRefused or
// event.ErrNotFound where that is what Ecwid's answer means. It holds no secret,
// and nothing of an answer but Ecwid's own words about the failure.
type Error struct {
	// Op is what was asked for: list orders, read order or list deleted orders.
	Op string
	// Status is the HTTP status, 0 when there was no answer. It is 429, too, when
	// nothing was sent because of a pause that Ecwid had asked for.
	Status int
	// Code is Ecwid's error code, such as STORE_NOT_FOUND; empty when it gave none.
	Code string
	// Message is Ecwid's message, or says what went wrong: one printable line of
	// at most 200 bytes.
	Message string
	// RetryAfter is how long Ecwid wants to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Tries is the number of requests that were sent.
	Tries int

	single bool // one order was asked for by its path
	page   bool // the answer was a page for browsers
	paused bool // a 403 during a rate-limit pause
	retry  bool // another try may succeed
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (%d tries)", e.Tries)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (asked to wait %s)", e.RetryAfter.Round(time.Second))
	}
	return b.String()
}

// Is tells what the failure means: event.ErrRefused or event.ErrNotFound.
func (e *Error) Is(target error) bool {
	switch target {
	case event.ErrRefused:
		return e.refused()
	case event.ErrNotFound:
		return e.notFound()
	}
	return false
}

// limited tells that the failure is about the rate of requests.
func (e *Error) limited() bool {
	return e.Status == http.StatusTooManyRequests || e.paused
}

func (e *Error) refused() bool {
	switch e.Status {
	case http.StatusPaymentRequired:
		return true
	case http.StatusForbidden:
		// Without a code it is the legacy API's answer to a wrong secret.
		return !e.paused && (e.Code == codeInvalidToken || e.Code == codeInsufficientScope || e.Code == "")
	case http.StatusNotFound:
		return e.Code == codeStoreNotFound || e.Code == "" && !e.single && !e.page
	}
	return false
}

// notFound takes a 404 without a code for Ecwid's, but not one that comes as a page
// for browsers: that is of something in between, and proves no order gone.
func (e *Error) notFound() bool {
	if e.Status != http.StatusNotFound {
		return false
	}
	return e.Code == codeOrderNotFound || e.single && e.Code == "" && !e.page
}

// failure is an Error about an answer that came but cannot be used.
func (c *Client) failure(op string, err error) *Error {
	return &Error{Op: op, Status: http.StatusOK, Message: c.clean(err.Error())}
}
