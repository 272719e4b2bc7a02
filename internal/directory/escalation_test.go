package directory_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// fortress is a world with something to gain: an administrator, a manager, a group admin, and eve, who has nothing.
func fortress(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.withRole("boss", directory.RoleAdministrator)
	w.withRole("mia", directory.RoleManager)
	w.users("ann", "eve")
	w.group("castle", "", "ann", false)
	w.group("hut", "", "eve", false)
	return w
}

// holding is eve with permissions of her own, as a claim of her identity provider gives them.
func (w *world) holding(permissions ...directory.Permission) directory.Caller {
	w.t.Helper()
	by := w.as("eve")
	by.Token, by.Permissions = nil, permissions
	return by
}

// tokenNamed is the id of the newest token of that description.
func (w *world) tokenNamed(description string) string {
	w.t.Helper()
	all, err := w.Tokens(w.t.Context(), directory.System(), directory.Page{Rows: true, All: true,
		Filter: &directory.TokenFilter{Description: &directory.StringFilter{Eq: &description}}}, directory.Selection{Fields: []string{"id"}})
	if err != nil || len(all.Edges) == 0 {
		w.t.Fatal(description, err)
	}
	return all.Edges[len(all.Edges)-1].Node.ID()
}

// keyOf makes a token of that description for a user and gives its secret.
func (w *world) keyOf(user, description string, scopes ...directory.Permission) string {
	w.t.Helper()
	return w.did(w.CreateToken(w.t.Context(), directory.System(), directory.CreateTokenInput{User: named(user)[0], Description: &description, Scopes: scopes,
		Expiration: ptr(directory.TokenExpirationPersistent)}, nothing)).Secret
}

