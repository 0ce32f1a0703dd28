package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// backupWithin is how long a copy of the storage may take. The daemon gives up before.
const backupWithin = time.Hour + 5*time.Second

// Forget implements control.Service.
func (c *Client) Forget(ctx context.Context, storeID int64, objectID string) (done control.Forgotten, err error) {
	if !exists(objectID) {
		return done, unnamed("order", objectID)
	}
	q := request{method: http.MethodDelete, path: []string{"stores", decimal(storeID), "orders", objectID}, within: backlogWithin}
	err = c.ask(ctx, q, &done)
	return done, err
}

// Backup implements control.Service. An error of the writer is returned as it is.
func (c *Client) Backup(ctx context.Context, to func(size int64) io.Writer) error {
	limited, cancel := context.WithTimeoutCause(ctx, backupWithin, fmt.Errorf("no whole copy within %v: %w", backupWithin, context.DeadlineExceeded))
	defer cancel()
	resp, err := c.send(limited, request{method: get, path: []string{"storage", "backup"}})
	if err != nil {
		return c.unanswered(limited, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300:
		return c.refused(resp)
	case !isMedia(resp, "application/octet-stream") || resp.ContentLength < 0:
		return c.stranger(resp.StatusCode)
	}
	out := watchedWriter{to: to(resp.ContentLength)}
	n, err := io.Copy(&out, resp.Body)
	switch {
	case out.err != nil:
		return out.err
	case err != nil:
		return fmt.Errorf("the copy broke off after %d of %d bytes: %w", n, resp.ContentLength, c.unanswered(limited, err))
	case n != resp.ContentLength:
		return fmt.Errorf("the copy broke off after %d of %d bytes: %w", n, resp.ContentLength, io.ErrUnexpectedEOF)
	}
	return nil
}

// A watchedWriter remembers its error, to tell it from that of what is read.
type watchedWriter struct {
	to  io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}
