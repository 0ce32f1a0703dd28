package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxValues is how many values are decoded. Aliases can make many out of a small
// file; a file of 10,000 stores with every key has some 200,000.
const maxValues = 500_000

// A decoder fills a Config from a tree of YAML nodes, led by the types of its
// fields. It works on nodes because a fault names its line, and because decoding
// goes on after a fault. The depth of the Config bounds the recursion, so that an
// alias that contains itself does no harm.
type decoder struct {
	*report
	dir string // relative secret files are taken from here
	// env looks ${NAME} up; nil: values are taken as they are.
	env    func(string) (string, bool)
	keys   map[reflect.Type]map[string]field
	values int
}

var secretType = reflect.TypeFor[Secret]()

// decode sets out to the value of the node, which is at path. A null leaves out
// as it is, with its default.
func (d *decoder) decode(path string, n *yaml.Node, out reflect.Value) {
	if !d.spend() {
		return
	}
	n = target(n)
	if isNull(n) {
		return
	}
	kind := out.Kind()
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		d.fault(path, "tags, such as !!str, are not used here: write the value in quotes instead")
	case isScalar(out):
		d.scalar(path, n, out)
	case kind == reflect.Struct:
		d.section(path, n, out)
	case kind == reflect.Slice:
		d.list(path, n, out)
	case kind == reflect.Map:
		d.table(path, n, out)
	}
}

// spend counts a value. It returns false when decoding should end.
func (d *decoder) spend() bool {
	d.values++
	if d.values == maxValues {
		d.add(0, "", "holds too many values: are its aliases nested?")
	}
	return d.values < maxValues && !d.full()
}

// target returns the node that an alias stands for, or the node itself.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// section decodes a mapping into a struct.
func (d *decoder) section(path string, n *yaml.Node, out reflect.Value) {
	if n.Kind != yaml.MappingNode {
		hint := "each on a line of its own"
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, ":") {
			hint = "with a space behind the colon"
		}
		d.fault(path, "must hold keys, %s: %s", hint, someKeys(out.Type()))
		return
	}
	var twins []given
	for _, g := range d.known(path, n, out.Type()) {
		if isNull(target(g.value)) {
			continue
		}
		d.line[join(path, g.key)] = g.line
		if g.field.twin {
			twins = append(twins, g)
			continue
		}
		field := out.Field(g.field.index)
		d.decode(join(path, g.key), g.value, field)
		d.limit(join(path, g.key), g.field.tag, field)
	}
	for _, g := range twins {
		d.secretFile(join(path, g.field.name), join(path, g.key), g.value, out.Field(g.field.index))
	}
}

// A given is a value that was given for a field.
type given struct {
	key   string
	line  int
	field field
	value *yaml.Node
}

// known returns the entries of a mapping whose keys t has. A key that is unknown
// is reported, and taken for the one that was probably meant, so that what it
// holds is looked at too.
func (d *decoder) known(path string, n *yaml.Node, t reflect.Type) []given {
	fields := d.fields(t)
	var list []given
	var unknown []pair
	taken := map[string]bool{}
	for _, p := range d.pairs(path, n) {
		if f, ok := fields[p.key.Value]; ok {
			taken[p.key.Value] = true
			list = append(list, given{p.key.Value, p.key.Line, f, p.value})
		} else {
			unknown = append(unknown, p)
		}
	}
	for _, p := range unknown {
		meant, message := d.unknownKey(p.key.Value, t)
		d.add(p.key.Line, path, message)
		if f, ok := fields[meant]; ok && !taken[meant] {
			taken[meant] = true
			list = append(list, given{meant, p.key.Line, f, p.value})
		}
	}
	return list
}

// A pair is one entry of a mapping.
type pair struct{ key, value *yaml.Node }

// pairs returns the entries of a mapping: its own, then those merged in by <<
// that it does not override.
func (d *decoder) pairs(path string, n *yaml.Node) []pair {
	var list []pair
	var merged []*yaml.Node
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := target(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.add(n.Content[i].Line, d.key(path), "holds a key that is no plain word")
			continue
		}
		if line, ok := first[key.Value]; ok {
			d.add(key.Line, d.key(path), fmt.Sprintf("duplicate key %s: it is on line %d already, keep one of them", showKey(key.Value), line))
			continue
		}
		first[key.Value] = key.Line
		if key.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		list = append(list, pair{key, value})
	}
	for _, value := range merged {
		list = d.merge(path, value, first, list, 0)
	}
	return list
}

