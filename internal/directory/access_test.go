package directory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"roster/internal/directory"
)

// policy says who may do an operation: on a public group, on a private one, and in the directory as a whole. Who is not named may not.
//
// The callers are users by their standing in the group (stranger, member, admin, both) or by their role and nothing else (viewer,
// manager, administrator), and tokens of the group itself (ownToken) and of another group (otherToken).
type policy struct {
	op                                  directory.Operation
	onPublic, onPrivate, inTheDirectory string
}

const (
	everybody    = "stranger member admin both viewer manager administrator ownToken otherToken"
	insiders     = "member admin both viewer manager administrator ownToken"
	groupAdmins  = "admin both administrator ownToken"
	withManagers = "admin both manager administrator ownToken"
	viewers      = "viewer manager administrator"
	everyUser    = "stranger member admin both viewer manager administrator"
)

var graphqlPolicy = []policy{
	{directory.OperationGroupList, everybody, everybody, everybody},
	{directory.OperationGroupView, everybody, insiders, viewers},
	{directory.OperationGroupCreate, "administrator", "administrator", "administrator"},
	{directory.OperationGroupUpdate, groupAdmins, groupAdmins, "administrator"},
	{directory.OperationGroupDelete, groupAdmins, groupAdmins, "administrator"},
	{directory.OperationMembersView, everybody, insiders, viewers},
	{directory.OperationMembersEdit, withManagers, withManagers, "manager administrator"},
	{directory.OperationAdminsView, everybody, insiders, viewers},
	{directory.OperationAdminsEdit, withManagers, withManagers, "manager administrator"},
	{directory.OperationTokensView, groupAdmins, groupAdmins, "administrator"},
	{directory.OperationTokensEdit, groupAdmins, groupAdmins, "administrator"},
	{directory.OperationUsersView, viewers, viewers, viewers},
	{directory.OperationUsersEdit, "administrator", "administrator", "administrator"},
	{directory.OperationChangesView, groupAdmins, groupAdmins, "administrator"},
	{directory.OperationActionsEdit, groupAdmins, groupAdmins, "administrator"},
	{directory.OperationWebhooksView, "administrator", "administrator", "administrator"},
	{directory.OperationWebhooksEdit, "administrator", "administrator", "administrator"},
}

// doorPolicy is where a door differs; whatever is not here is as above.
var doorPolicy = map[directory.Door][]policy{
	directory.DoorCDS: {
		{directory.OperationGroupCreate, everyUser, everyUser, everyUser},
		{directory.OperationGroupView, insiders, insiders, viewers},
		{directory.OperationMembersView, insiders, insiders, viewers},
		{directory.OperationAdminsView, insiders, insiders, viewers},
	},
	directory.DoorEntrust: {
		{directory.OperationGroupList, viewers, viewers, viewers},
		{directory.OperationGroupView, viewers, viewers, viewers},
		{directory.OperationGroupUpdate, "administrator", "administrator", "administrator"},
		{directory.OperationGroupDelete, "administrator", "administrator", "administrator"},
		{directory.OperationMembersEdit, "administrator", "administrator", "administrator"},
	},
	directory.DoorAuthress: {
		{directory.OperationMembersEdit, groupAdmins, groupAdmins, "administrator"},
		{directory.OperationAdminsEdit, groupAdmins, groupAdmins, "administrator"},
	},
	directory.DoorD4Science: {
		{directory.OperationGroupCreate, "administrator", "administrator", "administrator"},
		{directory.OperationGroupDelete, "administrator", "administrator", "administrator"},
		{directory.OperationMembersView, "manager administrator", "manager administrator", "manager administrator"},
		{directory.OperationMembersEdit, "manager administrator", "manager administrator", "manager administrator"},
	},
	directory.DoorEnterpriseTester: {
		{directory.OperationGroupList, everybody, everybody, everybody},
		{directory.OperationGroupView, everyUser + " ownToken", everyUser + " ownToken", everyUser},
		{directory.OperationMembersView, everyUser + " ownToken", everyUser + " ownToken", everyUser},
		{directory.OperationAdminsView, everyUser + " ownToken", everyUser + " ownToken", everyUser},
		{directory.OperationGroupUpdate, "administrator", "administrator", "administrator"},
		{directory.OperationGroupDelete, "administrator", "administrator", "administrator"},
		{directory.OperationMembersEdit, "manager administrator", "manager administrator", "manager administrator"},
	},
}

