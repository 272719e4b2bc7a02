package directory_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/internal/directory"
)

// claimed is an identity that a trusted issuer vouches for now.
func claimed(subject, username string, trust directory.Trust) directory.Identity {
	now := time.Now().Truncate(time.Second)
	return directory.Identity{Issuer: "https://issuer.example", Subject: subject, Username: username, IssuedAt: now, Until: now.Add(time.Hour), Trust: trust}
}

var creates = directory.Trust{CreatesUsers: true}

func (w *world) recognised(id directory.Identity) directory.Caller {
	w.t.Helper()
	by, err := w.Recognise(w.t.Context(), directory.DoorGraphQL, "test", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// refused holds an identity to be refused, with what any wrong token hears.
func (w *world) refused(id directory.Identity, reason string) {
	w.t.Helper()
	before := w.dump()
	_, err := w.Recognise(w.t.Context(), directory.DoorGraphQL, "test", id)
	e := directory.AsError(err)
	if _, other := w.Authenticate(w.t.Context(), "no token at all, really"); e.Code != directory.Unauthenticated || e.Message != directory.AsError(other).Message {
		w.t.Errorf("%+v: %v", id, err)
	}
	if e.Cause == nil || !strings.Contains(e.Cause.Error(), reason) {
		w.t.Errorf("%+v is refused because %v, not because %s", id, e.Cause, reason)
	}
	if d := cmp.Diff(before, w.dump()); d != "" {
		w.t.Errorf("being refused changed something:\n%s", d)
	}
}

// told are the changes of users so far, but for those of the first administrator.
func (w *world) told() string {
	return w.text(`SELECT coalesce(string_agg(concat_ws(' ', kind, username, actor, via, request_id, before->>'email', after->>'email', after->'identity'->>'subject'), E'\n' ORDER BY tx, seq), '')
		FROM changes WHERE kind LIKE 'USER%' AND username <> 'admin'`)
}

// The first token of somebody makes a user, later ones keep its mail and name what the issuer says, and those with nothing new cost one
// statement.
func TestRecognise(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	w := newWorldWith(t, db.Options{OnStatement: func(context.Context, string) { statements.Add(1) }})
	id := claimed("s1", "ann", creates)
	id.Email, id.FullName = "ann@one.example", "Ann"
	first := w.recognised(id)
	if first.User == nil || first.User.Username != "ann" || first.Until == nil || !first.Until.Equal(id.Until) || len(first.Effective()) > 0 {
		t.Fatalf("%+v", first)
	}
	if got := w.text(`SELECT concat_ws(' ', email, full_name, roles, external_id) FROM users WHERE username = 'ann'`); got != "ann@one.example Ann {}" {
		t.Error(got)
	}

	newer := id
	newer.IssuedAt, newer.Email = id.IssuedAt.Add(time.Minute), "ann@two.example"
	silent := newer
	silent.IssuedAt, silent.Email, silent.FullName = newer.IssuedAt.Add(time.Minute), "", ""
	steps := []struct {
		name string
		id   directory.Identity
		want int64
	}{{"the same", id, 1}, {"newer", newer, 0}, {"newer again", newer, 1}, {"the old one", id, 1}, {"one that claims nothing", silent, 1}}
	for _, s := range steps {
		before := statements.Load()
		if by := w.recognised(s.id); by.User.UUID != first.User.UUID {
			t.Errorf("%s is somebody else: %+v", s.name, by.User)
		}
		if n := statements.Load() - before; s.want > 0 && n != s.want {
			t.Errorf("%s took %d statements", s.name, n)
		}
	}
	want := "USER_CREATED ann system GRAPHQL test ann@one.example s1\nUSER_UPDATED ann system GRAPHQL test ann@one.example ann@two.example"
	if d := cmp.Diff(want, w.told()); d != "" {
		t.Error(d)
	}
	w.checkReplay()
	w.checkCounters()
}

// A claimed name is no proof of being the user who has it.
func TestNamesAreNotTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("bob")
	for subject, name := range map[string]string{"s1": "admin", "s2": "ADMIN", "s3": "Bob", "s4": "", "s5": "a\nb", "s6": "\u200b", "\u200b": ""} {
		by := w.recognised(claimed(subject, name, creates))
		if again := w.recognised(claimed(subject, "another", creates)); again.User.UUID != by.User.UUID {
			t.Errorf("%q is two users", subject)
		}
		if len(by.Roles) > 0 || len(by.Effective()) > 0 {
			t.Errorf("%q who is called %q may do %v", subject, name, by.Effective())
		}
		got := by.User.Username
		switch {
		case strings.HasPrefix(subject, "s") && subject < "s4":
			if !strings.HasPrefix(got, name+"-") {
				t.Errorf("%q who is called %q is %q", subject, name, got)
			}
		case subject == "\u200b":
			if !strings.HasPrefix(got, "user-") {
				t.Errorf("nobody visible is %q", got)
			}
		case got != subject:
			t.Errorf("%q who is called %q is %q", subject, name, got)
		}
	}
	long := w.recognised(claimed("s7", strings.Repeat("é", 256), creates))
	other := w.recognised(claimed("s8", strings.Repeat("É", 256), creates))
	if long.User.UUID == other.User.UUID || len([]rune(other.User.Username)) != 256 {
		t.Errorf("%q and %q", long.User.Username, other.User.Username)
	}
	squatted := claimed("s9", "bob", creates)
	mark := w.recognised(squatted).User.Username
	w.did(w.DeleteUser(t.Context(), directory.System(), directory.DeleteUserInput{User: *named(mark)[0]}, nothing))
	w.users(mark)
	w.refused(squatted, "every name that a user for this subject could have is taken")
	elsewhere := claimed("s1", "admin", creates)
	elsewhere.Issuer = "https://issuer.example/"
	if by := w.recognised(elsewhere); by.User.UUID == w.recognised(claimed("s1", "", creates)).User.UUID {
		t.Error("one subject of two issuers is one user")
	}
}

// Roles of a token last as long as it does, and come on top of those that Roster keeps unless the issuer has the only word.
func TestRolesOfATokenAreNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := claimed("s1", "ann", creates)
	id.Roles, id.Permissions = []directory.Role{directory.RoleManager}, []directory.Permission{directory.PermissionGroupsAdd}
	by := w.recognised(id)
	if !by.Can(directory.PermissionMembersEdit) || !by.Can(directory.PermissionGroupsAdd) || by.Can(directory.PermissionGroupsRemove) {
		t.Errorf("a manager who adds groups may %v", by.Effective())
	}
	w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "hers"}, nothing))
	if got := w.recognised(claimed("s1", "ann", creates)).Effective(); len(got) > 0 {
		t.Errorf("the next token, without roles, may %v", got)
	}
	if got := w.text(`SELECT roles::text FROM users WHERE username = 'ann'`); got != "{}" {
		t.Errorf("roles were kept: %s", got)
	}
	w.did(w.UpdateUser(t.Context(), directory.System(), directory.UpdateUserInput{User: *named("ann")[0], Roles: directory.Some([]directory.Role{directory.RoleManager, directory.RoleViewer})}, nothing))
	if got := fmt.Sprint(w.recognised(id).Roles); got != "[MANAGER VIEWER]" {
		t.Errorf("together: %s", got)
	}
	id.Trust.SoleRoles, id.Roles, id.Permissions = true, nil, nil
	if got := w.recognised(id).Effective(); len(got) > 0 {
		t.Errorf("where the issuer has the only word: %v", got)
	}
}

