package db

// This file writes the statements of lists.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

type statement[T any] struct {
	text    string
	args    []any
	columns []column[T]
	key     int // which argument is the list's key, if it has one
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
//	SELECT columns, b0.* FROM (SELECT columns, keys … LIMIT n+1) q CROSS JOIN LATERAL (SELECT q.id) p
//	CROSS JOIN LATERAL (SELECT array_agg(column::text), … FROM (SELECT columns … LIMIT n+1) c) b0 ORDER BY keys
func build[T any](t *Table[T], l List) (statement[T], error) {
	p, err := paged(t, l)
	if err != nil {
		return statement[T]{}, err
	}
	w := newWriter(8)
	switch {
	case l.Of.where != "":
		w.add("SELECT p.ord, c.* FROM ")
		w.parents(l.Parents)
		w.add(" CROSS JOIN LATERAL (")
		p.addArrays(w)
		w.add(") c")
	case len(l.Below) > 0:
		if err := p.addWithBelow(w, "", func() { p.addSorted(w) }); err != nil {
			return statement[T]{}, err
		}
		p.addEnd(w)
	case p.begins != nil:
		w.add("SELECT " + p.outer + " FROM (")
		p.addSorted(w)
		w.add(") q")
		p.addEnd(w)
	default:
		w.add("SELECT ")
		w.total(p.Total)
		p.addPage(w, p.bare)
	}
	return statement[T]{w.text(), w.args, p.columns, p.viewers + len(l.still.args)}, nil
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
	columns := l.Columns
	if len(l.Below) > 0 {
		columns = append(slices.Clone(columns), idKey) // their parents are rows' ids
	}
	var err error
	if p.projection, err = t.project(columns, p.order, !l.NoKeys); err != nil {
		return p, err
	}
	p.alone = l.Where.alone
	p.Where = And(l.still, l.Key.is(), l.Where.planned())
	return p, nil
}

// addSorted adds the page as the query q, with the keys of its order for who sorts again, called k0, k1, ….
func (p page[T]) addSorted(w *writer) {
	w.add("SELECT ")
	for i, o := range p.order {
		w.add(p.table.keys[o.Key].sql + " AS k" + strconv.Itoa(i) + ", ")
	}
	p.addPage(w, p.named)
}

// addEnd cuts the page q where it does not begin as it shall any more, and sorts it.
func (p page[T]) addEnd(w *writer) {
	if s := p.begins; s != nil {
		far := s.toEnd
		if p.falls(0) {
			far = s.fromEnd
		}
		end := far("q.k0")
		w.add(" WHERE "+end.text, end.args...)
	}
	w.add(" ORDER BY ")
	for i := range p.order {
		if i > 0 {
			w.add(", ")
		}
		w.add("q.k" + strconv.Itoa(i) + direction(p.falls(i)))
	}
}

// falls reports whether rows are read from the greatest of the order's nth key to the least.
func (p page[T]) falls(n int) bool { return p.order[n].Desc != p.Backward }

// addPage adds the page: the columns FROM … WHERE … ORDER BY … LIMIT ….
//
// What is looked for somewhere in the very text that the list is ordered by is found in the index of that text alone, and only then
// are the rows fetched:
//
//	columns FROM (SELECT key FROM table WHERE … ORDER BY key LIMIT n+1) k JOIN table ON key = k.key ORDER BY k.key
//
// What begins somehow, in the order of that text, is read from one end of its part of the index on, and cut at the other only when it is
// there (addEnd): of both ends at once Postgres thinks so well that it would plan anew for each beginning.
func (p page[T]) addPage(w *writer, columns string) {
	w.add(columns)
	for range p.viewers {
		w.args = append(w.args, p.Viewer.String())
	}
	joins := joinsFor(p.table, p.bare, p.Where.text)
	switch s := p.begins; {
	case s != nil && p.falls(0):
		p.addFrom(w, And(p.still, s.to(s.column)), joins)
	case s != nil:
		p.addFrom(w, And(p.still, s.from(s.column)), joins)
	case p.indexAlone():
		w.add(" FROM (SELECT " + p.alone.column + " AS at")
		p.addFrom(w, p.Where, "")
		w.add(") k JOIN " + p.table.from + " ON " + p.alone.column + " = k.at" + joins + " ORDER BY k.at" + direction(p.falls(0)))
	default:
		p.addFrom(w, p.Where, joins)
	}
}

// addFrom adds what follows the columns: FROM … WHERE … ORDER BY … LIMIT ….
func (p page[T]) addFrom(w *writer, where Cond, joins string) {
	w.add(" FROM " + p.table.from + p.Of.join + joins)
	w.where(p.Of.where, where, beyond(p.table, p.order, p.After, false), beyond(p.table, p.order, p.Before, true))
	w.add(" ORDER BY ")
	for i, o := range p.order {
		if i > 0 {
			w.add(", ")
		}
		w.add(p.table.keys[o.Key].sql + direction(p.falls(i)))
	}
	w.limit(p.Limit)
}

// indexAlone reports whether an index of one text holds what is looked for and what it is ordered by.
func (p page[T]) indexAlone() bool {
	return p.Of.where == "" && p.alone != nil && p.alone.inside && len(p.order) == 1 && p.table.keys[p.order[0].Key].sql == p.alone.column
}

// addArrays adds the page as one row, with an array of each column.
func (p page[T]) addArrays(w *writer) {
	w.add("SELECT ")
	w.add(p.arrays)
	w.add(" FROM (SELECT ")
	p.addPage(w, p.named)
	w.add(") c")
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
		marks = append(marks, k.mark)
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
