package notify_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/ecwid-events/ecwid-events/event"
)

// docs is where the contract of the callbacks is: a page, a JSON Schema and an AsyncAPI
// document, which refers to the schema.
var docs = filepath.Join("..", "docs")

// contractURL is a name under which the validator, which others wrote, finds the
// documents. Nothing is fetched.
const contractURL = "https://contract.test/"

// contract returns the AsyncAPI document, and a compiler that knows it and the schema.
func contract(t testing.TB) (map[string]any, *jsonschema.Compiler) {
	t.Helper()
	var document map[string]any
	if err := yaml.Unmarshal(readDoc(t, "asyncapi.yaml"), &document); err != nil {
		t.Fatal("asyncapi.yaml: ", err)
	}
	asJSON, err := json.Marshal(document)
	if err != nil {
		t.Fatal("asyncapi.yaml: ", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	addResource(t, c, contractURL+"asyncapi.yaml", asJSON)
	addResource(t, c, contractURL+"events.schema.json", readDoc(t, "events.schema.json"))
	return document, c
}

func readDoc(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func addResource(t testing.TB, c *jsonschema.Compiler, address string, text []byte) {
	t.Helper()
	if err := c.AddResource(address, asInstance(t, text)); err != nil {
		t.Fatal(err)
	}
}

// asInstance decodes JSON as the validator wants it.
func asInstance(t testing.TB, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

func compile(t testing.TB, c *jsonschema.Compiler, ref string) *jsonschema.Schema {
	t.Helper()
	s, err := c.Compile(contractURL + ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bodySchemas returns the schema of each format and payload, such as standard.thin,
// and that of any body under the name "".
func bodySchemas(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	_, c := contract(t)
	schemas := map[string]*jsonschema.Schema{"": compile(t, c, "events.schema.json")}
	for _, format := range formatNames {
		for _, payload := range payloads {
			name := format + "." + string(payload)
			schemas[name] = compile(t, c, "events.schema.json#/$defs/"+name)
		}
	}
	return schemas
}

type golden struct {
	name, schema string
	body         []byte
}

func goldens(t testing.TB) []golden {
	t.Helper()
	var all []golden
	for _, format := range formatNames {
		files, err := filepath.Glob(filepath.Join("testdata", "golden", format, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d golden files of %s: %v", len(files), format, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, payload := filepath.Base(file), event.Full
			if strings.HasSuffix(name, ".thin.json") {
				payload = event.Thin
			}
			all = append(all, golden{format + "/" + name, format + "." + string(payload), body})
		}
	}
	return all
}

func TestGoldenBodiesFollowTheContract(t *testing.T) {
	t.Parallel()
	schemas := bodySchemas(t)
	for _, g := range goldens(t) {
		body := asInstance(t, g.body)
		for _, name := range []string{g.schema, ""} {
			if err := schemas[name].Validate(body); err != nil {
				t.Errorf("%s against schema %q: %v", g.name, name, err)
			}
		}
		for name, schema := range schemas {
			// Nothing tells a full webhook of a deletion from a thin one.
			if name != g.schema && name != "" && !strings.HasPrefix(g.schema, "ecwid.") && schema.Validate(body) == nil {
				t.Errorf("%s is valid as %s, too", g.name, name)
			}
		}
	}
}

// Whatever is taken away from a body, added to it or turned into something else,
// outside of what Ecwid returned, is no longer the contract's.
func TestContractRefusesOtherBodies(t *testing.T) {
	t.Parallel()
	schemas := bodySchemas(t)
	for _, g := range goldens(t) {
		count := 0
		refused := func(what, path string, body any) {
			count++
			if schemas[g.schema].Validate(body) == nil {
				t.Errorf("%s with %s %s is valid", g.name, path, what)
			}
		}
		mutate(asInstance(t, g.body), refused)
		if count < 30 {
			t.Errorf("%s: %d other bodies, want at least 30", g.name, count)
		}
	}
}

// otherTypes holds a value of each type of JSON.
var otherTypes = []any{nil, true, json.Number("-7.5"), "", []any{7}, map[string]any{"unexpected": true}}

// mutate tries a body with each of its members removed, added or given another type.
func mutate(body any, try func(what, path string, body any)) {
	var walk func(path string, v any, set func(any))
	walk = func(path string, v any, set func(any)) {
		if path == "/data/raw" || path == "/message/raw/orders/0" {
			return
		}
		for _, other := range otherTypes {
			if takes(path, body, other) {
				continue
			}
			set(other)
			try("as another type", path, body)
			set(v)
		}
		switch v := v.(type) {
		case map[string]any:
			v["unexpected"] = 1
			try("added", path+"/unexpected", body)
			delete(v, "unexpected")
			for _, name := range slices.Sorted(maps.Keys(v)) {
				inner := v[name]
				if !optional(path + "/" + name) {
					delete(v, name)
					try("removed", path+"/"+name, body)
					v[name] = inner
				}
				if name != "old" && name != "new" {
					walk(path+"/"+name, inner, func(x any) { v[name] = x })
				}
			}
		case []any:
			for i, inner := range v {
				walk(path+"/"+strconv.Itoa(i), inner, func(x any) { v[i] = x })
			}
		}
	}
	walk("", body, func(x any) { body = x })
}

// takes tells whether the contract has a value of another type there.
func takes(path string, body, other any) bool {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "name", "instanceName", "oldPaymentStatus", "newPaymentStatus", "oldFulfillmentStatus", "newFulfillmentStatus":
		return other == ""
	case "0", "1", "2": // a tag
		return other == "" && (strings.Contains(path, "/tags/") || strings.Contains(path, "/instanceTags/"))
	case "changes":
		data, ok := body.(map[string]any)["data"].(map[string]any)
		return ok && data["eventType"] == "UPDATED" && other == nil
	}
	return false
}

// optional tells whether the contract lets that member be absent.
func optional(path string) bool {
	return strings.HasSuffix(path, "Status") || strings.HasSuffix(path, "/old") || strings.HasSuffix(path, "/new")
}

// A posted is a request as a callback gets it.
type posted struct {
	header http.Header
	query  url.Values
	body   []byte
}

// asMembers returns the headers as a document describes them.
func (p posted) asMembers() map[string]any {
	members := map[string]any{}
	for name, values := range p.header {
		members[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return members
}

// deliverSamples has a dispatcher deliver events of each kind, a test event last.
func deliverSamples(t *testing.T, format string, payload event.Payload, secrets ...string) []posted {
	t.Helper()
	requests := make(chan posted, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read a body: %v", err)
		}
		requests <- posted{r.Header, r.URL.Query(), body}
	}))
	defer server.Close()
	c := callbackTo(server.URL)
	c.Format, c.Payload, c.SigningSecrets = format, payload, secrets
	b := newBed(t, c)
	want := 1
	for _, sample := range sampleEvents(t) {
		if sample.event.Type != event.Test { // no storage holds one
			b.commit(t, sample.event)
			want++
		}
	}
	b.drain(t)
	if a, err := b.dispatcher(t).Test(t.Context(), c.Name); err != nil || a.Status != http.StatusOK {
		t.Errorf("Test: %+v, %v", a, err)
	}
	close(requests)
	all := slices.Collect(func(yield func(posted) bool) {
		for p := range requests {
			if !yield(p) {
				return
			}
		}
	})
	if len(all) != want {
		t.Errorf("%d requests, want %d", len(all), want)
	}
	return all
}

func TestDeliveriesFollowTheContract(t *testing.T) {
	t.Parallel()
	schemas := bodySchemas(t)
	document, c := contract(t)
	messages := members(document, "components", "messages")
	for _, format := range formatNames {
		at := "asyncapi.yaml#/components/messages/" + format
		header, body := compile(t, c, at+"/headers"), compile(t, c, at+"/payload/schema")
		for _, payload := range payloads {
			for name, secrets := range map[string][]string{"signed": {newSecret}, "signed twice": {newSecret, otherSecret}, "unsigned": nil} {
				for _, p := range deliverSamples(t, format, payload, secrets...) {
					instance := asInstance(t, p.body)
					for what, err := range map[string]error{
						"the schema":           schemas[format+"."+string(payload)].Validate(instance),
						"asyncapi.yaml":        body.Validate(instance),
						"asyncapi.yaml's head": header.Validate(p.asMembers()),
					} {
						if err != nil {
							t.Errorf("%s, %s, %s is not what %s says: %v", format, payload, name, what, err)
						}
					}
					if got, want := p.header.Get("Content-Type"), members(messages, format)["contentType"]; got != want {
						t.Errorf("%s: content type %q, want %q", format, got, want)
					}
					if p.query.Has("eventtype") != (format == "ecwid") {
						t.Errorf("%s: query %q", format, p.query)
					}
				}
			}
		}
	}
}

// members returns the object that the names lead to, nil if there is none.
func members(v any, names ...string) map[string]any {
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	m, _ := v.(map[string]any)
	return m
}
