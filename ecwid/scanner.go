package ecwid

import (
	"bytes"
	"encoding/json"
	"iter"
)

// A scanner walks through JSON text once, without building values: an order is
// kept as the text it came as, and of its fields only a handful are looked at.
//
// The text must be valid JSON, and pos at the first byte of a value, whenever a
// method is called.
type scanner struct {
	data []byte
	pos  int
}

// members yields the key of each member of the object at pos. The loop's body
// must move behind the member's value, and must not leave the loop.
func (s *scanner) members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for s.open(); !s.closed('}'); {
			key := s.value()
			s.space()
			s.pos++ // the colon
			s.space()
			yield(plain(key))
		}
	}
}

// elements yields the index of each element of the array at pos. The loop's body
// must move behind the element, and must not leave the loop.
func (s *scanner) elements() iter.Seq[int] {
	return func(yield func(int) bool) {
		i := 0
		for s.open(); !s.closed(']'); i++ {
			yield(i)
		}
	}
}

func (s *scanner) open() {
	s.pos++
	s.space()
}

// closed moves to the next member or element and tells whether there is none.
func (s *scanner) closed(bracket byte) bool {
	s.space()
	switch s.data[s.pos] {
	case bracket:
		s.pos++
		return true
	case ',':
		s.pos++
		s.space()
	}
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// kind is the first byte of the value at pos.
func (s *scanner) kind() byte { return s.data[s.pos] }

// value moves behind the value at pos and returns its text.
func (s *scanner) value() []byte {
	start := s.pos
	switch s.data[s.pos] {
	case '"':
		s.pos = endOfString(s.data, s.pos)
	case '{', '[':
		s.pos = endOfNested(s.data, s.pos)
	default:
		for s.pos < len(s.data) && !endsScalar(s.data[s.pos]) {
			s.pos++
		}
	}
	return s.data[start:s.pos]
}

func endsScalar(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}

// endOfString returns the position behind the string that begins at i.
func endOfString(data []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(data[i:], '"')
		escaped := false
		for j := i - 1; data[j] == '\\'; j-- {
			escaped = !escaped
		}
		if !escaped {
			return i + 1
		}
	}
}

// endOfNested returns the position behind the object or array that begins at i.
func endOfNested(data []byte, i int) int {
	for depth := 0; ; i++ {
		switch data[i] {
		case '"':
			i = endOfString(data, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// plain returns what a JSON string says, as part of its text where it can.
func plain(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil // not reached: the text is valid
	}
	return []byte(s)
}
