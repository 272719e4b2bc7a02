package graph_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"

	"roster/db"
)

// counted is an api that counts the statements of its requests.
type counted struct {
	*api
	n atomic.Int64
}

func newCounted(t testing.TB) *counted {
	t.Helper()
	c := &counted{}
	c.api = newAPI(t, db.Options{OnStatement: func(context.Context, string) { c.n.Add(1) }})
	c.ask(t, c.token, `{viewer{roles}}`, nil) // now the token's last use is written, for a minute
	return c
}

// statements is how many statements a request takes; its caller is remembered.
func (c *counted) statements(t testing.TB, query string, variables m) int64 {
	t.Helper()
	c.exec(t, `UPDATE tokens SET last_used_at = now()`)
	c.n.Store(0)
	c.ask(t, c.token, query, variables)
	return c.n.Load()
}

// crowd fills every list there is: 200 of everything, each with all that it can lead to.
func (c *counted) crowd(t testing.TB) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO users (id, username, username_key, roles) SELECT gen_random_uuid(), 'u' || i, 'u' || i, '{VIEWER}' FROM generate_series(1, 200) i`,
		`INSERT INTO groups (id, handle, name, created_by, folder_owner, public, tags)
			SELECT gen_random_uuid(), 'h' || i, 'g' || i, u.id, u.id, true, '{"k": "v"}' FROM generate_series(1, 200) i JOIN users u ON u.username = 'u' || i`,
		`INSERT INTO members (group_id, user_id, id, username_key, via, added_by) SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'GRAPHQL', u.id
			FROM groups g, users u WHERE g.name = 'g1' OR u.username = 'u1' OR u.number % 50 = g.number % 50`,
		`INSERT INTO admins (group_id, user_id, id, username_key, via, added_by) SELECT group_id, user_id, gen_random_uuid(), username_key, 'GRAPHQL', user_id FROM members`,
		`UPDATE groups g SET member_count = (SELECT count(*) FROM members m WHERE m.group_id = g.id), admin_count = (SELECT count(*) FROM admins m WHERE m.group_id = g.id)`,
		`INSERT INTO tokens (id, group_id, prefix, hash, expiration, created_by) SELECT gen_random_uuid(), g.id, 'p', int4send(i + 1000 * g.number), 'SESSION', g.created_by
			FROM groups g, generate_series(1, 200) i WHERE g.name = 'g1' OR i < 3`,
		`INSERT INTO tokens (id, user_id, prefix, hash, expiration, created_by) SELECT gen_random_uuid(), id, 'p', decode(md5(username), 'hex'), 'SESSION', id FROM users`,
		`INSERT INTO actions (id, group_id, name, type) SELECT gen_random_uuid(), g.id, 'a' || i, 'DEFAULT' FROM groups g, generate_series(1, 200) i WHERE g.name = 'g1' OR i < 3`,
		`INSERT INTO worker_models (id, group_id, name, type, created_by) SELECT gen_random_uuid(), g.id, 'w' || i, 'HOST', g.created_by FROM groups g, generate_series(1, 200) i WHERE g.name = 'g1' OR i < 3`,
		`INSERT INTO changes (kind, actor, via, group_id, group_name, user_id, username) SELECT 'MEMBER_ADDED', 'x', 'GRAPHQL', m.group_id, 'g', m.user_id, m.username_key FROM members m`,
		`DELETE FROM changes WHERE group_id IS NULL`,
		`INSERT INTO webhooks (id, url, secret, owner_id, epoch, tx, seq) SELECT gen_random_uuid(), 'https://example.org', '', id, 'x', '1', 1 FROM users WHERE username LIKE 'u%'`,
		`INSERT INTO webhook_deliveries (id, webhook_id, number, type, epoch, tx, seq, attempts, duration_ms)
			SELECT gen_random_uuid(), w.id, i, 'member.added', 'x', '1', i, 1, 1 FROM (SELECT id, row_number() OVER () n FROM webhooks) w, generate_series(1, 200) i WHERE w.n = 1 OR i < 3`,
		`UPDATE tokens SET created_at = created_at + interval '1 hour' WHERE first_admin`,
		`ANALYZE`,
	} {
		c.exec(t, statement)
	}
	c.settle(t)
}

// rows are lists, and lists below lists, each of $n.
var rows = []struct{ name, query string }{
	{"groups", `groups(first: $n) { nodes { name } }`},
	{"groups with everything of their own", `groups(first: $n) { totalCount edges { cursor node { id uuid number tags { key } memberCount adminCount viewerCan { edit } createdBy { username } folderOwner { username } } } pageInfo { hasNextPage } }`},
	{"groups, filtered and counted", `groups(first: $n, filter: {name: {startsWith: "g"}, member: {username: "u1"}, admin: {username: "u1"}}) { totalCount nodes { id } }`},
	{"groups, backwards in another order", `groups(last: $n, orderBy: [{field: MEMBER_COUNT, direction: DESC}, {field: CREATED_AT}]) { nodes { id } }`},
	{"groups → members → user", `groups(first: $n) { edges { node { members(first: $n) { edges { node { isAdmin addedBy { username } user { username } } } } } } }`},
	{"groups → members → user → groups", `groups(first: $n) { edges { node { members(first: 5) { totalCount edges { node { user { groups(first: 5) { totalCount edges { node { name viewerCan { edit } } } } } } } } } } }`},
	{"groups → members → group → admins", `groups(first: $n) { nodes { members(first: 3) { nodes { group { admins(first: 3) { nodes { user { username } } } } } } } }`},
	{"groups → admins → user", `groups(first: $n) { nodes { admins(first: $n) { totalCount nodes { isMember grantedBy { username } user { username } } } } }`},
	{"groups → counts, filtered", `groups(first: $n) { nodes { members(filter: {isAdmin: true}) { totalCount } admins(filter: {search: "u"}) { totalCount } tokens { totalCount } } }`},
	{"groups → tokens → owner", `groups(first: $n) { nodes { tokens(first: $n) { totalCount nodes { status createdBy { username } owner { ... on Group { name } } } } } }`},
	{"groups → actions, worker models", `groups(first: $n) { nodes { actions(first: $n) { totalCount nodes { name group { name } } } workerModels(first: $n) { totalCount nodes { name createdBy { username } } } } }`},
	{"groups → changes → user", `groups(first: $n) { nodes { changes(first: $n) { totalCount nodes { kind user { username } group { name } } } } }`},
	{"the same under two aliases", `groups(first: $n) { nodes { a: members(first: 1) { nodes { user { username } } } b: members(last: 1) { nodes { user { username } } } } }`},
	{"users → groups → members", `users(first: $n) { totalCount nodes { roles groups(first: 3) { totalCount nodes { members(first: 3) { nodes { user { username } } } } } } }`},
	{"tokens → owner", `tokens(first: $n) { totalCount nodes { createdBy { username } owner { ... on Group { name members(first: 2) { nodes { id } } } ... on User { username groups(first: 2) { nodes { name } } } } } }`},
	{"changes → group, user", `changes(first: $n) { totalCount nodes { group { name viewerCan { edit } } user { username groups(first: 2) { nodes { name } } } } pageInfo { endCursor } }`},
	{"changes of a group and a user", `changes(first: $n, filter: {group: {name: "g1"}, user: {username: "u1"}}) { nodes { kind } }`},
	{"webhooks → owner, deliveries", `webhooks(first: $n) { totalCount nodes { position filter owner { username } deliveries(first: $n) { totalCount edges { cursor node { cursor error } } } } }`},
	{"one group's members", `group(by: {name: "g1"}) { members(first: $n) { nodes { user { username groups(first: 2) { nodes { name } } } } } admins(first: $n) { nodes { user { username } } } }`},
	{"one user's groups", `user(by: {username: "u1"}) { groups(first: $n) { totalCount nodes { name memberCount admins(first: 2) { nodes { user { username } } } } } }`},
}

// TestStatementsOfReads: the number of statements depends on what is selected, and never on how many rows there are.
func TestStatementsOfReads(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	c.crowd(t)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		var counts [3]int64
		for i, n := range []int{1, 10, 200} {
			counts[i] = c.statements(t, "query($n: Int!) { "+row.query+" }", m{"n": n})
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", row.name, counts[0], counts[1], counts[2])
		if counts[0] != counts[1] || counts[0] != counts[2] {
			t.Errorf("%s takes %d, %d and %d statements", row.name, counts[0], counts[1], counts[2])
		}
	}
	w.Flush()
	t.Logf("statements at 1, 10 and 200 rows\n%s", table.String())
}

// TestListsBelowRows: lists below the rows of another are read in its statement, four of them at most. Pages from a cursor and filters
// that want a plan for their values have statements of their own.
func TestListsBelowRows(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	c.crowd(t)
	page := c.ask(t, c.token, `{ group(by: {name: "g1"}) { members(first: 1) { pageInfo { endCursor } } } }`, nil)
	after := dig(t, page, "group", "members", "pageInfo", "endCursor")
	const people = `members(first: 3) { totalCount nodes { isAdmin user { username } } pageInfo { endCursor } }`
	for _, row := range []struct {
		query string
		want  int64
	}{
		{`{ groups(first: 5) { nodes { ` + people + ` admins(last: 2) { nodes { user { username } } } } } }`, 1},
		{`{ group(by: {name: "g1"}) { ` + people + ` tokens { nodes { prefix } } actions { nodes { name } } workerModels { nodes { name } } } }`, 1},
		{`{ group(by: {name: "g1"}) { a: ` + people + ` b: ` + people + ` c: ` + people + ` d: ` + people + ` e: ` + people + ` } }`, 2},
		{`{ user(by: {username: "u1"}) { groups { nodes { name ` + people + ` } } } }`, 2},
		{`query($after: String) { group(by: {name: "g1"}) { members(after: $after) { nodes { id } } } }`, 2},
		{`{ groups(filter: {name: {startsWith: "g"}}) { nodes { ` + people + ` } } }`, 1},
		{`{ groups(filter: {name: {contains: "g"}}) { nodes { ` + people + ` } } }`, 2},
		{`{ groups { nodes { members(filter: {search: "u"}) { nodes { id } } } } }`, 2},
	} {
		if got := c.statements(t, row.query, m{"after": after}); got != row.want {
			t.Errorf("%s takes %d statements, want %d", row.query, got, row.want)
		}
	}
}

// TestStatementsOfNodes is TestStatementsOfReads for lists that the client gives.
func TestStatementsOfNodes(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	c.crowd(t)
	data := c.ask(t, c.token, `{ groups(first: 50) { nodes { id } } users(first: 50) { nodes { id } } }`, nil)
	var ids []any
	for i := range 50 {
		ids = append(ids, dig(t, data, "groups", "nodes", i, "id"), dig(t, data, "users", "nodes", i, "id"))
	}
	nodes := `query($v: [ID!]!) { nodes(ids: $v) { ... on Group { name members(first: 2) { nodes { user { username } } } } ... on User { username groups(first: 2) { nodes { name } } } } }`
	if two, hundred := c.statements(t, nodes, m{"v": ids[:2]}), c.statements(t, nodes, m{"v": ids}); two != hundred {
		t.Errorf("nodes takes %d statements for 2 ids and %d for 100", two, hundred)
	}
	check := `query($v: [MembershipPair!]!) { checkMemberships(pairs: $v) { isMember } }`
	pair := m{"group": m{"name": "g1"}, "user": m{"username": "u1"}}
	if one, thousand := c.statements(t, check, m{"v": []m{pair}}), c.statements(t, check, m{"v": repeat(pair, 1000)}); one != 1 || thousand != 1 {
		t.Errorf("checkMemberships takes %d statements for one pair and %d for 1,000; want 1", one, thousand)
	}
	filter := `query($v: GroupFilter) { groups(filter: $v) { nodes { name } } }`
	by := m{"member": m{"username": "u1"}}
	if one, many := c.statements(t, filter, m{"v": by}), c.statements(t, filter, m{"v": m{"or": repeat(by, 500)}}); one != many {
		t.Errorf("a filter takes %d statements by one user and %d by 500", one, many)
	}
}

// TestStatementsOfWrites: a thousand users take as many statements as one.
func TestStatementsOfWrites(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	c.exec(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(0, 1199) i`)
	c.exec(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'h' || i, 'g' || i FROM generate_series(0, 499) i`)
	for _, table := range []string{"members", "admins"} { // g0 to g7 are full of the first thousand
		c.exec(t, `INSERT INTO `+table+` (group_id, user_id, id, username_key, via) SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'GRAPHQL'
			FROM groups g, users u WHERE g.name ~ '^g[0-7]$' AND u.username ~ '^u[0-9]{1,3}$'`)
	}
	c.exec(t, `UPDATE groups SET member_count = 1000, admin_count = 1000 WHERE name ~ '^g[0-7]$'`)
	c.exec(t, `INSERT INTO admins (group_id, user_id, id, username_key, via) SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'GRAPHQL'
		FROM groups g, users u WHERE g.name LIKE 'g%' AND u.username IN ('u1198', 'u1199') AND g.admin_count = 0`)
	c.exec(t, `UPDATE groups SET admin_count = 2 WHERE admin_count = 0`)
	all := userRefs(1_200)
	groups := make([]m, 400)
	for i := range groups {
		groups[i] = m{"name": fmt.Sprintf("g%d", 100+i)}
	}
	users := func(refs []m) m { return m{"users": refs} }
	const people = `group { memberCount } outcomes { result user { username } } changes { kind user { username } }`
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for i, row := range []struct {
		op, selection string
		one, many     m
	}{
		{"addMembers", people, users(all[:1]), users(all[:1100])},
		{"addAdmins", people, users(all[:1]), users(all[:1000])},
		{"removeMembers", people, users(all[:1]), users(all[1:900])},
		{"removeAdmins", people, users(all[:1]), users(all[1:900])},
		{"setMembers", people, m{"members": all[1:1000], "admins": all[1:1000]}, m{"members": all[900:1100], "admins": all[900:1100]}},
		{"setUserGroups", `outcomes { result group { name } } changes { group { name } }`, m{"user": m{"username": "u1198"}, "groups": groups[:1]}, m{"user": m{"username": "u1199"}, "groups": groups}},
		{"createGroup", `group { memberCount } changes { user { username } }`, m{"name": "one", "members": all[:1], "admins": all[:1]}, m{"name": "many", "members": all[:1000], "admins": all[:1000]}},
		{"deleteGroup", `changes { kind }`, m{"group": m{"name": "one"}}, m{"group": m{"name": "many"}}},
		{"restoreGroup", `group { memberCount adminCount members { totalCount } } changes { user { username } }`, m{"group": m{"name": "one"}}, m{"group": m{"name": "many"}}},
		{"deleteUser", `changes { kind }`, m{"user": m{"username": "u1"}, "dryRun": true}, m{"user": m{"username": "u1199"}, "dryRun": true}},
	} {
		var counts [2]int64
		for j, input := range []m{row.one, row.many} {
			switch row.op {
			case "setUserGroups", "createGroup", "deleteGroup", "restoreGroup", "deleteUser":
			case "removeMembers", "removeAdmins", "setMembers":
				input["group"] = m{"name": fmt.Sprintf("g%d", i)}
			default:
				input["group"] = m{"name": fmt.Sprintf("g%d", 10+2*i+j)}
			}
			counts[j] = c.statements(t, fmt.Sprintf("mutation($i: %sInput!) { %s(input: $i) { %s } }", strings.ToUpper(row.op[:1])+row.op[1:], row.op, row.selection), m{"i": input})
		}
		fmt.Fprintf(w, "%s\t%d\t%d\n", row.op, counts[0], counts[1])
		if counts[0] != counts[1] {
			t.Errorf("%s takes %d statements for one and %d for many", row.op, counts[0], counts[1])
		}
	}
	w.Flush()
	t.Logf("statements for one and for many\n%s", table.String())
}

// TestOneMemberIsOneStatement: the write that there is most of, one user who comes or goes, with what its callers select of it.
func TestOneMemberIsOneStatement(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	c.exec(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(0, 9) i`)
	c.exec(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'h' || i, 'g' || i FROM generate_series(0, 9) i`)
	for i, selection := range []string{
		`group { id memberCount version }`,
		`group { id memberCount version } outcomes { username result }`,
		`a: group { name tags { key } updatedAt } b: group { uuid } outcomes { result user { id uuid number username } } changes { id at kind actor before after }`,
		`__typename`,
	} {
		in := m{"group": m{"name": fmt.Sprintf("g%d", i)}, "users": []m{{"username": fmt.Sprintf("u%d", i)}}}
		for _, op := range []string{"addMembers", "addMembers", "removeMembers", "removeMembers"} {
			query := fmt.Sprintf("mutation($i: %sInput!) { %s(input: $i) { %s } }", strings.ToUpper(op[:1])+op[1:], op, selection)
			if n := c.statements(t, query, m{"i": in}); n != 1 {
				t.Errorf("%s { %s } takes %d statements", op, selection, n)
			}
		}
	}
}
