// Package ecwidevents_test holds what README.md says against the program.
package ecwidevents_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

const smallest = `
stores:
  - id: 1003
    order_secret: secret_x
callbacks:
  - url: https://example.com/ecwid-events
`

// credential is where README.md and the unit let a secret of the service be.
const credential = "/run/credentials/ecwid-events.service/secret_order"

func TestReadmeConfigurationsLoad(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "order")
	if err := os.WriteFile(secret, []byte("secret_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(snippets) < 2 {
		t.Fatalf("%d configurations in README.md, want at least 2", len(snippets))
	}
	for _, snippet := range snippets {
		if _, err := load(t, strings.ReplaceAll(snippet[1], credential, secret)); err != nil {
			t.Errorf("%v\n%s", err, snippet[1])
		}
	}
}

func TestReadmeNamesTheUnitsCredentials(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("packaging/ecwid-events.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "\nLoadCredential=secret:/etc/ecwid-events/secrets\n") {
		t.Error("the unit does not load /etc/ecwid-events/secrets as the credentials secret_*")
	}
	for _, text := range []string{credential, "/etc/ecwid-events/secrets/order"} {
		if !strings.Contains(readme(t), text) {
			t.Errorf("README.md does not say %s", text)
		}
	}
}

func TestReadmeListsEveryKeyWithItsDefault(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for key, value := range defaults(t) {
		switch key {
		case "stores.id", "stores.order_secret", "callbacks.url":
			value = "required"
		case "stores.schedule": // what takes effect is the schedule at the top
			value = ""
		case "stores.api": // what takes effect follows from the secret
			value = "auto"
		case "storage.path": // what takes effect is absolute
			value = filepath.Base(value)
		case "callbacks.signing_secret": // one, or a list
			value = ""
		}
		want[key] = value
	}
	got := map[string]string{}
	for _, row := range readmeKeys(t) {
		if _, twice := got[row.key]; twice {
			t.Errorf("README.md lists %s twice", row.key)
		}
		got[row.key] = row.standard
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys and their defaults (-configuration +README.md):\n%s", diff)
	}
}

func TestReadmeMarksWhatIsNotSupported(t *testing.T) {
	t.Parallel()
	// What a person would write to use a feature that README.md marks.
	features := map[string][]string{
		"stores_dir":                    {"stores_dir: stores"},
		"callbacks.format":              {"callbacks: [{url: 'http://x', format: ecwid}]", "callbacks: [{url: 'http://x', format: cloudevents}]"},
		"callbacks.payload":             {"callbacks: [{url: 'http://x', payload: thin}]"},
		"callbacks.only_changes":        {"callbacks: [{url: 'http://x', only_changes: [/total]}]"},
		"callbacks.headers":             {"callbacks: [{url: 'http://x', headers: {X-A: b}}]"},
		"callbacks.bearer_token":        {"callbacks: [{url: 'http://x', bearer_token: abc}]"},
		"callbacks.basic_auth.username": {"callbacks: [{url: 'http://x', basic_auth: {username: a, password: b}}]"},
		"callbacks.basic_auth.password": {"callbacks: [{url: 'http://x', basic_auth: {username: a, password: b}}]"},
		"callbacks.tls.ca_file":         {"callbacks: [{url: 'https://x', tls: {ca_file: a.pem}}]"},
		"callbacks.tls.cert_file":       {"callbacks: [{url: 'https://x', tls: {cert_file: a.pem, key_file: b.pem}}]"},
		"callbacks.tls.key_file":        {"callbacks: [{url: 'https://x', tls: {cert_file: a.pem, key_file: b.pem}}]"},
		"callbacks.proxy":               {"callbacks: [{url: 'http://x', proxy: 'http://y:3128'}]"},
		"callbacks.rate_limit":          {"callbacks: [{url: 'http://x', rate_limit: 5}]"},
		"callbacks.ordering":            {"callbacks: [{url: 'http://x', ordering: callback}]", "callbacks: [{url: 'http://x', ordering: none}]"},
		"storage.driver":                {"storage: {driver: postgres, dsn: 'postgres://x/y'}"},
		"storage.dsn":                   {"storage: {driver: postgres, dsn: 'postgres://x/y'}"},
		"admin.listen":                  {"admin: {listen: '127.0.0.1:8321'}"},
		"admin.token":                   {"admin: {listen: '127.0.0.1:8321', token: abcdefghijklmnop}"},
	}
	marked := map[string]bool{}
	for _, row := range readmeKeys(t) {
		if row.later {
			marked[row.key] = true
		}
	}
	for key, texts := range features {
		refused := true
		for _, text := range texts {
			refused = refused && notSupported(t, text)
		}
		if refused != marked[key] {
			t.Errorf("%s: refused as not supported: %t; marked in README.md: %t", key, refused, marked[key])
		}
		delete(marked, key)
	}
	for key := range marked {
		t.Errorf("README.md marks %s, and this test has no example of its use", key)
	}
}

