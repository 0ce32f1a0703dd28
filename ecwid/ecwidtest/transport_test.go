package ecwidtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// inBubble runs a test in fake time, against a server with a filled shop.
func inBubble(t *testing.T, f func(t *testing.T, server *ecwidtest.Server, do func(context.Context) (*http.Response, error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := ecwidtest.NewServer(ecwidtest.Options{})
		server.AddShop(ecwidtest.ShopOptions{ID: 1003, Token: token}).Fill(100)
		f(t, server, func(ctx context.Context) (*http.Response, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://app.ecwid.com/api/v3/1003/orders", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			return server.Transport().RoundTrip(r)
		})
	})
}

func TestTransportAnswersInFakeTime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, server *ecwidtest.Server, do func(context.Context) (*http.Response, error)) {
		server.Fault(ecwidtest.Fault{Kind: ecwidtest.Slow, Delay: time.Hour})
		start := time.Now()
		res, err := do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || int64(len(body)) != res.ContentLength || time.Since(start) != time.Hour {
			t.Errorf("%d of %d bytes after %v, %v", len(body), res.ContentLength, time.Since(start), err)
		}
	})
}

func TestTransportHonoursTheContext(t *testing.T) {
	t.Parallel()
	const blocked = "a handler that does not look at its context"
	for _, kind := range []ecwidtest.FaultKind{ecwidtest.Slow, ecwidtest.SlowBody, blocked} {
		inBubble(t, func(t *testing.T, server *ecwidtest.Server, do func(context.Context) (*http.Response, error)) {
			if kind == blocked {
				server.BeforeResponse(func(*http.Request) { time.Sleep(time.Hour) })
			} else {
				server.Fault(ecwidtest.Fault{Kind: kind, Delay: time.Hour})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			res, err := do(ctx)
			read := 0
			if res != nil {
				var body []byte
				body, err = io.ReadAll(res.Body)
				read = len(body)
				res.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
				t.Errorf("%s: %v after %v", kind, err, time.Since(start))
			}
			if kind == ecwidtest.SlowBody && read == 0 {
				t.Errorf("%s: the first half did not come", kind)
			}
			time.Sleep(time.Hour) // until the blocked handler is through
		})
	}
}

// TestTransportLeavesNothingBehind relies on synctest, which fails when a
// goroutine of the bubble stays blocked.
func TestTransportLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*http.Response, context.CancelFunc){
		"body closed unread":    func(res *http.Response, _ context.CancelFunc) { res.Body.Close() },
		"context ended":         func(_ *http.Response, cancel context.CancelFunc) { cancel() },
		"context ended, closed": func(res *http.Response, cancel context.CancelFunc) { cancel(); res.Body.Close() },
		"read, closed too often": func(res *http.Response, _ context.CancelFunc) {
			_, _ = io.ReadAll(res.Body)
			res.Body.Close()
			res.Body.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, _ *ecwidtest.Server, do func(context.Context) (*http.Response, error)) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				res, err := do(ctx) //nolint:bodyclose // end closes it, or it is about not closing it.
				if err != nil {
					t.Fatal(err)
				}
				end(res, cancel)
			})
		})
	}
}

func TestTransportRefusesAnEndedContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/api/v3/1003/orders", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.client.Do(r)
	if err == nil {
		res.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || len(w.server.Requests()) != 0 {
		t.Errorf("%v, %d requests", err, len(w.server.Requests()))
	}
}
