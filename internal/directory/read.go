package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// reader runs selections for one caller, on the pool or inside a transaction.
type reader struct {
	kinds *kinds
	store *db.Store
	by    Caller
	now   time.Time
}

// kind is how one noun is read: where from, which columns each field of the API needs, and where its links lead.
type kind[R, O any] struct {
	name   string
	table  *db.Table[R]
	fields map[string][]string
	links  map[string]link[O]
	object func(r *reader, row *R) O
	id     func(o *O) uuid.UUID
	idIn   func(ids any) db.Cond

	identity []string // the columns that id is made of, if it is not the column id
}

// link is how the objects on the other side of one field are read for many parents at once.
type link[O any] struct {
	needs  func(r *reader, l Link) ([]string, error) // columns of the parents
	follow func(ctx context.Context, r *reader, parents []*O, l Link) error
}

// columns are what a selection needs to be read of the table.
func (k *kind[R, O]) columns(r *reader, sel Selection) ([]string, error) {
	columns := []string{"id"}
	if k.identity != nil {
		columns = slices.Clone(k.identity)
	}
	for _, f := range sel.Fields {
		cs, ok := k.fields[f]
		if !ok {
			return nil, fmt.Errorf("directory: %s has no field %q", k.name, f)
		}
		columns = append(columns, cs...)
	}
	for _, l := range sel.Links {
		ln, ok := k.links[l.Field]
		if !ok {
			return nil, fmt.Errorf("directory: %s has no link %q", k.name, l.Field)
		}
		cs, err := ln.needs(r, l)
		if err != nil {
			return nil, err
		}
		columns = append(columns, cs...)
	}
	return columns, nil
}

// expand follows the links of a selection for all objects at once: a number of statements that depends on the selection alone.
func (k *kind[R, O]) expand(ctx context.Context, r *reader, objects []*O, sel Selection) error {
	if len(objects) == 0 {
		return nil
	}
	for _, l := range sel.Links {
		if err := k.links[l.Field].follow(ctx, r, objects, l); err != nil {
			return err
		}
	}
	return nil
}

