package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// A model is what a storage promises, in memory and simple enough to be right.
type model struct {
	s          *storage
	random     *rand.Rand
	shops      []*shop
	events     []event.Event
	deliveries []event.Delivery
	now        time.Time
}

var modelCallbacks = []string{"a", "b"}

// randomOperations commits, records, prunes and restarts at random, and holds the
// storage against the model after each step.
func randomOperations(t *testing.T, s *storage) {
	m := &model{s: s, random: randomSource(t), shops: []*shop{newShop(1), newShop(2), newShop(3)}, now: at(0)}
	for step := range 400 {
		m.now = m.now.Add(time.Duration(m.random.IntN(3000)) * time.Millisecond)
		switch n := m.random.IntN(20); {
		case n < 8:
			m.commit()
		case n < 18:
			m.record()
		case n < 19:
			m.prune()
		default:
			s.reopen()
		}
		m.compare()
		if t.Failed() {
			t.Fatalf("after step %d", step)
		}
	}
}

func (m *model) commit() {
	shop := m.shops[m.random.IntN(len(m.shops))]
	objects := make([]string, m.random.IntN(4))
	for i := range objects {
		objects[i] = fmt.Sprint("object", m.random.IntN(4))
	}
	set := shop.change(m.now, modelCallbacks[:m.random.IntN(3)], objects...)
	for i := range set.Deliveries {
		set.Deliveries[i].NextAttempt = m.now.Add(time.Duration(m.random.IntN(9)-4) * time.Second)
		if m.random.IntN(5) == 0 {
			set.Deliveries[i].OrderingKey = "shared"
		}
	}
	m.s.commit(set)
	m.events = append(m.events, set.Events...)
	m.deliveries = append(m.deliveries, set.Deliveries...)
}

// record records results of any deliveries, those that wait or are settled too,
// one of them twice at times.
func (m *model) record() {
	if len(m.deliveries) == 0 {
		return
	}
	var results []event.Result
	for range 1 + m.random.IntN(4) {
		d := &m.deliveries[m.random.IntN(len(m.deliveries))]
		state := []event.DeliveryState{event.Pending, event.Delivered, event.Delivered, event.Dead}[m.random.IntN(4)]
		r := result(*d, m.now, state, m.now.Add(time.Duration(m.random.IntN(9))*time.Second))
		results = append(results, r)
		d.Attempts++
		if d.FirstAttempt.IsZero() {
			d.FirstAttempt = m.now
		}
		d.LastAttempt = m.now
		if d.State == event.Pending {
			d.State, d.NextAttempt = state, time.Time{}
			if state == event.Pending {
				d.NextAttempt = r.NextAttempt
			}
		}
	}
	m.s.record(results...)
}

func (m *model) prune() {
	q := event.PruneQuery{
		DeliveredBefore: m.now.Add(-time.Duration(m.random.IntN(60)) * time.Second),
		DeadBefore:      m.now.Add(-time.Duration(m.random.IntN(90)) * time.Second), Limit: 1 + m.random.IntN(5),
	}
	removed := pruneAll(m.s, q)
	m.deliveries = slices.DeleteFunc(m.deliveries, func(d event.Delivery) bool {
		return d.State == event.Dead && d.LastAttempt.Before(q.DeadBefore)
	})
	before := len(m.events)
	m.events = slices.DeleteFunc(m.events, func(e event.Event) bool {
		return e.DetectedAt.Before(q.DeliveredBefore) && !slices.ContainsFunc(m.deliveries, func(d event.Delivery) bool {
			return d.EventID == e.ID && d.State != event.Delivered
		})
	})
	m.deliveries = slices.DeleteFunc(m.deliveries, func(d event.Delivery) bool { return m.event(d.EventID) == nil })
	equal(m.s.t, "removed events", removed, before-len(m.events))
}

func (m *model) event(id string) *event.Event {
	i := slices.IndexFunc(m.events, func(e event.Event) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return &m.events[i]
}

// ready returns the deliveries of a callback that wait for no other, by the time
// of their next attempt.
func (m *model) ready(callback string) []event.Delivery {
	oldest := map[string]event.Delivery{}
	for _, d := range m.deliveries {
		first, ok := oldest[d.OrderingKey]
		if d.Callback == callback && d.State == event.Pending && (!ok || d.Position < first.Position) {
			oldest[d.OrderingKey] = d
		}
	}
	var ready []event.Delivery
	for _, d := range oldest {
		ready = append(ready, d)
	}
	slices.SortFunc(ready, func(a, b event.Delivery) int {
		return cmp.Or(a.NextAttempt.Compare(b.NextAttempt), cmp.Compare(a.Position, b.Position))
	})
	return ready
}

func (m *model) compare() {
	t := m.s.t
	for _, callback := range modelCallbacks {
		ready := m.ready(callback)
		stores := map[int64]time.Time{}
		for _, d := range slices.Backward(ready) {
			stores[d.StoreID] = d.NextAttempt
		}
		got, err := m.s.PendingStores(t.Context(), callback)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pending stores", got, stores)
		equal(t, "backlog", m.s.backlog(callback), m.backlog(callback))
		for _, shop := range m.shops {
			m.compareDue(callback, shop.id, ready)
		}
	}
	for _, d := range m.deliveries {
		got, attempts := m.s.delivery(d.Callback, d.EventID)
		equal(t, "delivery", got, d)
		equal(t, "attempts", len(attempts), d.Attempts)
	}
}

func (m *model) backlog(callback string) (b event.Backlog) {
	oldest := uint64(0)
	for _, d := range m.deliveries {
		switch {
		case d.Callback != callback:
		case d.State == event.Dead:
			b.Dead++
		case d.State == event.Pending:
			b.Pending++
			if oldest == 0 || d.Position < oldest {
				oldest, b.Oldest = d.Position, m.event(d.EventID).DetectedAt
			}
		}
	}
	return b
}

// compareDue asks for a random page, with every third position under way.
func (m *model) compareDue(callback string, storeID int64, ready []event.Delivery) {
	q := event.DueQuery{Callback: callback, StoreID: storeID, Now: m.now, Limit: m.random.IntN(4)}
	q.Skip = func(position uint64) bool { return position%3 == 0 }
	var due []event.Delivery
	var next time.Time
	for _, d := range ready {
		switch {
		case d.StoreID != storeID || q.Skip(d.Position):
		case len(due) < q.Limit && !d.NextAttempt.After(q.Now):
			due = append(due, d)
		case next.IsZero():
			next = d.NextAttempt
		}
	}
	gotDue, gotNext := m.s.due(q)
	equal(m.s.t, "due", gotDue, due)
	equal(m.s.t, "next", gotNext, next)
}
