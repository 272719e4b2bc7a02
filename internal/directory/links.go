package directory

import (
	"context"

	"github.com/google/uuid"

	"roster/db"
)

// This file has the ways that links lead.

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
	m := manyLink[P, R, O]{id, k, of, counter, total}
	return link[P]{needs: m.needs, follow: m.follow, below: m.below}
}

type manyLink[P, R, O any] struct {
	id      func(*P) uuid.UUID
	kind    func(*kinds) *kind[R, O]
	of      func(ctx context.Context, r *reader, p Page) (list, error)
	counter string
	total   func(*P) int
}

func (m manyLink[P, R, O]) needs(_ *reader, l Link) ([]string, error) {
	if l.Page.Total && m.counter != "" {
		return []string{"id", m.counter}, nil
	}
	return []string{"id"}, nil
}

// page is the page that a link wants, whoever its parents are.
func (m manyLink[P, R, O]) page(ctx context.Context, r *reader, l Link) (*paging[R, O], error) {
	of, err := m.of(ctx, r, *l.Page)
	if err != nil {
		return nil, err
	}
	return m.kind(r.kinds).paging(r, of, *l.Page, l.Select)
}

// belongTo gives a page its parents.
func (m manyLink[P, R, O]) belongTo(parents []*P, g *paging[R, O]) {
	g.parents = mapped(parents, m.id)
	g.q.Parents = g.parents
	if m.total != nil {
		g.total = func(i int) int { return m.total(parents[i]) }
	}
}

func (m manyLink[P, R, O]) follow(ctx context.Context, r *reader, parents []*P, l Link) error {
	g, err := m.page(ctx, r, l)
	if err != nil {
		return err
	}
	m.belongTo(parents, g)
	conns, err := g.read(ctx, r)
	return linkEach(parents, l, conns, err)
}

func (m manyLink[P, R, O]) below(ctx context.Context, r *reader, l Link) (db.Below, follower[P], error) {
	g, err := m.page(ctx, r, l)
	if err != nil || !g.rides() {
		return nil, nil, err
	}
	rows := &db.Nested[R]{Table: g.table, List: g.q}
	return rows, func(ctx context.Context, r *reader, parents []*P) error {
		m.belongTo(parents, g)
		follow, err := g.followers(ctx, r, &g.q, l.Select)
		if err != nil {
			return err
		}
		conns, err := g.connections(ctx, r, rows.Parts, follow)
		return linkEach(parents, l, conns, err)
	}, nil
}

// linkEach links each parent to its page.
func linkEach[P, O any](parents []*P, l Link, conns []*Connection[O], err error) error {
	if err != nil {
		return err
	}
	for i, p := range parents {
		linksOf(p).set(l.Key, conns[i])
	}
	return nil
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
