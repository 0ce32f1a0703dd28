package notify

import (
	"sync"

	"github.com/ecwid-events/ecwid-events/event"
)

// An inbox takes what others tell a queue. None of them ever waits for the queue.
type inbox struct {
	mu       sync.Mutex
	woken    map[int64]struct{}
	recorded []*attempted
	refused  []*event.Delivery // taken by a worker when no attempt might begin
	failed   error             // of the storage
	held     bool              // nothing can be recorded, so nothing is to be sent
	news     chan struct{}     // holds one token when there is something
}

func (q *queue) wake(storeID int64) {
	q.inbox.mu.Lock()
	if q.inbox.woken == nil {
		q.inbox.woken = make(map[int64]struct{})
	}
	q.inbox.woken[storeID] = struct{}{}
	q.inbox.mu.Unlock()
	signal(q.inbox.news)
}

func (q *queue) recorded(batch []*attempted) {
	q.inbox.mu.Lock()
	q.inbox.recorded = append(q.inbox.recorded, batch...)
	q.inbox.mu.Unlock()
	signal(q.inbox.news)
}

func (q *queue) hold(held bool) {
	q.inbox.mu.Lock()
	q.inbox.held = held
	q.inbox.mu.Unlock()
	signal(q.inbox.news)
}

// isEmpty tells whether there is nothing that the queue has to act on.
func (in *inbox) isEmpty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.woken)+len(in.recorded)+len(in.refused) == 0
}
