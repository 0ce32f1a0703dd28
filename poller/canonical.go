package poller

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Digest returns the SHA-256 of an object's canonical JSON: the same for every
// spelling of the same content, and another for any other content. Nothing is
// left out, neither the update stamps nor what a store ignores. Event ids follow
// from digests, so that the canonical form never changes:
//
//   - no white space; members sorted by the bytes of their decoded names; of
//     members with the same name only the last;
//   - strings in UTF-8, with escapes for the quotation mark and the backslash, and
//     \u00xx in lower case for what is below U+0020; what is not valid Unicode is
//     U+FFFD;
//   - numbers as an integer that does not end in 0, and the power of ten that it is
//     multiplied by unless that is 1: 9.50 is 95e-1, 1000 is 1e3, any zero is 0.
//
// What is not a JSON object is an error.
func Digest(raw []byte) ([sha256.Size]byte, error) {
	tree, err := newJSONTree(raw)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("digest an object: %w", err)
	}
	return sha256.Sum256(tree.appendCanonical(make([]byte, 0, len(raw)), jsonRoot)), nil
}

// appendCanonical appends the canonical form of a value.
func (t *jsonTree) appendCanonical(dst []byte, i int) []byte {
	switch t.kind(i) {
	case jsonObject:
		return t.appendCanonicalObject(dst, i)
	case jsonArray:
		dst = append(dst, '[')
		for index, element := range t.elements(i) {
			if index > 0 {
				dst = append(dst, ',')
			}
			dst = t.appendCanonical(dst, element)
		}
		return append(dst, ']')
	case jsonString:
		return appendCanonicalString(dst, t.text(i))
	case jsonNumber:
		return appendCanonicalNumber(dst, t.raw(i))
	default:
		return append(dst, t.raw(i)...)
	}
}

func (t *jsonTree) appendCanonicalObject(dst []byte, i int) []byte {
	members := t.members(i)
	slices.SortStableFunc(members, func(a, b jsonMember) int { return strings.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for k, member := range members {
		if k+1 < len(members) && members[k+1].name == member.name {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = appendCanonicalString(dst, member.name)
		dst = append(dst, ':')
		dst = t.appendCanonical(dst, member.node)
	}
	return append(dst, '}')
}

func appendCanonicalString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for {
		i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
		if i < 0 {
			return append(append(dst, text...), '"')
		}
		dst = append(dst, text[:i]...)
		if c := text[i]; c < ' ' {
			dst = fmt.Appendf(dst, `\u%04x`, c)
		} else {
			dst = append(dst, '\\', c)
		}
		text = text[i+1:]
	}
}

// appendCanonicalNumber appends the canonical form of a JSON number. It works on
// the digits, so that neither precision nor exponent has a limit.
func appendCanonicalNumber(dst, literal []byte) []byte {
	unsigned, negative := bytes.CutPrefix(literal, []byte("-"))
	mantissa, exponent := unsigned, []byte(nil)
	if e := bytes.IndexAny(unsigned, "eE"); e >= 0 {
		mantissa, exponent = unsigned[:e], unsigned[e+1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := bytes.TrimLeft(slices.Concat(whole, fraction), "0")
	if len(digits) == 0 {
		return append(dst, '0')
	}
	significant := bytes.TrimRight(digits, "0")
	if negative {
		dst = append(dst, '-')
	}
	dst = append(dst, significant...)
	return appendCanonicalExponent(dst, exponent, len(digits)-len(significant)-len(fraction))
}

// appendCanonicalExponent appends the sum of an exponent, as a number spells it,
// and a shift; nothing when the sum is 0.
func appendCanonicalExponent(dst, exponent []byte, shift int) []byte {
	magnitude, negative := bytes.CutPrefix(exponent, []byte("-"))
	magnitude = bytes.TrimLeft(magnitude, "+0")
	if negative {
		shift = -shift
	}
	var sum string // of the magnitudes: negative when the shift turns the sign
	if short, err := strconv.Atoi("0" + string(magnitude)); err == nil && short < math.MaxInt/2 {
		sum = strconv.Itoa(short + shift)
	} else {
		sum = string(addToDecimal(magnitude, shift))
	}
	if sum == "0" {
		return dst
	}
	dst = append(dst, 'e')
	unsigned, turned := strings.CutPrefix(sum, "-")
	if negative != turned {
		dst = append(dst, '-')
	}
	return append(dst, unsigned...)
}

// addToDecimal adds n to a decimal number that is greater than -n.
func addToDecimal(digits []byte, n int) []byte {
	sum := append([]byte{'0'}, digits...)
	for i, carry := len(sum)-1, n; carry != 0; i-- {
		carry += int(sum[i] - '0')
		digit := (carry%10 + 10) % 10
		sum[i] = byte('0' + digit)
		carry = (carry - digit) / 10
	}
	return bytes.TrimLeft(sum, "0")
}