// An issuer that is trusted with names finds the users there are, but no administrator and nobody twice.
func TestLinking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob")
	w.withRole("boss", directory.RoleAdministrator)
	w.did(w.CreateUser(t.Context(), directory.System(), directory.CreateUserInput{Username: "carol", ExternalID: ptr("HR-7")}, nothing))
	byName := directory.Trust{Links: directory.LinkUsername}
	byExternalID := directory.Trust{Links: directory.LinkExternalID, CreatesUsers: true}

	id := claimed("s1", "ANN", byName)
	id.Email = "ann@example.org"
	if got := w.recognised(id).User.Username; got != "ann" {
		t.Errorf("ann is %q", got)
	}
	w.refused(claimed("s2", "ann", byName), `the user "ann" is another subject of the same issuer`)
	w.refused(claimed("s3", "boss", byName), "administrator by Roster's own word")
	w.refused(claimed("s3", "admin", byName), "administrator by Roster's own word")
	w.refused(claimed("s4", "nobody", byName), "may not create users")
	w.refused(claimed("bob", "", byName), "may not create users") // a subject is not a name
	w.refused(claimed("s5", "", directory.Trust{}), "may not create users")
	if got := w.recognised(claimed("HR-7", "bob", byExternalID)).User.Username; got != "carol" {
		t.Errorf("carol is %q", got)
	}
	if got := w.recognised(claimed("HR-8", "bob", byExternalID)).User.Username; !strings.HasPrefix(got, "bob-") {
		t.Errorf("another bob is %q", got)
	}
	elsewhere := claimed("s1", "ann", byName)
	elsewhere.Issuer = "https://second.example"
	if got := w.recognised(elsewhere).User.Username; got != "ann" {
		t.Errorf("ann by her second issuer is %q", got)
	}
	if got := w.told(); !strings.Contains(got, "USER_UPDATED ann system GRAPHQL test  ann@example.org s1") {
		t.Errorf("the log does not tell of the link:\n%s", got)
	}
	// Who was linked before becoming an administrator stays who they are.
	w.did(w.UpdateUser(t.Context(), directory.System(), directory.UpdateUserInput{User: *named("ann")[0], Roles: directory.Some([]directory.Role{directory.RoleAdministrator})}, nothing))
	if by := w.recognised(claimed("s1", "ann", byName)); by.User.Username != "ann" || len(by.Roles) != 1 {
		t.Errorf("%+v", by)
	}
}

