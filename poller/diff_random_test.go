package poller

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// diffRandom returns a generator whose seed is printed and can be set by
// POLLER_TEST_SEED.
func diffRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("POLLER_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("POLLER_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Random objects in random spellings, changed at random.
func TestDiffLeadsFromOldToNew(t *testing.T) {
	t.Parallel()
	g := diffGenerator{Rand: diffRandom(t), names: []string{"a", "b", "~", "/", "", "é", `"\`, "0", "updateDate"}}
	for range 1_000 {
		before := g.object(4)
		after := g.edited(before)
		if g.IntN(4) == 0 {
			after = before
		}
		was, is := []byte(g.spell(before)), []byte(g.spell(after))
		changes, err := Diff(was, is, Ignore{})
		if err != nil {
			t.Fatal(err)
		}
		diffCheckAgainstDecoder(t, was, is, changes)
		if t.Failed() {
			t.Fatalf("old: %s\nnew: %s\nchanges:\n%s", was, is, diffLines(changes))
		}
	}
}

// What is ignored makes no difference, and everything else does.
func TestDiffIgnoresWhatItIsTold(t *testing.T) {
	t.Parallel()
	g := diffGenerator{Rand: diffRandom(t), names: []string{"a", "b", "c"}}
	for range 3_000 {
		var pointers []string
		for range 1 + g.IntN(3) {
			pointer := ""
			for range 1 + g.IntN(3) {
				pointer += "/" + []string{"a", "b", "c", "*", "0", "1"}[g.IntN(6)]
			}
			pointers = append(pointers, pointer)
		}
		before := g.object(3)
		was, is := []byte(g.spell(before)), []byte(g.spell(g.edited(before)))
		changes, err := Diff(was, is, ignoring(t, pointers...))
		if err != nil {
			t.Fatal(err)
		}
		oldValue, _ := diffDecode(was)
		newValue, _ := diffDecode(is)
		oldRest, newRest := diffPrune(oldValue, "", pointers), diffPrune(newValue, "", pointers)
		if same := reflect.DeepEqual(oldRest, newRest); same != (len(changes) == 0) {
			t.Fatalf("ignoring %q, same is %v\nold: %s\nnew: %s\nchanges:\n%s", pointers, same, was, is, diffLines(changes))
		}
		for _, c := range changes {
			if diffIgnored(c.Path, pointers) {
				t.Fatalf("%s is listed, ignoring %q", c.Path, pointers)
			}
		}
	}
}

// diffIgnored tells whether a path is at or below an ignored one, by shell
// patterns.
func diffIgnored(at string, pointers []string) bool {
	for ; at != ""; at = at[:strings.LastIndex(at, "/")] {
		if slices.ContainsFunc(pointers, func(p string) bool { ok, _ := path.Match(p, at); return ok }) {
			return true
		}
	}
	return false
}

// A diffHole stands for an ignored element.
type diffHole struct{}

// diffPrune returns a decoded value without what is ignored, and a diffHole for a
// container that holds nothing else though something below it could be ignored.
func diffPrune(value any, at string, pointers []string) any {
	concerned := slices.ContainsFunc(pointers, func(p string) bool {
		steps, depth := strings.Split(p, "/"), strings.Count(at, "/")+1
		ok, _ := path.Match(strings.Join(steps[:min(depth, len(steps))], "/"), at)
		return ok && depth < len(steps)
	})
	child := func(step string, value any) any {
		if diffIgnored(at+"/"+step, pointers) {
			return diffHole{}
		}
		return diffPrune(value, at+"/"+step, pointers)
	}
	size := 1
	switch container := value.(type) {
	case map[string]any:
		rest := map[string]any{}
		for name, member := range container {
			if kept := child(name, member); kept != any(diffHole{}) {
				rest[name] = kept
			}
		}
		value, size = rest, len(rest)
	case []any:
		rest := []any{}
		for i, element := range container {
			rest = append(rest, child(strconv.Itoa(i), element))
		}
		for len(rest) > 0 && rest[len(rest)-1] == any(diffHole{}) {
			rest = rest[:len(rest)-1]
		}
		value, size = rest, len(rest)
	}
	if concerned && size == 0 && at != "" {
		return diffHole{}
	}
	return value
}

// A diffGenerator makes JSON values and spells them in many ways.
type diffGenerator struct {
	*rand.Rand
	names []string
}

// A diffSpelled is a scalar: all the ways to spell one value.
type diffSpelled []string

var diffScalars = []diffSpelled{
	{`null`},
	{`true`},
	{`false`},
	{`""`},
	{`"A"`, `"\u0041"`},
	{`"/é"`, `"\/\u00e9"`, `"\u002F\u00E9"`},
	{`"😀"`, `"\ud83d\ude00"`},
	{`"1"`},
	{`" [{,:\""`},
	{`"\n"`, `"\u000a"`},
	{`0`, `-0`, `0.00`, `0e9`, `-0.0E-3`},
	{`1`, `1.0`, `10e-1`, `0.1E+1`, `100e-2`},
	{`-1`, `-1e0`},
	{`10`, `1e1`, `10.0`, `0.1e2`},
	{`9.5`, `9.50`, `95e-1`},
	{`0.1`, `1e-1`},
	{`12345678901234567890.1`, `123456789012345678901e-1`},
	{`12345678901234567890.2`},
	{`1e400`, `10E399`},
}

func (g diffGenerator) value(depth int) any {
	switch kind := g.IntN(4); {
	case depth > 0 && kind == 0:
		return g.object(depth - 1)
	case depth > 0 && kind == 1:
		array := make([]any, g.IntN(4))
		for i := range array {
			array[i] = g.value(depth - 1)
		}
		return array
	default:
		return diffScalars[g.IntN(len(diffScalars))]
	}
}

func (g diffGenerator) object(depth int) map[string]any {
	object := map[string]any{}
	for range g.IntN(6) {
		object[g.names[g.IntN(len(g.names))]] = g.value(depth)
	}
	return object
}

// edited returns the value with changes at random places. It shares nothing that
// it changes.
func (g diffGenerator) edited(value any) any {
	switch value := value.(type) {
	case map[string]any:
		edited := maps.Clone(value)
		for _, name := range slices.Sorted(maps.Keys(edited)) {
			switch g.IntN(8) {
			case 0:
				delete(edited, name)
			case 1:
				edited[name] = g.value(2)
			case 2, 3, 4:
				edited[name] = g.edited(edited[name])
			}
		}
		if g.IntN(4) == 0 {
			edited[g.names[g.IntN(len(g.names))]] = g.value(2)
		}
		return edited
	case []any:
		edited := slices.Clone(value)[:g.IntN(len(value)+1)]
		for i := range edited {
			edited[i] = g.edited(edited[i])
		}
		for range g.IntN(3) {
			edited = append(edited, g.value(1))
		}
		return edited
	default:
		if g.IntN(3) > 0 {
			return value
		}
		return g.value(1)
	}
}

// spell writes a value as JSON: members in any order, white space anywhere, and
// some members twice.
func (g diffGenerator) spell(value any) string {
	space := func() string { return []string{"", "", " ", "\n\t"}[g.IntN(4)] }
	var parts []string
	open, closing := "[", "]"
	switch value := value.(type) {
	case diffSpelled:
		return value[g.IntN(len(value))]
	case []any:
		for _, element := range value {
			parts = append(parts, g.spell(element)+space())
		}
	case map[string]any:
		open, closing = "{", "}"
		names := slices.Sorted(maps.Keys(value))
		g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			literal, err := json.Marshal(name)
			if err != nil {
				panic(err)
			}
			if g.IntN(20) == 0 {
				parts = append(parts, string(literal)+":"+g.spell(g.value(1)))
			}
			parts = append(parts, string(literal)+space()+":"+space()+g.spell(value[name]))
		}
	}
	return open + space() + strings.Join(parts, space()+","+space()) + space() + closing
}
