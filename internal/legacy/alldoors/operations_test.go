package alldoors_test

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"strconv"
	"strings"

	"roster/internal/directory"
)

// operations are every write of every legacy door; those of GraphQL are in operations_graphql_test.go.
var operations = map[directory.Door][]operation{
	directory.DoorCDS: {
		{"addGroup", cdsAddGroup}, {"updateGroup", cdsUpdateGroup}, {"deleteGroup", cdsDeleteGroup}, {"addUserInGroup", cdsAddUsers},
		{"removeUserFromGroup", cdsRemoveUser}, {"setUserGroupAdmin", cdsSetAdmin}, {"removeUserGroupAdmin", cdsRemoveAdmin},
		{"generateToken", cdsGenerateToken}, {"deleteToken", cdsDeleteToken},
	},
	directory.DoorEntrust: {
		{"createGroup", entrustCreate}, {"updateGroup", entrustUpdate}, {"deleteGroup", entrustDelete}, {"setUserGroups", entrustSetUserGroups},
	},
	directory.DoorAuthress: {{"create_group", authressCreate}, {"update_group", authressUpdate}, {"delete_group", authressDelete}},
	directory.DoorD4Science: {
		{"createGroup", d4scienceCreate}, {"deleteGroup", d4scienceDelete}, {"addUser", d4scienceAddUser}, {"removeUser", d4scienceRemoveUser},
		{"addAdmin", d4scienceAddAdmin}, {"removeAdmin", d4scienceRemoveAdmin},
	},
	directory.DoorEnterpriseTester: {
		{"createGroup", testerCreate}, {"updateGroup", testerUpdate}, {"deleteGroup", testerDelete}, {"setGroupMembers", testerSetMembers},
	},
	directory.DoorGraphQL: graphQLOperations,
}

func cdsAddGroup(r *run) step {
	name := r.freeName()
	a := r.act()
	o := a.createGroup(newGroup{name: name, access: "READ_ONLY", storage: true})
	return r.step(request{method: "POST", path: "/group", body: encoded(map[string]any{"id": 0, "name": name})}, a, o, 201, func(r *run, a answer) {
		if want := `{"id":` + strconv.Itoa(r.model.group(name).number) + `,"name":` + quoted(name) + `}`; a.body != want {
			r.w.t.Errorf("the answer is %s, not %s", a.body, want)
		}
	})
}

// quoted is a text in JSON as the doors write it: < > & as they are.
func quoted(text string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(encoded(text))
}

func cdsUsers(names []string) []map[string]string {
	out := []map[string]string{}
	for _, n := range names {
		out = append(out, map[string]string{"username": n})
	}
	return out
}

// cdsUpdateGroup replaces everybody; or it renames as CDS's client does, which writes back what it read.
func cdsUpdateGroup(r *run) step {
	g := r.some()
	name := pick(r, r.newName(), nameOf(g))
	admins, members := r.users(0, 2), r.users(0, 3)
	if g != nil && r.chance(40) {
		admins, members = names(g.admins), names(g.members.but(g.admins))
	}
	a := r.act()
	o := a.replaceGroup(nameOf(g), patch{name: &name}, members, admins, directory.OnUnknownUserFail, true)
	body := encoded(map[string]any{"name": name, "admins": cdsUsers(admins), "users": cdsUsers(members)})
	return r.step(request{method: "PUT", path: "/group/" + r.path(g), body: body}, a, o, 200, func(r *run, a answer) {
		var echo cdsGroup
		a.decode(r.w.t, &echo)
		if echo.Name != name || echo.ID != r.model.group(name).number || len(echo.Admins) != len(admins) || len(echo.Users) != len(members) {
			r.w.t.Errorf("the echo is %s", a)
		}
	})
}

func names(s set) []string {
	out := []string{}
	for n := range strings.SplitSeq(s.String(), ", ") {
		if n != "" {
			out = append(out, n)
		}
	}
	return out
}

func cdsDeleteGroup(r *run) step {
	g, a := r.some(), r.act()
	return r.step(request{method: "DELETE", path: "/group/" + r.path(g)}, a, a.deleteGroup(nameOf(g)), 204, nil)
}

