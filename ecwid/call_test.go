package ecwid

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

const emptyPage = `{"total":0,"items":[],"orders":[]}`

// A step is one answer, or the failure to get one.
type step struct {
	status int
	body   string
	header []string
	// err takes the answer's place, cut its end.
	err, cut error
	// takes is how long it takes.
	takes time.Duration
}

// script answers one request after another, the last step again and again, and
// keeps when the requests came.
type script struct {
	steps []step
	began time.Time
	at    []time.Duration
}

func newScript(steps ...step) *script { return &script{steps: steps, began: time.Now()} }

func (s *script) RoundTrip(*http.Request) (*http.Response, error) {
	next := s.steps[min(len(s.at), len(s.steps)-1)]
	s.at = append(s.at, time.Since(s.began))
	time.Sleep(next.takes)
	if next.err != nil {
		return nil, next.err
	}
	resp := answerWith(next.status, next.body, next.header...)
	if next.cut != nil {
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(next.body), failing{next.cut}))
	}
	return resp, nil
}

func TestRetries(t *testing.T) {
	t.Parallel()
	ok := step{status: 200, body: emptyPage}
	tests := map[string]struct {
		steps   []step
		wantErr string
		// gaps are the least and the longest time before each further try.
		gaps [][2]time.Duration
	}{
		"network error, then an answer": {
			[]step{{err: io.EOF}, ok}, "", [][2]time.Duration{{500 * time.Millisecond, time.Second}},
		},
		"three failures, ever longer apart": {
			[]step{{status: 500}, {status: 200, body: `{"total`, cut: io.ErrUnexpectedEOF}, {status: 200, body: "{"}, ok},
			"no valid JSON",
			[][2]time.Duration{{500 * time.Millisecond, time.Second}, {time.Second, 2 * time.Second}},
		},
		"503 that says when": {
			[]step{{status: 503, header: []string{"Retry-After", "20"}}, ok}, "", [][2]time.Duration{{20 * time.Second, 20 * time.Second}},
		},
		"503 that asks for too long": {
			[]step{{status: 503, header: []string{"Retry-After", "3600"}}, ok}, "HTTP 503: Service Unavailable (asked to wait 1h0m0s)", nil,
		},
		"429 that says when": {
			[]step{{status: 429, header: []string{"Retry-After", "17"}}, ok}, "", [][2]time.Duration{{17 * time.Second, 17 * time.Second}},
		},
		"429 that does not": {
			[]step{{status: 429}, ok}, "", [][2]time.Duration{{10 * time.Second, 10 * time.Second}},
		},
		"429 at once again": {
			[]step{{status: 429, header: []string{"Retry-After", "0"}}, ok}, "", [][2]time.Duration{{time.Second, time.Second}},
		},
		"429s that together ask for too long": {
			[]step{{status: 429, header: []string{"Retry-After", "40"}}, {status: 429, header: []string{"Retry-After", "30"}}, ok},
			"HTTP 429: Too Many Requests (2 tries) (asked to wait 30s)",
			[][2]time.Duration{{40 * time.Second, 40 * time.Second}},
		},
		"429 that asks for too long": {
			[]step{{status: 429, header: []string{"Retry-After", "61"}}, ok}, "HTTP 429: Too Many Requests (asked to wait 1m1s)", nil,
		},
		"400": {[]step{{status: 400}, ok}, "HTTP 400", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newScript(test.steps...)
				c := newTestClient(t, Options{Transport: s})
				_, err := c.Orders(t.Context(), event.Query{})
				if !strings.Contains(message(err), test.wantErr) || (err == nil) != (test.wantErr == "") {
					t.Errorf("error %q, want %q", message(err), test.wantErr)
				}
				if len(s.at) != len(test.gaps)+1 {
					t.Fatalf("requests at %v, want %d", s.at, len(test.gaps)+1)
				}
				for i, gap := range test.gaps {
					if waited := s.at[i+1] - s.at[i]; waited < gap[0] || waited > gap[1] {
						t.Errorf("try %d came after %v, want %v to %v", i+2, waited, gap[0], gap[1])
					}
				}
			})
		})
	}
}

// The pause of a long Retry-After is kept by calls that did not see it, too: they
// fail without a request.
func TestLongPauseIsKept(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		limiters := NewLimiters()
		s := newScript(step{status: 429, header: []string{"Retry-After", "3600"}}, step{status: 200, body: emptyPage})
		for range 2 {
			c := newTestClient(t, Options{Transport: s, Limiter: limiters.For(testToken, 0, V3)})
			_, err := c.Orders(t.Context(), event.Query{})
			var typed *Error
			if !errors.As(err, &typed) || typed.Status != 429 || typed.RetryAfter != time.Hour || errors.Is(err, event.ErrRefused) {
				t.Fatalf("error %#v", err)
			}
		}
		time.Sleep(time.Hour - 30*time.Second)
		c := newTestClient(t, Options{Transport: s, Limiter: limiters.For(testToken, 0, V3)})
		if _, err := c.Orders(t.Context(), event.Query{}); err != nil {
			t.Fatal(err)
		}
		if len(s.at) != 2 || s.at[1] != time.Hour {
			t.Errorf("requests at %v, want the second after an hour", s.at)
		}
	})
}

