package alldoors_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roster/internal/directory"
)

// Each reader reads all groups through one way in, as the first administrator, and says what it finds in the facts' own words.

// readers are by the ways in; m says which groups to ask for where a door has no list for administrators.
var readers = map[directory.Door]func(w *world, m *model) reading{
	directory.DoorGraphQL: readGraphQL, directory.DoorCDS: readCDS, directory.DoorEntrust: readEntrust, directory.DoorAuthress: readAuthress,
	directory.DoorD4Science: readD4Science, directory.DoorEnterpriseTester: readEnterpriseTester,
}

// once is a list of names as a set; a name that is there twice is a fault.
func once(t testing.TB, names []string) set {
	t.Helper()
	s := setOf(names...)
	if len(s) < len(names) {
		t.Errorf("somebody is listed twice: %q", names)
	}
	return s
}

type named struct{ Username, Name string }

func usernames(list []struct{ User named }) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.User.Username
	}
	return out
}

const everything = `{
	groups(first: 200) { totalCount nodes {
		id uuid number handle name description type externalId accessType folderOwner { username } useDefaultStorage public tags { key value }
		version createdAt updatedAt memberCount adminCount
		members(first: 200) { totalCount nodes { user { username } } } admins(first: 200) { totalCount nodes { user { username } } }
		tokens(first: 200, filter: {status: ACTIVE}) { nodes { number description expiration prefix } }
	} }
	users(first: 200) { totalCount nodes { uuid number username email fullName groups(first: 200) { nodes { name } } } }
}`

// graphQLGroup is a group as the query above has it.
type graphQLGroup struct {
	ID, UUID, Handle, Name, Description, Type, AccessType, CreatedAt, UpdatedAt string
	ExternalID                                                                  string
	Number, Version, MemberCount, AdminCount                                    int
	FolderOwner                                                                 named
	UseDefaultStorage, Public                                                   bool
	Tags                                                                        []struct{ Key, Value string }
	Members, Admins                                                             struct {
		TotalCount int
		Nodes      []struct{ User named }
	}
	Tokens struct{ Nodes []graphQLToken }
}

type graphQLToken struct {
	Number                          int
	Description, Expiration, Prefix string
}

type graphQLAll struct {
	Groups struct {
		TotalCount int
		Nodes      []graphQLGroup
	}
	Users struct {
		TotalCount int
		Nodes      []struct {
			UUID, Username, Email, FullName string
			Number                          int
			Groups                          struct{ Nodes []named }
		}
	}
}

func readGraphQL(w *world, _ *model) reading {
	w.t.Helper()
	var all graphQLAll
	w.ask(rootSecret, everything, nil, &all)
	if all.Groups.TotalCount != len(all.Groups.Nodes) || all.Users.TotalCount != len(all.Users.Nodes) {
		w.t.Errorf("totals of GraphQL: %d for %d groups, %d for %d users", all.Groups.TotalCount, len(all.Groups.Nodes), all.Users.TotalCount, len(all.Users.Nodes))
	}
	out := newReading()
	for _, g := range all.Groups.Nodes {
		out.groups[g.Name] = g.facts(w.t)
	}
	for _, u := range all.Users.Nodes {
		groups := []string{}
		for _, g := range u.Groups.Nodes {
			groups = append(groups, g.Name)
		}
		out.users[u.Username] = facts{userName: u.Username, userNumber: strconv.Itoa(u.Number), userUUID: u.UUID, userMail: u.Email,
			userFullName: u.FullName, userGroups: once(w.t, groups).String()}
	}
	return out
}

func (g graphQLGroup) facts(t testing.TB) facts {
	t.Helper()
	members, admins := once(t, usernames(g.Members.Nodes)), once(t, usernames(g.Admins.Nodes))
	if g.Members.TotalCount != len(members) || g.Admins.TotalCount != len(admins) {
		t.Errorf("totals of %s: %d members, %d admins", g.Name, g.Members.TotalCount, g.Admins.TotalCount)
	}
	tags, ts := map[string]string{}, []token{}
	for _, tag := range g.Tags {
		tags[tag.Key] = tag.Value
	}
	for _, k := range g.Tokens.Nodes {
		ts = append(ts, token{k.Description, k.Expiration, k.Prefix, k.Number})
	}
	return facts{
		theName: g.Name, theDescription: g.Description, theExternalID: g.ExternalID, theMembers: members.String(), theAdmins: admins.String(),
		theNumbers: numbers(g.MemberCount, g.AdminCount), theTags: spelt(tags), theTokens: tokens(ts), theID: g.ID, theUUID: g.UUID,
		theNumber: strconv.Itoa(g.Number), theHandle: g.Handle, theKind: g.Type, thePublic: strconv.FormatBool(g.Public),
		theFolder:  folder(g.AccessType, g.FolderOwner.Username, g.UseDefaultStorage),
		theVersion: strconv.Itoa(g.Version), theCreation: g.CreatedAt, theChange: g.UpdatedAt,
	}
}

