package directory_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// below is what a page that hangs on a row says.
type below struct {
	Names []string
	Total int
	Next  bool
}

// belowOf is the page of people under a key.
func belowOf[T any](t testing.TB, of directory.Object, key string, name func(*T) string) below {
	t.Helper()
	c, err := directory.Linked[*directory.Connection[T]](of, key)
	if err != nil {
		t.Fatal(err)
	}
	b := below{Names: []string{}, Total: c.TotalCount, Next: c.PageInfo.HasNextPage}
	for _, n := range c.Nodes() {
		b.Names = append(b.Names, name(n))
	}
	return b
}

func usernameOf(t testing.TB, o directory.Object) string {
	t.Helper()
	u, err := directory.Linked[*directory.User](o, "user")
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// wanted is the page of those names, of which it shows so many.
func wanted(names []string, size int) below {
	return below{append([]string{}, names[:min(size, len(names))]...), len(names), len(names) > size}
}

// column reads a column of names.
func (w *world) column(query string, args ...any) []string {
	w.t.Helper()
	return strings.Fields(w.text(`SELECT coalesce(string_agg(replace(n, ' ', '_'), ' ' ORDER BY lower(n) COLLATE "C"), '') FROM (`+query+`) x(n)`, args...))
}

// randomGroups is a filter of groups and the same in SQL.
func randomGroups(r *rand.Rand) (*directory.GroupFilter, string) {
	yes := true
	filters := []struct {
		filter directory.GroupFilter
		sql    string
	}{
		{directory.GroupFilter{}, "true"},
		{directory.GroupFilter{Public: &yes}, "g.public"},
		{directory.GroupFilter{Not: &directory.GroupFilter{Public: &yes}}, "NOT g.public"},
		{directory.GroupFilter{Name: &directory.StringFilter{Contains: ptr("P B")}}, "g.name ILIKE '%p b%'"},
		{directory.GroupFilter{Or: []*directory.GroupFilter{{Public: &yes}, {Name: &directory.StringFilter{StartsWith: ptr("group a")}}}},
			"(g.public OR g.name ILIKE 'group a%')"},
		{directory.GroupFilter{Member: named("u4")[0]},
			"EXISTS (SELECT FROM " + presentMembers + " x JOIN users y ON y.id = x.user_id WHERE x.group_id = g.id AND y.username = 'u4')"},
	}
	f := filters[r.IntN(len(filters))]
	return &f.filter, f.sql
}

// randomPeople is a filter of people and the same in SQL.
func randomPeople(r *rand.Rand) (*directory.MemberFilter, string) {
	yes, no := true, false
	filters := []struct {
		filter directory.MemberFilter
		sql    string
	}{
		{directory.MemberFilter{}, "true"},
		{directory.MemberFilter{Username: &directory.StringFilter{Contains: ptr("1")}}, "u.username LIKE '%1%'"},
		{directory.MemberFilter{Email: &directory.StringFilter{Eq: ptr("A@B")}}, "lower(u.email) = 'a@b'"},
		{directory.MemberFilter{IsAdmin: &yes}, "a"},
		{directory.MemberFilter{IsAdmin: &no}, "NOT a"},
	}
	f := filters[r.IntN(len(filters))]
	return &f.filter, f.sql
}

// presentMembers are those whose membership has not expired.
const presentMembers = "(SELECT m.group_id, m.user_id FROM members m WHERE m.expires_at IS NULL OR m.expires_at > now())"

// peopleBelow holds what hangs on a group to what SQL says, of which it shows so many.
func (w *world) peopleBelow(g *directory.Group, few int, where string) {
	w.t.Helper()
	t := w.t
	for key, query := range map[string]string{
		"some": "SELECT u.username FROM " + presentMembers + " m JOIN users u ON u.id = m.user_id, LATERAL (SELECT EXISTS (SELECT FROM admins x" +
			" WHERE x.group_id = m.group_id AND x.user_id = u.id) AS a) a WHERE m.group_id = $1::uuid AND " + where,
		"members": "SELECT u.username FROM " + presentMembers + " m JOIN users u ON u.id = m.user_id WHERE m.group_id = $1::uuid",
		"admins":  "SELECT u.username FROM admins m JOIN users u ON u.id = m.user_id WHERE m.group_id = $1::uuid",
	} {
		var got below
		if key == "admins" {
			got = belowOf(t, g, key, func(a *directory.Admin) string { return usernameOf(t, a) })
		} else {
			got = belowOf(t, g, key, func(m *directory.Member) string { return usernameOf(t, m) })
		}
		if d := cmp.Diff(wanted(w.column(query, g.UUID.String()), few), got); d != "" {
			t.Errorf("%s of %s where %s: %s", key, g.Name, where, d)
		}
	}
}

// groupsBelow are the names of a user's groups that a filter lets through, as far as somebody sees them who has no permission; "" sees all.
func (w *world) groupsBelow(u *directory.User, where, who string) []string {
	const in = "(SELECT group_id, user_id FROM " + presentMembers + " p UNION SELECT group_id, user_id FROM admins)"
	return w.column("SELECT g.name FROM groups g JOIN "+in+" i ON i.group_id = g.id AND i.user_id = $1::uuid WHERE "+where+
		" AND (g.public OR $2 = '' OR EXISTS (SELECT FROM "+in+" s JOIN users v ON v.id = s.user_id WHERE s.group_id = g.id AND v.username = $2))", u.UUID.String(), who)
}

// TestListsBelowRows: what hangs on the rows of a list, in their statement or beside it, is each row's own list, as far as the caller sees: for
// whatever filters above and below, side by side under several aliases, on two levels, with totals.
func TestListsBelowRows(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := tied(t, r)
	w.exec(`UPDATE members SET expires_at = now() - interval '1 minute' WHERE random() < 0.2`)
	looks := w.as("u3")
	looks.Permissions = []directory.Permission{directory.PermissionUsersView}
	for range 12 {
		for who, by := range map[string]directory.Caller{"": directory.System(), "u3": looks} {
			filter, where := randomGroups(r)
			people, peopleWhere := randomPeople(r)
			size, few := 1+r.IntN(4), 1+r.IntN(3)
			page := func(filter any, n int) *directory.Page {
				return &directory.Page{Rows: true, Total: true, Cursors: r.IntN(2) == 0, Filter: filter, PageArgs: directory.PageArgs{First: &n}}
			}
			inner := []directory.Link{
				{Key: "some", Field: "members", Page: page(people, few), Select: directory.Selection{Links: withUser}},
				{Key: "members", Field: "members", Page: page(nil, few), Select: directory.Selection{Links: withUser}},
				{Key: "admins", Field: "admins", Page: page(nil, few), Select: directory.Selection{Links: withUser}},
			}
			r.Shuffle(len(inner), func(i, j int) { inner[i], inner[j] = inner[j], inner[i] })
			named := directory.Selection{Fields: []string{"id", "name"}, Links: inner}
			above, err := w.Groups(t.Context(), by, *page(filter, 3), named)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range above.Nodes() {
				w.peopleBelow(g, few, peopleWhere)
			}
			us, err := w.Users(t.Context(), by, *page(nil, 4), directory.Selection{Fields: []string{"id", "username"},
				Links: []directory.Link{{Key: "groups", Field: "groups", Page: page(filter, size), Select: named}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range us.Nodes() {
				found := belowOf(t, u, "groups", func(g *directory.Group) string {
					w.peopleBelow(g, few, peopleWhere)
					return strings.ReplaceAll(g.Name, " ", "_")
				})
				if d := cmp.Diff(wanted(w.groupsBelow(u, where, who), size), found); d != "" {
					t.Errorf("%q: groups of %s where %s: %s", who, u.Username, where, d)
				}
			}
		}
	}
}
