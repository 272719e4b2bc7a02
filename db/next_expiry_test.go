package db

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"roster/migrations"
)

// plan is what Postgres makes of a statement.
func (s *Store) plan(t *testing.T, text string, args ...any) string {
	t.Helper()
	var lines []string
	if err := s.each(t.Context(), "EXPLAIN (COSTS OFF) "+text, args, scanText(&lines)); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return strings.Join(lines, "\n")
}

// TestMemberCountPlans: who shows memberCount opens members for no group but those of which somebody's time is over, and for those by the
// index of their own ends, however few have expired when the plan is made.
func TestMemberCountPlans(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, 200) i`)
	s.run(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'g' || i, 'g' || i FROM generate_series(1, 50) i`)
	s.run(t, `INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
		SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'X', CASE u.username WHEN 'u1' THEN now() ELSE '2100-01-01' END FROM groups g, users u`)
	s.run(t, "VACUUM (ANALYZE) groups, members")
	st, err := build(Groups, List{Order: []Order{{Key: "NAME"}}, Limit: 25, Columns: []string{"member_count"}})
	if err != nil {
		t.Fatal(err)
	}
	if plan := s.plan(t, st.text, st.args...); strings.Contains(plan, "members") {
		t.Errorf("a page of groups looks into members:\n%s", plan)
	}
	var body []string
	if err := s.each(t.Context(), "SELECT prosrc FROM pg_proc WHERE proname = 'expired_members'", nil, scanText(&body)); err != nil || len(body) != 1 {
		t.Fatal(body, err)
	}
	query := regexp.MustCompile(`(?s)RETURN \((.*)\);`).FindStringSubmatch(body[0])
	if plan := s.plan(t, strings.ReplaceAll(query[1], "of_group", "$1::uuid"), idA.String()); !strings.Contains(plan, "members_expiring") {
		t.Errorf("expired_members does not go by the ends of the group:\n%s", plan)
	}
	if plan := s.plan(t, lockExpired, int64(10)); !strings.Contains(plan, "groups_next_expiry") {
		t.Errorf("the sweep does not go by the next ends of groups:\n%s", plan)
	}
}

// TestNextExpiryIsFilled: a database of the version before has memberships that end; with the migrations each group says when, as far as the
// trigger has not said something sooner already.
func TestNextExpiryIsFilled(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	do := func(names ...string) {
		for _, name := range names {
			text, err := fs.ReadFile(migrations.FS(), name+".sql")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.pool.ExecContext(t.Context(), string(text)); err != nil {
				t.Fatal(name, err)
			}
		}
	}
	const added, kept, filled = "20261127100000_next_expiry.tx.", "20261127100100_next_expiry_kept.tx.", "20261127100200_next_expiry_filled.tx."
	do(filled+"down", kept+"down", added+"down")
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, 3) i`)
	s.run(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), name, name FROM unnest(ARRAY['two', 'one', 'none', 'sooner', 'later']) name`)
	s.run(t, `INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
		SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'X', at::timestamptz
		FROM (VALUES ('two', 'u1', '2031-01-01Z'), ('two', 'u2', '2030-01-01Z'), ('two', 'u3', NULL), ('one', 'u1', '2032-01-01Z'), ('none', 'u1', NULL),
			('sooner', 'u1', '2040-01-01Z'), ('later', 'u1', '2040-01-01Z')) v(name, username, at) JOIN groups g USING (name) JOIN users u USING (username)`)
	do(added+"up", kept+"up")
	s.run(t, `INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
		SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'X', at::timestamptz
		FROM (VALUES ('sooner', '2039-01-01Z'), ('later', '2041-01-01Z')) v(name, at) JOIN groups g USING (name) JOIN users u ON u.username = 'u2'`)
	s.run(t, `DELETE FROM members WHERE expires_at = '2039-01-01Z'`)
	do(filled + "up")
	var got []string
	err := s.each(t.Context(), `SELECT name || ' ' || coalesce(extract(year FROM next_expiry AT TIME ZONE 'UTC')::text, 'never') FROM groups ORDER BY name`, nil, scanText(&got))
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(got, ", "); all != "later 2040, none never, one 2032, sooner 2039, two 2030" {
		t.Error(all)
	}
}

