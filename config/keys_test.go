package config

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gopkg.in/yaml.v3"
)

// schema returns every key of a struct by its path without indices.
func schema(t reflect.Type, path string) map[string]reflect.StructField {
	keys := map[string]reflect.StructField{}
	for f := range t.Fields() {
		key, ok := keyOf(f)
		if !ok {
			continue
		}
		at := join(path, key)
		keys[at] = f
		if inner, ok := section(f.Type); ok {
			maps.Copy(keys, schema(inner, at))
		}
	}
	return keys
}

func TestTagsCanBeRead(t *testing.T) {
	t.Parallel()
	keys := schema(reflect.TypeFor[Config](), "")
	for path, f := range keys {
		if f.Tag.Get("yaml") == "" {
			t.Errorf("%s: no key", f.Name)
		}
		if limits, ok := f.Tag.Lookup("range"); ok {
			low, high, _ := strings.Cut(limits, "..")
			if high != "" && parseQuantity(low) >= parseQuantity(high) {
				t.Errorf("%s: range %s is empty", path, limits)
			}
		}
	}
	for path, words := range unsupported {
		f, ok := keys[path]
		if !ok {
			t.Errorf("unsupported: there is no key %s", path)
		}
		for _, w := range words {
			if !slices.Contains(strings.Split(f.Tag.Get("oneof"), "|"), w) {
				t.Errorf("unsupported: %s has no word %s", path, w)
			}
		}
	}
}

const exampleFile = "../config.example.yaml"

// aheadOf matches a key with a # directly before it, which marks what is not
// supported yet.
var aheadOf = regexp.MustCompile(`(?m)^( *)#([a-z_]+:.*)$`)

func TestExampleLoads(t *testing.T) {
	t.Parallel()
	if _, err := Load(exampleFile, testEnv, testChecks); err != nil {
		t.Error(err)
	}
}

// The example's values are the defaults, and its keys are all that there are.
func TestExampleIsComplete(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	text := aheadOf.ReplaceAllString(string(data), "$1$2")
	want := mustLoad(t, smallest, nil)
	got := mustLoad(t, text, nil)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("defaults (-want +example):\n%s", diff)
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	wantKeys := slices.Sorted(maps.Keys(schema(reflect.TypeFor[Config](), "")))
	if diff := cmp.Diff(wantKeys, slices.Compact(slices.Sorted(slices.Values(nodeKeys(root.Content[0], ""))))); diff != "" {
		t.Errorf("keys (-want +example):\n%s", diff)
	}
	for line := range strings.Lines(string(data)) {
		if m := aheadOf.FindStringSubmatch(strings.TrimRight(line, "\n")); len(m) == 3 && !marksUnsupported(m[2]) {
			t.Errorf("%s is marked as not supported, and is", m[2])
		}
	}
}

// marksUnsupported tells whether the table has the key at the start of a line.
func marksUnsupported(line string) bool {
	key, _, _ := strings.Cut(line, ":")
	for path, words := range unsupported {
		if (path == key || strings.HasSuffix(path, "."+key)) && words == nil {
			return true
		}
	}
	return false
}

// nodeKeys returns the paths of all keys of a document, without indices.
func nodeKeys(n *yaml.Node, path string) []string {
	var keys []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			keys = append(keys, nodeKeys(item, path)...)
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			at := join(path, n.Content[i].Value)
			keys = append(append(keys, at), nodeKeys(n.Content[i+1], at)...)
		}
	}
	return keys
}

func TestDistance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"url", "url", 0},
		{"url", "uri", 1},
		{"calbacks", "callbacks", 1},
		{"", "abc", 3},
		{"kitten", "sitting", 3},
		{"flaw", "lawn", 2},
	}
	for _, test := range tests {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if got := distance(pair[0], pair[1]); got != test.want {
				t.Errorf("%q to %q: got %d, want %d", pair[0], pair[1], got, test.want)
			}
		}
	}
}

func TestNearestKeyIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	known := map[string]field{"abcd": {}, "abce": {}, "abcf": {}}
	for range 50 {
		if got, _ := nearest("abcx", known); got != "abcd" {
			t.Fatalf("got %s, want abcd", got)
		}
	}
	if got, ok := nearest("zzzz", known); ok {
		t.Errorf("got %s, want none", got)
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"5m": "5m", "168h": "168h", "90s": "1m30s", "0": "0s", "1h30m": "1h30m", "10m": "10m", "1h0m1s": "1h0m1s", "100ms": "100ms", "20h": "20h",
	} {
		d, err := parseDuration(text)
		if got := formatDuration(d); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for text, hint := range map[string]string{"90": "write 90s", "1.5": "write 1.5s", "-5": "write -5s", "7d": "168h", "": "must be", "soon": "must be"} {
		if _, err := parseDuration(text); err == nil || !strings.Contains(fmt.Sprint(err), hint) {
			t.Errorf("%q: got %v, want %s", text, err, hint)
		}
	}
}
