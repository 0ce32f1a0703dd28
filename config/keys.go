package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A field is what a key of the file decodes into.
type field struct {
	name  string // the key; for x_file, x
	index int
	tag   reflect.StructTag
	twin  bool // the key is x_file
}

// fields returns the fields of a struct by their keys.
func (d *decoder) fields(t reflect.Type) map[string]field {
	if known, ok := d.keys[t]; ok {
		return known
	}
	known := map[string]field{}
	for f := range t.Fields() {
		name, ok := keyOf(f)
		if !ok {
			continue
		}
		known[name] = field{name: name, index: f.Index[0], tag: f.Tag}
		if holdsSecret(f.Type) {
			known[name+"_file"] = field{name: name, index: f.Index[0], tag: f.Tag, twin: true}
		}
	}
	d.keys[t] = known
	return known
}

// holdsSecret tells whether a field has an x_file twin.
func holdsSecret(t reflect.Type) bool {
	return t == secretType || t.Kind() == reflect.Slice && t.Elem() == secretType
}

// keysOf returns the keys of a struct in their order, twins left out.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if key, ok := keyOf(f); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// keyOf returns the key of a field. It returns false for one that has none.
func keyOf(f reflect.StructField) (string, bool) {
	key := f.Tag.Get("yaml")
	return key, key != "-"
}

func someKeys(t reflect.Type) string {
	keys := keysOf(t)
	if len(keys) > 4 {
		keys = append(keys[:4], "…")
	}
	return strings.Join(keys, ", ")
}

// unknownKey helps to find the key that was meant by one that t does not have. It
// returns that one, if it is one of t, and the message.
func (d *decoder) unknownKey(key string, t reflect.Type) (meant, message string) {
	fields := d.fields(t)
	if name, _, ok := strings.Cut(key, ":"); ok {
		if _, ok := fields[name]; ok {
			return name, "there must be a space behind \"" + name + ":\""
		}
	}
	message = "unknown key " + showKey(key) + ": "
	wanted := strings.ToLower(key)
	near, ok := nearest(wanted, fields)
	elsewhere := sectionsWith(reflect.TypeFor[Config](), "", wanted)
	switch {
	case len(elsewhere) > 0 && (!ok || distance(wanted, near) > 1):
		return "", message + "it belongs under " + or(elsewhere)
	case ok:
		return near, message + "did you mean " + near + "?"
	}
	return "", message + "the keys here are " + strings.Join(keysOf(t), ", ")
}

// words are what a key consists of: one, or several with dots between them.
var words = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}(\.[A-Za-z0-9_-]{1,32})*$`)

// maxShownKey is above the keys of instances, which have dots, and below most tokens.
const maxShownKey = 64

// showKey returns the key for a message. A value in a key's place, such as a
// token, is not shown.
func showKey(key string) string {
	if len(key) > maxShownKey || !words.MatchString(key) {
		return "(not shown: it is no single word)"
	}
	return key
}

// nearest returns the known key that differs least from the wanted one, unless
// all differ much.
func nearest(wanted string, known map[string]field) (string, bool) {
	best, least := "", len(wanted)/4+2
	for key := range known {
		n := distance(wanted, key)
		if n < least || n == least && best != "" && key < best {
			best, least = key, n
		}
	}
	return best, best != ""
}

// distance is the Levenshtein distance in bytes. Words of very different lengths
// are not compared.
func distance(a, b string) int {
	if len(a) > 2*len(b)+2 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// sectionsWith returns the sections, by the path of their keys, that have a key.
func sectionsWith(t reflect.Type, path, key string) []string {
	var sections []string
	if path != "" && slices.Contains(keysOf(t), key) {
		sections = append(sections, path)
	}
	for f := range t.Fields() {
		if inner, ok := section(f.Type); ok {
			sections = append(sections, sectionsWith(inner, join(path, f.Tag.Get("yaml")), key)...)
		}
	}
	return sections
}

// section returns the struct that a field or the items of its list consist of.
func section(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isScalar(reflect.New(t).Elem()) {
		return nil, false
	}
	return t, true
}
