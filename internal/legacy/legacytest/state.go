package legacytest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"roster/internal/directory"
)

// identify gives a noun of the world its names.
func (w *World) identify(name, uuid, id string, number int) {
	w.Name(name+".uuid", uuid)
	w.Name(name+".UUID", strings.ToUpper(uuid))
	w.Name(name+".id", id)
	w.names[name+".number"] = strconv.Itoa(number) // not in answers: a number says nothing about what it is of
}

var (
	whole = &directory.Page{Rows: true, All: true}
	state = directory.Selection{
		Fields: []string{"number", "handle", "name", "description", "type", "externalId", "accessType", "useDefaultStorage", "public", "tags", "version", "updatedAt"},
		Links: []directory.Link{
			{Key: "members", Field: "members", Page: whole, Select: people},
			{Key: "admins", Field: "admins", Page: whole, Select: people},
			{Key: "tokens", Field: "tokens", Page: whole, Select: directory.Selection{Fields: []string{"number", "description", "prefix", "scopes", "expiration", "status"}}},
		},
	}
	people = directory.Selection{Links: []directory.Link{{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}}}
)

// State tells everything that groups and users of a directory are, a line each. Two equal texts: nothing was changed.
func (w *World) State() string {
	w.T.Helper()
	var b strings.Builder
	err := w.Dir.WalkGroups(w.T.Context(), directory.System(), nil, state, func(g *directory.Group) error {
		members, merr := directory.Linked[*directory.MemberConnection](g, "members")
		admins, aerr := directory.Linked[*directory.AdminConnection](g, "admins")
		tokens, terr := directory.Linked[*directory.TokenConnection](g, "tokens")
		for _, err := range []error{merr, aerr, terr} {
			if err != nil {
				return err
			}
		}
		tags, err := json.Marshal(g.Tags)
		fmt.Fprintf(&b, "group %d %q handle=%q description=%q type=%s external=%v access=%s storage=%t public=%t tags=%s v%d %s members=%v admins=%v tokens=%v\n",
			g.Number, g.Name, g.Handle, g.Description, g.Type, deref(g.ExternalID), g.AccessType, g.UseDefaultStorage, g.Public, tags, g.Version,
			g.UpdatedAt.Format(time.RFC3339Nano), names(members.Nodes()), names(admins.Nodes()), tokenLines(tokens.Nodes()))
		return err
	})
	w.must(err)
	w.users(&b)
	return b.String()
}

func (w *World) users(b *strings.Builder) {
	p := directory.Page{Rows: true, All: true}
	us, err := w.Dir.Users(w.T.Context(), directory.System(), p, directory.Selection{Fields: []string{"number", "username", "email", "fullName", "externalId", "roles"}})
	w.must(err)
	for _, u := range us.Nodes() {
		fmt.Fprintf(b, "user %d %q %q %q external=%v roles=%v\n", u.Number, u.Username, u.Email, u.FullName, deref(u.ExternalID), u.Roles)
	}
}

func names[T any](nodes []*T) []string {
	out := []string{}
	for _, n := range nodes {
		if u, err := directory.Linked[*directory.User](any(n).(directory.Object), "user"); err == nil {
			out = append(out, u.Username)
		}
	}
	return out
}

func tokenLines(ts []*directory.Token) []string {
	out := []string{}
	for _, t := range ts {
		out = append(out, fmt.Sprintf("%d %q %s %v %s %s", t.Number, t.Description, t.Prefix, t.Scopes, t.Expiration, t.Status))
	}
	return out
}

func deref(p *string) any {
	if p == nil {
		return nil
	}
	return *p
}
