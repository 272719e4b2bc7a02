package graph

import "github.com/vektah/gqlparser/v2/ast"

// nodesOf is how many fields, fragments, directives, variables and values a document has: what it takes in memory hangs on that.
func nodesOf(doc *ast.QueryDocument) int {
	n := 0
	for _, op := range doc.Operations {
		n += 1 + len(op.VariableDefinitions) + inDirectives(op.Directives) + inSet(op.SelectionSet)
		for _, v := range op.VariableDefinitions {
			n += inValue(v.DefaultValue) + inDirectives(v.Directives)
		}
	}
	for _, f := range doc.Fragments {
		n += 1 + inDirectives(f.Directives) + inSet(f.SelectionSet)
	}
	return n
}

func inSet(set ast.SelectionSet) int {
	n := len(set)
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n += inArguments(s.Arguments) + inDirectives(s.Directives) + inSet(s.SelectionSet)
		case *ast.InlineFragment:
			n += inDirectives(s.Directives) + inSet(s.SelectionSet)
		case *ast.FragmentSpread:
			n += inDirectives(s.Directives)
		}
	}
	return n
}

func inDirectives(ds ast.DirectiveList) int {
	n := len(ds)
	for _, d := range ds {
		n += inArguments(d.Arguments)
	}
	return n
}

func inArguments(args ast.ArgumentList) int {
	n := len(args)
	for _, a := range args {
		n += inValue(a.Value)
	}
	return n
}

func inValue(v *ast.Value) int {
	if v == nil {
		return 0
	}
	n := 1
	for _, c := range v.Children {
		n += inValue(c.Value)
	}
	return n
}

// selectionsOf is how many fields and fragments a document selects, as it is written.
func selectionsOf(doc *ast.QueryDocument) int {
	n := 0
	for _, op := range doc.Operations {
		n += selections(op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		n += selections(f.SelectionSet)
	}
	return n
}

func selections(set ast.SelectionSet) int {
	n := len(set)
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n += selections(s.SelectionSet)
		case *ast.InlineFragment:
			n += selections(s.SelectionSet)
		}
	}
	return n
}
