package ecwidtest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"
)

// A State is one state that an order had.
type State struct {
	// At is when it came to be, by Options.Now; Created and Updated are the stamps
	// that it carries. For a deletion Updated is that of the state before.
	At, Created, Updated time.Time
	// Deleted tells a deletion; V3 and Legacy are then the last state again.
	Deleted bool
	// Unfinished tells an order whose checkout is not completed.
	Unfinished bool
	// V3 and Legacy are the order byte for byte as the two APIs show it.
	V3, Legacy json.RawMessage
}

// A Deletion is an order that was deleted, restored since or not.
type Deletion struct {
	ID         string
	InternalID int64
	Time       time.Time // by the shop's clock
}

// Orders returns the orders that the shop has now, by id, as REST v3 reads one:
// without the unfinished ones, which are no orders yet.
func (s *Shop) Orders() map[string]json.RawMessage {
	orders := map[string]json.RawMessage{}
	s.eachCurrent(func(o row) {
		if o.payment != incomplete {
			orders[o.id] = s.render.v3(o)
		}
	})
	return orders
}

// Unfinished returns the ids of the unfinished orders, the oldest number first.
func (s *Shop) Unfinished() []string {
	var ids []string
	s.eachCurrent(func(o row) {
		if o.payment == incomplete {
			ids = append(ids, o.id)
		}
	})
	return ids
}

func (s *Shop) eachCurrent(f func(row)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if v := o.current(); !v.deleted {
			f(row{o, v})
		}
	}
}

// IDs returns the id of every order that the shop ever had, the oldest number
// first.
func (s *Shop) IDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.orders))
	for i, o := range s.orders {
		ids[i] = o.id
	}
	return ids
}

// InternalID returns the internal number of an order.
func (s *Shop) InternalID(id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.must(id).internalID
}

// History returns every state that an order had, the oldest first; nil for one
// that never was. The id may be the internal number.
func (s *Shop) History(id string) []State {
	var states []State
	for _, o := range s.rows(id) {
		states = append(states, State{
			At:      time.Unix(0, o.at).UTC(),
			Created: time.Unix(o.created, 0).UTC(),
			Updated: time.Unix(o.updated, 0).UTC(),
			Deleted: o.deleted, Unfinished: o.payment == incomplete,
			V3: s.render.v3(o), Legacy: s.render.legacy(o),
		})
	}
	return states
}

func (s *Shop) rows(id string) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(id)
	if o == nil {
		return nil
	}
	var rows []row
	for _, v := range o.versions {
		rows = append(rows, row{o, v})
	}
	return rows
}

// Deleted returns every deletion, the oldest first.
func (s *Shop) Deleted() []Deletion {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Deletion
	for _, d := range s.deletions {
		list = append(list, Deletion{d.order.id, d.order.internalID, time.Unix(d.at, 0).UTC()})
	}
	return list
}

// Knew tells whether an order, named by its id or internal number, ever was in
// exactly that state, in the form of either API. White space, the order of members
// and the escaping of strings do not matter.
func (s *Shop) Knew(id string, raw []byte) bool {
	var wanted any
	for _, o := range s.rows(id) {
		for _, known := range []json.RawMessage{s.render.v3(o), s.render.legacy(o)} {
			if bytes.Equal(known, raw) {
				return true
			}
			if wanted == nil && !decode(raw, &wanted) {
				return false
			}
			var value any
			if decode(known, &value) && reflect.DeepEqual(value, wanted) {
				return true
			}
		}
	}
	return false
}

func decode(raw []byte, value *any) bool {
	if !json.Valid(raw) {
		return false
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return decoder.Decode(value) == nil
}
