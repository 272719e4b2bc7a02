package legacytest

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roster/internal/legacy"
)

type openAPI struct {
	Paths map[string]map[string]struct {
		OperationID string                     `json:"operationId"`
		Responses   map[string]json.RawMessage `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

// CheckOpenAPI holds a door's fragment of the OpenAPI document against its routes: the same paths and methods, an
// operationId and a response each, and no reference that leads nowhere.
func CheckOpenAPI(t *testing.T, d legacy.Door, doc []byte) {
	t.Helper()
	var o openAPI
	if err := json.Unmarshal(doc, &o); err != nil {
		t.Fatal(err)
	}
	documented, mounted, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for path, methods := range o.Paths {
		for method, op := range methods {
			if method == "parameters" {
				continue
			}
			documented[strings.ToUpper(method)+" "+path] = true
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s: the operationId %q is empty or there twice", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
			if len(op.Responses) == 0 {
				t.Errorf("%s %s documents no response", method, path)
			}
		}
	}
	for _, r := range d.Routes {
		mounted[r.Method+" "+r.Pattern] = true
	}
	if !maps.Equal(documented, mounted) {
		t.Errorf("documented and mounted routes differ:\n documented %v\n mounted    %v", slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(mounted)))
	}
	for ref := range references(string(doc)) {
		if _, ok := o.Components.Schemas[ref]; !ok {
			t.Errorf("there is no schema %q", ref)
		}
	}
}

// references are the names of the schemas that a document refers to.
func references(doc string) map[string]bool {
	refs := map[string]bool{}
	for part := range strings.SplitSeq(doc, `"#/components/schemas/`) {
		if name, _, ok := strings.Cut(part, `"`); ok && !strings.ContainsAny(name, "{} \n") {
			refs[name] = true
		}
	}
	delete(refs, "")
	return refs
}

// checkDocumented holds the statuses that the scenario saw against the document.
func (w *World) checkDocumented() {
	if w.kit.OpenAPI == nil {
		return
	}
	var o openAPI
	w.must(json.Unmarshal(w.kit.OpenAPI, &o))
	for _, e := range w.exchanges() {
		if e.operation != "" && !slices.ContainsFunc(w.Door.Routes, func(r legacy.Route) bool {
			responses := o.Paths[r.Pattern][strings.ToLower(r.Method)].Responses
			return r.Operation == e.operation && (responses[strconv.Itoa(e.status)] != nil || responses["default"] != nil)
		}) {
			w.T.Errorf("%s answered %d, which the OpenAPI document does not name", e.operation, e.status)
		}
	}
}

// Fail is what a door answers to an error, for the test that walks all codes through its table. Header lines are "Name: value".
func Fail(d legacy.Door, err error, header ...string) *httptest.ResponseRecorder {
	hr := httptest.NewRequest("GET", "/", nil)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		hr.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	d.Fail(rec, &legacy.Request{Request: hr}, err)
	return rec
}
