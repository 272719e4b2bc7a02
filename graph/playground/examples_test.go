package playground

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Every example is valid by the contract, is told from the others by the name of its operation, which is the title of
// its tab, and changes nothing.
func TestExamples(t *testing.T) {
	schema := contract(t)
	operations := map[string]bool{}
	for _, example := range Examples() {
		t.Run(example.Name, func(t *testing.T) {
			operation, variables := parse(t, schema, example)
			if operation.Name == "" || operations[operation.Name] {
				t.Errorf("the operation's name %q is missing or taken", operation.Name)
			}
			operations[operation.Name] = true
			if operation.Operation == ast.Mutation && !dry(variables) {
				t.Error("this mutation lacks dryRun: true")
			}
		})
	}
	if len(operations) < 12 {
		t.Errorf("there are %d examples, want a dozen", len(operations))
	}
}

func contract(t *testing.T) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func parse(t *testing.T, schema *ast.Schema, example Example) (*ast.OperationDefinition, map[string]any) {
	t.Helper()
	if example.Name == "" || strings.HasPrefix(example.Name, "#") {
		t.Errorf("the title is %q", example.Name)
	}
	document, problems := gqlparser.LoadQueryWithRules(schema, example.Query, rules.NewDefaultRules())
	if problems != nil {
		t.Fatal(problems)
	}
	if len(document.Operations) != 1 {
		t.Fatalf("there are %d operations, want one", len(document.Operations))
	}
	var given map[string]any
	if example.Variables != nil {
		if err := json.Unmarshal(example.Variables, &given); err != nil {
			t.Fatal(err)
		}
	}
	variables, err := validator.VariableValues(schema, document.Operations[0], given)
	if err != nil {
		t.Fatal(err)
	}
	return document.Operations[0], variables
}

func dry(variables map[string]any) bool {
	input, _ := variables["input"].(map[string]any)
	return input["dryRun"] == true
}
