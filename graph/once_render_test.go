package graph

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// TestRendererKnowsPayloads: what is kept of a write under an Idempotency-Key is what the renderer writes, where no executor can help out. So it knows
// every field that a payload leads to.
func TestRendererKnowsPayloads(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		def := parsedSchema.Types[name]
		if seen[name] || def.Kind == ast.Scalar || def.Kind == ast.Enum {
			return
		}
		seen[name] = true
		for _, possible := range parsedSchema.PossibleTypes[name] {
			visit(possible.Name)
		}
		kind := name
		if strings.HasSuffix(kind, "Payload") || kind == "ChangeResult" {
			kind = "Payload"
		}
		paged := strings.HasSuffix(name, "Connection") || strings.HasSuffix(name, "Edge") // have parts of their own
		for _, f := range def.Fields {
			to := parsedSchema.Types[f.Type.Name()]
			leaf := to.Kind == ast.Scalar || to.Kind == ast.Enum
			if leaf && def.Kind == ast.Object && !paged && fieldsOf[kind][f.Name] == nil {
				t.Errorf("%s.%s is not known", name, f.Name)
			}
			visit(to.Name)
		}
	}
	for _, f := range parsedSchema.Mutation.Fields {
		visit(f.Type.Name())
	}
	if len(seen) < 30 {
		t.Errorf("payloads lead to %d types", len(seen))
	}
}
