package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// A node is a mapping of openapi.yaml.
type node = map[string]any

// An openAPI is openapi.yaml in a form that judges answers.
type openAPI struct {
	root     node
	paths    *http.ServeMux // their templates are its patterns
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

var parseOnce = sync.OnceValues(parseDocument)

func apiDocument(t testing.TB) *openAPI {
	t.Helper()
	d, err := parseOnce()
	if err != nil {
		t.Fatal("reading openapi.yaml: ", err)
	}
	return d
}

func parseDocument() (*openAPI, error) {
	var plain any
	if err := yaml.Unmarshal(document, &plain); err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return nil, err
	}
	closeObjects(parsed)
	root, ok := parsed.(node)
	if !ok {
		return nil, errors.New("it is no mapping")
	}
	d := &openAPI{root: root, paths: http.NewServeMux(), compiler: jsonschema.NewCompiler()}
	for path := range d.at("/paths") {
		d.paths.Handle(path, http.NotFoundHandler())
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource("openapi.yaml", parsed)
}

// closeObjects has schemas refuse the members that they do not name, which the API
// may add one day and must describe when it does.
func closeObjects(part any) {
	switch part := part.(type) {
	case node:
		_, open := part["additionalProperties"]
		if _, isSchema := part["properties"].(node); isSchema && !open {
			part["additionalProperties"] = false
		}
		for _, p := range part {
			closeObjects(p)
		}
	case []any:
		for _, p := range part {
			closeObjects(p)
		}
	}
}

// at returns what a JSON pointer leads to, nil if there is nothing.
func (d *openAPI) at(pointer string) node {
	var here any = d.root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		m, ok := here.(node)
		if !ok {
			return nil
		}
		here = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	m, _ := here.(node)
	return m
}

// resolve returns the pointer to what a $ref at that pointer stands for.
func (d *openAPI) resolve(pointer string) string {
	if ref, ok := d.at(pointer)["$ref"].(string); ok {
		return strings.TrimPrefix(ref, "#")
	}
	return pointer
}

func step(s string) string { return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// valid holds a JSON text against the schema at a pointer.
func (d *openAPI) valid(t testing.TB, pointer string, text []byte) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	schema, err := d.compiler.Compile("openapi.yaml#" + pointer)
	if err != nil {
		t.Fatalf("compiling %s: %v", pointer, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s is no JSON: %v", text, err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s does not match %s: %v", text, pointer, err)
	}
}

// check holds an answer against what the document says of its path, method and
// status. Where the document has no such path or method, it must be a problem.
func (d *openAPI) check(t testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	at := "/components/responses/Problem"
	if isClean(r.URL.EscapedPath()) {
		_, template := d.paths.Handler(r)
		method := strings.ToLower(strings.Replace(r.Method, http.MethodHead, http.MethodGet, 1))
		if operation := "/paths" + step(template) + step(method); template != "" && d.at(operation) != nil {
			at = d.response(t, operation, w.Code)
		}
	}
	d.checkBody(t, at, r, w)
}

// response is where an operation describes its answers of a status.
func (d *openAPI) response(t testing.TB, operation string, status int) string {
	t.Helper()
	exact := operation + "/responses" + step(strconv.Itoa(status))
	switch {
	case d.at(exact) != nil:
		return d.resolve(exact)
	case status >= 400 && d.at(operation+"/responses/default") != nil:
		return d.resolve(operation + "/responses/default")
	}
	t.Fatalf("openapi.yaml has no answer %d of %s", status, operation)
	return ""
}

func (d *openAPI) checkBody(t testing.TB, at string, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	content := d.at(at + "/content")
	if content == nil {
		if w.Body.Len() > 0 || w.Header().Get("Content-Type") != "" {
			t.Errorf("%s %s answers %d with a body, and %s has none", r.Method, r.URL.Path, w.Code, at)
		}
		return
	}
	mediaType, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if content[mediaType] == nil {
		t.Fatalf("%s %s answers %d as %q, and %s says %v", r.Method, r.URL.Path, w.Code, mediaType, at, slices.Collect(maps.Keys(content)))
	}
	if !strings.HasSuffix(mediaType, "json") {
		return
	}
	d.valid(t, at+"/content"+step(mediaType)+"/schema", w.Body.Bytes())
	if mediaType == "application/problem+json" {
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code {
			t.Errorf("the answer %d is a problem of status %d: %v", w.Code, p.Status, err)
		}
	}
}

// TestDocumentDescribesEveryRoute compares the routes, with what they take, with the
// operations of openapi.yaml.
func TestDocumentDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	d := apiDocument(t)
	want := make(map[string][]string)
	s, _ := newServer(t, &fake{})
	for _, rt := range s.table() {
		takes := slices.Concat(rt.query, rt.body)
		slices.Sort(takes)
		want[rt.method+" "+rt.path] = takes
	}
	got := make(map[string][]string)
	ids := make(map[string]bool)
	for path := range d.at("/paths") {
		for method := range d.at("/paths" + step(path)) {
			if method == "parameters" {
				continue
			}
			at := "/paths" + step(path) + step(method)
			got[strings.ToUpper(method)+" "+path] = d.takes(at)
			ids[fmt.Sprint(d.at(at)["operationId"])] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-) and openapi.yaml (+) differ:\n%s", diff)
	}
	if len(ids) != len(got) {
		t.Errorf("%d operations have %d ids", len(got), len(ids))
	}
}

// takes lists the parameters and members that an operation describes.
func (d *openAPI) takes(operation string) []string {
	var takes []string
	parameters, _ := d.at(operation)["parameters"].([]any)
	for _, p := range parameters {
		parameter, _ := p.(node)
		if ref, ok := parameter["$ref"].(string); ok {
			parameter = d.at(strings.TrimPrefix(ref, "#"))
		}
		takes = append(takes, fmt.Sprint(parameter["name"]))
	}
	schema := d.resolve(operation + "/requestBody/content/application~1json/schema")
	takes = slices.AppendSeq(takes, maps.Keys(d.at(schema+"/properties")))
	slices.Sort(takes)
	return takes
}

// TestExamplesMatchTheirSchemas holds every example of the document against the
// schema beside it.
func TestExamplesMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	d := apiDocument(t)
	examples := 0
	var walk func(at string, part any)
	walk = func(at string, part any) {
		m, ok := part.(node)
		if !ok {
			return
		}
		values := make([]any, 0)
		if e, ok := m["example"]; ok {
			values = append(values, e)
		}
		for name := range d.at(at + "/examples") {
			values = append(values, d.at(at + "/examples" + step(name))["value"])
		}
		for _, value := range values {
			if m["schema"] == nil {
				t.Errorf("%s has an example and no schema", at)
				continue
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			examples++
			d.valid(t, at+"/schema", text)
		}
		for key, p := range m {
			walk(at+step(key), p)
		}
	}
	walk("", d.root)
	if examples < 20 {
		t.Errorf("found only %d examples", examples)
	}
}
