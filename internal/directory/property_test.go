package directory_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// step is a write that can be tried dry and then done.
type step struct {
	name string
	do   func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error)
}

// randomStep is any write there is, on few groups and users, so that they meet.
func randomStep(r *rand.Rand) step {
	by := directory.System()
	groups := []string{"a", "b", "c", "d"}
	name := groups[r.IntN(len(groups))]
	group := directory.GroupByName(name)
	people := func() []*directory.UserRef {
		var names []string
		for i := range 8 {
			if r.IntN(3) == 0 {
				names = append(names, fmt.Sprintf("u%d", i))
			}
		}
		if len(names) == 0 {
			names = []string{"u0"}
		}
		return named(strings.Join(names, " "))
	}
	some, others := people(), people()
	unknown := []directory.OnUnknownUser{directory.OnUnknownUserFail, directory.OnUnknownUserSkip, directory.OnUnknownUserCreate}[r.IntN(3)]
	if r.IntN(3) == 0 {
		others = nil
	}
	user, word := *some[0], fmt.Sprintf("u%d", r.IntN(10))
	future := time.Date(2040, 1, 1+r.IntN(3), 0, 0, 0, 0, time.UTC)
	var refs []*directory.GroupRef
	for _, g := range groups {
		if r.IntN(2) == 0 {
			refs = append(refs, ptr(directory.GroupByName(g)))
		}
	}
	many := changes{randomChange(r), randomChange(r)}
	steps := []step{
		{"addMembers", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.AddMembers(w.t.Context(), by, directory.AddMembersInput{Group: group, Users: some, OnUnknownUser: unknown, DryRun: dry}, sel)
		}},
		{"addMembers", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.AddMembers(w.t.Context(), by, directory.AddMembersInput{Group: group, Users: some, ExpiresAt: &future, DryRun: dry}, sel)
		}},
		{"removeMembers", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.RemoveMembers(w.t.Context(), by, directory.RemoveMembersInput{Group: group, Users: some, DryRun: dry}, sel)
		}},
		{"setMembers", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.SetMembers(w.t.Context(), by, directory.SetMembersInput{Group: group, Members: some, Admins: others, OnUnknownUser: unknown, DryRun: dry}, sel)
		}},
		{"addAdmins", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.AddAdmins(w.t.Context(), by, directory.AddAdminsInput{Group: group, Users: some, OnUnknownUser: unknown, DryRun: dry}, sel)
		}},
		{"removeAdmins", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.RemoveAdmins(w.t.Context(), by, directory.RemoveAdminsInput{Group: group, Users: some, DryRun: dry}, sel)
		}},
		{"transferAdmin", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.TransferAdmin(w.t.Context(), by, directory.TransferAdminInput{Group: group, From: user, To: *named(word)[0], DryRun: dry}, sel)
		}},
		{"setUserGroups", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.SetUserGroups(w.t.Context(), by, directory.SetUserGroupsInput{User: user, Groups: refs, DryRun: dry}, sel)
		}},
		{"createGroup", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.CreateGroup(w.t.Context(), by, directory.CreateGroupInput{Name: name, Members: some, Admins: others, OnUnknownUser: unknown, DryRun: dry}, sel)
		}},
		{"updateGroup", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.UpdateGroup(w.t.Context(), by, directory.UpdateGroupInput{Group: group, Description: directory.Some(word), DryRun: dry}, sel)
		}},
		{"deleteGroup", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.DeleteGroup(w.t.Context(), by, directory.DeleteGroupInput{Group: group, DryRun: dry}, sel)
		}},
		{"restoreGroup", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.RestoreGroup(w.t.Context(), by, directory.RestoreGroupInput{Group: group, DryRun: dry}, sel)
		}},
		{"createUser", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.CreateUser(w.t.Context(), by, directory.CreateUserInput{Username: word, DryRun: dry}, sel)
		}},
		{"updateUser", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.UpdateUser(w.t.Context(), by, directory.UpdateUserInput{User: user, Username: directory.Some(word), DryRun: dry}, sel)
		}},
		{"deleteUser", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.DeleteUser(w.t.Context(), by, directory.DeleteUserInput{User: user, DryRun: dry}, sel)
		}},
		{"applyChanges", func(w *world, dry bool, sel directory.Selection) (*directory.Payload, error) {
			return w.ApplyChanges(w.t.Context(), by, directory.ApplyChangesInput{Changes: many, DryRun: dry}, sel)
		}},
	}
	return steps[r.IntN(len(steps))]
}

