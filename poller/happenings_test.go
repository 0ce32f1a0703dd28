package poller

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// live lets something happen in the shop.
func (s *simulation) live() {
	for range 1 + s.random.IntN(3) {
		if !s.bursts {
			time.Sleep(time.Second)
		}
		s.logf("%s", s.shop.Step(s.random))
	}
	if !s.bursts {
		time.Sleep(time.Second)
	}
	switch s.random.IntN(12) {
	case 0:
		s.deleteOne(s.random, 20)
	case 1:
		s.restoreOne(s.random)
	case 2:
		s.editMany()
	case 3:
		s.flicker()
	case 4:
		s.unfinishOne()
	}
	if s.jumps && s.random.IntN(8) == 0 {
		s.ahead.Add(s.random.Int64N(int64(3 * time.Hour)))
	}
	if s.bursts && s.random.IntN(3) == 0 {
		s.burst()
	}
}

// burst makes several changes of one order at once, which all get the same stamp.
func (s *simulation) burst() {
	id := s.choose(s.random, 20, alive)
	if id == "" || s.random.IntN(3) == 0 {
		id = s.shop.Place()
	}
	for range 1 + s.random.IntN(2) {
		n := s.random.IntN(1000)
		s.shop.Edit(id, set("privateAdminNotes", fmt.Sprint("note ", n)))
		s.logf("order %s edited in a burst: %d", id, n)
	}
	if s.random.IntN(3) == 0 {
		s.logf("order %s deleted in a burst", s.shop.Delete(id))
	}
}

// editMany changes a good part of the newest orders, one soon after the other.
func (s *simulation) editMany() {
	for range 5 + s.random.IntN(10) {
		time.Sleep(time.Second + time.Duration(s.random.Int64N(int64(3*time.Second))))
		if id := s.choose(s.random, 30, alive); id != "" {
			s.logf("order %s shipped with others", s.shop.Ship(id))
		}
	}
}

func (s *simulation) deleteOne(r *rand.Rand, newest int) {
	if id := s.choose(r, newest, alive); id != "" {
		s.logf("order %s deleted", s.shop.Delete(id))
	}
}

func (s *simulation) restoreOne(r *rand.Rand) {
	if id := s.choose(r, 20, func(st ecwidtest.State) bool { return st.Deleted }); id != "" {
		s.logf("order %s restored", s.shop.Restore(id))
	}
}

// flicker deletes a new order twice, which comes back in between. Lists show that as
// late as they may.
func (s *simulation) flicker() {
	id := s.shop.Place()
	s.shop.DelayIndex(id, s.behaviour.IndexLag)
	s.logf("order %s placed, to flicker", id)
	longest := pick(s.random, 5*time.Second, 5*time.Second, 3*time.Minute)
	for range 3 {
		time.Sleep(time.Second + time.Duration(s.random.Int64N(int64(longest))))
		do, lag := s.shop.Delete, s.behaviour.DeletedIndexLag
		if history := s.shop.History(id); history[len(history)-1].Deleted {
			do, lag = s.shop.Restore, s.behaviour.IndexLag
		}
		s.logf("order %s flickers", do(id))
		s.shop.DelayIndex(id, lag)
	}
}

// unfinishOne makes an order one whose checkout is not completed. Some of these are
// deleted.
func (s *simulation) unfinishOne() {
	if id := s.choose(s.random, 20, unfinished); id != "" && s.random.IntN(2) == 0 {
		s.logf("order %s deleted while unfinished", s.shop.Delete(id))
	}
	if id := s.choose(s.random, 20, alive); id != "" {
		s.logf("order %s turned unfinished", s.shop.Edit(id, set("paymentStatus", "INCOMPLETE")))
	}
}

func unfinished(st ecwidtest.State) bool { return !st.Deleted && st.Unfinished }

func alive(st ecwidtest.State) bool { return !st.Deleted && !st.Unfinished }

// choose returns one of the newest orders whose state is as wanted, or none.
func (s *simulation) choose(r *rand.Rand, newest int, wanted func(ecwidtest.State) bool) string {
	ids := s.shop.IDs()
	for range 10 {
		if len(ids) == 0 {
			break
		}
		id := ids[len(ids)-1-r.IntN(min(newest, len(ids)))]
		if history := s.shop.History(id); wanted(history[len(history)-1]) {
			return id
		}
	}
	return ""
}

// interfere lets things happen while a request is under way: between two pages.
func (s *simulation) interfere(r *http.Request) {
	if s.lively.Load() && s.shrinking {
		s.shrink(r)
	}
	if !s.lively.Load() || s.drift.Float64() >= s.drifting {
		return
	}
	switch s.drift.IntN(4) {
	case 0, 1:
		s.deleteOne(s.drift, 6)
	case 2:
		s.logf("between: %s", s.shop.Step(s.drift))
		s.deleteOne(s.drift, 6)
	case 3:
		s.logf("between: %s", s.shop.Step(s.drift))
	}
}

// shrink deletes the last order of the list of updates before a later page of it is
// answered.
func (s *simulation) shrink(r *http.Request) {
	from := updatedFrom(r)
	if from == "" || r.URL.Query().Get("offset") == "0" {
		return
	}
	seconds, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		s.Error(err)
	}
	var last string
	var created time.Time
	for _, id := range s.shop.IDs() {
		history := s.shop.History(id)
		state := history[len(history)-1]
		listed := !state.Deleted && (!state.Unfinished || s.behaviour.ShowUnfinished) &&
			(state.Updated.Unix() > seconds || state.Updated.Unix() == seconds && !s.behaviour.ExclusiveBounds)
		if listed && (last == "" || state.Created.Before(created)) {
			last, created = id, state.Created
		}
	}
	if last != "" {
		s.logf("order %s deleted at the end of the list", s.shop.Delete(last))
	}
}

// updatedFrom is the bound of a list of updates, empty in any other request.
func updatedFrom(r *http.Request) string {
	q := r.URL.Query()
	return q.Get("updatedFrom") + q.Get("from_update_date")
}
