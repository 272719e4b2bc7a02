package directory

import (
	"context"

	"github.com/google/uuid"

	"roster/db"
)

// list is one list in the directory's terms, ready to be read for its parents.
type list struct {
	name    string
	of      db.Relation
	parents []uuid.UUID
	filter  db.Cond // the client's
	visible db.Cond // the caller's
	order   []db.Order
	kept    db.Total        // of the list of all, if its total is kept
	total   func(i int) int // the counter of the list of parent i, if there is one
	log     *changeLog      // for the change log: its state before the page is read
}

// paging is a page of a list, of which there is one for each parent, worked out as far as it can be before the parents are known.
type paging[R, O any] struct {
	*kind[R, O]
	list
	page  Page
	sel   Selection
	w     window
	q     db.List
	keys  []db.AppendKey[R] // of its cursors
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
	g := &paging[R, O]{kind: k, list: l, page: p, sel: sel, w: w, keys: k.table.CursorKeys(l.order), print: fingerprint(l.name, l.order, l.filter)}
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
			if *c.at, err = decodeCursor(c.field, *c.text, g.print, len(g.keys)+len(g.log.tag())); err != nil {
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
		if g.page.Total && g.q.Where.IsZero() {
			g.q.Total = g.kept
		}
		if parts, err = db.Find(ctx, r.store, g.table, g.q); err != nil {
			return nil, g.w.forged(err)
		}
	}
	conns, err := g.connections(ctx, r, parts, follow)
	g.release(parts)
	return conns, err
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
		if err := g.totals(ctx, r, parts, conns); err != nil {
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
	nodes, edges := g.made(r, parts, conns)
	at := places[R]{keys: g.keys, print: g.print, tag: g.log.tag(), raw: make([]byte, 0, 128), value: make([]byte, 0, 64)}
	from := 0
	for i, part := range parts {
		c, to := conns[i], from+len(part.Rows)
		c.nodes, c.Edges, from = nodes[from:to:to], edges[from:to:to], to
		c.PageInfo.HasNextPage = part.More && !w.backward || w.before != nil
		c.PageInfo.HasPreviousPage = part.More && w.backward || w.after != nil
		if w.noEnds {
			continue
		}
		if cursors := at.put(c.PageInfo, part.Rows, w.cursors); w.cursors {
			for j, e := range c.Edges {
				e.Cursor = cursors[j]
			}
		}
	}
	return nodes
}

// made are the objects and their edges; those of a page of a whole list in memory that can be let go. Walks, and what hangs on parents,
// nobody lets go: they would only empty the pool.
func (g *paging[R, O]) made(r *reader, parts []db.Part[R], conns []*Connection[O]) ([]*O, []*Edge[O]) {
	if g.q.Whole() && g.page.size == 0 && len(parts) == 1 {
		rows := parts[0].Rows
		if room := roomFor[O](&g.rooms, len(rows)); room != nil {
			for i := range rows {
				room.objects[i] = g.object(r, &rows[i])
			}
			conns[0].room = room
			return room.nodes[:len(rows)], room.edges[:len(rows)]
		}
	}
	nodes := g.objects(r, parts)
	return nodes, edgesOf(nodes)
}

// totals counts the lists, but for those whose totals are kept: such a one of all has been read with the rows, if there were any.
func (g *paging[R, O]) totals(ctx context.Context, r *reader, parts []db.Part[R], conns []*Connection[O]) error {
	if whole := g.q.Where.IsZero(); whole && g.total != nil {
		for i := range conns {
			conns[i].TotalCount = g.total(i)
		}
		return nil
	} else if whole && g.kept != "" {
		if len(parts) > 0 && parts[0].Total > 0 {
			conns[0].TotalCount = parts[0].Total
			return nil
		}
		n, err := r.store.Total(ctx, g.kept)
		conns[0].TotalCount = n
		return err
	}
	counts, err := db.Count(ctx, r.store, g.table, g.q)
	for i, n := range counts {
		conns[i].TotalCount = n
	}
	return err
}