// maxMerges is how deep merges may be nested. It ends one that contains itself.
const maxMerges = 10

// merge appends to list the entries of the mapping, or of the list of mappings,
// that << names, except those that are there already.
func (d *decoder) merge(path string, value *yaml.Node, there map[string]int, list []pair, depth int) []pair {
	n := target(value)
	if !d.spend() {
		return list
	}
	switch {
	case depth > maxMerges:
		d.add(value.Line, path, "<< is nested too deeply")
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			list = d.merge(path, item, there, list, depth+1)
		}
	case n.Kind == yaml.MappingNode:
		var inner []*yaml.Node
		for i := 0; i+1 < len(n.Content) && d.spend(); i += 2 {
			key := target(n.Content[i])
			_, overridden := there[key.Value]
			switch {
			case key.Kind != yaml.ScalarNode:
			case key.Tag == "!!merge":
				inner = append(inner, n.Content[i+1])
			case !overridden:
				there[key.Value] = key.Line
				list = append(list, pair{key, n.Content[i+1]})
			}
		}
		for _, item := range inner {
			list = d.merge(path, item, there, list, depth+1)
		}
	default:
		d.add(value.Line, path, "<< must name an anchored section, such as <<: *common")
	}
	return list
}

// list decodes a sequence into a slice. A lone secret is a list of one.
func (d *decoder) list(path string, n *yaml.Node, out reflect.Value) {
	item := out.Type().Elem()
	if n.Kind == yaml.ScalarNode && item == secretType {
		var secret Secret
		d.scalar(path, n, reflect.ValueOf(&secret).Elem())
		if !secret.IsZero() {
			out.Set(reflect.ValueOf([]Secret{secret}))
		}
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(path, "must be a list: begin each item with \"- \" on a line of its own, or write [a, b]")
		return
	}
	out.Grow(len(n.Content))
	for i, node := range n.Content {
		if d.full() {
			return
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		d.line[at] = node.Line
		v := reflect.New(item).Elem()
		if x, ok := reflect.TypeAssert[defaulter](v.Addr()); ok {
			x.setDefaults()
		}
		d.decode(at, node, v)
		if d.unreadAt(at) {
			continue
		}
		if isScalar(v) && v.IsZero() {
			d.fault(at, "is empty: remove this item, or write its value")
		}
		out.Set(reflect.Append(out, v))
	}
}

// table decodes a mapping with any keys into a map of secrets.
func (d *decoder) table(path string, n *yaml.Node, out reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.fault(path, "must hold names and values, each pair on a line of its own")
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for _, p := range d.pairs(path, n) {
		at := join(path, showKey(p.key.Value))
		d.line[at] = p.key.Line
		v := reflect.New(out.Type().Elem()).Elem()
		d.decode(at, p.value, v)
		if d.unreadAt(at) {
			continue
		}
		out.SetMapIndex(reflect.ValueOf(p.key.Value), v)
	}
}

// scalar decodes a single value.
func (d *decoder) scalar(path string, n *yaml.Node, out reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.fault(path, "must be a single value, and is a list or a section")
		return
	}
	text, plain, ok := d.text(path, n, d.spared(path, out))
	if !ok {
		return
	}
	if err := setScalar(out, text, plain); err != nil {
		d.fault(path, "%s", err)
	}
}

var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// text returns the text of a scalar, with ${NAME} replaced, and whether it counts
// as written without quotes. It returns false after a fault, and for a spared value
// that is missing.
func (d *decoder) text(path string, n *yaml.Node, spared bool) (text string, plain, ok bool) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if d.env == nil {
		return n.Value, true, true
	}
	m := reference.FindStringSubmatch(n.Value)
	if m != nil {
		value, set := d.env(m[1])
		if !set {
			d.miss(spared, path, "the environment variable %s is not set", m[1])
			return "", false, false
		}
		d.reference[path] = m[1]
		return value, true, true
	}
	if strings.HasPrefix(n.Value, "${") && strings.HasSuffix(n.Value, "}") {
		d.fault(path, "${…} takes the name of an environment variable: letters, digits and _")
		return "", false, false
	}
	return n.Value, n.Style&quoted == 0, true
}

// join returns the path of a key in the section at path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