// scopeOf is the scope that a token needs for each operation.
var scopeOf = map[directory.Operation]directory.Permission{
	directory.OperationGroupList: directory.PermissionGroupsView, directory.OperationGroupView: directory.PermissionGroupsView,
	directory.OperationGroupCreate: directory.PermissionGroupsAdd, directory.OperationGroupUpdate: directory.PermissionGroupsEdit,
	directory.OperationGroupDelete: directory.PermissionGroupsRemove, directory.OperationMembersView: directory.PermissionGroupsView,
	directory.OperationMembersEdit: directory.PermissionMembersEdit, directory.OperationAdminsView: directory.PermissionGroupsView,
	directory.OperationAdminsEdit: directory.PermissionMembersEdit, directory.OperationTokensView: directory.PermissionTokensEdit,
	directory.OperationTokensEdit: directory.PermissionTokensEdit, directory.OperationUsersView: directory.PermissionUsersView,
	directory.OperationUsersEdit: directory.PermissionUsersEdit, directory.OperationChangesView: directory.PermissionChangesView,
	directory.OperationActionsEdit: directory.PermissionGroupsEdit, directory.OperationWebhooksView: directory.PermissionChangesView,
	directory.OperationWebhooksEdit: directory.PermissionChangesView,
}

// doorScopes are where a door asks for another scope.
var doorScopes = map[directory.Door]map[directory.Operation]directory.Permission{
	directory.DoorEntrust:   {directory.OperationMembersEdit: directory.PermissionUsersEdit},
	directory.DoorD4Science: {directory.OperationMembersView: directory.PermissionMembersEdit},
	directory.DoorAuthress: {
		directory.OperationMembersEdit: directory.PermissionGroupsEdit, directory.OperationAdminsEdit: directory.PermissionGroupsEdit,
	},
}

// subject is a caller of the table with their standing in the group.
type subject struct {
	by            directory.Caller
	member, admin bool
}

// subjects are the callers of the table by their names, through a door, with a token of the given scopes, or with none.
func subjects(via directory.Door, scopes []directory.Permission) map[string]subject {
	token := func(group *uuid.UUID) *directory.CallerToken {
		if scopes == nil && group == nil {
			return nil
		}
		return &directory.CallerToken{UUID: uuid.New(), Scopes: scopes, Group: group}
	}
	user := func(roles ...directory.Role) directory.Caller {
		return directory.Caller{Via: via, User: &directory.CallerUser{UUID: uuid.New(), Username: "u"}, Roles: roles, Token: token(nil)}
	}
	group := uuid.New()
	ofGroup := directory.Caller{Via: via, Token: token(&group)}
	if scopes == nil {
		ofGroup.Token.Scopes = directory.Permissions
	}
	return map[string]subject{
		"stranger": {by: user()}, "member": {by: user(), member: true}, "admin": {by: user(), admin: true}, "both": {by: user(), member: true, admin: true},
		"viewer": {by: user(directory.RoleViewer)}, "manager": {by: user(directory.RoleManager)}, "administrator": {by: user(directory.RoleAdministrator)},
		"ownToken": {by: ofGroup, admin: true}, "otherToken": {by: ofGroup},
	}
}

func policyFor(via directory.Door) []policy {
	rows := slices.Clone(graphqlPolicy)
	for _, differs := range doorPolicy[via] {
		i := slices.IndexFunc(rows, func(p policy) bool { return p.op == differs.op })
		rows[i] = differs
	}
	return rows
}

func scopeFor(via directory.Door, op directory.Operation) directory.Permission {
	if s, ok := doorScopes[via][op]; ok {
		return s
	}
	return scopeOf[op]
}

var doors = []directory.Door{
	directory.DoorGraphQL, directory.DoorCDS, directory.DoorEntrust, directory.DoorAuthress, directory.DoorD4Science, directory.DoorEnterpriseTester,
}

