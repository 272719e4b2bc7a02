package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"roster/db"
)

// userImage is what the change log keeps of a user.
type userImage struct {
	UUID       uuid.UUID `json:"uuid"`
	Number     int       `json:"number"`
	Username   string    `json:"username"`
	Email      string    `json:"email"`
	FullName   string    `json:"fullName"`
	ExternalID *string   `json:"externalId"`
	Roles      []string  `json:"roles"`
}

func imageOfUser(u *db.User) userImage {
	return userImage{u.ID, u.Number, u.Username, u.Email, u.FullName, u.ExternalID, append([]string{}, u.Roles...)}
}

// insertUsers writes new users and their changes. One whose name somebody else takes meanwhile is left out.
func (w *write) insertUsers(us []db.User) error {
	done, err := w.store.InsertUsers(w.ctx, us)
	if err != nil {
		return err
	}
	for i := range done {
		w.mine(done[i].ID)
		if err := w.change(ChangeKindUserCreated, nil, &done[i], nil, imageOfUser(&done[i])); err != nil {
			return err
		}
	}
	return nil
}

// CreateUser makes a user. Roles are an ADMINISTRATOR's to give.
// Codes: FORBIDDEN, CONFLICT (username or externalId taken).
func (s *Service) CreateUser(ctx context.Context, by Caller, in CreateUserInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in CreateUserInput) check(by Caller) error {
	if err := may(by, OperationUsersEdit); err != nil {
		return err
	}
	u := in.user()
	return firstOf(validUser(&u), mayGiveRoles(by, nil, u.Roles))
}

func (in CreateUserInput) user() db.User {
	return db.User{ID: newID(), Username: in.Username, Email: deref(in.Email), FullName: deref(in.FullName), ExternalID: in.ExternalID, Roles: roleNames(in.Roles)}
}

func (in CreateUserInput) run(w *write) error {
	u := in.user()
	if err := w.insertUsers([]db.User{u}); err != nil {
		return err
	}
	if len(w.out.changes) == 0 {
		taken := constraints["users_username_unique"]
		return &taken
	}
	w.out.user = &u.ID
	return nil
}

func validUser(u *db.User) error {
	return firstOf(validName("input.username", u.Username), validText("input.email", u.Email, maxEmail),
		validText("input.fullName", u.FullName, maxName), validExternalID("input.externalId", u.ExternalID))
}

func roleNames(roles []Role) []string {
	names := texts(roles)
	slices.Sort(names)
	return slices.Compact(names)
}

// mayGiveRoles keeps roles in the hands of administrators: USERS_EDIT alone must not be a way to more.
// A token gives no role that may do more than the token itself.
func mayGiveRoles(by Caller, before, after []string) error {
	if slices.Equal(before, after) || len(before)+len(after) == 0 {
		return nil
	}
	if !by.isAdministrator() {
		return &Error{Code: Forbidden, Field: "input.roles", Message: "Only an ADMINISTRATOR gives or takes roles."}
	}
	for _, r := range rolesOf(after) {
		for _, p := range rolePermissions[r] {
			if !by.scoped(p) && !slices.Contains(before, string(r)) {
				return &Error{Code: Forbidden, Field: "input.roles", Message: fmt.Sprintf("The token that you use lacks the scope %s, which %s includes.", p, r)}
			}
		}
	}
	return nil
}

// mayRename keeps whoever may do less from saying who a user is: by its name or externalId an issuer's token may find it (Linking), and
// has its roles then.
func mayRename(by Caller, before, after *db.User) error {
	if before.Username == after.Username && sameText(before.ExternalID, after.ExternalID) {
		return nil
	}
	theirs := Caller{Roles: rolesOf(before.Roles)}
	for _, p := range Permissions {
		if theirs.owns(p) && !by.Can(p) {
			return forbidden("This user may do more than you: " + string(p) + ".")
		}
	}
	return nil
}

// UpdateUser changes what is given of a user: a field left out stays, null clears. An ADMINISTRATOR is changed by another alone, and
// name and externalId of a user with roles by whoever may do as much.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT.
func (s *Service) UpdateUser(ctx context.Context, by Caller, in UpdateUserInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in UpdateUserInput) check(Caller) error { return kept("input.username", in.Username) }

