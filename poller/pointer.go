package poller

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Ignore names fields of an object whose changes are no event. The update
// stamps are ignored without being named, so that the zero Ignore ignores just
// them.
//
// An Ignore is immutable and may be used concurrently.
type Ignore struct {
	// pointers holds the steps of each pointer, as far as they are still ahead of
	// the value that is being looked at. None is empty.
	pointers [][]string
}

// ParseIgnore compiles JSON pointers as RFC 6901 defines them, in which the step
// * stands for any one member or index: /items/*/quantityInStock. What lies below
// an ignored field is ignored too. No pointers make the zero Ignore.
//
// A member whose own name is * can be matched, but not singled out. The whole
// document, the pointer "", cannot be ignored.
func ParseIgnore(pointers []string) (Ignore, error) {
	var ignore Ignore
	for _, pointer := range pointers {
		steps, err := pointerSteps(pointer)
		if err != nil {
			return Ignore{}, err
		}
		ignore.pointers = append(ignore.pointers, steps)
	}
	return ignore, nil
}

// ParsePointer tells whether ParseIgnore accepts the pointer, and if not, why.
func ParsePointer(pointer string) error {
	_, err := pointerSteps(pointer)
	return err
}

func pointerSteps(pointer string) ([]string, error) {
	if err := checkPointer(pointer); err != nil {
		return nil, fmt.Errorf("JSON pointer %q: %w", pointer, err)
	}
	steps := strings.Split(pointer[1:], "/")
	for i, step := range steps {
		steps[i] = pointerUnescaper.Replace(step)
	}
	return steps, nil
}

func checkPointer(pointer string) error {
	switch {
	case pointer == "":
		return errors.New("names the whole document: name a field, such as /paymentStatus")
	case pointer[0] != '/':
		return errors.New("does not begin with /: write it like /paymentStatus or /items/*/price")
	case !utf8.ValidString(pointer):
		return errors.New("is not valid UTF-8")
	}
	rest := pointer
	for {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			return nil
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return errors.New("has a ~ followed by neither 0 nor 1: write ~0 for ~, and ~1 for / inside a name")
		}
		rest = after
	}
}

var (
	// A Replacer does not look again at what it wrote, so that ~01 becomes ~1.
	pointerUnescaper = strings.NewReplacer("~0", "~", "~1", "/")
	pointerEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
)

// appendStep appends one step to a JSON pointer.
func appendStep(pointer []byte, step string) []byte {
	pointer = append(pointer, '/')
	return append(pointer, pointerEscaper.Replace(step)...)
}

// below tells whether the child at a step is ignored, and if not, what is ignored
// inside it.
func (g Ignore) below(step string) (rest Ignore, ignored bool) {
	for _, steps := range g.pointers {
		if steps[0] != step && steps[0] != "*" {
			continue
		}
		if len(steps) == 1 {
			return Ignore{}, true
		}
		rest.pointers = append(rest.pointers, steps[1:])
	}
	return rest, false
}
