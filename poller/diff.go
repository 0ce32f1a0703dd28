package poller

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/ecwid-events/ecwid-events/event"
)

// updateStamps are the members of an object that say when it was last changed, in
// REST v3 and in the legacy Order API. They differ whenever anything else does.
var updateStamps = [][]string{{"updateDate"}, {"updateTimestamp"}, {"lastChangeDate"}}

// Diff returns the fields in which two states of an object differ, apart from the
// update stamps and what is ignored. The result is empty, not nil, when there are
// none.
//
// Objects are compared member by member, whatever their order, and arrays index by
// index; numbers by value, without limits of size or precision; strings by what
// they decode to. Of members with the same name the last one counts. A value that
// becomes one of another kind is one change, and so is one that appears or
// vanishes with all that is in it. Old and New have the source's spelling, without
// insignificant white space.
//
// The changes of an object come in the order of its members after the change,
// followed by those that vanished in their old order. An array that shrinks loses
// its last element first. So the changes, applied to the earlier state one after
// another, make the later one.
//
// A value that holds nothing but ignored things counts as absent: its coming and
// going is no change. Where one that holds other things too comes or goes, the
// change tells it whole.
//
// A member of the object with so many changes that listing them would take more
// than a few megabytes is listed as one change.
//
// What is not a JSON object is an error.
func Diff(before, after []byte, ignore Ignore) ([]event.Change, error) {
	oldTree, err := newJSONTree(before)
	if err != nil {
		return nil, fmt.Errorf("compare an object: earlier state: %w", err)
	}
	newTree, err := newJSONTree(after)
	if err != nil {
		return nil, fmt.Errorf("compare an object: later state: %w", err)
	}
	d := differ{old: oldTree, new: newTree, changes: []event.Change{}}
	d.object(Ignore{slices.Concat(updateStamps, ignore.pointers)})
	return d.changes, nil
}

// maxChangesSize bounds what the changes of one object take: far more than any
// order needs, and little beside what a hostile one could cause, because every
// change repeats the whole path that leads to it.
const maxChangesSize = 4 << 20

// changeSize is what a change takes besides its path, roughly.
const changeSize = 100

// A differ collects the changes between two trees.
type differ struct {
	old, new *jsonTree
	changes  []event.Change
	// size is what the changes take. They are dropped above maxChangesSize.
	size int
	// path leads to the values that are being compared.
	path []byte
	same jsonStretch
}

// A jsonStretch is text that both sources have in common: where it begins in each,
// and how many bytes are known to be the same.
type jsonStretch struct {
	old, new, length int
}

// A jsonPair is the node of one child in the old tree and in the new; jsonAbsent
// where there is none.
type jsonPair struct {
	step     string
	old, new int
}

// object compares the whole objects.
func (d *differ) object(ignore Ignore) {
	for _, p := range d.members(jsonPair{old: jsonRoot, new: jsonRoot}) {
		count, size := len(d.changes), d.size
		d.child(p, ignore)
		if d.size <= maxChangesSize {
			continue
		}
		// What one member takes now is bounded by the object itself.
		d.changes, d.size = append(d.changes[:count], d.change(event.AppendStep(nil, p.step), p)), size
	}
}

// child compares one child of the values that path leads to.
func (d *differ) child(p jsonPair, ignore Ignore) {
	inside, ignored := ignore.below(p.step)
	if ignored {
		return
	}
	length := len(d.path)
	d.path = event.AppendStep(d.path, p.step)
	d.value(p, inside)
	d.path = d.path[:length]
}

// value compares the values that path leads to.
func (d *differ) value(p jsonPair, ignore Ignore) {
	kind := d.old.kind(p.old)
	switch {
	case kind != d.new.kind(p.new):
		if !d.old.hollow(p.old, ignore) || !d.new.hollow(p.new, ignore) {
			d.add(p)
		}
	case d.identical(p):
	case kind == jsonObject:
		for _, member := range d.members(p) {
			d.child(member, ignore)
		}
	case kind == jsonArray:
		d.elements(p, ignore)
	case !d.sameScalar(p):
		d.add(p)
	}
}

