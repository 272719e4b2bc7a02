package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
	"roster/internal/load"
	"roster/internal/rostertest"
)

// audit is the report on a database, with whatever was violated.
func audit(t testing.TB, url string) directory.AuditReport {
	t.Helper()
	r, err := directory.Audit(t.Context(), url, false, 5)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// violated are the names of the audits that found something.
func violated(r directory.AuditReport) []string {
	names := []string{}
	for _, a := range r.Audits {
		if a.Violations > 0 {
			names = append(names, a.Name)
		}
	}
	return names
}

// clean holds a directory to everything that the audit proves.
func clean(t testing.TB, url string) {
	t.Helper()
	for _, v := range audit(t, url).Violations {
		t.Errorf("%s: %s: expected %s, found %s", v.Audit, v.About(), v.Expected, v.Found)
	}
}

// TestAuditAfterRandomWrites: whatever is written, what is kept stays right and the log tells all of it.
func TestAuditAfterRandomWrites(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := newWorld(t)
	w.users("u0", "u1", "u2", "u3", "u4", "u5")
	w.group("a", "u0 u1 u2", "u0 u3", false)
	w.group("b", "u1", "u1 u2", true)
	succeeded := map[string]int{}
	var made []string
	for n := range 300 {
		if n%5 == 0 {
			made = randomToken(w, r.IntN(4), made, fmt.Sprintf("u%d", r.IntN(10)))
			continue
		}
		s := randomStep(r)
		if _, err := s.do(w, false, nothing); err == nil {
			succeeded[s.name]++
		} else if failure(err) == directory.Internal {
			t.Fatal(s.name, err)
		}
		if n%7 == 0 { // some memberships come to their end, as their log says
			w.exec(`WITH over AS (UPDATE members SET expires_at = date_trunc('second', now()) - interval '1 hour'
					WHERE expires_at IS NOT NULL RETURNING group_id, user_id, expires_at)
				UPDATE changes c SET after = jsonb_build_object('expiresAt', o.expires_at) FROM over o
				WHERE c.group_id = o.group_id AND c.user_id = o.user_id AND c.kind = 'MEMBER_ADDED'`)
		}
		if n%21 == 0 {
			if _, err := w.SweepExpired(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	clean(t, w.url)
	if len(succeeded) < 9 || len(made) < 3 {
		t.Errorf("only these succeeded, %v, and %d tokens: the steps have lost their way", succeeded, len(made))
	}
}

// randomToken makes, rotates or revokes a token, and answers all that were made.
func randomToken(w *world, which int, made []string, user string) []string {
	ctx, by, who := w.t.Context(), directory.System(), directory.UserByName(user)
	in := directory.CreateTokenInput{User: &who, ExpiresAt: ptr(time.Now().Add(time.Hour))}
	if which == 0 {
		group := directory.GroupByName("a")
		in = directory.CreateTokenInput{Group: &group, Scopes: []directory.Permission{directory.PermissionGroupsView}}
	}
	switch {
	case which < 2 || len(made) == 0:
		if _, err := w.CreateToken(ctx, by, in, nothing); err == nil {
			made = append(made, directory.TypeID("tok", w.uuidOf("SELECT id FROM tokens ORDER BY created_at DESC LIMIT 1")))
		}
	case which == 2:
		_, _ = w.RotateToken(ctx, by, directory.RotateTokenInput{Token: made[len(made)/2]}, nothing) // it may be gone with its owner
	default:
		_, _ = w.RevokeToken(ctx, by, directory.RevokeTokenInput{Token: made[len(made)-1]}, nothing)
	}
	return made
}

// TestAuditOfAdministrators: another configured token ends the one before, and the log tells what it ended.
func TestAuditOfAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.EnsureAdmin(t.Context(), "another secret of some length"); err != nil {
		t.Fatal(err)
	}
	clean(t, w.url)
	if n := w.text("SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL"); n != "1" {
		t.Errorf("%s tokens are revoked", n)
	}
}

// TestAuditOfSeed: load data is made past the directory, and as it would have made it.
func TestAuditOfSeed(t *testing.T) {
	t.Parallel()
	url := rostertest.URL(t)
	if err := load.Seed(t.Context(), url, load.Size{Groups: 40, Users: 60, Memberships: 300}, nil); err != nil {
		t.Fatal(err)
	}
	clean(t, url)
}

// TestAuditFinds: what goes wrong past the directory is found, named, and nothing else with it.
func TestAuditFinds(t *testing.T) {
	t.Parallel()
	const aside = "SET session_replication_role = replica; " // no foreign key and no trigger looks
	for _, test := range []struct {
		name, tamper string
		want         []string // the audits that tell
		tells        string   // what one of them says
	}{
		{"MemberCount", `UPDATE groups SET member_count = 7 WHERE name = 'crew'`, []string{"member-counts"}, "grp_* crew: 2, 7"},
		{"AdminCount", `UPDATE groups SET admin_count = 0 WHERE name = 'crew'`, []string{"admin-counts"}, "grp_* crew: 1, 0"},
		{"NextExpiry", aside + `UPDATE members SET expires_at = '2050-01-01Z' WHERE username_key = 'bob'`, []string{"next-expiries", "log-members"},
			"grp_* crew: 2050-01-01T00:00:00+00:00 or before, never"},
		{"NextExpiryLate", `UPDATE members SET expires_at = '2050-01-01Z' WHERE username_key = 'bob'; UPDATE groups SET next_expiry = next_expiry + interval '1 second'
			WHERE name = 'crew'`, []string{"next-expiries", "log-members"}, "grp_* crew: 2050-01-01T00:00:00+00:00 or before, 2050-01-01T00:00:01+00:00"},
		{"NextExpiryTrigger", `DROP TRIGGER members_end ON members`, []string{"schema"}, "trigger members_end: there, and at work, missing"},
		{"Total", `UPDATE totals SET n = n + 1 WHERE noun = 'users' AND shard = 3`, []string{"totals"}, "users: 4, 5"},
		{"TotalsGone", `DELETE FROM totals WHERE noun = 'groups'`, []string{"totals"}, "groups: 2, 0"},
		{"LastAdmin", `DELETE FROM admins WHERE group_id = (SELECT id FROM groups WHERE name = 'crew'); UPDATE groups SET admin_count = 0 WHERE name = 'crew'`,
			[]string{"last-admins", "log-admins"}, "grp_* usr_* crew: an admin, none, and no change says so"},
		{"Orphan", aside + `DELETE FROM users WHERE username = 'bob'; UPDATE totals SET n = n - 1 WHERE noun = 'users' AND shard = 0`,
			[]string{"orphans", "log-users"}, "grp_* usr_* members.user_id: a row of users, none"},
		{"OrphanToken", aside + `UPDATE tokens SET group_id = gen_random_uuid() WHERE group_id IS NOT NULL`,
			[]string{"orphans", "log-tokens"}, "grp_* tok_* tokens.group_id: a row of groups, none"},
		{"FoldedName", `ALTER TABLE groups ALTER COLUMN name_key DROP EXPRESSION; UPDATE groups SET name_key = 'Crew' WHERE name = 'crew'`,
			[]string{"names"}, "grp_* groups.name_key: crew, Crew"},
		{"MemberName", aside + `UPDATE members SET username_key = 'eve' WHERE username_key = 'bob'`,
			[]string{"names"}, "grp_* usr_* members.username_key: bob, eve"},
		{"Unique", `ALTER TABLE groups DROP CONSTRAINT groups_number_unique; UPDATE groups SET number = 1`,
			[]string{"uniqueness", "schema", "log-groups"}, "groups.number 1: one, 2"},
		{"Constraint", `ALTER TABLE members DROP CONSTRAINT members_group_exists; ALTER TABLE members ADD CONSTRAINT members_group_exists
			FOREIGN KEY (group_id) REFERENCES groups (id) NOT VALID`, []string{"schema"}, "constraint members_group_exists: there, and at work, not valid"},
		{"ConstraintGone", `ALTER TABLE members DROP CONSTRAINT members_group_exists`, []string{"schema"}, "constraint members_group_exists: there, and at work, missing"},
		{"Trigger", `ALTER TABLE users DISABLE TRIGGER users_inserted`, []string{"schema"}, "trigger users_inserted: there, and at work, disabled"},
		{"TriggerAside", `ALTER TABLE tokens ENABLE REPLICA TRIGGER tokens_authority_changed`, []string{"schema"},
			"trigger tokens_authority_changed: there, and at work, disabled"},
		{"ConstraintAside", `ALTER TABLE identities DISABLE TRIGGER ALL`, []string{"schema"}, "constraint identities_user_exists: there, and at work, disabled"},
		{"IndexGone", `DROP INDEX members_of_user`, []string{"schema"}, "index members_of_user: there, and at work, missing"},
		{"Order", `DELETE FROM changes WHERE kind = 'MEMBER_REMOVED'`, []string{"log-order"}, "grp_* usr_* MEMBER_ADDED at *: that it was not there before, that it was"},
		{"User", `UPDATE users SET email = 'eve@example.com' WHERE username = 'bob'`, []string{"log-users"},
			`usr_* bob: {"email": ""}, {"email": "eve@example.com"}`},
		{"Identity", `UPDATE identities SET user_id = (SELECT id FROM users WHERE username = 'bob')`, []string{"log-identities"},
			`usr_* 7 of https://issuer.example: {"user": "*"}, {"user": "*"}`},
		{"IdentityUntold", `INSERT INTO identities (issuer, subject, user_id, claims_at) SELECT 'https://issuer.example', 'eve', id, now() FROM users WHERE username = 'ann'`,
			[]string{"log-identities"}, `usr_* eve of https://issuer.example: nothing, {"user": "*"}`},
		{"IdentityGone", `DELETE FROM identities`, []string{"log-identities"}, `usr_* 7 of https://issuer.example: {"user": "*"}, nothing`},
		{"UserUntold", `DELETE FROM changes WHERE kind = 'USER_CREATED' AND username = 'cid'`, []string{"log-users", "log-identities"}, "usr_* cid: nothing, {*"},
		{"Group", `UPDATE groups SET public = true WHERE name = 'crew'`, []string{"log-groups"}, `grp_* crew: {"public": false}, {"public": true}`},
		{"GroupGone", aside + `DELETE FROM groups WHERE name = 'empty'; UPDATE totals SET n = n - 1 WHERE noun = 'groups' AND shard = 0`,
			[]string{"log-groups"}, "grp_* empty: {*}, nothing"},
		{"Member", `DELETE FROM members WHERE username_key = 'bob'; UPDATE groups SET member_count = 1 WHERE name = 'crew'`,
			[]string{"log-members"}, `grp_* usr_* bob: {"expiresAt": null}, nothing`},
		{"MemberUntold", `INSERT INTO members (group_id, user_id, id, username_key, via) SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'SYSTEM'
			FROM groups g, users u WHERE g.name = 'crew' AND u.username = 'cid'; UPDATE groups SET member_count = 3 WHERE name = 'crew'`,
			[]string{"log-members"}, `grp_* usr_* cid: nothing, {"expiresAt": null}`},
		{"MemberExpiry", `UPDATE members SET expires_at = '2050-01-01Z' WHERE username_key = 'bob'`,
			[]string{"log-members"}, `grp_* usr_* bob: {"expiresAt": null}, {"expiresAt": "2050-01-01T00:00:00+00:00"}`},
		{"Admin", `INSERT INTO admins (group_id, user_id, id, username_key, via) SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'SYSTEM'
			FROM groups g, users u WHERE g.name = 'crew' AND u.username = 'cid'; UPDATE groups SET admin_count = 2 WHERE name = 'crew'`,
			[]string{"log-admins"}, `grp_* usr_* cid: nothing, {}`},
		{"Token", `UPDATE tokens SET scopes = '{GROUPS_EDIT}' WHERE group_id IS NOT NULL`,
			[]string{"log-tokens"}, `grp_* tok_*: {"scopes": ["GROUPS_VIEW"]}, {"scopes": ["GROUPS_EDIT"]}`},
		{"DeletedGroup", `UPDATE deleted_groups SET public = true`, []string{"deleted-groups"}, `grp_* past: {"public": false}, {"public": true}`},
		{"DeletedGroupThere", `INSERT INTO deleted_groups SELECT id, 0, handle, name, description, type, external_id, access_type, folder_owner, use_default_storage,
			public, tags, version, created_at, created_by FROM groups WHERE name = 'empty'`, []string{"deleted-groups"}, `grp_* empty: nothing, {*}`},
		{"DeletedName", `ALTER TABLE deleted_groups ALTER COLUMN name_key DROP EXPRESSION; UPDATE deleted_groups SET name_key = 'Past'`,
			[]string{"names"}, "grp_* deleted_groups.name_key: past, Past"},
		{"DeletedMember", `DELETE FROM deleted_members WHERE user_id = (SELECT id FROM users WHERE username = 'bob')`,
			[]string{"deleted-members"}, `grp_* usr_* bob: {"expiresAt": null}, nothing`},
		{"DeletedAdmin", `INSERT INTO deleted_admins SELECT d.id, u.id, gen_random_uuid(), now(), NULL, 'SYSTEM' FROM deleted_groups d, users u WHERE u.username = 'bob'`,
			[]string{"deleted-admins"}, `grp_* usr_*: nothing, {}`},
		{"DeletedOrphan", aside + `INSERT INTO deleted_actions SELECT gen_random_uuid(), gen_random_uuid(), 1, 'a', 'DEFAULT', '', true, false, '[]', '[]'`,
			[]string{"orphans"}, "grp_* deleted_actions.group_id: a row of deleted_groups, none"},
		{"TokenGone", `DELETE FROM tokens WHERE group_id IS NOT NULL`, []string{"log-tokens"}, "grp_* tok_*: {*}, nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.users("ann", "bob")
			w.recognised(claimed("7", "cid", creates))
			w.group("crew", "ann bob", "ann", false)
			w.group("empty", "", "", false)
			crew := directory.GroupByName("crew")
			w.did(w.CreateToken(t.Context(), directory.System(), directory.CreateTokenInput{Group: &crew, Scopes: []directory.Permission{directory.PermissionGroupsView}}, nothing))
			w.did(w.RemoveMembers(t.Context(), directory.System(), directory.RemoveMembersInput{Group: crew, Users: named("bob")}, nothing))
			w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: crew, Users: named("bob")}, nothing))
			w.group("past", "ann bob", "cid", false)
			w.remove(directory.GroupByName("past"))
			clean(t, w.url)
			w.exec(test.tamper)
			r := audit(t, w.url)
			if d := cmp.Diff(test.want, violated(r)); d != "" || r.OK {
				t.Errorf("violated (-want +got), ok %t:\n%s\n%+v", r.OK, d, r.Violations)
			}
			if !slices.ContainsFunc(r.Violations, func(v directory.AuditViolation) bool {
				return like(fmt.Sprintf("%s: %s, %s", v.About(), v.Expected, v.Found), test.tells)
			}) {
				t.Errorf("none tells %q:\n%+v", test.tells, r.Violations)
			}
		})
	}
}

