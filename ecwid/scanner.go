package ecwid

import (
	"bytes"
	"encoding/json"
	"iter"
)

// deepest is how far objects and arrays may be nested, as in encoding/json.
const deepest = 10000

// A scanner walks through JSON text once, without building values: an order is
// kept as the text it came as, and of its fields only a handful are looked at.
//
// It checks the text on the way, by the rules of encoding/json. At the first fault
// it is broken: it moves to the text's end, gives no more keys, and values are nil.
// Only valid tells that the whole text was right, so nothing that was read of it
// counts before.
type scanner struct {
	data   []byte
	pos    int
	depth  int
	broken bool
}

// valid moves behind the white space at pos and tells whether the text ends there,
// without a fault on the way.
func (s *scanner) valid() bool {
	s.skipSpace()
	return !s.broken && s.pos == len(s.data)
}

// members yields the key of each member of the object at pos. The loop's body
// must move behind the member's value, and must not leave the loop.
func (s *scanner) members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for more := s.enter('}'); more; more = s.next('}') {
			key := s.key()
			if s.broken {
				return
			}
			yield(plain(key))
		}
	}
}

// elements yields the index of each element of the array at pos. The loop's body
// must move behind the element, and must not leave the loop.
func (s *scanner) elements() iter.Seq[int] {
	return func(yield func(int) bool) {
		i := 0
		for more := s.enter(']'); more; more = s.next(']') {
			yield(i)
			i++
		}
	}
}

// value moves behind the value at pos and returns its text.
func (s *scanner) value() []byte {
	start := s.pos
	s.skip()
	if s.broken {
		return nil
	}
	return s.data[start:s.pos]
}

// kind is the first byte of the value at pos, 0 at the text's end.
func (s *scanner) kind() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) fail() {
	s.broken = true
	s.pos = len(s.data)
}

// enter moves into the object or array at pos and tells whether it has a first
// member or element.
func (s *scanner) enter(closing byte) bool {
	if s.depth++; s.depth > deepest {
		s.fail()
		return false
	}
	s.pos++
	s.skipSpace()
	return !s.closed(closing)
}

// next moves from behind a member or element to the next one, and tells whether
// there is one.
func (s *scanner) next(closing byte) bool {
	s.skipSpace()
	if s.closed(closing) {
		return false
	}
	if s.kind() != ',' {
		s.fail()
		return false
	}
	s.pos++
	s.skipSpace()
	return true
}

func (s *scanner) closed(closing byte) bool {
	if s.kind() != closing {
		return false
	}
	s.pos++
	s.depth--
	return true
}

// key moves from a member's key to its value and returns the key as it is quoted.
func (s *scanner) key() []byte {
	start := s.pos
	s.skipString()
	end := s.pos
	s.skipSpace()
	if s.kind() != ':' {
		s.fail()
		return nil
	}
	s.pos++
	s.skipSpace()
	return s.data[start:end]
}

// skip moves behind the value at pos.
func (s *scanner) skip() {
	switch s.kind() {
	case '"':
		s.skipString()
	case '{':
		for more := s.enter('}'); more; more = s.next('}') {
			s.key()
			s.skip()
		}
	case '[':
		for more := s.enter(']'); more; more = s.next(']') {
			s.skip()
		}
	case 't':
		s.skipWord("true")
	case 'f':
		s.skipWord("false")
	case 'n':
		s.skipWord("null")
	default:
		s.skipNumber()
	}
}

func (s *scanner) skipSpace() {
	data, i := s.data, s.pos
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	s.pos = i
}

func (s *scanner) skipWord(word string) {
	if end := s.pos + len(word); end <= len(s.data) && string(s.data[s.pos:end]) == word {
		s.pos = end
		return
	}
	s.fail()
}

// special are the bytes at which a string ends, goes on in another way, or is
// wrong.
var special = func() (is [256]bool) {
	for c := range ' ' {
		is[c] = true
	}
	is['"'], is['\\'] = true, true
	return is
}()

func (s *scanner) skipString() {
	if s.kind() != '"' {
		s.fail()
		return
	}
	data := s.data
	for i := s.pos + 1; i < len(data); i++ {
		if !special[data[i]] {
			continue
		}
		if data[i] == '"' {
			s.pos = i + 1
			return
		}
		length := escapeLength(data[i:])
		if length == 0 {
			break
		}
		i += length - 1
	}
	s.fail()
}

// escapeLength returns the length of the escape that text begins with, 0 for none.
func escapeLength(text []byte) int {
	if len(text) < 2 || text[0] != '\\' {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return len(`\n`)
	case 'u':
		length := len(`\u0000`)
		if len(text) < length {
			return 0
		}
		for _, c := range text[2:length] {
			if !isHex(c) {
				return 0
			}
		}
		return length
	}
	return 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *scanner) skipNumber() {
	if s.kind() == '-' {
		s.pos++
	}
	if s.kind() == '0' {
		s.pos++
	} else {
		s.skipDigits()
	}
	if s.kind() == '.' {
		s.pos++
		s.skipDigits()
	}
	if c := s.kind(); c == 'e' || c == 'E' {
		s.pos++
		if sign := s.kind(); sign == '+' || sign == '-' {
			s.pos++
		}
		s.skipDigits()
	}
}

// skipDigits moves behind at least one digit.
func (s *scanner) skipDigits() {
	start := s.pos
	for c := s.kind(); '0' <= c && c <= '9'; c = s.kind() {
		s.pos++
	}
	if s.pos == start {
		s.fail()
	}
}

// plain returns what a JSON string says, as part of its text where it can.
func plain(quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil // not reached: the text is valid
	}
	return []byte(s)
}
