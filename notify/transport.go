package notify

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// maxPing is the longest that a connection of HTTP/2 may be silent, and that it may
// take to answer a ping then, before it is given up: one that is dead would fail
// every attempt for as long as TCP tries.
const maxPing = 15 * time.Second

// idleConnection is how long a connection that is not used is kept.
const idleConnection = 90 * time.Second

// A connector is what the transports of all callbacks with the same TLS and proxy are
// made of. It never changes.
type connector struct {
	trust *tls.Config
	proxy *url.URL // nil: none
	// proxyTrust is for an https proxy.
	proxyTrust *tls.Config
}

// connectors holds each connector once.
type connectors map[connection]*connector

// A connection is how a callback is to be connected to.
type connection struct {
	tls   TLS
	proxy string
}

// get returns the callback's connector. Its error names the option that is at fault.
func (cs connectors) get(c *Callback) (*connector, error) {
	how := connection{c.TLS, c.Proxy}
	if found := cs[how]; found != nil {
		return found, nil
	}
	made, err := newConnector(how)
	if err != nil {
		return nil, err
	}
	cs[how] = made
	return made, nil
}

func newConnector(how connection) (*connector, error) {
	trust, err := how.tls.config()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c := &connector{trust: trust}
	if how.proxy == "" {
		return c, nil
	}
	if c.proxy, err = parseProxy(how.proxy); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if c.proxy.Scheme != "https" {
		return c, nil
	}
	authorities, err := how.tls.proxyAuthorities()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c.proxyTrust = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities, ServerName: c.proxy.Hostname()}
	return c, nil
}

// transport returns a transport that keeps a connection for each of a callback's
// workers.
func (c *connector) transport(timeout time.Duration, workers int) *http.Transport {
	ping := min(timeout, maxPing)
	t := &http.Transport{
		DialContext:            dialWithin(newDialer(timeout), timeout),
		TLSClientConfig:        c.trust.Clone(), // the transport adds to it
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: ping, PingTimeout: ping},
		DisableCompression:     true,
		MaxIdleConns:           workers,
		MaxIdleConnsPerHost:    workers,
		IdleConnTimeout:        idleConnection,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        16 << 10, // an order in one write
	}
	if c.proxy != nil {
		c.useProxy(t)
	}
	return t
}

// useProxy sends everything through the proxy. The guard sees the proxy's address only,
// so that a target that is an address is looked at here; a name is resolved by the
// proxy, which has to guard itself.
func (c *connector) useProxy(t *http.Transport) {
	t.Proxy = func(r *http.Request) (*url.URL, error) { return c.proxy, checkLiteral(r.URL.Hostname()) }
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return &proxyError{resp.StatusCode}
		}
		return nil
	}
	if c.proxyTrust == nil {
		return
	}
	dial := t.DialContext
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialTLS(ctx, dial, c.proxyTrust, network, address)
	}
}

// dialTLS connects to a proxy. What it returns is no *tls.Conn: the transport would
// take that for the connection to the target.
func dialTLS(ctx context.Context, dial dialFunc, trust *tls.Config, network, address string) (net.Conn, error) {
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, trust)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return struct{ net.Conn }{secure}, nil
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialWithin gives a connection a deadline until which it must be in use, whatever
// it takes until then: connecting, TLS, a proxy. A request that is given up does not
// end the attempt to connect for it, and a proxy that hangs would hold it for ever.
func dialWithin(dialer *net.Dialer, timeout time.Duration) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		deadline := time.Now().Add(timeout)
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := conn.SetDeadline(deadline); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// A reach tells whether a request has come to its target, and not only to a proxy.
type reach struct{ target atomic.Bool }

// watch returns a context for one request whose connection loses the deadline of
// dialWithin when the request gets it.
func watch(ctx context.Context) (context.Context, *reach) {
	r := &reach{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { r.target.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			r.target.Store(true)
			_ = info.Conn.SetDeadline(time.Time{}) // fails on a closed one only
		},
	}), r
}

// A proxyError tells that a proxy refused to connect to the target.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	if e.status == http.StatusProxyAuthRequired {
		return "it asks for authentication (407): put the right user and password into the proxy's url"
	}
	return fmt.Sprintf("it refused to connect to the callback: %d %s", e.status, http.StatusText(e.status))
}
