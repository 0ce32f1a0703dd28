package ecwidtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed templates/*.json
var templates embed.FS

// The shapes of what is answered, grown from Ecwid's samples.
var (
	orderTemplate        = mustTemplate("order")
	oldOrderTemplate     = mustTemplate("order_old")
	itemTemplate         = mustTemplate("item")
	personTemplate       = mustTemplate("person")
	couponTemplate       = mustTemplate("coupon")
	refundTemplate       = mustTemplate("refund")
	legacyOrderTemplate  = mustTemplate("legacy_order")
	legacyItemTemplate   = mustTemplate("legacy_item")
	legacyPersonTemplate = mustTemplate("legacy_person")
)

// A template is a JSON object, member by member. A string that begins with a
// dollar is a hole: the value of that name takes its place.
type template []templateMember

type templateMember struct {
	name  string
	parts []templatePart
}

// A templatePart is literal JSON and the name of the hole behind it, empty when
// the member ends here.
type templatePart struct {
	text []byte
	hole string
}

// A filler appends the value of a hole. It reports false when there is none: a
// member that is nothing but this hole is left out.
type filler func(dst []byte, hole string) ([]byte, bool)

// members are replaced or added top-level members; nil removes one.
type members map[string]json.RawMessage

func mustTemplate(name string) template {
	data, err := templates.ReadFile("templates/" + name + ".json")
	if err != nil {
		panic(err)
	}
	var t template
	for _, m := range splitObject(data) {
		t = append(t, templateMember{m.name, splitParts(m.value)})
	}
	return t
}

func splitParts(value []byte) []templatePart {
	var parts []templatePart
	for {
		text, rest, found := bytes.Cut(value, []byte(`"$`))
		if !found {
			return append(parts, templatePart{text: text})
		}
		hole, after, _ := bytes.Cut(rest, []byte(`"`))
		parts = append(parts, templatePart{text, string(hole)})
		value = after
	}
}

// append renders the template: the members that keep wants, with those of
// override instead of its own, and behind them what override adds.
func (t template) append(dst []byte, fill filler, keep fields, override members) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for _, m := range t {
		if keep.wants(m.name) {
			dst = m.append(dst, start, fill, keep[m.name], override)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(override)) {
		if override[name] == nil || !keep.wants(name) || t.has(name) {
			continue
		}
		dst = appendName(dst, start, name)
		dst = append(dst, keep[name].prune(override[name])...)
	}
	return append(dst, '}')
}

func (m templateMember) append(dst []byte, start int, fill filler, keep fields, override members) []byte {
	mark := len(dst)
	dst = appendName(dst, start, m.name)
	value := len(dst)
	if raw, replaced := override[m.name]; replaced {
		if raw == nil {
			return dst[:mark]
		}
		return append(dst, keep.prune(raw)...)
	}
	for _, p := range m.parts {
		dst = append(dst, p.text...)
		if p.hole == "" {
			continue
		}
		var ok bool
		if dst, ok = fill(dst, p.hole); !ok {
			return dst[:mark]
		}
	}
	if keep != nil {
		dst = append(dst[:value], keep.prune(bytes.Clone(dst[value:]))...)
	}
	return dst
}

func (t template) has(name string) bool {
	return slices.ContainsFunc(t, func(m templateMember) bool { return m.name == name })
}

func appendName(dst []byte, start int, name string) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return append(appendString(dst, name), ':')
}

// fields is what responseFields asks for: names, and below each what is wanted of
// its value. Nil wants everything.
type fields map[string]fields

// parseFields reads a list such as total,items(id,email).
func parseFields(list string) (fields, error) {
	f, rest, err := parseFieldList(list)
	if err == nil && rest != "" {
		err = fmt.Errorf("unexpected %q", rest)
	}
	return f, err
}

func parseFieldList(list string) (fields, string, error) {
	f := fields{}
	for {
		end := strings.IndexAny(list, ",()")
		if end < 0 {
			end = len(list)
		}
		name := strings.TrimSpace(list[:end])
		if name == "" {
			return nil, "", fmt.Errorf("a name is missing before %q", list)
		}
		list = list[end:]
		f[name] = nil
		if strings.HasPrefix(list, "(") {
			below, rest, err := parseFieldList(list[1:])
			if err != nil {
				return nil, "", err
			}
			if !strings.HasPrefix(rest, ")") {
				return nil, "", fmt.Errorf("the list of %s is not closed", name)
			}
			f[name], list = below, rest[1:]
		}
		if !strings.HasPrefix(list, ",") {
			return f, list, nil
		}
		list = list[1:]
	}
}

func (f fields) wants(name string) bool {
	if f == nil {
		return true
	}
	_, ok := f[name]
	return ok
}

// prune cuts a JSON value down to what is wanted of it; an array's elements one
// by one.
func (f fields) prune(value json.RawMessage) json.RawMessage {
	if f == nil || len(value) == 0 {
		return value
	}
	switch value[0] {
	case '[':
		var elements []json.RawMessage
		if err := json.Unmarshal(value, &elements); err != nil {
			panic(err)
		}
		out := []byte{'['}
		for i, element := range elements {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, f.prune(element)...)
		}
		return append(out, ']')
	case '{':
		out := []byte{'{'}
		for _, m := range splitObject(value) {
			if f.wants(m.name) {
				out = appendName(out, 1, m.name)
				out = append(out, f[m.name].prune(m.value)...)
			}
		}
		return append(out, '}')
	}
	return value
}

type objectMember struct {
	name  string
	value json.RawMessage
}

// splitObject returns the members of a JSON object in their order, compacted. It
// panics on anything else, which only this package could have produced.
func splitObject(data []byte) []objectMember {
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(&compact)
	if _, err := decoder.Token(); err != nil {
		panic(err)
	}
	var list []objectMember
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			panic(err)
		}
		name, _ := token.(string) // a member's name is nothing else
		m := objectMember{name: name}
		if err := decoder.Decode(&m.value); err != nil {
			panic(err)
		}
		list = append(list, m)
	}
	return list
}

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	plain := func(r rune) bool { return r >= ' ' && r < 0x7f && r != '"' && r != '\\' }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	return append(dst, marshal(s)...)
}

// marshal encodes without escaping HTML, as Ecwid does.
func marshal(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