// Who is deleted comes back as somebody new where the issuer creates users, and not at all where it does not.
func TestDeletedUsersIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("bob")
	byName := directory.Trust{Links: directory.LinkUsername}
	ann, bob := w.recognised(claimed("s1", "ann", creates)), w.recognised(claimed("s2", "bob", byName))
	w.group("team", "ann bob", "", false)
	for _, name := range []string{"ann", "bob"} {
		w.did(w.DeleteUser(t.Context(), directory.System(), directory.DeleteUserInput{User: *named(name)[0]}, nothing))
	}
	if got := w.text(`SELECT count(*)::text FROM identities`); got != "0" {
		t.Errorf("%s identities are left", got)
	}
	w.refused(claimed("s2", "bob", byName), "may not create users")
	again := w.recognised(claimed("s1", "ann", creates))
	if again.User.UUID == ann.User.UUID || again.User.UUID == bob.User.UUID {
		t.Error("a deleted user is back")
	}
	if got := w.text(`SELECT count(*)::text FROM members`); got != "0" {
		t.Error("a deleted user is back in its group")
	}
	w.checkReplay()
	w.checkCounters()
}

// What Roster could not keep of a profile is not kept, and does not keep anybody out.
func TestClaimsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := claimed("s1", "ann", creates)
	id.Email, id.FullName = strings.Repeat("e", 321), "A\x00nn"
	w.recognised(id)
	id.IssuedAt, id.FullName = id.IssuedAt.Add(time.Minute), strings.Repeat("n", 257)
	w.recognised(id)
	if got := w.text(`SELECT email || full_name FROM users WHERE username = 'ann'`); got != "" {
		t.Errorf("kept %q", got)
	}
}

// Of many first requests at once one makes the user, and the others find it.
func TestFirstSightAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 24
	users := make([]directory.Caller, n)
	together(n, func(i int) {
		var err error
		if users[i], err = w.Recognise(t.Context(), directory.DoorCDS, "test", claimed(fmt.Sprintf("s%d", i%3), "ann", creates)); err != nil {
			t.Error(err)
		}
	})
	names := map[string]bool{}
	for i, by := range users {
		if by.User == nil || by.User.UUID != users[i%3].User.UUID {
			t.Fatalf("request %d is %+v", i, by.User)
		}
		names[by.User.Username] = true
	}
	if got := w.text(`SELECT count(*)::text FROM changes WHERE kind = 'USER_CREATED' AND username LIKE 'ann%'`); len(names) != 3 || got != "3" {
		t.Errorf("%v after %s creations", names, got)
	}
	w.checkReplay()
	w.checkCounters()
}

// Of many tokens at once that disagree the newest has the last word.
func TestNewestClaimsWin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recognised(claimed("s", "ann", creates))
	const n = 16
	together(n, func(i int) {
		id := claimed("s", "ann", creates)
		id.IssuedAt, id.Email = id.IssuedAt.Add(time.Duration(i+1)*time.Minute), fmt.Sprintf("%d@example.org", i)
		if _, err := w.Recognise(t.Context(), directory.DoorGraphQL, "test", id); err != nil {
			t.Error(err)
		}
	})
	if got, want := w.text(`SELECT email FROM users WHERE username = 'ann'`), fmt.Sprintf("%d@example.org", n-1); got != want {
		t.Errorf("the last word is %s, not %s", got, want)
	}
	w.checkReplay()
}
