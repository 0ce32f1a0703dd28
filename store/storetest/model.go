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
	living     map[int64]map[string]bool // by store and object
	pauses     map[event.Pause]bool      // without Since
	last       uint64                    // position
	now        time.Time
}

var modelCallbacks = []string{"a", "b"}

// randomOperations does everything that changes a storage at random, restarts
// included, and holds the storage against the model after each step.
func randomOperations(t *testing.T, s *storage) {
	m := &model{
		s: s, random: randomSource(t), shops: []*shop{newShop(1), newShop(2), newShop(3)},
		living: map[int64]map[string]bool{1: {}, 2: {}, 3: {}}, pauses: map[event.Pause]bool{}, now: at(0),
	}
	for step := range 400 {
		m.now = m.now.Add(time.Duration(m.random.IntN(3000)) * time.Millisecond)
		switch n := m.random.IntN(41); {
		case n < 14:
			m.commit()
		case n < 32:
			m.record()
		case n < 35:
			m.replay()
		case n < 36:
			m.move()
		case n < 37:
			m.drop()
		case n < 38:
			m.pause()
		case n < 39:
			m.prune()
		case n < 40:
			m.forget()
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
	for i := range set.Snapshots {
		snapshot := &set.Snapshots[i]
		if m.living[shop.id][snapshot.ObjectID] = true; m.random.IntN(4) == 0 {
			snapshot.Deleted = m.now
			delete(m.living[shop.id], snapshot.ObjectID)
		}
	}
	m.s.commit(set)
	m.events = append(m.events, set.Events...)
	m.deliveries = append(m.deliveries, set.Deliveries...)
	if n := len(set.Events); n > 0 {
		m.last = set.Events[n-1].Position
	}
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
		r.Refusals = m.random.IntN(5)
		results = append(results, r)
		d.Attempts++
		if d.FirstAttempt.IsZero() {
			d.FirstAttempt = m.now
		}
		d.LastAttempt = m.now
		if d.State == event.Pending {
			d.State, d.Refusals, d.NextAttempt = state, r.Refusals, time.Time{}
			if d.Manual = d.Manual && state == event.Pending; state == event.Pending {
				d.NextAttempt = r.NextAttempt
			}
		}
	}
	m.s.record(results...)
}

// replay replays any events, for any callbacks, one of them twice at times.
func (m *model) replay() {
	if len(m.events) == 0 {
		return
	}
	var wanted []event.Delivery
	replayed := 0
	for range 1 + m.random.IntN(4) {
		e := &m.events[m.random.IntN(len(m.events))]
		w := again(modelCallbacks[m.random.IntN(2)], *e)
		w.OrderingKey, w.NextAttempt = []string{"shared", w.OrderingKey}[m.random.IntN(2)], m.now
		wanted = append(wanted, w)
		i := slices.IndexFunc(m.deliveries, func(d event.Delivery) bool { return d.Callback == w.Callback && d.EventID == w.EventID })
		switch {
		case i < 0:
			w.Position = e.Position
			m.deliveries = append(m.deliveries, w)
			replayed++
		case m.deliveries[i].State != event.Pending:
			d := &m.deliveries[i]
			d.State, d.Manual, d.Refusals, d.FirstAttempt = event.Pending, true, 0, time.Time{}
			d.OrderingKey, d.NextAttempt = w.OrderingKey, w.NextAttempt
			replayed++
		}
	}
	equal(m.s.t, "replayed", m.s.replay(wanted...), replayed)
}

// move moves all of one callback in steps.
func (m *model) move() {
	from, to, limit := modelCallbacks[0], modelCallbacks[1], 1+m.random.IntN(9)
	if m.random.IntN(2) == 0 {
		from, to = to, from
	}
	has := map[string]bool{}
	for _, d := range m.deliveries {
		has[d.EventID] = has[d.EventID] || d.Callback == to
	}
	want := 0
	for i := range m.deliveries {
		if d := &m.deliveries[i]; d.Callback == from && d.State != event.Delivered {
			want++
			if d.Callback = to; has[d.EventID] {
				d.Callback = ""
			}
		}
	}
	m.deliveries = slices.DeleteFunc(m.deliveries, func(d event.Delivery) bool { return d.Callback == "" })
	equal(m.s.t, "moved", inSteps(limit, func() int { return m.s.move(from, to, limit) }), want)
}

// drop drops all of a callback in one state in steps.
func (m *model) drop() {
	callback, limit := modelCallbacks[m.random.IntN(2)], 1+m.random.IntN(9)
	state := []event.DeliveryState{event.Pending, event.Dead, event.Dead}[m.random.IntN(3)]
	before := len(m.deliveries)
	m.deliveries = slices.DeleteFunc(m.deliveries, func(d event.Delivery) bool { return d.Callback == callback && d.State == state })
	equal(m.s.t, "dropped", inSteps(limit, func() int { return m.s.drop(callback, state, limit) }), before-len(m.deliveries))
}

// inSteps repeats a step until it does less than limit, and returns the sum.
func inSteps(limit int, step func() int) (sum int) {
	for {
		n := step()
		if sum += n; n < limit {
			return sum
		}
	}
}

// pause pauses or resumes something.
func (m *model) pause() {
	p := event.Pause{Callback: modelCallbacks[m.random.IntN(2)]}
	if m.random.IntN(2) == 0 {
		p = event.Pause{StoreID: 1 + m.random.Int64N(3)}
	}
	if m.pauses[p] {
		if err := m.s.Resume(m.s.t.Context(), p.Callback, p.StoreID); err != nil {
			m.s.t.Errorf("Resume: %v", err)
		}
		delete(m.pauses, p)
		return
	}
	m.pauses[p] = true
	m.s.pause(p)
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

// forget erases one object, which is new when it changes again.
func (m *model) forget() {
	shop, id := m.shops[m.random.IntN(len(m.shops))], fmt.Sprint("object", m.random.IntN(4))
	var want event.Forgotten
	if shop.versions[id] > 0 {
		want.Snapshots = 1
	}
	delete(shop.versions, id)
	delete(m.living[shop.id], id)
	events, deliveries := len(m.events), len(m.deliveries)
	m.events = slices.DeleteFunc(m.events, func(e event.Event) bool { return e.Store.ID == shop.id && e.ObjectID == id })
	m.deliveries = slices.DeleteFunc(m.deliveries, func(d event.Delivery) bool { return m.event(d.EventID) == nil })
	want.Events, want.Deliveries = events-len(m.events), deliveries-len(m.deliveries)
	equal(m.s.t, "forgotten", m.s.forget(shop.id, id), want)
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
	m.compareLists()
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
	for _, shop := range m.shops {
		equal(t, "known objects", m.s.known(shop.id), len(m.living[shop.id]))
	}
	for _, d := range m.deliveries {
		got, attempts := m.s.delivery(d.Callback, d.EventID)
		equal(t, "delivery", got, d)
		equal(t, "attempts", len(attempts), d.Attempts)
	}
}

// compareLists lists everything, in pages of random size and either direction.
func (m *model) compareLists() {
	t, limit, newest := m.s.t, 1+m.random.IntN(9), m.random.IntN(2) == 0
	storeID := m.random.Int64N(4) // 0: any
	var events []event.Event
	for _, e := range m.events {
		if storeID == 0 || e.Store.ID == storeID {
			events = append(events, e)
		}
	}
	if newest {
		events = reversed(events)
	}
	equal(t, "events", m.s.allEvents(event.HistoryQuery{StoreID: storeID, Newest: newest, Limit: limit}), events)
	equal(t, "last position", m.s.lastPosition(), m.last)
	for _, callback := range modelCallbacks {
		for _, state := range []event.DeliveryState{event.Pending, event.Delivered, event.Dead} {
			var want []event.Delivery
			for _, d := range m.deliveries {
				if d.Callback == callback && d.State == state && (storeID == 0 || d.StoreID == storeID) {
					want = append(want, m.s.listed(d))
				}
			}
			slices.SortFunc(want, func(a, b event.Delivery) int { return cmp.Compare(a.Position, b.Position) })
			if newest {
				want = reversed(want)
			}
			q := event.DeliveryQuery{Callback: callback, State: state, StoreID: storeID, Newest: newest, Limit: limit}
			equal(t, "deliveries", m.s.allDeliveries(q), want)
		}
	}
	pauses, err := m.s.Pauses(t.Context())
	for _, p := range pauses {
		if !m.pauses[p] {
			t.Errorf("%+v is paused", p)
		}
	}
	equal(t, "number of pauses", len(pauses), len(m.pauses))
	equal(t, "error of Pauses", err, nil)
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
