package directory

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// AddMembers makes users members of a group; who is one already stays so, with the new expiry if one is given.
// Codes: NOT_FOUND (group, or a user where unknown ones fail), FORBIDDEN, CONFLICT (version), LIMIT_EXCEEDED.
func (s *Service) AddMembers(ctx context.Context, by Caller, in AddMembersInput, sel Selection) (*Payload, error) {
	if p, ok, err := s.addOne(ctx, by, in, sel); ok || err != nil {
		return p, err
	}
	if p, ok, err := s.addMany(ctx, by, in, sel); ok || err != nil {
		return p, err
	}
	return s.addMembers(ctx, by, in, sel)
}

func (s *Service) addMembers(ctx context.Context, by Caller, in AddMembersInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in AddMembersInput) check(Caller) error {
	return firstOf(validBulk("input.users", len(in.Users), in.MayBeEmpty), validExpiry("input.expiresAt", in.ExpiresAt))
}

func (in AddMembersInput) run(w *write) error {
	in.ExpiresAt = microsecond(in.ExpiresAt)
	g, err := w.lockGroup(in.Group, OperationMembersEdit, in.ExpectedVersion)
	if err != nil {
		return err
	}
	ps, err := w.people("input.users", in.Users, in.OnUnknownUser)
	if err != nil {
		return err
	}
	fresh := ps.users()
	if in.AdminsAreIn {
		if fresh, err = w.notAdmins(g, fresh); err != nil {
			return err
		}
	}
	added, err := w.insertMembers(g, fresh, in.ExpiresAt)
	if err != nil {
		return err
	}
	if in.ExpiresAt != nil {
		if err := w.setExpiry(g, ps, added, *in.ExpiresAt); err != nil {
			return err
		}
	}
	w.outcomes(ps, added, MemberResultAdded, MemberResultAlreadyMember)
	return nil
}

// notAdmins are those of the users who are no admins of a locked group.
func (w *write) notAdmins(g *db.Group, us []*db.User) ([]*db.User, error) {
	ids := idsOf(us)
	facts, err := w.store.Memberships(w.ctx, repeated(g.ID, len(ids)), ids)
	if err != nil {
		return nil, err
	}
	var rest []*db.User
	for i, u := range us {
		if !facts[i].IsAdmin {
			rest = append(rest, u)
		}
	}
	return rest, nil
}

func validExpiry(field string, t *time.Time) error {
	if t != nil && !t.After(time.Now()) {
		return invalid(field, "This time is over.")
	}
	return nil
}

// microsecond is a time as Postgres keeps it: what the change log and the answer tell is what the row says.
func microsecond(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	kept := t.Truncate(time.Microsecond)
	return &kept
}

// outcomes tells what became of each user named: yes for those that the write changed, no for the others.
func (w *write) outcomes(ps people, changed map[uuid.UUID]bool, yes, no MemberResult) {
	w.out.Outcomes = make([]*MemberOutcome, 0, len(ps))
	all := make([]MemberOutcome, len(ps)) // one piece of memory for thousands
	seen := make(map[uuid.UUID]bool, len(ps))
	for i, p := range ps {
		o := &all[i]
		o.Username, o.Result = p.ref.String(), MemberResultUnknownUser
		if p.user != nil {
			if seen[p.user.ID] {
				continue // named twice, told once
			}
			seen[p.user.ID] = true
			o.Username, o.userID, o.Result = p.user.Username, &p.user.ID, no
			if changed[p.user.ID] {
				o.Result = yes
			}
		}
		w.out.Outcomes = append(w.out.Outcomes, o)
	}
}

// memberImage is what the change log keeps of a membership.
type memberImage struct {
	ExpiresAt *time.Time `json:"expiresAt"`
}

// adminImage is what the change log keeps of an adminship: that there is one.
type adminImage struct{}

func newMembers(g *db.Group, us []*db.User) []db.NewMember {
	return mapped(us, func(u *db.User) db.NewMember { return db.NewMember{ID: newID(), GroupID: g.ID, UserID: u.ID} })
}

// insertMembers adds users to a locked group and says which were not members before.
func (w *write) insertMembers(g *db.Group, us []*db.User, expires *time.Time) (map[uuid.UUID]bool, error) {
	if len(us) == 0 {
		return nil, nil
	}
	pairs, err := w.store.InsertMembers(w.ctx, newMembers(g, us), db.Grant{By: w.by.id(), Via: string(w.by.Via), ExpiresAt: expires})
	if err != nil {
		return nil, err
	}
	added, expired := userSet(pairs), 0
	var byID map[uuid.UUID]*db.User // nearly always nobody needs it
	for _, p := range pairs {
		if !p.Expired {
			continue
		}
		if expired++; expired == 1 {
			byID = usersByID(us)
		}
		if err := w.change(ChangeKindMemberExpired, g, byID[p.UserID], memberImage{}, nil); err != nil {
			return nil, err
		}
	}
	if len(pairs) > 0 {
		w.touch(g.ID, len(pairs)-expired, 0)
	}
	return added, w.changeEach(ChangeKindMemberAdded, g, us, added, nil, memberImage{expires})
}

