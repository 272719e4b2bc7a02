package directory

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// The enumerations; their values are those of the API.
type (
	GroupType       string
	AccessType      string
	TokenExpiration string
	TokenStatus     string
	Role            string
	Permission      string
	Door            string
	ChangeKind      string
	ActionType      string
	WorkerModelType string
	MemberResult    string
	OnUnknownUser   string
	Operation       string
	OrderDirection  string
)

// Where a group comes from.
const (
	GroupTypeManaged   GroupType = "MANAGED"
	GroupTypeDirectory GroupType = "DIRECTORY"
)

// What the members of a group may do in its folder.
const (
	AccessTypeReadOnly      AccessType = "READ_ONLY"
	AccessTypeWriteOwner    AccessType = "WRITE_OWNER"
	AccessTypeWriteAll      AccessType = "WRITE_ALL"
	AccessTypeAdministrator AccessType = "ADMINISTRATOR"
)

// How long a token lives: one hour, a day, until revoked, until a given time.
const (
	TokenExpirationSession    TokenExpiration = "SESSION"
	TokenExpirationDaily      TokenExpiration = "DAILY"
	TokenExpirationPersistent TokenExpiration = "PERSISTENT"
	TokenExpirationCustom     TokenExpiration = "CUSTOM"
)

// What became of a token.
const (
	TokenStatusActive  TokenStatus = "ACTIVE"
	TokenStatusExpired TokenStatus = "EXPIRED"
	TokenStatusRevoked TokenStatus = "REVOKED"
)

// Directory-wide roles; access.go says what each may do.
const (
	RoleAdministrator Role = "ADMINISTRATOR"
	RoleManager       Role = "MANAGER"
	RoleViewer        Role = "VIEWER"
)

// Directory-wide permissions, which are the scopes of tokens too.
const (
	PermissionGroupsView   Permission = "GROUPS_VIEW"
	PermissionGroupsAdd    Permission = "GROUPS_ADD"
	PermissionGroupsEdit   Permission = "GROUPS_EDIT"
	PermissionGroupsRemove Permission = "GROUPS_REMOVE"
	PermissionMembersEdit  Permission = "MEMBERS_EDIT"
	PermissionTokensEdit   Permission = "TOKENS_EDIT"
	PermissionUsersView    Permission = "USERS_VIEW"
	PermissionUsersEdit    Permission = "USERS_EDIT"
	PermissionChangesView  Permission = "CHANGES_VIEW"
)

// Permissions are all of them.
var Permissions = []Permission{
	PermissionGroupsView, PermissionGroupsAdd, PermissionGroupsEdit, PermissionGroupsRemove, PermissionMembersEdit,
	PermissionTokensEdit, PermissionUsersView, PermissionUsersEdit, PermissionChangesView,
}

// The ways in.
const (
	DoorGraphQL          Door = "GRAPHQL"
	DoorCDS              Door = "CDS"
	DoorEntrust          Door = "ENTRUST"
	DoorAuthress         Door = "AUTHRESS"
	DoorD4Science        Door = "D4SCIENCE"
	DoorEnterpriseTester Door = "ENTERPRISE_TESTER"
	DoorSystem           Door = "SYSTEM"
)

// What a row of the change log tells.
const (
	ChangeKindGroupCreated  ChangeKind = "GROUP_CREATED"
	ChangeKindGroupUpdated  ChangeKind = "GROUP_UPDATED"
	ChangeKindGroupDeleted  ChangeKind = "GROUP_DELETED"
	ChangeKindGroupRestored ChangeKind = "GROUP_RESTORED"
	ChangeKindMemberAdded   ChangeKind = "MEMBER_ADDED"
	ChangeKindMemberRemoved ChangeKind = "MEMBER_REMOVED"
	ChangeKindMemberExpired ChangeKind = "MEMBER_EXPIRED"
	ChangeKindAdminAdded    ChangeKind = "ADMIN_ADDED"
	ChangeKindAdminRemoved  ChangeKind = "ADMIN_REMOVED"
	ChangeKindTokenCreated  ChangeKind = "TOKEN_CREATED"
	ChangeKindTokenRotated  ChangeKind = "TOKEN_ROTATED"
	ChangeKindTokenRevoked  ChangeKind = "TOKEN_REVOKED"
	ChangeKindUserCreated   ChangeKind = "USER_CREATED"
	ChangeKindUserUpdated   ChangeKind = "USER_UPDATED"
	ChangeKindUserDeleted   ChangeKind = "USER_DELETED"

	ChangeKindWebhookCreated ChangeKind = "WEBHOOK_CREATED"
	ChangeKindWebhookUpdated ChangeKind = "WEBHOOK_UPDATED"
	ChangeKindWebhookDeleted ChangeKind = "WEBHOOK_DELETED"
)

