package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Table says what can be read of one kind of row: its columns by name, the keys it can be ordered by, and the joins
// that some columns need.
type Table[T any] struct {
	from    string // "members m"
	unique  string // the key that no two rows share, if there is one: it leaves no ties
	columns map[string]column[T]
	keys    map[string]key[T]
	joins   []join

	projections projections[T]
	rooms       sync.Pool // *[]T: of rows that were let go
}

// join is a table that a statement joins if it mentions the alias.
type join struct{ alias, clause string }

// column is one selectable value: its SQL (a ? in it stands for List.Viewer) and where it is scanned to.
type column[T any] struct {
	sql  string
	dest func(*T) any
}

// key is an ordering: its SQL, what a cursor's text becomes to be compared with it (a ? stands for it), the column that cursors are made
// of, and what appends its value of a row.
type key[T any] struct {
	sql, mark, column string
	value             AppendKey[T]
}

// AppendKey appends the value of a key of a row, as text that Postgres reads.
type AppendKey[T any] func(b []byte, row *T) []byte

// Relation says which rows hang on a parent, given as p.id; the zero Relation is the whole table.
type Relation struct {
	join  string // put after the table
	where string // a condition with p.id in it
}

// Order is one key of an ordering.
type Order struct {
	Key  string
	Desc bool
}

// List is what is wanted of a table: rows of the whole table, or for each parent its own.
type List struct {
	Of       Relation
	Parents  []uuid.UUID // for a Relation: the answer has one part for each, in this order
	Viewer   uuid.UUID   // for the columns that speak of the caller
	Key      Key         // of the whole table: the one row that it names. Outside a transaction others that ask alike may read it along
	Columns  []string
	Where    Cond
	Order    []Order // ties are broken by id, in the direction of the last key
	After    []string
	Before   []string // cursor values, one for each of CursorKeys; nil: none
	Backward bool     // the last Limit rows rather than the first; they come in Order all the same
	Limit    int      // 0: no limit
	NoKeys   bool     // no cursors are wanted, nor what they are made of
	Below    []Below  // of the whole table: lists that hang on each row
	Total    Total    // of the whole table: a kept total to be read with the rows, if there are any; "": none

	still Cond // the caller's memory holds
}

// Whole reports whether the list is of the whole table, and not of parents.
func (l *List) Whole() bool { return l.Of.where == "" }

// Part is the answer for one parent.
type Part[T any] struct {
	Rows []T
	More bool // there are more rows beyond Limit, in the direction of reading

	Total int // List.Total, if there are rows

	room *[]T // of the first part: what has the rows of all
}

// idKey is the key that every order ends with.
const idKey = "id"

// Find reads a list. It is one statement, whatever the number of parents and rows; one more, where nothing is found and the caller was
// let in by memory.
func Find[T any](ctx context.Context, s *Store, t *Table[T], l List) ([]Part[T], error) {
	if l.Of.where != "" && len(l.Parents) == 0 {
		return nil, nil
	}
	if s.primary != nil {
		return findEitherWay(ctx, s, t, l)
	}
	l.still = s.still()
	st, err := build(t, l)
	if err != nil {
		return nil, err
	}
	parts := make([]Part[T], max(1, len(l.Parents)))
	if err := fill(ctx, s, t, st, l, parts); err != nil {
		return nil, err
	}
	for i := range parts {
		parts[i].cut(l)
	}
	for _, b := range l.Below {
		b.belong(len(parts[0].Rows), l.Backward)
	}
	return parts, nil
}

// cut leaves the rows of the page, in their order.
func (p *Part[T]) cut(l List) {
	if l.Limit > 0 && len(p.Rows) > l.Limit {
		p.Rows, p.More = p.Rows[:l.Limit], true
	}
	if l.Backward {
		slices.Reverse(p.Rows)
	}
}

