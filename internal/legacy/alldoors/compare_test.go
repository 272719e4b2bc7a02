package alldoors_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// compare reads all groups through every way in and holds them against the model. It answers how many facts it compared.
func (r *run) compare() int {
	r.w.t.Helper()
	n := 0
	for _, door := range waysIn {
		got := readers[door](r.w, r.model)
		if door == directory.DoorGraphQL {
			r.learn(got)
		}
		want := r.model.expected(door)
		for name, f := range want {
			if _, read := got.groups[name][theTokens]; !read && f[theTokens] == "" {
				delete(f, theTokens)
			}
		}
		if d := cmp.Diff(want, got.groups); d != "" {
			r.w.t.Errorf("%s tells another story (-want +got):\n%s", door, d)
		}
		for _, f := range want {
			n += len(f)
		}
		n += r.compareUsers(door, got.users)
	}
	if r.w.t.Failed() || r.chance(50) {
		return n
	}
	return n + r.compareLists()
}

func (r *run) compareUsers(door directory.Door, got map[string]facts) int {
	r.w.t.Helper()
	n := 0
	for name, found := range got {
		u := r.model.user(name)
		if u == nil {
			r.w.t.Errorf("%s knows a user %s", door, name)
			continue
		}
		want := seenThrough(door, r.model.factsOf(u))
		maps.DeleteFunc(want, func(f fact, _ string) bool { _, read := found[f]; return !read && f == userGroups })
		if d := cmp.Diff(want, found); d != "" {
			r.w.t.Errorf("%s tells another story of %s (-want +got):\n%s", door, name, d)
		}
		for f := range found {
			r.saw(door, f)
			n++
		}
	}
	if door == directory.DoorGraphQL && len(got) != len(r.model.users) {
		r.w.t.Errorf("there are %d users, not %d", len(got), len(r.model.users))
	}
	return n
}

func (r *run) saw(door directory.Door, f fact) {
	if r.read[door] == nil {
		r.read[door] = map[fact]bool{}
	}
	r.read[door][f] = true
}

// compareLists reads, as somebody without rights, the lists that depend on who asks.
func (r *run) compareLists() int {
	r.w.t.Helper()
	who := r.model.user(pick(r, "alice", "Bob", "carol"))
	for door, read := range readOwn {
		if got, want := once(r.w.t, read(r.w, who.secret)).String(), r.model.of(who.username).String(); got != want {
			r.w.t.Errorf("%s: the groups of %s are %q, not %q", door, who.username, got, want)
		}
		r.saw(door, userGroups)
	}
	for door, read := range readVisible {
		if got, want := once(r.w.t, read(r.w, who.secret)).String(), r.model.visible(door, who.username).String(); got != want {
			r.w.t.Errorf("%s: %s sees %q, not %q", door, who.username, got, want)
		}
		r.saw(door, visibleToPeople)
	}
	r.closed(who)
	return len(readOwn) + len(readVisible)
}

// closed tries what somebody without rights may not read, or may: one group through two of the doors.
func (r *run) closed(who *person) {
	r.w.t.Helper()
	g := r.some()
	in := g != nil && (g.members[who.username] || g.admins[who.username])
	seen := in || (g != nil && g.public)
	status := func(ok bool, otherwise int) int {
		if ok {
			return 200
		}
		return otherwise
	}
	path := r.path(g)
	type closed struct {
		door directory.Door
		path string
		want int
	}
	for _, c := range some(r, 2, []closed{
		{directory.DoorCDS, "/group/" + path, status(in, 403)},
		{directory.DoorEntrust, entrustRoot + "/groups/" + r.uuid(g), 403},
		{directory.DoorAuthress, "/v1/groups/" + r.handle(g), status(seen, 404)},
		{directory.DoorD4Science, "/groups/" + path + "/admins", status(seen, 406)},
		{directory.DoorD4Science, "/groups/" + path + "/users", 403},
		{directory.DoorEnterpriseTester, "/api/group/" + r.uuid(g) + "/users", status(g != nil, 404)},
	}) {
		if a := r.w.send(authorised(c.door, who.secret, request{method: "GET", path: c.path})); a.status != c.want {
			r.w.t.Errorf("%s reads GET %s through %s: %s, not %d", who.username, c.path, c.door, a, c.want)
		}
		r.saw(c.door, visibleToPeople)
	}
}

// complete makes sure that the table says no more of users than was read.
func (r *run) complete() {
	r.w.t.Helper()
	for door, row := range views {
		for f := range row {
			if slices.Contains(userFacts, f) && !r.read[door][f] {
				r.w.t.Errorf("%s is said to show %s, which was never read", door, f)
			}
		}
	}
}

