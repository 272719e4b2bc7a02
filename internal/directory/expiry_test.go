package directory_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// expired is a world where ann's membership of "club" has come to its end, and nobody has swept yet. bob stays.
func expired(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.users("ann", "bob")
	w.group("club", "bob", "bob", false)
	w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: club, Users: named("ann"), ExpiresAt: ptr(time.Now().Add(time.Hour))}, nothing))
	w.exec(`UPDATE members SET expires_at = now() WHERE expires_at IS NOT NULL`)
	return w
}

var club = directory.GroupByName("club")

func kinds(t *testing.T, p *directory.Payload) []directory.ChangeKind {
	t.Helper()
	var out []directory.ChangeKind
	for _, c := range changesOf(t, p) {
		out = append(out, c.Kind)
	}
	return out
}

// TestExpiredIsNotRead: from that very moment no read shows the membership, and it opens nothing.
func TestExpiredIsNotRead(t *testing.T) {
	t.Parallel()
	w := expired(t)
	ctx, all := t.Context(), &directory.Page{Rows: true, Total: true}
	member := directory.TypeID("mem", w.uuidOf(`SELECT id FROM members WHERE username_key = 'ann'`))
	g, err := w.Group(ctx, directory.System(), club, directory.Selection{Fields: []string{"memberCount"}, Links: []directory.Link{
		{Key: "members", Field: "members", Page: all}, {Key: "filtered", Field: "members", Page: &directory.Page{Total: true, Filter: &directory.MemberFilter{}}}}})
	if err != nil {
		t.Fatal(err)
	}
	members, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil || g.MemberCount != 1 || members.TotalCount != 1 || len(members.Edges) != 1 {
		t.Errorf("memberCount %d, totalCount %d, %d members, %v", g.MemberCount, members.TotalCount, len(members.Edges), err)
	}
	for name, filter := range map[string]*directory.GroupFilter{"member": {Member: named("ann")[0]}, "people by admin": {Admin: named("ann")[0]}} {
		if c, err := w.Groups(ctx, directory.System(), directory.Page{Total: true, Filter: filter}, nothing); err != nil || c.TotalCount != 0 {
			t.Errorf("the filter %s finds %d, %v", name, c.TotalCount, err)
		}
	}
	u, err := w.User(ctx, directory.System(), *named("ann")[0], directory.Selection{Links: []directory.Link{{Key: "groups", Field: "groups", Page: all}}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := directory.Linked[*directory.GroupConnection](u, "groups"); err != nil || c.TotalCount != 0 || len(c.Edges) != 0 {
		t.Errorf("ann is in %d groups, %v", c.TotalCount, err)
	}
	checks, err := w.CheckMemberships(ctx, directory.System(), []*directory.MembershipPair{{Group: club, User: *named("ann")[0]}, {Group: club, User: *named("bob")[0]}})
	if err != nil || checks[0].IsMember || !checks[1].IsMember {
		t.Errorf("checkMemberships says %+v, %v", checks, err)
	}
	if n, err := w.Node(ctx, directory.System(), member, nil); n != nil || err != nil {
		t.Errorf("the node is %v, %v", n, err)
	}
	ann := w.as("ann")
	if g, err := w.Group(ctx, ann, club, nothing); g != nil || err != nil {
		t.Errorf("ann still sees the group: %v, %v", g, err)
	}
	if c, err := w.Groups(ctx, ann, *all, nothing); err != nil || c.TotalCount != 0 {
		t.Errorf("ann still lists %d, %v", c.TotalCount, err)
	}
	if v, err := w.Viewer(ctx, ann, struct{}{}, directory.Selection{Links: []directory.Link{{Key: "groups", Field: "groups", Page: all}}}); err != nil {
		t.Error(err)
	} else if c, err := directory.Linked[*directory.GroupConnection](v, "groups"); err != nil || c.TotalCount != 0 {
		t.Errorf("ann is still in %d, %v", c.TotalCount, err)
	}
	w.did(w.AddAdmins(ctx, directory.System(), directory.AddAdminsInput{Group: club, Users: named("ann")}, nothing))
	g, err = w.Group(ctx, directory.System(), club, directory.Selection{Links: []directory.Link{{Key: "admins", Field: "admins",
		Page: &directory.Page{Rows: true, Filter: &directory.MemberFilter{Username: &directory.StringFilter{Eq: ptr("ann")}}}, Select: directory.Selection{Fields: []string{"isMember"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := directory.Linked[*directory.AdminConnection](g, "admins"); err != nil || len(c.Edges) != 1 || c.Edges[0].Node.IsMember {
		t.Errorf("as an admin ann is a member still: %v", err)
	}
}

// TestExpiredIsClosed: whatever closes a membership whose time is over says MEMBER_EXPIRED, once, and keeps the counters right.
func TestExpiredIsClosed(t *testing.T) {
	t.Parallel()
	const (
		gone, added = directory.ChangeKindMemberExpired, directory.ChangeKindMemberAdded
		deleted     = directory.ChangeKindUserDeleted
	)
	by := directory.System()
	for _, row := range []struct {
		name  string
		close func(w *world) *directory.Payload
		want  []directory.ChangeKind
		told  directory.MemberResult
	}{
		{"removeMembers", func(w *world) *directory.Payload {
			return w.did(w.RemoveMembers(w.t.Context(), by, directory.RemoveMembersInput{Group: club, Users: named("ann"), AtMost: ptr(0)}, withChanges))
		}, []directory.ChangeKind{gone}, directory.MemberResultNotAMember},
		{"addMembers", func(w *world) *directory.Payload {
			return w.did(w.AddMembers(w.t.Context(), by, directory.AddMembersInput{Group: club, Users: named("ann")}, withChanges))
		}, []directory.ChangeKind{gone, added}, directory.MemberResultAdded},
		{"setMembers without", func(w *world) *directory.Payload {
			return w.did(w.SetMembers(w.t.Context(), by, directory.SetMembersInput{Group: club, Members: named("bob"), AtMost: ptr(0)}, withChanges))
		}, []directory.ChangeKind{gone}, directory.MemberResultKept},
		{"setMembers with", func(w *world) *directory.Payload {
			return w.did(w.SetMembers(w.t.Context(), by, directory.SetMembersInput{Group: club, Members: named("ann bob")}, withChanges))
		}, []directory.ChangeKind{gone, added}, directory.MemberResultAdded},
		{"setUserGroups", func(w *world) *directory.Payload {
			return w.did(w.SetUserGroups(w.t.Context(), by, directory.SetUserGroupsInput{User: *named("ann")[0], Groups: []*directory.GroupRef{&club}}, withChanges))
		}, []directory.ChangeKind{gone, added}, ""},
		{"deleteUser", func(w *world) *directory.Payload {
			return w.did(w.DeleteUser(w.t.Context(), by, directory.DeleteUserInput{User: *named("ann")[0]}, withChanges))
		}, []directory.ChangeKind{gone, deleted}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := expired(t)
			w.t = t
			p := row.close(w)
			if d := cmp.Diff(row.want, kinds(t, p)); d != "" {
				t.Errorf("the changes (-want +got):\n%s", d)
			}
			if row.told != "" && p.Outcomes[0].Result != row.told {
				t.Errorf("the outcome is %s, want %s", p.Outcomes[0].Result, row.told)
			}
			w.checkCounters()
			if n, err := w.SweepExpired(t.Context()); n != 0 || err != nil {
				t.Errorf("the sweep finds %d more, %v", n, err)
			}
		})
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manyUsers(30)
	soon, later := time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
	for _, name := range []string{"one", "two", "held"} {
		w.group(name, "u0", "u0", false)
		g := directory.GroupByName(name)
		w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: g, Users: numbered(1, 20), ExpiresAt: &soon}, nothing))
		w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: g, Users: numbered(20, 30), ExpiresAt: &later}, nothing))
	}
	w.exec(`UPDATE members SET expires_at = expires_at - interval '1 day'`)
	versions := w.versions()
	holder, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.ExecContext(t.Context(), `SELECT FROM groups WHERE name = 'held' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if n, err := w.SweepExpired(t.Context()); n != 38 || err != nil {
		t.Errorf("with one group held by another, the sweep closes %d, %v; want 38", n, err)
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := w.SweepExpired(t.Context()); n != 19 || err != nil {
		t.Errorf("afterwards it closes %d, %v; want 19", n, err)
	}
	if n, err := w.SweepExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("then it closes %d, %v", n, err)
	}
	w.checkCounters()
	for name, now := range w.versions() {
		if now != versions[name]+1 {
			t.Errorf("%s goes from version %d to %d", name, versions[name], now)
		}
	}
	if got := w.text(`SELECT count(*) || ' ' || count(DISTINCT (group_id, user_id)) || ' ' || min(actor) || ' ' || max(via) || ' ' || count(before->>'expiresAt')
		FROM changes WHERE kind = 'MEMBER_EXPIRED'`); got != "57 57 system SYSTEM 57" {
		t.Errorf("the log says %q", got)
	}
}
