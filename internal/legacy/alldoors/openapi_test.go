package alldoors_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roster/internal/legacy"
)

// places are the two ways of mounting that the document is looked at in.
var places = map[string]map[string]legacy.Setting{
	"at the root": {},
	"below prefixes": {"cds": {Prefix: "/cds"}, "entrust": {Prefix: "/old/entrust"}, "authress": {Host: "authress.example"}, "d4science": {Off: true},
		"enterprisetester": {Prefix: "/EnterpriseTester"}},
}

// document mounts the doors and makes the document of them.
func document(t *testing.T, settings map[string]legacy.Setting) ([]byte, []*legacy.Mounted) {
	t.Helper()
	var specs []legacy.Spec
	var mounted []*legacy.Mounted
	for _, d := range all(nil) {
		m := legacy.Mount(d.door, settings[d.name], legacy.Deps{})
		specs = append(specs, legacy.Spec{Title: d.name, Door: m, JSON: d.spec})
		if !m.Off {
			mounted = append(mounted, m)
		}
	}
	doc, err := legacy.Document(specs)
	if err != nil {
		t.Fatal(err)
	}
	return doc, mounted
}

// TestDocumentIsWhatIsMounted compares the operations of the document with the routes.
func TestDocumentIsWhatIsMounted(t *testing.T) {
	t.Parallel()
	for name, settings := range places {
		doc, mounted := document(t, settings)
		described, err := legacy.Operations(doc)
		if err != nil {
			t.Fatal(err)
		}
		var served []string
		for _, m := range mounted {
			served = append(served, m.Operations()...)
		}
		slices.Sort(served)
		if !slices.Equal(served, described) {
			t.Errorf("%s: served\n%s\ndescribed\n%s", name, strings.Join(served, "\n"), strings.Join(described, "\n"))
		}
		if n := len(slices.Compact(slices.Clone(served))); n != len(served) {
			t.Errorf("%s: two doors serve the same", name)
		}
	}
}

// object is a JSON object whose shape is looked at.
type object = map[string]any

func at(o any, path ...string) any {
	for _, p := range path {
		m, _ := o.(object)
		o = m[p]
	}
	return o
}

// checker looks at an OpenAPI document by the rules of 3.1 that tools fall over.
type checker struct {
	t   *testing.T
	doc object
	ids map[string]bool
}

func (c *checker) fault(where, format string, args ...any) {
	c.t.Helper()
	c.t.Errorf(where+": "+format, args...)
}

func TestDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	for _, settings := range places {
		text, _ := document(t, settings)
		c := &checker{t: t, ids: map[string]bool{}}
		if err := json.Unmarshal(text, &c.doc); err != nil {
			t.Fatal(err)
		}
		if c.doc["openapi"] != "3.1.0" || at(c.doc, "info", "title") == nil || at(c.doc, "info", "version") == nil {
			t.Errorf("it is %v, %v", c.doc["openapi"], c.doc["info"])
		}
		for key := range c.doc {
			if !slices.Contains([]string{"openapi", "info", "tags", "paths", "components"}, key) {
				t.Errorf("a key %q", key)
			}
		}
		paths, _ := c.doc["paths"].(object)
		for path, item := range paths {
			c.path(path, item.(object))
		}
		schemas, _ := at(c.doc, "components", "schemas").(object)
		for name, s := range schemas {
			if !regexp.MustCompile(`^[a-zA-Z0-9._-]+$`).MatchString(name) {
				c.fault(name, "no name of a schema")
			}
			c.schema(name, s)
		}
		c.references("", c.doc)
	}
}

var variable = regexp.MustCompile(`\{([^{}]+)\}`)

func (c *checker) path(path string, item object) {
	shared := c.parameters(path, item["parameters"])
	if !strings.HasPrefix(path, "/") {
		c.fault(path, "no path")
	}
	for method, op := range item {
		if method == "parameters" {
			continue
		}
		where := method + " " + path
		o, ok := op.(object)
		if !ok || !slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, method) {
			c.fault(where, "no operation")
			continue
		}
		in := append(slices.Clone(shared), c.parameters(where, o["parameters"])...)
		var want []string
		for _, m := range variable.FindAllStringSubmatch(path, -1) {
			want = append(want, "path "+m[1])
		}
		for _, w := range want {
			if !slices.Contains(in, w) {
				c.fault(where, "%s is not declared", w)
			}
		}
		for i, p := range in {
			if strings.HasPrefix(p, "path ") && !slices.Contains(want, p) || slices.Contains(in[:i], p) {
				c.fault(where, "%s is declared twice, or is not in the path", p)
			}
		}
		c.operation(where, o)
	}
}