// members pairs the members of two objects, in the order in which their changes
// are listed.
func (d *differ) members(p jsonPair) []jsonPair {
	oldMembers, newMembers := d.old.members(p.old), d.new.members(p.new)
	was, is := lastByName(oldMembers), lastByName(newMembers)
	pairs := make([]jsonPair, 0, len(newMembers))
	for _, m := range newMembers {
		if is[m.name] != m.node {
			continue
		}
		pair := jsonPair{m.name, jsonAbsent, m.node}
		if node, found := was[m.name]; found {
			pair.old = node
		}
		pairs = append(pairs, pair)
	}
	for _, m := range oldMembers {
		if _, stayed := is[m.name]; !stayed && was[m.name] == m.node {
			pairs = append(pairs, jsonPair{m.name, m.node, jsonAbsent})
		}
	}
	return pairs
}

// elements compares the elements of two arrays.
func (d *differ) elements(p jsonPair, ignore Ignore) {
	was, is := d.old.elements(p.old), d.new.elements(p.new)
	for i, node := range is {
		pair := jsonPair{strconv.Itoa(i), jsonAbsent, node}
		if i < len(was) {
			pair.old = was[i]
		}
		d.child(pair, ignore)
	}
	for i := len(was) - 1; i >= len(is); i-- {
		d.child(jsonPair{strconv.Itoa(i), was[i], jsonAbsent}, ignore)
	}
}

// identical tells whether two values are spelled the same, which spares most
// comparisons. Every byte is looked at once, however deep the values lie, because
// what is inside a stretch that has been compared is not compared again.
func (d *differ) identical(p jsonPair) bool {
	was, is := d.old.nodes[p.old], d.new.nodes[p.new]
	length := was.end - was.start
	if is.end-is.start != length {
		return false
	}
	offset := was.start - d.same.old
	if offset < 0 || offset >= d.same.length || is.start-d.same.new != offset {
		d.same = jsonStretch{was.start, is.start, commonPrefix(d.old.raw(p.old), d.new.raw(p.new))}
		offset = 0
	}
	return offset+length <= d.same.length
}

// commonPrefix returns how many bytes two texts of the same length begin with in
// common.
func commonPrefix(a, b []byte) int {
	if bytes.Equal(a, b) {
		return len(a)
	}
	n := 0
	for a[n] == b[n] {
		n++
	}
	return n
}

func (d *differ) add(p jsonPair) {
	d.size += changeSize + len(d.path)
	if d.size <= maxChangesSize {
		d.changes = append(d.changes, d.change(d.path, p))
	}
}

func (d *differ) change(path []byte, p jsonPair) event.Change {
	return event.Change{Path: string(path), Old: d.old.compact(p.old), New: d.new.compact(p.new)}
}

// sameScalar compares two values of the same kind that have no children.
func (d *differ) sameScalar(p jsonPair) bool {
	switch d.new.kind(p.new) {
	case jsonString:
		return d.old.text(p.old) == d.new.text(p.new)
	case jsonNumber:
		was := appendCanonicalNumber(nil, d.old.raw(p.old))
		return bytes.Equal(was, appendCanonicalNumber(nil, d.new.raw(p.new)))
	default:
		return true // both null, both true, or both false
	}
}

// hollow tells whether a value is absent or holds nothing but ignored things.
func (t *jsonTree) hollow(i int, ignore Ignore) bool {
	if i == jsonAbsent {
		return true
	}
	if len(ignore.pointers) == 0 {
		return false
	}
	switch t.kind(i) {
	case jsonObject:
		members := t.members(i)
		last := lastByName(members)
		return !slices.ContainsFunc(members, func(m jsonMember) bool {
			return last[m.name] == m.node && t.counts(m.name, m.node, ignore)
		})
	case jsonArray:
		for index, element := range t.elements(i) {
			if t.counts(strconv.Itoa(index), element, ignore) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// counts tells whether a child is neither ignored nor hollow.
func (t *jsonTree) counts(step string, node int, ignore Ignore) bool {
	inside, ignored := ignore.below(step)
	return !ignored && !t.hollow(node, inside)
}
