package graph

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"roster/internal/directory"
)

// What an operation costs, in points, before it runs. A point is about what Postgres and Roster take to read and write one small
// object; docs/limits.md has the figures behind the others.
//
//   - an operation: 1
//   - an object: 1, and what is selected of it; what is part of its parent's row, such as a tag, costs nothing
//   - a list: 1, and each object times the size of the page that is asked for, whether or not there are as many
//   - an entry of a list among the arguments, in a filter or an input: 1
//   - an object that a mutation tells of, such as a change: once for each entry of its input
//   - an object that a mutation finds by itself, such as a member who goes: as often as there may be, if it leads to others
//   - a write of applyChanges: 20 more, since it takes statements of its own
//   - what a subscription tells of: as often as a page at most has it
//   - a text to look for, and a totalCount: below
//   - a hundred objects and scalars of the schema: 1, up to a bound of their own
const (
	rootText, nestedText   = 100, 10   // in a list of everything, and in one below each object of another list
	rootCount, nestedCount = 2_000, 10 // counting reads the whole list, however small the page
	commandPoints          = 20
	mostPoints             = 1 << 40 // where sums stop growing, so that they cannot overflow

	introspectedPerPoint = 100
	mostIntrospected     = 600_000 // objects and scalars of the schema, about; what the usual tools ask for is less than half
)

// introspected says about how many entries a list of the schema has.
var introspected = map[string]int64{"types": 150, "fields": 8, "args": 2, "inputFields": 6, "enumValues": 8, "interfaces": 1, "possibleTypes": 12, "directives": 8}

// finds are the mutations that tell of others than their input names: of whoever goes, or comes back.
var finds = map[string]bool{"setMembers": true, "setUserGroups": true, "deleteUser": true, "restoreGroup": true, "applyChanges": true}

// measure walks the selections of an operation once: it adds up what they cost and refuses what is misshapen. Fragments are walked
// wherever they are spread, which Limits.Fields bounds.
type measure struct {
	Limits
	vars            map[string]any
	fields, aliases int
	introspects     int64 // about so many objects and scalars of the schema
	follows         bool  // it is a subscription
	refused         *directory.Error
}

// scope is what a field has to know of where it stands.
type scope struct {
	root   bool
	schema bool  // it is of introspection
	size   int64 // how many objects a list of them has here
	found  int64 // and how many more it may have that no input names
	count  int64 // what totalCount costs
}

func (m *measure) operation(op *ast.OperationDefinition) int64 {
	m.follows = op.Operation == ast.Subscription
	points := m.set(op.SelectionSet, 1, scope{root: true, size: 1})
	return 1 + points + m.introspects/introspectedPerPoint
}

func (m *measure) set(set ast.SelectionSet, depth int, in scope) (points int64) {
	if depth > m.Depth {
		m.refuse("depth", "Selections may be at most %d deep.", m.Depth)
	}
	for _, s := range set {
		if m.fields++; m.fields > m.Fields {
			m.refuse("fields", "%s", tooManyFields(m.Limits))
		}
		if m.refused != nil {
			return 0
		}
		switch s := s.(type) {
		case *ast.Field:
			if !m.skips(s.Directives) {
				points += m.field(s, depth, in)
			}
		case *ast.InlineFragment:
			if !m.skips(s.Directives) {
				points += m.set(s.SelectionSet, depth, in)
			}
		case *ast.FragmentSpread:
			if !m.skips(s.Directives) {
				points += m.set(s.Definition.SelectionSet, depth, in)
			}
		}
	}
	return min(points, mostPoints)
}

func (m *measure) field(f *ast.Field, depth int, in scope) int64 {
	if f.Alias != f.Name {
		if m.aliases++; m.aliases > m.Aliases {
			m.refuse("aliases", "At most %d aliases.", m.Aliases)
		}
	}
	switch {
	case in.schema:
		return m.introspected(f, depth)
	case f.Name == "totalCount":
		return in.count
	case len(f.SelectionSet) == 0:
		return 0
	case f.Name == "__schema" || f.Name == "__type":
		if m.introspects += m.introspected(f, depth); m.introspects > mostIntrospected {
			m.refuse("introspection", "This asks for too much of the schema at once.")
		}
		return 0
	}
	text, count := int64(nestedText), int64(nestedCount)
	if in.root {
		text, count = rootText, rootCount
	}
	entries := m.arguments(f.Arguments, text)
	inside := scope{size: 1}
	if in.root {
		in.size = max(1, entries)
		inside.size, inside.found = in.size, m.found(f)
		entries += commandPoints * m.commands(f)
	}
	own, connects := int64(1), strings.HasSuffix(f.Definition.Type.Name(), "Connection")
	switch {
	case connects:
		inside = scope{size: m.page(f.Arguments), count: count}
	case partOfParent(f.Definition.Type.Name()):
		own = 0
	}
	below := m.set(f.SelectionSet, depth+1, inside)
	times := int64(1)
	switch {
	case in.root && m.follows:
		times = directory.MaxPage
	case connects || f.Definition.Type.Elem == nil:
	case below > 0:
		times = in.size + in.found
	default:
		times = in.size
	}
	return min(entries+times*(own+below), mostPoints)
}

