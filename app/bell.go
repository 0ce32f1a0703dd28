package app

import "sync"

// A bell wakes all who wait for events.
type bell struct {
	mu   sync.Mutex
	rung chan struct{} // closed by the next ring
}

// next returns what is closed by the next ring. Whoever asks before looking for
// events misses none.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