// A 403 that answers a request which a rate-limit pause overlapped is part of the
// pause; one that comes afterwards is a refusal.
func TestForbiddenDuringPause(t *testing.T) {
	t.Parallel()
	for last, wantRefused := range map[int]bool{200: false, 403: true} {
		inBubble(t, func(t *testing.T) {
			limiters := NewLimiters()
			limited := newTestClient(t, Options{
				Transport: newScript(step{status: 429, header: []string{"Retry-After", "5"}}, step{status: 200, body: emptyPage}),
				Limiter:   limiters.For(testToken, 0, V3),
			})
			after := newScript(
				step{status: 403, body: `{"errorCode":"INVALID_API_TOKEN"}`, takes: 2 * time.Second},
				step{status: last, body: emptyPage},
			)
			c := newTestClient(t, Options{Transport: after, Limiter: limiters.For(testToken, 0, V3)})

			var calls sync.WaitGroup
			var err error
			calls.Go(func() { _, err = c.Orders(t.Context(), event.Query{}) })
			time.Sleep(time.Second)
			if _, err := limited.Orders(t.Context(), event.Query{}); err != nil {
				t.Error(err)
			}
			calls.Wait()
			if errors.Is(err, event.ErrRefused) != wantRefused || (err == nil) == wantRefused {
				t.Errorf("error %v, want a refusal: %t", err, wantRefused)
			}
			if len(after.at) != 2 || after.at[1] < 6*time.Second {
				t.Errorf("requests at %v, want the second after the pause, at 6s", after.at)
			}
		})
	}
}

func TestContextEndsACallAtOnce(t *testing.T) {
	t.Parallel()
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answering := func(s step) roundTrip { return newScript(s).RoundTrip }
	tests := map[string]struct {
		transport roundTrip
		perMinute int
		api       API
	}{
		"in a request":          {hang, 0, V3},
		"in the backoff":        {answering(step{err: io.EOF}), 0, V3},
		"in a pause":            {answering(step{status: 429, header: []string{"Retry-After", "30"}}), 0, V3},
		"waiting for the rate":  {answering(step{status: 500}), 1, V3},
		"in a legacy request":   {hang, 0, Legacy},
		"in a pause of the API": {answering(step{status: 429, header: []string{"Retry-After", "30"}}), 0, Legacy},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				c := newTestClient(t, Options{
					API: test.api, Transport: test.transport,
					Limiter: NewLimiters().For("x", test.perMinute, test.api),
				})
				ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
				defer cancel()
				if test.perMinute == 1 {
					time.Sleep(time.Minute)
					_, _ = c.limiter.acquire(t.Context(), new(time.Duration))
				}
				began := time.Now()
				_, err := c.Orders(ctx, event.Query{})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want the context's", err)
				}
				if waited := time.Since(began); waited > 400*time.Millisecond {
					t.Errorf("the call went on for %v", waited)
				}
			})
		})
	}
}

// Nothing but the context's error tells a call that was stopped from one that
// failed, even when it was the last try that was stopped.
func TestContextEndsTheLastTry(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tries := 0
		c := newTestClient(t, Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			if tries++; tries == mostTries {
				cancel()
				return nil, ctx.Err()
			}
			return nil, io.EOF
		})})
		if _, err := c.Orders(ctx, event.Query{}); !errors.Is(err, context.Canceled) || tries != mostTries {
			t.Errorf("error %v after %d tries, want the context's", err, tries)
		}
	})
}

func TestRequestTimeoutIsNoEndOfTheContext(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		c := newTestClient(t, Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		began := time.Now()
		_, err := c.Orders(t.Context(), event.Query{})
		if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(message(err), "timeout: no whole answer from app.ecwid.com (3 tries)") {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(began); waited < 3*time.Minute || waited > 3*time.Minute+3*time.Second {
			t.Errorf("three requests timed out after %v", waited)
		}
	})
}

func TestOnRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		var got []Request
		c := newTestClient(t, Options{
			OnRequest: func(r Request) { got = append(got, r) },
			Transport: newScript(step{status: 500, body: "Oops", takes: 3 * time.Second}, step{status: 200, body: emptyPage}),
		})
		if _, err := c.Orders(t.Context(), event.Query{}); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 {
			t.Fatalf("told of %v, want two requests", got)
		}
		failed, done := got[0], got[1]
		if failed.Status != 500 || failed.Try != 1 || failed.Duration != 3*time.Second || message(failed.Err) != "list orders: HTTP 500: Oops" {
			t.Errorf("first %+v", failed)
		}
		if want := (Request{StoreID: 1003, API: V3, Op: opOrders, Try: 2, Status: 200}); done != want {
			t.Errorf("second %+v, want %+v", done, want)
		}
	})
}

