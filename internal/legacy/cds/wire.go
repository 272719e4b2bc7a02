package cds

import (
	"slices"
	"time"

	"roster/internal/directory"
)

// The JSON shapes (§5), in the order of their keys. The names are those of CDS's SDK: they show in the texts of errors.

// Group is a group; in lists it is number and name alone.
type Group struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Admins []User  `json:"admins,omitempty"`
	Users  []User  `json:"users,omitempty"`
	Tokens []Token `json:"tokens,omitempty"`
}

// User is a user. Favorites and permissions are CDS's own business: empty here, and echoed where a client sends them.
type User struct {
	ID          int64       `json:"id"`
	Username    string      `json:"username"`
	Fullname    string      `json:"fullname"`
	Email       string      `json:"email"`
	Admin       bool        `json:"admin"`
	Groups      []Group     `json:"groups,omitempty"`
	Origin      string      `json:"origin"`
	Favorites   []Favorite  `json:"favorites"`
	Permissions Permissions `json:"permissions"`
}

// Favorite is what a user marked.
type Favorite struct {
	ProjectIDs  []int64 `json:"project_ids"`
	WorkflowIDs []int64 `json:"workflow_ids"`
}

// Permissions are a user's in CDS.
type Permissions struct {
	Groups        []string       `json:"Groups,omitempty"`
	GroupsAdmin   []string       `json:"GroupsAdmin,omitempty"`
	ProjectsPerm  map[string]int `json:"ProjectsPerm,omitempty"`
	WorkflowsPerm map[string]int `json:"WorkflowsPerm,omitempty"`
}

// Token is a token of a group.
type Token struct {
	ID          int64     `json:"id"`
	GroupID     int64     `json:"group_id"`
	GroupName   string    `json:"group_name"`
	Token       string    `json:"token"`
	Description string    `json:"description"`
	Creator     string    `json:"creator"`
	Expiration  int       `json:"expiration"`
	Created     time.Time `json:"created"`
}

// TokenRequest is what a new token shall be.
type TokenRequest struct {
	Expiration  string `json:"expiration"`
	Description string `json:"description"`
}

// What is selected for each shape.
var (
	all       = &directory.Page{Rows: true, All: true}
	no        = false
	notAdmins = &directory.Page{Rows: true, All: true, Filter: &directory.MemberFilter{IsAdmin: &no}}
	living    = &directory.Page{Rows: true, All: true, Filter: &directory.TokenFilter{Revoked: &no}}

	groupRef  = directory.Selection{Fields: []string{"number", "name"}}
	asUser    = directory.Selection{Fields: []string{"number", "username", "fullName", "email", "roles"}}
	ofUser    = directory.Selection{Links: []directory.Link{{Key: "user", Field: "user", Select: asUser}}}
	asToken   = directory.Selection{Fields: []string{"number", "description", "prefix", "expiration", "createdAt"}, Links: []directory.Link{byCreator}}
	byCreator = directory.Link{Key: "createdBy", Field: "createdBy", Select: directory.Selection{Fields: []string{"username", "fullName"}}}
	tokens    = directory.Link{Key: "tokens", Field: "tokens", Page: living, Select: asToken}
	withAll   = directory.Selection{Fields: []string{"number", "name", "viewerCan"}, Links: []directory.Link{
		{Key: "admins", Field: "admins", Page: all, Select: ofUser}, {Key: "users", Field: "members", Page: notAdmins, Select: ofUser}, tokens,
	}}
	withTokens = directory.Selection{Fields: []string{"number", "name", "viewerCan"}, Links: []directory.Link{tokens}}
)

func refOf(g *directory.Group) Group { return Group{ID: int64(g.Number), Name: g.Name} }

// groupOf is a whole group: its tokens are for its own admins to see (§4.4).
func groupOf(g *directory.Group) (Group, error) {
	out := refOf(g)
	admins, err := directory.Linked[*directory.AdminConnection](g, "admins")
	if err != nil {
		return out, err
	}
	users, err := directory.Linked[*directory.MemberConnection](g, "users")
	if err != nil {
		return out, err
	}
	if out.Admins, err = peopleOf(admins.Nodes()); err != nil {
		return out, err
	}
	if out.Users, err = peopleOf(users.Nodes()); err != nil {
		return out, err
	}
	if g.ViewerIsAdmin() {
		out.Tokens, err = tokensOf(g)
	}
	return out, err
}

// peopleOf are the users behind members or admins.
func peopleOf[T directory.Object](rows []T) ([]User, error) {
	var us []User
	for _, row := range rows {
		u, err := directory.Linked[*directory.User](row, "user")
		if err != nil {
			return nil, err
		}
		us = append(us, userOf(u))
	}
	return us, nil
}

// userOf is a user; nobody is the empty one.
func userOf(u *directory.User) User {
	if u == nil {
		return User{}
	}
	return User{ID: int64(u.Number), Username: u.Username, Fullname: u.FullName, Email: u.Email,
		Admin: slices.Contains(u.Roles, directory.RoleAdministrator), Origin: "local"}
}

// tokensOf are the tokens of a group, each with as much of its secret as may be seen.
func tokensOf(g *directory.Group) ([]Token, error) {
	found, err := directory.Linked[*directory.TokenConnection](g, "tokens")
	if err != nil {
		return nil, err
	}
	out := []Token{}
	for _, t := range found.Nodes() {
		wire, err := tokenOf(t, g, t.Prefix+"********")
		if err != nil {
			return nil, err
		}
		out = append(out, wire)
	}
	return out, nil
}

func tokenOf(t *directory.Token, g *directory.Group, text string) (Token, error) {
	creator, err := directory.Linked[*directory.User](t, "createdBy")
	return Token{ID: int64(t.Number), GroupID: int64(g.Number), GroupName: g.Name, Token: text, Description: t.Description,
		Creator: calledBy(creator), Expiration: expirations[t.Expiration], Created: t.CreatedAt.UTC()}, err
}

// calledBy is how a token names its creator: by the full name, if there is one (§4.8).
func calledBy(u *directory.User) string {
	switch {
	case u == nil:
		return ""
	case u.FullName == "":
		return u.Username
	}
	return u.FullName
}

// expirations are CDS's numbers (§4.8). CUSTOM, which CDS does not know, ends by itself as a session does.
var expirations = map[directory.TokenExpiration]int{
	directory.TokenExpirationSession: 1, directory.TokenExpirationDaily: 2, directory.TokenExpirationPersistent: 3,
	directory.TokenExpirationCustom: 1,
}

// expirationNames are the words that a new token is asked for with (§4.8).
var expirationNames = map[string]directory.TokenExpiration{
	"session": directory.TokenExpirationSession, "daily": directory.TokenExpirationDaily, "persistent": directory.TokenExpirationPersistent,
}

// usersOf are references to the users of a body: of each, the user name is all that counts (§4.5).
func usersOf(us []User) []*directory.UserRef {
	names := make([]string, len(us))
	for i, u := range us {
		names[i] = u.Username
	}
	return namesOf(names)
}

func namesOf(names []string) []*directory.UserRef {
	refs := make([]*directory.UserRef, len(names))
	for i, n := range names {
		ref := directory.UserByName(n)
		refs[i] = &ref
	}
	return refs
}