func (in UpdateUserInput) run(w *write) error {
	u, err := w.lockUser(in.User)
	if err != nil {
		return err
	}
	before := *u
	put(&u.Username, in.Username, u.Username)
	put(&u.Email, in.Email, "")
	put(&u.FullName, in.FullName, "")
	if in.ExternalID.Set {
		u.ExternalID = in.ExternalID.Value
	}
	if in.Roles.Set {
		u.Roles = roleNames(deref(in.Roles.Value))
	}
	if err := firstOf(validUser(u), mayGiveRoles(w.by, before.Roles, u.Roles), mayRename(w.by, &before, u)); err != nil {
		return err
	}
	w.out.user = &u.ID
	if sameUser(&before, u) {
		return nil
	}
	if err := w.store.UpdateUser(w.ctx, u); err != nil {
		return err
	}
	return w.change(ChangeKindUserUpdated, nil, u, imageOfUser(&before), imageOfUser(u))
}

func sameUser(a, b *db.User) bool {
	return a.Username == b.Username && a.Email == b.Email && a.FullName == b.FullName && sameText(a.ExternalID, b.ExternalID) &&
		slices.Equal(a.Roles, b.Roles)
}

// lockUser finds and locks the user that a write is on, and authorises the caller on the locked row.
func (w *write) lockUser(ref UserRef) (*db.User, error) {
	if err := may(w.by, OperationUsersEdit); err != nil {
		return nil, err
	}
	found, err := w.findUser(w.ctx, "input.user", ref)
	if err != nil {
		return nil, err
	}
	gone := notFound("input.user", "There is no such user.")
	if found == nil {
		return nil, gone
	}
	if err := w.store.TakeTurns(w.ctx, []uuid.UUID{found.ID}); err != nil {
		return nil, err
	}
	if err := w.turned(found.ID); err != nil {
		return nil, err
	}
	u, ok, err := w.store.LockUser(w.ctx, found.ID)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, gone
	case slices.Contains(u.Roles, string(RoleAdministrator)) && !w.by.isAdministrator():
		return nil, forbidden("Only an ADMINISTRATOR changes an ADMINISTRATOR.")
	}
	return &u, nil
}

// DeleteUser deletes a user with its memberships, adminships and tokens. Each membership and adminship that ends is a change.
// Codes: NOT_FOUND, FORBIDDEN, LAST_ADMIN (a group would be left without an admin).
func (s *Service) DeleteUser(ctx context.Context, by Caller, in DeleteUserInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in DeleteUserInput) check(Caller) error { return nil }

func (in DeleteUserInput) run(w *write) error {
	// Groups before the user, as everywhere else; which groups is looked at again under the locks.
	if err := may(w.by, OperationUsersEdit); err != nil {
		return err
	}
	found, err := w.findUser(w.ctx, "input.user", in.User)
	if err != nil {
		return err
	}
	if found == nil {
		return notFound("input.user", "There is no such user.")
	}
	member, admin, err := w.store.GroupsOf(w.ctx, found.ID)
	if err != nil {
		return err
	}
	if err := w.store.TakeTurns(w.ctx, slices.Concat(member, admin, []uuid.UUID{found.ID})); err != nil {
		return err
	}
	gs, err := w.lockGroups(append(member, admin...))
	if err != nil {
		return err
	}
	u, err := w.lockUser(UserByUUID(found.ID))
	if err != nil {
		return err
	}
	if err := w.sameGroups(u, gs); err != nil {
		return err
	}
	if err := w.leaveAll(u, gs); err != nil {
		return err
	}
	if err := w.store.DeleteUser(w.ctx, u.ID); err != nil {
		return err
	}
	id := typeID(userPrefix, u.ID)
	w.out.DeletedID = &id
	return w.change(ChangeKindUserDeleted, nil, u, imageOfUser(u), nil)
}

// sameGroups makes sure that a locked user joined no other group before it was locked: its rows there would go without the
// group's counters knowing. The transaction is repeated then.
func (w *write) sameGroups(u *db.User, locked []*db.Group) error {
	member, admin, err := w.store.GroupsOf(w.ctx, u.ID)
	if err != nil {
		return err
	}
	return amongLocked(append(member, admin...), locked)
}

func amongLocked(ids []uuid.UUID, locked []*db.Group) error {
	known := make(map[uuid.UUID]bool, len(locked))
	for _, g := range locked {
		known[g.ID] = true
	}
	if slices.ContainsFunc(ids, func(id uuid.UUID) bool { return !known[id] }) {
		return db.ErrRetry
	}
	return nil
}

