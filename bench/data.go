package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
)

// size is how much data there is: twice as many users as groups, ten times as many memberships.
type size int

func (s size) String() string {
	switch {
	case s%1_000_000 == 0:
		return fmt.Sprintf("%d M", s/1_000_000)
	case s%1_000 == 0:
		return fmt.Sprintf("%d k", s/1_000)
	}
	return fmt.Sprint(int(s))
}

// workplace is the database that the measurements are made on: a copy, which they may write to.
const workplace = "roster_bench"

// seeded makes sure that there is a database with the data and returns its name. It is kept: its name says the size and what
// made it, and it has the name only once it is whole.
func seeded(ctx context.Context, p *postgres, roster string, s size) (string, error) {
	source, err := os.ReadFile("../db/seed.go")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(source)
	name := fmt.Sprintf("roster_bench_%d_%x", s, sum[:4])
	c, err := pgx.Connect(ctx, p.url.String())
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	var there bool
	if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return name, err
	}
	unfinished := name + "_new"
	if err := recreate(ctx, c, unfinished, "template0"); err != nil {
		return "", err
	}
	url := p.database(unfinished)
	for _, args := range [][]string{
		{"migrate"},
		{"seed", "-groups", fmt.Sprint(int(s)), "-users", fmt.Sprint(int(2 * s)), "-memberships", fmt.Sprint(int(10 * s))},
	} {
		if err := command(ctx, roster, url, args...); err != nil {
			return "", err
		}
	}
	if err := execute(ctx, url, "VACUUM (FREEZE, ANALYZE)"); err != nil {
		return "", err
	}
	_, err = c.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", unfinished, name))
	return name, err
}

// command has Roster do something with a database.
func command(ctx context.Context, roster, url string, args ...string) error {
	cmd := exec.CommandContext(ctx, roster, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("roster %s: %w", args[0], err)
	}
	return nil
}

// recreate makes a database anew, as a copy of another.
func recreate(ctx context.Context, c *pgx.Conn, name, template string) error {
	if _, err := c.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)); err != nil {
		return err
	}
	strategy := ""
	var version int
	if err := c.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version >= 150000 {
		strategy = " STRATEGY file_copy" // by far the faster for a large one
	}
	_, err := c.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s%s", name, template, strategy))
	return err
}

// prepare makes the workplace a fresh copy of the data and returns its URL.
func prepare(ctx context.Context, p *postgres, roster string, s size, progress io.Writer) (string, error) {
	began := time.Now()
	name, err := seeded(ctx, p, roster, s)
	if err != nil {
		return "", err
	}
	c, err := pgx.Connect(ctx, p.url.String())
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	if err := recreate(ctx, c, workplace, name); err != nil {
		return "", err
	}
	url := p.database(workplace)
	if err := command(ctx, roster, url, "migrate"); err != nil { // the data may be older than the program
		return "", err
	}
	if err := execute(ctx, url, "VACUUM (ANALYZE)"); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "%v groups are ready after %.0f s\n", s, time.Since(began).Seconds())
	return url, nil
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, url, sql string, args ...any) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sql, args...)
	return errors.Join(err, c.Close(ctx))
}

// pair is a group and a user who is not in it.
type pair struct{ group, user uuid }

// place is a group's cursor in Roster and its name.
type place struct{ cursor, name string }

// sample is what requests are made of: ids and texts that are in the data, the same at every run.
type sample struct {
	groups   []uuid // any
	users    []uuid // taken from memberships: the more groups a user is in, the likelier
	prefixes []string
	parts    []string // of names
	pairs    []pair
	deep     []place // nine tenths down the list
	bulk     pair    // a group, and
	joiners  []uuid  // users who are not in it
}

// How many of each there are.
const (
	sampled = 4096
	paired  = 1024
	joining = 10_000
)

