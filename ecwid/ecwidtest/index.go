package ecwidtest

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// A timeline finds orders by one of their stamps. It holds an entry for every
// stamp that an order ever had, sorted by stamp and internal number.
type timeline []entry

type entry struct {
	stamp int64
	order *order
}

func (t *timeline) add(stamp int64, o *order) {
	e := entry{stamp, o}
	at, _ := slices.BinarySearchFunc(*t, e, compareEntries)
	*t = slices.Insert(*t, at, e)
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.stamp, b.stamp), cmp.Compare(a.order.internalID, b.order.internalID))
}

func (t timeline) within(s span) []entry {
	from := sort.Search(len(t), func(i int) bool { return t[i].stamp >= s.from })
	to := sort.Search(len(t), func(i int) bool { return t[i].stamp > s.to })
	return t[from:max(from, to)]
}

// A span is a range of UNIX seconds, both ends included.
type span struct{ from, to int64 }

var always = span{math.MinInt64, math.MaxInt64}

func (s span) holds(stamp int64) bool { return s.from <= stamp && stamp <= s.to }

// A query is what a list was asked for.
type query struct {
	created, updated     span
	payment, fulfillment []string // nil: any
	// one asks for one order, past the index; ids for several, through it.
	one string
	ids []string
	// filtered tells that any filter was set.
	filtered      bool
	offset, limit int
	// keep is what responseFields asks for.
	keep fields
}

// list answers a query as the index knows it: how many orders match, and the page
// wanted of them, the newest created first.
func (s *Shop) list(q query) (total int, page []row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page = make([]row, 0, min(q.limit, len(s.orders)))
	s.eachMatch(q, func(o *order, v *version) {
		if total++; total > q.offset && len(page) < q.limit {
			page = append(page, row{o, *v})
		}
	})
	return total, page
}

// eachMatch calls f with what a query selects, in the order of the answer. The
// caller holds s.mu.
func (s *Shop) eachMatch(q query, f func(*order, *version)) {
	at := s.indexTime()
	if q.one == "" && q.ids == nil && q.updated == always {
		for _, e := range slices.Backward(s.created.within(q.created)) {
			if v := e.order.visible(at); v != nil && v.created == e.stamp && s.shows(q, v) {
				f(e.order, v)
			}
		}
		return
	}
	candidates := s.findAll(append(slices.Clone(q.ids), q.one))
	if q.one != "" {
		at = math.MaxInt64
	} else if q.ids == nil {
		candidates = s.updated.within(q.updated)
	}
	found := make([]entry, 0, len(candidates)) // by creation
	for _, e := range candidates {
		if v := e.order.visible(at); v != nil && s.shows(q, v) {
			found = append(found, entry{v.created, e.order})
		}
	}
	slices.SortFunc(found, compareEntries)
	for _, e := range slices.Backward(slices.Compact(found)) { // an order can have had several stamps
		f(e.order, e.order.visible(at))
	}
}

// shows tells whether a version belongs into the answer to a query.
func (s *Shop) shows(q query, v *version) bool {
	if v.payment == incomplete && !slices.Contains(q.payment, incomplete) &&
		(!q.filtered || !s.behaviour.ShowUnfinished) {
		return false
	}
	return q.created.holds(v.created) && q.updated.holds(v.updated) &&
		(q.payment == nil || slices.Contains(q.payment, v.payment)) &&
		(q.fulfillment == nil || slices.Contains(q.fulfillment, v.fulfillment))
}

// indexTime is the time whose state the next list shows: now, or earlier when a
// stale copy answers.
func (s *Shop) indexTime() int64 {
	at := s.server.now().UnixNano()
	if s.behaviour.StaleChance > 0 && s.reads.Float64() < s.behaviour.StaleChance {
		at -= s.reads.Int64N(int64(s.behaviour.StaleAge) + 1)
	}
	return at
}

// findAll returns the orders of those ids.
func (s *Shop) findAll(ids []string) []entry {
	var found []entry
	for _, id := range ids {
		if o := s.find(id); o != nil {
			found = append(found, entry{order: o})
		}
	}
	return found
}

// DelayIndex makes lists go on showing the state before the last change of an
// order for that long from now. Two changes in one second, of which the second is
// delayed, are the same stamp with another content.
func (s *Shop) DelayIndex(id string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(id)
	o.versions[len(o.versions)-1].listed = s.server.now().Add(d).UnixNano()
}

// deletedList answers the list of deletions, the newest first.
func (s *Shop) deletedList(within span, offset, limit int) (total int, page []deletion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.server.now().UnixNano()
	var found []deletion
	for _, d := range slices.Backward(s.deletions) {
		if within.holds(d.at) && d.listed <= now {
			found = append(found, d)
		}
	}
	from := min(offset, len(found))
	return len(found), found[from:min(from+limit, len(found))]
}
