package poller

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"
)

// A jsonTree is a JSON object with an index of the values in it. It keeps the
// source: no number is converted, and no value copied, before somebody asks. The
// index lists the values in document order, each container before its children
// and each member's name, as a string, before its value.
//
// Recursion over a tree is safe: encoding/json refuses what is nested deeper than
// 10,000 levels.
type jsonTree struct {
	src   []byte
	nodes []jsonNode
}

// A jsonNode is one value: src[start:end] is its text, and next is the index of
// the first node that is not part of it.
type jsonNode struct {
	start, end, next int
}

const (
	jsonRoot   = 0  // the node of the whole object
	jsonAbsent = -1 // stands for the node of a value that is not there
)

// The kinds of value are told by their first byte; any number's is jsonNumber.
const (
	jsonObject = '{'
	jsonArray  = '['
	jsonString = '"'
	jsonNumber = '0'
)

// newJSONTree indexes a JSON object. Its errors hold nothing of the content.
func newJSONTree(raw []byte) (*jsonTree, error) {
	if !json.Valid(raw) {
		return nil, errors.New("not valid JSON, or nested too deep")
	}
	t := &jsonTree{src: raw, nodes: make([]jsonNode, 0, maxJSONNodes(raw))}
	t.index(0)
	if t.kind(jsonRoot) != jsonObject {
		return nil, errors.New("not a JSON object")
	}
	return t, nil
}

// maxJSONNodes is at least the number of nodes, and more only where strings hold
// punctuation.
func maxJSONNodes(raw []byte) int {
	n := 1
	for _, punctuation := range []string{",", ":", "{", "["} {
		n += bytes.Count(raw, []byte(punctuation))
	}
	return n
}

// index adds the value at or behind pos with all that is in it, and returns the
// position behind it. The source is valid JSON: nothing is checked here.
func (t *jsonTree) index(pos int) int {
	pos = t.skipSpace(pos)
	i := len(t.nodes)
	t.nodes = append(t.nodes, jsonNode{start: pos})
	switch t.src[pos] {
	case '{', '[':
		pos = t.indexChildren(pos)
	case '"':
		pos = jsonStringEnd(t.src, pos)
	default:
		for pos < len(t.src) && !isJSONDelimiter(t.src[pos]) {
			pos++
		}
	}
	t.nodes[i].end, t.nodes[i].next = pos, len(t.nodes)
	return pos
}

// indexChildren adds what is in the container that opens at pos, and returns the
// position behind it.
func (t *jsonTree) indexChildren(pos int) int {
	pos = t.skipSpace(pos + 1)
	for t.src[pos] != '}' && t.src[pos] != ']' {
		pos = t.skipSpace(t.index(pos))
		if c := t.src[pos]; c == ',' || c == ':' {
			pos = t.skipSpace(pos + 1)
		}
	}
	return pos + 1
}

func (t *jsonTree) skipSpace(pos int) int {
	for pos < len(t.src) && isJSONSpace(t.src[pos]) {
		pos++
	}
	return pos
}

func isJSONSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t'
}

func isJSONDelimiter(c byte) bool {
	return c == ',' || c == '}' || c == ']' || isJSONSpace(c)
}

// jsonStringEnd returns the position behind the string that opens at pos.
func jsonStringEnd(src []byte, pos int) int {
	for pos++; src[pos] != '"'; pos++ {
		if src[pos] == '\\' {
			pos++
		}
	}
	return pos + 1
}

// raw is the text of a value as it stands in the source.
func (t *jsonTree) raw(i int) []byte {
	return t.src[t.nodes[i].start:t.nodes[i].end]
}

// kind tells what a value is; 0 for jsonAbsent.
func (t *jsonTree) kind(i int) byte {
	if i == jsonAbsent {
		return 0
	}
	c := t.src[t.nodes[i].start]
	if c == '-' || '0' <= c && c <= '9' {
		return jsonNumber
	}
	return c
}

// compact is the text of a value without insignificant white space, in memory of
// its own; nil for jsonAbsent.
func (t *jsonTree) compact(i int) json.RawMessage {
	if i == jsonAbsent {
		return nil
	}
	src := t.raw(i)
	dst := make([]byte, 0, len(src))
	for pos := 0; pos < len(src); {
		end := pos + 1
		switch {
		case src[pos] == '"':
			end = jsonStringEnd(src, pos)
		case isJSONSpace(src[pos]):
			pos = end
			continue
		}
		dst = append(dst, src[pos:end]...)
		pos = end
	}
	return slices.Clip(dst)
}

// text decodes a string or a member's name as encoding/json does: what is not
// valid Unicode becomes U+FFFD.
func (t *jsonTree) text(i int) string {
	literal := t.raw(i)
	plain := literal[1 : len(literal)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain)
	}
	var text string
	if err := json.Unmarshal(literal, &text); err != nil {
		panic("poller: a string in valid JSON does not decode: " + err.Error())
	}
	return text
}

// A jsonMember is one member of an object.
type jsonMember struct {
	name string
	node int // of its value
}

// members lists the members of an object in document order, those with the same
// name too.
func (t *jsonTree) members(i int) []jsonMember {
	var members []jsonMember
	for k := i + 1; k < t.nodes[i].next; k = t.nodes[k+1].next {
		members = append(members, jsonMember{t.text(k), k + 1})
	}
	return members
}

// lastByName finds the members that count: the last one of each name, as in
// encoding/json.
func lastByName(members []jsonMember) map[string]int {
	last := make(map[string]int, len(members))
	for _, m := range members {
		last[m.name] = m.node
	}
	return last
}

// elements lists the nodes of an array's elements.
func (t *jsonTree) elements(i int) []int {
	var elements []int
	for k := i + 1; k < t.nodes[i].next; k = t.nodes[k].next {
		elements = append(elements, k)
	}
	return elements
}
