package directory_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// world is a directory on a database of the test's own, with a way beside it for what only a test may do.
type world struct {
	*directory.Service
	t     testing.TB
	url   string
	beam  *sql.DB
	store *db.Store
}

func newWorld(t testing.TB) *world { return newWorldWith(t, db.Options{}) }

func newWorldWith(t testing.TB, o db.Options) *world {
	t.Helper()
	o.URL = rostertest.URL(t)
	store, err := db.Open(rostertest.Patient(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	beam, err := sql.Open("pg", o.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beam.Close() })
	return &world{Service: rostertest.DirectoryOn(t, store), t: t, url: o.URL, beam: beam, store: store}
}

// root is the first administrator through GraphQL.
func (w *world) root() directory.Caller {
	w.t.Helper()
	return rostertest.Admin(w.t, w.Service, directory.DoorGraphQL)
}

// did is for writes that have to succeed.
func (w *world) did(p *directory.Payload, err error) *directory.Payload {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// users makes users.
func (w *world) users(names ...string) {
	w.t.Helper()
	for _, n := range names {
		w.did(w.CreateUser(w.t.Context(), directory.System(), directory.CreateUserInput{Username: n}, nothing))
	}
}

// withRole makes a user with a role.
func (w *world) withRole(name string, roles ...directory.Role) {
	w.t.Helper()
	w.did(w.CreateUser(w.t.Context(), directory.System(), directory.CreateUserInput{Username: name, Roles: roles}, nothing))
}

// group makes a group; its people are named with spaces between.
func (w *world) group(name, members, admins string, public bool) {
	w.t.Helper()
	w.did(w.CreateGroup(w.t.Context(), directory.System(),
		directory.CreateGroupInput{Name: name, Public: &public, Members: named(members), Admins: named(admins)}, nothing))
}

var nothing = directory.Selection{}

// named are references to users by their names, which have spaces between.
func named(names string) []*directory.UserRef {
	refs := []*directory.UserRef{}
	for _, n := range strings.Fields(names) {
		ref := directory.UserByName(n)
		refs = append(refs, &ref)
	}
	return refs
}

// numbered are references to users u0, u1 and so on.
func numbered(from, to int) []*directory.UserRef {
	var names strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&names, "u%d ", i)
	}
	return named(names.String())
}

// manyUsers makes u0 to u(n-1), fast.
func (w *world) manyUsers(n int) {
	w.t.Helper()
	w.exec(`INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(0, $1::int - 1) i`, n)
}

// secretOf makes a token of a user's and gives its secret; without scopes named it has all.
func (w *world) secretOf(user string, scopes ...directory.Permission) string {
	w.t.Helper()
	if scopes == nil {
		scopes = directory.Permissions
	}
	return w.did(w.CreateToken(w.t.Context(), directory.System(), directory.CreateTokenInput{User: named(user)[0], Scopes: scopes}, nothing)).Secret
}

// as is the user with a token of the scopes, through GraphQL.
func (w *world) as(user string, scopes ...directory.Permission) directory.Caller {
	w.t.Helper()
	return w.with(w.secretOf(user, scopes...))
}

// with is who a secret belongs to, through GraphQL.
func (w *world) with(secret string) directory.Caller {
	w.t.Helper()
	by, err := w.AuthenticateNow(w.t.Context(), secret)
	if err != nil {
		w.t.Fatal(err)
	}
	by.Via, by.RequestID = directory.DoorGraphQL, "test"
	return by
}

// tokenOf is a token of a group's as a caller.
func (w *world) tokenOf(group string, scopes ...directory.Permission) directory.Caller {
	w.t.Helper()
	if scopes == nil {
		scopes = directory.Permissions
	}
	g := directory.GroupByName(group)
	return w.with(w.did(w.CreateToken(w.t.Context(), directory.System(), directory.CreateTokenInput{Group: &g, Scopes: scopes}, nothing)).Secret)
}

func (w *world) exec(text string, args ...any) {
	w.t.Helper()
	if _, err := w.beam.ExecContext(w.t.Context(), text, args...); err != nil {
		w.t.Fatal(err)
	}
}

// text is the one value that a query answers.
func (w *world) text(query string, args ...any) string {
	w.t.Helper()
	var v sql.NullString
	if err := w.beam.QueryRowContext(w.t.Context(), query, args...).Scan(&v); err != nil {
		w.t.Fatal(err)
	}
	return v.String
}

// dump is everything in the database, but for when tokens were last used.
func (w *world) dump() string {
	w.t.Helper()
	var b strings.Builder
	for _, table := range []string{"settings", "totals", "users", "groups", "members", "admins", "tokens", "changes", "actions", "worker_models", "identities",
		"webhooks", "webhook_deliveries", "deleted_groups", "deleted_members", "deleted_admins", "deleted_actions", "deleted_worker_models"} {
		b.WriteString(table + "\n" + w.text(`SELECT coalesce(string_agg(r::text, E'\n' ORDER BY r::text), '')
			FROM (SELECT to_jsonb(t) - 'last_used_at' r FROM `+table+` t) x`) + "\n")
	}
	return b.String()
}

// settle waits until the feed shows every change there is: a transaction anywhere in the server may hold it back.
func (w *world) settle() {
	w.t.Helper()
	w.await("the feed to settle", `SELECT coalesce(max(tx::text::bigint), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM changes`)
}

// await polls until a query answers true.
func (w *world) await(what, query string, args ...any) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for w.text(query, args...) != "true" {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatal("waited too long for " + what)
		}
	}
}

// checkCounters compares everything that is kept with what it is kept of.
func (w *world) checkCounters() {
	w.t.Helper()
	for what, query := range map[string]string{
		"counters of groups": `SELECT string_agg(g.name || ': ' || g.member_count || '/' || g.admin_count, ', ') FROM groups g
			WHERE g.member_count <> (SELECT count(*) FROM members m WHERE m.group_id = g.id) OR g.admin_count <> (SELECT count(*) FROM admins m WHERE m.group_id = g.id)`,
		"next expiries": `SELECT string_agg(DISTINCT g.name || ': ' || coalesce(g.next_expiry::text, 'never'), ', ') FROM groups g JOIN members m ON m.group_id = g.id
			WHERE m.expires_at < coalesce(g.next_expiry, 'infinity')`,
		"totals": `SELECT string_agg(noun, ', ') FROM (SELECT noun, sum(n) n FROM totals GROUP BY noun) t
			WHERE n <> CASE noun WHEN 'groups' THEN (SELECT count(*) FROM groups) ELSE (SELECT count(*) FROM users) END`,
		"names of members": `SELECT string_agg(u.username, ', ') FROM (SELECT * FROM members UNION ALL SELECT *, NULL FROM admins) m
			LEFT JOIN users u ON u.id = m.user_id WHERE u.username_key IS DISTINCT FROM m.username_key`,
	} {
		if wrong := w.text(query); wrong != "" {
			w.t.Errorf("the %s are wrong: %s", what, wrong)
		}
	}
}

// failure is the code of an error, "" for none.
func failure(err error) directory.Code {
	if err == nil {
		return ""
	}
	return directory.CodeOf(err)
}

func ptr[T any](v T) *T { return &v }

// uuidOf is the one id that a query answers.
func (w *world) uuidOf(query string, args ...any) uuid.UUID {
	w.t.Helper()
	return uuid.MustParse(w.text(query, args...))
}

// withChanges selects all that a write's changes tell.
var withChanges = directory.Want(directory.Link{Key: "changes", Field: "changes",
	Select: directory.Selection{Fields: []string{"kind", "actor", "via", "groupName", "username", "before", "after"}}})
