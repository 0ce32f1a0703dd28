package notify

import (
	"container/heap"
	"slices"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// A lane is what a queue knows of one store. Only stores with pending deliveries
// have one.
type lane struct {
	storeID int64
	// ask is when the storage is to be asked for more; zero: when something has
	// been recorded, or the store is woken.
	ask time.Time
	// page holds what the storage has returned and nobody has taken yet.
	page []event.Delivery
	read time.Time // when page was read
	// woken tells that the store may have deliveries that were never attempted.
	woken bool
	// open counts deliveries taken that are not recorded yet.
	open    int
	trouble trouble

	inTurn bool
	index  int // in the heap of waiting lanes, -1 when not there
}

// trouble is a run of failures of the storage.
type trouble struct {
	failures int
	text     string // of the last
}

// again counts another failure. It returns how long to wait before the storage is
// asked again, and whether the error is another than the last one.
func (t *trouble) again(err error) (wait time.Duration, isNew bool) {
	t.failures++
	text := err.Error()
	isNew = text != t.text
	t.text = text
	return storageRetry(t.failures), isNew
}

// askBy makes sure that the storage is asked at that time at the latest.
func (l *lane) askBy(t time.Time) {
	if l.ask.IsZero() || t.Before(l.ask) {
		l.ask = t
	}
}

// forget drops what was read, so that it is read again from that time on.
func (l *lane) forget(now time.Time) {
	l.page = nil
	l.askBy(now)
}

// lanes holds the lanes of a queue: those with something to do now take turns, the
// others wait for their time.
type lanes struct {
	byStore map[int64]*lane
	turns   []*lane
	waiting laneHeap
}

func newLanes() lanes { return lanes{byStore: make(map[int64]*lane)} }

// of returns the lane of a store, which it makes when there is none.
func (ls *lanes) of(storeID int64) *lane {
	l := ls.byStore[storeID]
	if l == nil {
		l = &lane{storeID: storeID, index: -1}
		ls.byStore[storeID] = l
	}
	return l
}

// place puts a lane where it belongs after a change: to the end of the turns, among
// the waiting, or nowhere, and drops it when nothing is known to be pending.
func (ls *lanes) place(l *lane, now time.Time) {
	if l.inTurn {
		return
	}
	if l.index >= 0 {
		heap.Remove(&ls.waiting, l.index)
	}
	switch {
	case len(l.page) > 0 || (!l.ask.IsZero() && !l.ask.After(now)):
		l.inTurn = true
		ls.turns = append(ls.turns, l)
	case !l.ask.IsZero():
		heap.Push(&ls.waiting, l)
	case l.open == 0:
		delete(ls.byStore, l.storeID)
	}
}

// wakeDue moves the lanes whose time has come to the turns.
func (ls *lanes) wakeDue(now time.Time) {
	for len(ls.waiting) > 0 && !ls.waiting[0].ask.After(now) {
		ls.place(ls.waiting[0], now)
	}
}

// askAll makes sure that all lanes are asked at that time at the latest.
func (ls *lanes) askAll(now time.Time) {
	for _, l := range ls.byStore {
		l.askBy(now)
		ls.place(l, now)
	}
}

// nextTurn takes the lane whose turn it is, nil when none has anything to do now.
// With wokenFirst it is the turn of the first that has been woken, if there is one.
// The caller places it again.
func (ls *lanes) nextTurn(wokenFirst bool) *lane {
	if len(ls.turns) == 0 {
		return nil
	}
	if wokenFirst {
		if i := slices.IndexFunc(ls.turns, func(l *lane) bool { return l.woken }); i > 0 {
			ls.turns[0], ls.turns[i] = ls.turns[i], ls.turns[0]
		}
	}
	l := ls.turns[0]
	ls.turns[0] = nil
	ls.turns = ls.turns[1:]
	l.inTurn = false
	return l
}

// A laneHeap is the heap of waiting lanes, the first to ask on top.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].ask.Before(h[j].ask) }

func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is part of heap.Interface.
func (h *laneHeap) Push(x any) {
	l := x.(*lane) //nolint:errcheck // the heap holds nothing else
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop is part of heap.Interface.
func (h *laneHeap) Pop() any {
	old := *h
	n := len(old) - 1
	l := old[n]
	old[n] = nil
	*h = old[:n]
	l.index = -1
	return l
}
