package graph_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// TestGoldenCoversTheContract holds testdata to the whole contract: every field is selected, every argument and every field of an
// input is given, and every value of an enumeration is given or answered, at least once.
func TestGoldenCoversTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	c := coverage{schema: schema, left: map[string]bool{}}
	c.all()
	files, err := filepath.Glob("testdata/*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, errs := gqlparser.LoadQueryWithRules(schema, string(text), rules.NewDefaultRules())
		if errs != nil {
			t.Fatal(file, errs)
		}
		vars := variables(t, file)
		for _, op := range doc.Operations {
			c.selections(op.SelectionSet, doc.Fragments)
			for _, v := range op.VariableDefinitions {
				var given map[string]any
				if raw, ok := vars[op.Name]; ok {
					if err := json.Unmarshal(raw, &given); err != nil {
						t.Fatal(file, op.Name, err)
					}
				}
				c.variable(v.Type, given[v.Variable])
			}
		}
		golden, err := os.ReadFile(strings.TrimSuffix(file, ".graphql") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		c.answered(string(golden))
	}
	if left := slices.Sorted(maps.Keys(c.left)); len(left) > 0 {
		t.Errorf("testdata covers all but:\n%s", strings.Join(left, "\n"))
	}
}

type coverage struct {
	schema *ast.Schema
	left   map[string]bool // what is not covered yet: Type.field, Type.field(argument), Enum.VALUE
}

func (c coverage) all() {
	for _, def := range c.schema.Types {
		if def.BuiltIn || strings.HasPrefix(def.Name, "__") {
			continue
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			c.left[def.Name+"."+f.Name] = true
			for _, a := range f.Arguments {
				c.left[def.Name+"."+f.Name+"("+a.Name+")"] = true
			}
		}
		for _, v := range def.EnumValues {
			c.left[def.Name+"."+v.Name] = true
		}
	}
	for _, answeredByNobody := range []string{
		// A request that came through another door is for that door's tests.
		"Door.AUTHRESS", "Door.D4SCIENCE", "Door.ENTERPRISE_TESTER",
		// See TestExpiry of the directory: it takes time.
		"ChangeKind.MEMBER_EXPIRED",
		// See TestWebhookBackOff, TestWebhookResync, TestWebhookRights and TestWebhookSecrets of the directory: it takes time, or worse.
		"WebhookReason.UNREACHABLE", "WebhookReason.RESYNC", "WebhookReason.OWNER", "WebhookReason.SECRET",
		// Streams have conversations: stream_test.go.
		"Subscription.changes", "Subscription.changes(after)", "Subscription.changes(filter)",
	} {
		delete(c.left, answeredByNobody)
	}
}

func (c coverage) selections(set ast.SelectionSet, fragments ast.FragmentDefinitionList) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			delete(c.left, s.ObjectDefinition.Name+"."+s.Name)
			for _, a := range s.Arguments {
				delete(c.left, s.ObjectDefinition.Name+"."+s.Name+"("+a.Name+")")
				c.value(s.Definition.Arguments.ForName(a.Name).Type, a.Value)
			}
			c.selections(s.SelectionSet, fragments)
		case *ast.InlineFragment:
			c.selections(s.SelectionSet, fragments)
		case *ast.FragmentSpread:
			c.selections(fragments.ForName(s.Name).SelectionSet, fragments)
		}
	}
}

// value covers what a literal gives.
func (c coverage) value(typ *ast.Type, v *ast.Value) {
	def := c.schema.Types[typ.Name()]
	switch v.Kind {
	case ast.ListValue:
		for _, child := range v.Children {
			c.value(typ, child.Value)
		}
	case ast.ObjectValue:
		for _, child := range v.Children {
			if f := def.Fields.ForName(child.Name); f != nil {
				delete(c.left, def.Name+"."+child.Name)
				c.value(f.Type, child.Value)
			}
		}
	case ast.EnumValue:
		delete(c.left, def.Name+"."+v.Raw)
	}
}

// variable covers what a variable gives.
func (c coverage) variable(typ *ast.Type, v any) {
	def := c.schema.Types[typ.Name()]
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			c.variable(typ, each)
		}
	case map[string]any:
		for name, each := range v {
			if f := def.Fields.ForName(name); f != nil {
				delete(c.left, def.Name+"."+name)
				c.variable(f.Type, each)
			}
		}
	case string:
		delete(c.left, def.Name+"."+v)
	}
}

// answered covers the values of enumerations that are only ever answered.
func (c coverage) answered(golden string) {
	for _, name := range []string{"MemberResult", "ChangeKind", "GroupType", "AccessType", "TokenStatus", "TokenExpiration", "Door", "Permission", "WorkerModelType",
		"WebhookState", "WebhookReason"} {
		for _, v := range c.schema.Types[name].EnumValues {
			if strings.Contains(golden, `"`+v.Name+`"`) {
				delete(c.left, name+"."+v.Name)
			}
		}
	}
}