// TestEscalation tries ways to more than one has. None leads anywhere, and none leaves a trace.
func TestEscalation(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	w.keyOf("boss", "boss's", directory.Permissions...)
	w.keyOf("ann", "ann's wide", directory.Permissions...)
	const (
		edit, usersEdit, usersView, tokensEdit = directory.PermissionMembersEdit, directory.PermissionUsersEdit, directory.PermissionUsersView, directory.PermissionTokensEdit
		view                                   = directory.PermissionGroupsView
	)
	administrator, manager := []directory.Role{directory.RoleAdministrator}, []directory.Role{directory.RoleManager}
	castle, hut := directory.GroupByName("castle"), directory.GroupByName("hut")
	createUser := func(roles []directory.Role) func(directory.Caller) error {
		return func(by directory.Caller) error {
			return failed(w.CreateUser(t.Context(), by, directory.CreateUserInput{Username: "puppet", Roles: roles}, nothing))
		}
	}
	updateUser := func(in directory.UpdateUserInput, who string) func(directory.Caller) error {
		in.User = *named(who)[0]
		return func(by directory.Caller) error { return failed(w.UpdateUser(t.Context(), by, in, nothing)) }
	}
	createToken := func(in directory.CreateTokenInput) func(directory.Caller) error {
		return func(by directory.Caller) error { return failed(w.CreateToken(t.Context(), by, in, nothing)) }
	}
	rotate := func(description string) func(directory.Caller) error {
		id := w.tokenNamed(description)
		return func(by directory.Caller) error {
			return failed(w.RotateToken(t.Context(), by, directory.RotateTokenInput{Token: id}, nothing))
		}
	}
	revoke := func(description string) func(directory.Caller) error {
		id := w.tokenNamed(description)
		return func(by directory.Caller) error {
			return failed(w.RevokeToken(t.Context(), by, directory.RevokeTokenInput{Token: id}, nothing))
		}
	}
	rows := []struct {
		name  string
		by    directory.Caller
		try   func(directory.Caller) error
		code  directory.Code
		field string
	}{
		{"USERS_EDIT makes an ADMINISTRATOR", w.holding(usersEdit), createUser(administrator), directory.Forbidden, "input.roles"},
		{"USERS_EDIT makes a MANAGER", w.holding(usersEdit), createUser(manager), directory.Forbidden, "input.roles"},
		{"USERS_EDIT promotes itself", w.holding(usersEdit), updateUser(directory.UpdateUserInput{Roles: directory.Some(administrator)}, "eve"), directory.Forbidden, "input.roles"},
		{"USERS_EDIT demotes a MANAGER", w.holding(usersEdit), updateUser(directory.UpdateUserInput{Roles: directory.Optional[[]directory.Role]{Set: true}}, "mia"), directory.Forbidden, "input.roles"},
		{"USERS_EDIT renames an ADMINISTRATOR", w.holding(usersEdit), updateUser(directory.UpdateUserInput{Username: directory.Some("x")}, "boss"), directory.Forbidden, ""},
		{"USERS_EDIT takes an ADMINISTRATOR's external id", w.holding(usersEdit), updateUser(directory.UpdateUserInput{ExternalID: directory.Some("eve's")}, "boss"), directory.Forbidden, ""},
		{"USERS_EDIT renames a MANAGER", w.holding(usersEdit), updateUser(directory.UpdateUserInput{Username: directory.Some("x")}, "mia"), directory.Forbidden, ""},
		{"USERS_EDIT takes a MANAGER's external id", w.holding(usersEdit), updateUser(directory.UpdateUserInput{ExternalID: directory.Some("eve's")}, "mia"), directory.Forbidden, ""},
		{"an ADMINISTRATOR's narrow token renames a MANAGER", w.as("boss", usersEdit), updateUser(directory.UpdateUserInput{Username: directory.Some("x")}, "mia"), directory.Forbidden, ""},
		{"USERS_EDIT deletes an ADMINISTRATOR", w.holding(usersEdit), func(by directory.Caller) error {
			return failed(w.DeleteUser(t.Context(), by, directory.DeleteUserInput{User: *named("boss")[0]}, nothing))
		}, directory.Forbidden, ""},
		{"a MANAGER edits an ADMINISTRATOR", w.as("mia"), updateUser(directory.UpdateUserInput{Email: directory.Some("x")}, "boss"), directory.Forbidden, ""},
		{"a MANAGER edits itself", w.as("mia"), updateUser(directory.UpdateUserInput{Roles: directory.Some(administrator)}, "mia"), directory.Forbidden, ""},
		{"an ADMINISTRATOR's narrow token makes an ADMINISTRATOR", w.as("boss", usersEdit), createUser(administrator), directory.Forbidden, "input.roles"},
		{"an ADMINISTRATOR's narrow token makes a MANAGER", w.as("boss", usersEdit, usersView), createUser(manager), directory.Forbidden, "input.roles"},
		{"an ADMINISTRATOR's narrow token promotes", w.as("boss", usersEdit), updateUser(directory.UpdateUserInput{Roles: directory.Some(administrator)}, "eve"), directory.Forbidden, "input.roles"},

		{"TOKENS_EDIT makes an ADMINISTRATOR's token", w.holding(tokensEdit, usersView), createToken(directory.CreateTokenInput{User: named("boss")[0]}), directory.Forbidden, ""},
		{"TOKENS_EDIT rotates an ADMINISTRATOR's token", w.holding(tokensEdit), rotate("boss's"), directory.Forbidden, ""},
		{"TOKENS_EDIT makes a MANAGER's token", w.holding(tokensEdit, usersView), createToken(directory.CreateTokenInput{User: named("mia")[0]}), directory.Forbidden, ""},
		{"a MANAGER makes a user's token", w.as("mia"), createToken(directory.CreateTokenInput{User: named("eve")[0]}), directory.Forbidden, ""},
		{"a MANAGER makes a group's token", w.as("mia"), createToken(directory.CreateTokenInput{Group: &castle}), directory.Forbidden, ""},
		{"a MANAGER rotates a token", w.as("mia"), rotate("ann's wide"), directory.NotFound, "input.token"},
		{"one user rotates another's token", w.as("eve"), rotate("ann's wide"), directory.NotFound, "input.token"},
		{"one user revokes another's token", w.as("eve"), revoke("ann's wide"), directory.NotFound, "input.token"},
		{"one user makes another's token", w.as("eve"), createToken(directory.CreateTokenInput{User: named("ann")[0]}), directory.NotFound, "input.user"},
		{"a token without TOKENS_EDIT makes a token", w.as("ann", view, edit), createToken(directory.CreateTokenInput{Scopes: []directory.Permission{view}}), directory.Forbidden, ""},
		{"a token without TOKENS_EDIT makes a group's token", w.as("ann", view, edit), createToken(directory.CreateTokenInput{Group: &castle}), directory.Forbidden, ""},
		{"a token makes a wider one", w.as("ann", view, tokensEdit), createToken(directory.CreateTokenInput{Scopes: []directory.Permission{view, edit}}), directory.Forbidden, "input.scopes[1]"},
		{"a token makes a wider one for its group", w.as("ann", view, tokensEdit), createToken(directory.CreateTokenInput{Group: &castle, Scopes: []directory.Permission{edit}}), directory.Forbidden, "input.scopes[0]"},
		{"a narrow token rotates a wider one of the same user", w.as("ann", view, tokensEdit), rotate("ann's wide"), directory.Forbidden, ""},
		{"an ADMINISTRATOR's narrow token makes a token of an ADMINISTRATOR", w.as("boss", tokensEdit, usersView), createToken(directory.CreateTokenInput{User: named("admin")[0], Scopes: []directory.Permission{tokensEdit}}), directory.Forbidden, ""},
		{"a narrow token uses what its owner may", w.as("ann", view), func(by directory.Caller) error {
			return failed(w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: castle, Users: named("eve")}, nothing))
		}, directory.Forbidden, ""},

		{"a group's token acts on another group", w.tokenOf("hut"), func(by directory.Caller) error {
			return failed(w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: castle, Users: named("eve")}, nothing))
		}, directory.NotFound, "input.group"},
		{"a group's token makes a token of another group", w.tokenOf("hut"), createToken(directory.CreateTokenInput{Group: &castle}), directory.NotFound, "input.group"},
		{"a group's token makes a token of its group's admin", w.tokenOf("hut"), createToken(directory.CreateTokenInput{User: named("eve")[0]}), directory.NotFound, "input.user"},
		{"a group's token makes itself wider", w.tokenOf("hut", view, tokensEdit), createToken(directory.CreateTokenInput{Group: &hut, Scopes: []directory.Permission{edit}}), directory.Forbidden, "input.scopes[0]"},
		{"a group's token makes a user", w.tokenOf("hut"), createUser(nil), directory.Forbidden, ""},
		{"a group's token makes a group", w.tokenOf("hut"), func(by directory.Caller) error {
			return failed(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "x"}, nothing))
		}, directory.Forbidden, ""},
		{"a group's token moves its admin into another group", w.tokenOf("hut"), func(by directory.Caller) error {
			return failed(w.SetUserGroups(t.Context(), by, directory.SetUserGroupsInput{User: *named("eve")[0], Groups: []*directory.GroupRef{&hut, &castle}}, nothing))
		}, directory.NotFound, "input.groups[1]"},
		{"a group admin creates users by adding them", w.as("ann"), func(by directory.Caller) error {
			return failed(w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: castle, Users: named("puppet"), OnUnknownUser: directory.OnUnknownUserCreate}, nothing))
		}, directory.Forbidden, ""},
		{"an outsider joins", w.as("eve"), func(by directory.Caller) error {
			return failed(w.SetUserGroups(t.Context(), by, directory.SetUserGroupsInput{User: *named("eve")[0], Groups: []*directory.GroupRef{&hut, &castle}}, nothing))
		}, directory.NotFound, "input.groups[1]"},
	}
	before := w.dump()
	for _, row := range rows {
		err := row.try(row.by)
		if e := directory.AsError(err); err == nil || e.Code != row.code || e.Field != row.field {
			t.Errorf("%s: %v, want %s for %q", row.name, err, row.code, row.field)
		}
	}
	if d := cmp.Diff(before, w.dump()); d != "" {
		t.Errorf("something was left behind:\n%s", d)
	}
}

