package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"roster/internal/directory"
)

// The renderer takes the executor's place below a root field. What the plan selected is all there when the root resolver returns, so
// it is written straight into bytes and handed to gqlgen as a graphql.Marshaler. gqlgen's executor would start a goroutine for each
// element of a list and keep a context for each field: ten times the work for the same bytes. Where the two could differ, at a null in
// a place that may not be null, the renderer steps back and the executor decides. render_test.go holds them to the same bytes.

// rendered is the field middleware that does it.
func (ps *plans) rendered(ctx context.Context, next graphql.Resolver) (any, error) {
	v, err := next(ctx)
	fc := graphql.GetFieldContext(ctx)
	if err != nil || v == nil || (fc.Object != "Query" && fc.Object != "Mutation") || !fc.IsResolver {
		return v, err
	}
	if kept, ok := v.(*directory.Payload); ok && kept.Answer != nil {
		return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(kept.Answer) }), nil
	}
	p, ok := ps.writer(ctx, fc.Field)
	if !ok {
		return v, nil
	}
	buffer := bodies.Get().(*bytes.Buffer)
	b, ok := p.write(buffer.AvailableBuffer(), v)
	if !ok {
		putBody(buffer)
		return v, nil
	}
	if page, ok := v.(interface{ Release() }); ok {
		page.Release()
	}
	return graphql.WriterFunc(func(w io.Writer) { // which gqlgen does once
		_, _ = w.Write(b)
		putBody(bytes.NewBuffer(b))
	}), nil
}

type renderer struct{ op *graphql.OperationContext }

// part writes one value; false means that gqlgen's executor has to.
type part interface {
	write(b []byte, v any) ([]byte, bool)
}

// compile makes the writer of a value of a type, for what is selected of it.
func (r *renderer) compile(t *ast.Type, set ast.SelectionSet) (part, bool) {
	if t.Elem != nil {
		of, ok := r.compile(t.Elem, set)
		return listPart{of, t.NonNull}, ok
	}
	def := parsedSchema.Types[t.NamedType]
	switch {
	case strings.HasSuffix(def.Name, "Connection"):
		return r.connection(def, set)
	case def.IsAbstractType():
		p := abstractPart{nonNull: t.NonNull, byType: map[string]part{}}
		for _, possible := range parsedSchema.PossibleTypes[def.Name] {
			of, ok := r.object(possible, set, true)
			if !ok {
				return nil, false
			}
			p.byType[possible.Name] = of
		}
		return p, true
	case def.Kind == ast.Object:
		return r.object(def, set, t.NonNull)
	}
	return nil, false
}

// object compiles the fields selected of an object type.
func (r *renderer) object(def *ast.Definition, set ast.SelectionSet, nonNull bool) (part, bool) {
	p := objectPart{nonNull: nonNull}
	kind := def.Name
	if strings.HasSuffix(kind, "Payload") || kind == "ChangeResult" {
		kind = "Payload" // one type behind them all
	}
	for _, f := range graphql.CollectFields(r.op, set, satisfied(def.Name)) {
		// One field selected of an interface and of the type itself comes twice; the executor writes the first.
		if slices.ContainsFunc(p.fields, func(have fieldPart) bool { return have.alias == f.Alias }) {
			continue
		}
		fp := fieldPart{key: []byte(`"` + f.Alias + `":`), alias: f.Alias}
		switch own, ok := fieldsOf[kind][f.Name]; {
		case f.Name == "__typename":
			name := `"` + def.Name + `"`
			fp.own = func(b []byte, _ any) []byte { return append(b, name...) }
		case ok && len(f.Selections) == 0:
			fp.own = own
		default:
			of, ok := r.compile(f.Definition.Type, f.Selections)
			if !ok {
				return nil, false
			}
			fp.to = of
			fp.from = valuesOf[kind][f.Name]
		}
		p.fields = append(p.fields, fp)
	}
	return p, true
}

// fieldPart is one field of an object: its own value, or what it leads to: under its alias among the links, or a value of the object's.
type fieldPart struct {
	key   []byte
	alias string
	own   func(b []byte, o any) []byte
	from  func(o any) any
	to    part
}

type objectPart struct {
	nonNull bool
	fields  []fieldPart
}

func (p objectPart) write(b []byte, v any) ([]byte, bool) {
	if isNil(v) {
		return append(b, "null"...), !p.nonNull
	}
	b = append(b, '{')
	for i := range p.fields {
		f := &p.fields[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, f.key...)
		if f.own != nil {
			b = f.own(b, v)
			continue
		}
		to, ok := f.follow(v)
		if !ok {
			return b, false
		}
		if b, ok = f.to.write(b, to); !ok {
			return b, false
		}
	}
	return append(b, '}'), true
}

func (f *fieldPart) follow(v any) (any, bool) {
	if f.from != nil {
		return f.from(v), true
	}
	o, ok := v.(directory.Object)
	if !ok {
		return nil, false
	}
	to, err := directory.Linked[any](o, f.alias)
	return to, err == nil
}

type abstractPart struct {
	nonNull bool
	byType  map[string]part
}

func (p abstractPart) write(b []byte, v any) ([]byte, bool) {
	if isNil(v) {
		return append(b, "null"...), !p.nonNull
	}
	of, ok := p.byType[typeName(v)]
	if !ok {
		return b, false
	}
	return of.write(b, v)
}

type listPart struct {
	of      part
	nonNull bool
}