// TestPolicy checks every row of the tables, for callers without a token and with one of all scopes, of the one scope that the
// operation needs, and of all but that.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, via := range doors {
		for _, row := range policyFor(via) {
			needed := scopeFor(via, row.op)
			others := slices.DeleteFunc(slices.Clone(directory.Permissions), func(p directory.Permission) bool { return p == needed })
			for scopesName, scopes := range map[string][]directory.Permission{
				"no token": nil, "all scopes": directory.Permissions, "the scope": {needed}, "the other scopes": others, "no scopes": {},
			} {
				if scopesName == "no token" {
					scopes = nil
				}
				for name, s := range subjects(via, scopes) {
					for where, allowed := range map[string]string{"a public group": row.onPublic, "a private group": row.onPrivate, "the directory": row.inTheDirectory} {
						want := slices.Contains(strings.Fields(allowed), name) && scopesName != "the other scopes" && scopesName != "no scopes"
						got := directory.DecideOn(s.by, row.op, where == "a public group", s.member, s.admin, false)
						if where == "the directory" {
							got = directory.Decide(s.by, row.op)
						}
						if got.Allowed != want {
							t.Errorf("%s: %s with %s: %s on %s is allowed: %t, want %t (%s: %v)", via, name, scopesName, row.op, where, got.Allowed, want, got.Rule, got.Because)
						}
						if len(got.Because) == 0 || got.Rule == "" {
							t.Errorf("%s: %s: %s on %s is decided without a reason", via, name, row.op, where)
						}
					}
				}
			}
		}
	}
}

// TestPolicyIsWhole makes sure that the tables above speak of every operation and of every rule there is.
func TestPolicyIsWhole(t *testing.T) {
	t.Parallel()
	for _, op := range directory.Operations {
		if !slices.ContainsFunc(graphqlPolicy, func(p policy) bool { return p.op == op }) || directory.AccessRules[op].String() == "" || scopeOf[op] == "" {
			t.Errorf("%s is in no row", op)
		}
	}
	if len(graphqlPolicy) != len(directory.AccessRules) || len(directory.Operations) != len(directory.AccessRules) {
		t.Errorf("there are %d operations, %d rows and %d rules", len(directory.Operations), len(graphqlPolicy), len(directory.AccessRules))
	}
	for via, rules := range directory.DoorRules {
		for op := range rules {
			if !slices.ContainsFunc(doorPolicy[via], func(p policy) bool { return p.op == op }) {
				t.Errorf("the rule of %s for %s is in no row", via, op)
			}
		}
		if len(doorPolicy[via]) != len(rules) {
			t.Errorf("%s has %d rows and %d rules", via, len(doorPolicy[via]), len(rules))
		}
	}
}

// TestSystemAndNobody: Roster itself may do everything, nobody nothing, through any door and on any group.
func TestSystemAndNobody(t *testing.T) {
	t.Parallel()
	for _, via := range doors {
		for _, op := range directory.Operations {
			for _, yes := range []bool{true, false} {
				if !directory.DecideOn(directory.System(), op, yes, false, false, !yes).Allowed {
					t.Errorf("the system may not do %s", op)
				}
				// No standing helps one who is not there, and no role or permission without an identity.
				nobody := directory.Caller{Via: via, Roles: []directory.Role{directory.RoleAdministrator}, Permissions: directory.Permissions}
				if directory.DecideOn(nobody, op, true, yes, yes, false).Allowed || directory.Decide(directory.Caller{Via: via}, op).Allowed {
					t.Errorf("nobody may do %s through %s", op, via)
				}
			}
		}
	}
}

// TestImportedGroups: behind Entrust's door what was imported from a directory is changed there, by nobody here.
func TestImportedGroups(t *testing.T) {
	t.Parallel()
	for _, via := range doors {
		for _, op := range []directory.Operation{directory.OperationGroupUpdate, directory.OperationGroupDelete, directory.OperationMembersEdit} {
			got := directory.DecideOn(subjects(via, nil)["administrator"].by, op, false, false, false, true).Allowed
			want := via != directory.DoorEntrust || op == directory.OperationMembersEdit
			if got != want {
				t.Errorf("%s: %s on an imported group is allowed: %t, want %t", via, op, got, want)
			}
		}
	}
}

// TestPermissionsBeyondRoles: a permission that a caller holds directly counts like one of a role's, and a token bounds it all the same.
func TestPermissionsBeyondRoles(t *testing.T) {
	t.Parallel()
	by := directory.Caller{Via: directory.DoorGraphQL, User: &directory.CallerUser{UUID: uuid.New()}, Permissions: []directory.Permission{directory.PermissionGroupsAdd}}
	if !directory.Decide(by, directory.OperationGroupCreate).Allowed || directory.Decide(by, directory.OperationGroupUpdate).Allowed {
		t.Error("GROUPS_ADD creates groups and nothing else")
	}
	by.Token = &directory.CallerToken{Scopes: []directory.Permission{directory.PermissionGroupsView}}
	if directory.Decide(by, directory.OperationGroupCreate).Allowed || len(by.Effective()) != 0 {
		t.Error("the token has not that scope")
	}
}
