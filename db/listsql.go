package db

// This file writes the statements of lists.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

type statement[T any] struct {
	text    string
	args    []any
	columns []column[T]
	key     int // which argument is the list's key, if it has one
}

// writer gathers a statement's text and its arguments in the order of their placeholders.
type writer struct {
	b    strings.Builder
	args []any
}

func (w *writer) add(text string, args ...any) {
	w.b.WriteString(text)
	w.args = append(w.args, args...)
}

// parents is the table p of a list's parents. Of one alone Postgres knows which it is when it plans.
func (w *writer) parents(ids []uuid.UUID) {
	if len(ids) == 1 {
		w.add("(SELECT ?::uuid AS id, 1 AS ord) p", ids[0].String())
		return
	}
	w.add("unnest(?::uuid[]) WITH ORDINALITY p(id, ord)", UUIDs(ids))
}

// limit asks for one row more than a page has. The usual pages are written out: a number that is an argument makes Postgres plan
// for a tenth of the table, which looks so dear that it would plan every page anew. Others are not, so that there are not as many
// statements as numbers.
func (w *writer) limit(page int) {
	switch page {
	case 0:
	case 1, 2, 3, 5, 10, 20, 25, 50, 100, 200:
		w.add(" LIMIT " + strconv.Itoa(page+1))
	default:
		w.add(" LIMIT ?", int64(page)+1)
	}
}

// total adds a kept total as a column, if one is wanted.
func (w *writer) total(t Total) {
	if t != "" {
		w.add("("+totalKept+"?), ", string(t))
	}
}

// decisive cuts an order behind the key that leaves no ties.
func decisive[T any](t *Table[T], order []Order) []Order {
	for i, o := range order {
		if o.Key == t.unique {
			return order[:i+1]
		}
	}
	return order
}

func (w *writer) where(relation string, cs ...Cond) {
	before := " WHERE "
	if relation != "" {
		w.add(before + relation)
		before = and
	}
	for _, c := range cs {
		if !c.IsZero() {
			w.add(before)
			w.add(c.text, c.args...)
			before = and
		}
	}
}

// build writes the statement of a list:
//
//	SELECT columns FROM table WHERE … ORDER BY keys LIMIT n+1
//
// and for the children of many parents the same below a LATERAL, which Postgres answers by one index range a parent, and gives as an
// array of each column: a message for each parent costs both sides half of what a message for each child does:
//
//	SELECT p.ord, c.* FROM unnest(parents) WITH ORDINALITY p(id, ord)
//	CROSS JOIN LATERAL (SELECT array_agg(column::text), … FROM (SELECT columns … LIMIT n+1) c) c
//
// Lists below each row are the same again, with the row for the parent (below.go):
//
//	SELECT q.*, b0.* FROM (SELECT columns … LIMIT n+1) q CROSS JOIN LATERAL (SELECT q.id) p
//	CROSS JOIN LATERAL (SELECT array_agg(column::text), … FROM (SELECT columns … LIMIT n+1) c) b0 ORDER BY q.keys
func build[T any](t *Table[T], l List) (statement[T], error) {
	p, err := paged(t, l)
	if err != nil {
		return statement[T]{}, err
	}
	w := writer{args: make([]any, 0, 8)}
	w.b.Grow(1024)
	switch {
	case l.Of.where != "":
		w.add("SELECT p.ord, c.* FROM ")
		w.parents(l.Parents)
		w.add(" CROSS JOIN LATERAL (")
		p.addArrays(&w)
		w.add(") c")
	case len(l.Below) > 0:
		if err := p.addWithBelow(&w, func() { p.add(&w, true) }); err != nil {
			return statement[T]{}, err
		}
		p.addKeys(&w, "q")
	default:
		p.add(&w, false)
	}
	return statement[T]{number(w.b.String()), w.args, p.columns, p.viewers + len(l.still.args)}, nil
}

// page is a page of a list, ready to be written as SQL.
type page[T any] struct {
	List
	*projection[T]
	table  *Table[T]
	order  []Order
	begins *search // the page is of rows whose text begins so
	alone  *search // all that was asked of the rows
}

func paged[T any](t *Table[T], l List) (page[T], error) {
	order := whole(l.Order)
	p := page[T]{List: l, table: t, order: decisive(t, order)}
	if l.Total != "" && (!l.Whole() || !l.Where.IsZero() || !l.Key.IsZero()) {
		return p, fmt.Errorf("db: the kept total is of all %s", l.Total)
	}
	if !l.Key.IsZero() && (!l.Whole() || l.Limit > 0 || l.After != nil || l.Before != nil) {
		return p, fmt.Errorf("db: a key names one of %s, which has no pages", t.from)
	}
	p.begins = beginning(t, l, p.order)
	read := p.order
	if len(l.Below) > 0 {
		read = order // their parents are rows' ids
	}
	var err error
	if p.projection, err = t.project(l.Columns, read, !l.NoKeys || p.begins != nil || len(l.Below) > 0); err != nil {
		return p, err
	}
	p.alone = l.Where.alone
	p.Where = And(l.still, l.Key.is(), l.Where.planned())
	return p, nil
}

