package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"

	"roster/internal/auth"
	"roster/internal/directory"
)

// Documents are kept parsed, and with them what is the same for every request that sends one: the plan of each root field, if no
// variable has a say in it, and the writer of its answer, if no @skip or @include has. Both are made of the parsed document alone and
// are only read. They go with their document.

// What is kept: so many documents, and in memory about so much. A node of a parsed document, with its share of plan and writer, takes
// more than ten times its text.
const (
	maxParsed    = 64 << 20
	bytesPerNode = 600
)

// plans keeps documents, those unused for longest going first, with plans and writers by root field. It is gqlgen's cache of documents.
type plans struct {
	mu   sync.Mutex
	docs *simplelru.LRU[string, *ast.QueryDocument]
	of   map[*ast.QueryDocument]*rootPlans
	size int // in bytes, about
}

var _ graphql.Cache[*ast.QueryDocument] = (*plans)(nil)

// rootPlans are the plans and writers of a document.
type rootPlans struct {
	bytes               int
	alone               sync.Map // by operation, the one root field of those that have no other (alone.go)
	selections, writers sync.Map // by place
}

// place is a root field of an operation. The same field, in a fragment, can be selected with others in another operation.
type place struct {
	op    *ast.OperationDefinition
	field *ast.Field
}

func newPlans() *plans {
	ps := &plans{of: map[*ast.QueryDocument]*rootPlans{}}
	docs, err := simplelru.NewLRU(cachedQueries, func(_ string, doc *ast.QueryDocument) {
		ps.size -= ps.of[doc].bytes
		delete(ps.of, doc)
	})
	if err != nil {
		panic(err) // only a size of none is an error
	}
	ps.docs = docs
	return ps
}

// Get finds a document that is kept.
func (ps *plans) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.docs.Get(text)
}

// Add keeps a document, unless nobody sent it: whoever has no credential fills no memory.
func (ps *plans) Add(ctx context.Context, text string, doc *ast.QueryDocument) {
	if !auth.CallerOf(ctx).Known() {
		return
	}
	own := &rootPlans{bytes: len(text) + bytesPerNode*nodesOf(doc)}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.docs.Remove(text) // a request beside this one may have been faster
	ps.docs.Add(text, doc)
	ps.of[doc] = own
	for ps.size += own.bytes; ps.size > maxParsed; {
		ps.docs.RemoveOldest()
	}
}

// ofRequest are the plans of the document that a request sent; nil if it is not kept.
func (ps *plans) ofRequest(op *graphql.OperationContext) *rootPlans {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.of[op.Doc]
}

// alone is the one root field of a query; nil if it is none, or not kept. It is looked for when the operation runs, not when its document
// comes: fragments that spread each other twice have more fields than can be walked, and only an operation that was measured has few.
func (ps *plans) alone(op *graphql.OperationContext) *ast.Field {
	own := ps.ofRequest(op)
	if own == nil {
		return nil
	}
	if f, ok := own.alone.Load(op.Operation); ok {
		return f.(*ast.Field)
	}
	f := aloneIn(op.Operation)
	own.alone.Store(op.Operation, f)
	return f
}

// kept is the plan of the root field being resolved: the one that is kept, or a new one.
func kept[P any](ctx context.Context, ps *plans, make func(p *planner, f graphql.CollectedField) (P, error)) (P, error) {
	f, op := graphql.GetFieldContext(ctx).Field, graphql.GetOperationContext(ctx)
	own, at := ps.ofRequest(op), place{op.Operation, f.Field}
	if own != nil {
		if plan, ok := own.selections.Load(at); ok {
			return plan.(P), nil
		}
	}
	plan, err := make(newPlanner(ctx), f)
	if err == nil && own != nil && steady(op.Operation.SelectionSet) && fixed(f.Selections, true) {
		own.selections.Store(at, plan)
	}
	return plan, err
}

// writer is the writer of a root field's answer; false if there is none.
func (ps *plans) writer(ctx context.Context, f graphql.CollectedField) (part, bool) {
	op := graphql.GetOperationContext(ctx)
	own, at := ps.ofRequest(op), place{op.Operation, f.Field}
	if own != nil {
		if of, ok := own.writers.Load(at); ok {
			p := of.(rootPart).part
			return p, p != nil
		}
	}
	r := &renderer{op: op}
	p, ok := r.compile(f.Definition.Type, f.Selections)
	if !ok {
		p = nil
	}
	if own != nil && steady(op.Operation.SelectionSet) && fixed(f.Selections, false) {
		own.writers.Store(at, rootPart{p})
	}
	return p, ok
}

// rootPart is the writer of a root field; nil where the executor has to write.
type rootPart struct{ part }

// steady reports whether the root fields of an operation, and what is selected of each altogether, are the same whatever the variables are.
func steady(set ast.SelectionSet) bool {
	for _, s := range set {
		var of ast.SelectionSet
		var directives ast.DirectiveList
		switch s := s.(type) {
		case *ast.Field:
			directives = s.Directives
		case *ast.InlineFragment:
			of, directives = s.SelectionSet, s.Directives
		case *ast.FragmentSpread:
			of, directives = s.Definition.SelectionSet, s.Directives
		}
		if len(directives) > 0 || !steady(of) {
			return false
		}
	}
	return true
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