func (p listPart) write(b []byte, v any) ([]byte, bool) {
	each, ok := elements(v)
	if !ok {
		return b, false
	}
	b = append(b, '[')
	for i := range each.n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = p.of.write(b, each.at(i)); !ok {
			return b, false
		}
	}
	return append(b, ']'), true
}

// connection compiles what is selected of a page.
func (r *renderer) connection(def *ast.Definition, set ast.SelectionSet) (part, bool) {
	var p connectionPart
	for _, f := range graphql.CollectFields(r.op, set, satisfied(def.Name)) {
		cf := connectionField{key: []byte(`"` + f.Alias + `":`)}
		var ok bool
		switch f.Name {
		case "__typename":
			name := `"` + def.Name + `"`
			cf.write = func(b []byte, _ directory.AnyPage) ([]byte, bool) { return append(b, name...), true }
		case "totalCount":
			cf.write = func(b []byte, c directory.AnyPage) ([]byte, bool) {
				return strconv.AppendInt(b, int64(c.Total()), 10), true
			}
		case "latestCursor":
			cf.write = func(b []byte, c directory.AnyPage) ([]byte, bool) { return appendString(b, c.Latest()), true }
		case "pageInfo":
			of, compiled := r.object(parsedSchema.Types["PageInfo"], f.Selections, true)
			if ok = compiled; !ok {
				return nil, false
			}
			cf.write = func(b []byte, c directory.AnyPage) ([]byte, bool) { return of.write(b, c.Info()) }
		case "nodes":
			of, compiled := r.compile(f.Definition.Type.Elem, f.Selections)
			if ok = compiled; !ok {
				return nil, false
			}
			cf.write = nodesWriter(of)
		case "edges":
			if cf.write, ok = r.edges(parsedSchema.Types[f.Definition.Type.Name()], f.Selections); !ok {
				return nil, false
			}
		}
		p = append(p, cf)
	}
	return p, true
}

type connectionField struct {
	key   []byte
	write func(b []byte, c directory.AnyPage) ([]byte, bool)
}

type connectionPart []connectionField

func (p connectionPart) write(b []byte, v any) ([]byte, bool) {
	c, ok := v.(directory.AnyPage)
	if !ok || isNil(v) {
		return b, false
	}
	b = append(b, '{')
	for i, f := range p {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = f.write(append(b, f.key...), c); !ok {
			return b, false
		}
	}
	return append(b, '}'), true
}

func nodesWriter(of part) func(b []byte, c directory.AnyPage) ([]byte, bool) {
	return func(b []byte, c directory.AnyPage) ([]byte, bool) {
		b = append(b, '[')
		var ok bool
		for i := range c.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, ok = of.write(b, c.NodeAt(i)); !ok {
				return b, false
			}
		}
		return append(b, ']'), true
	}
}

// edges compiles what is selected of each edge: its cursor, its node.
func (r *renderer) edges(def *ast.Definition, set ast.SelectionSet) (func(b []byte, c directory.AnyPage) ([]byte, bool), bool) {
	type edgeField struct {
		key  []byte
		text string // a constant, for __typename
		node part   // nil: the cursor
	}
	var fields []edgeField
	for _, f := range graphql.CollectFields(r.op, set, satisfied(def.Name)) {
		ef := edgeField{key: []byte(`"` + f.Alias + `":`)}
		switch f.Name {
		case "__typename":
			ef.text = `"` + def.Name + `"`
		case "node":
			var ok bool
			if ef.node, ok = r.compile(f.Definition.Type, f.Selections); !ok {
				return nil, false
			}
		}
		fields = append(fields, ef)
	}
	return func(b []byte, c directory.AnyPage) ([]byte, bool) {
		b = append(b, '[')
		var ok bool
		for i := range c.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			for j, f := range fields {
				if j > 0 {
					b = append(b, ',')
				}
				b = append(b, f.key...)
				switch {
				case f.text != "":
					b = append(b, f.text...)
				case f.node == nil:
					b = appendString(b, c.CursorAt(i))
				default:
					if b, ok = f.node.write(b, c.NodeAt(i)); !ok {
						return b, false
					}
				}
			}
			b = append(b, '}')
		}
		return append(b, ']'), true
	}, true
}

// appendString writes a string as gqlgen does; plain ASCII, which is nearly all there is, by the shorter way.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var w bytes.Buffer
			graphql.MarshalString(s).MarshalGQL(&w)
			return append(b, w.Bytes()...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendString(b, *s)
}

// appendTime writes a time in timeLayout; digit by digit, since time's own way costs as much as the rest of a row.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(b, '"')
	b = appendDigits(b, year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), t.Nanosecond()/1000, 6)
	return append(b, 'Z', '"')
}

// appendDigits writes n in as many digits.
func appendDigits(b []byte, n, digits int) []byte {
	b = append(b, "000000"[:digits]...)
	for i := len(b) - 1; n > 0 && digits > 0; i, digits = i-1, digits-1 {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

func appendOptionalTime(b []byte, t *time.Time) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	return appendTime(b, *t)
}

// appendRaw writes JSON as it is but for the spaces, which Postgres puts into what it keeps.
func appendRaw(b []byte, v json.RawMessage) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	w := bytes.NewBuffer(b)
	if err := json.Compact(w, v); err != nil {
		return append(b, "null"...) // what is kept is JSON
	}
	return w.Bytes()
}

func appendStrings[S ~string](b []byte, vs []S) []byte {
	b = append(b, '[')
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, string(v))
	}
	return append(b, ']')
}