// insertAdmins makes users admins of a locked group and says which were not before.
func (w *write) insertAdmins(g *db.Group, us []*db.User) (map[uuid.UUID]bool, error) {
	if len(us) == 0 {
		return nil, nil
	}
	pairs, err := w.store.InsertAdmins(w.ctx, newMembers(g, us), db.Grant{By: w.by.id(), Via: string(w.by.Via)})
	if err != nil {
		return nil, err
	}
	added := userSet(pairs)
	if len(pairs) > 0 {
		w.touch(g.ID, 0, len(pairs))
	}
	return added, w.changeEach(ChangeKindAdminAdded, g, us, added, nil, adminImage{})
}

// setExpiry gives those who were members already the new expiry.
func (w *write) setExpiry(g *db.Group, ps people, added map[uuid.UUID]bool, at time.Time) error {
	us := slices.DeleteFunc(ps.users(), func(u *db.User) bool { return added[u.ID] })
	if len(us) == 0 {
		return nil
	}
	pairs, err := w.store.SetExpiry(w.ctx, g.ID, idsOf(us), at)
	if err != nil || len(pairs) == 0 {
		return err
	}
	w.touch(g.ID, 0, 0)
	byID := usersByID(us)
	for _, p := range pairs {
		if err := w.change(ChangeKindMemberAdded, g, byID[p.UserID], memberImage{p.ExpiresAt}, memberImage{&at}); err != nil {
			return err
		}
	}
	return nil
}

// changeEach gathers a change for each of the users that is in the set, in the order given.
func (w *write) changeEach(kind ChangeKind, g *db.Group, us []*db.User, in map[uuid.UUID]bool, before, after any) error {
	b, err := image(before)
	if err != nil {
		return err
	}
	a, err := image(after)
	if err != nil {
		return err
	}
	w.out.changes = slices.Grow(w.out.changes, len(in))
	for _, u := range us {
		if in[u.ID] {
			w.log(kind, g, u, b, a)
		}
	}
	return nil
}

func usersByID(us []*db.User) map[uuid.UUID]*db.User {
	m := make(map[uuid.UUID]*db.User, len(us))
	for _, u := range us {
		m[u.ID] = u
	}
	return m
}

func userSet(pairs []db.Pair) map[uuid.UUID]bool {
	m := make(map[uuid.UUID]bool, len(pairs))
	for _, p := range pairs {
		m[p.UserID] = true
	}
	return m
}

// RemoveMembers takes users out of a group altogether: an admin among them is one no longer.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (version), LIMIT_EXCEEDED (more than atMost), LAST_ADMIN.
func (s *Service) RemoveMembers(ctx context.Context, by Caller, in RemoveMembersInput, sel Selection) (*Payload, error) {
	if p, ok, err := s.removeOne(ctx, by, in, sel); ok || err != nil {
		return p, err
	}
	return s.removeMembers(ctx, by, in, sel)
}

func (s *Service) removeMembers(ctx context.Context, by Caller, in RemoveMembersInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in RemoveMembersInput) check(Caller) error {
	return firstOf(validBulk("input.users", len(in.Users), false), validAtMost(in.AtMost))
}

func (in RemoveMembersInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationMembersEdit, in.ExpectedVersion)
	if err != nil {
		return err
	}
	ps, err := w.people("input.users", in.Users, OnUnknownUserFail)
	if err != nil {
		return err
	}
	if in.MembersOnly {
		if err := w.inGroup(g, ps); err != nil {
			return err
		}
	}
	us := ps.users()
	pairs, err := w.store.DeleteMembers(w.ctx, g.ID, idsOf(us))
	if err != nil {
		return err
	}
	left, err := w.membersLeft(g, us, pairs)
	if err != nil {
		return err
	}
	demoted, err := w.dropAdmins(g, us)
	if err != nil {
		return err
	}
	for id := range demoted {
		left[id] = true
	}
	if err := atMost(in.AtMost, len(left)); err != nil {
		return err
	}
	w.outcomes(ps, left, MemberResultRemoved, MemberResultNotAMember)
	return nil
}

