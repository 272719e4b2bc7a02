package directory

import (
	"slices"

	"github.com/google/uuid"

	"roster/db"
)

// plainMany reports whether the users can be found, made members and logged in one statement, which is two thirds of what it takes to do so
// one after the other. It is for a write that is nothing else, and whose changes nobody wants to be told the place of.
func (w *write) plainMany(in AddMembersInput) bool {
	return in.ExpiresAt == nil && !in.AdminsAreIn && in.OnUnknownUser != OnUnknownUserCreate && len(in.Users) > 1 &&
		!w.told && w.turns == nil && len(w.touched) == 0 && len(w.out.changes) == 0 &&
		!slices.ContainsFunc(in.Users, func(r *UserRef) bool { return r.Number != nil }) // whom a number names depends on the caller
}

// addMany makes users members of a locked group.
func (w *write) addMany(g *db.Group, in AddMembersInput) error {
	const field = "input.users"
	given := mapped(in.Users, func(r *UserRef) UserRef { return *r })
	refs, err := resolvedAll[db.UserRef](field, false, given)
	if err != nil {
		return err
	}
	m := db.ManyMembers{Group: g.ID, Users: refs, Members: mapped(refs, func(db.UserRef) uuid.UUID { return newID() }), Grant: db.Grant{By: w.by.id(), Via: string(w.by.Via)}}
	if m.Expired, err = w.changeOf(ChangeKindMemberExpired, g, memberImage{}, nil); err != nil {
		return err
	}
	if m.Began, err = w.changeOf(ChangeKindMemberAdded, g, nil, memberImage{}); err != nil {
		return err
	}
	named, err := w.store.AddMembers(w.ctx, m)
	if err != nil {
		return err
	}
	found := make([]*db.User, len(refs))
	for i := range named {
		n := &named[i]
		if n.Later {
			return db.ErrRetry // as lookUpUsers has it
		}
		found[n.Index] = &n.User
	}
	ps, err := w.peopleFound(field, given, found, in.OnUnknownUser)
	if err != nil {
		return err
	}
	added, expired := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, n := range named {
		if n.Added {
			added[n.ID] = true
		}
		if n.Expired {
			expired[n.ID] = true
		}
	}
	us := ps.users()
	w.logEach(m.Expired, us, expired)
	w.logEach(m.Began, us, added)
	w.logged = len(w.out.changes)
	w.outcomes(ps, added, MemberResultAdded, MemberResultAlreadyMember)
	return nil
}
