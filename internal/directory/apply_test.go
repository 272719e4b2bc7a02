package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/internal/directory"
)

type changes = []*directory.ChangeInput

// results selects what became of each of many writes.
var results = directory.Want(directory.Link{Key: "results", Field: "results", Select: directory.Want(
	directory.Link{Key: "group", Field: "group", Select: directory.Selection{Fields: []string{"name", "version", "memberCount", "adminCount"}}},
	directory.Link{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}},
	directory.Link{Key: "outcomes", Field: "outcomes", Select: directory.Want(directory.Link{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}})},
	directory.Link{Key: "groupOutcomes", Field: "groupOutcomes"},
	directory.Link{Key: "changes", Field: "changes", Select: directory.Selection{Fields: []string{"kind", "groupName", "username"}}},
)}, directory.Link{Key: "changes", Field: "changes", Select: directory.Selection{Fields: []string{"kind"}}})

// toldOf is what became of each, a line each.
func toldOf(t testing.TB, p *directory.Payload) []string {
	t.Helper()
	rs, err := directory.Linked[[]*directory.Payload](p, "results")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range rs {
		line := r.Command
		if g, err := directory.Linked[*directory.Group](r, "group"); err != nil {
			t.Fatal(err)
		} else if g != nil {
			line += fmt.Sprintf(" %s@%d(%d/%d)", g.Name, g.Version, g.MemberCount, g.AdminCount)
		}
		if u, err := directory.Linked[*directory.User](r, "user"); err != nil {
			t.Fatal(err)
		} else if u != nil {
			line += " " + u.Username
		}
		os, err := directory.Linked[[]*directory.MemberOutcome](r, "outcomes")
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range os {
			line += fmt.Sprintf(" %s:%s", o.Username, o.Result)
		}
		gs, err := directory.Linked[[]*directory.GroupOutcome](r, "groupOutcomes")
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range gs {
			line += " " + string(o.Result)
		}
		for _, c := range changesOf(t, r) {
			if c.At.IsZero() {
				t.Errorf("%s: a change has no time", r.Command)
			}
			line += " " + string(c.Kind)
		}
		lines = append(lines, line)
	}
	return lines
}

