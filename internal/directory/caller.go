package directory

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// Caller is who asks, as authentication found it. It is an argument of every method; the zero Caller is nobody and may do nothing.
type Caller struct {
	User        *CallerUser  // nil for a group's token and for the system
	Token       *CallerToken // the token presented, if it was one
	Roles       []Role
	Permissions []Permission // directory-wide, beyond those of the roles
	Until       *time.Time   // when the word of the issuer who said who this is ends; nil if none did
	Via         Door
	RequestID   string
	Once        *Once // the request's writes are to be done once; nil: as often as they come
	system      bool
	vouched     *vouched // if an issuer said who this is
	asOf        *db.AsOf // when it was found, if by memory
	view        *view    // how it reads; nil: from the primary
	decides     bool     // it reads in order to write: from the primary
}

// vouched is what an issuer said that a caller has, and whether what Roster keeps for the user counts beside it.
type vouched struct {
	roles []Role
	sole  bool
}

// rolesWith are the caller's roles, of which those are kept for the user.
func (v *vouched) rolesWith(stored []string) []Role {
	roles := slices.Clone(v.roles)
	for _, r := range rolesOf(stored) {
		if !v.sole && !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return roles
}

// CallerUser is the user behind a request.
type CallerUser struct {
	UUID     uuid.UUID
	Username string
}

// CallerToken is the token behind a request. Scopes bound what its owner may do through it.
type CallerToken struct {
	UUID   uuid.UUID
	Prefix string
	Scopes []Permission
	Group  *uuid.UUID // the group that owns it; nil if a user does
	Until  *time.Time // when it ends; nil for never

	root   uuid.UUID // the token itself, or of a session the token that it stands for
	hashes [][]byte  // of the secret presented, under each key: what a caller who stays is authenticated by again
}

// System is the caller for what Roster does by itself: imports, seeds, sweeps. It may do everything.
func System() Caller { return Caller{Via: DoorSystem, system: true} }

// rolePermissions says what each role may do everywhere.
var rolePermissions = map[Role][]Permission{
	RoleAdministrator: Permissions,
	RoleManager:       {PermissionGroupsView, PermissionMembersEdit, PermissionUsersView},
	RoleViewer:        {PermissionGroupsView, PermissionUsersView},
}

// Known reports whether there is a caller at all.
func (c Caller) Known() bool { return c.system || c.User != nil || c.Token != nil }

// Can reports whether the caller has the permission directory-wide, and its token the scope to use it.
func (c Caller) Can(p Permission) bool { return c.system || (c.scoped(p) && c.owns(p)) }

// owns reports whether the caller's roles or permissions include p, whatever its token says.
func (c Caller) owns(p Permission) bool {
	if c.system || slices.Contains(c.Permissions, p) {
		return true
	}
	for _, r := range c.Roles {
		if slices.Contains(rolePermissions[r], p) {
			return true
		}
	}
	return false
}

// scoped reports whether the caller's token, if it came with one, lets p through.
func (c Caller) scoped(p Permission) bool {
	return c.Token == nil || slices.Contains(c.Token.Scopes, p)
}

// Effective are the permissions that the caller has directory-wide, in the order of Permissions.
func (c Caller) Effective() []Permission {
	out := []Permission{}
	for _, p := range Permissions {
		if c.Can(p) {
			out = append(out, p)
		}
	}
	return out
}

func (c Caller) isAdministrator() bool {
	return c.system || slices.Contains(c.Roles, RoleAdministrator)
}

// is reports whether the caller is the user.
func (c Caller) is(user uuid.UUID) bool { return c.User != nil && c.User.UUID == user }

// sees reports whether the caller may look the user up directly: usersWhere, of one user.
func (c Caller) sees(user uuid.UUID) bool { return c.Can(PermissionUsersView) || c.is(user) }

// id is the user to write down as the doer; nil if it is none.
func (c Caller) id() *uuid.UUID {
	if c.User == nil {
		return nil
	}
	return &c.User.UUID
}

// actor is how the change log names the caller.
func (c Caller) actor() string {
	switch {
	case c.User != nil:
		return c.User.Username
	case c.Token != nil:
		return c.Token.Prefix
	}
	return "system"
}

// viewer is the user for whom facts about "the caller" are read; the nil UUID is no user's.
func (c Caller) viewer() uuid.UUID {
	if c.User == nil {
		return uuid.Nil
	}
	return c.User.UUID
}
