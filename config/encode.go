package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gopkg.in/yaml.v3"
)

// YAML returns the configuration as it took effect, every key with its value. What
// stores_dir holds is told with the rest, so that the key itself is empty. Where no
// secret is set, and no URL has a secret part, Load reads the same again.
func (c *Config) YAML() ([]byte, error) {
	whole := *c
	whole.StoresDir = ""
	root, err := encode(reflect.ValueOf(whole))
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	if c.StoresDir != "" {
		valueOf(root, "stores_dir").LineComment = "what " + c.StoresDir + " holds is below"
	}
	return marshal(root)
}

// valueOf returns the value of a key that a mapping has.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; ; i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
}

func marshal(root *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// encode is the way back from decode.
func encode(v reflect.Value) (*yaml.Node, error) {
	n := new(yaml.Node)
	switch x := v.Interface().(type) {
	case time.Duration:
		n.SetString(formatDuration(x))
		return n, nil
	case fmt.Stringer:
		n.SetString(x.String())
		return n, nil
	}
	var entries []reflect.Value
	switch v.Kind() {
	case reflect.Struct:
		n.Kind = yaml.MappingNode
		for f, value := range v.Fields() {
			if key, ok := keyOf(f); ok {
				entries = append(entries, reflect.ValueOf(key), value)
			}
		}
	case reflect.Map:
		n.Kind = yaml.MappingNode
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
		for _, key := range keys {
			entries = append(entries, key, v.MapIndex(key))
		}
	case reflect.Slice:
		n.Kind = yaml.SequenceNode
		if _, ok := section(v.Type()); !ok {
			n.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			entries = append(entries, v.Index(i))
		}
	default:
		return n, n.Encode(v.Interface())
	}
	for _, entry := range entries {
		node, err := encode(entry)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, node)
	}
	return n, nil
}
