package directory

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"roster/db"
)

// addMany is AddMembers of several users where it is plain, as addOne is of one; false where it is not, and then nothing was written. Many
// come at once when a group is filled.
func (s *Service) addMany(ctx context.Context, by Caller, in AddMembersInput, sel Selection) (*Payload, bool, error) {
	if len(in.Users) < 2 || in.ExpiresAt != nil || in.DryRun || in.AdminsAreIn || in.OnUnknownUser == OnUnknownUserCreate || by.Once != nil || in.check(by) != nil {
		return nil, false, nil
	}
	w := &write{reader: s.newReader(s.store, by), ctx: ctx, s: s, out: &Payload{}}
	m, given, ok := w.many(in)
	if !ok {
		return nil, false, nil
	}
	if m.Columns, ok = w.plainOfMany(sel); !ok {
		return nil, false, nil
	}
	if err := w.change(ChangeKindMemberAdded, nil, nil, nil, memberImage{}); err != nil {
		return nil, false, err
	}
	m.Log = w.out.changes[0]
	many, ok, err := w.store.AddManyMembers(ctx, m)
	if err != nil || !ok {
		return nil, false, unlessOvertaken(err)
	}
	w.out.group = &many.Group.ID
	w.outcomesOfMany(given, &many)
	s.feed.committed()
	s.wrote(ctx, by, w.out)
	return w.out, true, w.tellMany(sel, &many.Group)
}

// many is what is to be written, but for what is wanted of the group; false if it is not plain. Whom a number names depends on the caller.
func (w *write) many(in AddMembersInput) (m db.ManyMembers, given []UserRef, ok bool) {
	g, gerr := in.Group.resolve("")
	given = mapped(in.Users, func(r *UserRef) UserRef { return *r })
	users, uerr := resolvedAll[db.UserRef]("", false, given)
	if !w.by.Known() || gerr != nil || uerr != nil || slices.ContainsFunc(users, func(u db.UserRef) bool { return u.Number != 0 }) {
		return m, nil, false
	}
	where := groupsWhere(w.by, OperationMembersEdit)
	if in.ExpectedVersion != nil {
		where = db.And(where, db.GroupVersion.Eq(int64(*in.ExpectedVersion)))
	}
	return db.ManyMembers{
		Group: g, Where: where, Users: users, Each: in.OnUnknownUser != OnUnknownUserSkip, Member: newID(),
		Grant: db.Grant{By: w.by.id(), Via: string(w.by.Via)},
	}, given, true
}

// outcomesOfMany tells what became of each user, and of what changes there are, if not their places.
func (w *write) outcomesOfMany(given []UserRef, many *db.ManyWritten) {
	ps, added := make(people, len(given)), make(map[uuid.UUID]bool, len(given))
	for i, ref := range given {
		ps[i].ref = ref
	}
	c := w.out.changes[0]
	c.Tx, c.GroupID, c.GroupName = many.Tx, &many.Group.ID, &many.Group.Name
	w.out.changes = make([]db.Change, 0, len(many.Users))
	for i := range many.Users {
		u := &many.Users[i]
		ps[u.Index].user = &u.User
		if u.Added && !added[u.ID] {
			added[u.ID] = true
			c.UserID, c.Username = &u.ID, &u.Username
			w.out.changes = append(w.out.changes, c)
		}
	}
	w.outcomes(ps, added, MemberResultAdded, MemberResultAlreadyMember)
}

// plainOfMany is plain, where less is plain: who asks for the changes, or for more of the users, has them read.
func (w *write) plainOfMany(sel Selection) (columns []string, ok bool) {
	if slices.ContainsFunc(sel.Links, func(l Link) bool { return l.Field != "group" && (l.Field != "outcomes" || len(l.Select.Links) > 0) }) {
		return nil, false
	}
	return w.plain(sel)
}

// tellMany answers the selection from what was read.
func (w *write) tellMany(sel Selection, g *db.Group) error {
	for _, l := range sel.Links {
		if l.Field == "group" {
			g := w.kinds.group.object(w.reader, g)
			w.out.set(l.Key, &g)
		} else if err := w.follow([]*Payload{w.out}, l); err != nil {
			return err
		}
	}
	return nil
}