// leaveAll ends a user's memberships and adminships in locked groups.
func (w *write) leaveAll(u *db.User, gs []*db.Group) error {
	ids := mapped(gs, func(g *db.Group) uuid.UUID { return g.ID })
	byID := make(map[uuid.UUID]*db.Group, len(gs))
	for _, g := range gs {
		byID[g.ID] = g
	}
	pairs, err := w.store.DeleteMemberships(w.ctx, u.ID, ids)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if _, err := w.membersLeft(byID[p.GroupID], []*db.User{u}, []db.Pair{p}); err != nil {
			return err
		}
	}
	if pairs, err = w.store.DeleteAdminships(w.ctx, u.ID, ids); err != nil {
		return err
	}
	var orphans []string
	for _, p := range pairs {
		g := byID[p.GroupID]
		if g.AdminCount == 1 {
			orphans = append(orphans, g.Name)
		}
		w.touch(g.ID, 0, -1)
		if err := w.change(ChangeKindAdminRemoved, g, u, adminImage{}, nil); err != nil {
			return err
		}
	}
	if len(orphans) > 0 {
		named := ""
		if w.by.Can(PermissionGroupsView) {
			named = ", such as " + strings.Join(orphans[:min(3, len(orphans))], ", ")
		}
		return &Error{Code: LastAdmin, Field: "input.user", Message: fmt.Sprintf("The user is the last admin of %d group(s)%s. Make another one first.", len(orphans), named)}
	}
	return nil
}

// SetUserGroups replaces the groups that a user is a member of; adminships stay as they are. The caller must be allowed to
// edit the members of every group that the user joins or leaves.
// Codes: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED.
func (s *Service) SetUserGroups(ctx context.Context, by Caller, in SetUserGroupsInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in SetUserGroupsInput) check(Caller) error {
	return validBulk("input.groups", len(in.Groups), true)
}
func (in SetUserGroupsInput) run(w *write) error { return w.setUserGroups(in) }

func (w *write) setUserGroups(in SetUserGroupsInput) error {
	if d := decide(w.by, OperationMembersEdit, nil); w.by.Via == DoorEntrust && !d.Allowed {
		return deny(w.by, d) // a permission, held or not, whatever the groups
	}
	ids, err := w.findGroups(w.ctx, "input.groups", false, mapped(in.Groups, func(g *GroupRef) GroupRef { return *g }))
	if err != nil {
		return err
	}
	u, err := w.findUser(w.ctx, "input.user", in.User)
	if err != nil {
		return err
	}
	var have []uuid.UUID
	if u != nil {
		if have, _, err = w.store.GroupsOf(w.ctx, u.ID); err != nil {
			return err
		}
	}
	gs, err := w.lockGroups(slices.Concat(ids, have))
	if err != nil {
		return err
	}
	if u == nil || !w.knows(u, gs) {
		return refield(unseen(w.by, OperationUsersView, noUser), "input.user")
	}
	wanted, err := w.wantedGroups(ids, gs)
	if err != nil {
		return err
	}
	if err := w.holdStill(u, gs); err != nil {
		return err
	}
	w.out.user = &u.ID
	return w.moveUser(u, gs, wanted)
}

// knows reports whether the caller may speak of a user at all: one who sees the user, or who may edit the members of one of the groups.
func (w *write) knows(u *db.User, gs []*db.Group) bool {
	return w.by.sees(u.ID) || slices.ContainsFunc(gs, func(g *db.Group) bool {
		at := standingIn(w.by, g)
		return decide(w.by, OperationMembersEdit, &at).Allowed
	})
}

// holdStill locks a user, so that nobody changes which groups it is a member of, and makes sure that nobody did before.
func (w *write) holdStill(u *db.User, gs []*db.Group) error {
	_, ok, err := w.store.LockUser(w.ctx, u.ID)
	if err != nil {
		return err
	}
	if !ok {
		return notFound("input.user", "There is no such user.")
	}
	have, _, err := w.store.GroupsOf(w.ctx, u.ID)
	if err != nil {
		return err
	}
	return amongLocked(have, gs)
}

