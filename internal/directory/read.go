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

	saw    func(settled uint64)                // hears how far the log was read; nil: nobody has to know
	choose func(ctx context.Context) *db.Store // of several, which one now; nil: the one that it has
}

// again chooses anew where to read, for what takes long: a standby that was good enough may have fallen behind.
func (r *reader) again(ctx context.Context) {
	if r.choose != nil {
		r.store = r.choose(ctx)
	}
}

// onPrimary reads what only the primary can tell.
func (r *reader) onPrimary() *reader {
	of := *r
	of.store, of.choose = r.store.Primary(), nil
	return &of
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

	identity []string // the columns that id is made of, if it is not the column id: they are always read
}

// link is how the objects on the other side of one field are read for many parents at once.
type link[O any] struct {
	needs  func(r *reader, l Link) ([]string, error) // columns of the parents
	follow func(ctx context.Context, r *reader, parents []*O, l Link) error

	// below, if there is one, is the same for parents that are about to be read: a list for their own statement, and what follows the
	// link when it has been read. Without a list the link has to be followed afterwards.
	below func(ctx context.Context, r *reader, l Link) (db.Below, follower[O], error)
}

// follower is a link being followed.
type follower[O any] func(ctx context.Context, r *reader, parents []*O) error

// columns are what a selection needs to be read of the table; the id only if it is asked for, or a link hangs on it.
func (k *kind[R, O]) columns(r *reader, sel Selection) ([]string, error) {
	columns := slices.Clone(k.identity)
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
	if len(columns) == 0 {
		columns = append(columns, "id")
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

// mostBelow is how many lists are read in one statement: with every more it is dearer for Postgres to plan.
const mostBelow = 4

// followers are the links of a selection for the rows of q, which takes the lists that can be read in its statement. A statement that is
// planned for its values, every time, takes none.
func (k *kind[R, O]) followers(ctx context.Context, r *reader, q *db.List, sel Selection) ([]follower[O], error) {
	fs := make([]follower[O], len(sel.Links))
	apart := !q.Whole() || k.table.Varies(*q)
	for i, l := range sel.Links {
		ln := k.links[l.Field]
		fs[i] = func(ctx context.Context, r *reader, parents []*O) error { return ln.follow(ctx, r, parents, l) }
		if apart || ln.below == nil || len(q.Below) == mostBelow {
			continue
		}
		list, follow, err := ln.below(ctx, r, l)
		if err != nil {
			return nil, err
		}
		if list != nil {
			q.Below, fs[i] = append(q.Below, list), follow
		}
	}
	return fs, nil
}

func followed[O any](ctx context.Context, r *reader, objects []*O, fs []follower[O]) error {
	if len(objects) == 0 {
		return nil
	}
	for _, follow := range fs {
		if err := follow(ctx, r, objects); err != nil {
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
	objects, err := k.find(ctx, r, db.And(k.idIn(db.UUIDs(ids)), visible), sel, "id")
	for _, o := range objects {
		found[k.id(o)] = o
	}
	return found, err
}

// find reads all objects that a condition holds for. It is for conditions that hold for few.
func (k *kind[R, O]) find(ctx context.Context, r *reader, where db.Cond, sel Selection, also ...string) ([]*O, error) {
	columns, err := k.columns(r, sel)
	if err != nil {
		return nil, err
	}
	q := db.List{Columns: append(columns, also...), Where: where, Viewer: r.by.viewer()}
	follow, err := k.followers(ctx, r, &q, sel)
	if err != nil {
		return nil, err
	}
	parts, err := db.Find(ctx, r.store, k.table, q)
	if err != nil {
		return nil, err
	}
	objects := k.objects(r, parts)
	return objects, followed(ctx, r, objects, follow)
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

// paging is a page of a list, of which there is one for each parent, worked out as far as it can be before the parents are known.
type paging[R, O any] struct {
	*kind[R, O]
	list
	page  Page
	sel   Selection
	w     window
	q     db.List
	print uint64
}

func (k *kind[R, O]) paging(r *reader, l list, p Page, sel Selection) (*paging[R, O], error) {
	w, err := p.window()
	if err != nil {
		return nil, err
	}
	w.cursors, w.noEnds = p.Cursors, p.NoEnds && !p.Cursors
	if w.all = p.All; p.size > 0 {
		w.limit = p.size
	}
	g := &paging[R, O]{kind: k, list: l, page: p, sel: sel, w: w, print: fingerprint(l.name, l.order, l.filter)}
	g.q = db.List{Of: l.of, Parents: l.parents, Viewer: r.by.viewer(), Where: db.And(l.filter, l.visible), Order: l.order, Backward: w.backward, NoKeys: w.noEnds}
	if !w.all {
		g.q.Limit = max(1, w.limit) // a page of none still says whether there is more
	}
	if p.Rows {
		if g.q.Columns, err = k.columns(r, sel); err != nil {
			return nil, err
		}
	}
	return g, g.enter()
}

// enter reads the cursors that the page is asked with.
func (g *paging[R, O]) enter() (err error) {
	for _, c := range []struct {
		field string
		text  *string
		at    *[]string
	}{{"after", g.w.after, &g.q.After}, {"before", g.w.before, &g.q.Before}} {
		if c.text != nil {
			if *c.at, err = decodeCursor(c.field, *c.text, g.print, len(g.order)+1+len(g.log.tag())); err != nil {
				return err
			}
		}
	}
	if g.q.After, err = g.log.enter(g.q.After, g.print); err != nil {
		return err
	}
	if g.q.After != nil && g.log != nil {
		g.q.Where = db.And(g.q.Where, g.log.from(g.q.After))
	}
	return nil
}

// belongTo gives the page its parents.
func (g *paging[R, O]) belongTo(parents []uuid.UUID, total func(i int) (int, error)) {
	g.q.Parents, g.parents = parents, parents
	if total != nil {
		g.total = total
	}
}

// pages reads a page of a list that has no parents: one statement for the rows, and what is below them, and one for the totals, if they are
// wanted and not kept.
func (k *kind[R, O]) pages(ctx context.Context, r *reader, l list, p Page, sel Selection) ([]*Connection[O], error) {
	g, err := k.paging(r, l, p, sel)
	if err != nil {
		return nil, err
	}
	return g.read(ctx, r)
}

func (g *paging[R, O]) read(ctx context.Context, r *reader) ([]*Connection[O], error) {
	var parts []db.Part[R]
	var follow []follower[O]
	if g.page.Rows {
		var err error
		if follow, err = g.followers(ctx, r, &g.q, g.sel); err != nil {
			return nil, err
		}
		if parts, err = db.Find(ctx, r.store, g.table, g.q); err != nil {
			return nil, g.w.forged(err)
		}
	}
	return g.connections(ctx, r, parts, follow)
}

// rides reports whether the page can be read in the statement of its parents: one with cursors is not, since what is wrong with those
// would be wrong with that statement, nor one that has to be planned for its values.
func (g *paging[R, O]) rides() bool {
	return g.page.Rows && g.w.after == nil && g.w.before == nil && !g.table.Varies(g.q)
}

// connections are the pages, of the rows that have been read.
func (g *paging[R, O]) connections(ctx context.Context, r *reader, parts []db.Part[R], follow []follower[O]) ([]*Connection[O], error) {
	conns := newConnections[O](max(1, len(g.parents)))
	for _, c := range conns {
		c.LatestCursor = g.log.latest(g.print)
	}
	if g.page.Rows {
		nodes := g.fill(r, parts, conns)
		if err := followed(ctx, r, nodes, follow); err != nil {
			return nil, err
		}
		if err := g.log.check(ctx, r.store, g.q.After, g.print); err != nil {
			return nil, err
		}
		for _, c := range conns {
			c.PageInfo.resume(g.w, g.list, g.print)
		}
	}
	if g.page.Total {
		if err := g.totals(ctx, r, g.q, g.list, conns); err != nil {
			return nil, err
		}
	}
	return conns, nil
}

// fill puts the rows into their connections, as objects, and gives all of those.
func (g *paging[R, O]) fill(r *reader, parts []db.Part[R], conns []*Connection[O]) []*O {
	w := g.w
	if w.limit == 0 && !w.all {
		for i := range parts {
			parts[i].More, parts[i].Rows = len(parts[i].Rows) > 0, nil
		}
	}
	nodes := g.objects(r, parts)
	edges := edgesOf(nodes)
	at := places[R]{table: g.table, order: g.q.Order, print: g.print, tag: g.log.tag()}
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
	return nodes
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
	page := func(ctx context.Context, r *reader, l Link) (*paging[R, O], error) {
		ls, err := of(ctx, r, *l.Page)
		if err != nil {
			return nil, err
		}
		return k(r.kinds).paging(r, ls, *l.Page, l.Select)
	}
	belongs := func(g *paging[R, O], parents []*P) {
		ids := make([]uuid.UUID, len(parents))
		for i, p := range parents {
			ids[i] = id(p)
		}
		if total == nil {
			g.belongTo(ids, nil)
			return
		}
		g.belongTo(ids, func(i int) (int, error) { return total(parents[i]), nil })
	}
	set := func(parents []*P, l Link, conns []*Connection[O]) {
		for i, p := range parents {
			linksOf(p).set(l.Key, conns[i])
		}
	}
	return link[P]{
		needs: func(_ *reader, l Link) ([]string, error) {
			if l.Page.Total && counter != "" {
				return []string{"id", counter}, nil
			}
			return []string{"id"}, nil
		},
		follow: func(ctx context.Context, r *reader, parents []*P, l Link) error {
			g, err := page(ctx, r, l)
			if err != nil {
				return err
			}
			belongs(g, parents)
			conns, err := g.read(ctx, r)
			if err != nil {
				return err
			}
			set(parents, l, conns)
			return nil
		},
		below: func(ctx context.Context, r *reader, l Link) (db.Below, follower[P], error) {
			g, err := page(ctx, r, l)
			if err != nil || !g.rides() {
				return nil, nil, err
			}
			rows := &db.Nested[R]{Table: g.table, List: g.q}
			return rows, func(ctx context.Context, r *reader, parents []*P) error {
				belongs(g, parents)
				follow, err := g.followers(ctx, r, &g.q, l.Select)
				if err != nil {
					return err
				}
				conns, err := g.connections(ctx, r, rows.Parts, follow)
				if err != nil {
					return err
				}
				set(parents, l, conns)
				return nil
			}, nil
		},
	}
}

// ofLog is a link to the change log, which is not read with its parents, nor from a standby: the log there does not know which
// transactions still run.
func ofLog[P any](l link[P]) link[P] {
	l.below = nil
	follow := l.follow
	l.follow = func(ctx context.Context, r *reader, parents []*P, to Link) error {
		return follow(ctx, r.onPrimary(), parents, to)
	}
	return l
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
