package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/embedded"
	"roster/migrations"
)

// seedSize is small, and has all the shapes.
var seedSize = SeedSize{Groups: 200, Users: 400, Memberships: 2_000, Big: 200, Wide: 20}

// seedable is an empty database with its schema.
func seedable(t *testing.T) (url string, pool *sql.DB) {
	t.Helper()
	url = embedded.Acquire(t, embedded.Template{Key: "db.Seed " + migrations.Hash(), Build: func(ctx context.Context, url string) error {
		_, err := Migrate(ctx, url)
		return err
	}})
	pool, err := openPool(poolOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return url, pool
}

// answer is the one value that a query answers, as text.
func answer(t *testing.T, pool *sql.DB, query string) string {
	t.Helper()
	var v string
	if err := pool.QueryRowContext(t.Context(), "SELECT coalesce(("+query+")::text, '')").Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// schemaOf is every constraint and every index.
const schemaOf = `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
	SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated AS line FROM pg_constraint
		WHERE connamespace = 'public'::regnamespace
	UNION ALL SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE c.relnamespace = 'public'::regnamespace) s`

func TestSeed(t *testing.T) {
	t.Parallel()
	url, pool := seedable(t)
	schema := answer(t, pool, schemaOf)
	steps := map[string]int{}
	if err := Seed(t.Context(), url, seedSize, func(step string, rows int, _ time.Duration) { steps[step] = rows }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(schema, answer(t, pool, schemaOf)); diff != "" {
		t.Errorf("the schema is another one than before (-before +after):\n%s", diff)
	}
	if steps["users"] != 400 || steps["groups"] != 200 || steps["memberships"] != 2_000 {
		t.Errorf("steps: %v", steps)
	}
	admins := answer(t, pool, "SELECT count(*) FROM admins")
	for query, want := range map[string]string{
		"SELECT count(*) FROM groups":                     "200",
		"SELECT count(*) FROM users":                      "400",
		"SELECT count(*) FROM members":                    "2000",
		"SELECT sum(n) FROM totals WHERE noun = 'groups'": "200",
		"SELECT sum(n) FROM totals WHERE noun = 'users'":  "400",
		"SELECT max(member_count) FROM groups":            "200",
		"SELECT count(*) FROM members WHERE user_id = (SELECT id FROM users WHERE external_id = 'load:u1')": "20",
		"SELECT sum(admin_count) FROM groups":                            admins,
		"SELECT min(admin_count) || '-' || max(admin_count) FROM groups": "1-3",
		// Counters are counts.
		`SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM members WHERE group_id = g.id)
			OR admin_count <> (SELECT count(*) FROM admins WHERE group_id = g.id)`: "0",
		// Ids are UUIDv7 of the times beside them.
		`SELECT count(*) FROM (SELECT id, created_at AS at FROM users UNION ALL SELECT id, created_at FROM groups UNION ALL SELECT id, added_at FROM members
			UNION ALL SELECT id, added_at FROM admins) s WHERE id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8'
			OR ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint <> round(extract(epoch FROM at) * 1000)`: "0",
		// The log tells of everything, once, in the order of its times, and of groups before their people.
		"SELECT string_agg(kind || ' ' || n, ', ' ORDER BY kind) FROM (SELECT kind, count(*) n FROM changes GROUP BY kind) s": "ADMIN_ADDED " + admins +
			", GROUP_CREATED 200, MEMBER_ADDED 2000, USER_CREATED 400",
		"SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY tx, seq) AS back FROM changes) s WHERE back":                                                                      "0",
		`SELECT count(*) FROM changes c JOIN changes g ON g.group_id = c.group_id AND g.kind = 'GROUP_CREATED' WHERE c.seq < g.seq`:                                                 "0",
		"SELECT count(*) FROM groups g JOIN changes c ON c.group_id = g.id AND c.kind = 'GROUP_CREATED' AND c.after ->> 'name' = g.name AND (c.after ->> 'number')::int = g.number": "200",
	} {
		if got := answer(t, pool, query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	if err := Seed(t.Context(), url, seedSize, nil); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("seeding twice: %v", err)
	}
	if _, err := pool.ExecContext(t.Context(), "DELETE FROM groups"); err != nil {
		t.Fatal(err)
	}
	if err := Seed(t.Context(), url, seedSize, nil); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("seeding users twice: %v", err)
	}
}

// TestSeedIsTheSame seeds a database in use by an administrator as well: only the numbers may differ.
func TestSeedIsTheSame(t *testing.T) {
	t.Parallel()
	var sums [2]string
	for i := range sums {
		url, pool := seedable(t)
		if i == 1 {
			if _, err := pool.ExecContext(t.Context(), "INSERT INTO users (id, username, username_key) VALUES (gen_random_uuid(), 'admin', 'admin')"); err != nil {
				t.Fatal(err)
			}
		}
		if err := Seed(t.Context(), url, seedSize, func(string, int, time.Duration) {}); err != nil {
			t.Fatal(err)
		}
		sums[i] = answer(t, pool, `SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
			SELECT (to_jsonb(u) - 'number')::text AS line FROM users u WHERE username <> 'admin' UNION ALL SELECT (to_jsonb(g) - 'number')::text FROM groups g
			UNION ALL SELECT to_jsonb(m)::text FROM members m UNION ALL SELECT to_jsonb(a)::text FROM admins a) s`)
	}
	if sums[0] != sums[1] {
		t.Errorf("two seeds of a size differ")
	}
}

// TestSeedSizes tries sizes at the edges: counters must be counts whatever the size.
func TestSeedSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []SeedSize{
		{Groups: 10, Users: 10},
		{Groups: 10, Users: 10, Memberships: 24, Big: 5, Wide: 1},
		{Groups: 11, Users: 300, Memberships: 5, Big: 1, Wide: 1},
		{Groups: 300, Users: 11, Memberships: 150, Big: 5, Wide: 30},
	} {
		url, pool := seedable(t)
		if err := Seed(t.Context(), url, size, func(string, int, time.Duration) {}); err != nil {
			t.Errorf("%+v: %v", size, err)
			continue
		}
		got := answer(t, pool, `SELECT row((SELECT count(*) FROM groups), (SELECT count(*) FROM users), (SELECT count(*) FROM members),
			(SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM members WHERE group_id = g.id)))`)
		if want := fmt.Sprintf("(%d,%d,%d,0)", size.Groups, size.Users, size.Memberships); got != want {
			t.Errorf("%+v: got %s, want %s", size, got, want)
		}
	}
}

// TestSeedNumber has no two numbers make one name.
func TestSeedNumber(t *testing.T) {
	t.Parallel()
	_, pool := seedable(t)
	got := answer(t, pool, "SELECT string_agg("+seedNumber+", ' ' ORDER BY n) FROM unnest(ARRAY[1, 999999, 1000000, 9999999]) n")
	if want := "000001 999999 1000000 9999999"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSeedAgain: groups of a seed that were deleted, and are made again with the same ids, can be deleted again.
func TestSeedAgain(t *testing.T) {
	t.Parallel()
	url, pool := seedable(t)
	s, err := Open(Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := pool.ExecContext(t.Context(), "INSERT INTO groups (id, handle, name) VALUES (gen_random_uuid(), 'other', 'other')"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ids, err := s.ids(t.Context(), "SELECT id FROM groups")
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if err := s.KeepAndDeleteGroup(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := pool.ExecContext(t.Context(), "DELETE FROM users"); err != nil {
			t.Fatal(err)
		}
		if err := Seed(t.Context(), url, SeedSize{Groups: 10, Users: 10, Memberships: 24, Big: 5, Wide: 1}, func(string, int, time.Duration) {}); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, pool, "SELECT string_agg(name, ' ') FROM deleted_groups"); got != "other" {
			t.Errorf("kept are %s, want the one that is not there again", got)
		}
	}
}