// add adds the page, its columns called c0, c1, … if they are to be named.
//
// What is looked for somewhere in the very text that the list is ordered by is found in the index of that text alone, and only then
// are the rows fetched:
//
//	SELECT columns FROM (SELECT key FROM table WHERE … ORDER BY key LIMIT n+1) k JOIN table ON key = k.key ORDER BY k.key
func (p page[T]) add(w *writer, named bool) {
	if p.begins != nil {
		w.add("SELECT c.* FROM (")
	}
	w.add("SELECT ")
	if !named {
		w.total(p.Total)
	}
	if named || p.begins != nil {
		w.add(p.named)
	} else {
		w.add(p.bare)
	}
	for range p.viewers {
		w.args = append(w.args, p.Viewer.String())
	}
	joins := joinsFor(p.table, p.bare, p.Where.text)
	switch {
	case p.begins != nil:
		p.addBeginning(w, joins)
	case p.indexAlone():
		w.add(" FROM (SELECT " + p.alone.column + " AS at")
		addPage(w, p.table, p.List, p.order, "")
		w.add(") k JOIN " + p.table.from + " ON " + p.alone.column + " = k.at" + joins + " ORDER BY k.at" + direction(p.order[0].Desc != p.Backward))
	default:
		addPage(w, p.table, p.List, p.order, joins)
	}
}

// indexAlone reports whether an index of one text holds what is looked for and what it is ordered by.
func (p page[T]) indexAlone() bool {
	return p.Of.where == "" && p.alone != nil && p.alone.inside && len(p.order) == 1 && p.table.keys[p.order[0].Key].sql == p.alone.column
}

// addArrays adds the page as one row, with an array of each column.
func (p page[T]) addArrays(w *writer) {
	w.add("SELECT ")
	w.add(p.arrays)
	w.add(" FROM (")
	p.add(w, true)
	w.add(") c")
}

// addKeys adds what the rows of the named page are ordered by.
func (p page[T]) addKeys(w *writer, alias string) {
	w.add(" ORDER BY ")
	for i, o := range p.order {
		if i > 0 {
			w.add(", ")
		}
		at, _ := slices.BinarySearch(p.names, p.table.keys[o.Key].column)
		w.add(alias + ".c" + strconv.Itoa(at) + direction(o.Desc != p.Backward))
	}
}

// Varies reports whether the statement of a list is planned for its values, every time.
func (t *Table[T]) Varies(l List) bool {
	return l.Where.varies && beginning(t, l, whole(l.Order)) == nil
}

// whole is the order of a list, which the id decides where nothing else does.
func whole(order []Order) []Order {
	return append(slices.Clone(order), Order{Key: idKey, Desc: len(order) > 0 && order[len(order)-1].Desc})
}

// beginning is the search that a list is for, if it is for the rows whose text begins somehow, in the order of that text: a part of
// one index, which the same plan finds for every beginning.
func beginning[T any](t *Table[T], l List, order []Order) *search {
	s := l.Where.alone
	if s == nil || s.inside || l.Of.where != "" || l.Limit == 0 || t.keys[order[0].Key].sql != s.column { // an unknown key has no SQL
		return nil
	}
	return s
}

// addBeginning adds what follows the columns of a page of such a list. The page begins at one end of the part, and is cut at the other
// only when it is there: of both ends at once Postgres thinks so well that it would plan anew for each beginning.
func (p page[T]) addBeginning(w *writer, joins string) {
	s, l := p.begins, p.List
	at, _ := slices.BinarySearch(p.names, p.table.keys[p.order[0].Key].column)
	key, near, far := "c.c"+strconv.Itoa(at), s.from, s.toEnd
	if p.order[0].Desc != l.Backward {
		near, far = s.to, s.fromEnd
	}
	l.Where = And(l.still, near(s.column))
	addPage(w, p.table, l, p.order, joins)
	end := far(key)
	w.add(") c WHERE "+end.text, end.args...)
	p.addKeys(w, "c")
}

// addPage adds what follows the columns of a page: FROM … WHERE … ORDER BY … LIMIT ….
func addPage[T any](w *writer, t *Table[T], l List, order []Order, joins string) {
	w.add(" FROM " + t.from + l.Of.join + joins)
	w.where(l.Of.where, l.Where, beyond(t, order, l.After, false), beyond(t, order, l.Before, true))
	w.add(" ORDER BY ")
	for i, o := range order {
		if i > 0 {
			w.add(", ")
		}
		w.add(t.keys[o.Key].sql + direction(o.Desc != l.Backward))
	}
	w.limit(l.Limit)
}

// joinsFor gives the joins whose alias one of the texts mentions.
func joinsFor[T any](t *Table[T], texts ...string) string {
	joins := ""
	for _, j := range t.joins {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, j.alias+".") }) {
			joins += " " + j.clause
		}
	}
	return joins
}

// direction is the SQL of a direction; one index serves both.
func direction(desc bool) string {
	if desc {
		return " DESC"
	}
	return ""
}

// beyond is the keyset condition: rows after the cursor in the given order, or before it. Where all keys run the same way
// it is one row comparison, which an index range answers; otherwise the same written out.
func beyond[T any](t *Table[T], order []Order, at []string, before bool) Cond {
	if at == nil {
		return Cond{}
	}
	var columns, marks []string
	var args []any
	mixed := false
	for i, o := range order {
		k := t.keys[o.Key]
		columns = append(columns, k.sql)
		marks = append(marks, "?::"+k.typ)
		args = append(args, at[i])
		mixed = mixed || o.Desc != order[0].Desc
	}
	if !mixed {
		return cond("("+strings.Join(columns, ", ")+") "+comparison(order[0].Desc != before)+" ("+strings.Join(marks, ", ")+")", args...)
	}
	var any []Cond
	for i, o := range order {
		var all []Cond
		for j := range i {
			all = append(all, cond(columns[j]+" = "+marks[j], args[j]))
		}
		all = append(all, cond(columns[i]+" "+comparison(o.Desc != before)+" "+marks[i], args[i]))
		any = append(any, And(all...))
	}
	return Or(any...)
}

func comparison(less bool) string {
	if less {
		return "<"
	}
	return ">"
}
