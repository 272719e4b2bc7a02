package directory

import (
	"context"
	"strings"

	"roster/db"
)

// UsableActions are the actions that a group can use, by name: those of no group, its own, and those of the group that shares its
// own with all. Codes: NOT_FOUND, and FORBIDDEN on the field group for callers who do not see the group; the one that shares is
// open to everybody.
func (s *Service) UsableActions(ctx context.Context, by Caller, ref GroupRef, sharing string, sel Selection) ([]*Action, error) {
	r := s.reads(ctx, by)
	owners, err := r.owners(ctx, ref, sharing)
	if err != nil {
		return nil, err
	}
	l := list{name: "usable.actions", visible: db.Or(db.ActionOfNoGroup, db.ActionOfGroupWhere(owners)), order: byName}
	return all(ctx, r, s.kinds.action, l, sel)
}

// UsableWorkerModels are the worker models that a group can use, by name: its own and those of the group that shares, but for
// disabled and deprecated ones. Codes: as UsableActions.
func (s *Service) UsableWorkerModels(ctx context.Context, by Caller, ref GroupRef, sharing string, sel Selection) ([]*WorkerModel, error) {
	r := s.reads(ctx, by)
	owners, err := r.owners(ctx, ref, sharing)
	if err != nil {
		return nil, err
	}
	l := list{name: "usable.workerModels", visible: db.And(db.WorkerModelUsable, db.WorkerModelOfGroupWhere(owners)), order: byName}
	return all(ctx, r, s.kinds.workerModel, l, sel)
}

// owners is the condition on the groups whose things a group can use.
func (r *reader) owners(ctx context.Context, ref GroupRef, sharing string) (db.Cond, error) {
	if err := may(r.by, OperationGroupList); err != nil {
		return db.None, err
	}
	resolved, err := ref.resolve("group")
	if err != nil {
		return db.None, err
	}
	columns := []string{"id", "name", "public", "type", "viewer_is_member", "viewer_is_admin"}
	parts, err := db.Find(ctx, r.store, db.Groups, db.List{Columns: columns, Where: db.GroupIs(resolved), Viewer: r.by.viewer()})
	if err != nil {
		return db.None, err
	}
	if len(parts[0].Rows) == 0 {
		return db.None, notFound("group", noGroup)
	}
	g := parts[0].Rows[0]
	at := standingIn(r.by, &g)
	if d := decide(r.by, OperationGroupView, &at); !strings.EqualFold(g.Name, sharing) && !d.Allowed {
		return db.None, &Error{Code: Forbidden, Field: "group", Message: "This is for those who are in the group.", Denial: denialOf(d)}
	}
	return db.Or(db.GroupID.Eq(g.ID.String()), db.GroupName.Eq(sharing)), nil
}

// all reads a whole list.
func all[R, O any](ctx context.Context, r *reader, k *kind[R, O], l list, sel Selection) ([]*O, error) {
	conns, err := k.pages(ctx, r, l, Page{Rows: true, All: true}, sel)
	if err != nil {
		return nil, err
	}
	return conns[0].Nodes(), nil
}