type cdsUser struct {
	ID                        int
	Username, Fullname, Email string
	Admin                     bool
}

type cdsGroup struct {
	ID            int
	Name          string
	Admins, Users []cdsUser
}

func cdsPath(name string) string { return "/group/" + url.PathEscape(name) }

func readCDS(w *world, m *model) reading {
	w.t.Helper()
	out := newReading()
	var list, public []cdsGroup
	w.get(directory.DoorCDS, rootSecret, "/group").decode(w.t, &list)
	w.get(directory.DoorCDS, rootSecret, "/group/public").decode(w.t, &public)
	for i, short := range list {
		var g cdsGroup
		w.get(directory.DoorCDS, rootSecret, cdsPath(short.Name)).decode(w.t, &g)
		if g.ID != short.ID || g.Name != short.Name {
			w.t.Errorf("CDS lists %v and reads %v", short, g)
		}
		out.groups[g.Name] = facts{theName: g.Name, theNumber: strconv.Itoa(g.ID), theAdmins: out.people(w.t, g.Admins), theOrdinary: out.people(w.t, g.Users),
			thePublic: strconv.FormatBool(slices.ContainsFunc(public, func(p cdsGroup) bool { return p.Name == g.Name && p.ID == g.ID }))}
		// Of groups without tokens, one is looked at: a request for each would cost too much.
		if known := m.group(g.Name); i == 0 || known == nil || len(known.tokens) > 0 {
			out.groups[g.Name][theTokens] = w.cdsTokens(g)
		}
	}
	return out
}

func (r reading) people(t testing.TB, us []cdsUser) string {
	t.Helper()
	names := []string{}
	for _, u := range us {
		names = append(names, u.Username)
		r.users[u.Username] = facts{userName: u.Username, userNumber: strconv.Itoa(u.ID), userMail: u.Email, userFullName: u.Fullname}
		if u.Admin != (u.Username == root) {
			t.Errorf("CDS calls %s an administrator: %t", u.Username, u.Admin)
		}
	}
	return once(t, names).String()
}

// cdsTokens are the tokens of a group, in the directory's words.
func (w *world) cdsTokens(g cdsGroup) string {
	w.t.Helper()
	var list []struct {
		ID, Expiration         int
		GroupID                int    `json:"group_id"`
		GroupName              string `json:"group_name"`
		Token, Description     string
		Creator, CreatedAtText string
	}
	w.get(directory.DoorCDS, rootSecret, cdsPath(g.Name)+"/token").decode(w.t, &list)
	ts := []token{}
	for _, k := range list {
		if k.GroupID != g.ID || k.GroupName != g.Name {
			w.t.Errorf("a token of %s says that it is %s's", g.Name, k.GroupName)
		}
		ts = append(ts, token{k.Description, []string{"", "SESSION", "DAILY", "PERSISTENT"}[k.Expiration], strings.TrimSuffix(k.Token, "********"), k.ID})
	}
	return tokens(ts)
}

type entrustGroup struct {
	Created, ID, LastModified, Name, Type string
	ExternalID                            *string
}

func (g entrustGroup) facts() facts {
	f := facts{theName: g.Name, theUUID: g.ID, theKind: g.Type, theCreation: g.Created, theChange: g.LastModified, theExternalID: ""}
	if g.ExternalID != nil {
		f[theExternalID] = *g.ExternalID
	}
	return f
}

func readEntrust(w *world, _ *model) reading {
	w.t.Helper()
	out := newReading()
	var list []entrustGroup
	w.get(directory.DoorEntrust, rootSecret, "/api/web/v1/groups").decode(w.t, &list)
	for _, g := range list {
		out.groups[g.Name] = g.facts()
	}
	return out
}

type authressGroup struct {
	GroupID, Name, LastUpdated string
	Users, Admins              []struct{ UserID string }
	Tags                       map[string]string
}

func readAuthress(w *world, _ *model) reading {
	w.t.Helper()
	out := newReading()
	for _, g := range w.authressGroups(rootSecret, 20) {
		out.groups[g.Name] = facts{theName: g.Name, theHandle: g.GroupID, theChange: g.LastUpdated, theTags: spelt(g.Tags),
			theMembers: out.userIDs(w.t, g.Users), theAdmins: out.userIDs(w.t, g.Admins)}
	}
	return out
}

func (r reading) userIDs(t testing.TB, us []struct{ UserID string }) string {
	t.Helper()
	names := []string{}
	for _, u := range us {
		names = append(names, u.UserID)
		r.users[u.UserID] = facts{userName: u.UserID}
	}
	return once(t, names).String()
}

