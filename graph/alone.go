package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// A query of one root field, as nearly all are, needs little of what gqlgen's executor keeps ready for many: a set of fields, each with a
// place to run, a group of those that are deferred, a map of the names that were written. That is a twelfth of the work for one group.
// schema hands the field to its own generated code instead, and writes the object around it; what it does not know, it leaves to the
// executor. render_test.go holds both to the same bytes.

// roots are gqlgen's code for the fields of Query.
var roots = map[string]func(*executionContext, context.Context, graphql.CollectedField) graphql.Marshaler{
	"viewer":           (*executionContext)._Query_viewer,
	"node":             (*executionContext)._Query_node,
	"nodes":            (*executionContext)._Query_nodes,
	"group":            (*executionContext)._Query_group,
	"groups":           (*executionContext)._Query_groups,
	"user":             (*executionContext)._Query_user,
	"users":            (*executionContext)._Query_users,
	"tokens":           (*executionContext)._Query_tokens,
	"checkMemberships": (*executionContext)._Query_checkMemberships,
	"explainAccess":    (*executionContext)._Query_explainAccess,
	"changes":          (*executionContext)._Query_changes,
	"webhook":          (*executionContext)._Query_webhook,
	"webhooks":         (*executionContext)._Query_webhooks,
}

// schema is the generated schema with a shorter way for queries of one root field.
type schema struct {
	*executableSchema
	plans *plans
}

// Exec begins an operation.
func (s schema) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	f := s.plans.alone(op)
	if f == nil {
		return s.executableSchema.Exec(ctx)
	}
	ec, answered := newExecutionContext(op, s.executableSchema, nil), false
	return func(ctx context.Context) *graphql.Response {
		if answered {
			return nil
		}
		answered = true
		value := roots[f.Name](ec, ctx, graphql.CollectedField{Field: f, Selections: f.SelectionSet})
		if value == graphql.Null && f.Definition.Type.NonNull {
			return &graphql.Response{Data: []byte("null")}
		}
		data := requestOf(ctx).buffer()
		data.WriteString(`{"`)
		data.WriteString(f.Alias)
		data.WriteString(`":`)
		value.MarshalGQL(data)
		data.WriteByte('}')
		return &graphql.Response{Data: data.Bytes()}
	}
}

// aloneIn is the one root field of a query, if it can go the shorter way: nothing depends on a directive, @defer included.
func aloneIn(op *ast.OperationDefinition) *ast.Field {
	if op.Operation != ast.Query || len(op.SelectionSet) != 1 {
		return nil
	}
	f, ok := op.SelectionSet[0].(*ast.Field)
	if !ok || roots[f.Name] == nil || !steady(op.SelectionSet) || !fixed(f.SelectionSet, false) {
		return nil
	}
	return f
}
