package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"roster/db"
)

// The operations that access is decided for.
const (
	OperationGroupList    Operation = "GROUP_LIST"
	OperationGroupView    Operation = "GROUP_VIEW"
	OperationGroupCreate  Operation = "GROUP_CREATE"
	OperationGroupUpdate  Operation = "GROUP_UPDATE"
	OperationGroupDelete  Operation = "GROUP_DELETE"
	OperationMembersView  Operation = "MEMBERS_VIEW"
	OperationMembersEdit  Operation = "MEMBERS_EDIT"
	OperationAdminsView   Operation = "ADMINS_VIEW"
	OperationAdminsEdit   Operation = "ADMINS_EDIT"
	OperationTokensView   Operation = "TOKENS_VIEW"
	OperationTokensEdit   Operation = "TOKENS_EDIT"
	OperationUsersView    Operation = "USERS_VIEW"
	OperationUsersEdit    Operation = "USERS_EDIT"
	OperationChangesView  Operation = "CHANGES_VIEW"
	OperationActionsEdit  Operation = "ACTIONS_EDIT"
	OperationWebhooksView Operation = "WEBHOOKS_VIEW"
	OperationWebhooksEdit Operation = "WEBHOOKS_EDIT"
)

// Operations are all of them, for the tests that walk the table.
var Operations = []Operation{
	OperationGroupList, OperationGroupView, OperationGroupCreate, OperationGroupUpdate, OperationGroupDelete,
	OperationMembersView, OperationMembersEdit, OperationAdminsView, OperationAdminsEdit, OperationTokensView,
	OperationTokensEdit, OperationUsersView, OperationUsersEdit, OperationChangesView, OperationActionsEdit,
	OperationWebhooksView, OperationWebhooksEdit,
}

// rule is one row of the access table: who may do an operation. Any part that holds is enough, but a token must have the
// scope in every case.
type rule struct {
	scope     Permission // the scope a token must have; held directory-wide it is enough by itself
	everybody bool       // any authenticated caller
	user      bool       // any user, but no group's token
	public    bool       // on a public group
	member    bool       // on a group that the caller is in
	admin     bool       // on a group that the caller is an admin of
	role      Role       // holders of this role
	managed   bool       // but never on a group that is imported from a directory
}

// rules of the directory itself, which hold in GraphQL and wherever a door has none of its own.
var accessRules = map[Operation]rule{
	OperationGroupList:    {scope: PermissionGroupsView, everybody: true}, // what is listed is what GROUP_VIEW lets through
	OperationGroupView:    {scope: PermissionGroupsView, public: true, member: true, admin: true},
	OperationGroupCreate:  {scope: PermissionGroupsAdd},
	OperationGroupUpdate:  {scope: PermissionGroupsEdit, admin: true},
	OperationGroupDelete:  {scope: PermissionGroupsRemove, admin: true},
	OperationMembersView:  {scope: PermissionGroupsView, public: true, member: true, admin: true},
	OperationMembersEdit:  {scope: PermissionMembersEdit, admin: true},
	OperationAdminsView:   {scope: PermissionGroupsView, public: true, member: true, admin: true},
	OperationAdminsEdit:   {scope: PermissionMembersEdit, admin: true}, // so MEMBERS_EDIT is power over every group: its holder can become its admin
	OperationTokensView:   {scope: PermissionTokensEdit, admin: true},
	OperationTokensEdit:   {scope: PermissionTokensEdit, admin: true},
	OperationUsersView:    {scope: PermissionUsersView},
	OperationUsersEdit:    {scope: PermissionUsersEdit},
	OperationChangesView:  {scope: PermissionChangesView, admin: true},
	OperationActionsEdit:  {scope: PermissionGroupsEdit, admin: true},
	OperationWebhooksView: {scope: PermissionChangesView}, // who may be sent all changes may see where they are sent
	OperationWebhooksEdit: {scope: PermissionChangesView},
}

