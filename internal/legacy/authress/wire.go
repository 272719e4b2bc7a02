package authress

import (
	"net/http"
	"net/url"
	"time"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// contentType is that of every answer with a group (facts §1). Go's SDK decodes nothing that is not JSON by its type.
const contentType = "application/links+json"

// group is the vendor's Group (facts §2). Clients fail on a null among users and admins, so both are always lists.
type group struct {
	GroupID     string            `json:"groupId"`
	Name        string            `json:"name"`
	Users       []user            `json:"users"`
	Admins      []user            `json:"admins"`
	LastUpdated string            `json:"lastUpdated"`
	Tags        map[string]string `json:"tags"`
	Links       links             `json:"links"`
}

type user struct {
	UserID string `json:"userId"`
}

type link struct {
	Href string `json:"href"`
}

type links struct {
	Self link  `json:"self"`
	Next *link `json:"next,omitempty"` // of collections; left out on the last page
}

// collection is the vendor's GroupCollection: the next page is in pagination, and in links for clients of 2021 (facts §3, list).
type collection struct {
	Groups     []group    `json:"groups"`
	Pagination pagination `json:"pagination"`
	Links      links      `json:"links"`
}

type pagination struct {
	Next *next `json:"next"`
}

type next struct {
	Cursor string `json:"cursor"`
}

// selection is what a Group is made of.
var selection = directory.Selection{
	Fields: []string{"handle", "name", "tags", "updatedAt"},
	Links:  []directory.Link{people("members"), people("admins")},
}

// answer is the selection of a write's group.
var answer = directory.Want(directory.Link{Key: "group", Field: "group", Select: selection})

func people(field string) directory.Link {
	named := directory.Link{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}
	return directory.Link{Key: field, Field: field, Page: &directory.Page{Rows: true, All: true}, Select: directory.Want(named)}
}

// lastUpdated is RFC 3339 with milliseconds, as JavaScript writes times; clients send it back in If-Unmodified-Since.
const lastUpdated = "2006-01-02T15:04:05.000Z"

func groupOf(r *legacy.Request, g *directory.Group) (group, error) {
	out := group{
		GroupID: g.Handle, Name: g.Name, LastUpdated: g.UpdatedAt.UTC().Truncate(time.Millisecond).Format(lastUpdated),
		Tags: make(map[string]string, len(g.Tags)), Links: links{Self: link{Href: address(r, g.Handle)}},
	}
	for _, t := range g.Tags {
		out.Tags[t.Key] = t.Value
	}
	members, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil {
		return out, err
	}
	if out.Users, err = usersOf(members); err != nil {
		return out, err
	}
	admins, err := directory.Linked[*directory.AdminConnection](g, "admins")
	if err != nil {
		return out, err
	}
	out.Admins, err = usersOf(admins)
	return out, err
}

// usersOf are the people of a list, members or admins.
func usersOf[T any](c *directory.Connection[T]) ([]user, error) {
	out := make([]user, 0, len(c.Edges))
	for _, e := range c.Edges {
		u, err := directory.Linked[*directory.User](any(e.Node).(directory.Object), "user")
		if err != nil {
			return nil, err
		}
		out = append(out, user{u.Username})
	}
	return out, nil
}

// address is the absolute URL of a group.
func address(r *legacy.Request, groupID string) string {
	return r.Base + "/v1/groups/" + url.PathEscape(groupID)
}

func writeGroup(w http.ResponseWriter, r *legacy.Request, status int, g *directory.Group) error {
	out, err := groupOf(r, g)
	if err != nil {
		return err
	}
	return legacy.WriteJSON(w, status, contentType, out)
}
