package alldoors_test

import (
	"fmt"
	"strings"

	"roster/internal/directory"
)

var graphQLOperations = []operation{
	{"createGroup", graphCreateGroup}, {"updateGroup", graphUpdateGroup}, {"deleteGroup", graphDeleteGroup}, {"addMembers", graphAddMembers},
	{"removeMembers", graphRemoveMembers}, {"setMembers", graphSetMembers}, {"setUserGroups", graphSetUserGroups}, {"addAdmins", graphAddAdmins},
	{"removeAdmins", graphRemoveAdmins}, {"createToken", graphCreateToken}, {"revokeToken", graphRevokeToken}, {"createUser", graphCreateUser},
	{"deleteUser", graphDeleteUser},
}

// mutation is a step through GraphQL. Now and then it is a dry run, which says what it would do and does nothing, or comes with the
// version of the group that it is on, or with a wrong one.
func (r *run) mutation(name string, input map[string]any, on *group, a *act, o outcome) step {
	if on != nil && r.by == root && r.chance(20) {
		input["expectedVersion"] = on.version
		if r.chance(30) {
			input["expectedVersion"], o = on.version+1, refused(directory.Conflict, forGroup)
		}
	}
	dry := r.chance(10)
	if dry {
		input["dryRun"] = true
	}
	query := fmt.Sprintf("mutation($input: %s%sInput!) { %s(input: $input) { dryRun changes { kind groupName username via actor } } }",
		strings.ToUpper(name[:1]), name[1:], name)
	s := r.step(graphql("", query, map[string]any{"input": input}), a, o, 200, func(r *run, a answer) { r.payload(a, o, dry) })
	if dry && o.code == "" {
		s.next, s.outcome = r.model, outcome{}
	}
	return s
}

// payload looks at the changes that a mutation says it wrote.
func (r *run) payload(a answer, o outcome, dry bool) {
	r.w.t.Helper()
	var out struct {
		Data map[string]struct {
			DryRun  bool
			Changes []struct{ Kind, GroupName, Username, Via, Actor string }
		}
		Errors []any
	}
	a.decode(r.w.t, &out)
	for _, p := range out.Data {
		lines := []string{}
		for _, c := range p.Changes {
			lines = append(lines, line(change{c.Kind, c.GroupName, c.Username}, c.Via, c.Actor))
		}
		if got, want := sorted(lines), sorted(r.lines(o)); got != want || p.DryRun != dry {
			r.w.t.Errorf("the payload says (dry run: %t)\n%s\nnot\n%s", p.DryRun, got, want)
		}
	}
	if len(out.Errors) > 0 || len(out.Data) != 1 {
		r.w.t.Errorf("it failed: %s", a)
	}
}

// ref is a group in one of the ways that GraphQL names it.
func (r *run) ref(g *group) map[string]any {
	if g == nil {
		return pick(r, map[string]any{"name": nowhere}, map[string]any{"uuid": nowhereUUID}, map[string]any{"handle": nowhere}, map[string]any{"number": 4711})
	}
	if g.externalID != "" && r.chance(20) {
		return map[string]any{"externalId": g.externalID}
	}
	return pick(r, map[string]any{"name": r.cased(g.name)}, map[string]any{"uuid": r.uuid(g)}, map[string]any{"handle": g.handle},
		map[string]any{"number": g.number}, map[string]any{"id": g.id})
}

// userRef is a user in one of the ways that GraphQL names them. Numbers can be counted through: they are for who may look users up.
func (r *run) userRef(name string) map[string]any {
	switch u := r.model.user(name); {
	case u == nil, r.chance(50):
		return map[string]any{"username": name}
	case r.by == root && r.chance(50):
		return map[string]any{"number": u.number}
	default:
		return map[string]any{"uuid": u.uuid}
	}
}

func (r *run) userRefs(names []string) []any {
	refs := []any{}
	for _, n := range names {
		refs = append(refs, r.userRef(n))
	}
	return refs
}

// unknown says what to do about users who do not exist: only who may edit users can have them created.
func (r *run) unknown(input map[string]any) directory.OnUnknownUser {
	u := pick(r, directory.OnUnknownUserFail, directory.OnUnknownUserFail, directory.OnUnknownUserSkip, directory.OnUnknownUserCreate)
	if u == directory.OnUnknownUserCreate && r.by != root {
		u = directory.OnUnknownUserFail
	}
	input["onUnknownUser"] = u
	return u
}

func tagInputs(tags map[string]string) []map[string]string {
	out := []map[string]string{}
	for k, v := range tags {
		out = append(out, map[string]string{"key": k, "value": v})
	}
	return out
}

func graphCreateGroup(r *run) step {
	in := newGroup{name: r.freeName(), access: "READ_ONLY", storage: true, description: pick(r, "", "made by GraphQL"), public: r.chance(40), members: r.users(0, 4)}
	input := map[string]any{"name": in.name, "description": in.description, "public": in.public, "members": r.userRefs(in.members)}
	if r.chance(50) {
		in.admins = r.users(0, 3)
		input["admins"] = r.userRefs(in.admins)
	}
	if r.chance(40) {
		in.handle, in.externalID, in.tags = pick(r, "grp_1", "grp_2", "a-B_c"), r.externalID(), r.tags()
		input["handle"], input["externalId"], input["tags"] = in.handle, in.externalID, tagInputs(in.tags)
	}
	a := r.act()
	return r.mutation("createGroup", input, nil, a, a.createGroup(in))
}