// doorRules are the rules that a legacy API documents differently; each is named in docs/doors.md.
var doorRules = map[Door]map[Operation]rule{
	// Any CDS user makes groups; a group is its members' alone, public or not: what is public is its name.
	DoorCDS: {
		OperationGroupCreate: {scope: PermissionGroupsAdd, user: true},
		OperationGroupView:   {scope: PermissionGroupsView, member: true, admin: true},
		OperationMembersView: {scope: PermissionGroupsView, member: true, admin: true},
		OperationAdminsView:  {scope: PermissionGroupsView, member: true, admin: true},
	},
	// Entrust knows permissions, held or not held, and no group admins. What was imported from a directory is changed there.
	DoorEntrust: {
		OperationGroupList:   {scope: PermissionGroupsView},
		OperationGroupView:   {scope: PermissionGroupsView},
		OperationGroupUpdate: {scope: PermissionGroupsEdit, managed: true},
		OperationGroupDelete: {scope: PermissionGroupsRemove, managed: true},
		OperationMembersEdit: {scope: PermissionUsersEdit},
	},
	// Authress knows one right to update a group, its people included.
	DoorAuthress: {
		OperationMembersEdit: {scope: PermissionGroupsEdit, admin: true},
		OperationAdminsEdit:  {scope: PermissionGroupsEdit, admin: true},
	},
	// Infrastructure-Manager creates and deletes; it or VRE-Manager reads users and changes membership.
	DoorD4Science: {
		OperationGroupCreate: {scope: PermissionGroupsAdd, role: RoleAdministrator},
		OperationGroupDelete: {scope: PermissionGroupsRemove, role: RoleAdministrator},
		OperationMembersView: {scope: PermissionMembersEdit, role: RoleManager},
		OperationMembersEdit: {scope: PermissionMembersEdit, role: RoleManager},
	},
	// ManageUserAndGroupSecurity writes (it is GROUPS_EDIT and GROUPS_REMOVE here); any authenticated user reads.
	DoorEnterpriseTester: {
		OperationGroupList:   {scope: PermissionGroupsView, everybody: true},
		OperationGroupView:   {scope: PermissionGroupsView, user: true, admin: true},
		OperationMembersView: {scope: PermissionGroupsView, user: true, admin: true},
		OperationAdminsView:  {scope: PermissionGroupsView, user: true, admin: true},
		OperationGroupUpdate: {scope: PermissionGroupsEdit},
		OperationGroupDelete: {scope: PermissionGroupsRemove},
		OperationMembersEdit: {scope: PermissionMembersEdit},
	},
}

func ruleFor(d Door, op Operation) rule {
	if r, ok := doorRules[d][op]; ok {
		return r
	}
	return accessRules[op]
}

// standing is what holds between a caller and one group.
type standing struct {
	public, member, admin bool
	imported              bool // from a directory
}

// AccessDecision is an answer with its reasons.
type AccessDecision struct {
	Allowed bool
	Rule    string
	Because []string

	op Operation
}

// decide is the one place where access is decided. at is the caller's standing in the group that the operation is on;
// nil for an operation on none.
func decide(by Caller, op Operation, at *standing) AccessDecision {
	r := ruleFor(by.Via, op)
	d := AccessDecision{Rule: ruleTexts[r], op: op}
	because := func(ok bool, reason ...string) bool {
		if ok {
			d.Because = append(d.Because, strings.Join(reason, ""))
		}
		return ok
	}
	switch {
	case by.system:
		d.Allowed = because(true, "Roster itself asks.")
		return d
	case because(!by.Known(), nobodyAsks):
		return d
	case because(!by.scoped(r.scope), "The token lacks the scope ", string(r.scope), "."):
		return d
	case because(r.managed && at != nil && at.imported, "The group is imported from a directory."):
		return d
	}
	grants := append(make([]bool, 0, 7),
		because(r.everybody, "Every authenticated caller may."),
		because(r.user && by.User != nil, "Every user may."),
		because(by.owns(r.scope), "The caller has ", string(r.scope), " directory-wide."),
		because(r.role != "" && hasRole(by, r.role), "The caller has the role ", string(r.role), "."))
	if at != nil {
		grants = append(grants,
			because(r.public && at.public, "The group is public."),
			because(r.member && at.member, "The caller is a member of the group."),
			because(r.admin && at.admin, "The caller is an admin of the group."))
	}
	for _, g := range grants {
		d.Allowed = d.Allowed || g
	}
	if !d.Allowed {
		d.Because = append(d.Because, "Nothing that the rule asks for holds.")
	}
	return d
}

func hasRole(by Caller, r Role) bool {
	for _, have := range by.Roles {
		if have == r {
			return true
		}
	}
	return false
}

// String says the rule in words.
func (r rule) String() string {
	text := "directory-wide " + string(r.scope)
	for _, part := range []struct {
		holds bool
		words string
	}{
		{r.everybody, "any authenticated caller"},
		{r.user, "any user"},
		{r.role != "", "the role " + string(r.role)},
		{r.public, "anybody on a public group"},
		{r.member, "members of the group"},
		{r.admin, "admins of the group"},
	} {
		if part.holds {
			text += ", or " + part.words
		}
	}
	if r.managed {
		text += ", but not on a group imported from a directory"
	}
	return text + "; a token needs the scope " + string(r.scope)
}

// ruleTexts are all rules in words, made once: a list asks for five decisions on each of its groups.
var ruleTexts = func() map[rule]string {
	texts := map[rule]string{}
	for _, rules := range append(slices.Collect(maps.Values(doorRules)), accessRules) {
		for _, r := range rules {
			texts[r] = r.String()
		}
	}
	return texts
}()