// TestApplyChanges does one of each, each on what those before it made.
func TestApplyChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "eve")
	w.group("old", "eve", "ann", false)
	g, old := directory.GroupByName("new"), directory.GroupByName("old")
	in := directory.ApplyChangesInput{ExpectedVersions: []*directory.ExpectedVersionInput{{Group: old, Version: 1}}, Changes: changes{
		{CreateGroup: &directory.CreateGroupInput{Name: "new", Admins: named("ann")}},
		{CreateUser: &directory.CreateUserInput{Username: "dan"}},
		{AddMembers: &directory.AddMembersInput{Group: g, Users: named("dan bob")}},
		{AddAdmins: &directory.AddAdminsInput{Group: g, Users: named("bob")}},
		{RemoveAdmins: &directory.RemoveAdminsInput{Group: g, Users: named("ann"), ExpectedVersion: ptr(1)}},
		{UpdateGroup: &directory.UpdateGroupInput{Group: g, Name: directory.Some("newer")}},
		{RemoveMembers: &directory.RemoveMembersInput{Group: directory.GroupByName("newer"), Users: named("dan")}},
		{SetMembers: &directory.SetMembersInput{Group: old, Members: named("bob dan")}},
		{SetUserGroups: &directory.SetUserGroupsInput{User: *named("dan")[0], Groups: []*directory.GroupRef{ptr(directory.GroupByName("newer"))}}},
		{UpdateUser: &directory.UpdateUserInput{User: *named("dan")[0], Username: directory.Some("daniel")}},
		{PutAction: &directory.PutActionInput{Group: &old, Name: "build"}},
		{PutWorkerModel: &directory.PutWorkerModelInput{Group: old, Name: "box", Type: directory.WorkerModelTypeDocker}},
		{DeleteUser: &directory.DeleteUserInput{User: *named("eve")[0]}},
		{CreateGroup: &directory.CreateGroupInput{Name: "brief", Admins: named("ann")}},
		{DeleteGroup: &directory.DeleteGroupInput{Group: directory.GroupByName("brief")}},
		{DeleteGroup: &directory.DeleteGroupInput{Group: old}},
		{RestoreGroup: &directory.RestoreGroupInput{Group: old}},
	}}
	want := []string{
		"createGroup newer@2(3/1) GROUP_CREATED ADMIN_ADDED",
		"createUser daniel USER_CREATED",
		"addMembers newer@2(3/1) dan:ADDED bob:ADDED MEMBER_ADDED MEMBER_ADDED",
		"addAdmins newer@2(3/1) bob:PROMOTED ADMIN_ADDED",
		"removeAdmins newer@2(3/1) ann:DEMOTED ADMIN_REMOVED MEMBER_ADDED",
		"updateGroup newer@2(3/1) GROUP_UPDATED",
		"removeMembers newer@2(3/1) dan:REMOVED MEMBER_REMOVED",
		"setMembers old@2(1/1) bob:ADDED dan:ADDED eve:REMOVED MEMBER_REMOVED MEMBER_ADDED MEMBER_ADDED",
		"setUserGroups daniel ADDED REMOVED MEMBER_REMOVED MEMBER_ADDED",
		"updateUser daniel USER_UPDATED",
		"putAction GROUP_UPDATED",
		"putWorkerModel GROUP_UPDATED",
		"deleteUser USER_DELETED",
		"createGroup GROUP_CREATED ADMIN_ADDED",
		"deleteGroup GROUP_DELETED",
		"deleteGroup GROUP_DELETED",
		"restoreGroup old@2(1/1) GROUP_RESTORED MEMBER_ADDED ADMIN_ADDED GROUP_UPDATED GROUP_UPDATED",
	}
	by := w.root()
	before := w.dump()
	dry := in
	dry.DryRun = true
	if d := cmp.Diff(want, sorted(toldOf(t, w.did(w.ApplyChanges(t.Context(), by, dry, results))))); d != "" {
		t.Errorf("dry (-want +got):\n%s", d)
	}
	if w.dump() != before {
		t.Error("the dry run wrote something")
	}
	p := w.did(w.ApplyChanges(t.Context(), by, in, results))
	if d := cmp.Diff(want, sorted(toldOf(t, p))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := w.text(`SELECT count(*) || ' ' || count(DISTINCT tx) FROM changes WHERE tx = (SELECT max(tx) FROM changes)`); len(changesOf(t, p)) != 28 || n != "28 1" {
		t.Errorf("%d changes are told, %s are in the log", len(changesOf(t, p)), n)
	}
	w.checkCounters()
	w.checkReplay()
}

// sorted puts the outcomes of setUserGroups, which come in the order of ids, into one order.
func sorted(lines []string) []string {
	for i, l := range lines {
		lines[i] = strings.Replace(l, "REMOVED ADDED MEMBER", "ADDED REMOVED MEMBER", 1)
	}
	return lines
}

