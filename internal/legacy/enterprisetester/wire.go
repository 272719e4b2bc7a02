package enterprisetester

import (
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// jsonType is the content type of every answer, DELETE's empty one included.
const jsonType = "application/json; charset=utf-8"

// group is a group as GET and PUT answer it, in the document's order; Users is there if it was expanded ("GET /api/group/{id}").
type group struct {
	ID          string  `json:"Id"`
	Name        string  `json:"Name"`
	Description string  `json:"Description"`
	Self        string  `json:"Self"`
	Links       []link  `json:"Links"`
	Users       *[]user `json:"Users,omitempty"`
}

// link is where clients go on from, by its Rel; Title is absent, not null, where there is none.
type link struct {
	Title string `json:"Title,omitempty"`
	Href  string `json:"Href"`
	Rel   string `json:"Rel"`
}

// user is a member; Groups and DisplayName are there if they were expanded ("GET /api/group/{id}").
type user struct {
	ID          string   `json:"Id"`
	UserName    string   `json:"UserName"`
	Email       string   `json:"Email"`
	FirstName   string   `json:"FirstName"`
	LastName    string   `json:"LastName"`
	Phone       string   `json:"Phone"`
	Enabled     bool     `json:"Enabled"`
	IsExternal  bool     `json:"IsExternal"`
	Groups      *[]group `json:"Groups,omitempty"`
	DisplayName *string  `json:"DisplayName,omitempty"`
}

// problem is every refusal ("Common rules").
type problem struct {
	Message string `json:"Message"`
}

// groupBody is a group as clients send it: whatever else they put beside is let through. The Id of the path counts, not the body's.
type groupBody struct {
	Name        string  `json:"Name"`
	Description *string `json:"Description"`
}

// memberships is the body that sets the members of a group: each item names a user by Id or, without one, by UserName.
type memberships struct {
	Items *[]struct {
		ID       *string `json:"Id"`
		UserName *string `json:"UserName"`
	} `json:"Items"`
}

// whole asks for a list in one piece.
func whole() *directory.Page { return &directory.Page{Rows: true, All: true} }

// groupFields are what a group is made of, and its version, for its ETag.
func groupFields(x expansion) directory.Selection {
	sel := directory.Selection{Fields: []string{"uuid", "name", "description", "version"}}
	if x.users {
		sel.Links = []directory.Link{{Key: "members", Field: "members", Page: whole(), Select: memberFields(expansion{})}}
	}
	return sel
}

// memberFields are what a member is made of.
func memberFields(x expansion) directory.Selection {
	sel := directory.Selection{Fields: []string{"uuid", "username", "email", "fullName", "externalId"}}
	if x.groups {
		sel.Links = []directory.Link{{Key: "groups", Field: "groups", Page: whole(), Select: groupFields(expansion{})}}
	}
	return directory.Selection{Links: []directory.Link{{Key: "user", Field: "user", Select: sel}}}
}

// groupOf is a group with the links that lead on from it, absolute below base.
func groupOf(base string, g *directory.Group, x expansion) (group, error) {
	self := base + "/api/group/" + g.UUID.String()
	out := group{ID: g.UUID.String(), Name: g.Name, Description: g.Description, Self: self, Links: []link{
		{Title: "Members", Href: self + "/users", Rel: "Users"},
		{Href: self + "/permissions/global", Rel: "GlobalPermissions"},
		{Href: self + "/permissions/projects", Rel: "ProjectPermissions"},
	}}
	if !x.users {
		return out, nil
	}
	c, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil {
		return group{}, err
	}
	out.Users, err = each(c.Nodes(), func(m *directory.Member) (user, error) { return userOf(base, m, expansion{}) })
	return out, err
}

// each gives every object its form on the wire.
func each[A, B any](objects []*A, of func(*A) (B, error)) (*[]B, error) {
	out := make([]B, len(objects))
	for i, o := range objects {
		var err error
		if out[i], err = of(o); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// userOf is the user of a membership. Roster keeps one full name and no telephone.
func userOf(base string, m *directory.Member, x expansion) (user, error) {
	u, err := directory.Linked[*directory.User](m, "user")
	if err != nil {
		return user{}, err
	}
	out := user{ID: u.UUID.String(), UserName: u.Username, Email: u.Email, Enabled: true, IsExternal: u.ExternalID != nil}
	out.FirstName, out.LastName, _ = strings.Cut(u.FullName, " ")
	if x.displayName {
		name := u.FullName
		if name == "" {
			name = u.Username
		}
		out.DisplayName = &name
	}
	if !x.groups {
		return out, nil
	}
	c, err := directory.Linked[*directory.GroupConnection](u, "groups")
	if err != nil {
		return user{}, err
	}
	out.Groups, err = each(c.Nodes(), func(g *directory.Group) (group, error) { return groupOf(base, g, expansion{}) })
	return out, err
}

// groupRef is the group that the path names. Whatever is no GUID names none ("GET /api/group/{id}").
func groupRef(r *legacy.Request) (directory.GroupRef, error) {
	id, ok := legacy.UUID(r.Var("id"))
	if !ok {
		return directory.GroupRef{}, noGroup()
	}
	return directory.GroupByUUID(id), nil
}

func noGroup() error {
	return &directory.Error{Code: directory.NotFound, Field: "id", Message: "There is no such group."}
}
