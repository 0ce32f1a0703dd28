package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// states holds the events that were accepted, by store and order.
type states struct {
	mu     sync.Mutex
	events map[int64]map[string][]received
	seen   map[string]bool
	told   map[int64]map[uint64]bool // the sequences, by store
	began  time.Time                 // what was there before is learned in silence
}

// A received is what the check looks at of an event.
type received struct {
	version   uint64
	eventType string
	detected  time.Time
	raw       []byte
}

func newStates() *states {
	return &states{
		began: time.Now(), seen: make(map[string]bool),
		events: make(map[int64]map[string][]received), told: make(map[int64]map[uint64]bool),
	}
}

func (s *states) take(a notifytest.Arrival, body []byte) {
	var e struct {
		Data struct {
			EventType  string          `json:"eventType"`
			DetectedAt time.Time       `json:"detectedAt"`
			Raw        json.RawMessage `json:"raw"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		panic(err) // the receiver has read it already
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[a.ID] {
		return
	}
	s.seen[a.ID] = true
	if s.events[a.StoreID] == nil {
		s.events[a.StoreID] = make(map[string][]received)
		s.told[a.StoreID] = make(map[uint64]bool)
	}
	s.told[a.StoreID][a.Sequence] = true
	of := s.events[a.StoreID]
	of[a.ObjectID] = append(of[a.ObjectID], received{a.Version, e.Data.EventType, e.Data.DetectedAt, e.Data.Raw})
}

// count tells how many events there are.
func (s *states) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// leftOut names the first event that has not arrived of each store's, which go from
// 1 to the given sequence.
func (s *states) leftOut(sequences map[int64]uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left strings.Builder
	for storeID, last := range sequences {
		for n := uint64(1); n <= last; n++ {
			if !s.told[storeID][n] {
				fmt.Fprintf(&left, "store %d: event %d of %d has not arrived\n", storeID, n, last)
				break
			}
		}
	}
	return left.String()
}

// A stateOf returns an order's id and bytes as one of the APIs tells them.
type stateOf func(shop *ecwidtest.Shop, id string, s ecwidtest.State) (objectID string, raw []byte)

func v3State(_ *ecwidtest.Shop, id string, s ecwidtest.State) (string, []byte) { return id, s.V3 }

func legacyState(shop *ecwidtest.Shop, id string, s ecwidtest.State) (string, []byte) {
	return strconv.FormatInt(shop.InternalID(id), 10), s.Legacy
}

// missing names an order of the shop whose final state has not arrived. What has
// not changed since the beginning, but for its stamps, needs none. It does not keep the
// receiver from taking events, which answers no sooner than they are taken.
func (s *states) missing(shop *ecwidtest.Shop, read stateOf) string {
	for _, id := range shop.IDs() {
		history := shop.History(id)
		first, last := history[0], history[len(history)-1]
		objectID, raw := read(shop, id, last)
		_, before := read(shop, id, first)
		told := received{raw: before, eventType: "CREATED"}
		if events := s.of(shop.ID(), objectID); len(events) > 0 {
			told = events[len(events)-1]
		} else if !s.learned(first) {
			told.eventType = "DELETED"
		}
		gone := last.Deleted || last.Unfinished
		if gone != (told.eventType == "DELETED") {
			return fmt.Sprintf("store %d order %s: gone is %t, the last event is %s; %s", shop.ID(), objectID, gone, told.eventType, s.story(shop.ID(), objectID, history))
		}
		if !gone && !bytes.Equal(told.raw, raw) && !bytes.Equal(withoutStamps(told.raw), withoutStamps(raw)) {
			return fmt.Sprintf("store %d order %s: another state was told; %s", shop.ID(), objectID, s.story(shop.ID(), objectID, history))
		}
	}
	return ""
}

// of returns what has arrived of an order.
func (s *states) of(storeID int64, objectID string) []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[storeID][objectID]
}

// learned tells whether an order with that first state is learned in silence.
func (s *states) learned(first ecwidtest.State) bool {
	return !first.Unfinished && !first.At.After(s.began)
}

// story tells what happened to an order and what was told of it.
func (s *states) story(storeID int64, objectID string, history []ecwidtest.State) string {
	var b strings.Builder
	for _, h := range history {
		fmt.Fprintf(&b, "\n\thappened %s, stamped %s, deleted %t, unfinished %t",
			h.At.Format(time.StampMilli), h.Updated.Format(time.TimeOnly), h.Deleted, h.Unfinished)
	}
	for _, e := range s.of(storeID, objectID) {
		fmt.Fprintf(&b, "\n\ttold version %d, %s, detected %s", e.version, e.eventType, e.detected.Format(time.StampMilli))
	}
	return b.String() + "\n"
}

// withoutStamps leaves out what is no change by itself.
func withoutStamps(raw []byte) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		panic(err) // it comes from the fake server, or was read already
	}
	for _, stamp := range []string{"updateDate", "updateTimestamp", "lastChangeDate"} {
		delete(members, stamp)
	}
	text, err := json.Marshal(members) // sorts the members
	if err != nil {
		panic(err)
	}
	return text
}

// check holds every event against the shop's history: each tells a state that
// existed, the versions leave none out, and an order is created, and created again
// only when it was deleted.
func (s *states) check(t *testing.T, shop *ecwidtest.Shop, read stateOf) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]string)
	for _, id := range shop.IDs() {
		objectID, _ := read(shop, id, ecwidtest.State{})
		known[objectID] = id
	}
	for objectID, events := range s.events[shop.ID()] {
		lives, version := s.learned(shop.History(known[objectID])[0]), uint64(0)
		if lives {
			version = 1
		}
		for i, e := range events {
			if !existed(shop, known[objectID], e.raw, read) {
				t.Errorf("store %d order %s: event %d tells a state that never was", shop.ID(), objectID, i)
			}
			if version++; e.version != version {
				t.Errorf("store %d order %s: event %d has version %d, want %d", shop.ID(), objectID, i, e.version, version)
			}
			if created := e.eventType == "CREATED"; created == lives {
				t.Errorf("store %d order %s: event %d is %s, though that the order lives is %t", shop.ID(), objectID, i, e.eventType, lives)
			}
			lives = e.eventType != "DELETED"
		}
	}
}

func existed(shop *ecwidtest.Shop, id string, raw []byte, read stateOf) bool {
	for _, state := range shop.History(id) {
		if _, was := read(shop, id, state); bytes.Equal(was, raw) {
			return true
		}
	}
	return false
}
