package auth

import (
	"fmt"
	"slices"
	"strings"

	"roster/internal/directory"
)

// Where claims are looked for unless an issuer's entry says otherwise. A scope says what a client may ask for, not what its user may
// do: it is nowhere by default.
var (
	usernameClaims = names{"preferred_username"}
	emailClaims    = names{"email"}
	fullNameClaims = names{"name"}
	roleClaims     = names{"roles", "permissions", "realm_access.roles", "resource_access.$audience.roles"}
)

// grant is what a name in a role claim gives.
type grant struct {
	roles       []directory.Role
	permissions []directory.Permission
}

// legacyGrants are the names by which the systems behind the doors know their roles and permissions. They hold as they stand, for
// every issuer that does not say otherwise.
var legacyGrants = map[string]grant{
	"Infrastructure-Manager": {roles: []directory.Role{directory.RoleAdministrator}},
	"VRE-Manager":            {roles: []directory.Role{directory.RoleManager}},
	"GROUPS:VIEW":            {permissions: []directory.Permission{directory.PermissionGroupsView}},
	"GROUPS:ADD":             {permissions: []directory.Permission{directory.PermissionGroupsAdd}},
	"GROUPS:EDIT":            {permissions: []directory.Permission{directory.PermissionGroupsEdit}},
	"GROUPS:REMOVE":          {permissions: []directory.Permission{directory.PermissionGroupsRemove}},
	"USERS:VIEW":             {permissions: []directory.Permission{directory.PermissionUsersView}},
	"USERS:EDIT":             {permissions: []directory.Permission{directory.PermissionUsersEdit}},
	"Administration/Organisation/ManageUserAndGroupSecurity": {permissions: []directory.Permission{
		directory.PermissionGroupsAdd, directory.PermissionGroupsEdit, directory.PermissionGroupsRemove, directory.PermissionMembersEdit}},
}

// knownRoles are Roster's roles, in the order in which a caller has them.
var knownRoles = []directory.Role{directory.RoleAdministrator, directory.RoleManager, directory.RoleViewer}

// grantOf reads the names of Roster's roles and permissions.
func grantOf(given names) (grant, error) {
	var g grant
	for _, n := range given {
		switch {
		case slices.Contains(knownRoles, directory.Role(n)):
			g.roles = append(g.roles, directory.Role(n))
		case slices.Contains(directory.Permissions, directory.Permission(n)):
			g.permissions = append(g.permissions, directory.Permission(n))
		default:
			return g, fmt.Errorf("%q is none of Roster's roles and permissions", n)
		}
	}
	return g, nil
}

// mapper turns the claims of an issuer's tokens into an identity.
type mapper struct {
	audience                              names
	username, email, fullName, roleClaims names
	grants                                map[string]grant
	always                                grant
	require                               map[string]names
	trust                                 directory.Trust
}

// newMapper is the mapper of an issuer that has no problems.
func newMapper(i *Issuer) *mapper {
	m := &mapper{
		audience: i.Audience, username: orElse(i.Username, usernameClaims), email: orElse(i.Email, emailClaims),
		fullName: orElse(i.FullName, fullNameClaims), roleClaims: orElse(i.RoleClaims, roleClaims), require: i.Require, trust: i.trust(),
		grants: map[string]grant{},
	}
	for name, g := range legacyGrants {
		m.grants[name] = g
	}
	for name, given := range i.Grants {
		m.grants[name], _ = grantOf(given)
	}
	m.always, _ = grantOf(i.Always)
	return m
}

// identity is what verified claims say, but for who they are about and when.
func (m *mapper) identity(claims map[string]any) directory.Identity {
	if unverified(claims["email_verified"]) {
		delete(claims, "email") // whoever typed it there need not own it
	}
	id := directory.Identity{Username: m.text(claims, m.username), Email: m.text(claims, m.email), FullName: m.text(claims, m.fullName), Trust: m.trust}
	has := []grant{m.always}
	for _, path := range m.roleClaims {
		for _, name := range m.values(claims, path) {
			has = append(has, m.grants[name])
		}
	}
	for _, r := range knownRoles {
		if slices.ContainsFunc(has, func(g grant) bool { return slices.Contains(g.roles, r) }) {
			id.Roles = append(id.Roles, r)
		}
	}
	for _, p := range directory.Permissions {
		if slices.ContainsFunc(has, func(g grant) bool { return slices.Contains(g.permissions, p) }) {
			id.Permissions = append(id.Permissions, p)
		}
	}
	return id
}

// unverified reports whether the issuer says that it did not verify the address. Some say so as a string.
func unverified(claim any) bool { return claim == false || claim == "false" }

// lacks is the first required claim that has none of the values it must have one of; "" if there is none.
func (m *mapper) lacks(claims map[string]any) string {
	for path, wanted := range m.require {
		if !slices.ContainsFunc(m.values(claims, path), func(v string) bool { return slices.Contains(wanted, v) }) {
			return path
		}
	}
	return ""
}

// text is the first of the claims that is a text and not blank.
func (m *mapper) text(claims map[string]any, paths names) string {
	for _, path := range paths {
		for _, v := range m.values(claims, path) {
			if v = strings.TrimSpace(v); v != "" {
				return v
			}
		}
	}
	return ""
}

// values are the texts at a path: those of a list, or one; of scope and scp each word. A claim whose name has dots in it is found by
// its whole name. In a path * stands for every member, and $audience for those named as one of Roster's audiences.
func (m *mapper) values(claims map[string]any, path string) []string {
	if v, ok := claims[path]; ok {
		return textsOf(v, path == "scope" || path == "scp")
	}
	return m.below(claims, strings.Split(path, "."))
}

func (m *mapper) below(node any, path []string) []string {
	if len(path) == 0 {
		return textsOf(node, false)
	}
	members, ok := node.(map[string]any)
	if !ok {
		return nil
	}
	wanted := []string{path[0]}
	switch path[0] {
	case "$audience":
		wanted = m.audience
	case "*":
		wanted = sortedKeys(members)
	}
	var found []string
	for _, name := range wanted {
		if inner, ok := members[name]; ok {
			found = append(found, m.below(inner, path[1:])...)
		}
	}
	return found
}

func textsOf(v any, words bool) []string {
	switch v := v.(type) {
	case string:
		if words {
			return strings.Fields(v)
		}
		return []string{v}
	case []any:
		var found []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				found = append(found, text)
			}
		}
		return found
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
