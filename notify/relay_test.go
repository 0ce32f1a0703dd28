package notify_test

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A relay forwards connections, until they are frozen.
type relay struct {
	addr string

	mu     sync.Mutex
	frozen chan struct{}
	count  int
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), frozen: make(chan struct{})}
	ended := make(chan struct{})
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			to, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
			if err != nil {
				t.Error(err)
				return
			}
			r.mu.Lock()
			r.count++
			frozen := r.frozen
			r.mu.Unlock()
			served.Go(func() { forward(conn, to, frozen, ended) })
			served.Go(func() { forward(to, conn, frozen, ended) })
		}
	})
	t.Cleanup(func() {
		close(ended)
		_ = l.Close()
		served.Wait()
	})
	return r
}

// forward copies until its source ends. What comes after the freezing is lost, and
// the end of the source is not told.
func forward(from, to net.Conn, frozen, ended <-chan struct{}) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-frozen:
			<-ended
			return
		default:
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// freeze loses what is sent from now on over the connections that are open.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.frozen)
	r.frozen = make(chan struct{})
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}
