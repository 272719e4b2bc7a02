package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// This file reads the rows that several requests name by key in one statement (docs/decisions/0023). Under load many ask for the same
// things of one row each, and the way to Postgres and back is dearer than the row.
//
// A read goes at once, by itself, as long as few of its like are on their way. Else it waits until one of them is back, or until enough
// wait, and then all that wait go together: nobody waits for others to come, and nothing is read that is older than the request for it.
// When many are on their way, more wait before they go: Postgres has enough to do, and they are the cheaper the more go together.
// Alike are reads whose statement and arguments are the same but for the key: what Postgres answers depends on nothing else, so whose the
// requests are, as far as it matters, is in there.

const (
	// mostApart is how many reads that are alike go by themselves at a time.
	mostApart = 3
	// enough is how many go together without waiting for another to be back: most of what can be saved is saved by four.
	enough = 4
	// many is how many statements are enough to be on their way, for reads that wait to wait on.
	many = 8
	// mostTogether is for how many requests one statement reads at most.
	mostTogether = 100
	// mostWithBelow is that for rows with lists below them, on which Postgres works longer: more would have one processor do what several
	// can, and all wait for the one that takes longest.
	mostWithBelow = enough
)

// errTogether is that a statement for several requests did not come to an end. Each has to read for itself then, and fails for itself.
var errTogether = errors.New("db: what was read for several requests failed")

// likeness is what reads that are alike have in common.
type likeness struct{ text, args string }

// likenessOf is that of a statement in which one argument is the key.
func likenessOf(text string, args []any, key int) likeness {
	var b strings.Builder
	for i, a := range args {
		switch v := a.(type) {
		case string:
			if i != key {
				b.WriteString(strconv.Quote(v))
			}
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case bool:
			b.WriteString(strconv.FormatBool(v))
		default:
			fmt.Fprintf(&b, "%T %#v", a, a)
		}
		b.WriteByte(',')
	}
	return likeness{text, b.String()}
}

// together knows which reads are on their way, and which wait.
type together struct {
	mu  sync.Mutex
	all map[likeness]*alike
}

func newTogether() *together { return &together{all: map[likeness]*alike{}} }

// alike are reads that have their likeness in common.
type alike struct {
	underway int
	waiting  []*rowRead
}

// rowRead is the read of one row.
type rowRead struct {
	key Key
	row func(values []driver.Value) error // takes the row, if there is one

	turn chan struct{} // it need not wait any longer:
	with []*rowRead    // it is to read for these, of which it is the first; or
	err  error         // nil, and this came of it

	mu   sync.Mutex
	gone bool // who asked has gone, and may be reading the same elsewhere
}

// take takes the row, unless who asked for it has gone.
func (r *rowRead) take(values []driver.Value) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.gone {
		r.err = r.row(values)
	}
}

// leave has nothing be taken from now on: it waits for what is being taken.
func (r *rowRead) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
}

// read reads a row: by alone, or by several for all that wait, at most so many, or it waits for another that does. After errTogether it has not
// been read.
func (t *together) read(ctx context.Context, as likeness, most int, r *rowRead, alone func() error, several func(rs []*rowRead) error) error {
	t.mu.Lock()
	a := t.all[as]
	if a == nil {
		a = &alike{}
		t.all[as] = a
	}
	if a.underway < mostApart {
		a.underway++
		t.mu.Unlock()
		defer t.next(as, a)
		return alone()
	}
	if n := len(a.waiting) + 1; n == most || n >= enough && a.underway < many {
		r.with, a.waiting = append([]*rowRead{r}, a.waiting...), nil
		a.underway++
		t.mu.Unlock()
		return t.lead(as, a, r, alone, several)
	}
	r.turn = make(chan struct{}, 1) // nobody waits for one that has gone
	a.waiting = append(a.waiting, r)
	t.mu.Unlock()
	select {
	case <-r.turn:
	case <-ctx.Done():
		if t.leaves(a, r) {
			r.leave()
			return translate(ctx.Err()) // as a statement says it
		}
	}
	if r.with == nil {
		return r.err
	}
	return t.lead(as, a, r, alone, several)
}

// lead reads for all that waited with r. Whatever comes of it, a panic included, none of them waits any longer.
func (t *together) lead(as likeness, a *alike, r *rowRead, alone func() error, several func(rs []*rowRead) error) error {
	others, read := r.with[1:], false
	defer func() {
		t.next(as, a) // Postgres is at work again before the answers are
		for _, o := range others {
			if !read {
				o.err = errTogether
			}
			o.turn <- struct{}{}
		}
	}()
	if len(others) == 0 {
		return alone()
	}
	if err := several(r.with); err != nil {
		return errTogether
	}
	read = true
	return r.err
}

// next has the first of those that wait read for all of them, in the place of one that has come back.
func (t *together) next(as likeness, a *alike) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(a.waiting) == 0 {
		if a.underway--; a.underway == 0 {
			delete(t.all, as)
		}
		return
	}
	first := a.waiting[0]
	first.with, a.waiting = a.waiting, nil
	first.turn <- struct{}{}
}

// leaves reports whether a read whose time is over may go: not if others wait for it to read for them.
func (t *together) leaves(a *alike, r *rowRead) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(a.waiting, r); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
	}
	return r.with == nil
}

// readByKey reads the row of a list that a key names, together with what others read. After errTogether it has not been read.
func readByKey[T any](ctx context.Context, s *Store, t *Table[T], l List, st statement[T], row func(values []driver.Value) error) error {
	most := mostTogether
	if len(l.Below) > 0 {
		most = mostWithBelow
	}
	return s.together.read(ctx, likenessOf(st.text, st.args, st.key), most, &rowRead{key: l.Key, row: row},
		func() error { return s.rows(ctx, st.text, st.args, row) },
		func(rs []*rowRead) error {
			of, err := buildTogether(t, l, rs)
			if err != nil {
				return err
			}
			return s.rows(ctx, of.text, of.args, func(values []driver.Value) error {
				ord, _ := values[0].(int64)
				rs[ord-1].take(values[1:])
				return nil
			})
		})
}

// buildTogether writes the statement for several keys:
//
//	SELECT p.ord, columns FROM unnest(keys) WITH ORDINALITY p(key, ord) JOIN table ON key = p.key WHERE …
//
// and the lists below the rows as build does. The keys come by a query of their own, so that Postgres does not plan anew for every number of
// them.
func buildTogether[T any](t *Table[T], l List, rs []*rowRead) (statement[T], error) {
	keys, key := make([]string, len(rs)), l.Key
	for i, r := range rs {
		keys[i] = r.key.value
	}
	l.Key = Key{}
	p, err := paged(t, l)
	if err != nil {
		return statement[T]{}, err
	}
	w := newWriter(8)
	rows := func(columns string) {
		w.add("SELECT p.ord, " + columns)
		for range p.viewers {
			w.args = append(w.args, p.Viewer.String())
		}
		w.add(" FROM unnest((SELECT ?::"+key.typ+"[])) WITH ORDINALITY p(key, ord) JOIN "+t.from+" ON "+key.isOf()+joinsFor(t, p.bare, p.Where.text), Strings(keys))
		w.where("", p.Where)
	}
	if len(l.Below) == 0 {
		rows(p.bare)
	} else if err := p.addWithBelow(w, "q.ord, ", func() { rows(p.named) }); err != nil {
		return statement[T]{}, err
	}
	return statement[T]{text: w.text(), args: w.args, columns: p.columns}, nil
}
