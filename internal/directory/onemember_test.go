package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"roster/db"
	"roster/internal/directory"
)

// twin is one of two worlds that the same is done to: in one, plain writes of one member are one statement, in the other never.
type twin struct {
	*world
	short      bool
	statements atomic.Int64
	callers    []directory.Caller
}

func newTwin(t *testing.T, short bool) *twin {
	w := &twin{short: short}
	w.world = newWorldWith(t, db.Options{OnStatement: func(context.Context, string) { w.statements.Add(1) }})
	w.exec(`INSERT INTO users (id, username, username_key, external_id) SELECT ('00000000-0000-7000-8000-00000000000' || i)::uuid, 'U' || i, 'u' || i, 'x' || i FROM generate_series(0, 7) i`)
	w.withRole("manager", directory.RoleManager)
	w.group("a", "u0 u2", "u1 u3", false)
	w.group("b", "u0 u1", "u2", true)
	w.did(w.CreateGroup(t.Context(), directory.System(), directory.CreateGroupInput{Name: "c", Type: directory.GroupTypeDirectory, Admins: named("u1")}, nothing))
	w.callers = []directory.Caller{directory.System(), w.root(), w.as("u1"), w.as("u1", directory.PermissionGroupsView), w.as("u2"), w.as("u7"),
		w.as("manager"), w.tokenOf("a"), w.tokenOf("b", directory.PermissionGroupsView), {}}
	return w
}

// oneStep is a write of one member, chosen once for both worlds.
type oneStep struct {
	caller, group, groupBy, user, userBy, version, atMost, expiry, selection int
	remove, dry, adminsAreIn, membersOnly                                    bool
	unknown                                                                  directory.OnUnknownUser
	via                                                                      directory.Door
}

func randomOneStep(r *rand.Rand) oneStep {
	doors := []directory.Door{directory.DoorGraphQL, directory.DoorGraphQL, directory.DoorGraphQL, directory.DoorCDS, directory.DoorEntrust, directory.DoorD4Science}
	unknown := []directory.OnUnknownUser{"", directory.OnUnknownUserFail, directory.OnUnknownUserSkip, directory.OnUnknownUserCreate}
	rarely := func(n int) int { // mostly 0, else 1 to n
		return max(0, r.IntN(6+n)-5)
	}
	if r.IntN(2) == 0 { // a plain one
		return oneStep{caller: r.IntN(3), group: r.IntN(2), groupBy: r.IntN(4), user: r.IntN(8), userBy: r.IntN(5), selection: r.IntN(3),
			remove: r.IntN(2) == 0, via: directory.DoorGraphQL}
	}
	return oneStep{
		caller: r.IntN(10), group: r.IntN(7) / 2, groupBy: r.IntN(4), user: r.IntN(9), userBy: r.IntN(5), version: rarely(2), atMost: rarely(2),
		expiry: rarely(2), selection: r.IntN(4), remove: r.IntN(2) == 0, dry: rarely(1) == 1, adminsAreIn: rarely(1) == 1,
		membersOnly: rarely(1) == 1, unknown: unknown[r.IntN(4)], via: doors[r.IntN(len(doors))],
	}
}

func (w *twin) groupRef(s oneStep) directory.GroupRef {
	name := string(rune('a' + s.group)) // d is none
	id := w.text(`SELECT coalesce((SELECT id FROM groups WHERE name = $1), '00000000-0000-0000-0000-000000000001')`, name)
	switch s.groupBy {
	case 0:
		return directory.GroupByUUID(uuid.MustParse(id))
	case 1:
		var n int
		_, _ = fmt.Sscan(w.text(`SELECT coalesce((SELECT number FROM groups WHERE name = $1), 99)`, name), &n)
		return directory.GroupByNumber(n)
	}
	return directory.GroupByName(strings.ToUpper(name))
}

