package ecwid

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// refusal makes an Error of an answer that is not 200, and begins the pause that
// a 429 asks for.
func (c *Client) refusal(resp *http.Response, began time.Time) *Error {
	code, message, page := c.words(resp)
	e := &Error{Code: code, Message: message, page: page, RetryAfter: retryAfter(resp.Header, time.Now())}
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		if e.RetryAfter == 0 {
			e.RetryAfter = defaultRetryAfter
		}
		c.limiter.pause.extend(e.RetryAfter)
		e.retry = true
	case status == http.StatusForbidden && c.limiter.pause.lastedPast(began):
		// Ecwid's own WordPress plugin, too, does not take it for a dead token.
		e.paused, e.retry = true, true
	case status == http.StatusRequestTimeout || status >= http.StatusInternalServerError:
		e.retry = true
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		e.Message = c.clean("redirected to " + locationHost(resp) + ", which is not followed: check the base URL")
	}
	return e
}

// locationHost is all that may be told of a Location, which can repeat the secret.
func locationHost(resp *http.Response) string {
	location, err := url.Parse(resp.Header.Get("Location"))
	switch {
	case err != nil:
		return "an address that cannot be read"
	case location.Host == "":
		return "the same host"
	}
	return location.Host
}

// errorCode is what an error code looks like. Others are not shown.
var errorCode = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// words returns Ecwid's code and message for a failure. They stand in a JSON
// body, the message alone in a plain body or in the status line. page tells that
// the answer was a page for browsers instead.
func (c *Client) words(resp *http.Response) (code, message string, page bool) {
	// What cannot be read of it is no loss: the status is what counts.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, longestFailure))
	if s, err := scanObject(body); err == nil {
		for key := range s.members() {
			value := s.value()
			switch string(key) {
			case "errorCode":
				code = c.clean(text(value))
			case "errorMessage", "error_message":
				message = c.clean(text(value))
			}
		}
		if !errorCode.MatchString(code) {
			code = ""
		}
	} else if first := bytes.TrimSpace(body); len(first) > 0 {
		page = first[0] == '<'
		if !isMarkup(first[0]) {
			message = c.clean(string(body))
		}
	}
	if message == "" {
		_, reason, _ := strings.Cut(resp.Status, " ")
		message = c.clean(reason)
	}
	return code, message, page
}

// isMarkup tells by its first byte what is no text for people.
func isMarkup(first byte) bool {
	return first == '<' || first == '{' || first == '[' || first == '"'
}
