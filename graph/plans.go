package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"roster/internal/directory"
)

// Documents are kept parsed (SetQueryCache), and with them what is the same for every request that sends one: the plan of each root
// field, if no variable has a say in it, and the writer of its answer, if no @skip or @include has. Both are made of the parsed
// document alone and are only read.

// maxPlans bounds what is kept, in root fields; the one unused for longest goes.
const maxPlans = 2 * cachedQueries

// plans keeps plans and writers by root field.
type plans struct {
	selections *lru.Cache[place, any]
	writers    *lru.Cache[place, part]
}

// place is a root field of an operation. The same field, in a fragment, can be selected with others in another operation.
type place struct {
	op    *ast.OperationDefinition
	field *ast.Field
}

func newPlans() *plans {
	return &plans{keep[any](), keep[part]()}
}

func keep[T any]() *lru.Cache[place, T] {
	c, err := lru.New[place, T](maxPlans)
	if err != nil {
		panic(err) // only a size of none is an error
	}
	return c
}

func placeOf(ctx context.Context, f graphql.CollectedField) place {
	return place{graphql.GetOperationContext(ctx).Operation, f.Field}
}

// kept is the plan of the root field being resolved: the one that is kept, or a new one.
func kept[P any](ctx context.Context, ps *plans, make func(p *planner, f graphql.CollectedField) (P, error)) (P, error) {
	f := graphql.GetFieldContext(ctx).Field
	at := placeOf(ctx, f)
	if plan, ok := ps.selections.Get(at); ok {
		return plan.(P), nil
	}
	plan, err := make(newPlanner(ctx), f)
	if err == nil && fixed(f.Selections, true) {
		ps.selections.Add(at, plan)
	}
	return plan, err
}

// writer is the writer of a root field's answer; false if there is none.
func (ps *plans) writer(ctx context.Context, f graphql.CollectedField) (part, bool) {
	at := placeOf(ctx, f)
	if p, ok := ps.writers.Get(at); ok {
		return p, p != nil
	}
	r := &renderer{op: graphql.GetOperationContext(ctx)}
	p, ok := r.compile(f.Definition.Type, f.Selections)
	if !ok {
		p = nil
	}
	if fixed(f.Selections, false) {
		ps.writers.Add(at, p)
	}
	return p, ok
}

// fixed reports whether what is selected is the same whatever the variables are; with the arguments, if they matter.
func fixed(set ast.SelectionSet, arguments bool) bool {
	for _, s := range set {
		var of ast.SelectionSet
		var directives ast.DirectiveList
		switch s := s.(type) {
		case *ast.Field:
			if arguments && !constant(s.Arguments) {
				return false
			}
			of, directives = s.SelectionSet, s.Directives
		case *ast.InlineFragment:
			of, directives = s.SelectionSet, s.Directives
		case *ast.FragmentSpread:
			of, directives = s.Definition.SelectionSet, s.Directives
		}
		if len(directives) > 0 || !fixed(of, arguments) {
			return false
		}
	}
	return true
}

func constant(args ast.ArgumentList) bool {
	for _, a := range args {
		if !constantValue(a.Value) {
			return false
		}
	}
	return true
}

func constantValue(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return false
	}
	for _, c := range v.Children {
		if !constantValue(c.Value) {
			return false
		}
	}
	return true
}

// listPlan is the plan of a page: what of it is wanted, and of each of its nodes.
type listPlan struct {
	rows, total, cursors, noEnds bool
	nodes                        directory.Selection
}
