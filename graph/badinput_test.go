package graph_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/db"
)

// bad is an operation that is refused: with this code, for this input, and with nothing changed.
type bad struct {
	name, query string
	vars        m
	code, field string
}

type m = map[string]any

// write is a bad mutation: op with the input.
func write(name, op string, input m, code, field string) bad {
	query := fmt.Sprintf("mutation($i: %sInput!) { %s(input: $i) { changes { kind } } }", strings.ToUpper(op[:1])+op[1:], op)
	return bad{name, query, m{"i": input}, code, field}
}

// read is a bad query.
func read(name, query, code, field string) bad {
	return bad{name: name, query: query, code: code, field: field}
}

// ask is a bad query whose one variable is $v.
func ask(name, typ, query string, v any, code, field string) bad {
	return bad{name, "query($v: " + typ + ") " + query, m{"v": v}, code, field}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	rows := []bad{}
	for _, some := range [][]bad{badIDs, badReferences, badPages, a.badCursors(t), badLists, badText, badNames, badFilters, badValues} {
		rows = append(rows, some...)
	}
	a.ask(t, a.token, `{ viewer { roles } }`, nil) // so that the token's last use is written
	before := a.dump(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := a.try(t, a.token, row.query, row.vars)
			if len(got.Errors) == 0 {
				t.Fatalf("it was accepted: %v", got.Data)
			}
			e := got.Errors[0].Extensions
			if e.Code != row.code || e.Field != row.field {
				t.Errorf("got %s for %q, want %s for %q: %s", e.Code, e.Field, row.code, row.field, got.Errors[0].Message)
			}
			if e.RequestID != "test" || got.Errors[0].Message == "" {
				t.Errorf("the error lacks the request id or a message: %+v", got.Errors[0])
			}
			if d := cmp.Diff(before, a.dump(t)); d != "" {
				t.Errorf("it changed something:\n%s", d)
			}
		})
	}
}

const (
	someGroup = "grp_01h455vb4pex5vsknk084sn02q"
	someUser  = "usr_01h455vb4pex5vsknk084sn02q"
)

var eng = m{"handle": "eng"}

func userRefs(n int) []m {
	refs := make([]m, n)
	for i := range refs {
		refs[i] = m{"username": fmt.Sprintf("u%d", i)}
	}
	return refs
}

func repeat[T any](v T, n int) []T {
	vs := make([]T, n)
	for i := range vs {
		vs[i] = v
	}
	return vs
}