func (w *twin) userRef(s oneStep) directory.UserRef {
	name := fmt.Sprintf("u%d", s.user) // u8 is none
	id := w.text(`SELECT coalesce((SELECT id FROM users WHERE username_key = $1), '00000000-0000-0000-0000-000000000001')`, name)
	switch s.userBy {
	case 0:
		return directory.UserByUUID(uuid.MustParse(id))
	case 1:
		var n int
		_, _ = fmt.Sscan(w.text(`SELECT coalesce((SELECT number FROM users WHERE username_key = $1), 99)`, name), &n)
		return directory.UserRef{Number: &n}
	case 2:
		return directory.UserRef{ExternalID: ptr(fmt.Sprintf("x%d", s.user))}
	}
	return directory.UserByName(name)
}

var oneSelections = []directory.Selection{
	nothing, plainPayload,
	directory.Want(
		directory.Link{Key: "group", Field: "group", Select: directory.Selection{Fields: []string{"id", "number", "handle", "name",
			"description", "type", "externalId", "accessType", "useDefaultStorage", "public", "tags", "version", "memberCount", "adminCount"}}},
		directory.Link{Key: "outcomes", Field: "outcomes", Select: directory.Selection{Links: []directory.Link{
			{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"id", "number", "username"}}}}}},
		withChanges.Links[0]),
	directory.Want(
		directory.Link{Key: "group", Field: "group", Select: directory.Selection{Fields: []string{"name", "viewerCan"}, Links: []directory.Link{
			{Key: "members", Field: "members", Page: &directory.Page{Rows: true, Total: true}}}}},
		directory.Link{Key: "outcomes", Field: "outcomes", Select: directory.Selection{Links: []directory.Link{
			{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username", "email"}}}}}}),
}

// do does the step and tells all that came of it.
func (w *twin) do(t *testing.T, s oneStep) (string, *directory.Payload) {
	by := w.callers[s.caller]
	by.Via, by.RequestID = s.via, "r"
	var version, atMost *int
	if s.version > 0 {
		version = new(int)
		_, _ = fmt.Sscan(w.text(`SELECT coalesce(max(version), 0) FROM groups WHERE name = $1`, string(rune('a'+s.group))), version)
		*version += s.version - 1
	}
	if s.atMost > 0 {
		atMost = ptr(s.atMost - 1)
	}
	group, users := w.groupRef(s), []*directory.UserRef{ptr(w.userRef(s))}
	if s.expiry == 2 { // one is over by now
		w.exec(`UPDATE members SET expires_at = '2020-01-01' WHERE username_key = $1`, fmt.Sprintf("u%d", s.user))
	}
	w.statements.Store(0)
	var p *directory.Payload
	var err error
	if s.remove {
		in := directory.RemoveMembersInput{Group: group, Users: users, AtMost: atMost, ExpectedVersion: version, DryRun: s.dry, MembersOnly: s.membersOnly}
		do := w.RemoveMembersOrdinarily
		if w.short {
			do = w.RemoveMembers
		}
		p, err = do(t.Context(), by, in, oneSelections[s.selection])
	} else {
		in := directory.AddMembersInput{Group: group, Users: users, OnUnknownUser: s.unknown, ExpectedVersion: version, DryRun: s.dry, AdminsAreIn: s.adminsAreIn}
		if s.expiry == 1 {
			in.ExpiresAt = ptr(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		do := w.AddMembersOrdinarily
		if w.short {
			do = w.AddMembers
		}
		p, err = do(t.Context(), by, in, oneSelections[s.selection])
	}
	if err != nil {
		e := *directory.AsError(err)
		e.Cause = nil
		return fmt.Sprintf("%+v", e), nil
	}
	return w.tell(t, p, s.selection), p
}

// tokenPrefix is how the log names a group's token; each world has its own.
var tokenPrefix = regexp.MustCompile(`rst_\w{4}`)

// tell spells a payload without what is anew in each world.
func (w *twin) tell(t *testing.T, p *directory.Payload, selection int) string {
	var b strings.Builder
	fmt.Fprintln(&b, p.DryRun, p.Created, p.Changed())
	for _, o := range p.Outcomes {
		fmt.Fprintln(&b, o.Username, o.Result)
	}
	if selection == 0 {
		return b.String()
	}
	g, gerr := directory.Linked[*directory.Group](p, "group")
	os, oerr := directory.Linked[[]*directory.MemberOutcome](p, "outcomes")
	if gerr != nil || oerr != nil {
		t.Fatal(gerr, oerr)
	}
	switch id := w.text(`SELECT name FROM groups WHERE id = $1`, g.UUID.String()); selection {
	case 1:
		fmt.Fprintln(&b, id, g.Version, g.MemberCount)
	case 2:
		fmt.Fprintln(&b, id, g.Number, g.Name, g.Description, g.Type, g.AccessType, g.UseDefaultStorage, g.Public, g.Tags, g.Version, g.MemberCount, g.AdminCount)
	default:
		fmt.Fprintln(&b, id, g.Name, *g.ViewerCan())
	}
	for _, o := range os {
		fmt.Fprint(&b, o.Username, " ", o.Result)
		if selection > 1 {
			if u, err := directory.Linked[*directory.User](o, "user"); err != nil {
				t.Fatal(err)
			} else if u != nil {
				fmt.Fprint(&b, " ", u.Username, u.Number, u.Email, u.UUID.String() == w.text(`SELECT coalesce(min(id::text), '') FROM users WHERE username = $1`, u.Username)) // of a dry run it may be nobody
			}
		}
		fmt.Fprintln(&b)
	}
	if selection == 2 {
		fmt.Fprintln(&b, strings.Join(toldBy(t, p), "\n"))
	}
	return tokenPrefix.ReplaceAllString(b.String(), "rst_…")
}

// state is what both worlds have to agree on, by names.
func (w *twin) state() string {
	return w.text(`SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT concat_ws(' ', 'group', name, version, member_count, admin_count) FROM groups
		UNION ALL SELECT concat_ws(' ', 'user', username, number) FROM users
		UNION ALL SELECT concat_ws(' ', 'member', g.name, m.username_key, m.via, by.username, m.expires_at)
			FROM members m JOIN groups g ON g.id = m.group_id LEFT JOIN users by ON by.id = m.added_by
		UNION ALL SELECT concat_ws(' ', 'admin', g.name, m.username_key) FROM admins m JOIN groups g ON g.id = m.group_id
		UNION ALL SELECT concat_ws(' ', 'change', lpad((row_number() OVER (ORDER BY tx, seq))::text, 4, '0'), kind, actor, via, request_id,
			group_name, c.username, before - '{uuid,number,handle}'::text[], after - '{uuid,number,handle}'::text[], c.group_id = g.id, c.user_id = u.id)
			FROM changes c LEFT JOIN groups g ON g.name = c.group_name LEFT JOIN users u ON u.username = c.username
			WHERE kind NOT LIKE 'TOKEN%' AND actor NOT LIKE 'rst%') l(line)`)
}

// TestOneMemberEitherWay does the same random writes of one member in two worlds. Nothing tells which of them took the short way.
func TestOneMemberEitherWay(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	short, long := newTwin(t, true), newTwin(t, false)
	shortly := map[directory.MemberResult]int{}
	for n := range 300 {
		s := randomOneStep(r)
		got, p := short.do(t, s)
		if p != nil && short.statements.Load() == 1 {
			shortly[p.Outcomes[0].Result]++
		}
		want, _ := long.do(t, s)
		if got != want {
			t.Fatalf("step %d, %+v\nthe short way: %s\nthe ordinary way: %s", n, s, got, want)
		}
		if n%20 == 0 { // who may do what moves on
			for _, w := range []*twin{short, long} {
				in := directory.GroupByName(string(rune('a' + s.group)))
				_, _ = w.AddAdmins(t.Context(), directory.System(), directory.AddAdminsInput{Group: in, Users: named(fmt.Sprintf("u%d", s.user))}, nothing)
				_, _ = w.RemoveAdmins(t.Context(), directory.System(), directory.RemoveAdminsInput{Group: in, Users: named(fmt.Sprintf("u%d", s.caller))}, nothing)
			}
		}
		if n%10 == 0 || n == 299 {
			if d := cmp.Diff(long.state(), short.state()); d != "" {
				t.Fatalf("step %d, %+v: the ordinary way leaves (-), the short one (+):\n%s", n, s, d)
			}
		}
	}
	short.checkCounters()
	t.Logf("the short way: %v", shortly)
	for _, result := range []directory.MemberResult{directory.MemberResultAdded, directory.MemberResultAlreadyMember, directory.MemberResultRemoved, directory.MemberResultNotAMember} {
		if shortly[result] == 0 {
			t.Errorf("only %v went the short way", shortly)
		}
	}
}

// TestOneMemberTogether has writers add and remove one user at a time in few groups, with others about who change more: what is counted
// is what there is, and the log tells it in the order in which it happened.
func TestOneMemberTogether(t *testing.T) {
	t.Parallel()
	const writers, each, groups, users = 16, 25, 3, 5
	var begun, statements atomic.Int64
	w := newWorldWith(t, db.Options{MaxConns: writers, OnStatement: func(_ context.Context, text string) {
		statements.Add(1)
		if strings.HasPrefix(text, "WITH seen") {
			begun.Add(1)
		}
	}})
	w.manyUsers(users)
	w.users("boss", "late")
	by := directory.System()
	for i := range groups {
		w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: fmt.Sprintf("g%d", i), Admins: named("boss")}, nothing))
	}
	admin := w.as("boss")
	together(writers, func(i int) {
		r := seeded(i)
		for range each {
			g := directory.GroupByName(fmt.Sprintf("g%d", r.IntN(groups)))
			user := numbered(0, users)[r.IntN(users):][:1]
			var err error
			switch r.IntN(10) {
			case 0:
				_, err = w.SetMembers(t.Context(), by, directory.SetMembersInput{Group: g, Members: some(r, "u", users, 4)}, nothing)
			case 1:
				_, err = w.AddAdmins(t.Context(), by, directory.AddAdminsInput{Group: g, Users: user}, nothing)
			case 2:
				_, err = w.RemoveAdmins(t.Context(), by, directory.RemoveAdminsInput{Group: g, Users: user}, nothing)
			case 3:
				_, err = w.AddMembers(t.Context(), admin, directory.AddMembersInput{Group: g, Users: someOf(r, "u", users, 4)}, plainPayload)
			case 4, 5, 6:
				_, err = w.AddMembers(t.Context(), admin, directory.AddMembersInput{Group: g, Users: user}, plainPayload)
			default:
				_, err = w.RemoveMembers(t.Context(), admin, directory.RemoveMembersInput{Group: g, Users: user}, plainPayload)
			}
			if err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		}
	})
	t.Logf("%d statements, %d of them of the short way", statements.Load(), begun.Load())
	w.checkCounters()
	w.checkReplay()
	if wrong := w.text(`SELECT string_agg(g.name || ': ' || g.version || ', ' || n, '; ') FROM groups g
		JOIN (SELECT group_id, count(DISTINCT tx) n FROM changes GROUP BY group_id) c ON c.group_id = g.id WHERE g.version <> n`); wrong != "" {
		t.Errorf("versions, and transactions that changed the groups: %s", wrong)
	}
}

// TestOneMemberAndItsUser has users deleted and renamed while they come and go: no row is left of a user who is gone, or under an old name.
func TestOneMemberAndItsUser(t *testing.T) {
	t.Parallel()
	const rounds = 12
	w := newWorld(t)
	w.group("g", "", "", false)
	w.users("another")
	by, g := directory.System(), directory.GroupByName("g")
	for i := range rounds {
		name := fmt.Sprintf("u%d", i)
		w.users(name)
		id := w.uuidOf(`SELECT id FROM users WHERE username = $1`, name)
		user := []*directory.UserRef{ptr(directory.UserByUUID(id))}
		together(3, func(n int) {
			var err error
			switch {
			case n == 0 && i%2 == 0:
				_, err = w.DeleteUser(t.Context(), by, directory.DeleteUserInput{User: *user[0]}, nothing)
			case n == 0:
				_, err = w.UpdateUser(t.Context(), by, directory.UpdateUserInput{User: *user[0], Username: directory.Some(name + "-new")}, nothing)
			case n == 1 && i%3 == 0:
				_, err = w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: g, Users: append(named("another"), user...)}, plainPayload)
			case n == 1:
				_, err = w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: g, Users: user}, plainPayload)
			default:
				_, err = w.RemoveMembers(t.Context(), by, directory.RemoveMembersInput{Group: g, Users: user}, plainPayload)
			}
			if code := failure(err); code != "" && code != directory.NotFound {
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	w.checkCounters()
	w.checkReplay()
}
