package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// writer is a function that writes.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestBackupArrivesWhole(t *testing.T) {
	t.Parallel()
	service := &fake{copy: bytes.Repeat([]byte("0123456789abcdef"), 100_000)}
	c := serveAndAsk(t, service)
	var got bytes.Buffer
	told := int64(0)
	err := c.Backup(t.Context(), func(size int64) io.Writer {
		told = size
		return &got
	})
	if err != nil || told != int64(len(service.copy)) || !bytes.Equal(got.Bytes(), service.copy) {
		t.Errorf("%d of %d bytes, told %d: %v", got.Len(), len(service.copy), told, err)
	}
}

func TestBackupThatIsNotWholeIsAnError(t *testing.T) {
	t.Parallel()
	broken, full := errors.New("the disk fails"), errors.New("no space left on device")
	pass := func(w io.Writer) io.Writer { return w }
	for name, test := range map[string]struct {
		backup func(ctx context.Context, to func(int64) io.Writer) error
		err    error
		to     func(io.Writer) io.Writer
		want   string
		is     error
	}{
		"another is made":  {err: control.ErrConflict, to: pass, want: "not possible now", is: control.ErrConflict},
		"it cannot begin":  {err: broken, to: pass, want: "See the log"},
		"it breaks off":    {backup: part(1<<20, 100_000, broken), to: pass, want: "the copy broke off after ", is: io.ErrUnexpectedEOF},
		"it ends too soon": {backup: part(1<<20, 1000, nil), to: pass, want: "the copy broke off after ", is: io.ErrUnexpectedEOF},
		"it cannot be written": {
			backup: part(1<<20, 1<<20, nil), want: full.Error(), is: full,
			to: func(io.Writer) io.Writer { return writer(func([]byte) (int, error) { return 0, full }) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serveAndAsk(t, &fake{backup: test.backup, err: test.err})
			err := c.Backup(t.Context(), func(int64) io.Writer { return test.to(io.Discard) })
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// part writes so much of a copy of that size.
func part(size, bytes int, err error) func(context.Context, func(int64) io.Writer) error {
	return func(_ context.Context, to func(int64) io.Writer) error {
		_, writeErr := to(int64(size)).Write(make([]byte, bytes))
		return errors.Join(err, writeErr)
	}
}

func TestBackupTakesNothingElse(t *testing.T) {
	t.Parallel()
	d := apiDocument(t)
	service := &fake{copy: []byte("a copy")}
	s, _ := newServer(t, service)
	for name, test := range map[string]struct {
		method, query, body string
		status, calls       int
	}{
		"a copy":              {http.MethodGet, "", "", http.StatusOK, 1},
		"its size alone":      {http.MethodHead, "", "", http.StatusOK, 1},
		"an unknown question": {http.MethodGet, "?compact=true", "", http.StatusBadRequest, 0},
		"a body":              {http.MethodGet, "", "{}", http.StatusBadRequest, 0},
		"another method":      {http.MethodPost, "", "", http.StatusMethodNotAllowed, 0},
	} {
		r := httptest.NewRequestWithContext(t.Context(), test.method, "http://localhost/api/v1/storage/backup"+test.query, strings.NewReader(test.body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != test.status || len(service.taken()) != test.calls {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		size := w.Header().Get("Content-Length")
		if test.status == http.StatusOK && (size != strconv.Itoa(len(service.copy)) || test.method == http.MethodHead != (w.Body.Len() == 0)) {
			t.Errorf("%s: %d bytes of %s", name, w.Body.Len(), size)
		}
		d.check(t, r, w)
	}
}

// A client that reads no more is cut off, so that what is read for it is let go.
func TestBackupOfAStalledClientEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		service := &fake{backup: func(_ context.Context, to func(int64) io.Writer) error {
			w, err := to(1<<40), error(nil)
			for err == nil {
				_, err = w.Write(make([]byte, 32<<10))
			}
			ended <- err
			return err
		}}
		s, _ := newServer(t, service)
		client, server := net.Pipe()
		defer client.Close()
		s.listener = &oneConn{conn: server, closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Run(ctx) }()

		if _, err := io.WriteString(client, "GET /api/v1/storage/backup HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(client)
		if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
		began := time.Now()
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > pieceWithin {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A oneConn listens for one connection, which is there.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