// wantedGroups maps each group that the input names to where it was named. One that the caller neither sees nor may fill is as one
// that is not there: the first of either is named.
func (w *write) wantedGroups(ids []uuid.UUID, locked []*db.Group) (map[uuid.UUID]int, error) {
	there := make(map[uuid.UUID]bool, len(locked))
	for _, g := range locked {
		at := standingIn(w.by, g)
		there[g.ID] = decide(w.by, OperationGroupView, &at).Allowed || decide(w.by, OperationMembersEdit, &at).Allowed
	}
	wanted := make(map[uuid.UUID]int, len(ids))
	for i, id := range ids {
		if !there[id] {
			return nil, refield(unseen(w.by, OperationGroupView, noGroup), at("input.groups", i))
		}
		if _, twice := wanted[id]; !twice {
			wanted[id] = i
		}
	}
	return wanted, nil
}

// moveUser makes a user a member of the wanted ones of the locked groups and of no other.
func (w *write) moveUser(u *db.User, gs []*db.Group, wanted map[uuid.UUID]int) error {
	w.out.groups = make([]*GroupOutcome, 0, len(gs))
	facts, err := w.store.Memberships(w.ctx, mapped(gs, func(g *db.Group) uuid.UUID { return g.ID }), repeated(u.ID, len(gs)))
	if err != nil {
		return err
	}
	var joins, leaves []*db.Group
	for i, g := range gs {
		n, want := wanted[g.ID]
		o := &GroupOutcome{groupID: g.ID, Result: MemberResultKept}
		switch {
		case want && !facts[i].IsMember:
			joins, o.Result = append(joins, g), MemberResultAdded
		case !want && facts[i].IsMember:
			leaves, o.Result = append(leaves, g), MemberResultRemoved
		case !want:
			continue
		}
		if err := w.mayMove(g, o.Result, n); err != nil {
			return err
		}
		w.out.groups = append(w.out.groups, o)
	}
	if err := w.leave(u, leaves); err != nil {
		return err
	}
	return w.join(u, joins)
}

// mayMove authorises what becomes of a membership in the n-th group of the input, or in one that the input leaves out.
func (w *write) mayMove(g *db.Group, result MemberResult, n int) error {
	op := OperationMembersEdit
	if result == MemberResultKept {
		op = OperationGroupView
	}
	err := w.authorise(g, op)
	switch {
	case err == nil, result == MemberResultKept && w.authorise(g, OperationMembersEdit) == nil:
		return nil
	case result == MemberResultRemoved:
		return &Error{Code: Forbidden, Field: "input.groups", Message: "The user is in a group whose members you may not change."}
	}
	return refield(err, at("input.groups", n))
}

func (w *write) leave(u *db.User, gs []*db.Group) error {
	if len(gs) == 0 {
		return nil
	}
	pairs, err := w.store.DeleteMemberships(w.ctx, u.ID, mapped(gs, func(g *db.Group) uuid.UUID { return g.ID }))
	if err != nil {
		return err
	}
	for _, p := range pairs {
		i := slices.IndexFunc(gs, func(g *db.Group) bool { return g.ID == p.GroupID })
		if _, err := w.membersLeft(gs[i], []*db.User{u}, []db.Pair{p}); err != nil {
			return err
		}
	}
	return nil
}

func (w *write) join(u *db.User, gs []*db.Group) error {
	if len(gs) == 0 {
		return nil
	}
	rows := mapped(gs, func(g *db.Group) db.NewMember { return db.NewMember{ID: newID(), GroupID: g.ID, UserID: u.ID} })
	pairs, err := w.store.InsertMembers(w.ctx, rows, db.Grant{By: w.by.id(), Via: string(w.by.Via)})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		g := gs[slices.IndexFunc(gs, func(g *db.Group) bool { return g.ID == p.GroupID })]
		joined := 1
		if p.Expired {
			joined = 0
			if err := w.change(ChangeKindMemberExpired, g, u, memberImage{}, nil); err != nil {
				return err
			}
		}
		w.touch(g.ID, joined, 0)
		if err := w.change(ChangeKindMemberAdded, g, u, nil, memberImage{}); err != nil {
			return err
		}
	}
	return nil
}

// refield says of an error about a group that it is about the group at that path.
func refield(err error, field string) error {
	e := *AsError(err)
	e.Field = field
	return &e
}

func repeated[T any](v T, n int) []T {
	vs := make([]T, n)
	for i := range vs {
		vs[i] = v
	}
	return vs
}
