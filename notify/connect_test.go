package notify_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/notify"
)

// A receiver, or a proxy, that takes connections and never speaks must not gather
// them: an attempt that is given up ends its connection too.
func TestSilenceLeavesNoConnection(t *testing.T) {
	t.Parallel()
	for name, via := range map[string]func(c *notify.Callback, addr string){
		"of a receiver":      func(c *notify.Callback, addr string) { c.URL = "http://" + addr },
		"in the handshake":   func(c *notify.Callback, addr string) { c.URL = "https://" + addr },
		"of an HTTP proxy":   func(c *notify.Callback, addr string) { c.URL, c.Proxy = "https://callback.test", "http://"+addr },
		"of an HTTPS proxy":  func(c *notify.Callback, addr string) { c.URL, c.Proxy = "http://callback.test", "https://"+addr },
		"of a SOCKS5 proxy":  func(c *notify.Callback, addr string) { c.URL, c.Proxy = "http://callback.test", "socks5://"+addr },
		"of a proxy's relay": func(c *notify.Callback, addr string) { c.URL, c.Proxy = "http://callback.test", "http://"+addr },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gauge := silence(t)
			c := callbackTo("")
			via(&c, gauge.addr)
			c.Timeout, c.Concurrency = 50*time.Millisecond, 2
			c.Retry.First, c.Retry.Longest = time.Millisecond, time.Millisecond
			b := newBed(t, c)
			b.commitObjects(t, someStore, 10)
			_, stop := b.start(t)
			const attempts = 20
			for deadline := time.After(20 * time.Second); b.log.FilterMessage("delivery.attempted").Len() < attempts; {
				select {
				case <-deadline:
					t.Fatal("there were no attempts")
				case <-time.After(time.Millisecond):
				}
			}
			stop()
			// One for each worker, and one that is just being closed.
			if most := gauge.highest(); most > 2*c.Concurrency {
				t.Errorf("%d connections were open at once, for %d workers", most, c.Concurrency)
			}
		})
	}
}

// silence listens until the end of the test, and says no more on a connection than
// the words, when it was spoken to.
func silence(t *testing.T, words ...string) *connections {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gauge := &connections{addr: l.Addr().String(), words: strings.Join(words, "")}
	var served sync.WaitGroup
	served.Go(func() { gauge.serve(l) })
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
	})
	return gauge
}

// connections counts those that are open.
type connections struct {
	addr, words string

	mu         sync.Mutex
	open, most int
}

func (c *connections) serve(l net.Listener) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.add(1)
		open.Go(func() {
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, c.words)
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
			c.add(-1)
		})
	}
}

func (c *connections) highest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

func (c *connections) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += n
	c.most = max(c.most, c.open)
}
