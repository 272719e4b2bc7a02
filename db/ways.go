package db

import (
	"strings"

	"github.com/google/uuid"
)

// way is one way in which references name rows: what it is called, its type, the condition on which r names a row so, and what each
// reference says; "" where it goes another way.
type way struct {
	name, typ, is string
	values        []string // nil: no reference goes this way
	n             int
}

// waysFor are all ways of n references.
func waysFor(n int, ws ...way) []way {
	for i := range ws {
		ws[i].n = n
	}
	return ws
}

func (w *way) put(i int, value string) {
	if value == "" {
		return
	}
	if w.values == nil {
		w.values = make([]string, w.n)
	}
	w.values[i] = value
}

// allWays are the arguments of a statement that knows every way.
func allWays(ws []way) []any {
	args := make([]any, len(ws))
	for i, w := range ws {
		if w.values == nil {
			w.values = make([]string, w.n)
		}
		args[i] = nullable(w.values)
	}
	return args
}

// findBy writes a statement that finds the rows which references name: the place of the reference, and the columns. "" if the references
// name nothing.
func findBy(ws []way, table, columns string) (string, []any) {
	w := newWriter(len(ws))
	w.add("SELECT r.ord, f.* FROM ")
	if !w.found(ws, table, columns) {
		return "", nil
	}
	return w.text(), w.args
}

// found adds the references r, each with its place ord, and the rows f that they name. It knows the ways that are used and no other, since
// each costs a look for every reference. false if the references name nothing.
func (w *writer) found(ws []way, table, columns string) bool {
	var lists, names, finds []string
	var args []any
	for _, way := range ws {
		if way.values == nil {
			continue
		}
		args = append(args, nullable(way.values))
		lists, names = append(lists, "?::"+way.typ+"[]"), append(names, way.name)
		finds = append(finds, "(SELECT "+columns+" FROM "+table+" WHERE "+way.is+" OFFSET 0)")
	}
	if len(finds) == 0 {
		return false
	}
	w.add("unnest("+strings.Join(lists, ", ")+") WITH ORDINALITY r("+strings.Join(names, ", ")+
		", ord) CROSS JOIN LATERAL ("+strings.Join(finds, " UNION ALL ")+") f", args...)
	return true
}

// uuidKey and numberKey spell a name that is absent if it is zero.
func uuidKey(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func numberKey(n int) string {
	if n == 0 {
		return ""
	}
	return intKey(n)
}