func validAtMost(n *int) error {
	if n != nil && *n < 0 {
		return invalid("input.atMost", "It is 0 or more.")
	}
	return nil
}

// atMost refuses a write that removes more than its caller expected.
func atMost(limit *int, removed int) error {
	if limit != nil && removed > *limit {
		return exceeded("input.atMost", "This would remove %d; you said at most %d. Nothing was changed.", removed, *limit)
	}
	return nil
}

// membersLeft counts and logs members whose rows are gone. One whose time was over had left before: its row says MEMBER_EXPIRED.
func (w *write) membersLeft(g *db.Group, us []*db.User, pairs []db.Pair) (map[uuid.UUID]bool, error) {
	left := make(map[uuid.UUID]bool, len(pairs))
	byID := usersByID(us)
	forever, err := image(memberImage{})
	for _, p := range pairs {
		kind, before := ChangeKindMemberRemoved, forever
		if p.ExpiresAt != nil {
			before, err = image(memberImage{p.ExpiresAt})
		}
		if err != nil {
			return nil, err
		}
		if p.Expired {
			kind = ChangeKindMemberExpired
		} else {
			left[p.UserID] = true
		}
		w.log(kind, g, byID[p.UserID], before, nil)
	}
	if len(pairs) > 0 {
		w.touch(g.ID, -len(pairs), 0)
	}
	return left, nil
}

// dropAdmins removes users from the admins of a locked group, but never the last.
func (w *write) dropAdmins(g *db.Group, us []*db.User) (map[uuid.UUID]bool, error) {
	pairs, err := w.store.DeleteAdmins(w.ctx, g.ID, idsOf(us))
	if err != nil || len(pairs) == 0 {
		return nil, err
	}
	if len(pairs) >= g.AdminCount {
		return nil, &Error{Code: LastAdmin, Field: "input.users", Message: "The group would be left without an admin. Make another one first."}
	}
	w.touch(g.ID, 0, -len(pairs))
	gone := userSet(pairs)
	return gone, w.changeEach(ChangeKindAdminRemoved, g, us, gone, adminImage{}, nil)
}

// AddAdmins makes users admins of a group. It does not make them members.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (version), LIMIT_EXCEEDED.
func (s *Service) AddAdmins(ctx context.Context, by Caller, in AddAdminsInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in AddAdminsInput) check(Caller) error { return validBulk("input.users", len(in.Users), false) }

func (in AddAdminsInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationAdminsEdit, in.ExpectedVersion)
	if err != nil {
		return err
	}
	ps, err := w.people("input.users", in.Users, in.OnUnknownUser)
	if err != nil {
		return err
	}
	if in.MembersOnly {
		if err := w.inGroup(g, ps); err != nil {
			return err
		}
	}
	added, err := w.insertAdmins(g, ps.users())
	w.outcomes(ps, added, MemberResultPromoted, MemberResultAlreadyAdmin)
	return err
}

// inGroup refuses users who are neither members nor admins of a locked group.
func (w *write) inGroup(g *db.Group, ps people) error {
	ids := ps.ids()
	facts, err := w.store.Memberships(w.ctx, repeated(g.ID, len(ids)), ids)
	for _, f := range facts {
		if !f.IsMember && !f.IsAdmin {
			return invalid("input.users", "The user is not in the group.")
		}
	}
	return err
}

// RemoveAdmins makes admins ordinary members: they stay in the group.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (version), LAST_ADMIN, LIMIT_EXCEEDED.
func (s *Service) RemoveAdmins(ctx context.Context, by Caller, in RemoveAdminsInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in RemoveAdminsInput) check(Caller) error {
	return validBulk("input.users", len(in.Users), false)
}

func (in RemoveAdminsInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationAdminsEdit, in.ExpectedVersion)
	if err != nil {
		return err
	}
	ps, err := w.people("input.users", in.Users, OnUnknownUserFail)
	if err != nil {
		return err
	}
	if in.AdminsOnly {
		others, err := w.notAdmins(g, ps.users())
		if err != nil {
			return err
		}
		if len(others) > 0 {
			return invalid("input.users", "The user is no admin of the group.")
		}
	}
	demoted, err := w.dropAdmins(g, ps.users())
	if err != nil {
		return err
	}
	stay := slices.DeleteFunc(ps.users(), func(u *db.User) bool { return !demoted[u.ID] })
	if _, err := w.insertMembers(g, stay, nil); err != nil {
		return err
	}
	w.outcomes(ps, demoted, MemberResultDemoted, MemberResultNotAnAdmin)
	return nil
}
