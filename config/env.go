package config

import (
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// variables are the environment variables that configure the program where there
// is no file, and the keys that they stand for.
var variables = []struct{ name, path string }{
	{"ECWID_STORE_ID", "stores[0].id"},
	{"ECWID_ORDER_SECRET", "stores[0].order_secret"},
	{"ECWID_ORDER_SECRET_FILE", "stores[0].order_secret_file"},
	{"CALLBACK_URL", "callbacks[0].url"},
	{"CALLBACK_FORMAT", "callbacks[0].format"},
	{"SIGNING_SECRET", "callbacks[0].signing_secret"},
	{"SIGNING_SECRET_FILE", "callbacks[0].signing_secret_file"},
	{"POLL_SCHEDULE", "schedule"},
	{"STORAGE_PATH", "storage.path"},
	{"STORAGE_DSN", "storage.dsn"},
	{"STORAGE_DSN_FILE", "storage.dsn_file"},
	{"ADMIN_LISTEN", "admin.listen"},
	{"ADMIN_TOKEN", "admin.token"},
	{"ADMIN_TOKEN_FILE", "admin.token_file"},
	{"LOG_LEVEL", "log.level"},
}

// FromEnvExtent makes the smallest configuration from environment variables, for where
// there is no file: ECWID_STORE_ID, ECWID_ORDER_SECRET and CALLBACK_URL are
// required. Secrets may be given by files, as ECWID_ORDER_SECRET_FILE. A
// STORAGE_DSN asks for PostgreSQL. An empty variable is like an unset one, but for
// ADMIN_LISTEN, where it means none. The extent is what the caller needs of it. Its error
// is a Faults that names the variables.
func FromEnvExtent(extent Extent, env func(string) (string, bool), checks Checks) (*Config, error) {
	return fromEnv(extent, env, checks, unsupported)
}

func fromEnv(extent Extent, env func(string) (string, bool), checks Checks, features map[string][]string) (*Config, error) {
	r := newReport("")
	r.called = map[string]string{}
	dir, err := os.Getwd()
	if err != nil {
		r.add(0, "", "cannot tell the working directory: "+err.Error())
		return nil, faultsOf(r)
	}
	tree := newTree()
	for _, v := range variables {
		r.called[v.path] = v.name
		if value, set := env(v.name); value != "" || set && v.path == "admin.listen" {
			tree.set(v.path, value)
			if strings.HasPrefix(v.path, "storage.dsn") {
				r.called["storage.driver"] = v.name
				tree.set("storage.driver", DriverPostgres)
			}
		}
	}
	l := loader{report: r, dir: dir, env: env, checks: checks, unsupported: features, extent: extent}
	return l.load(tree.root)
}

// A tree builds the nodes that the decoder would get from a file.
type tree struct {
	root     *yaml.Node
	sections map[string]*yaml.Node
}

func newTree() *tree {
	root := &yaml.Node{Kind: yaml.MappingNode}
	t := &tree{root: root, sections: map[string]*yaml.Node{"": root}}
	t.section("stores[0]")
	t.section("callbacks[0]")
	return t
}

// section returns the mapping at path, which is a key of the root, or the first
// item of a list that is.
func (t *tree) section(path string) *yaml.Node {
	if n, ok := t.sections[path]; ok {
		return n
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	t.sections[path] = n
	key, isList := strings.CutSuffix(path, "[0]")
	value := n
	if isList {
		value = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	}
	t.root.Content = append(t.root.Content, scalarNode(key), value)
	return n
}

func (t *tree) set(path, value string) {
	dot := strings.LastIndexByte(path, '.')
	n := t.section(path[:max(dot, 0)])
	n.Content = append(n.Content, scalarNode(path[dot+1:]), scalarNode(value))
}

func scalarNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