func TestCompressedAnswers(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	z := gzip.NewWriter(&page)
	_, _ = z.Write(samplePage(t, 100))
	_ = z.Close()
	tests := map[string]struct {
		send    []byte
		wantErr string
	}{
		"whole":                 {page.Bytes(), ""},
		"cut short":             {page.Bytes()[:page.Len()/2], "was cut short"},
		"cut in the header":     {page.Bytes()[:5], "was cut short"},
		"damaged":               {bytes.Replace(page.Bytes(), page.Bytes()[100:110], []byte("damaged..."), 1), "was cut short"},
		"not compressed at all": {[]byte(`{"total":1}`), "was cut short"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) { checkCompressed(t, test.send, test.wantErr) })
		})
	}
}

func checkCompressed(t *testing.T, send []byte, wantErr string) {
	requests := 0
	c := serve(t, V3, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "image/png") // which nobody should believe
		_, _ = w.Write(send)
	})
	got, err := c.Orders(t.Context(), event.Query{})
	if !strings.Contains(message(err), wantErr) || (err == nil) != (wantErr == "") {
		t.Fatalf("error %q, want %q", message(err), wantErr)
	}
	if want := map[bool]int{true: 1, false: 3}[err == nil]; requests != want {
		t.Errorf("%d requests, want %d", requests, want)
	}
	if err == nil && got.Count != 100 {
		t.Errorf("%d orders, want 100", got.Count)
	}
}

func TestAnswersAreCapped(t *testing.T) {
	t.Parallel()
	page := []byte(`{"total":0,"items":[]}`)
	if c := newTestClient(t, Options{}); c.longest != 64<<20 {
		t.Errorf("answers are capped at %d bytes", c.longest)
	}
	const longest = 1 << 20
	for size, wantErr := range map[int]string{longest: "", longest + 1: "HTTP 200: the answer is larger than 1 MiB (3 tries)"} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			// A small answer that is large when it is decompressed.
			var compressed bytes.Buffer
			z, _ := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
			_, _ = z.Write(page)
			_, _ = io.CopyN(z, spaces{}, int64(size-len(page)))
			_ = z.Close()
			inBubble(t, func(t *testing.T) {
				c := serve(t, V3, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Encoding", "gzip")
					_, _ = w.Write(compressed.Bytes())
				})
				c.longest = longest
				_, err := c.Orders(t.Context(), event.Query{})
				if !strings.HasSuffix(message(err), wantErr) || (err == nil) != (wantErr == "") {
					t.Errorf("error %v, want %q", err, wantErr)
				}
			})
		})
	}
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// A redirect must not carry the secret anywhere, the same host included.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, api := range []API{V3, Legacy} {
		inBubble(t, func(t *testing.T) {
			requests := 0
			c := serve(t, api, func(w http.ResponseWriter, r *http.Request) {
				requests++
				http.Redirect(w, r, "/elsewhere?key="+testSecret, http.StatusTemporaryRedirect)
			})
			_, err := c.Orders(t.Context(), event.Query{})
			var typed *Error
			if !errors.As(err, &typed) || typed.Status != 307 || requests != 1 {
				t.Errorf("%s: %v after %d requests", api, err, requests)
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	address := gone.URL
	gone.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it will not like the client's alert
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for base, want := range map[string]string{
		address:    "no connection to " + strings.TrimPrefix(address, "http://") + ": connection refused",
		secure.URL: "TLS with " + strings.TrimPrefix(secure.URL, "https://") + " failed: ",
	} {
		c := newTestClient(t, Options{BaseURL: base})
		_, failure := c.attempt(t.Context(), request{op: opOrders, path: "/orders"}, 1, nil)
		if failure == nil || !failure.retry || !strings.HasPrefix(failure.Message, want) {
			t.Errorf("failure %v, want %q", failure, want)
		}
	}
}

// Many calls at once share buffers and limiters.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	pages := map[string][]byte{"0": samplePage(t, 3), "3": samplePage(t, 50), "9": []byte(emptyPage)}
	c := newTestClient(t, Options{
		Limiter: NewLimiters().For(testToken, 1_000_000, V3),
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return answerWith(200, string(pages[r.URL.Query().Get("offset")])), nil
		}),
	})
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for offset, want := range map[int]int{0: 3, 3: 50, 9: 0} {
				page, err := c.Orders(t.Context(), event.Query{Offset: offset})
				if err != nil || len(page.Objects) != want {
					t.Errorf("offset %d: %d objects, %v", offset, len(page.Objects), err)
				}
				for _, object := range page.Objects {
					if !bytes.Contains(object.Raw, []byte(object.ID)) {
						t.Errorf("order %s has the text of another", object.ID)
					}
				}
			}
		})
	}
	calls.Wait()
}
