package db

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
)

// Below is a list that hangs on each row of another and is read in that one's statement. It is a *Nested.
type Below interface {
	addLateral(w *writer, rows int) error
	take(values []driver.Value) ([]driver.Value, error)
	again()
	bounded() bool
	belong(rows int, backward bool)
}

// Nested is a list of T for each row of another list, whose id is the relation's p.id. Find leaves in Parts what it found, a part for each
// row, in the rows' order.
type Nested[T any] struct {
	Table *Table[T]
	List  List // its Parents are the rows
	Parts []Part[T]

	columns  []column[T]
	expected int
	rows     []T // room for rows, of which the parts have theirs
}

func (n *Nested[T]) addLateral(w *writer, rows int) error {
	p, err := paged(n.Table, n.List)
	if err != nil {
		return err
	}
	n.columns, n.expected = p.columns, rows
	n.Parts = make([]Part[T], 0, rows)
	w.add("(")
	p.addArrays(w)
	w.add(")")
	return nil
}

// take reads the part of one row off the front of the values, and gives the others.
func (n *Nested[T]) take(values []driver.Value) ([]driver.Value, error) {
	var err error
	if count := min(elements(values[0]), expected(n.List.Limit, 1)); count > cap(n.rows)-len(n.rows) {
		n.rows = make([]T, 0, max(count, min(mostRoom, count*(n.expected-len(n.Parts)))))
	}
	from := len(n.rows)
	if n.rows, err = appendArrays(n.rows, n.columns, values[:len(n.columns)]); err != nil {
		return nil, err
	}
	part := Part[T]{Rows: n.rows[from:len(n.rows):len(n.rows)]}
	part.cut(n.List)
	n.Parts = append(n.Parts, part)
	return values[len(n.columns):], nil
}

// again forgets what was taken: the statement is sent once more.
func (n *Nested[T]) again() { n.Parts, n.rows = n.Parts[:0], n.rows[:0] }

// bounded reports whether the parts have a limit.
func (n *Nested[T]) bounded() bool { return n.List.Limit > 0 }

// belong leaves the parts of the rows that are, and in their order.
func (n *Nested[T]) belong(rows int, backward bool) {
	n.Parts = n.Parts[:rows:rows]
	if backward {
		slices.Reverse(n.Parts)
	}
}

// addWithBelow adds rows of the query q, which addRows writes with the columns' names, with the lists below them, behind what else of q is
// wanted.
func (p page[T]) addWithBelow(w *writer, besides string, addRows func()) error {
	id, ok := slices.BinarySearch(p.names, idKey)
	if !ok {
		return fmt.Errorf("db: lists below rows of %s, whose ids are not read", p.table.from)
	}
	w.add("SELECT " + besides)
	w.total(p.Total)
	w.add(p.outer)
	for i := range p.Below {
		w.add(", b" + strconv.Itoa(i) + ".*")
	}
	w.add(" FROM (")
	addRows()
	w.add(") q CROSS JOIN LATERAL (SELECT q.c" + strconv.Itoa(id) + " AS id) p")
	for i, b := range p.Below {
		w.add(" CROSS JOIN LATERAL ")
		if err := b.addLateral(w, expected(p.Limit, 1)); err != nil {
			return err
		}
		w.add(" b" + strconv.Itoa(i))
	}
	return nil
}
