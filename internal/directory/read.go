package directory

import (
	"context"
	"fmt"
	"sync"
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

	copiesRows bool // no object refers to its row, whose memory is free then

	rooms sync.Pool // *room[O]
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
	columns := append(make([]string, 0, len(k.identity)+len(sel.Fields)+len(sel.Links)+2), k.identity...) // most need one
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
	return k.read(ctx, r, db.List{Where: where}, sel, also...)
}

// byKey reads the object that a key names, if a condition holds for it: one or none.
func (k *kind[R, O]) byKey(ctx context.Context, r *reader, key db.Key, where db.Cond, sel Selection) ([]*O, error) {
	if key.IsZero() {
		return nil, nil
	}
	return k.read(ctx, r, db.List{Key: key, Where: where}, sel)
}

func (k *kind[R, O]) read(ctx context.Context, r *reader, q db.List, sel Selection, also ...string) ([]*O, error) {
	columns, err := k.columns(r, sel)
	if err != nil {
		return nil, err
	}
	columns = append(columns, also...)
	q.Columns, q.Viewer = columns, r.by.viewer()
	follow, err := k.followers(ctx, r, &q, sel)
	if err != nil {
		return nil, err
	}
	parts, err := db.Find(ctx, r.store, k.table, q)
	if err != nil {
		return nil, err
	}
	objects := k.objects(r, parts)
	k.release(parts)
	return objects, followed(ctx, r, objects, follow)
}

// release lets go of rows of which there are objects.
func (k *kind[R, O]) release(parts []db.Part[R]) {
	if k.copiesRows {
		db.Release(k.table, parts)
	}
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
