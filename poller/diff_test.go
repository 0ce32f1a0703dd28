package poller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const same = ""
	tests := map[string]struct {
		old, new string
		ignore   []string
		want     string // one change a line: path, old value -> new value
	}{
		"value":            {old: `{"s":"PAID"}`, new: `{"s":"SHIPPED"}`, want: `/s "PAID" -> "SHIPPED"`},
		"appears":          {old: `{}`, new: `{"a":1}`, want: `/a  -> 1`},
		"vanishes":         {old: `{"a":1}`, new: `{}`, want: `/a 1 -> `},
		"appears as null":  {old: `{}`, new: `{"a":null}`, want: `/a  -> null`},
		"becomes null":     {old: `{"a":1}`, new: `{"a":null}`, want: `/a 1 -> null`},
		"true to false":    {old: `{"a":true}`, new: `{"a":false}`, want: `/a true -> false`},
		"nested":           {old: `{"a":[{"b":{"c":1}}]}`, new: `{"a":[{"b":{"c":2}}]}`, want: `/a/0/b/c 1 -> 2`},
		"subtree appears":  {old: `{}`, new: `{"a": {"b": [1, {"c": 2}]}}`, want: `/a  -> {"b":[1,{"c":2}]}`},
		"subtree vanishes": {old: `{"a": [ "x y" ]}`, new: `{}`, want: `/a ["x y"] -> `},
		"kind":             {old: `{"a":{"b":1}}`, new: `{"a":"b"}`, want: `/a {"b":1} -> "b"`},
		"object to array":  {old: `{"a":{}}`, new: `{"a":[]}`, want: `/a {} -> []`},
		"string to number": {old: `{"a":"1"}`, new: `{"a":1}`, want: `/a "1" -> 1`},

		"array grows":         {old: `{"a":[1]}`, new: `{"a":[1,2,3]}`, want: "/a/1  -> 2\n/a/2  -> 3"},
		"array shrinks":       {old: `{"a":[1,2,3]}`, new: `{"a":[4]}`, want: "/a/0 1 -> 4\n/a/2 3 -> \n/a/1 2 -> "},
		"array is emptied":    {old: `{"a":[1]}`, new: `{"a":[]}`, want: `/a/0 1 -> `},
		"order of a change":   {old: `{"x":1,"a":1,"y":1,"b":1}`, new: `{"b":2,"n":2,"a":2}`, want: "/b 1 -> 2\n/n  -> 2\n/a 1 -> 2\n/x 1 -> \n/y 1 -> "},
		"names are escaped":   {old: `{"a/b":1,"~":1,"":1}`, new: `{"a/b":2,"~":2,"":2}`, want: "/a~1b 1 -> 2\n/~0 1 -> 2\n/ 1 -> 2"},
		"last name counts":    {old: `{"a":1,"b":0,"a":2}`, new: `{"a":5,"a":3}`, want: "/a 2 -> 3\n/b 0 -> "},
		"last name vanishes":  {old: `{"a":1,"a":2}`, new: `{}`, want: `/a 2 -> `},
		"last name the same":  {old: `{"a":1,"a":2}`, new: `{"a":2}`, want: same},
		"last name elsewhere": {old: `{"x":{"a":1,"b":2}}`, new: `{"x":{"a":1,"a":2}}`, want: "/x/a 1 -> 2\n/x/b 2 -> "},
		"escaped name":        {old: `{"\u0061":1}`, new: `{"a":2}`, want: `/a 1 -> 2`},
		"values as spelled":   {old: `{"a":1.50}`, new: `{"a":"<\u0041&\/>"}`, want: `/a 1.50 -> "<\u0041&\/>"`},
		"white space goes":    {old: `{}`, new: "{\"a\" :\t[ 1 ,\r\n \" \\\" [ \" ] }", want: `/a  -> [1," \" [ "]`},

		"space and order":   {old: `{"a":[1,2],"b":{"c":1,"d":2}}`, new: "\n{ \"b\": {\"d\":2, \"c\":1},\t\"a\":[1 ,2] } ", want: same},
		"spelling of text":  {old: `{"a":"\u0041\/\ud83d\ude00"}`, new: `{"a":"A/😀"}`, want: same},
		"spelling of order": {old: `{"a":{"b":[1.0,2]}}`, new: `{"a":{"b":[1,2e0]}}`, want: same},
		"long number":       {old: `{"a":12345678901234567890}`, new: `{"a":12345678901234567891}`, want: `/a 12345678901234567890 -> 12345678901234567891`},
		"after a shift":     {old: `{"a":1,"b":[{"c":7},{"d":8}]}`, new: `{"a":10,"b":[{"c":7},{"d":9}]}`, want: "/a 1 -> 10\n/b/1/d 8 -> 9"},

		"update stamps":          {old: `{"updateDate":"a","updateTimestamp":1,"lastChangeDate":1}`, new: `{"updateDate":"b","lastChangeDate":2}`, want: same},
		"stamps of other things": {old: `{"a":{"updateDate":1}}`, new: `{"a":{"updateDate":2}}`, want: `/a/updateDate 1 -> 2`},
		"ignored":                {old: `{"a":1,"b":1}`, new: `{"a":2,"b":2}`, ignore: []string{"/a"}, want: `/b 1 -> 2`},
		"below ignored":          {old: `{"a":{"b":[1]}}`, new: `{"a":{"b":[2]}}`, ignore: []string{"/a"}, want: same},
		"ignored index":          {old: `{"a":[1,1]}`, new: `{"a":[2,2]}`, ignore: []string{"/a/1"}, want: `/a/0 1 -> 2`},
		"star for an index":      {old: `{"a":[{"b":1,"c":1}]}`, new: `{"a":[{"b":2,"c":2}]}`, ignore: []string{"/a/*/b"}, want: `/a/0/c 1 -> 2`},
		"star for a member":      {old: `{"a":{"x":1},"b":{"x":1,"y":1}}`, new: `{"a":{"x":2},"b":{"x":2,"y":2}}`, ignore: []string{"/*/x"}, want: `/b/y 1 -> 2`},
		"star is one step":       {old: `{"a":{"b":{"c":1}}}`, new: `{"a":{"b":{"c":2}}}`, ignore: []string{"/*/c"}, want: `/a/b/c 1 -> 2`},
		"two pointers":           {old: `{"a":{"b":1,"c":1}}`, new: `{"a":{"b":2,"c":2}}`, ignore: []string{"/a/b", "/*/c"}, want: same},
		"escaped pointer":        {old: `{"a/~1":1}`, new: `{"a/~1":2}`, ignore: []string{"/a~1~01"}, want: same},
		"whole with ignored":     {old: `{}`, new: `{"a":{"b":1,"c":1}}`, ignore: []string{"/a/b"}, want: `/a  -> {"b":1,"c":1}`},
		"only ignored appears":   {old: `{}`, new: `{"a":{"b":{"c":1}}}`, ignore: []string{"/a/b/c"}, want: same},
		"only ignored vanishes":  {old: `{"a":[{"b":1},{"b":2}]}`, new: `{}`, ignore: []string{"/a/*/b"}, want: same},
		"hollow to array":        {old: `{"a":{"b":1}}`, new: `{"a":[]}`, ignore: []string{"/a/b"}, want: same},
		"hollow to value":        {old: `{"a":{"b":1}}`, new: `{"a":1}`, ignore: []string{"/a/b"}, want: `/a {"b":1} -> 1`},
		"duplicate hides value":  {old: `{}`, new: `{"a":{"c":1,"c":{}}}`, ignore: []string{"/a/c/d"}, want: same},
		"empty beside ignored":   {old: `{}`, new: `{"b":{}}`, ignore: []string{"/a/b"}, want: `/b  -> {}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes, err := Diff([]byte(test.old), []byte(test.new), ignoring(t, test.ignore...))
			if err != nil {
				t.Fatal(err)
			}
			if changes == nil {
				t.Error("changes are nil, which stands for an unknown earlier state")
			}
			if diff := cmp.Diff(test.want, diffLines(changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// diffLines prints changes for comparison, one a line.
func diffLines(changes []event.Change) string {
	lines := make([]string, len(changes))
	for i, c := range changes {
		lines[i] = fmt.Sprintf("%s %s -> %s", c.Path, c.Old, c.New)
	}
	return strings.Join(lines, "\n")
}

func TestDiffAndDigestRefuse(t *testing.T) {
	t.Parallel()
	good := []byte(`{"total":10}`)
	deep := strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000)
	for name, raw := range map[string]string{
		"nothing":       ``,
		"no JSON":       `{"card":4111`,
		"two documents": `{"card":4111}{}`,
		"array":         `["4111"]`,
		"string":        `"4111"`,
		"null":          ` null`,
		"nested deeply": `{"4111":` + deep + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, digestErr := Digest([]byte(raw))
			_, oldErr := Diff([]byte(raw), good, Ignore{})
			_, newErr := Diff(good, []byte(raw), Ignore{})
			for _, err := range []error{digestErr, oldErr, newErr} {
				if err == nil {
					t.Fatal("no error")
				}
				if strings.Contains(err.Error(), "4111") {
					t.Errorf("the error tells content: %v", err)
				}
			}
		})
	}
}

// Nothing of what Diff returns may change when the caller reuses its buffers.
func TestDiffKeepsNothingOfItsInput(t *testing.T) {
	t.Parallel()
	before, after := []byte(`{"a":"old"}`), []byte(`{"a":"new"}`)
	changes, err := Diff(before, after, Ignore{})
	if err != nil {
		t.Fatal(err)
	}
	clear(before)
	clear(after)
	if got, want := diffLines(changes), `/a "old" -> "new"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A change repeats the path that leads to it, so that listing many at a great
// depth, or below a long name, would take more memory than there is.
func TestDiffBoundsWhatItLists(t *testing.T) {
	t.Parallel()
	const depth = 9_000
	many := func(value string) string { return `[` + strings.Repeat(value+`,`, 100_000) + `0]` }
	for name, wrap := range map[string]func(values string) string{
		"many":      func(values string) string { return values },
		"deep":      func(values string) string { return strings.Repeat(`[`, depth) + values + strings.Repeat(`]`, depth) },
		"long name": func(values string) string { return `{"` + strings.Repeat(`n`, 1<<20) + `":` + values + `}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was, is := wrap(many("1")), wrap(many("2"))
			before := `{"a":{"x":1},"big":` + was + `,"b":{"x":1,"y":1},"c":1}`
			after := `{"a":{"x":2},"big":` + is + `,"b":{"x":2,"y":1},"c":1}`
			changes, err := Diff([]byte(before), []byte(after), Ignore{})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := diffLines(changes), "/a/x 1 -> 2\n/big "+was+" -> "+is+"\n/b/x 1 -> 2"; got != want {
				t.Errorf("got %d changes, the first at %.20s", len(changes), changes[0].Path)
			}
		})
	}
}

func FuzzDiff(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":[1,{"b":"x"}],"updateDate":"1"}`, `{"a":[1.0,{"b":"\u0078"},null],"updateDate":"2"}`},
		{`{"a":1,"a":2,"~/":-0}`, `{"a":[],"":{},"~/":0e7}`},
		{`{"a":"\ud800"}`, "{\"a\":\"\xff\"}"},
		{`[]`, `{`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, before, after []byte) {
		changes, err := Diff(before, after, Ignore{})
		if (err == nil) != (diffIsObject(before) && diffIsObject(after)) {
			t.Fatalf("error: %v", err)
		}
		if err != nil {
			return
		}
		for _, c := range changes {
			if c.Old != nil && !json.Valid(c.Old) || c.New != nil && !json.Valid(c.New) {
				t.Fatalf("a value is not JSON: %+v", c)
			}
		}
		diffCheckAgainstDecoder(t, before, after, changes)
		for _, raw := range [][]byte{before, after} {
			if changes, err := Diff(raw, raw, Ignore{}); err != nil || len(changes) > 0 {
				t.Fatalf("Diff with itself: %v, %v", changes, err)
			}
		}
	})
}

func diffIsObject(raw []byte) bool {
	return json.Valid(raw) && bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}

// diffCheckAgainstDecoder holds the changes and the digests against what
// encoding/json and math/big make of the same objects.
func diffCheckAgainstDecoder(t *testing.T, before, after []byte, changes []event.Change) {
	t.Helper()
	was, ok := diffDecode(before)
	is, ok2 := diffDecode(after)
	if !ok || !ok2 {
		return
	}
	equal := reflect.DeepEqual(was, is)
	if oldDigest, newDigest := diffDigest(t, before), diffDigest(t, after); (oldDigest == newDigest) != equal {
		t.Errorf("same content: %v, same digest: %v", equal, !equal)
	}
	for _, root := range []map[string]any{was, is} {
		delete(root, "updateDate")
		delete(root, "updateTimestamp")
		delete(root, "lastChangeDate")
	}
	if equal = reflect.DeepEqual(was, is); equal != (len(changes) == 0) {
		t.Errorf("same content: %v, changes: %s", equal, diffLines(changes))
	}
	var got any = was
	for _, c := range changes {
		var err error
		if got, err = diffApply(got, strings.Split(c.Path, "/")[1:], c); err != nil {
			t.Fatalf("apply %s: %v", c.Path, err)
		}
	}
	if diff := cmp.Diff(any(is), got); diff != "" {
		t.Errorf("the changes do not lead to the new state (-want +got):\n%s", diff)
	}
}

func diffDigest(t *testing.T, raw []byte) [32]byte {
	t.Helper()
	digest, err := Digest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// A diffNumber is the exact value of a number, as a fraction.
type diffNumber string

// diffDecode decodes an object by encoding/json. It is false when a number's
// exponent is too large for the reference.
func diffDecode(raw []byte) (map[string]any, bool) {
	value, ok := diffDecodeValue(raw)
	object, _ := value.(map[string]any)
	return object, ok
}

func diffDecodeValue(raw []byte) (any, bool) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, false
	}
	return diffExact(value)
}

// diffExact replaces numbers by their exact values.
func diffExact(value any) (exact any, ok bool) {
	ok = true
	switch value := value.(type) {
	case json.Number:
		if _, exponent, _ := strings.Cut(strings.ToLower(value.String()), "e"); len(exponent) > 4 {
			return nil, false
		}
		ratio, parsed := new(big.Rat).SetString(value.String())
		if !parsed {
			return nil, false
		}
		return diffNumber(ratio.RatString()), true
	case map[string]any:
		for name, member := range value {
			var exact bool
			value[name], exact = diffExact(member)
			ok = ok && exact
		}
	case []any:
		for i, element := range value {
			var exact bool
			value[i], exact = diffExact(element)
			ok = ok && exact
		}
	}
	return value, ok
}

// diffApply makes one change to a decoded document, and returns the document. It
// insists on what the change says about the earlier state.
func diffApply(value any, steps []string, c event.Change) (any, error) {
	if len(steps) == 0 {
		was, _ := diffDecodeValue(c.Old)
		if !reflect.DeepEqual(value, was) {
			return nil, fmt.Errorf("found %v, the change says %v", value, was)
		}
		is, _ := diffDecodeValue(c.New)
		return is, nil
	}
	step := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[0])
	last := len(steps) == 1
	switch value := value.(type) {
	case map[string]any:
		member, exists := value[step]
		if last && exists != (c.Old != nil) || !last && !exists {
			return nil, fmt.Errorf("member exists: %v", exists)
		}
		if last && c.New == nil {
			delete(value, step)
			return value, nil
		}
		var err error
		value[step], err = diffApply(member, steps[1:], c)
		return value, err
	case []any:
		return diffApplyElement(value, step, steps, c)
	default:
		return nil, fmt.Errorf("%v has no members", value)
	}
}

func diffApplyElement(array []any, step string, steps []string, c event.Change) (any, error) {
	last := len(steps) == 1
	i, err := strconv.Atoi(step)
	switch {
	case err != nil:
		return nil, err
	case last && c.Old == nil && i == len(array):
		array = append(array, nil)
	case last && c.New == nil && i == len(array)-1:
		return array[:i], nil
	case last && (c.Old == nil || c.New == nil), i >= len(array):
		return nil, fmt.Errorf("array of %d elements", len(array))
	}
	array[i], err = diffApply(array[i], steps[1:], c)
	return array, err
}