func cdsAddUsers(r *run) step {
	g := r.some()
	users, a := r.nearly(g, 0, 3), r.act()
	o := a.addMembers(nameOf(g), users, directory.OnUnknownUserFail, true)
	return r.step(request{method: "POST", path: "/group/" + r.path(g) + "/user", body: encoded(users)}, a, o, 204, nil)
}

func cdsRemoveUser(r *run) step {
	g := r.some()
	user, a := r.userOf(g), r.act()
	o := a.removeMembers(nameOf(g), []string{user}, true)
	return r.step(request{method: "DELETE", path: "/group/" + r.path(g) + "/user/" + url.PathEscape(user)}, a, o, 204, nil)
}

func cdsSetAdmin(r *run) step {
	g := r.some()
	user, a := r.userOf(g), r.act()
	o := a.addAdmins(nameOf(g), []string{user}, directory.OnUnknownUserFail, true)
	return r.step(request{method: "POST", path: "/group/" + r.path(g) + "/user/" + url.PathEscape(user) + "/admin", body: pick(r, "", "null")}, a, o, 204, nil)
}

func cdsRemoveAdmin(r *run) step {
	g := r.led()
	user, a := r.adminOf(g), r.act()
	o := a.removeAdmins(nameOf(g), []string{user}, false)
	return r.step(request{method: "DELETE", path: "/group/" + r.path(g) + "/user/" + url.PathEscape(user) + "/admin"}, a, o, 204, nil)
}

func cdsGenerateToken(r *run) step {
	g, description, life, a := r.some(), r.fresh("token"), pick(r, "session", "daily", "persistent"), r.act()
	o := a.createToken(nameOf(g), description, strings.ToUpper(life))
	body := encoded(map[string]string{"expiration": life, "description": description})
	return r.step(request{method: "POST", path: "/group/" + r.path(g) + "/token", body: body}, a, o, 200, func(r *run, a answer) {
		var t struct {
			ID    int
			Token string
		}
		a.decode(r.w.t, &t)
		for _, k := range r.model.group(nameOf(g)).tokens {
			if k.description == description && (k.number != t.ID || !strings.HasPrefix(t.Token, k.prefix)) {
				r.w.t.Errorf("the token is %s, and shown as %+v", a, k)
			}
		}
	})
}

func cdsDeleteToken(r *run) step {
	g, a := r.some(), r.act()
	number := r.anyToken()
	o := a.revokeToken(nameOf(g), number)
	return r.step(request{method: "DELETE", path: "/group/" + r.path(g) + "/token/" + strconv.Itoa(number)}, a, o, 200, says("null"))
}

// anyToken is the number of a token of any group, or of none.
func (r *run) anyToken() int {
	numbers := []int{4711}
	for _, g := range r.model.groups {
		for _, t := range g.tokens {
			numbers = append(numbers, t.number)
		}
	}
	return pick(r, numbers...)
}

const entrustRoot = "/api/web/v1"

func entrustCreate(r *run) step {
	in := newGroup{name: r.freeName(), access: "READ_ONLY", storage: true, admins: []string{}}
	body := map[string]any{"name": in.name}
	if r.chance(50) {
		in.externalID = r.externalID()
		body["externalId"] = in.externalID
	}
	a := r.act()
	o := a.createGroup(in)
	return r.step(request{method: "POST", path: entrustRoot + "/groups", body: encoded(body)}, a, o, 200,
		sameAs(r.door, func(m *model) string { return entrustRoot + "/groups/" + m.group(in.name).uuid }))
}

func entrustUpdate(r *run) step {
	g, p, body := r.some(), patch{}, map[string]any{"name": nil}
	if r.chance(60) {
		p.name = ptr(pick(r, r.newName(), nameOf(g)))
		body["name"] = p.name
	}
	if r.chance(60) {
		p.externalID = ptr(pick(r, "", r.externalID()))
		body["externalId"] = p.externalID
	}
	a := r.act()
	o := a.updateGroup(nameOf(g), p)
	at := entrustRoot + "/groups/" + r.uuid(g)
	return r.step(request{method: "PUT", path: at, body: encoded(body)}, a, o, 200, sameAs(r.door, func(*model) string { return at }))
}

func entrustDelete(r *run) step {
	g, a := r.some(), r.act()
	return r.step(request{method: "DELETE", path: entrustRoot + "/groups/" + r.uuid(g)}, a, a.deleteGroup(nameOf(g)), 200, says(""))
}

