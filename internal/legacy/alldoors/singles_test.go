package alldoors_test

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// singles reads one of the groups by other ways that two of the doors have: by each of its names, as a page of a search, with links.
func (r *run) singles() {
	r.w.t.Helper()
	if len(r.model.groups) == 0 {
		return
	}
	g := pick(r, r.model.groups...)
	for _, read := range some(r, 2, []func(*group){r.singleGraphQL, r.singleCDS, r.singleEntrust, r.singleAuthress, r.singleD4Science, r.singleEnterpriseTester}) {
		read(g)
	}
}

// holds compares what one read found with what the door is to show of the group; only what was found counts.
func (r *run) holds(door directory.Door, how string, g *group, got facts) {
	r.w.t.Helper()
	want := seenThrough(door, g.facts())
	for f := range want {
		if _, found := got[f]; !found {
			delete(want, f)
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(got) == 0 {
		r.w.t.Errorf("%s %s, for %s (-want +got):\n%s", door, how, g.name, d)
	}
}

func (r *run) singleGraphQL(g *group) {
	r.w.t.Helper()
	var v struct{ Group *graphQLGroup }
	by := r.ref(g)
	r.w.ask(rootSecret, `query($by: GroupRef!) { group(by: $by) { name uuid } }`, map[string]any{"by": by}, &v)
	if v.Group == nil {
		r.w.t.Errorf("GraphQL has no group %v", by)
		return
	}
	r.holds(directory.DoorGraphQL, "group(by:)", g, facts{theName: v.Group.Name, theUUID: v.Group.UUID})
}

func (r *run) singleCDS(g *group) {
	r.w.t.Helper()
	var v cdsGroup
	r.w.get(directory.DoorCDS, rootSecret, "/group/"+r.path(g)).decode(r.w.t, &v)
	r.holds(directory.DoorCDS, "GET /group/{name}", g, facts{theName: v.Name, theNumber: strconv.Itoa(v.ID)})
	for _, list := range []string{"/action", "/worker/model"} {
		if a := r.w.get(directory.DoorCDS, rootSecret, "/group/"+strconv.Itoa(g.number)+list); a.body != "[]" {
			r.w.t.Errorf("GET /group/%d%s: %s", g.number, list, a)
		}
	}
}

func (r *run) singleEntrust(g *group) {
	r.w.t.Helper()
	var v entrustGroup
	r.w.get(directory.DoorEntrust, rootSecret, entrustRoot+"/groups/"+r.uuid(g)).decode(r.w.t, &v)
	r.holds(directory.DoorEntrust, "GET /groups/{id}", g, v.facts())

	id := r.cased(g.name)
	if g.externalID != "" && r.chance(50) {
		id = g.externalID
	}
	v = entrustGroup{}
	r.post(entrustRoot+"/groups/externalid", map[string]any{"id": id}).decode(r.w.t, &v)
	r.holds(directory.DoorEntrust, "POST /groups/externalid", g, v.facts())

	var page struct{ Results []entrustGroup }
	r.post(entrustRoot+"/groupspaged", map[string]any{"limit": 2, "searchByAttributes": []any{
		map[string]any{"name": "name", "operator": "EQUALS", "value": r.cased(g.name)}}}).decode(r.w.t, &page)
	if len(page.Results) != 1 {
		r.w.t.Errorf("Entrust finds %d groups called %s", len(page.Results), g.name)
		return
	}
	r.holds(directory.DoorEntrust, "POST /groupspaged", g, page.Results[0].facts())
}

// post reads by POST, as Entrust does.
func (r *run) post(path string, body any) answer {
	r.w.t.Helper()
	a := r.w.send(authorised(directory.DoorEntrust, rootSecret, request{method: "POST", path: path, body: encoded(body)}))
	if a.status != 200 {
		r.w.t.Fatalf("POST %s: %s", path, a)
	}
	return a
}

func (r *run) singleAuthress(g *group) {
	r.w.t.Helper()
	var v authressGroup
	r.w.get(directory.DoorAuthress, rootSecret, "/v1/groups/"+g.handle).decode(r.w.t, &v)
	of := newReading()
	f := facts{theName: v.Name, theHandle: v.GroupID, theChange: v.LastUpdated, theTags: spelt(v.Tags),
		theMembers: of.userIDs(r.w.t, v.Users), theAdmins: of.userIDs(r.w.t, v.Admins)}
	r.holds(directory.DoorAuthress, "GET /v1/groups/{groupId}", g, f)

	if ascii(g.name) {
		r.searchAuthress(g)
	}
}

// ascii reports whether the filter finds a name: Postgres keeps what it searches in with the letters beyond ASCII as they are.
func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII })
}

func (r *run) searchAuthress(g *group) {
	r.w.t.Helper()
	var page struct{ Groups []authressGroup }
	r.w.get(directory.DoorAuthress, rootSecret, "/v1/groups?filter="+url.QueryEscape(r.cased(g.name))).decode(r.w.t, &page)
	found := 0
	for _, o := range page.Groups {
		if o.GroupID == g.handle {
			found++
			r.holds(directory.DoorAuthress, "GET /v1/groups?filter=", g, facts{theName: o.Name, theTags: spelt(o.Tags), theChange: o.LastUpdated})
		}
	}
	if found != 1 {
		r.w.t.Errorf("Authress's filter finds %s %d times", g.name, found)
	}
}

func (r *run) singleD4Science(g *group) {
	r.w.t.Helper()
	path := r.hub("/" + r.path(g))
	r.holds(directory.DoorD4Science, path, g, facts{thePeople: once(r.w.t, r.w.names(rootSecret, path+"/users")).String(),
		theAdmins: once(r.w.t, r.w.names(rootSecret, path+"/admins")).String()})
}

func (r *run) singleEnterpriseTester(g *group) {
	r.w.t.Helper()
	at := "/api/group/" + r.uuid(g)
	var v testerGroup
	r.w.get(directory.DoorEnterpriseTester, rootSecret, at+"?%24expand=users").decode(r.w.t, &v)
	names := []string{}
	for _, u := range v.Users {
		names = append(names, u.UserName)
	}
	r.holds(directory.DoorEnterpriseTester, "GET /api/group/{id}", g, facts{theName: v.Name, theDescription: v.Description, theUUID: v.ID,
		theMembers: once(r.w.t, names).String()})

	var list struct {
		Total int
		Items []testerUser
	}
	r.w.get(directory.DoorEnterpriseTester, rootSecret, at+"/users?$expand=Groups&$inlinecount=allpages").decode(r.w.t, &list)
	names = nil
	for _, u := range list.Items {
		names = append(names, u.UserName)
		of := []string{}
		for _, o := range u.Groups {
			of = append(of, o.Name)
		}
		f := u.facts()
		f[userGroups] = once(r.w.t, of).String()
		r.compareUsers(directory.DoorEnterpriseTester, map[string]facts{u.UserName: f})
	}
	r.holds(directory.DoorEnterpriseTester, "GET /api/group/{id}/users", g, facts{theMembers: once(r.w.t, names).String()})
	if list.Total != len(g.members) {
		r.w.t.Errorf("Enterprise Tester counts %d members of %s, not %d", list.Total, g.name, len(g.members))
	}
}