// TestWithinBounds is the other side: what looks like an escalation and is none.
func TestWithinBounds(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	castle := directory.GroupByName("castle")
	boss := w.as("boss", directory.PermissionUsersEdit)
	w.did(w.CreateUser(t.Context(), boss, directory.CreateUserInput{Username: "plain"}, nothing))
	boss = w.as("boss", directory.PermissionUsersEdit, directory.PermissionGroupsView, directory.PermissionUsersView)
	w.did(w.CreateUser(t.Context(), boss, directory.CreateUserInput{Username: "low", Roles: []directory.Role{directory.RoleViewer}}, nothing))
	w.did(w.UpdateUser(t.Context(), boss, directory.UpdateUserInput{User: *named("mia")[0], Roles: directory.Some([]directory.Role{directory.RoleViewer})}, nothing))
	tokens := w.as("ann", directory.PermissionGroupsView, directory.PermissionTokensEdit)
	p := w.did(w.CreateToken(t.Context(), tokens, directory.CreateTokenInput{Group: &castle}, nothing))
	if got := w.with(p.Secret); !cmp.Equal(got.Token.Scopes, []directory.Permission{directory.PermissionGroupsView}) {
		t.Errorf("by default a token hands on what it has, but for TOKENS_EDIT; got %v", got.Token.Scopes)
	}
	p = w.did(w.CreateToken(t.Context(), w.root(), directory.CreateTokenInput{User: named("boss")[0], Scopes: directory.Permissions}, nothing))
	if got := w.with(p.Secret); !cmp.Equal(got.Effective(), directory.Permissions) {
		t.Errorf("the token of an ADMINISTRATOR may do %v", got.Effective())
	}
	p = w.did(w.CreateToken(t.Context(), w.root(), directory.CreateTokenInput{User: named("eve")[0], Scopes: directory.Permissions}, nothing))
	if got := w.with(p.Secret); len(got.Effective()) != 0 {
		t.Errorf("scopes do not widen what eve may do: %v", got.Effective())
	}
}

// TestSecretsLeaveNoTrace looks for secrets in all of the database.
func TestSecretsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	first := w.keyOf("ann", "key", directory.PermissionGroupsView)
	second := w.did(w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed("key"), OverlapSeconds: 60}, nothing)).Secret
	all := w.dump()
	for _, secret := range []string{first, second} {
		if strings.Contains(all, secret[8:]) {
			t.Error("a secret is stored")
		}
		if !strings.Contains(all, secret[:8]) {
			t.Error("the prefix is not")
		}
	}
	if _, changes, ok := strings.Cut(all, "\nchanges\n"); !ok || strings.Contains(changes, `\\x`) {
		t.Error("a hash is in the change log")
	}
}