// Kinds of action and of worker model.
const (
	ActionTypeDefault ActionType = "DEFAULT"
	ActionTypeBuiltin ActionType = "BUILTIN"
	ActionTypePlugin  ActionType = "PLUGIN"

	WorkerModelTypeDocker    WorkerModelType = "DOCKER"
	WorkerModelTypeHost      WorkerModelType = "HOST"
	WorkerModelTypeOpenstack WorkerModelType = "OPENSTACK"
	WorkerModelTypeVsphere   WorkerModelType = "VSPHERE"
)

// What became of one user of a membership write.
const (
	MemberResultAdded         MemberResult = "ADDED"
	MemberResultRemoved       MemberResult = "REMOVED"
	MemberResultAlreadyMember MemberResult = "ALREADY_MEMBER"
	MemberResultNotAMember    MemberResult = "NOT_A_MEMBER"
	MemberResultUnknownUser   MemberResult = "UNKNOWN_USER"
	MemberResultKept          MemberResult = "KEPT"
	MemberResultPromoted      MemberResult = "PROMOTED"
	MemberResultDemoted       MemberResult = "DEMOTED"
	MemberResultAlreadyAdmin  MemberResult = "ALREADY_ADMIN"
	MemberResultNotAnAdmin    MemberResult = "NOT_AN_ADMIN"
)

// What to do about a user that does not exist.
const (
	OnUnknownUserFail   OnUnknownUser = "FAIL"
	OnUnknownUserSkip   OnUnknownUser = "SKIP"
	OnUnknownUserCreate OnUnknownUser = "CREATE"
)

// Directions of an order.
const (
	OrderDirectionAsc  OrderDirection = "ASC"
	OrderDirectionDesc OrderDirection = "DESC"
)

// Group is a named set of members, managed by admins.
type Group struct {
	Links
	UUID              uuid.UUID
	Number            int
	Handle            string
	Name              string
	Description       string
	Type              GroupType
	ExternalID        *string
	AccessType        AccessType
	UseDefaultStorage bool
	Public            bool
	Tags              []*Tag // sorted by key
	Version           int
	CreatedAt         time.Time
	UpdatedAt         time.Time
	MemberCount       int
	AdminCount        int

	createdBy, folderOwner *uuid.UUID
	by                     *Caller  // who read it
	at                     standing // where they stand in it; read only if ViewerCan was selected
}

// ViewerCan says what the caller may do to the group.
func (g *Group) ViewerCan() *GroupAbilities { return abilities(*g.by, g.at) }

// ViewerIsAdmin reports whether the caller is an admin of this very group, or is its token; it needs viewerCan selected.
func (g *Group) ViewerIsAdmin() bool { return g.at.admin }

// ID is the group's TypeID, grp_….
func (g *Group) ID() string { return typeID(groupPrefix, g.UUID) }

// AppendID appends it, for lists that are written out.
func (g *Group) AppendID(b []byte) []byte { return appendTypeID(b, groupPrefix, g.UUID) }

// Tag is a key with a value, of the organisation's own choosing.
type Tag struct{ Key, Value string }

// GroupAbilities says what the caller may do to a group.
type GroupAbilities struct{ Edit, Delete, ManageMembers, ManageAdmins, ManageTokens bool }

// User is a person or a program that can be a member.
type User struct {
	Links
	UUID       uuid.UUID
	Number     int
	Username   string
	Email      string
	FullName   string
	ExternalID *string
	Roles      []Role
	CreatedAt  time.Time
}

// ID is the user's TypeID, usr_….
func (u *User) ID() string { return typeID(userPrefix, u.UUID) }

// AppendID appends it, for lists that are written out.
func (u *User) AppendID(b []byte) []byte { return appendTypeID(b, userPrefix, u.UUID) }

// Member is the fact that a user is in a group.
type Member struct {
	Links
	UUID      uuid.UUID
	IsAdmin   bool
	AddedAt   time.Time
	Via       Door
	ExpiresAt *time.Time

	groupID, userID uuid.UUID
	addedBy         *uuid.UUID
	user            *db.User // read with the member, if it was selected
}

// ID is the membership's TypeID, mem_….
func (m *Member) ID() string { return typeID(memberPrefix, m.UUID) }

// AppendID appends it, for lists that are written out.
func (m *Member) AppendID(b []byte) []byte { return appendTypeID(b, memberPrefix, m.UUID) }

