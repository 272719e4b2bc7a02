package db

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// projection is what a list reads of each row: the columns, in the order of their names, and their SQL.
type projection[T any] struct {
	names   []string
	columns []column[T]
	viewers int // arguments that speak of the caller

	bare   string // what follows SELECT
	named  string // the same, with the columns called c0, c1, …
	outer  string // those, of a query called q
	arrays string // of those, an array of each
}

// projections are those that have been made of a table: to write the SQL of one anew takes longer than all else about a statement. There
// are as many as sets of columns that somebody asks for, in the order in which they are selected; beyond a bound all are made anew.
type projections[T any] struct {
	mu sync.RWMutex
	by map[string]*projection[T]
}

const maxProjections = 1_000

// project finds what a list reads: the columns asked for, and those that its order is by, if they are wanted.
func (t *Table[T]) project(columns []string, order []Order, keys bool) (*projection[T], error) {
	var room [512]byte
	asked := room[:0]
	for _, c := range columns {
		asked = append(append(asked, c...), ',')
	}
	for _, o := range order {
		k, ok := t.keys[o.Key]
		if !ok {
			return nil, fmt.Errorf("db: no key %q in %s", o.Key, t.from)
		}
		if keys {
			asked = append(append(asked, k.column...), ',')
		}
	}
	t.projections.mu.RLock()
	p, ok := t.projections.by[string(asked)]
	t.projections.mu.RUnlock()
	if ok {
		return p, nil
	}
	p, err := t.newProjection(strings.FieldsFunc(string(asked), func(r rune) bool { return r == ',' }))
	if err != nil {
		return nil, err
	}
	t.projections.mu.Lock()
	defer t.projections.mu.Unlock()
	if t.projections.by == nil || len(t.projections.by) >= maxProjections {
		t.projections.by = map[string]*projection[T]{}
	}
	t.projections.by[string(asked)] = p
	return p, nil
}

func (t *Table[T]) newProjection(names []string) (*projection[T], error) {
	slices.Sort(names) // one text for one set of columns, whatever order they were asked in
	p := &projection[T]{names: slices.Compact(names)}
	p.columns = make([]column[T], len(p.names))
	var bare, named, outer, arrays []string
	for i, name := range p.names {
		c, ok := t.columns[name]
		if !ok {
			return nil, fmt.Errorf("db: no column %q in %s", name, t.from)
		}
		p.columns[i] = c
		p.viewers += strings.Count(c.sql, "?")
		alias := "c" + strconv.Itoa(i)
		bare, named = append(bare, c.sent(c.sql)), append(named, c.sql+" AS "+alias)
		outer, arrays = append(outer, c.sent("q."+alias)), append(arrays, "array_agg("+alias+"::text)")
	}
	p.bare, p.named = strings.Join(bare, ", "), strings.Join(named, ", ")
	p.outer, p.arrays = strings.Join(outer, ", "), strings.Join(arrays, ", ")
	return p, nil
}

// sent is the SQL of a value of the column as it is sent by itself. A time goes as the eight bytes that it is (assignTime): pgdriver reads its
// text by a layout, which takes longer than all else about a row.
func (c column[T]) sent(sql string) string {
	if c.dest == nil {
		return sql
	}
	switch c.dest(new(T)).(type) {
	case *time.Time, **time.Time:
		return "timestamptz_send(" + sql + ")"
	}
	return sql
}
