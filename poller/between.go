package poller

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Between calls f while a store is not being polled, so that nothing that was read of
// the store before is held any more, and returns its error. A poll that is under way
// ends first, and the reading of a whole shop makes room after its present window; the
// next poll waits for f. It returns ctx's error when that ends before f is called. A
// store that the Poller was not given is never polled.
//
// It may be called at any time, concurrently, and not from f.
func (p *Poller) Between(ctx context.Context, storeID int64, f func() error) error {
	t, ok := p.byStore[storeID]
	if !ok {
		return f()
	}
	t.occupied.awaited.Add(1)
	err := t.occupied.take(ctx)
	t.occupied.awaited.Add(-1)
	if err != nil {
		return fmt.Errorf("waiting for the poll of store %d to end: %w", storeID, err)
	}
	defer t.occupied.release()
	return f()
}

// An occupation is held by one at a time. Who waits for it gets it in turn.
type occupation struct {
	token chan struct{}
	// awaited counts those for whom the reading of a whole shop makes room.
	awaited *atomic.Int32
}

func newOccupation() occupation {
	return occupation{token: make(chan struct{}, 1), awaited: new(atomic.Int32)}
}

func (o occupation) take(ctx context.Context) error {
	select {
	case o.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o occupation) release() { <-o.token }

func (o occupation) isAwaited() bool { return o.awaited.Load() > 0 }