func entrustSetUserGroups(r *run) step {
	user := r.user()
	names, ids := []string{}, []string{}
	for range r.rng.IntN(4) {
		g := r.some()
		names, ids = append(names, nameOf(g)), append(ids, r.uuid(g))
	}
	id := nowhereUUID
	if u := r.model.user(user); u != nil {
		id = u.uuid
	}
	a := r.act()
	o := a.setUserGroups(user, names)
	return r.step(request{method: "PUT", path: entrustRoot + "/userauthorizationgroup/" + id + "/groups", body: encoded(ids)}, a, o, 200, says(""))
}

func authressUsers(names []string) []map[string]string {
	out := []map[string]string{}
	for _, n := range names {
		out = append(out, map[string]string{"userId": n})
	}
	return out
}

func authressCreate(r *run) step {
	in := newGroup{name: r.freeName(), access: "READ_ONLY", storage: true, members: r.users(0, 3), admins: r.users(0, 2), unknown: directory.OnUnknownUserCreate}
	body := map[string]any{"name": in.name, "users": authressUsers(in.members), "admins": authressUsers(in.admins)}
	if r.chance(50) {
		in.handle = pick(r, "grp_1", "grp_2", "a-B_c")
		body["groupId"] = in.handle
	}
	if r.chance(50) {
		in.tags = r.tags()
		body["tags"] = in.tags
	}
	a := r.act()
	o := a.createGroup(in)
	return r.step(request{method: "POST", path: "/v1/groups", body: encoded(body)}, a, o, 201,
		sameAs(r.door, func(m *model) string { return "/v1/groups/" + m.group(in.name).handle }))
}

func authressUpdate(r *run) step {
	g := r.some()
	p := patch{name: ptr(pick(r, r.newName(), nameOf(g), nameOf(g)))}
	members, admins := r.users(0, 3), r.users(0, 2)
	body := map[string]any{"name": p.name, "users": authressUsers(members), "admins": authressUsers(admins)}
	if r.chance(50) {
		p.tags = r.tags()
		body["tags"] = p.tags
	}
	a := r.act()
	o := a.replaceGroup(nameOf(g), p, members, admins, directory.OnUnknownUserCreate, false)
	at := "/v1/groups/" + r.handle(g)
	return r.step(request{method: pick(r, "PUT", "PUT", "POST"), path: at, body: encoded(body)}, a, o, 200, sameAs(r.door, func(*model) string { return at }))
}

func authressDelete(r *run) step {
	g, a := r.some(), r.act()
	return r.step(request{method: "DELETE", path: "/v1/groups/" + r.handle(g)}, a, a.deleteGroup(nameOf(g)), 204, says(""))
}

// hub is the GroupManager under one of its paths.
func (r *run) hub(path string) string {
	return pick(r, "", "/workspace", "/storagehub/workspace") + "/groups" + path
}

var urlencoded = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}

func d4scienceCreate(r *run) step {
	in := newGroup{name: r.freeName(), access: "WRITE_OWNER", storage: true, admins: []string{}}
	form := url.Values{"group": {in.name}}
	if r.chance(50) {
		in.access, in.storage = pick(r, "READ_ONLY", "WRITE_OWNER", "WRITE_ALL", "ADMINISTRATOR"), r.chance(50)
		form.Set("accessType", in.access)
		form.Set("useDefaultStorage", strconv.FormatBool(in.storage))
	}
	if r.chance(50) {
		owner := r.user()
		form.Set("folderOwner", owner)
		if in.owner = owner; r.model.user(owner) != nil {
			in.owner = r.model.user(owner).username
		}
	}
	a := r.act()
	o := a.createGroup(in)
	req := request{method: "POST", path: r.hub(""), header: urlencoded, body: form.Encode()}
	if r.chance(50) {
		req.header, req.body = multiparted(form)
	}
	return r.step(req, a, o, 200, says(in.name))
}

func multiparted(form url.Values) (map[string]string, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name := range form {
		_ = w.WriteField(name, form.Get(name)) // into memory
	}
	_ = w.Close()
	return map[string]string{"Content-Type": w.FormDataContentType()}, b.String()
}

