package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// An Imported is what instances mean as a configuration.
type Imported struct {
	// YAML holds stores and callbacks, without what has its default.
	YAML []byte
	// Variables are the environment variables that YAML refers to instead of
	// secrets. They are to be set to what the instances hold.
	Variables []Variable
	// Warnings tell what of the instances has no counterpart, one sentence each.
	Warnings []string
}

// A Variable is an environment variable that stands for a secret.
type Variable struct {
	Name string
	File string // that holds the secret
	Key  string // of the instance, at which it is
}

// Import translates instances into a configuration that means what they mean in a
// stores_dir. References to environment variables stay references; secrets become
// some, unless reveal asks for the secrets themselves. The path - is the standard
// input. What is wrong with the instances is a Faults.
func Import(paths []string, stdin io.Reader, env func(string) (string, bool), checks Checks, reveal bool) (*Imported, error) {
	c := new(Config)
	c.setDefaults()
	l := loader{report: newReport(""), env: env, substitute: true, checks: checks}
	for _, path := range paths {
		r := newReport(path)
		if path == "-" {
			r.file = "standard input"
		}
		l.further = append(l.further, r)
		data, err := readInstance(path, stdin)
		if err != nil {
			r.add(0, "", err.Error())
			continue
		}
		l.instance(c, r, data)
	}
	w := writer{reveal: reveal, taken: map[string]bool{}}
	for _, r := range l.further {
		for _, name := range r.reference {
			w.taken[name] = true
		}
	}
	root, err := w.write(c, &l)
	if err != nil {
		return nil, err
	}
	if _, err := l.finish(c); err != nil {
		return nil, err
	}
	text, err := marshal(root)
	return &Imported{YAML: text, Variables: w.variables, Warnings: c.Warnings()}, err
}

func readInstance(path string, stdin io.Reader) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // The person who starts the program names it.
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
		}
		defer f.Close() //nolint:errcheck // Nothing was written.
		stdin = f
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxStoreFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	if len(data) > maxStoreFile {
		return nil, fmt.Errorf("holds more than %d MiB: is it the right file?", maxStoreFile>>20)
	}
	return data, nil
}

// A writer writes what instances were translated into. Its nodes are those of the
// Config before it was completed, so that what follows from something else is left
// out.
type writer struct {
	reveal    bool
	variables []Variable
	taken     map[string]bool // their names, and those that the instances refer to
}

func (w *writer) write(c *Config, l *loader) (*yaml.Node, error) {
	stores, callbacks := &yaml.Node{Kind: yaml.SequenceNode}, &yaml.Node{Kind: yaml.SequenceNode}
	for i := range c.Stores {
		s, cb := &c.Stores[i], &c.Callbacks[i] // an instance gives one of each
		var standardStore Store
		var standardCallback Callback
		standardStore.setDefaults()
		standardCallback.setDefaults()
		store, err := encodeWithout(*s, standardStore)
		if err != nil {
			return nil, err
		}
		callback, err := encodeWithout(*cb, standardCallback)
		if err != nil {
			return nil, err
		}
		w.secrets(l.stores[i].report, s, cb, store, callback)
		stores.Content = append(stores.Content, store)
		callbacks.Content = append(callbacks.Content, callback)
	}
	root := mapping()
	root.HeadComment = "A store that names no callbacks sends to all of them."
	root.Content = []*yaml.Node{scalarNode("stores"), stores, scalarNode("callbacks"), callbacks}
	return root, nil
}

// secrets puts references, or the secrets themselves, where the encoded store and
// callback hide them.
func (w *writer) secrets(r *report, s *Store, cb *Callback, store, callback *yaml.Node) {
	put := func(section *yaml.Node, path, variable, secret string) {
		if secret == "" {
			return
		}
		key := path[strings.LastIndexByte(path, '.')+1:]
		*valueOf(section, key) = *scalarNode(w.secret(r, path, variable+"_"+strconv.FormatInt(s.ID, 10), secret))
	}
	put(store, "store.order_secret", "ECWID_ORDER_SECRET", s.OrderSecret.Reveal())
	if cb.URL.String() != cb.URL.Reveal() || r.reference["callback.url"] != "" {
		put(callback, "callback.url", "CALLBACK_URL", cb.URL.Reveal())
	}
	for _, secret := range cb.SigningSecrets {
		put(callback, "callback.signing_secret", "SIGNING_SECRET", secret.Reveal())
	}
	for _, name := range slices.Sorted(maps.Keys(cb.Headers)) {
		variable := "HEADER_" + notInVariables.ReplaceAllString(strings.ToUpper(name), "_")
		value := scalarNode(w.secret(r, join("callback.headers", showKey(name)), variable+"_"+strconv.FormatInt(s.ID, 10), cb.Headers[name].Reveal()))
		*valueOf(valueOf(callback, "headers"), name) = *value
	}
	if !cb.BasicAuth.Password.IsZero() {
		put(valueOf(callback, "basic_auth"), "callback.basic_auth.password", "BASIC_AUTH_PASSWORD", cb.BasicAuth.Password.Reveal())
	}
}

var notInVariables = regexp.MustCompile(`[^A-Z0-9]+`)

// secret returns what to write for the secret at path.
func (w *writer) secret(r *report, path, variable, secret string) string {
	if name, ok := r.reference[path]; ok {
		return "${" + name + "}"
	}
	if w.reveal || secret == "" {
		return secret
	}
	name := variable
	for i := 2; w.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", variable, i)
	}
	w.taken[name] = true
	w.variables = append(w.variables, Variable{Name: name, File: r.file, Key: r.key(path)})
	return "${" + name + "}"
}

// encodeWithout encodes a section without the values that it has by default.
func encodeWithout(section, standard any) (*yaml.Node, error) {
	n, err := encode(reflect.ValueOf(section))
	if err != nil {
		return nil, fmt.Errorf("encode what was imported: %w", err)
	}
	other, err := encode(reflect.ValueOf(standard))
	if err != nil {
		return nil, fmt.Errorf("encode the defaults: %w", err)
	}
	takeAway(n, other)
	return n, nil
}

// takeAway removes from a section the keys that another one, of the same type, has
// with the same value.
func takeAway(n, other *yaml.Node) {
	var left []*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		value, same := n.Content[i+1], other.Content[i+1]
		if isSame(value, same) {
			continue
		}
		if value.Kind == yaml.MappingNode && len(value.Content) == len(same.Content) {
			takeAway(value, same)
		}
		left = append(left, n.Content[i], value)
	}
	n.Content = left
}

func isSame(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, isSame)
}
