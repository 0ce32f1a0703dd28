package ecwid

import (
	"context"
	"sync"
	"time"
)

// A window is a limit of count requests in any span of length per.
type window struct {
	count int
	per   time.Duration
}

// The limits of API v1 for one address, by kb.ecwid.com/w/page/25285101/Product-API.
// That page is about its product half; clients hold them for orders too.
var addressWindows = []window{
	{100, 5 * time.Second},
	{400, 50 * time.Second},
	{1400, 500 * time.Second},
}

// addressConnections is how many connections API v1 allows one address at once.
const addressConnections = 10

// An addressLimit keeps a process within addressWindows and addressConnections.
// It is used concurrently.
type addressLimit struct {
	connections chan struct{}

	mu   sync.Mutex
	sent [1400]time.Time // when the last requests were sent: as many as the widest window counts
	n    int             // requests sent so far
}

func newAddressLimit() *addressLimit {
	return &addressLimit{connections: make(chan struct{}, addressConnections)}
}

// acquire waits until a request may be sent. Its error is the context's. The
// answer read, release must be called.
func (a *addressLimit) acquire(ctx context.Context) (release func(), err error) {
	select {
	case a.connections <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = func() { <-a.connections }
	for {
		wait := a.take(time.Now())
		if wait <= 0 {
			return release, nil
		}
		if err := sleep(ctx, wait); err != nil {
			release()
			return nil, err
		}
	}
}

// take counts a request sent now, or returns how long to wait before asking again.
func (a *addressLimit) take(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var wait time.Duration
	for _, w := range addressWindows {
		if a.n >= w.count {
			first := a.sent[(a.n-w.count)%len(a.sent)]
			wait = max(wait, first.Add(w.per).Sub(now))
		}
	}
	if wait <= 0 {
		a.sent[a.n%len(a.sent)] = now
		a.n++
	}
	return wait
}
