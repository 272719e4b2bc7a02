//go:build faults

package faults

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tool is a program of the Postgres that is installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if dir := os.Getenv("PG_BIN"); dir != "" {
		found = []string{filepath.Join(dir, name)}
	}
	if len(found) == 0 {
		t.Fatalf("there is no %s: install postgresql, or name its directory in PG_BIN", name)
	}
	return slices.Max(found)
}

// tooled runs a program of Postgres on the server's database.
func (p *postgres) tooled(t *testing.T, name string, args ...string) {
	t.Helper()
	u, err := url.Parse(p.url())
	if err != nil {
		t.Fatal(err)
	}
	at := []string{"-h", filepath.Dir(u.Query().Get("host")), "-U", u.User.Username(), "-d", "roster"}
	cmd := exec.Command(tool(t, name), append(at, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// page is what a client that follows the changes hears.
type page struct {
	Data struct {
		Changes struct {
			LatestCursor string
			Edges        []struct {
				Node struct{ Kind, GroupName string }
			}
		}
	}
	Errors []struct{ Extensions struct{ Code, Cursor string } }
}

func (l *ledger) changes(args string) (p page) {
	l.t.Helper()
	_, answer := l.graphql("changes", fmt.Sprintf(`{ changes(%s) { latestCursor edges { node { kind groupName } } } }`, args))
	if err := json.Unmarshal([]byte(answer), &p); err != nil {
		l.t.Fatal(err, answer)
	}
	return p
}

// resync follows a cursor of before, which must not go on, and answers the one that does.
func (l *ledger) resync(before string) string {
	l.t.Helper()
	p := l.changes(fmt.Sprintf("after: %q", before))
	if len(p.Errors) != 1 || p.Errors[0].Extensions.Code != "RESYNC_REQUIRED" || p.Errors[0].Extensions.Cursor == "" {
		l.t.Fatalf("a cursor of before the restore is answered %+v", p)
	}
	return p.Errors[0].Extensions.Cursor
}

// goesOn writes once and holds the log to tell that, and nothing else, after a cursor.
func (l *ledger) goesOn(after string) {
	l.t.Helper()
	if !l.act(1) {
		l.t.Fatal(l)
	}
	group := l.entries[len(l.entries)-1].group
	var p page
	poll(l.t, "the new change", func() bool {
		p = l.changes(fmt.Sprintf("after: %q", after))
		return len(p.Errors) > 0 || len(p.Data.Changes.Edges) > 0
	})
	for _, e := range p.Data.Changes.Edges {
		if e.Node.GroupName != group {
			l.t.Errorf("after the cursor to go on from, the log tells %+v", e.Node)
		}
	}
	if len(p.Errors) > 0 || len(p.Data.Changes.Edges) == 0 {
		l.t.Errorf("from the cursor to go on from: %+v", p)
	}
}

// TestDumpAndRestore: into another Postgres, which is younger than the log. The log stays whole and in order, cursors of before are refused,
// and what is written from then on comes after all there was.
func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	from := startPostgres(t, dirFor(t))
	before := start(t, from.url())
	l := newLedger(t, before.at)
	b := newBeam(t, from.url())
	for n := range 12 {
		l.act(n)
	}
	b.exec(`DO $$ BEGIN FOR n IN 1 .. 3000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$`)
	cursor := l.changes("first: 0").Data.Changes.LatestCursor
	for n := range 12 {
		l.act(n)
	}
	told := b.text("SELECT string_agg(kind || coalesce(group_name, '') || coalesce(username, ''), ' ' ORDER BY tx, seq) FROM changes")
	dump := filepath.Join(t.TempDir(), "roster.dump")
	from.tooled(t, "pg_dump", "-Fc", "-f", dump)
	before.signal(t, syscall.SIGTERM)

	to := startPostgres(t, dirFor(t))
	to.tooled(t, "pg_restore", "--no-owner", dump)
	b = newBeam(t, to.url())
	if b.text("SELECT bool_or(tx > pg_snapshot_xmax(pg_current_snapshot())) FROM changes") != "true" {
		t.Fatal("the log is not ahead of the Postgres that it was restored into")
	}
	if code, printed := run(t, to.url(), "check"); code != 0 {
		t.Errorf("roster check, before anything runs: exit code %d\n%s", code, printed)
	}
	after := []*program{begin(t, to.url()), begin(t, to.url())} // two at once: one moves the log
	for _, p := range after {
		p.up(t)
	}
	if n := strings.Count(after[0].output.String()+after[1].output.String(), "comes from another Postgres"); n != 1 {
		t.Errorf("%d have moved the log", n)
	}
	l.server = after[1].at
	next := l.resync(cursor)
	if now := b.text("SELECT string_agg(kind || coalesce(group_name, '') || coalesce(username, ''), ' ' ORDER BY tx, seq) FROM changes"); now != told {
		t.Errorf("the log told\n%s\nand tells\n%s", told, now)
	}
	l.goesOn(next)
	for n := range 8 {
		l.act(n)
	}
	l.settle(to.url())
	if l.refused > 0 {
		t.Errorf("%d were refused", l.refused)
	}
}

// TestFilesAreSetBack: a copy of the files is recovered, as from a base backup, and begins a timeline, which is noticed; then the files of
// before are put back as they were, which nothing can notice, and `roster epoch` tells.
func TestFilesAreSetBack(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, dirFor(t))
	p := start(t, pg.url())
	l := newLedger(t, p.at)
	for n := range 4 {
		l.act(n)
	}
	p.signal(t, syscall.SIGTERM)
	pg.stop(t)
	copied := pg.dir + ".copy"
	copyFiles(t, pg.dir, copied)

	pg.start(t)
	p = start(t, pg.url())
	l.server = p.at
	for n := range 4 { // which the copy does not have
		l.act(n)
	}
	l.entries = l.entries[:3]
	cursor := l.changes("first: 0").Data.Changes.LatestCursor
	p.signal(t, syscall.SIGTERM)
	pg.stop(t)

	recovered := dirFor(t)
	copyFiles(t, copied, recovered)
	data := filepath.Join(recovered, "pgdata")
	cmd := exec.Command("sh", "-c", `echo "restore_command = 'false'" >> postgresql.auto.conf && cp -p PG_VERSION recovery.signal`)
	cmd.Dir = data
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	back := startPostgres(t, recovered)
	newBeam(t, back.url()).await("the end of the recovery", "SELECT NOT pg_is_in_recovery()")
	p = start(t, back.url())
	l.server = p.at
	l.goesOn(l.resync(cursor))
	l.settle(back.url())
	p.signal(t, syscall.SIGTERM)

	// The same, but nothing in the files says so.
	pg.dir = copied
	pg.start(t)
	p = start(t, pg.url())
	l.server = p.at
	cursor = l.changes("first: 0").Data.Changes.LatestCursor
	if code, printed := run(t, pg.url(), "epoch"); code != 0 {
		t.Errorf("roster epoch: exit code %d\n%s", code, printed)
	}
	l.goesOn(l.resync(cursor))
}

// stop ends the server in order.
func (p *postgres) stop(t *testing.T) {
	t.Helper()
	if err := p.server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
}