// may fails unless the caller may do an operation that is on no group.
func may(by Caller, op Operation) error {
	if d := decide(by, op, nil); !d.Allowed {
		return deny(by, d)
	}
	return nil
}

func deny(by Caller, d AccessDecision) error {
	if !by.Known() {
		return &Error{Code: Unauthenticated, Denial: &Denial{Operation: d.op, Rule: d.Rule, Because: []string{nobodyAsks}},
			Message: "Sign in first: this needs a valid token in the Authorization header."}
	}
	return &Error{Code: Forbidden, Denial: denialOf(d), Message: "You may not do this: it is for " + d.Rule + "."}
}

const nobodyAsks = "There is no caller."

// Denial is why somebody was refused, for the log: what ExplainAccess tells of the same caller, operation and group. The client is told
// less, and of what it may not see nothing.
type Denial struct {
	Operation Operation // "" where it was not the table of access that refused
	Rule      string
	Because   []string
}

func (d *Denial) String() string {
	return fmt.Sprintf("%s: %s: %s", d.Operation, d.Rule, strings.Join(d.Because, " "))
}

func denialOf(d AccessDecision) *Denial { return &Denial{d.op, d.Rule, d.Because} }

// standingIn is the caller's standing in a group whose row was read with the viewer's facts.
func standingIn(by Caller, g *db.Group) standing {
	s := standing{public: g.Public, member: g.ViewerIsMember, admin: g.ViewerIsAdmin, imported: g.Type == string(GroupTypeDirectory)}
	if by.Token != nil && by.Token.Group != nil {
		s.admin = *by.Token.Group == g.ID // a group's token manages that group, within its scopes, and no other
	}
	return s
}

// abilities are what the caller may do to a group.
func abilities(by Caller, at standing) *GroupAbilities {
	can := func(op Operation) bool { return decide(by, op, &at).Allowed }
	return &GroupAbilities{
		Edit: can(OperationGroupUpdate), Delete: can(OperationGroupDelete), ManageMembers: can(OperationMembersEdit),
		ManageAdmins: can(OperationAdminsEdit), ManageTokens: can(OperationTokensEdit),
	}
}

// groupsWhere is the condition on groups under which the caller may do an operation: decide, as a filter of a list.
func groupsWhere(by Caller, op Operation) db.Cond {
	r := ruleFor(by.Via, op)
	switch {
	case by.system:
		return db.Cond{}
	case !by.Known() || !by.scoped(r.scope):
		return db.None
	case r.managed:
		return db.And(db.GroupType.Eq(string(GroupTypeManaged)), grantedWhere(by, r))
	}
	return grantedWhere(by, r)
}

// grantedWhere is the condition on groups under which a part of the rule holds.
func grantedWhere(by Caller, r rule) db.Cond {
	if r.everybody || (r.user && by.User != nil) || by.owns(r.scope) || (r.role != "" && hasRole(by, r.role)) {
		return db.Cond{}
	}
	conds := []db.Cond{}
	if r.public {
		conds = append(conds, db.GroupPublic.Eq(true))
	}
	if by.User != nil {
		if r.member {
			conds = append(conds, db.GroupHasMember(by.User.UUID))
		}
		if r.admin {
			conds = append(conds, db.GroupHasAdmin(by.User.UUID))
		}
	}
	if by.Token != nil && by.Token.Group != nil && r.admin {
		conds = append(conds, db.GroupID.Eq(by.Token.Group.String()))
	}
	return db.Or(conds...)
}

// usersWhere is the condition on users that the caller may look up directly: all of them, or itself. Others are seen
// through the groups that it sees.
func usersWhere(by Caller) db.Cond {
	switch {
	case by.Can(PermissionUsersView):
		return db.Cond{}
	case by.User == nil:
		return db.None
	}
	return db.UserID.Eq(by.User.UUID.String())
}

// tokensWhere is the condition on tokens that the caller may see: those of groups whose tokens it may see, and its own.
func tokensWhere(by Caller) db.Cond {
	if by.Can(PermissionTokensEdit) {
		return db.Cond{}
	}
	var own []db.Cond
	if groups := groupsWhere(by, OperationTokensView); !groups.IsZero() {
		own = append(own, db.TokenOfGroupWhere(groups))
	}
	if by.User != nil && by.scoped(PermissionTokensEdit) {
		own = append(own, db.TokenUser.Eq(by.User.UUID.String()))
	}
	return db.Or(own...)
}

// changesWhere is the condition on changes that the caller may see: all, or those of groups that it administers.
func changesWhere(by Caller) db.Cond {
	groups := groupsWhere(by, OperationChangesView)
	if groups.IsZero() {
		return groups
	}
	return db.ChangeOfGroupWhere(groups)
}
