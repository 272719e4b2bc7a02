package alldoors_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
		h := legacy.Reference(func() ([]byte, error) { return doc, nil })
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
		complete(t, text, doc, mounted)
	}
}

// complete looks for every operation and every schema in the page.
func complete(t *testing.T, text string, doc []byte, mounted []*legacy.Mounted) {
	t.Helper()
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
