package ecwidtest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// Transport returns a way to the server without any listener or connection, as a
// testing/synctest bubble needs it. Its answers stream from the same handler, with
// the same faults: resets, bodies cut short, wrong lengths. Unlike http.Transport
// it neither asks for gzip nor undoes it by itself. A request's context, and
// closing an answer's body, end the request.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.Body = http.NoBody
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{}
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	body, sink := io.Pipe()
	w := &responseWriter{header: http.Header{}, sink: sink, began: make(chan struct{})}
	// The context's end is what a client that waits for the body is told, and ends
	// the handler's writing.
	stop := context.AfterFunc(ctx, func() { _ = sink.CloseWithError(context.Cause(ctx)) })
	done := make(chan struct{})
	var failure error
	go func() {
		defer close(done)
		defer cancel()
		failure = serve(t.handler, w, in)
		if stop() {
			_ = sink.CloseWithError(w.end(failure))
		}
	}()
	select {
	case <-w.began:
	case <-done: // it aborted, or began and ended in one go
	case <-r.Context().Done():
	}
	select {
	case <-w.began:
		return w.response(r, answerBody{body, cancel, done}), nil
	default:
	}
	if r.Context().Err() != nil {
		cancel()
		return nil, context.Cause(r.Context())
	}
	return nil, failure
}

// serve runs the handler. It returns a connection reset when the handler aborts.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return nil
}

// answerBody ends the request when it is closed, and waits for its end.
type answerBody struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   <-chan struct{}
}

func (b answerBody) Close() error {
	b.cancel()
	err := b.PipeReader.Close()
	<-b.done
	return err
}

// A responseWriter passes an answer on, and holds it to its Content-Length.
type responseWriter struct {
	header http.Header
	sink   *io.PipeWriter

	once   sync.Once
	began  chan struct{}
	status int
	sent   http.Header
	length int64 // -1: unknown
	left   int64
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent, w.length = status, maps.Clone(w.header), -1
		if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
			w.length, w.left = n, n
		}
		close(w.began)
	})
}

func (w *responseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.length < 0 {
		return w.sink.Write(p)
	}
	fits := p[:min(int64(len(p)), w.left)]
	if len(fits) > 0 {
		n, err := w.sink.Write(fits)
		w.left -= int64(n)
		if err != nil {
			return n, err
		}
	}
	if len(fits) < len(p) {
		return len(fits), http.ErrContentLength
	}
	return len(p), nil
}

// Flush does nothing: a Write is already seen by the reader.
func (w *responseWriter) Flush() {}

// end is what the reader of the body finds behind its last byte.
func (w *responseWriter) end(err error) error {
	if errors.Is(err, syscall.ECONNRESET) || w.left == 0 {
		return err
	}
	return io.ErrUnexpectedEOF
}

func (w *responseWriter) response(r *http.Request, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status:     strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, ContentLength: w.length, Body: body, Request: r,
	}
}