// like compares a text with a pattern, in which * stands for anything.
func like(text, pattern string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	for i, part := range parts {
		at := strings.Index(text, part)
		if at < 0 || i == len(parts)-1 && !strings.HasSuffix(text, part) {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// TestAuditOfTrimmedLog: where changes have been dropped for their age, what they told is not proven, and what came later is.
func TestAuditOfTrimmedLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "cid")
	w.group("crew", "ann bob", "ann", false)
	w.exec(`WITH gone AS (DELETE FROM changes RETURNING tx, seq)
		INSERT INTO settings (key, value) SELECT 'changes_horizon', tx || ' ' || seq FROM gone ORDER BY tx DESC, seq DESC LIMIT 1`)
	crew := directory.GroupByName("crew")
	w.did(w.RemoveMembers(t.Context(), directory.System(), directory.RemoveMembersInput{Group: crew, Users: named("bob")}, nothing))
	w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: crew, Users: named("cid")}, nothing))
	r := audit(t, w.url)
	unproven := map[string]int64{}
	for _, a := range r.Audits {
		if a.Unproven > 0 {
			unproven[a.Name] = a.Unproven
		}
	}
	want := map[string]int64{"log-order": 1, "log-users": 4, "log-groups": 1, "log-members": 1, "log-admins": 1, "log-tokens": 1}
	if d := cmp.Diff(want, unproven); d != "" || !r.OK || r.LogFrom == "" {
		t.Errorf("unproven (-want +got), ok %t, from %q:\n%s\n%+v", r.OK, r.LogFrom, d, r.Violations)
	}
	w.exec(`DELETE FROM members WHERE username_key = 'cid'; UPDATE groups SET member_count = 1`)
	if got := violated(audit(t, w.url)); !slices.Equal(got, []string{"log-members"}) {
		t.Errorf("what the log still tells and is not so is found by %v", got)
	}
}