// introspected is about how many objects and scalars a field of the schema is.
func (m *measure) introspected(f *ast.Field, depth int) int64 {
	if len(f.SelectionSet) == 0 {
		return 1
	}
	return min(max(1, introspected[f.Name])*(1+m.set(f.SelectionSet, depth+1, scope{schema: true})), mostPoints)
}

// found is how many objects a mutation may tell of that its input does not name: no more than may go.
func (m *measure) found(f *ast.Field) int64 {
	if !finds[f.Name] {
		return 0
	}
	if input := f.Arguments.ForName("input"); input != nil {
		v, err := input.Value.Value(m.vars)
		given, _ := v.(map[string]any)
		if n, ok := number(given["atMost"]); err == nil && ok && given["admins"] == nil { // which bounds the members who go, not the admins
			return min(max(n, 0), directory.MaxBulk)
		}
	}
	return directory.MaxBulk
}

// commands is how many writes applyChanges is to do.
func (m *measure) commands(f *ast.Field) int64 {
	input := f.Arguments.ForName("input")
	if f.Name != "applyChanges" || input == nil {
		return 0
	}
	v, err := input.Value.Value(m.vars)
	given, _ := v.(map[string]any)
	changes, _ := given["changes"].([]any)
	if err != nil {
		return 0
	}
	return int64(len(changes))
}

// partOfParent reports whether objects of the type are there with what they hang on, and cost nothing of their own.
func partOfParent(typ string) bool {
	return values[typ] || typ == "PageInfo" || strings.HasSuffix(typ, "Edge")
}

// arguments is what the entries and texts of a field's arguments cost.
func (m *measure) arguments(args ast.ArgumentList, text int64) (points int64) {
	for _, a := range args {
		points += m.value(a.Value, text)
	}
	return points
}

func (m *measure) value(v *ast.Value, text int64) (points int64) {
	switch v.Kind {
	case ast.Variable:
		return weigh(m.vars[v.Raw], text)
	case ast.ListValue:
		points = int64(len(v.Children))
	case ast.ObjectValue:
	default:
		return 0
	}
	for _, c := range v.Children {
		if lookedFor[c.Name] {
			points += text
		}
		points += m.value(c.Value, text)
	}
	return points
}

// weigh is value, of a variable. A value that stands for a list of itself alone comes as a list of its own type.
func weigh(v any, text int64) (points int64) {
	switch v := v.(type) {
	case []any:
		points = int64(len(v))
		for _, e := range v {
			points += weigh(e, text)
		}
	case []map[string]any:
		points = int64(len(v))
		for _, e := range v {
			points += weigh(e, text)
		}
	case map[string]any:
		for name, e := range v {
			if lookedFor[name] && e != nil {
				points += text
			}
			points += weigh(e, text)
		}
	}
	return points
}

// lookedFor are the fields of filters that look into texts.
var lookedFor = map[string]bool{"search": true, "contains": true, "notContains": true, "startsWith": true, "endsWith": true}

// page is the size of the page that a list's arguments ask for. One that is too large is the directory's to refuse, and one that is not
// understood here costs the most.
func (m *measure) page(args ast.ArgumentList) int64 {
	for _, a := range args {
		if a.Name != "first" && a.Name != "last" {
			continue
		}
		var size any = json.Number(a.Value.Raw)
		if a.Value.Kind == ast.Variable {
			size = m.vars[a.Value.Raw]
		}
		switch n, ok := number(size); {
		case ok:
			return min(max(n, 0), directory.MaxPage)
		case size != nil && a.Value.Kind != ast.NullValue:
			return directory.MaxPage
		}
	}
	return directory.DefaultPage
}

// number is an integer, in whatever form a variable comes: a text of digits is one to gqlgen.
func number(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), true
	}
	return 0, false
}

// skips reports whether @skip or @include leaves a selection out.
func (m *measure) skips(ds ast.DirectiveList) bool {
	for _, d := range ds {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		if a := d.Arguments.ForName("if"); a != nil {
			v, err := a.Value.Value(m.vars)
			if is, ok := v.(bool); err == nil && ok && is == (d.Name == "skip") {
				return true
			}
		}
	}
	return false
}

func (m *measure) refuse(limit, format string, args ...any) {
	if m.refused == nil {
		m.refused = &directory.Error{Code: directory.LimitExceeded, Limit: limit, Message: fmt.Sprintf(format, args...)}
	}
}