// Admin is the fact that a user manages a group.
type Admin struct {
	Links
	UUID      uuid.UUID
	IsMember  bool
	GrantedAt time.Time
	Via       Door

	groupID, userID uuid.UUID
	grantedBy       *uuid.UUID
	user            *db.User
}

// ID is the adminship's TypeID, adm_….
func (a *Admin) ID() string { return typeID(adminPrefix, a.UUID) }

// AppendID appends it, for lists that are written out.
func (a *Admin) AppendID(b []byte) []byte { return appendTypeID(b, adminPrefix, a.UUID) }

// Token is a credential of a group or of a user, without its secret.
type Token struct {
	Links
	UUID        uuid.UUID
	Number      int
	Description string
	Prefix      string
	Scopes      []Permission
	Expiration  TokenExpiration
	ExpiresAt   *time.Time
	Status      TokenStatus
	CreatedAt   time.Time
	LastUsedAt  *time.Time
	RevokedAt   *time.Time

	groupID, userID, createdBy *uuid.UUID
}

// ID is the token's TypeID, tok_….
func (t *Token) ID() string { return typeID(tokenPrefix, t.UUID) }

// TokenOwner is a *Group or a *User.
type TokenOwner interface{ isTokenOwner() }

func (*Group) isTokenOwner() {}
func (*User) isTokenOwner()  {}

// Change is one row of the change log: one fact that began or ended to hold.
type Change struct {
	Links
	At        time.Time
	Kind      ChangeKind
	Actor     string // a user name, or a token's prefix
	Via       Door
	RequestID string
	GroupName *string
	Username  *string
	Before    json.RawMessage // nil: nothing held before
	After     json.RawMessage // nil: nothing holds after

	tx              uint64
	seq             int64
	groupID, userID *uuid.UUID
}

// ID is the change's TypeID, chg_…, which spells its place in the log.
func (c *Change) ID() string { return typeID(changePrefix, changeID(c.tx, c.seq)) }

// GroupID is the TypeID of the group that the change is about, which may be gone; nil if it is about none.
func (c *Change) GroupID() *string {
	if c.groupID == nil {
		return nil
	}
	id := typeID(groupPrefix, *c.groupID)
	return &id
}

// Action is what CDS lists for a group.
type Action struct {
	Links
	UUID         uuid.UUID
	Number       int
	Name         string
	Type         ActionType
	Description  string
	Enabled      bool
	Deprecated   bool
	Requirements []*Requirement
	Parameters   []*Parameter

	groupID *uuid.UUID
}

// ID is the action's TypeID, act_….
func (a *Action) ID() string { return typeID(actionPrefix, a.UUID) }

// Requirement is what a worker must have to run an action.
type Requirement struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Parameter is what an action takes.
type Parameter struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Value       string `json:"value"`
	Description string `json:"description"`
	Advanced    bool   `json:"advanced"`
}

// WorkerModel is what CDS lists for a group: how its workers are made.
type WorkerModel struct {
	Links
	UUID                   uuid.UUID
	Number                 int
	Name                   string
	Description            string
	Type                   WorkerModelType
	Disabled               bool
	Restricted             bool
	Deprecated             bool
	Image                  string
	Docker                 json.RawMessage
	VirtualMachine         json.RawMessage
	RegisteredCapabilities []*Requirement
	UpdatedAt              time.Time

	groupID   uuid.UUID
	createdBy *uuid.UUID
}

// ID is the worker model's TypeID, wkm_….
func (w *WorkerModel) ID() string { return typeID(workerModelPrefix, w.UUID) }

func groupOf(r *db.Group) Group {
	return Group{
		UUID: r.ID, Number: r.Number, Handle: r.Handle, Name: r.Name, Description: r.Description, Type: GroupType(r.Type),
		ExternalID: r.ExternalID, AccessType: AccessType(r.AccessType), UseDefaultStorage: r.UseDefaultStorage, Public: r.Public,
		Tags: tagsOf(r.Tags), Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, MemberCount: r.MemberCount,
		AdminCount: r.AdminCount, createdBy: r.CreatedBy, folderOwner: r.FolderOwner,
	}
}

func userOf(r *db.User) User {
	return User{
		UUID: r.ID, Number: r.Number, Username: r.Username, Email: r.Email, FullName: r.FullName, ExternalID: r.ExternalID,
		Roles: rolesOf(r.Roles), CreatedAt: r.CreatedAt,
	}
}

