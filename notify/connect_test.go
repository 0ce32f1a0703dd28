package notify_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A receiver that takes connections and never speaks TLS must not gather them: an
// attempt that is given up ends its connection too.
func TestHandshakeThatHangsLeavesNoConnection(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gauge := &connections{}
	var served sync.WaitGroup
	served.Go(func() { gauge.serve(l) })
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
	})
	c := callbackTo("https://" + l.Addr().String())
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
}

// connections counts those that are open, and says nothing on them.
type connections struct {
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