// TestApplyRefused: the first write that is refused says which it is and why, and nothing is done.
func TestApplyRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "eve")
	w.group("club", "eve", "ann bob", false)
	w.group("secret", "", "bob", false)
	fine := &directory.ChangeInput{AddMembers: &directory.AddMembersInput{Group: club, Users: named("bob")}}
	demote := func(name string) *directory.ChangeInput {
		return &directory.ChangeInput{RemoveAdmins: &directory.RemoveAdminsInput{Group: club, Users: named(name)}}
	}
	root, ann := w.root(), w.as("ann")
	for name, row := range map[string]struct {
		by       directory.Caller
		in       directory.ApplyChangesInput
		code     directory.Code
		field    string
		unlocked bool
	}{
		"an unknown user":    {by: root, in: directory.ApplyChangesInput{Changes: changes{fine, {AddMembers: &directory.AddMembersInput{Group: club, Users: named("bob nobody")}}}}, code: directory.NotFound, field: "input.changes[1].addMembers.users[1]"},
		"the last admin":     {by: root, in: directory.ApplyChangesInput{Changes: changes{demote("ann"), demote("bob")}}, code: directory.LastAdmin, field: "input.changes[1].removeAdmins.users"},
		"a name that is new": {by: root, in: directory.ApplyChangesInput{Changes: changes{fine, {CreateGroup: &directory.CreateGroupInput{Name: "x"}}, {CreateGroup: &directory.CreateGroupInput{Name: "X"}}}}, code: directory.Conflict, field: "input.changes[2].createGroup.name"},
		"no permission":      {by: ann, in: directory.ApplyChangesInput{Changes: changes{fine, {CreateGroup: &directory.CreateGroupInput{Name: "x"}}}}, code: directory.Forbidden, field: "input.changes[1].createGroup"},
		"hidden":             {by: ann, in: directory.ApplyChangesInput{Changes: changes{fine, {DeleteGroup: &directory.DeleteGroupInput{Group: directory.GroupByName("secret")}}}}, code: directory.NotFound, field: "input.changes[1].deleteGroup.group"},
		"not there":          {by: ann, in: directory.ApplyChangesInput{Changes: changes{fine, {DeleteGroup: &directory.DeleteGroupInput{Group: directory.GroupByName("nowhere")}}}}, code: directory.NotFound, field: "input.changes[1].deleteGroup.group"},
		"a version":          {by: root, in: directory.ApplyChangesInput{Changes: changes{fine}, ExpectedVersions: []*directory.ExpectedVersionInput{{Group: club, Version: 2}}}, code: directory.Conflict, field: "input.expectedVersions[0].version"},
		"a hidden version":   {by: ann, in: directory.ApplyChangesInput{Changes: changes{fine}, ExpectedVersions: []*directory.ExpectedVersionInput{{Group: club, Version: 1}, {Group: directory.GroupByName("secret"), Version: 1}}}, code: directory.NotFound, field: "input.expectedVersions[1].group"},
		"no such version":    {by: ann, in: directory.ApplyChangesInput{Changes: changes{fine}, ExpectedVersions: []*directory.ExpectedVersionInput{{Group: directory.GroupByName("nowhere"), Version: 1}}}, code: directory.NotFound, field: "input.expectedVersions[0].group"},
		"its own version":    {by: root, in: directory.ApplyChangesInput{Changes: changes{fine, {UpdateGroup: &directory.UpdateGroupInput{Group: club, ExpectedVersion: ptr(2)}}}}, code: directory.Conflict, field: "input.changes[1].updateGroup.expectedVersion"},
		"a dry run of one":   {by: root, in: directory.ApplyChangesInput{Changes: changes{fine, {DeleteGroup: &directory.DeleteGroupInput{Group: club, DryRun: true}}}}, code: directory.Invalid, field: "input.changes[1].deleteGroup.dryRun"},
		"nothing":            {by: root, in: directory.ApplyChangesInput{Changes: changes{fine, {}}}, code: directory.Invalid, field: "input.changes[1]"},
		"none":               {by: root, in: directory.ApplyChangesInput{}, code: directory.Invalid, field: "input.changes"},
		"a bad reference":    {by: root, in: directory.ApplyChangesInput{Changes: changes{fine, {DeleteGroup: &directory.DeleteGroupInput{}}}}, code: directory.Invalid, field: "input.changes[1].deleteGroup.group"},
		"nobody":             {in: directory.ApplyChangesInput{Changes: changes{fine}}, code: directory.Unauthenticated},
		"its own demotion":   {by: ann, in: directory.ApplyChangesInput{Changes: changes{fine, demote("ann"), {AddMembers: &directory.AddMembersInput{Group: club, Users: named("ann")}}}}, code: directory.Forbidden, field: "input.changes[2].addMembers"},
	} {
		before := w.dump()
		_, err := w.ApplyChanges(t.Context(), row.by, row.in, results)
		if failure(err) != row.code || directory.AsError(err).Field != row.field {
			t.Errorf("%s: %v, want %s %s", name, err, row.code, row.field)
		}
		if w.dump() != before {
			t.Errorf("%s: something was written", name)
		}
	}
}

// TestApplyLimit: up to 1,000 writes.
func TestApplyLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var cs changes
	for i := range directory.MaxCommands {
		cs = append(cs, &directory.ChangeInput{CreateUser: &directory.CreateUserInput{Username: fmt.Sprintf("n%d", i)}})
	}
	by := w.root()
	w.did(w.ApplyChanges(t.Context(), by, directory.ApplyChangesInput{Changes: cs}, results))
	if n := w.text(`SELECT count(*) FROM users WHERE username LIKE 'n%'`); n != "1000" {
		t.Errorf("%s users", n)
	}
	if _, err := w.ApplyChanges(t.Context(), by, directory.ApplyChangesInput{Changes: append(cs, cs[0])}, results); failure(err) != directory.LimitExceeded {
		t.Errorf("one more: %v", err)
	}
}

