package notify

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// Some errors of net/http are known by their text only, and which of them comes is a
// matter of luck.
func TestErrorsOfHTTP2(t *testing.T) {
	t.Parallel()
	for text, class := range map[string]string{
		"http2: client conn could not be established":                     ErrorTLS,
		"http2: server sent GOAWAY and closed the connection; hunter2":    ErrorReset,
		"http2: client connection lost":                                   ErrorReset,
		"http2: client connection force closed via ClientConn.Close":      ErrorReset,
		"stream error: stream ID 1; INTERNAL_ERROR; received from peer":   ErrorReset,
		"http2: response header list larger than advertised limit":        ErrorProtocol,
		"net/http: HTTP/1.x transport connection broken: hunter2":         ErrorProtocol,
		"net/http: server response headers exceeded 65536 bytes; aborted": ErrorProtocol,
	} {
		o := judgeError(errors.New(text), false)
		if o.class != class || o.detail == "" || o.detail == text {
			t.Errorf("%s: %q (%s), want %q in other words", text, o.class, o.detail, class)
		}
	}
	if o := judgeError(fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true); o.class != ErrorProxy {
		t.Errorf("by the proxy: %q (%s), want %q", o.class, o.detail, ErrorProxy)
	}
}
