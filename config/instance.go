package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// An instance translates an instance of SAP Open Connectors: the JSON of POST
// /instances, and what GET /instances/{id} returns with its values filled in. It makes
// the sections of a store and of a callback, which are then decoded like those of a
// file, so that the rules are the same. Inside the report they are at the paths store
// and callback; a person is told the instance's own keys.
type instance struct {
	*decoder
	store, callback *yaml.Node
	paused          bool
	notes           []string
	unused          []string // keys without a counterpart
}

// The paths of the sections.
const (
	instanceStore    = "store"
	instanceCallback = "callback"
)

// instance adds the store and the callback that an instance stands for. The callback
// is the store's own.
func (l *loader) instance(c *Config, r *report, data []byte) {
	r.called = instanceNames
	root, line, message := parseJSON(data)
	if message != "" {
		r.add(line, "", message)
		return
	}
	in := instance{decoder: l.decoder(r, ""), store: mapping(), callback: mapping()}
	if !in.translate(root) {
		return
	}
	var s Store
	var cb Callback
	s.setDefaults()
	cb.setDefaults()
	in.decode(instanceStore, in.store, reflect.ValueOf(&s).Elem())
	in.decode(instanceCallback, in.callback, reflect.ValueOf(&cb).Elem())
	cb.Name, cb.Format = fmt.Sprintf("instance-%d", s.ID), FormatOpenConnectors
	s.Callbacks, s.Paused = []string{cb.Name}, in.paused
	in.line["callback.name"] = in.lineOf("store.id")
	for _, note := range in.notes {
		c.Notes = append(c.Notes, Note{File: r.file, Text: note})
	}
	c.Stores, c.Callbacks = append(c.Stores, s), append(c.Callbacks, cb)
	l.stores = append(l.stores, place{r, instanceStore})
	l.callbacks = append(l.callbacks, place{r, instanceCallback})
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

// An instanceKey is a key that is known, and what becomes of it. One that has a
// counterpart has the path of that.
type instanceKey struct {
	name, path string
	translate  func(in *instance, k instanceKey, value *yaml.Node)
}

var (
	topKeys = []instanceKey{
		{"name", "store.name", (*instance).words},
		{"tags", "store.tags", (*instance).wordList},
	}
	configurationKeys = []instanceKey{
		{"ecwid.store.id", "store.id", (*instance).number},
		{"ecwid.order.key", "store.order_secret", (*instance).words},
		{"ecwid.product.key", "", (*instance).productKey},
		{"event.notification.enabled", "", (*instance).enabled},
		{"event.notification.callback.url", "callback.url", (*instance).words},
		{"event.notification.signature.key", "callback.signing_secret", (*instance).words},
		{"event.notification.callback.headers", "callback.headers", (*instance).headers},
		{"event.notification.basic.username", "callback.basic_auth.username", (*instance).words},
		{"event.notification.basic.password", "callback.basic_auth.password", (*instance).words},
		{"event.vendor.type", "", (*instance).vendorType},
		{"event.poller.refresh_interval", "store.schedule", (*instance).interval},
		{"event.poller.configuration", "", (*instance).pollers},
		{"event.objects", "", (*instance).objects},
	}
)

// pollDelay is in the configuration of the poller of orders.
var pollDelay = instanceKey{name: "event.poller.configuration.orders.pollDelay", path: "store.overlap"}

// instanceNames are the instance's keys by the paths of their counterparts.
var instanceNames = func() map[string]string {
	// What the program itself chooses is told of by what it follows from.
	names := map[string]string{
		instanceStore: "", instanceCallback: "", "callback.name": "ecwid.store.id",
		"callback.basic_auth": "event.notification.basic", pollDelay.path: pollDelay.name,
	}
	for _, keys := range [][]instanceKey{topKeys, configurationKeys} {
		for _, k := range keys {
			if k.path != "" {
				names[k.path] = k.name
			}
		}
	}
	return names
}()

// at returns the path under which the key's faults are reported.
func (k instanceKey) at() string {
	if k.path == "" {
		return k.name
	}
	return k.path
}

// translate fills the sections. It returns false when the root is no instance.
func (in *instance) translate(root *yaml.Node) bool {
	if root.Kind == yaml.SequenceNode {
		in.add(root.Line, "", "holds a list: write each instance into a file of its own")
		return false
	}
	var top []pair
	if root.Kind == yaml.MappingNode {
		top = in.pairs("", root)
	}
	element, configuration := objectAt(top, "element"), objectAt(top, "configuration")
	if element == nil || configuration == nil {
		in.add(root.Line, "", "is no instance of Open Connectors: it must hold {\"element\": {\"key\": \"ecwid\"}, \"configuration\": {…}}")
		return false
	}
	if !in.isEcwid(element) {
		return false
	}
	in.read("", top, topKeys, "element", "configuration")
	given := in.read("configuration", in.pairs("configuration", configuration), configurationKeys)
	if !given["event.notification.enabled"] {
		in.pause()
	}
	if len(in.unused) > 0 {
		in.note("not used, as there is no counterpart here: %s", several(in.unused))
	}
	return true
}

// objectAt returns the object at a key, or nil.
func objectAt(pairs []pair, key string) *yaml.Node {
	for _, p := range pairs {
		if p.key.Value == key && p.value.Kind == yaml.MappingNode {
			return p.value
		}
	}
	return nil
}

func (in *instance) isEcwid(element *yaml.Node) bool {
	key := ""
	for _, p := range in.pairs("element", element) {
		if p.key.Value == "key" {
			key = p.value.Value
		} else if !isEmpty(p.value) {
			in.unused = append(in.unused, "element."+showKey(p.key.Value))
		}
	}
	if key != "ecwid" {
		in.add(element.Line, "element.key", "must be ecwid: only instances of Ecwid stores can be translated")
	}
	return key == "ecwid"
}

// read translates what the object at path of the instance gives, in the order of keys,
// and returns their names. Keys that are known elsewhere are left out.
func (in *instance) read(path string, pairs []pair, keys []instanceKey, elsewhere ...string) map[string]bool {
	values := map[string]*yaml.Node{}
	known := map[string]bool{}
	for _, name := range elsewhere {
		known[name] = true
	}
	for _, k := range keys {
		known[k.name] = true
	}
	for _, p := range pairs {
		name := p.key.Value
		if !isEmpty(p.value) && !known[name] {
			name = in.unknown(path, p.key)
		}
		if _, taken := values[name]; !taken && known[name] && !isEmpty(p.value) {
			values[name] = p.value
		}
	}
	given := map[string]bool{}
	for _, k := range keys {
		if value, ok := values[k.name]; ok {
			given[k.name] = true
			in.line[k.at()] = value.Line
			k.translate(in, k, value)
		}
	}
	return given
}

// unknown tells of a key without a counterpart. One that was meant to be another is a
// fault: where the signature key is misspelt, say, events would be sent unsigned. It
// returns the key that was meant, if there is one.
func (in *instance) unknown(path string, key *yaml.Node) (meant string) {
	const most = 2 // edits; the keys are long, and differ by more
	wanted, least := plainKey(key.Value), most+1
	for _, k := range configurationKeys {
		if n := distance(wanted, plainKey(k.name)); n < least {
			meant, least = k.name, n
		}
	}
	message := "unknown key " + showKey(key.Value) + ": "
	switch {
	case meant == "":
		in.unused = append(in.unused, showKey(key.Value))
	case path == "":
		in.add(key.Line, "", message+"did you mean "+meant+", under configuration?")
	default:
		in.add(key.Line, path, message+"did you mean "+meant+"?")
	}
	return meant
}

// plainKey returns a key without what is easily confused.
func plainKey(key string) string {
	return strings.NewReplacer("_", ".", "-", ".").Replace(strings.ToLower(key))
}

// isEmpty tells whether a value is as good as none: what GET /instances returns has
// every key.
func isEmpty(n *yaml.Node) bool {
	return isNull(n) || n.Kind == yaml.ScalarNode && n.Value == "" || n.Kind != yaml.ScalarNode && len(n.Content) == 0
}

// set puts a value at the path of a key's counterpart.
func (in *instance) set(path string, value *yaml.Node) {
	section := in.store
	rest, ok := strings.CutPrefix(path, instanceStore+".")
	if !ok {
		section, rest = in.callback, strings.TrimPrefix(path, instanceCallback+".")
	}
	for {
		key, inner, nested := strings.Cut(rest, ".")
		if !nested {
			section.Content = append(section.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, Line: value.Line}, value)
			return
		}
		section, rest = sectionOf(section, key, value.Line), inner
	}
}

// sectionOf returns the section at a key of another one. It makes it where there is
// none.
func sectionOf(n *yaml.Node, key string, line int) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	inner := mapping()
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, Line: line}, inner)
	return inner
}

func (in *instance) note(format string, args ...any) {
	in.notes = append(in.notes, fmt.Sprintf(format, args...))
}

// pause pauses the store of an instance that sent no events.
func (in *instance) pause() {
	in.paused = true
	in.note("event.notification.enabled is not true, so the instance sent no events: its store is paused")
}

// placeholder matches what the documentation has in the place of values, and what
// Open Connectors shows instead of secrets. A lone * is none: it means all.
var placeholder = regexp.MustCompile(`^(<.*>|\*{2,}|[xX]{8,})$|(?i:<insert_)`)

// filledIn reports a value that is to be replaced by a person's own.
func (in *instance) filledIn(path string, n *yaml.Node) bool {
	if !placeholder.MatchString(n.Value) {
		return true
	}
	in.fault(path, "is a placeholder: fill your own value in")
	return false
}

// several joins words, of which it leaves out those that would bury the others.
func several(words []string) string {
	const most = 30
	if len(words) > most {
		words = append(words[:most:most], fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(words, ", ")
}
