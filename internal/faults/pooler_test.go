//go:build faults

package faults

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// pooler is a PgBouncer in transaction mode in front of a database, with few connections for many. It answers the URL.
func pooler(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := filepath.Dir(dirFor(t))
	config := fmt.Sprintf("[databases]\nroster = host=%s port=5432 dbname=%s user=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n",
		filepath.Dir(u.Query().Get("host")), strings.TrimPrefix(u.Path, "/"), u.User.Username(), port)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	out := &output{}
	cmd := exec.Command("pgbouncer", file)
	cmd.Stdout, cmd.Stderr = out, out
	if os.Geteuid() == 0 { // it refuses to be root
		who, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("pgbouncer, of the Debian package of that name: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("pgbouncer printed, at last:\n%s", told(out.tail()))
		}
	})
	at := fmt.Sprintf("127.0.0.1:%d", port)
	poll(t, "pgbouncer", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "postgres://roster@" + at + "/roster?sslmode=disable"
}

// told is what a pooler printed, without that its clients were killed when the test was over: there are so many that nothing else is seen.
func told(printed string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(printed, "\n"), func(line string) bool { return strings.Contains(line, "client unexpected eof") }), "\n")
}

// TestPooler: two servers and many clients share three connections of Postgres, which go from one to the other with each transaction. Each
// hears the answer to what it asked, nothing is lost, the changes of one server reach those who follow the other, and the commands work.
func TestPooler(t *testing.T) {
	t.Parallel()
	direct := database(t)
	pooled := pooler(t, direct)
	one, two := start(t, pooled, "DATABASE_POOLED=true"), start(t, pooled, "DATABASE_POOLED=true")
	l := newLedger(t, one.at)
	cursor := l.changes("first: 0").Data.Changes.LatestCursor
	l.load(12)
	l.await(60, 0)
	l.server = two.at
	l.await(60, 0)
	l.halt()

	var readers sync.WaitGroup
	for i := range 12 {
		readers.Go(func() {
			for n := range 20 {
				want := fmt.Sprintf("u%d", (i+n)%6)
				code, answer := l.graphql("mine", fmt.Sprintf(`{ user(by: {username: %q}) { username } }`, want))
				if code != "" || !strings.Contains(answer, fmt.Sprintf(`"username":%q`, want)) {
					t.Errorf("who asked for %s hears %s %s", want, code, answer)
				}
			}
		})
	}
	readers.Wait()

	// A transaction of another test in the same Postgres keeps the log from telling what was written after it began.
	b := newBeam(t, direct)
	b.await("all that was written to be told", `SELECT NOT EXISTS (SELECT FROM changes WHERE tx >= pg_snapshot_xmin(pg_current_snapshot()))`)
	if p := l.changes(fmt.Sprintf("first: 1, after: %q", cursor)); len(p.Data.Changes.Edges) != 1 {
		t.Errorf("the other server tells nothing of what was written: %+v", p)
	}
	l.server = one.at
	l.goesOn(l.changes("first: 0").Data.Changes.LatestCursor)
	if l.refused > 0 {
		t.Errorf("%d were refused", l.refused)
	}
	// A connection that its client left in the middle is closed by the pooler, which opens another when there is need.
	b.await("the two servers to share three connections",
		`SELECT count(*) BETWEEN 1 AND 3 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	cmd := command(t, pooled, []string{"DATABASE_POOLED=true"}, "check")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("roster check through the pooler: %v\n%s", err, out)
	}
	left := newBeam(t, pooled)
	for range 6 { // whichever connection answers; a check has no time limit of its own
		if limit := left.text("SELECT setting || source FROM pg_settings WHERE name = 'statement_timeout'"); limit != "0default" {
			t.Errorf("a connection of the pooler's was left with a statement_timeout of %s", limit)
		}
	}
	cmd = command(t, pooled, []string{"DATABASE_POOLED=true"}, "migrate")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the URL of the database itself") {
		t.Errorf("roster migrate through the pooler: %v\n%s", err, out)
	}
	l.settle(direct)
}
