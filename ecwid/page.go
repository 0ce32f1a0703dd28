package ecwid

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/ecwid-events/ecwid-events/event"
)

// unfinished is the payment status of an order whose checkout was not completed.
const unfinished = "INCOMPLETE"

// longestID is far above any id that Ecwid gives, and far below what a storage
// can take as a key.
const longestID = 255

// mostItems bounds what an answer that ignores the limit asked for can cost.
const mostItems = 1000

// A list is what all paged answers have in common.
type list struct {
	total      int
	count      int // unreadable items included
	nextURL    string
	unreadable []event.Unreadable
}

type orderPage struct {
	list
	objects []event.Object
}

type deletionPage struct {
	list
	deletions []event.Deletion
}

func readOrders(body []byte, d dialect, offset int) (orderPage, error) {
	var page orderPage
	var err error
	page.list, err = readList(body, d.items, offset, func(s *scanner) error {
		start := s.pos
		object, err := d.object(s)
		if err != nil {
			return err
		}
		// A copy: what is kept of one order must not keep the whole answer.
		object.Raw = bytes.Clone(s.data[start:s.pos])
		page.objects = append(page.objects, object)
		return nil
	})
	if err != nil {
		return orderPage{}, err
	}
	return page, nil
}

func readDeletions(body []byte, offset int) (deletionPage, error) {
	var page deletionPage
	var err error
	page.list, err = readList(body, v3.items, offset, func(s *scanner) error {
		deletion, err := readDeletion(s)
		if err == nil {
			page.deletions = append(page.deletions, deletion)
		}
		return err
	})
	if err != nil {
		return deletionPage{}, err
	}
	return page, nil
}

// readOrder reads an answer that is one order.
func readOrder(body []byte, d dialect) (event.Object, error) {
	s, err := scanObject(body)
	if err != nil {
		return event.Object{}, err
	}
	start := s.pos
	object, err := d.object(s)
	object.Raw = bytes.Clone(s.data[start:s.pos])
	return object, err
}

// readList reads a page and gives each item that is an object to read, which must
// move behind it. What read objects to is unreadable and does not end the list.
// Items may have been given though the page is refused in the end.
func readList(body []byte, items string, offset int, read func(*scanner) error) (list, error) {
	s := newScanner(body)
	if s.kind() != '{' {
		_, err := scanObject(body)
		return list{}, err
	}
	var l list
	var total []byte
	arrays := 0
	for key := range s.members() {
		switch {
		case string(key) == items && s.kind() == '[':
			arrays++
			l.readItems(s, read)
		case string(key) == "total":
			total = s.value()
		case string(key) == "nextUrl":
			l.nextURL = text(s.value())
		default:
			s.value()
		}
	}
	if !s.valid() {
		return list{}, notValid(s)
	}
	var err error
	l.total, err = strconv.Atoi(string(total))
	switch {
	case err != nil || l.total < 0:
		return list{}, errors.New("the answer tells no total")
	case arrays > 1:
		return list{}, fmt.Errorf("the answer has %s more than once", items)
	case arrays == 0 && l.total > offset:
		return list{}, fmt.Errorf("the answer tells a total of %d, but has no %s", l.total, items)
	case l.count > mostItems:
		return list{}, fmt.Errorf("the answer has %d %s, more than was asked for", l.count, items)
	}
	return l, nil
}

func (l *list) readItems(s *scanner, read func(*scanner) error) {
	for i := range s.elements() {
		l.count++
		if l.count > mostItems {
			s.value()
			continue
		}
		err := errors.New("it is no JSON object")
		if s.kind() == '{' {
			err = read(s)
		} else {
			s.value()
		}
		if err != nil {
			l.unreadable = append(l.unreadable, event.Unreadable{Row: i, Err: err})
		}
	}
}

// scanObject returns a scanner at the object that an answer is, once all of the
// answer was found to be valid.
func scanObject(body []byte) (*scanner, error) {
	s := newScanner(body)
	start := *s
	s.skip()
	if !s.valid() {
		return nil, notValid(s)
	}
	*s = start
	if s.kind() != '{' {
		return nil, errors.New("the answer is no JSON object")
	}
	return s, nil
}

// newScanner returns a scanner at the value that an answer is. Bytes that are not
// valid UTF-8 are replaced by U+FFFD, as all that is stored and sent is UTF-8.
func newScanner(body []byte) *scanner {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	s := &scanner{data: body}
	s.skipSpace()
	return s
}

func notValid(s *scanner) error {
	return fmt.Errorf("the answer is no valid JSON, or was cut short (%d bytes)", len(s.data))
}

// text returns what a JSON string says, and "" for any other value.
func text(value []byte) string {
	if len(value) == 0 || value[0] != '"' {
		return ""
	}
	return string(plain(value))
}

// number returns the integer that a JSON number or string says, else 0.
func number(value []byte) int64 {
	if len(value) > 0 && value[0] == '"' {
		value = plain(value)
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// firstNumber returns the first of the values that is a number above 0, else 0.
func firstNumber(values ...[]byte) int64 {
	for _, value := range values {
		if n := number(value); n > 0 {
			return n
		}
	}
	return 0
}

// firstID returns the first of the values that can be an id: a string that is not
// empty, or an integer of any length. Some stores have numbers as ids.
func firstID(values ...[]byte) (string, error) {
	for _, value := range values {
		id := text(value)
		if len(value) > 0 && !bytes.ContainsFunc(value, notDigit) {
			id = string(value)
		}
		if len(id) > longestID {
			return "", fmt.Errorf("its id has %d bytes, more than %d", len(id), longestID)
		}
		if id != "" {
			return id, nil
		}
	}
	return "", errors.New("it has no id")
}

func notDigit(r rune) bool { return r < '0' || r > '9' }
