package directory_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// scoped is a caller through a door with a token of a user's that has the given scopes.
func scoped(t *testing.T, dir *directory.Service, username string, via directory.Door, scopes ...directory.Permission) directory.Caller {
	t.Helper()
	ref := directory.UserByName(username)
	p, err := dir.CreateToken(t.Context(), directory.System(), directory.CreateTokenInput{User: &ref, Scopes: scopes}, directory.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	by, err := dir.AuthenticateNow(t.Context(), p.Secret)
	if err != nil {
		t.Fatal(err)
	}
	by.Via = via
	return by
}

// Whoever replaces people must be allowed to, not only to edit the group; behind Authress's door the one right is both.
func TestReplaceGroupNeedsTheRightToItsPeople(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	put(t, dir, directory.System(), directory.PutGroupInput{Name: "g", Admins: usersNamed("ann"), OnUnknownUser: directory.OnUnknownUserCreate})
	const edit, members = directory.PermissionGroupsEdit, directory.PermissionMembersEdit
	for _, c := range []struct {
		via    directory.Door
		scopes []directory.Permission
		in     directory.ReplaceGroupInput
		want   directory.Code
	}{
		{directory.DoorCDS, []directory.Permission{edit}, directory.ReplaceGroupInput{}, ""},
		{directory.DoorCDS, []directory.Permission{edit}, directory.ReplaceGroupInput{Members: usersNamed("ann")}, directory.Forbidden},
		{directory.DoorCDS, []directory.Permission{edit}, directory.ReplaceGroupInput{Admins: usersNamed("ann")}, directory.Forbidden},
		{directory.DoorCDS, []directory.Permission{edit, members}, directory.ReplaceGroupInput{Members: usersNamed("ann"), Admins: usersNamed("ann")}, ""},
		{directory.DoorAuthress, []directory.Permission{edit}, directory.ReplaceGroupInput{Members: usersNamed(), Admins: usersNamed("ann")}, ""},
		{directory.DoorAuthress, []directory.Permission{directory.PermissionGroupsView, members}, directory.ReplaceGroupInput{Members: usersNamed()}, directory.Forbidden},
	} {
		c.in.Group = directory.GroupByName("g")
		_, err := dir.ReplaceGroup(t.Context(), scoped(t, dir, "ann", c.via, c.scopes...), c.in, directory.Selection{})
		if (err != nil || c.want != "") && directory.CodeOf(err) != c.want {
			t.Errorf("%s with %v: %v, want %s", c.via, c.scopes, err, c.want)
		}
	}
}

// A role is held or not, whatever the group: D4Science's clients learn of a refusal before they learn whether the group exists.
func TestRolesAreAskedForFirst(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	put(t, dir, directory.System(), directory.PutGroupInput{Name: "hidden"})
	put(t, dir, directory.System(), directory.PutGroupInput{Name: "g", Members: usersNamed("ann"), OnUnknownUser: directory.OnUnknownUserCreate})
	for via, want := range map[directory.Door]directory.Code{directory.DoorD4Science: directory.Forbidden, directory.DoorGraphQL: directory.NotFound} {
		by := scoped(t, dir, "ann", via, directory.Permissions...)
		for _, name := range []string{"hidden", "absent"} {
			group := directory.GroupByName(name)
			_, deleted := dir.DeleteGroup(t.Context(), by, directory.DeleteGroupInput{Group: group}, directory.Selection{})
			_, added := dir.AddMembers(t.Context(), by, directory.AddMembersInput{Group: group, Users: usersNamed("ann")}, directory.Selection{})
			_, promoted := dir.AddAdmins(t.Context(), by, directory.AddAdminsInput{Group: group, Users: usersNamed("ann")}, directory.Selection{})
			if directory.CodeOf(deleted) != want || directory.CodeOf(added) != want || directory.CodeOf(promoted) != directory.NotFound {
				t.Errorf("%s, %s: %v, %v, %v", via, name, deleted, added, promoted)
			}
		}
		g, err := dir.People(t.Context(), by, directory.GroupByName("absent"), directory.Selection{})
		if refused := directory.CodeOf(err) == directory.Forbidden; g != nil || refused != (via == directory.DoorD4Science) {
			t.Errorf("%s reads people: %v, %v", via, g, err)
		}
	}
}

func TestAdminsOfDoors(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	by := directory.System()
	put(t, dir, by, directory.PutGroupInput{Name: "g", Members: usersNamed("ann"), Admins: usersNamed("ben", "eve"), OnUnknownUser: directory.OnUnknownUserCreate})
	group := directory.GroupByName("g")
	p, err := dir.AddMembers(t.Context(), by, directory.AddMembersInput{Group: group, Users: usersNamed("ann", "ben", "dan"), AdminsAreIn: true,
		OnUnknownUser: directory.OnUnknownUserCreate}, directory.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	want := []directory.MemberResult{directory.MemberResultAlreadyMember, directory.MemberResultAlreadyMember, directory.MemberResultAdded}
	for i, o := range p.Outcomes {
		if o.Result != want[i] {
			t.Errorf("%s: %s, want %s", o.Username, o.Result, want[i])
		}
	}
	_, err = dir.RemoveAdmins(t.Context(), by, directory.RemoveAdminsInput{Group: group, Users: usersNamed("ben", "ann"), AdminsOnly: true}, directory.Selection{})
	if directory.CodeOf(err) != directory.Invalid {
		t.Errorf("ann is no admin: %v", err)
	}
	if _, err = dir.RemoveAdmins(t.Context(), by, directory.RemoveAdminsInput{Group: group, Users: usersNamed("ben"), AdminsOnly: true}, directory.Selection{}); err != nil {
		t.Error(err)
	}
}

// A CDS client that writes back what it read, where an admin is not repeated among the users, takes no membership away.
func TestDistinctAdminsStayMembers(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	put(t, dir, directory.System(), directory.PutGroupInput{Name: "g", Members: usersNamed("ann", "bob", "eve"), Admins: usersNamed("ann"),
		OnUnknownUser: directory.OnUnknownUserCreate})
	by := rostertest.Admin(t, dir, directory.DoorCDS)
	p, err := dir.ReplaceGroup(t.Context(), by, directory.ReplaceGroupInput{
		UpdateGroupInput: directory.UpdateGroupInput{Group: directory.GroupByName("g"), Name: directory.Some("renamed")},
		Members:          usersNamed("bob"), Admins: usersNamed("ann"), Distinct: true,
	}, directory.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[directory.ChangeKind]int{directory.ChangeKindGroupUpdated: 1, directory.ChangeKindMemberRemoved: 1}
	if got := p.Changed(); !maps.Equal(got, want) {
		t.Errorf("changed %v, want %v: eve leaves, ann stays a member and an admin", got, want)
	}
}

// A session ends with the token that it stands for, and cannot make one that outlives it.
func TestSessionsEndWithTheirToken(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	put(t, dir, directory.System(), directory.PutGroupInput{Name: "g", Admins: usersNamed("ann"), OnUnknownUser: directory.OnUnknownUserCreate})
	ref := directory.UserByName("ann")
	p, err := dir.CreateToken(t.Context(), directory.System(), directory.CreateTokenInput{User: &ref, Scopes: directory.Permissions},
		directory.Selection{Links: []directory.Link{{Key: "token", Field: "token"}}})
	if err != nil {
		t.Fatal(err)
	}
	parent, err := directory.Linked[*directory.Token](p, "token")
	if err != nil {
		t.Fatal(err)
	}
	session, err := dir.Exchange(t.Context(), directory.DoorEntrust, "r", parent.ID(), p.Secret, time.Minute, func(directory.Caller) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	by, err := dir.AuthenticateNow(t.Context(), session.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(by.Token.Scopes, directory.PermissionTokensEdit) {
		t.Error("a session has TOKENS_EDIT")
	}
	if _, err := dir.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: parent.ID()}, directory.Selection{}); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.AuthenticateNow(t.Context(), session.Secret); directory.CodeOf(err) != directory.Unauthenticated {
		t.Errorf("after its token was revoked the session answers %v", err)
	}
}