// TestDryRuns tries random writes dry and then does them: the dry run leaves nothing, and tells exactly what the other one writes; and
// after each, everything that is kept is right, and versions have gone up where something changed.
func TestDryRuns(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := newWorld(t)
	w.manyUsers(6)
	w.group("a", "u0 u1 u2", "u0 u3", false)
	w.group("b", "u1", "u1 u2", true)
	const enough = 9 // kinds of write; where a step leaves little to write to, it takes more of them
	succeeded := map[string]int{}
	for n := 0; n < 100 || n < 1_000 && len(succeeded) < enough; n++ {
		s := randomStep(r)
		before, versions := w.dump(), w.versions()
		dry, dryErr := s.do(w, true, withChanges)
		if d := cmp.Diff(before, w.dump()); d != "" {
			t.Fatalf("%s as a dry run changed something:\n%s", s.name, d)
		}
		real, err := s.do(w, false, withChanges)
		if failure(err) != failure(dryErr) || failure(err) == directory.Internal {
			t.Fatalf("%s as a dry run: %v; for real: %v", s.name, dryErr, err)
		}
		if err != nil {
			if d := cmp.Diff(before, w.dump()); d != "" {
				t.Fatalf("%s failed with %v and changed something:\n%s", s.name, err, d)
			}
			continue
		}
		succeeded[s.name]++
		told, written := toldBy(t, dry), toldBy(t, real)
		if d := cmp.Diff(told, written); d != "" {
			t.Errorf("%s told of (-) and wrote (+):\n%s", s.name, d)
		}
		if d := cmp.Diff(written, w.lastChanges(len(written))); d != "" {
			t.Errorf("%s answered (-) and logged (+):\n%s", s.name, d)
		}
		if len(written) == 0 && w.dump() != before {
			t.Errorf("%s changed something without a word", s.name)
		}
		for name, now := range w.versions() {
			old, was := versions[name]
			all := strings.Join(written, "\n")
			if strings.Contains(all, fmt.Sprintf("GROUP_CREATED system SYSTEM %q", name)) {
				continue // another group of that name
			}
			if touched := strings.Contains(all, `"`+name+`"`); was && (now != old) != touched || was && now < old {
				t.Errorf("%s: the version of %s went from %d to %d; it was touched: %t", s.name, name, old, now, touched)
			}
		}
		w.checkCounters()
	}
	if len(succeeded) < enough {
		t.Errorf("only these succeeded, %v: the steps have lost their way", succeeded)
	}
}

// versions are those of all groups.
func (w *world) versions() map[string]int {
	w.t.Helper()
	var versions map[string]int
	if err := json.Unmarshal([]byte(w.text(`SELECT coalesce(jsonb_object_agg(name, version), '{}') FROM groups`)), &versions); err != nil {
		w.t.Fatal(err)
	}
	return versions
}

// toldBy are the changes that a payload tells of, a line each, without what a new attempt makes anew.
func toldBy(t *testing.T, p *directory.Payload) []string {
	t.Helper()
	lines := []string{}
	for _, c := range changesOf(t, p) {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s %s %s", c.Kind, c.Actor, c.Via, quoted(c.GroupName), quoted(c.Username), image(t, c.Before), image(t, c.After)))
	}
	return lines
}

// lastChanges are the last changes of the log, as toldBy tells them.
func (w *world) lastChanges(n int) []string {
	w.t.Helper()
	lines := []string{}
	rows, err := w.beam.QueryContext(w.t.Context(), `SELECT kind || ' ' || actor || ' ' || via, group_name, username, before::text, after::text
		FROM (SELECT * FROM changes ORDER BY tx DESC, seq DESC LIMIT $1) c ORDER BY tx, seq`, n)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var head string
		var group, user, before, after *string
		if err := rows.Scan(&head, &group, &user, &before, &after); err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", head, quoted(group), quoted(user), image(w.t, raw(before)), image(w.t, raw(after))))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return lines
}

func raw(s *string) json.RawMessage {
	if s == nil {
		return nil
	}
	return json.RawMessage(*s)
}

func quoted(s *string) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%q", *s)
}

// image spells an image with its members in order, and without what is made anew with each attempt.
func image(t testing.TB, v json.RawMessage) string {
	t.Helper()
	if v == nil {
		return "-"
	}
	var m map[string]any
	if err := json.Unmarshal(v, &m); err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []string{"uuid", "number", "handle"} {
		delete(m, fresh)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