// TestApplyStatements: each write costs the statements that it costs by itself, and the answer the same for 10 writes and for 200.
func TestApplyStatements(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	w := newWorldWith(t, db.Options{OnStatement: func(context.Context, string) { statements.Add(1) }})
	w.manyUsers(300)
	w.group("club", "", "u0", false)
	by := directory.System()
	count := func(from, to int, sel directory.Selection) int64 {
		var cs changes
		for i := from; i < to; i++ {
			cs = append(cs, &directory.ChangeInput{AddMembers: &directory.AddMembersInput{Group: club, Users: numbered(i, i+1)}})
		}
		before := statements.Load()
		w.did(w.ApplyChanges(t.Context(), by, directory.ApplyChangesInput{Changes: cs}, sel))
		return statements.Load() - before
	}
	ten, more := count(1, 11, nothing), count(11, 31, nothing)
	each := (more - ten) / 10
	if (more-ten)%10 != 0 || each > 4 {
		t.Errorf("10 writes are %d statements, 20 are %d", ten, more)
	}
	few, many := count(31, 41, results)-ten, count(41, 241, results)-ten-190*each
	if few != many {
		t.Errorf("the answer of 10 writes is %d statements, that of 200 is %d", few, many)
	}
}

// TestApplyRenamed has a user leave by the name that an earlier write gave it, and be left in no group by it.
func TestApplyRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob")
	w.group("club", "ann", "bob", false)
	w.did(w.ApplyChanges(t.Context(), directory.System(), directory.ApplyChangesInput{Changes: changes{
		{UpdateUser: &directory.UpdateUserInput{User: *named("ann")[0], Username: directory.Some("annie")}},
		{DeleteUser: &directory.DeleteUserInput{User: *named("annie")[0]}},
	}}, results))
	w.checkCounters()
}

// randomChange is any write there is, as one of many.
func randomChange(r *rand.Rand) *directory.ChangeInput {
	name := []string{"a", "b", "c"}[r.IntN(3)]
	g := directory.GroupByName(name)
	us := someOf(r, "u", 8, 3)
	word := fmt.Sprintf("u%d", r.IntN(10))
	unknown := []directory.OnUnknownUser{directory.OnUnknownUserFail, directory.OnUnknownUserSkip, directory.OnUnknownUserCreate}[r.IntN(3)]
	all := changes{
		{AddMembers: &directory.AddMembersInput{Group: g, Users: us, OnUnknownUser: unknown}},
		{AddMembers: &directory.AddMembersInput{Group: g, Users: us, ExpiresAt: ptr(time.Date(2040, 1, 1+r.IntN(3), 0, 0, 0, 0, time.UTC))}},
		{RemoveMembers: &directory.RemoveMembersInput{Group: g, Users: us}},
		{SetMembers: &directory.SetMembersInput{Group: g, Members: us, OnUnknownUser: unknown}},
		{AddAdmins: &directory.AddAdminsInput{Group: g, Users: us, OnUnknownUser: unknown}},
		{RemoveAdmins: &directory.RemoveAdminsInput{Group: g, Users: us}},
		{SetUserGroups: &directory.SetUserGroupsInput{User: *us[0], Groups: []*directory.GroupRef{&g}}},
		{TransferAdmin: &directory.TransferAdminInput{Group: g, From: *us[0], To: *named(word)[0]}},
		{CreateGroup: &directory.CreateGroupInput{Name: name, Members: us, Admins: us, OnUnknownUser: directory.OnUnknownUserCreate}},
		{UpdateGroup: &directory.UpdateGroupInput{Group: g, Description: directory.Some(word)}},
		{DeleteGroup: &directory.DeleteGroupInput{Group: g}},
		{RestoreGroup: &directory.RestoreGroupInput{Group: g}},
		{CreateUser: &directory.CreateUserInput{Username: word}},
		{UpdateUser: &directory.UpdateUserInput{User: *us[0], Username: directory.Some(word)}},
		{DeleteUser: &directory.DeleteUserInput{User: *us[0]}},
		{PutAction: &directory.PutActionInput{Group: &g, Name: word}},
		{PutWorkerModel: &directory.PutWorkerModelInput{Group: g, Name: word, Type: directory.WorkerModelTypeDocker}},
	}
	c := all[r.IntN(len(all))]
	if (c.DeleteGroup != nil || c.DeleteUser != nil) && r.IntN(3) > 0 {
		return all[0] // or there is soon nothing left
	}
	return c
}

