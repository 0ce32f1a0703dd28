package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// FuzzLoad holds every input against what Load promises whatever it is given: no
// panic, a configuration or faults, faults that say where, and no secret in them.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, exampleFile) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _ := cutFaults(string(data))
		f.Add([]byte(input))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := loadText(t, string(data), nil)
		if err == nil {
			if _, err := c.YAML(); err != nil {
				t.Errorf("YAML: %v", err)
			}
			return
		}
		if c != nil {
			t.Fatalf("got %v, %v, want faults alone", c, err)
		}
		checkFaults(t, err)
		for _, secret := range secretsIn(data, "order_secret") {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("tells the secret %q:\n%v", secret, err)
			}
		}
	})
}

// checkFaults requires an error to be faults that say where.
func checkFaults(t *testing.T, err error) {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("got %v, want faults", err)
	}
	for _, fault := range faults {
		if fault.File == "" || fault.Line < 0 || fault.Message == "" || strings.ContainsAny(fault.Error(), "\r\n") {
			t.Errorf("incomplete: %#v", fault)
		}
	}
}

// secretsIn returns the secrets at a key of a document that cannot be mistaken for
// something else that it holds. Of what is no document, nothing at all may be told.
func secretsIn(data []byte, key string) []string {
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil {
		return []string{"hush"}
	}
	var secrets []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && child.Value == key {
				secret := n.Content[i+1].Value
				if strings.Contains(secret, "hush") && strings.Count(string(data), secret) == 1 {
					secrets = append(secrets, secret)
				}
			}
			walk(child)
		}
	}
	walk(&root)
	return secrets
}
