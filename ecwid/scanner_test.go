package ecwid

import (
	"bytes"
	"strings"
	"testing"
)

func nested(depth int) string {
	return strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)
}

var (
	rightValues = []string{
		`""`, `"a"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\uD83D\uDE00"`, `"\ud800"`, `"\\"`, "\"\x7f\"", `"é"`, `"]}"`,
		`0`, `-0`, `-1`, `10`, `0.5`, `-1.50e+10`, `1E5`, `1e-05`, `1e400`, `123456789012345678901234567890`,
		`true`, `false`, `null`, `[]`, `{}`, `[1]`, `[ 1 , [ ] , { } ]`, `{"a":1,"a":{"\u0061":[]}}`, " \t\r\n{ \"a\" :\n1 } ",
	}
	wrongValues = []string{
		``, ` `, `"`, `"a`, `"\"`, `"\x"`, `"\`, `"\u"`, `"\u12"`, `"\u12`, `"\u123g"`, `"\u123`, "\"\n\"", "\"\x00\"", "\"\x1f\"", `'a'`,
		`-`, `+1`, `01`, `-01`, `00`, `.5`, `1.`, `1.e5`, `1e`, `1e+`, `1e5.5`, `- 1`, `1 2`, `0x1`, `NaN`, `Infinity`,
		`tru`, `truE`, `true1`, `nul`, `f`, `True`, `undefined`,
		`[`, `]`, `[1`, `[1,`, `[1,]`, `[,]`, `[,1]`, `[1 1]`, `[1}`, `[1]]`, `[:]`, `["a":1]`,
		`{`, `}`, `{"a"`, `{"a":`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a",1}`, `{1:1}`, `{a:1}`, `{null:1}`, `{"a":1]`, `{"a":1 "b":2}`, `{"a"}`, `{"a":1}}`, `{"a:1}`,
		"\v1", "\u00a01", "\ufeff{}", "1\x00", "\x00", "[1\f]", "{\x00}",
		`/**/1`, `1//`,
	}
)

func TestValidity(t *testing.T) {
	t.Parallel()
	deep := nested(deepest)
	for _, c := range []struct {
		values []string
		right  bool
	}{
		{append([]string{deep, `{"a":` + nested(deepest-1) + `}`, "[" + nested(deepest-1) + "," + nested(deepest-1) + "]"}, rightValues...), true},
		{append([]string{"[" + deep + "]", `{"a":` + deep + `}`}, wrongValues...), false},
	} {
		for _, value := range c.values {
			s := newScanner([]byte(value))
			s.skip()
			if got := s.valid(); got != c.right {
				t.Errorf("%.40q: valid %v", value, got)
			}
			_, err := scanObject([]byte(value))
			checkValidity(t, []byte(value), err)
		}
	}
}

// A page is one text: where it is cut or damaged does not matter, nothing of it is
// believed.
func TestPageThatIsCutOrDamaged(t *testing.T) {
	t.Parallel()
	body := []byte(`{"total":2,"x":[1,{"a":"\u00e9"}],"items":[{"id":"A","n":-1.5e3,"t":[true,null]},7,{"id":"B"}]}`)
	for i := range body {
		page, err := readOrders(body[:i], v3, 0)
		checkValidity(t, body[:i], err)
		if err == nil || page.objects != nil || page.count != 0 {
			t.Errorf("cut to %d bytes: %d objects, error %v", i, len(page.objects), err)
		}
		for _, c := range []byte("\x00 \"\\{}[]:,0-.e") {
			damaged := bytes.Clone(body)
			damaged[i] = c
			_, err := readOrders(damaged, v3, 0)
			checkValidity(t, damaged, err)
		}
	}
}