func graphUpdateGroup(r *run) step {
	g, p := r.some(), patch{}
	input := map[string]any{"group": r.ref(g)}
	for _, set := range []func(){
		func() { p.name = ptr(pick(r, r.newName(), nameOf(g))); input["name"] = p.name },
		func() { p.description = ptr(pick(r, "", "changed")); input["description"] = p.description },
		func() { p.public = ptr(r.chance(50)); input["public"] = p.public },
		func() { p.tags = r.tags(); input["tags"] = tagInputs(p.tags) },
		func() { p.access = ptr(pick(r, "READ_ONLY", "WRITE_ALL")); input["accessType"] = p.access },
		func() { p.storage = ptr(r.chance(50)); input["useDefaultStorage"] = p.storage },
		func() { p.owner = ptr(""); input["folderOwner"] = nil },
		func() { p.externalID = ptr(""); input["externalId"] = nil },
		func() { p.externalID = ptr(r.externalID()); input["externalId"] = p.externalID },
	} {
		if r.chance(25) {
			set()
		}
	}
	a := r.act()
	return r.mutation("updateGroup", input, g, a, a.updateGroup(nameOf(g), p))
}

func graphDeleteGroup(r *run) step {
	g, a := r.some(), r.act()
	return r.mutation("deleteGroup", map[string]any{"group": r.ref(g)}, g, a, a.deleteGroup(nameOf(g)))
}

func graphAddMembers(r *run) step {
	g := r.some()
	users := r.nearly(g, 1, 4)
	input := map[string]any{"group": r.ref(g), "users": r.userRefs(users)}
	unknown, a := r.unknown(input), r.act()
	return r.mutation("addMembers", input, g, a, a.addMembers(nameOf(g), users, unknown, false))
}

func graphRemoveMembers(r *run) step {
	g := r.some()
	users, a := append(r.users(0, 1), r.userOf(g)), r.act()
	input := map[string]any{"group": r.ref(g), "users": r.userRefs(users)}
	return r.mutation("removeMembers", input, g, a, a.removeMembers(nameOf(g), users, false))
}

func graphSetMembers(r *run) step {
	g, members := r.some(), r.users(0, 4)
	input := map[string]any{"group": r.ref(g), "members": r.userRefs(members)}
	var admins []string
	if r.chance(50) {
		admins = r.users(0, 3)
		input["admins"] = r.userRefs(admins)
	}
	unknown, a := r.unknown(input), r.act()
	return r.mutation("setMembers", input, g, a, a.setMembers(nameOf(g), members, admins, unknown))
}

// graphSetUserGroups is the administrator's: for others it is a matter of each group.
func graphSetUserGroups(r *run) step {
	r.by = root
	user, names, refs := r.user(), []string{}, []any{}
	for range r.rng.IntN(4) {
		g := r.some()
		names, refs = append(names, nameOf(g)), append(refs, r.ref(g))
	}
	a := r.act()
	return r.mutation("setUserGroups", map[string]any{"user": r.userRef(user), "groups": refs}, nil, a, a.setUserGroups(user, names))
}

func graphAddAdmins(r *run) step {
	g := r.some()
	users := r.nearly(g, 1, 3)
	input := map[string]any{"group": r.ref(g), "users": r.userRefs(users)}
	unknown, a := r.unknown(input), r.act()
	return r.mutation("addAdmins", input, g, a, a.addAdmins(nameOf(g), users, unknown, false))
}

func graphRemoveAdmins(r *run) step {
	g := r.led()
	users, a := append(r.users(0, 1), r.adminOf(g)), r.act()
	input := map[string]any{"group": r.ref(g), "users": r.userRefs(users)}
	return r.mutation("removeAdmins", input, g, a, a.removeAdmins(nameOf(g), users, false))
}

func graphCreateToken(r *run) step {
	g, description, life, a := r.some(), r.fresh("token"), pick(r, "SESSION", "DAILY", "PERSISTENT"), r.act()
	input := map[string]any{"group": r.ref(g), "description": description, "expiration": life}
	return r.mutation("createToken", input, nil, a, a.createToken(nameOf(g), description, life))
}

// graphRevokeToken ends a token by its id. Who may not hears that there is none, whatever group it is of: it is left to the
// administrator here.
func graphRevokeToken(r *run) step {
	r.by = root
	var all struct {
		Tokens struct {
			Nodes []struct {
				ID     string
				Number int
			}
		}
	}
	r.w.ask(rootSecret, `{ tokens(first: 200, filter: {status: ACTIVE}) { nodes { id number } } }`, nil, &all)
	g, number, id := "", 0, "tok_01h455vb4pex5vsknk084sn02q"
	for _, h := range r.model.groups {
		for _, t := range h.tokens {
			if number == 0 || r.chance(30) {
				g, number = h.name, t.number
			}
		}
	}
	for _, t := range all.Tokens.Nodes {
		if t.Number == number {
			id = t.ID
		}
	}
	a := r.act()
	return r.mutation("revokeToken", map[string]any{"token": id}, nil, a, a.revokeToken(g, number))
}

func graphCreateUser(r *run) step {
	name, full := r.fresh("new"), pick(r, "", "Somebody New", "One")
	if r.chance(40) {
		name = r.cased(pick(r, r.model.users...).username)
	}
	a := r.act()
	o := a.createUser(name, name+"@example.org", full)
	return r.mutation("createUser", map[string]any{"username": name, "email": name + "@example.org", "fullName": full}, nil, a, o)
}

// graphDeleteUser deletes one who has no token: the others read in these tests.
func graphDeleteUser(r *run) step {
	name := r.fresh("ghost")
	for _, u := range r.model.users {
		if u.secret == "" && r.chance(50) {
			name = u.username
		}
	}
	a := r.act()
	return r.mutation("deleteUser", map[string]any{"user": r.userRef(name)}, nil, a, a.deleteUser(name))
}