var badIDs = []bad{
	read("node of no form", `{ node(id: "x") { id } }`, "INVALID", "id"),
	read("node without a prefix", `{ node(id: "01h455vb4pex5vsknk084sn02q") { id } }`, "INVALID", "id"),
	read("node with an unknown prefix", `{ node(id: "xyz_01h455vb4pex5vsknk084sn02q") { id } }`, "INVALID", "id"),
	read("node too large for 128 bits", `{ node(id: "grp_81h455vb4pex5vsknk084sn02q") { id } }`, "INVALID", "id"),
	read("node in upper case", `{ node(id: "grp_01H455VB4PEX5VSKNK084SN02Q") { id } }`, "INVALID", "id"),
	read("nodes", `{ nodes(ids: ["`+someGroup+`", "nope"]) { id } }`, "INVALID", "ids[1]"),
	read("group by a user's id", `{ group(by: {id: "`+someUser+`"}) { id } }`, "INVALID", "by.id"),
	read("group by a long UUID", `{ group(by: {uuid: "{01890a5d-ac96-774b-bcce-b302099a8057}"}) { id } }`, "INVALID", "by.uuid"),
	read("user by a group's id", `{ user(by: {id: "`+someGroup+`"}) { id } }`, "INVALID", "by.id"),
	read("filter by a user's id", `{ groups(filter: {id: {eq: "`+someUser+`"}}) { totalCount } }`, "INVALID", "filter.id.eq"),
	read("filter by ids", `{ groups(filter: {and: [{id: {in: ["`+someGroup+`", "x"]}}]}) { totalCount } }`, "INVALID", "filter.and[0].id.in[1]"),
	read("changes of a user's id", `{ changes(filter: {group: {id: "`+someUser+`"}}) { totalCount } }`, "INVALID", "filter.group.id"),
	read("explainAccess", `{ explainAccess(operation: GROUP_VIEW, group: {id: "x"}) { allowed } }`, "INVALID", "group.id"),
	read("checkMemberships", `{ checkMemberships(pairs: [{group: {name: "a"}, user: {id: "x"}}]) { group } }`, "INVALID", "pairs[0].user.id"),
	write("addMembers", "addMembers", m{"group": eng, "users": []m{{"username": "bob"}, {"id": someGroup}}}, "INVALID", "input.users[1].id"),
	write("setUserGroups", "setUserGroups", m{"user": m{"username": "bob"}, "groups": []m{eng, {"id": "x"}}}, "INVALID", "input.groups[1].id"),
	write("rotateToken", "rotateToken", m{"token": someUser}, "INVALID", "input.token"),
	write("deleteAction", "deleteAction", m{"id": "wkm_01h455vb4pex5vsknk084sn02q"}, "INVALID", "input.id"),
	write("unknown group", "updateGroup", m{"group": m{"id": someGroup}, "name": "x"}, "NOT_FOUND", "input.group"),
	write("unknown deleted group", "restoreGroup", m{"group": m{"id": someGroup}}, "NOT_FOUND", "input.group"),
	write("a group that is there", "restoreGroup", m{"group": eng}, "NOT_FOUND", "input.group"),
	write("a user's id to restore", "restoreGroup", m{"group": m{"id": someUser}}, "INVALID", "input.group.id"),
	write("unknown user", "deleteUser", m{"user": m{"id": someUser}}, "NOT_FOUND", "input.user"),
	write("unknown token", "revokeToken", m{"token": "tok_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND", "input.token"),
	write("unknown action", "deleteAction", m{"id": "act_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND", "input.id"),
	write("unknown worker model", "deleteWorkerModel", m{"id": "wkm_01h455vb4pex5vsknk084sn02q"}, "NOT_FOUND", "input.id"),
	write("unknown member", "removeMembers", m{"group": eng, "users": []m{{"username": "bob"}, {"id": someUser}}}, "NOT_FOUND", "input.users[1]"),
	write("unknown admin", "createGroup", m{"name": "x", "admins": []m{{"uuid": "01890a5d-ac96-774b-bcce-b302099a8057"}}}, "NOT_FOUND", "input.admins[0]"),
	write("unknown group of a user", "setUserGroups", m{"user": m{"username": "bob"}, "groups": []m{eng, {"number": 0}}}, "NOT_FOUND", "input.groups[1]"),
}

var badReferences = []bad{
	ask("two ways", "GroupRef!", `{ group(by: $v) { id } }`, m{"name": "a", "number": 1}, "INVALID", "by"),
	ask("no way", "UserRef!", `{ user(by: $v) { id } }`, m{}, "INVALID", "by"),
	read("two ways in the document", `{ group(by: {name: "a", number: 1}) { id } }`, "GRAPHQL_VALIDATION_FAILED", ""),
	ask("a pair", "[MembershipPair!]!", `{ checkMemberships(pairs: $v) { group } }`, []m{{"group": eng, "user": m{"number": 1}}, {"group": m{"handle": "eng", "name": "x"}, "user": m{"number": 1}}}, "INVALID", "pairs[1].group"),
	ask("a filter", "GroupFilter", `{ groups(filter: $v) { totalCount } }`, m{"not": m{"member": m{"username": "a", "number": 1}}}, "INVALID", "filter.not.member"),
	write("in a list", "addMembers", m{"group": eng, "users": []m{{"username": "ada"}, {"number": 1}, {"username": "ada", "number": 2}}}, "INVALID", "input.users[2]"),
	write("the group", "addMembers", m{"group": m{"handle": "eng", "number": 1}, "users": []m{{"username": "ada"}}}, "INVALID", "input.group"),
	write("the deleted group", "restoreGroup", m{"group": m{}}, "INVALID", "input.group"),
	write("the owner", "updateGroup", m{"group": eng, "folderOwner": m{}}, "INVALID", "input.folderOwner"),
	write("empty", "addMembers", m{"group": eng, "users": []m{{"username": "ada"}, {"number": 1}, {"username": ""}}}, "INVALID", "input.users[2].username"),
	write("NUL", "setMembers", m{"group": eng, "members": []m{}, "admins": []m{{"externalId": "a\x00"}}}, "INVALID", "input.admins[0].externalId"),
	write("long", "addMembers", m{"group": m{"name": strings.Repeat("x", 4097)}, "users": []m{{"number": 1}}}, "INVALID", "input.group.name"),
	write("a created user's name", "addMembers", m{"group": eng, "onUnknownUser": "CREATE", "users": []m{{"username": "ok"}, {"username": "a\nb"}}}, "INVALID", "input.users[1]"),
	write("a created user's long name", "addMembers", m{"group": eng, "onUnknownUser": "CREATE", "users": []m{{"username": strings.Repeat("x", 300)}}}, "INVALID", "input.users[0]"),
	write("a created user by number", "addAdmins", m{"group": eng, "onUnknownUser": "CREATE", "users": []m{{"username": "ok"}, {"number": 77}}}, "NOT_FOUND", "input.users[1]"),
}

var badPages = []bad{
	read("first over 200", `{ groups(first: 201) { totalCount } }`, "LIMIT_EXCEEDED", "first"),
	read("last over 200", `{ users(last: 201) { totalCount } }`, "LIMIT_EXCEEDED", "last"),
	read("first negative", `{ tokens(first: -1) { totalCount } }`, "INVALID", "first"),
	read("last negative", `{ groups(last: -1) { nodes { id } } }`, "INVALID", "last"),
	read("both", `{ groups(first: 1, last: 1) { nodes { id } } }`, "INVALID", "last"),
	read("changes over 200", `{ changes(first: 201) { totalCount } }`, "LIMIT_EXCEEDED", "first"),
	read("nested", `{ groups { nodes { members(first: 201) { totalCount } } } }`, "LIMIT_EXCEEDED", "first"),
	read("deeply nested", `{ groups { edges { node { admins { nodes { user { groups(first: 2, last: 2) { totalCount } } } } } } } }`, "INVALID", "last"),
	read("of a node", `{ node(id: "`+someGroup+`") { id } groups(first: 2147483647) { totalCount } }`, "LIMIT_EXCEEDED", "first"),
	read("order twice", `{ groups(orderBy: [{field: NAME}, {field: CREATED_AT}, {field: NAME}]) { totalCount } }`, "INVALID", "orderBy[2]"),
	read("too deep", `{ groups { nodes { members { nodes { group { members { nodes { group { members { nodes { group { members { nodes { group { id } } } } } } } } } } } } } } }`, "LIMIT_EXCEEDED", ""),
	{name: "too many fields", query: "{" + strings.Repeat("...A ", 30) + "} fragment A on Query {" + strings.Repeat("viewer { roles } ", 40) + "}", code: "LIMIT_EXCEEDED"},
	{name: "too many tokens", query: "{" + strings.Repeat("__typename ", 5000) + "}", code: "GRAPHQL_PARSE_FAILED"},
}

// badCursors are cursors that are damaged, or of another list, order or filter, or made up.
func (a *api) badCursors(t *testing.T) []bad {
	t.Helper()
	cursor := func(query string, path ...any) string {
		s, _ := dig(t, a.ask(t, a.token, query, nil), path...).(string)
		return s
	}
	name := cursor(`{ groups(first: 1) { edges { cursor } } }`, "groups", "edges", 0, "cursor")
	created := cursor(`{ groups(first: 1, orderBy: {field: CREATED_AT}) { edges { cursor } } }`, "groups", "edges", 0, "cursor")
	user := cursor(`{ users(first: 1) { edges { cursor } } }`, "users", "edges", 0, "cursor")
	member := cursor(`{ group(by: {handle: "eng"}) { members(first: 1) { edges { cursor } } } }`, "group", "members", "edges", 0, "cursor")
	change := cursor(`{ changes(first: 1) { edges { cursor } } }`, "changes", "edges", 0, "cursor")
	flipped := []byte(name)
	flipped[len(flipped)/2] ^= 1
	groups := func(what, args string) bad {
		return read("cursor "+what, "{ groups("+args+") { nodes { id } } }", "INVALID", strings.Fields(strings.ReplaceAll(args, ":", " "))[0])
	}
	after := func(c string) string { return `after: "` + c + `"` }
	return []bad{
		groups("of no form", `after: "x"`), groups("empty", `after: ""`), groups("empty before", `before: ""`),
		groups("with a flipped bit", after(string(flipped))), groups("cut short", after(name[:len(name)-2])), groups("with more", after(name+"AA")),
		groups("of users", after(user)), groups("of users before", `before: "`+user+`"`), groups("of changes", after(change)),
		groups("of another order", after(created)), groups("of the other direction", after(name)+`, orderBy: {field: NAME, direction: DESC}`),
		groups("of a longer order", after(name)+`, orderBy: [{field: NAME}, {field: CREATED_AT}]`),
		groups("of another filter", after(name)+`, filter: {public: true}`),
		groups("made up", after(forge(t, created, "never", "01890a5d-ac96-774b-bcce-b302099a8057"))+`, orderBy: {field: CREATED_AT}`),
		groups("made up with NUL", after(forge(t, name, "a\x00b"))),
		groups("made up with no UUID", `before: "`+forge(t, created, "2026-01-01T00:00:00Z", "b")+`", orderBy: {field: CREATED_AT}`),
		groups("made up with none", after(forge(t, name))), groups("made up with two values", after(forge(t, name, "a", "b"))),
		groups("made up with one value", after(forge(t, created, "2026-01-01T00:00:00Z"))+`, orderBy: {field: CREATED_AT}`),
		read("cursor of members for admins", `{ group(by: {handle: "eng"}) { admins(after: "`+member+`") { nodes { id } } } }`, "INVALID", "after"),
		read("cursor of groups for a user's", `{ viewer { groups(after: "`+name+`") { nodes { id } } } }`, "INVALID", "after"),
		read("cursor of all changes for a group's", `{ group(by: {handle: "eng"}) { changes(after: "`+change+`") { nodes { id } } } }`, "INVALID", "after"),
		read("cursor of other changes", `{ changes(after: "`+change+`", filter: {kinds: [GROUP_CREATED]}) { nodes { id } } }`, "INVALID", "after"),
		read("made up place of the log", `{ changes(after: "`+forge(t, change, "-1", "x")+`") { nodes { id } } }`, "INVALID", "after"),
	}
}

// forge puts other values into a cursor, with the right checksum.
func forge(t *testing.T, cursor string, values ...string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:9] // the version and the list
	for _, v := range values {
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}