func memberOf(r *db.Member) Member {
	return Member{
		UUID: r.ID, IsAdmin: r.IsOther, AddedAt: r.AddedAt, Via: Door(r.Via), ExpiresAt: r.ExpiresAt, groupID: r.GroupID,
		userID: r.UserID, addedBy: r.AddedBy, user: &r.User,
	}
}

func adminOf(r *db.Member) Admin {
	return Admin{
		UUID: r.ID, IsMember: r.IsOther, GrantedAt: r.AddedAt, Via: Door(r.Via), groupID: r.GroupID, userID: r.UserID,
		grantedBy: r.AddedBy, user: &r.User,
	}
}

func tokenOf(r *db.Token, now time.Time) Token {
	t := Token{
		UUID: r.ID, Number: r.Number, Description: r.Description, Prefix: r.Prefix, Scopes: scopesOf(r.Scopes),
		Expiration: TokenExpiration(r.Expiration), ExpiresAt: r.ExpiresAt, Status: TokenStatusActive, CreatedAt: r.CreatedAt,
		LastUsedAt: r.LastUsedAt, RevokedAt: r.RevokedAt, groupID: r.GroupID, userID: r.UserID, createdBy: r.CreatedBy,
	}
	switch {
	case r.RevokedAt != nil:
		t.Status = TokenStatusRevoked
	case r.ExpiresAt != nil && !r.ExpiresAt.After(now):
		t.Status = TokenStatusExpired
	}
	return t
}

func changeOf(r *db.Change) Change {
	return Change{
		At: r.At, Kind: ChangeKind(r.Kind), Actor: r.Actor, Via: Door(r.Via), RequestID: r.RequestID, GroupName: r.GroupName,
		Username: r.Username, Before: r.Before, After: r.After, tx: r.Tx, seq: r.Seq, groupID: r.GroupID, userID: r.UserID,
	}
}

func actionOf(r *db.Action) Action {
	return Action{
		UUID: r.ID, Number: r.Number, Name: r.Name, Type: ActionType(r.Type), Description: r.Description, Enabled: r.Enabled,
		Deprecated: r.Deprecated, Requirements: listOf[Requirement](r.Requirements), Parameters: listOf[Parameter](r.Parameters),
		groupID: r.GroupID,
	}
}

func workerModelOf(r *db.WorkerModel) WorkerModel {
	return WorkerModel{
		UUID: r.ID, Number: r.Number, Name: r.Name, Description: r.Description, Type: WorkerModelType(r.Type),
		Disabled: r.Disabled, Restricted: r.Restricted, Deprecated: r.Deprecated, Image: r.Image, Docker: masked(r.Docker),
		VirtualMachine: masked(r.VirtualMachine), RegisteredCapabilities: listOf[Requirement](r.RegisteredCapabilities),
		UpdatedAt: r.UpdatedAt, groupID: r.GroupID, createdBy: r.CreatedBy,
	}
}

// tagsOf reads the stored object. What is stored was written by this package, so it parses.
func tagsOf(object []byte) []*Tag {
	if len(object) <= len("{}") {
		return []*Tag{}
	}
	tags, ok := plainTags(string(object))
	if !ok {
		m := map[string]string{}
		_ = json.Unmarshal(object, &m)
		for k, v := range m {
			tags = append(tags, &Tag{k, v})
		}
	}
	slices.SortFunc(tags, func(a, b *Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

// plainTags reads an object as Postgres writes it, {"key": "value", …}, in a tenth of the time that encoding/json takes; false if something
// in it is escaped, or is no text, as where somebody wrote it by hand.
func plainTags(object string) ([]*Tag, bool) {
	if strings.Contains(object, `\`) {
		return nil, false
	}
	texts := strings.Split(object, `"`) // every other one lies within quotes
	made, tags := make([]Tag, len(texts)/4), make([]*Tag, len(texts)/4)
	if len(texts) != 4*len(made)+1 {
		return nil, false
	}
	for i := range made {
		if between := texts[4*i+2]; between != ": " && between != ":" {
			return nil, false
		}
		made[i] = Tag{texts[4*i+1], texts[4*i+3]}
		tags[i] = &made[i]
	}
	return tags, true
}

func listOf[T any](list []byte) []*T {
	out := []*T{}
	if len(list) > 0 {
		_ = json.Unmarshal(list, &out)
	}
	return out
}

func rolesOf(names []string) []Role {
	roles := make([]Role, len(names))
	for i, n := range names {
		roles[i] = Role(n)
	}
	return roles
}

func scopesOf(names []string) []Permission {
	scopes := make([]Permission, len(names))
	for i, n := range names {
		scopes[i] = Permission(n)
	}
	return scopes
}