// byIDs reads objects by their ids, whatever their number, in one statement; what is not there or not visible is left out.
func (k *kind[R, O]) byIDs(ctx context.Context, r *reader, ids []uuid.UUID, visible db.Cond, sel Selection) (map[uuid.UUID]*O, error) {
	found := make(map[uuid.UUID]*O, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	objects, err := k.find(ctx, r, db.And(k.idIn(db.UUIDs(ids)), visible), sel)
	for _, o := range objects {
		found[k.id(o)] = o
	}
	return found, err
}

// find reads all objects that a condition holds for. It is for conditions that hold for few.
func (k *kind[R, O]) find(ctx context.Context, r *reader, where db.Cond, sel Selection) ([]*O, error) {
	columns, err := k.columns(r, sel)
	if err != nil {
		return nil, err
	}
	parts, err := db.Find(ctx, r.store, k.table, db.List{Columns: columns, Where: where, Viewer: r.by.viewer()})
	if err != nil {
		return nil, err
	}
	objects := k.objects(r, parts)
	return objects, k.expand(ctx, r, objects, sel)
}

// objects makes the objects of rows, one beside the other.
func (k *kind[R, O]) objects(r *reader, parts []db.Part[R]) []*O {
	n := 0
	for _, p := range parts {
		n += len(p.Rows)
	}
	made, objects := make([]O, n), make([]*O, n)
	i := 0
	for _, p := range parts {
		for j := range p.Rows {
			made[i] = k.object(r, &p.Rows[j])
			objects[i] = &made[i]
			i++
		}
	}
	return objects
}

// list is one list in the directory's terms, ready to be read for its parents.
type list struct {
	name    string
	of      db.Relation
	parents []uuid.UUID
	filter  db.Cond // the client's
	visible db.Cond // the caller's
	order   []db.Order
	total   func(i int) (int, error) // the kept total of the list of parent i, if one is kept
	log     *changeLog               // for the change log: its state before the page is read
}

// pages reads a page of a list for each parent: one statement for the rows and one for the totals, if they are wanted.
func (k *kind[R, O]) pages(ctx context.Context, r *reader, l list, p Page, sel Selection) ([]*Connection[O], error) {
	w, err := p.window()
	if err != nil {
		return nil, err
	}
	w.cursors, w.noEnds = p.Cursors, p.NoEnds && !p.Cursors
	if w.all = p.All; p.size > 0 {
		w.limit = p.size
	}
	print := fingerprint(l.name, l.order, l.filter)
	q := db.List{Of: l.of, Parents: l.parents, Viewer: r.by.viewer(), Where: db.And(l.filter, l.visible), Order: l.order,
		Backward: w.backward, Limit: w.limit}
	for _, c := range []struct {
		field string
		text  *string
		at    *[]string
	}{{"after", w.after, &q.After}, {"before", w.before, &q.Before}} {
		if c.text != nil {
			if *c.at, err = decodeCursor(c.field, *c.text, print, len(l.order)+1+len(l.log.tag())); err != nil {
				return nil, err
			}
		}
	}
	if q.After, err = l.log.enter(q.After, print); err != nil {
		return nil, err
	}
	if q.After != nil && l.log != nil {
		q.Where = db.And(q.Where, l.log.from(q.After))
	}
	conns := newConnections[O](max(1, len(l.parents)))
	for _, c := range conns {
		c.LatestCursor = l.log.latest(print)
	}
	if p.Rows {
		if err := k.rows(ctx, r, l, q, w, print, sel, conns); err != nil {
			return nil, err
		}
		if err := l.log.check(ctx, r.store, q.After, print); err != nil {
			return nil, err
		}
		for _, c := range conns {
			c.PageInfo.resume(w, l, print)
		}
	}
	if p.Total {
		if err := k.totals(ctx, r, q, l, conns); err != nil {
			return nil, err
		}
	}
	return conns, nil
}

func (k *kind[R, O]) rows(ctx context.Context, r *reader, l list, q db.List, w window, print uint64, sel Selection, conns []*Connection[O]) error {
	var err error
	if q.Columns, err = k.columns(r, sel); err != nil {
		return err
	}
	q.NoKeys = w.noEnds
	q.Limit = max(1, w.limit) // a page of none still says whether there is more
	if w.all {
		q.Limit = 0
	}
	parts, err := db.Find(ctx, r.store, k.table, q)
	if err != nil {
		return w.forged(err)
	}
	if w.limit == 0 && !w.all {
		for i := range parts {
			parts[i].More, parts[i].Rows = len(parts[i].Rows) > 0, nil
		}
	}
	nodes := k.objects(r, parts)
	edges := edgesOf(nodes)
	at := places[R]{table: k.table, order: q.Order, print: print, tag: l.log.tag()}
	from := 0
	for i, part := range parts {
		c, to := conns[i], from+len(part.Rows)
		c.nodes, c.Edges, from = nodes[from:to:to], edges[from:to:to], to
		c.PageInfo.HasNextPage = part.More && !w.backward || w.before != nil
		c.PageInfo.HasPreviousPage = part.More && w.backward || w.after != nil
		if !w.noEnds {
			at.put(c.PageInfo, part.Rows)
		}
		if w.cursors {
			for j, e := range c.Edges {
				e.Cursor = at.cursor(&part.Rows[j])
			}
		}
	}
	return k.expand(ctx, r, nodes, sel)
}

func (k *kind[R, O]) totals(ctx context.Context, r *reader, q db.List, l list, conns []*Connection[O]) error {
	if l.total != nil && q.Where.IsZero() {
		for i := range conns {
			var err error
			if conns[i].TotalCount, err = l.total(i); err != nil {
				return err
			}
		}
		return nil
	}
	counts, err := db.Count(ctx, r.store, k.table, q)
	for i, n := range counts {
		conns[i].TotalCount = n
	}
	return err
}

// one is a link to at most one object, found by an id that the parents carry, in one statement for all parents.
func one[P, R, O any](column string, id func(*P) *uuid.UUID, k func(*kinds) *kind[R, O], visible func(by Caller) db.Cond) link[P] {
	return link[P]{
		needs: needs(column),
		follow: func(ctx context.Context, r *reader, parents []*P, l Link) error {
			var ids []uuid.UUID
			seen := make(map[uuid.UUID]bool, len(parents))
			for _, p := range parents {
				if to := id(p); to != nil && !seen[*to] {
					seen[*to] = true
					ids = append(ids, *to)
				}
			}
			cond := db.Cond{}
			if visible != nil {
				cond = visible(r.by)
			}
			found, err := k(r.kinds).byIDs(ctx, r, ids, cond, l.Select)
			if err != nil {
				return err
			}
			for _, p := range parents {
				var to any
				if ref := id(p); ref != nil && found[*ref] != nil {
					to = found[*ref]
				}
				linksOf(p).set(l.Key, to)
			}
			return nil
		},
	}
}

// many is a link to a page of a list of each parent. Where total is given, counter is the parents' column that keeps it.
func many[P, R, O any](id func(*P) uuid.UUID, k func(*kinds) *kind[R, O], of func(ctx context.Context, r *reader, p Page) (list, error),
	counter string, total func(*P) int) link[P] {
	return link[P]{
		needs: func(_ *reader, l Link) ([]string, error) {
			if l.Page.Total && counter != "" {
				return []string{counter}, nil
			}
			return nil, nil
		},
		follow: func(ctx context.Context, r *reader, parents []*P, l Link) error {
			ls, err := of(ctx, r, *l.Page)
			if err != nil {
				return err
			}
			ls.parents = make([]uuid.UUID, len(parents))
			for i, p := range parents {
				ls.parents[i] = id(p)
			}
			if total != nil {
				ls.total = func(i int) (int, error) { return total(parents[i]), nil }
			}
			conns, err := k(r.kinds).pages(ctx, r, ls, *l.Page, l.Select)
			if err != nil {
				return err
			}
			for i, p := range parents {
				linksOf(p).set(l.Key, conns[i])
			}
			return nil
		},
	}
}

// with is a link to an object that was read in the parents' own statement, by a join.
func with[P, R, O any](prefix string, to func(*P) *R, k func(*kinds) *kind[R, O]) link[P] {
	return link[P]{
		needs: func(r *reader, l Link) ([]string, error) {
			columns, err := k(r.kinds).columns(r, l.Select)
			for i := range columns {
				columns[i] = prefix + columns[i]
			}
			return columns, err
		},
		follow: func(ctx context.Context, r *reader, parents []*P, l Link) error {
			made, objects := make([]O, len(parents)), make([]*O, len(parents))
			for i, p := range parents { // one for each link: under another alias it may lead on to other pages
				made[i] = k(r.kinds).object(r, to(p))
				objects[i] = &made[i]
				linksOf(p).set(l.Key, objects[i])
			}
			return k(r.kinds).expand(ctx, r, objects, l.Select)
		},
	}
}

func needs(columns ...string) func(*reader, Link) ([]string, error) {
	return func(*reader, Link) ([]string, error) { return columns, nil }
}

// linksOf is the Links that every noun embeds.
func linksOf[P any](p *P) *Links { return any(p).(interface{ own() *Links }).own() }

func (l *Links) own() *Links { return l }