// TestApplyIsEach does random writes as one in one directory and one by one in another: both come to the same, and where one of many is
// refused, the same is refused alone.
func TestApplyIsEach(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	one, many := newWorld(t), newWorld(t)
	for _, w := range []*world{one, many} {
		w.users("u0", "u1", "u2", "u3", "u4", "u5")
		w.group("a", "u0 u1 u2", "u0 u3", false)
		w.group("b", "u1", "u1 u2", true)
	}
	by, done := directory.System(), 0
	for n := 0; done < 40; n++ {
		if n == 500 {
			t.Fatalf("only %d writes were done", done)
		}
		var cs changes
		for range 1 + r.IntN(4) {
			cs = append(cs, randomChange(r))
		}
		_, err := many.ApplyChanges(t.Context(), by, directory.ApplyChangesInput{Changes: cs}, results)
		if err != nil {
			continue // TestApplyRefused; and nothing happened, as the comparison below finds
		}
		done += len(cs)
		for _, c := range cs {
			one.did(one.ApplyChanges(t.Context(), by, directory.ApplyChangesInput{Changes: changes{c}}, nothing))
		}
		if d := cmp.Diff(one.story(), many.story()); d != "" {
			t.Fatalf("one by one (-) and as one (+):\n%s", d)
		}
	}
	many.checkCounters()
	many.checkReplay()
}

// story is what there is and what the log tells of it, by names.
func (w *world) story() string {
	w.t.Helper()
	return w.text(`SELECT string_agg(line, E'\n') FROM (
		SELECT 'group ' || name || ' ' || description || ' ' || member_count || '/' || admin_count AS line FROM groups
		UNION ALL SELECT 'user ' || username FROM users
		UNION ALL SELECT 'member ' || g.name || ' ' || m.username_key || ' ' || coalesce(m.expires_at::text, '') FROM members m JOIN groups g ON g.id = m.group_id
		UNION ALL SELECT 'admin ' || g.name || ' ' || m.username_key FROM admins m JOIN groups g ON g.id = m.group_id
		UNION ALL SELECT 'action ' || g.name || ' ' || a.name FROM actions a JOIN groups g ON g.id = a.group_id
		UNION ALL SELECT 'model ' || g.name || ' ' || a.name FROM worker_models a JOIN groups g ON g.id = a.group_id ORDER BY 1) x`) + "\n" +
		w.text(`SELECT string_agg(line, E'\n' ORDER BY line) FROM (SELECT kind || ' ' || coalesce(group_name, '') || ' ' || coalesce(username, '') AS line FROM changes) x`)
}

// TestApplyTogether has lists of writes at once, on the same few groups in any order: none hears of a deadlock, and the log tells it in
// the order in which it happened.
func TestApplyTogether(t *testing.T) {
	t.Parallel()
	const writers, each = 5, 10
	w := newWorldWith(t, db.Options{MaxConns: writers})
	w.users("u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7")
	for _, name := range []string{"a", "b", "c"} {
		w.group(name, "", "u0", false)
	}
	together(writers, func(i int) {
		r := seeded(i)
		for range each {
			var cs changes
			for range 1 + r.IntN(4) {
				cs = append(cs, randomChange(r))
			}
			_, err := w.ApplyChanges(t.Context(), directory.System(), directory.ApplyChangesInput{Changes: cs}, results)
			switch failure(err) {
			case "", directory.NotFound, directory.Conflict, directory.LastAdmin, directory.Invalid:
			default:
				t.Errorf("writer %d: %v", i, err)
			}
		}
	})
	w.checkCounters()
	w.checkReplay()
}

// TestApplyRelinked has many users leave their groups by the externalIds that earlier writes gave them: that is done in one or two tries, however many.
func TestApplyRelinked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manyUsers(20)
	var cs changes
	for i := range 20 {
		w.group(fmt.Sprintf("g%d", i), fmt.Sprintf("u%d", i), "", false)
		id := fmt.Sprintf("x%d", i)
		cs = append(cs, &directory.ChangeInput{UpdateUser: &directory.UpdateUserInput{User: *numbered(i, i+1)[0], ExternalID: directory.Some(id)}},
			&directory.ChangeInput{SetUserGroups: &directory.SetUserGroupsInput{User: directory.UserRef{ExternalID: &id}}})
	}
	w.did(w.ApplyChanges(t.Context(), directory.System(), directory.ApplyChangesInput{Changes: cs}, results))
	if n := w.text(`SELECT count(*) FROM members`); n != "0" {
		t.Errorf("%s members are left", n)
	}
	w.checkCounters()
}