func d4scienceDelete(r *run) step {
	g, a := r.some(), r.act()
	at := r.path(g)
	name, err := url.PathUnescape(at)
	if err != nil {
		panic(err) // it was escaped a line above
	}
	return r.step(request{method: "DELETE", path: r.hub("/" + at)}, a, a.deleteGroup(nameOf(g)), 200, says(name))
}

func d4scienceAddUser(r *run) step {
	g := r.some()
	user, a := pick(r, r.adminOf(g), r.near(g), r.user()), r.act()
	o := a.addMembers(nameOf(g), []string{user}, directory.OnUnknownUserFail, true)
	at := r.hub("/" + r.path(g) + pick(r, "/users", "/users", ""))
	return r.step(request{method: "PUT", path: at, header: urlencoded, body: "userId=" + url.QueryEscape(user)}, a, o, 200, says(strconv.FormatBool(o.did)))
}

func d4scienceRemoveUser(r *run) step {
	g := r.some()
	user, a := r.userOf(g), r.act()
	o := a.removeMembers(nameOf(g), []string{user}, false)
	at := r.hub("/" + r.path(g) + "/users/" + url.PathEscape(user))
	return r.step(request{method: "DELETE", path: at}, a, o, 200, says(strconv.FormatBool(o.did)))
}

func d4scienceAddAdmin(r *run) step {
	g := r.some()
	user, a := pick(r, r.near(g), r.user()), r.act()
	o := a.addAdmins(nameOf(g), []string{user}, directory.OnUnknownUserFail, false)
	at := r.hub("/" + r.path(g) + "/admins")
	return r.step(request{method: "PUT", path: at, header: urlencoded, body: "userId=" + url.QueryEscape(user)}, a, o, 204, says(""))
}

func d4scienceRemoveAdmin(r *run) step {
	g := r.led()
	user, a := r.adminOf(g), r.act()
	o := a.removeAdmins(nameOf(g), []string{user}, true)
	return r.step(request{method: "DELETE", path: r.hub("/" + r.path(g) + "/admins/" + url.PathEscape(user))}, a, o, 204, says(""))
}

func testerCreate(r *run) step {
	in := newGroup{name: r.freeName(), access: "READ_ONLY", storage: true, admins: []string{}, description: pick(r, "", "for tests", "ü <&> \n")}
	a := r.act()
	o := a.createGroup(in)
	body := encoded(map[string]any{"Id": nil, "Name": in.name, "Description": in.description, "Links": []string{}})
	return r.step(request{method: "POST", path: "/api/groups", body: body}, a, o, 200,
		sameAs(r.door, func(m *model) string { return "/api/group/" + m.group(in.name).uuid }))
}

func testerUpdate(r *run) step {
	g := r.some()
	p := patch{name: ptr(pick(r, r.newName(), nameOf(g), nameOf(g))), description: ptr(pick(r, "", "for tests", "another"))}
	body := map[string]any{"Name": p.name, "Description": p.description}
	switch r.rng.IntN(4) {
	case 0:
		p.description = ptr("")
		delete(body, "Description") // which makes it empty
	case 1:
		p.description, body["Description"] = ptr(""), nil
	}
	a := r.act()
	o := a.updateGroup(nameOf(g), p)
	at := "/api/group/" + r.uuid(g)
	return r.step(request{method: "PUT", path: at, body: encoded(body)}, a, o, 200, sameAs(r.door, func(*model) string { return at }))
}

func testerDelete(r *run) step {
	g, a := r.some(), r.act()
	return r.step(request{method: "DELETE", path: "/api/group/" + r.uuid(g)}, a, a.deleteGroup(nameOf(g)), 200, says(""))
}

func testerSetMembers(r *run) step {
	g := r.some()
	users, a := r.nearly(g, 0, 4), r.act()
	items := []map[string]any{}
	for _, n := range users {
		if u := r.model.user(n); u != nil && r.chance(50) {
			items = append(items, map[string]any{"Id": u.uuid, "UserName": "not looked at"})
		} else {
			items = append(items, map[string]any{"UserName": n})
		}
	}
	o := a.setMembers(nameOf(g), users, nil, directory.OnUnknownUserFail)
	at := "/api/group/" + r.uuid(g) + "/users"
	return r.step(request{method: "PUT", path: at, body: encoded(map[string]any{"Items": items})}, a, o, 200, sameAs(r.door, func(*model) string { return at }))
}
