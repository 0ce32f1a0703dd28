package notify_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// asyncAPISchema returns the schema that the AsyncAPI project publishes of its
// documents. Where it is missing the test is skipped; in CI that is a failure.
func asyncAPISchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const id = "http://asyncapi.com/definitions/3.0.0/asyncapi.json"
	file := filepath.Join("..", "receivers", "contract", "node_modules", "@asyncapi", "specs", "schemas", "3.0.0.json")
	text, err := os.ReadFile(file)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the packages of receivers/contract are missing: run make receivers")
		}
		t.Skip("the packages of receivers/contract are missing: run make receivers to run this test")
	}
	c := jsonschema.NewCompiler()
	addResource(t, c, id, text)
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAsyncAPIDocumentIsValid(t *testing.T) {
	t.Parallel()
	schema := asyncAPISchema(t)
	document, _ := contract(t)
	if err := schema.Validate(document); err != nil {
		t.Errorf("asyncapi.yaml: %v", err)
	}
	for name, change := range map[string]func(document map[string]any){
		"no info":           func(d map[string]any) { delete(d, "info") },
		"another version":   func(d map[string]any) { d["asyncapi"] = "2.6.0" },
		"an unknown action": func(d map[string]any) { members(d, "operations", "deliver")["action"] = "publish" },
		"an unknown member": func(d map[string]any) { members(d, "components", "messages", "ecwid")["body"] = "x" },
		"headers of no type": func(d map[string]any) {
			members(d, "components", "messages", "ecwid", "headers")["type"] = "dictionary"
		},
		"an unknown method":   func(d map[string]any) { members(d, "operations", "deliver", "bindings", "http")["method"] = "SEND" },
		"a channel of itself": func(d map[string]any) { members(d, "operations", "deliver")["channel"] = "callback" },
	} {
		changed, _ := contract(t)
		change(changed)
		if schema.Validate(changed) == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

func TestAsyncAPIDocumentHoldsEveryFormat(t *testing.T) {
	t.Parallel()
	document, compiler := contract(t)
	var offered []string
	for _, ref := range refs(members(document, "operations", "deliver")["messages"]) {
		offered = append(offered, strings.TrimPrefix(ref, "#/channels/callback/messages/"))
	}
	for what, names := range map[string][]string{
		"messages of the operation": offered,
		"messages of the channel":   slices.Collect(maps.Keys(members(document, "channels", "callback", "messages"))),
		"messages":                  slices.Collect(maps.Keys(members(document, "components", "messages"))),
	} {
		slices.Sort(names)
		if diff := cmp.Diff(slices.Sorted(slices.Values(formatNames)), names); diff != "" {
			t.Errorf("%s (-formats +asyncapi.yaml):\n%s", what, diff)
		}
	}
	for _, ref := range refs(document) {
		if local, ok := strings.CutPrefix(ref, "#/"); ok {
			if members(document, strings.Split(local, "/")...) == nil {
				t.Errorf("%s leads nowhere", ref)
			}
			continue
		}
		compile(t, compiler, ref)
	}
}

// refs returns every reference in a document.
func refs(v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			all = append(all, ref)
		}
		for _, inner := range v {
			all = append(all, refs(inner)...)
		}
	case []any:
		for _, inner := range v {
			all = append(all, refs(inner)...)
		}
	}
	return all
}