// parameters checks a list and answers "in name" of each.
func (c *checker) parameters(where string, list any) []string {
	var out []string
	ps, _ := list.([]any)
	for _, p := range ps {
		in, name := at(p, "in"), at(p, "name")
		if !slices.Contains([]any{"path", "query", "header"}, in) || name == nil || (in == "path" && at(p, "required") != true) {
			c.fault(where, "parameter %v", p)
			continue
		}
		if at(p, "schema") == nil {
			c.fault(where, "the parameter %v has no schema", name)
		}
		c.schema(where+" "+name.(string), at(p, "schema"))
		out = append(out, in.(string)+" "+name.(string))
	}
	return out
}

func (c *checker) operation(where string, o object) {
	id, _ := o["operationId"].(string)
	if id == "" || c.ids[id] {
		c.fault(where, "the operationId %q is empty or there twice", id)
	}
	c.ids[id] = true
	if tags, _ := o["tags"].([]any); len(tags) != 1 {
		c.fault(where, "tags %v", o["tags"])
	}
	if body := o["requestBody"]; body != nil {
		c.content(where+" request", at(body, "content"), true)
	}
	responses, _ := o["responses"].(object)
	success := false
	for status, r := range responses {
		success = success || status[0] == '2'
		if !regexp.MustCompile(`^([1-5]\d\d|default)$`).MatchString(status) || at(r, "description") == nil || at(r, "description") == "" {
			c.fault(where, "response %s: %v", status, r)
		}
		c.content(where+" "+status, at(r, "content"), false)
		headers, _ := at(r, "headers").(object)
		for name, h := range headers {
			c.schema(where+" "+name, at(h, "schema"))
		}
	}
	if !success {
		c.fault(where, "no response says that it worked")
	}
}

func (c *checker) content(where string, content any, needed bool) {
	types, _ := content.(object)
	if needed && len(types) == 0 {
		c.fault(where, "no content")
	}
	for name, t := range types {
		if !strings.Contains(name, "/") {
			c.fault(where, "no media type: %s", name)
		}
		if s := at(t, "schema"); s != nil {
			c.schema(where, s)
		}
	}
}

// schema walks a JSON Schema for what 3.1 does not have any more, and for types that are none.
func (c *checker) schema(where string, s any) {
	if _, boolean := s.(bool); boolean {
		return
	}
	o, ok := s.(object)
	if !ok {
		c.fault(where, "no schema: %v", s)
		return
	}
	for _, gone := range []string{"nullable", "discriminator", "xml"} {
		if _, there := o[gone]; there {
			c.fault(where, "%s is of another version", gone)
		}
	}
	types, list := o["type"].([]any)
	if !list && o["type"] != nil {
		types = []any{o["type"]}
	}
	for _, t := range types {
		if !slices.Contains([]any{"null", "boolean", "object", "array", "number", "string", "integer"}, t) {
			c.fault(where, "no type: %v", t)
		}
	}
	properties, _ := o["properties"].(object)
	for name, p := range properties {
		c.schema(where+"."+name, p)
	}
	required, _ := o["required"].([]any)
	for _, r := range required {
		if _, there := properties[r.(string)]; properties != nil && !there {
			c.fault(where, "%v is required and not described", r)
		}
	}
	for _, key := range []string{"items", "additionalProperties", "not"} {
		if inner, there := o[key]; there {
			c.schema(where+"."+key, inner)
		}
	}
	for _, key := range []string{"oneOf", "anyOf", "allOf"} {
		inner, _ := o[key].([]any)
		for _, i := range inner {
			c.schema(where+"."+key, i)
		}
	}
}

// references follows every $ref.
func (c *checker) references(where string, v any) {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			path, local := strings.CutPrefix(ref, "#/")
			if !local || at(c.doc, strings.Split(path, "/")...) == nil {
				c.fault(where, "%s leads nowhere", ref)
			}
		}
		for k, inner := range v {
			c.references(where+"/"+k, inner)
		}
	case []any:
		for i, inner := range v {
			c.references(where+"/"+strconv.Itoa(i), inner)
		}
	}
}

// exchange is a recorded one: what was asked, and the status of the answer.
type exchange struct{ file, method, path, status string }

var recorded = regexp.MustCompile(`(?ms)^>>>[^\n]*\n([A-Z]+) (\S+) HTTP/1\.1\n.*?^<<<\nHTTP/1\.1 (\d{3})`)

