package notify

import (
	"net"
	"net/http"
	"time"
)

// newTransport returns a transport that keeps a connection for each of a
// callback's workers. Connecting has a timeout of its own: a request that is given
// up does not end the attempt to connect for it.
func newTransport(connections int, timeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:    timeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        16 << 10, // an order in one write
	}
}
