package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Pattern is a JSON pointer (RFC 6901) in which the step * stands for any one
// member or index: /items/*/price. It is immutable, and may be used concurrently.
// The zero Pattern names the whole document.
type Pattern struct {
	steps []string
}

// ParsePattern reads a pattern. A member whose own name is * can be matched, but
// not singled out. The pointer "", the whole document, is an error: nothing that
// takes a pattern has a use for it.
func ParsePattern(pointer string) (Pattern, error) {
	if err := checkPointer(pointer); err != nil {
		return Pattern{}, fmt.Errorf("JSON pointer %q: %w", pointer, err)
	}
	steps := strings.Split(pointer[1:], "/")
	for i, step := range steps {
		steps[i] = pointerUnescaper.Replace(step)
	}
	return Pattern{steps}, nil
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

// AppendStep appends one step, a member's name or an index, to a JSON pointer.
func AppendStep(pointer []byte, step string) []byte {
	pointer = append(pointer, '/')
	return append(pointer, pointerEscaper.Replace(step)...)
}

// Steps returns the steps of the pattern, from the outside in and unescaped.
func (p Pattern) Steps() []string { return slices.Clone(p.steps) }

// String returns the pointer that the pattern was read from.
func (p Pattern) String() string {
	var pointer []byte
	for _, step := range p.steps {
		pointer = AppendStep(pointer, step)
	}
	return string(pointer)
}

// Touches tells whether a change at a JSON pointer concerns what the pattern names:
// whether the path leads there, to something that contains it, such as a whole
// object that appeared, or to something inside it.
func (p Pattern) Touches(path string) bool {
	rest, deeper := strings.CutPrefix(path, "/")
	for _, want := range p.steps {
		if !deeper {
			return true
		}
		var step string
		step, rest, deeper = strings.Cut(rest, "/")
		if want != "*" && want != pointerUnescaper.Replace(step) {
			return false
		}
	}
	return true
}
