package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/directory"
)

// The check says what it looked at and ends with 0, or with 1 and what is wrong; it changes nothing, not even an old schema.
func TestCheck(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t)}
	if r := with.run(t, "", "check"); r.code != 1 || !strings.Contains(r.stderr, "run `roster migrate`") {
		t.Errorf("without a schema: exit code %d, %s", r.code, r.stderr)
	}
	with.ok(t, "seed", "-demo")
	table := with.ok(t, "check").stdout
	for _, want := range []string{"CHECK", "member-counts", "last-admins", "orphans", "log-members", "log-tokens"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
	beam, err := sql.Open("pg", with["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer beam.Close()
	if _, err := beam.ExecContext(t.Context(), `UPDATE groups SET member_count = member_count + 1`); err != nil {
		t.Fatal(err)
	}
	r := with.run(t, "", "check", "-most", "1")
	if r.code != 1 || strings.Count(r.stdout, "\nmember-counts: grp_") != 1 || !strings.Contains(r.stderr, "not as it has to be") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = with.run(t, "", "check", "-json", "-most", "2")
	var told directory.AuditReport
	if err := json.Unmarshal([]byte(r.stdout), &told); err != nil || r.code != 1 {
		t.Fatalf("exit code %d, %v\n%s", r.code, err, r.stdout)
	}
	if told.OK || len(told.Violations) != 2 || told.Audits[0].Violations < 3 || told.Audits[0].Rows != told.Audits[0].Violations {
		t.Errorf("%+v", told)
	}
	none := settings{"ROSTER_DATA": filepath.Join(t.TempDir(), "data")}
	if r := none.run(t, "", "check", "-most", "-1"); r.code != 2 {
		t.Errorf("-most -1: exit code %d", r.code)
	}
}