// authressGroups are all pages of the list.
func (w *world) authressGroups(secret string, limit int) []authressGroup {
	w.t.Helper()
	var out []authressGroup
	for path := "/v1/groups?limit=" + strconv.Itoa(limit); path != ""; {
		var page struct {
			Groups     []authressGroup
			Pagination struct{ Next *struct{ Cursor string } }
		}
		w.get(directory.DoorAuthress, secret, path).decode(w.t, &page)
		out = append(out, page.Groups...)
		if path = ""; page.Pagination.Next != nil {
			path = "/v1/groups?cursor=" + url.QueryEscape(page.Pagination.Next.Cursor)
		}
	}
	return out
}

func readD4Science(w *world, m *model) reading {
	w.t.Helper()
	out := newReading()
	for _, g := range m.groups {
		path := "/groups/" + url.PathEscape(g.name)
		people, admins := w.names(rootSecret, path+"/users"), w.names(rootSecret, path+"/admins")
		out.groups[g.name] = facts{theName: g.name, thePeople: once(w.t, people).String(), theAdmins: once(w.t, admins).String()}
		for _, n := range people {
			out.users[n] = facts{userName: n}
		}
	}
	return out
}

// names reads a list of D4Science's.
func (w *world) names(secret, path string) []string {
	w.t.Helper()
	var list []string
	w.get(directory.DoorD4Science, secret, path).decode(w.t, &list)
	return list
}

type testerUser struct {
	ID, UserName, Email, FirstName, LastName string
	Groups                                   []struct{ ID, Name string }
}

func (u testerUser) facts() facts {
	return facts{userName: u.UserName, userUUID: u.ID, userMail: u.Email, userFullName: strings.TrimSuffix(u.FirstName+" "+u.LastName, " ")}
}

type testerGroup struct {
	ID, Name, Description string
	Users                 []testerUser
}

func readEnterpriseTester(w *world, _ *model) reading {
	w.t.Helper()
	out := newReading()
	var list struct {
		Total int
		Items []testerGroup
	}
	w.get(directory.DoorEnterpriseTester, rootSecret, "/api/groups?$expand=Users&$inlinecount=allpages").decode(w.t, &list)
	if list.Total != len(list.Items) {
		w.t.Errorf("Enterprise Tester counts %d groups and lists %d", list.Total, len(list.Items))
	}
	for _, g := range list.Items {
		names := []string{}
		for _, u := range g.Users {
			names = append(names, u.UserName)
			out.users[u.UserName] = u.facts()
		}
		out.groups[g.Name] = facts{theName: g.Name, theDescription: g.Description, theUUID: g.ID, theMembers: once(w.t, names).String()}
	}
	return out
}

// readOwn reads a user's own groups through the doors that show them.
var readOwn = map[directory.Door]func(w *world, secret string) []string{
	directory.DoorGraphQL: func(w *world, secret string) []string {
		w.t.Helper()
		var v struct {
			Viewer struct{ Groups struct{ Nodes []named } }
		}
		w.ask(secret, `{ viewer { groups(first: 200) { nodes { name } } } }`, nil, &v)
		return namesIn(v.Viewer.Groups.Nodes)
	},
	directory.DoorCDS: func(w *world, secret string) []string {
		w.t.Helper()
		var list []named
		w.get(directory.DoorCDS, secret, "/group").decode(w.t, &list)
		return namesIn(list)
	},
	directory.DoorD4Science: func(w *world, secret string) []string {
		w.t.Helper()
		return w.names(secret, "/storagehub/workspace/groups")
	},
}

// readVisible reads the groups that a user sees in the lists of the other doors.
var readVisible = map[directory.Door]func(w *world, secret string) []string{
	directory.DoorGraphQL: func(w *world, secret string) []string {
		w.t.Helper()
		var v struct{ Groups struct{ Nodes []named } }
		w.ask(secret, `{ groups(first: 200) { nodes { name } } }`, nil, &v)
		return namesIn(v.Groups.Nodes)
	},
	directory.DoorAuthress: func(w *world, secret string) []string {
		w.t.Helper()
		names := []string{}
		for _, g := range w.authressGroups(secret, 2) {
			names = append(names, g.Name)
		}
		return names
	},
	directory.DoorEnterpriseTester: func(w *world, secret string) []string {
		w.t.Helper()
		var list struct{ Items []named }
		w.get(directory.DoorEnterpriseTester, secret, "/api/groups").decode(w.t, &list)
		return namesIn(list.Items)
	},
}

func namesIn(list []named) []string {
	out := []string{}
	for _, e := range list {
		out = append(out, e.Name)
	}
	return out
}

// same reports whether two JSON texts say the same.
func same(t testing.TB, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		t.Fatalf("not JSON: %s or %s", a, b)
	}
	p, _ := json.Marshal(x) // what was read as JSON can be written
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