// TestManyEndsAtOnce: of many memberships that one statement writes, each of which ends before the one before, a group hears once. With a
// version of its row for each of them it would take the square of their number to find it.
func TestManyEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, 100) i`)
	s.run(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'g' || i, 'g' || i FROM generate_series(1, 2) i`)
	for _, row := range []struct{ name, write string }{
		{"written", `INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
			SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'X', '2100-01-01Z'::timestamptz - interval '1 day' * row_number() OVER () FROM groups g, users u`},
		{"sooner", `UPDATE members SET expires_at = '2050-01-01Z'::timestamptz - interval '1 day' * substr(username_key, 2)::int`},
	} {
		const updates = `SELECT n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'groups'` // what is not yet told of earlier ones included
		var before, after int
		err := s.InTx(t.Context(), true, func(tx *Store) error {
			_, err := tx.queryRow(t.Context(), updates, nil, &before)
			err = errors.Join(err, tx.exec(t.Context(), row.write))
			_, last := tx.queryRow(t.Context(), updates, nil, &after)
			return errors.Join(err, last)
		})
		if err != nil || after-before != 2 {
			t.Errorf("%s: two groups are updated %d times, %v", row.name, after-before, err)
		}
		var right bool
		if _, err := s.queryRow(t.Context(), `SELECT bool_and(next_expiry = (SELECT min(expires_at) FROM members WHERE group_id = g.id)) FROM groups g`, nil, &right); err != nil || !right {
			t.Errorf("%s: a group does not say when the next membership ends, %v", row.name, err)
		}
	}
}

// TestFirstEndOfAGroup: the soonest end of a group is found where the group's begin, though those of another group, as large, are all sooner.
func TestFirstEndOfAGroup(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, 2001) i`)
	first, last := uuid.UUID{1}, uuid.Max
	s.run(t, `INSERT INTO groups (id, handle, name, next_expiry) VALUES ($1::uuid, 'early', 'early', NULL), ($2::uuid, 'late', 'late', NULL),
		($3::uuid, 'first', 'first', '2000-01-01Z'), ($4::uuid, 'last', 'last', '2000-01-01Z')`, idA.String(), idB.String(), first.String(), last.String())
	s.run(t, `INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
		SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'X', CASE g.name WHEN 'early' THEN '2050-01-01Z'::timestamptz ELSE '2100-01-01Z' END + interval '1 second' * u.number
		FROM groups g, users u WHERE g.name IN ('early', 'late') AND u.username <> 'u2001' ORDER BY g.name, u.number`)
	s.run(t, "ANALYZE")
	for _, row := range []struct {
		name  string
		write func(tx *Store) error
	}{
		{"a membership", func(tx *Store) error {
			return tx.exec(t.Context(), `INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
				SELECT $1::uuid, id, id, username_key, 'X', '2090-01-01Z' FROM users WHERE username_key = 'u2001'`, idB.String())
		}},
		{"the sweep", func(tx *Store) error { return tx.ReckonNextExpiry(t.Context(), []uuid.UUID{idB}) }},
	} {
		const fetched = `SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'members'`
		var before, after int
		err := s.InTx(t.Context(), true, func(tx *Store) error {
			_, err := tx.queryRow(t.Context(), fetched, nil, &before)
			err = errors.Join(err, row.write(tx))
			_, aerr := tx.queryRow(t.Context(), fetched, nil, &after)
			return errors.Join(err, aerr)
		})
		if err != nil || after-before > 10 {
			t.Errorf("%s: %d rows of members are read, %v", row.name, after-before, err)
		}
	}
	if err := s.ReckonNextExpiry(t.Context(), []uuid.UUID{idA, first, last}); err != nil {
		t.Fatal(err)
	}
	var all string
	if _, err := s.queryRow(t.Context(), `SELECT string_agg(name || ' ' || coalesce(to_char(next_expiry, 'YYYY'), 'never'), ', ' ORDER BY name) FROM groups`, nil, &all); err != nil ||
		all != "early 2050, first never, last never, late 2090" {
		t.Error(all, err)
	}
}