// exchanges are those of the golden files below a folder.
func exchanges(t *testing.T, door string) []exchange {
	t.Helper()
	var out []exchange
	for _, pattern := range []string{"testdata/*.txt", "testdata/*/*.txt"} {
		files, err := filepath.Glob(filepath.Join("..", door, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range recorded.FindAllStringSubmatch(string(text), -1) {
				path, _, _ := strings.Cut(m[2], "?")
				out = append(out, exchange{f, m[1], strings.TrimPrefix(path, "/EnterpriseTester"), m[3]})
			}
		}
	}
	return out
}

// TestRecordedAnswersAreDocumented looks up the status of every golden answer, and for a golden answer of every operation.
func TestRecordedAnswersAreDocumented(t *testing.T) {
	t.Parallel()
	for _, d := range all(nil) {
		var spec struct {
			Paths map[string]map[string]struct{ Responses object }
		}
		if err := json.Unmarshal(d.spec, &spec); err != nil {
			t.Fatal(err)
		}
		shown, n := map[string]bool{}, 0
		for _, e := range exchanges(t, d.name) {
			r := route(d.door, e)
			if r == nil || e.status == "418" { // the kit's answer to what is not the door's, because of its prefix
				continue
			}
			n++
			responses := spec.Paths[r.Pattern][strings.ToLower(r.Method)].Responses
			shown[r.Method+" "+r.Pattern] = true
			if responses[e.status] == nil && responses["default"] == nil {
				t.Errorf("%s: %s %s answers %s, which %s %s does not document", e.file, e.method, e.path, e.status, r.Method, r.Pattern)
			}
		}
		for _, r := range d.door.Routes {
			if same := r.Method + " " + r.Pattern; !shown[same] && !slices.ContainsFunc(d.door.Routes, func(o legacy.Route) bool {
				return o.Operation == r.Operation && shown[o.Method+" "+o.Pattern]
			}) {
				t.Errorf("%s: no recorded exchange shows %s", d.name, same)
			}
		}
		t.Logf("%s: %d recorded exchanges of %d routes", d.name, n, len(shown))
	}
}

// route is the one that answers an exchange: the first that fits, as in the router; nil for none.
func route(d legacy.Door, e exchange) *legacy.Route {
	segments := strings.Split(strings.TrimPrefix(e.path, "/"), "/")
	pattern := ""
	for i, r := range d.Routes {
		if !fits(strings.Split(strings.TrimPrefix(r.Pattern, "/"), "/"), segments) || (d.FirstPath && pattern != "" && pattern != r.Pattern) {
			continue
		}
		if pattern = r.Pattern; r.Method == e.method {
			return &d.Routes[i]
		}
	}
	return nil
}

func fits(pattern, segments []string) bool {
	if len(pattern) != len(segments) {
		return false
	}
	for i, p := range pattern {
		if p != segments[i] && (!strings.HasPrefix(p, "{") || segments[i] == "") {
			return false
		}
	}
	return true
}

// TestReference opens the page: it shows every operation and every schema, and needs nothing from elsewhere.
func TestReference(t *testing.T) {
	t.Parallel()
	for _, settings := range places {
		doc, mounted := document(t, settings)
		h, err := legacy.Reference(doc)
		if err != nil {
			t.Fatal(err)
		}
		raw := httptest.NewRecorder()
		h.ServeHTTP(raw, httptest.NewRequest("GET", "/openapi.json", nil))
		if raw.Code != 200 || raw.Header().Get("Content-Type") != "application/json" || raw.Body.String() != string(doc) {
			t.Errorf("GET /openapi.json: %d %s", raw.Code, raw.Header())
		}
		page := httptest.NewRecorder()
		h.ServeHTTP(page, httptest.NewRequest("GET", "/reference", nil))
		text := page.Body.String()
		if page.Code != 200 || !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("GET /reference: %d %s", page.Code, page.Header())
		}
		for _, never := range []string{"<script", "<img", "<iframe", "<link", "javascript:", "onclick", "@import", "url(", `src="`, `href="http`, `href="//`} {
			if strings.Contains(strings.ToLower(text), never) {
				t.Errorf("the page has %s", never)
			}
		}
		for _, m := range mounted {
			for _, op := range m.Operations() {
				method, path, _ := strings.Cut(op, " ")
				if !strings.Contains(text, "<b>"+method+"</b> <code>"+path+"</code>") {
					t.Errorf("the page lacks %s", op)
				}
			}
		}
		var schemas struct {
			Components struct{ Schemas object }
		}
		if err := json.Unmarshal(doc, &schemas); err != nil {
			t.Fatal(err)
		}
		for name := range schemas.Components.Schemas {
			if !strings.Contains(text, `<details id="`+name+`">`) {
				t.Errorf("the page lacks the schema %s", name)
			}
		}
	}
}