func sampleOf(ctx context.Context, url string) (*sample, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	s := &sample{}
	for _, q := range []struct {
		to   any
		text string
		args []any
	}{
		{&s.groups, "SELECT id FROM groups ORDER BY md5(id::text) LIMIT $1", []any{sampled}},
		{&s.users, `SELECT user_id FROM members WHERE user_id <> (SELECT id FROM users WHERE external_id = 'load:u1')
			ORDER BY md5(id::text) LIMIT $1`, []any{sampled}},
		{&s.parts, `SELECT part FROM (
				SELECT to_char(n, 'FM000') AS part FROM generate_series(100, 999, 7) n
				UNION ALL SELECT DISTINCT right(split_part(name_key, '-', 1), 4) || '-' || split_part(name_key, '-', 2) FROM groups
				UNION ALL SELECT DISTINCT split_part(name_key, '-', 2) FROM groups) p ORDER BY md5(part)`, nil},
		{&s.joiners, `SELECT id FROM users u WHERE NOT EXISTS (SELECT FROM members WHERE user_id = u.id AND group_id = $1)
			AND NOT EXISTS (SELECT FROM admins WHERE user_id = u.id AND group_id = $1) AND external_id LIKE 'load:%' ORDER BY id LIMIT $2`, nil},
	} {
		if q.to == &s.joiners {
			s.bulk.group = s.groups[0]
			q.args = []any{s.bulk.group, joining}
		}
		if err := column(ctx, c, q.to, q.text, q.args...); err != nil {
			return nil, err
		}
	}
	if s.prefixes, err = prefixes(ctx, c); err != nil {
		return nil, err
	}
	s.pairs, err = pairs(ctx, c)
	return s, err
}

// column reads the one column of a query.
func column(ctx context.Context, c *pgx.Conn, to any, text string, args ...any) (err error) {
	rows, err := c.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	switch to := to.(type) {
	case *[]uuid:
		*to, err = pgx.CollectRows(rows, pgx.RowTo[uuid])
	case *[]string:
		*to, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	return err
}

// pageful is how many groups a prefix has to have so that a page of 50 is full and not the last.
const pageful = 60

// prefixes are beginnings of names that enough groups have, as long as there are several of them.
func prefixes(ctx context.Context, c *pgx.Conn) (found []string, err error) {
	for _, pattern := range []string{"^[a-z]+-[a-z]+-", "^[a-z]+-", "^[a-z]"} {
		err := column(ctx, c, &found, `SELECT prefix FROM (SELECT substring(name_key FROM $1) AS prefix FROM groups) p
			WHERE prefix IS NOT NULL GROUP BY prefix HAVING count(*) >= $2 ORDER BY md5(prefix)`, pattern, pageful)
		if err != nil || len(found) >= 5 {
			return found, err
		}
	}
	return nil, errors.New("no page of 50 has a prefix in so little data")
}

// pairs leaves out the large groups: writes that meet at one row wait for each other, and that is another measurement.
func pairs(ctx context.Context, c *pgx.Conn) ([]pair, error) {
	rows, err := c.Query(ctx, `SELECT g.id, u.id
		FROM (SELECT id, row_number() OVER (ORDER BY md5('w' || id)) AS n FROM groups WHERE member_count < 200) g
		JOIN (SELECT id, row_number() OVER (ORDER BY md5('w' || id)) AS n FROM users WHERE external_id LIKE 'load:%') u ON u.n = g.n
		WHERE NOT EXISTS (SELECT FROM members m WHERE m.group_id = g.id AND m.user_id = u.id)
			AND NOT EXISTS (SELECT FROM admins a WHERE a.group_id = g.id AND a.user_id = u.id)
		ORDER BY g.n LIMIT $1`, paired)
	if err != nil {
		return nil, err
	}
	ps, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pair, err error) {
		err = row.Scan(&p.group, &p.user)
		return p, err
	})
	return ps[:len(ps)/connections*connections], err // each is one connection's alone
}

// ledger is what writes add up to.
type ledger struct{ changes, versions int }

func ledgerOf(ctx context.Context, c *pgx.Conn) (l ledger, err error) {
	err = c.QueryRow(ctx, "SELECT (SELECT count(*) FROM changes), (SELECT sum(version) FROM groups)").Scan(&l.changes, &l.versions)
	return l, err
}

// balanced checks that every counter is a count, and that each write made one change and one version since.
func (l ledger) balanced(ctx context.Context, c *pgx.Conn, writes int) error {
	var wrong int
	err := c.QueryRow(ctx, `SELECT count(*) FROM groups g WHERE member_count <> (SELECT count(*) FROM members WHERE group_id = g.id)
		OR admin_count <> (SELECT count(*) FROM admins WHERE group_id = g.id)`).Scan(&wrong)
	if err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d groups have counters that are no counts", wrong)
	}
	now, err := ledgerOf(ctx, c)
	if err == nil && (now.changes-l.changes != writes || now.versions-l.versions != writes) {
		return fmt.Errorf("%d writes made %d changes and %d versions", writes, now.changes-l.changes, now.versions-l.versions)
	}
	return err
}
