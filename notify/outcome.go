package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// The words of event.Attempt.Error. They are also fit for a metrics label.
const (
	ErrorAddress  = "address"  // the host's address is one that nothing is sent to
	ErrorProxy    = "proxy"    // the proxy could not be used, or refused
	ErrorDNS      = "dns"      // the host's name could not be resolved
	ErrorConnect  = "connect"  // no connection: refused, unreachable
	ErrorTLS      = "tls"      // no secure connection: certificate, version
	ErrorTimeout  = "timeout"  // no complete answer within the callback's timeout
	ErrorReset    = "reset"    // the connection broke before the answer
	ErrorProtocol = "protocol" // the answer is not HTTP
	ErrorStatus   = "status"   // the answer is neither 2xx nor 3xx
	ErrorRedirect = "redirect" // the answer is 3xx, which is not followed
	ErrorBody     = "body"     // the connection broke within the answer's body
	ErrorEvent    = "event"    // the event could not be read from the storage
	ErrorFormat   = "format"   // the event could not be rendered or signed
	ErrorStopped  = "stopped"  // the program stopped before the answer
)

// maxDetail bounds event.Attempt.Detail, in bytes. Parts of it are the receiver's
// words, such as the names in its certificate.
const maxDetail = 300

// An outcome is what one attempt came to. With an empty class the callback has
// accepted the event.
type outcome struct {
	class, detail string
	status        int
	response      []byte
	retryAfter    time.Duration
}

// judgeAnswer classifies a complete answer.
func judgeAnswer(status int, h http.Header, response []byte, now time.Time) outcome {
	o := outcome{status: status, response: response}
	switch status / 100 {
	case 2:
		return o
	case 3:
		o.class = ErrorRedirect
		o.detail = "redirects are not followed: the callback's url must be the final address"
	default:
		o.class = ErrorStatus
		o.detail = cmp.Or(http.StatusText(status), "a status that is not registered")
	}
	wait, capped := retryAfter(h, now)
	o.retryAfter = wait
	if capped {
		o.detail = strings.TrimSpace(o.detail + " (its Retry-After was cut to 7 days)")
	}
	return o
}

// judgeError classifies a request that got no answer. byProxy tells that it had not
// come further than the proxy. The text of an unknown error is left out: it may quote
// what the receiver sent.
func judgeError(err error, byProxy bool) outcome {
	class, detail := classify(err)
	if byProxy && class != ErrorAddress {
		class, detail = ErrorProxy, proxyDetail(detail)
	}
	return outcome{class: class, detail: clip(detail, maxDetail)}
}

func classify(err error) (class, detail string) {
	var refused *addressError
	var proxy *proxyError
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	isOp := errors.As(err, &op)
	switch {
	case errors.As(err, &refused):
		return ErrorAddress, refused.Error()
	case errors.As(err, &proxy):
		return ErrorProxy, proxy.Error()
	case errors.As(err, &dns):
		return ErrorDNS, dns.Error()
	case isTLS(err):
		return ErrorTLS, err.Error()
	case err.Error() == "http2: client conn could not be established": // it has no exported type
		return ErrorTLS, "the connection was ended just after the handshake: a callback that asks for a client certificate does that (tls.cert_file)"
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return ErrorTimeout, "no connection in time"
	case isOp && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect"):
		return ErrorConnect, op.Error()
	case isReset(err):
		return ErrorReset, "the connection broke before the answer"
	}
	return ErrorProtocol, "the answer is not valid HTTP"
}

// proxyDetail is the detail of a failure that is the proxy's.
func proxyDetail(detail string) string { return "the proxy: " + detail }

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) ||
		(errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")) ||
		strings.HasPrefix(err.Error(), "tls: ")
}

func isReset(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, net.ErrClosed) ||
		isResetHTTP2(err.Error())
}

// isResetHTTP2 tells that a connection or a stream of HTTP/2 was ended. Those errors
// of net/http have no exported types.
func isResetHTTP2(text string) bool {
	for _, start := range []string{"stream error: ", "http2: server sent GOAWAY", "http2: client connection lost", "http2: client connection force closed"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// timedOut is the outcome of an attempt that the callback's timeout ended. status
// is 0 before the answer's header.
func timedOut(timeout time.Duration, status int, response []byte) outcome {
	return outcome{
		class: ErrorTimeout, detail: fmt.Sprintf("no complete answer within %s", timeout),
		status: status, response: response,
	}
}

// stopped is the outcome of an attempt that the program's stop ended.
func stopped() outcome {
	return outcome{class: ErrorStopped, detail: "the program stopped before the answer; the event may have arrived"}
}

// clip cuts s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