// learn takes over what only the directory can know: identities once, versions and times as they must go.
func (r *run) learn(got reading) {
	r.w.t.Helper()
	for _, g := range r.model.groups {
		f, ok := got.groups[g.name]
		if !ok {
			continue
		}
		version, number := atoi(f[theVersion]), atoi(f[theNumber])
		switch {
		case g.id == "":
			g.id, g.uuid, g.number, g.created = f[theID], f[theUUID], number, f[theCreation]
			if g.handle == "" {
				g.handle = g.id
			}
			if version != 1 || number <= r.numbers || !strings.HasPrefix(g.id, "grp_") || f[theChange] != f[theCreation] {
				r.w.t.Errorf("the new group is %v, after number %d", f, r.numbers)
			}
			r.numbers, g.version, g.updated = max(r.numbers, number), version, f[theChange]
		case g.touched:
			if version != g.version+1 || f[theChange] <= g.updated {
				r.w.t.Errorf("%s was changed, and went from version %d (%s) to %v", g.name, g.version, g.updated, f)
			}
			g.version, g.updated = version, f[theChange]
		}
		g.touched = false
		g.learnTokens(f[theTokens])
	}
	for _, u := range r.model.users {
		if f := got.users[u.username]; u.uuid == "" {
			u.uuid, u.number = f[userUUID], atoi(f[userNumber])
		}
	}
}

func (g *group) learnTokens(lines string) {
	for l := range strings.SplitSeq(lines, ", ") {
		words := strings.Fields(l)
		for i := range g.tokens {
			if t := &g.tokens[i]; len(words) == 4 && t.number == 0 && t.description == words[1] {
				t.number, t.prefix = atoi(words[0]), words[3]
			}
		}
	}
}

func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// line is a row of the change log in words.
func line(c change, via, actor string) string {
	return fmt.Sprintf("%s group=%q user=%q via=%s by=%s", c.kind, c.group, c.user, via, actor)
}

func sorted(lines []string) string {
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// lines are the rows that an outcome is to leave.
func (r *run) lines(o outcome) []string {
	lines := []string{}
	for _, c := range o.changes {
		lines = append(lines, line(c, string(r.door), r.by))
	}
	return lines
}

// logged looks at what the step left in the change log: the rows of the model, each with the door, the caller and the request.
func (r *run) logged(o outcome, id string) {
	r.w.t.Helper()
	rows, err := r.w.beside.QueryContext(r.w.context(), `SELECT seq, kind, coalesce(group_name, ''), coalesce(username, ''), via, actor, request_id
		FROM changes WHERE seq > `+strconv.Itoa(r.place)+` ORDER BY seq`)
	if err != nil {
		r.w.t.Fatal(err)
	}
	defer rows.Close()
	lines := []string{}
	for rows.Next() {
		var c change
		var via, actor, request string
		if err := rows.Scan(&r.place, &c.kind, &c.group, &c.user, &via, &actor, &request); err != nil {
			r.w.t.Fatal(err)
		}
		if request != id {
			r.w.t.Errorf("the change %v is of the request %s, not %s", c, request, id)
		}
		lines = append(lines, line(c, via, actor))
	}
	if err := rows.Err(); err != nil {
		r.w.t.Fatal(err)
	}
	r.told = append(r.told, lines...)
	if d := cmp.Diff(sorted(r.lines(o)), sorted(lines)); d != "" {
		r.w.t.Errorf("the change log (-want +got):\n%s", d)
	}
}

// feed reads the whole change log as GraphQL's clients do: it is every change that was looked at, each once.
func (r *run) feed() {
	r.w.t.Helper()
	r.settle()
	var got []string
	for after := any(nil); ; {
		var page struct {
			Changes struct {
				Nodes    []struct{ Kind, GroupName, Username, Via, Actor string }
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		r.w.ask(rootSecret, `query($after: String) { changes(first: 200, after: $after, filter: {via: [GRAPHQL, CDS, ENTRUST, AUTHRESS, D4SCIENCE, ENTERPRISE_TESTER]}) {
			nodes { kind groupName username via actor } pageInfo { hasNextPage endCursor } } }`, map[string]any{"after": after}, &page)
		for _, c := range page.Changes.Nodes {
			got = append(got, line(change{c.Kind, c.GroupName, c.Username}, c.Via, c.Actor))
		}
		if after = page.Changes.PageInfo.EndCursor; !page.Changes.PageInfo.HasNextPage {
			break
		}
	}
	if d := cmp.Diff(r.told, got); d != "" {
		r.w.t.Errorf("the feed (-want +got):\n%s", d)
	}
}

// settle waits until the feed shows every change there is: a transaction anywhere in the server may hold it back.
func (r *run) settle() {
	r.w.t.Helper()
	ctx, cancel := context.WithTimeout(r.w.context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var settled bool
		err := r.w.beside.QueryRowContext(ctx, `SELECT coalesce(max(tx::text::bigint), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM changes`).Scan(&settled)
		if err != nil {
			r.w.t.Fatal(err)
		}
		if settled {
			return
		}
		<-tick.C
	}
}
