package directory

import (
	"encoding/json"
	"time"
)

// Optional tells a field that was left out from one that was given as null.
type Optional[T any] struct {
	Set   bool
	Value *T // nil: null
}

// Some is a field that was given.
func Some[T any](v T) Optional[T] { return Optional[T]{Set: true, Value: &v} }

// The inputs of the API; see schema.graphqls for what each field means.
type (
	CreateGroupInput struct {
		Name              string
		Handle            *string
		Description       *string
		ExternalID        *string
		AccessType        *AccessType
		FolderOwner       *UserRef
		UseDefaultStorage *bool
		Public            *bool
		Tags              []*TagInput
		Members           []*UserRef
		Admins            []*UserRef // nil: the caller, if it is a user
		DryRun            bool

		Type          GroupType     // "" is MANAGED; imports set it, the API does not
		OnUnknownUser OnUnknownUser // "" is FAIL; doors that create unknown users set it, the API does not
	}
	UpdateGroupInput struct {
		Group             GroupRef
		ExpectedVersion   *int
		Name              Optional[string]
		Description       Optional[string]
		ExternalID        Optional[string]
		AccessType        Optional[AccessType]
		FolderOwner       Optional[UserRef]
		UseDefaultStorage Optional[bool]
		Public            Optional[bool]
		Tags              Optional[[]*TagInput]
		DryRun            bool
	}
	DeleteGroupInput struct {
		Group           GroupRef
		ExpectedVersion *int
		DryRun          bool
	}
	// RestoreGroupInput may give a group another name, handle or external id than it had: they may have gone to another one.
	RestoreGroupInput struct {
		Group      GroupRef // as it was deleted; by a name, a handle or an external id the last one that had it
		Name       *string
		Handle     *string
		ExternalID Optional[string]
		DryRun     bool
	}
	TagInput        struct{ Key, Value string }
	AddMembersInput struct {
		Group           GroupRef
		Users           []*UserRef
		ExpiresAt       *time.Time
		OnUnknownUser   OnUnknownUser
		ExpectedVersion *int
		DryRun          bool

		MayBeEmpty  bool // an empty list is fine: CDS's clients send some, the API does not
		AdminsAreIn bool // take an admin for a member already; CDS and D4Science, where an admin is one of the users, ask for it
	}
	RemoveMembersInput struct {
		Group           GroupRef
		Users           []*UserRef
		AtMost          *int
		ExpectedVersion *int
		DryRun          bool

		MembersOnly bool // refuse users who are not in the group; CDS asks for it, the API does not
	}
	SetMembersInput struct {
		Group           GroupRef
		Members         []*UserRef
		Admins          []*UserRef // nil: left alone
		OnUnknownUser   OnUnknownUser
		AtMost          *int
		ExpectedVersion *int
		DryRun          bool

		AdminsStay bool // members who are among Admins stay members: CDS, which lists a user once, asks for it, the API does not
	}
	SetUserGroupsInput struct {
		User   UserRef
		Groups []*GroupRef
		DryRun bool
	}
	AddAdminsInput struct {
		Group           GroupRef
		Users           []*UserRef
		OnUnknownUser   OnUnknownUser
		ExpectedVersion *int
		DryRun          bool

		MembersOnly bool // refuse users who are not in the group; CDS asks for it, the API does not
	}
	RemoveAdminsInput struct {
		Group           GroupRef
		Users           []*UserRef
		ExpectedVersion *int
		DryRun          bool

		AdminsOnly bool // refuse users who are no admins; D4Science asks for it, the API does not
	}
	CreateTokenInput struct {
		Group       *GroupRef
		User        *UserRef
		Description *string
		Expiration  *TokenExpiration
		ExpiresAt   *time.Time
		Scopes      []Permission // nil: all that the caller may hand on but TOKENS_EDIT
		DryRun      bool
	}
	RotateTokenInput struct {
		Token          string
		OverlapSeconds int
		DryRun         bool
	}
	RevokeTokenInput struct {
		Token  string
		DryRun bool
	}
	// RevokeGroupTokenInput names a token by its number among those of a group, as CDS does.
	RevokeGroupTokenInput struct {
		Group  GroupRef
		Number int
		DryRun bool
	}
	CreateUserInput struct {
		Username   string
		Email      *string
		FullName   *string
		ExternalID *string
		Roles      []Role
		DryRun     bool
	}
	UpdateUserInput struct {
		User       UserRef
		Username   Optional[string]
		Email      Optional[string]
		FullName   Optional[string]
		ExternalID Optional[string]
		Roles      Optional[[]Role]
		DryRun     bool
	}
	DeleteUserInput struct {
		User   UserRef
		DryRun bool
	}
	PutActionInput struct {
		Group        *GroupRef
		Name         string
		Type         ActionType
		Description  *string
		Enabled      *bool
		Deprecated   *bool
		Requirements []*RequirementInput
		Parameters   []*ParameterInput
		DryRun       bool
	}
	RequirementInput struct{ Name, Type, Value string }
	ParameterInput   struct {
		Name, Type         string
		Value, Description *string
		Advanced           *bool
	}
	DeleteActionInput struct {
		ID     string
		DryRun bool
	}
	PutWorkerModelInput struct {
		Group                            GroupRef
		Name                             string
		Description                      *string
		Type                             WorkerModelType
		Disabled, Restricted, Deprecated *bool
		Image                            *string
		Docker, VirtualMachine           json.RawMessage
		RegisteredCapabilities           []*RequirementInput
		DryRun                           bool
	}
	DeleteWorkerModelInput struct {
		ID     string
		DryRun bool
	}
	// MembershipPair is a question about a user and a group.
	MembershipPair struct {
		Group GroupRef
		User  UserRef
	}
)

func (p *ParameterInput) value() string       { return deref(p.Value) }
func (p *ParameterInput) description() string { return deref(p.Description) }

// deref is what p points to, or the zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// or is what p points to, or a default.
func or[T any](p *T, byDefault T) T {
	if p == nil {
		return byDefault
	}
	return *p
}