func TestReadmeListsEveryDirectoryOfCode(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if dir := filepath.Dir(path); filepath.Ext(path) == ".go" && dir != "." {
			want[filepath.ToSlash(dir)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section(t, "The code"), -1) {
		got[row[1]] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directories of code (-there +README.md):\n%s", diff)
	}
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns what stands below a heading of README.md.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(readme(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no heading %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

type readmeKey struct {
	key, standard string
	later         bool
}

// readmeKeys returns the rows of README.md's table of keys.
func readmeKeys(t *testing.T) []readmeKey {
	t.Helper()
	rows := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|([^|]*)\\|(.*)\\|$").FindAllStringSubmatch(section(t, "Configuration"), -1)
	keys := make([]readmeKey, len(rows))
	for i, row := range rows {
		keys[i] = readmeKey{row[1], strings.Trim(row[2], " `"), strings.Contains(row[3], "*(later)*")}
	}
	return keys
}

// defaults returns every key with its value where a file gives only what is
// required.
func defaults(t *testing.T) map[string]string {
	t.Helper()
	c, err := load(t, smallest)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	flatten(values, "", document.Content[0])
	if want := reflect.TypeFor[config.Config]().NumField(); len(values) < want {
		t.Fatalf("%d keys, want at least %d", len(values), want)
	}
	return values
}

// flatten adds the values below a node, by their keys joined with dots. Items of
// lists count as their list.
func flatten(values map[string]string, key string, n *yaml.Node) {
	switch {
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		flatten(values, key, n.Content[0])
	case n.Kind == yaml.SequenceNode:
		values[key] = "[]"
	case n.Kind == yaml.MappingNode && len(n.Content) == 0:
		values[key] = "{}"
	case n.Kind == yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			flatten(values, strings.TrimPrefix(key+"."+n.Content[i].Value, "."), n.Content[i+1])
		}
	default:
		values[key] = n.Value
	}
}

// notSupported tells whether the smallest file with this text in it is refused
// because of a feature that is not there.
func notSupported(t *testing.T, text string) bool {
	t.Helper()
	base := smallest
	if strings.HasPrefix(text, "callbacks:") {
		base, _, _ = strings.Cut(smallest, "callbacks:")
	}
	_, err := load(t, base+text+"\n")
	var faults config.Faults
	return errors.As(err, &faults) && strings.Contains(err.Error(), "not supported yet")
}

// load reads a configuration with the checks that the program makes.
func load(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "secret_x", name == "ECWID_ORDER_SECRET" }
	return config.Load(path, env, config.Checks{
		Schedule:      func(s string) error { _, err := poller.ParseSchedule(s); return err },
		Pointer:       func(s string) error { _, err := event.ParsePattern(s); return err },
		SigningSecret: notify.CheckSigningSecret,
		Header:        notify.CheckHeader,
		TLS:           func(t config.TLS) error { return notify.CheckTLS(notify.TLS(t)) },
	})
}
