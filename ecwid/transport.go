package ecwid

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	tlsTimeout  = 10 * time.Second
	// idleConnections is how many connections wait for the next request. All
	// stores are on one host.
	idleConnections = 32
	longestHeader   = 256 << 10
)

// The transports that clients share: the legacy API limits the connections of an
// address, those that wait included.
var (
	v3Transport     = sync.OnceValue(func() http.RoundTripper { return newTransport(0) })
	legacyTransport = sync.OnceValue(func() http.RoundTripper { return newTransport(addressConnections) })
)

func sharedTransport(api API) http.RoundTripper {
	if api == Legacy {
		return legacyTransport()
	}
	return v3Transport()
}

func newTransport(mostConnections int) *http.Transport {
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    tlsTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:           idleConnections,
		MaxIdleConnsPerHost:    idleConnections,
		MaxConnsPerHost:        mostConnections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: longestHeader,
	}
}

// proxy is http.ProxyFromEnvironment but for the error, which tells an address
// that can hold a password.
func proxy(req *http.Request) (*url.URL, error) {
	address, err := http.ProxyFromEnvironment(req)
	if err != nil {
		return nil, errors.New("the proxy address in the environment cannot be read")
	}
	return address, nil
}

// transportMessage says what kept a request from being answered in full. It tells
// the host and no more of the address, as that can hold the secret.
func transportMessage(err error, host string) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if message := tlsMessage(err); message != "" {
		return fmt.Sprintf("TLS with %s failed: %s", host, message)
	}
	lookup, isLookup := errors.AsType[*net.DNSError](err)
	operation, isOperation := errors.AsType[*net.OpError](err)
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case isLookup:
		return fmt.Sprintf("the address of %s was not found: %s", host, lookup.Err)
	case isOperation && operation.Op == "dial":
		return fmt.Sprintf("no connection to %s: %s", host, reason(operation))
	case isTimeout && timeout.Timeout():
		return fmt.Sprintf("timeout: no whole answer from %s", host)
	case isCut(err):
		return fmt.Sprintf("the connection to %s, or its answer, was cut short", host)
	}
	return fmt.Sprintf("the request to %s failed: %s", host, err)
}

// tlsMessage returns what a failure of TLS says, "" for other failures.
func tlsMessage(err error) string {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return e.Msg
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return e.Error()
	}
	return ""
}

func reason(err *net.OpError) string {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if err.Timeout() {
		return "timeout"
	}
	return err.Err.Error()
}

func isCut(err error) bool {
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}
