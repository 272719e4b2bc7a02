package db

import (
	"flag"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/embedded"
	"roster/migrations"
)

var update = flag.Bool("update", false, "write schema.sql anew")

const schemaHeader = `-- The schema as the migrations leave it, for reading; nothing runs this file. It is written by ` + "`make generate`" + `, and
-- a test compares it.

`

// schema.sql shows the whole schema, where migrations show its history.
func TestSchema(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	got := schemaHeader + dump(t, url)
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("schema.sql is not what the migrations leave; run `make generate`:\n%s", d)
	}
}

// Undone and done again, the migrations leave the same schema, and nothing in between.
func TestUpDownUp(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	first := dump(t, url)
	if err := Rollback(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if left := dump(t, url); left != "CREATE EXTENSION pg_trgm;\n\n" {
		t.Errorf("the way down leaves:\n%s", left)
	}
	n, err := Migrate(t.Context(), url)
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if d := cmp.Diff(first, dump(t, url)); d != "" {
		t.Errorf("the second way up leads elsewhere:\n%s", d)
	}
	if n, err := Migrate(t.Context(), url); err != nil || n != 0 {
		t.Errorf("migrating what is current ran %d migrations: %v", n, err)
	}
}

// Every migration has a way back, runs in a transaction and has a number of its own.
func TestMigrationsArePairs(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(migrations.FS(), "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	form := regexp.MustCompile(`^(\d{14})_([a-z0-9_]+)\.tx\.(up|down)\.sql$`)
	names := map[string]string{}
	for _, file := range files {
		m := form.FindStringSubmatch(file)
		if m == nil {
			t.Errorf("%s is not named NNNNNNNNNNNNNN_name.tx.up.sql or .tx.down.sql", file)
			continue
		}
		if other, ok := names[m[1]]; ok && other != m[2] {
			t.Errorf("%s and %s have the same number", other, m[2])
		}
		names[m[1]] = m[2]
		pair := m[1] + "_" + m[2] + ".tx." + map[string]string{"up": "down", "down": "up"}[m[3]] + ".sql"
		if _, err := fs.Stat(migrations.FS(), pair); err != nil {
			t.Errorf("%s lacks %s", file, pair)
		}
	}
}

// TestRollbackAfterDeadlock has a session read what a rollback holds, and hold what it wants: the rollback, which looks first, is broken off.
func TestRollbackAfterDeadlock(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	pool, err := openPool(poolOptions{URL: url, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	run := func(statement string) error {
		_, err := conn.ExecContext(t.Context(), statement)
		return err
	}
	for _, statement := range []string{
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''5s''', current_database()); END $$`, // for the rollback, which connects now
		"SET deadlock_timeout = '1min'",
		"BEGIN",
		"SELECT FROM deleted_groups",
	} {
		if err := run(statement); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- Rollback(t.Context(), url) }()
	for waits := false; !waits; {
		if err := pool.QueryRowContext(t.Context(),
			"SELECT count(*) > 0 FROM pg_locks WHERE relation = 'deleted_groups'::regclass AND NOT granted").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if err := run("SELECT FROM deleted_worker_models"); err != nil { // which it gets once the rollback has been broken off
		t.Errorf("the other session: %v", err)
	}
	if err := run("COMMIT"); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the rollback: %v", err)
	}
	var gone bool
	if err := pool.QueryRowContext(t.Context(), "SELECT to_regclass('groups') IS NULL").Scan(&gone); err != nil || !gone {
		t.Errorf("the schema is gone: %t, %v", gone, err)
	}
}

// migrated is the URL of a database of this test's own, with the schema.
func migrated(t *testing.T) string {
	t.Helper()
	url := embedded.Acquire(t, embedded.Template{Key: "empty"})
	if _, err := Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// dump describes the schema as SQL. Unlike pg_dump's it is the same for every version of Postgres, and needs no program
// that a downloaded Postgres comes without.
func dump(t *testing.T, url string) string {
	t.Helper()
	pool, err := openPool(poolOptions{URL: url, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var b strings.Builder
	for _, query := range []string{dumpExtensions, dumpFunctions, dumpTables, dumpIndexes, dumpTriggers, dumpOthers} {
		rows, err := pool.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var statement string
			if err := rows.Scan(&statement); err != nil {
				t.Fatal(err)
			}
			b.WriteString(strings.ReplaceAll(statement, "'\x1f'", `E'\x1f'`) + "\n\n")
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

const (
	dumpExtensions = `SELECT format('CREATE EXTENSION %I;', extname) FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname`

	// What an extension brought along is its own business.
	dumpFunctions = `SELECT pg_get_functiondef(p.oid) || ';' FROM pg_proc p
		WHERE p.pronamespace = 'public'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
		ORDER BY p.proname`

	// Partitions are named by where they begin and end, which differs from database to database.
	// NOT NULL is a constraint in the catalogue since Postgres 18, and a property of the column before.
	dumpTables = `SELECT format(E'CREATE TABLE %I (\n%s\n)%s;', c.relname, string_agg('  ' || l.line, E',\n' ORDER BY l.part, l.place, l.line),
			CASE c.relkind WHEN 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END)
		FROM pg_class c, LATERAL (
			SELECT 1 AS part, a.attnum AS place, format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
				|| CASE WHEN a.attcollation <> y.typcollation THEN format(' COLLATE %I', o.collname) ELSE '' END
				|| CASE WHEN a.attidentity = 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY'
					WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
					WHEN a.attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%s) STORED', pg_get_expr(d.adbin, d.adrelid))
					WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
					ELSE '' END
				|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS line
			FROM pg_attribute a
			JOIN pg_type y ON y.oid = a.atttypid
			LEFT JOIN pg_collation o ON o.oid = a.attcollation
			LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			UNION ALL
			SELECT 2, CASE n.contype WHEN 'p' THEN 1 WHEN 'u' THEN 2 WHEN 'c' THEN 3 ELSE 4 END,
				format('CONSTRAINT %I %s', n.conname, pg_get_constraintdef(n.oid))
			FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype <> 'n'
		) l
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE 'bun\_%'
		GROUP BY c.oid, c.relname, c.relkind ORDER BY c.relname`

	dumpIndexes = `SELECT string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\n' ORDER BY c.relname, x.relname)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
		WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname NOT LIKE 'bun\_%'
			AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = i.indexrelid)
		GROUP BY c.relname ORDER BY c.relname`

	dumpTriggers = `SELECT pg_get_triggerdef(g.oid) || ';' FROM pg_trigger g WHERE NOT g.tgisinternal ORDER BY g.tgrelid::regclass::text, g.tgname`

	// What the queries above do not know shows all the same.
	dumpOthers = `SELECT format('-- %s: a relation of kind %s', c.relname, c.relkind) FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('r', 'p', 'i', 'I', 'S') ORDER BY c.relname`
)