// fill reads the rows of each part: of the whole table a row a message, of parents a message each.
func fill[T any](ctx context.Context, s *Store, t *Table[T], st statement[T], l List, parts []Part[T]) error {
	room := t.room(expected(l.Limit, len(l.Parents)))
	all := (*room)[:0]
	one := func(values []driver.Value) error {
		if l.Total != "" {
			n, _ := values[0].(int64)
			parts[0].Total, values = int(n), values[1:]
		}
		all = append(all, *new(T))
		row := &all[len(all)-1]
		for i, c := range st.columns {
			if err := assign(c.dest(row), values[i]); err != nil {
				return err
			}
		}
		values = values[len(st.columns):]
		for _, b := range l.Below {
			var err error
			if values, err = b.take(values); err != nil {
				return err
			}
		}
		return nil
	}
	row := one
	if l.Of.where != "" {
		row = func(values []driver.Value) error {
			from := len(all)
			var err error
			if all, err = appendArrays(all, st.columns, values[1:]); err != nil {
				return err
			}
			ord, _ := values[0].(int64)
			parts[ord-1].Rows = all[from:len(all):len(all)]
			return nil
		}
	}
	err := errTogether
	if !l.Key.IsZero() && s.together != nil && !slices.ContainsFunc(l.Below, func(b Below) bool { return !b.bounded() }) {
		err = readByKey(ctx, s, t, l, st, row)
	}
	if errors.Is(err, errTogether) {
		all = all[:0]
		for _, b := range l.Below {
			b.again()
		}
		err = s.rows(ctx, st.text, st.args, row)
	}
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return s.Compare(ctx)
	}
	s.found()
	if l.Of.where == "" {
		parts[0].Rows = all
	}
	*room = all
	parts[0].room = room
	return nil
}

// leastKept is from how many rows on their memory is worth keeping.
const leastKept = 8

// room has place for n rows.
func (t *Table[T]) room(n int) *[]T {
	if n >= leastKept {
		if room, ok := t.rooms.Get().(*[]T); ok && cap(*room) >= n {
			return room
		}
	}
	rows := make([]T, 0, n)
	return &rows
}

// Release gives the memory of the rows to the next list of their table: of a page it is more than all else that is made to read it. It is
// for who has no use for them any more, nor for anything inside them.
func Release[T any](t *Table[T], parts []Part[T]) {
	for i := range parts {
		room := parts[i].room
		if room == nil || cap(*room) < leastKept || cap(*room) > mostRoom {
			continue
		}
		clear(*room) // of what they refer to
		*room = (*room)[:0]
		t.rooms.Put(room)
	}
	clear(parts)
}

// expected is for how many rows to make room: what was asked for, within reason.
func expected(limit, parents int) int {
	if limit == 0 {
		return 1
	}
	return min(mostRoom, (limit+1)*max(1, parents))
}

// mostRoom is for how many rows room is made before they come.
const mostRoom = 256

// CursorKeys are what a cursor at a row holds: the value of every key of the order, up to one that leaves no ties.
func (t *Table[T]) CursorKeys(order []Order) []AppendKey[T] {
	order = decisive(t, whole(order))
	keys := make([]AppendKey[T], len(order))
	for i, o := range order {
		keys[i] = t.keys[o.Key].value
	}
	return keys
}

// Count counts the rows of a list for each parent, without regard to After, Before and Limit.
func Count[T any](ctx context.Context, s *Store, t *Table[T], l List) ([]int, error) {
	if s.primary != nil {
		return countEitherWay(ctx, s, t, l)
	}
	w := newWriter(4)
	l.Where = l.Where.planned()
	rooted := l.Of.where == ""
	if rooted {
		w.add("SELECT 1, count(*) FROM " + t.from)
	} else {
		w.add("SELECT p.ord, (SELECT count(*) FROM " + t.from)
	}
	w.add(l.Of.join + joinsFor(t, l.Where.text))
	w.where(l.Of.where, l.Where)
	if !rooted {
		w.add(") FROM ")
		w.parents(l.Parents)
	}
	counts := make([]int, max(1, len(l.Parents)))
	if err := s.Compare(ctx); err != nil {
		return nil, err
	}
	err := s.rows(ctx, w.text(), w.args, func(values []driver.Value) error {
		ord, _ := values[0].(int64)
		n, _ := values[1].(int64)
		counts[ord-1] = int(n)
		return nil
	})
	return counts, err
}
