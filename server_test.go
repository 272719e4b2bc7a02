package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The program as a person meets it: a Postgres of its own, a token of their choice, a restart.
func TestServe(t *testing.T) {
	t.Parallel()
	with := settings{"ROSTER_DATA": filepath.Join(t.TempDir(), "data"), "ROSTER_ADMIN_TOKEN": adminToken}
	r := start(t, with)
	for path, want := range map[string]string{
		"/livez":   `200 application/json {"status":"ok"}`,
		"/readyz":  `200 application/json {"status":"ok","checks":{"database":"ok","schema":"ok","draining":"ok"}}`,
		"/nowhere": `404 application/json {"errors":[{"extensions":{"code":"NOT_FOUND","requestId":"test"},"message":"Nothing is here. The API is at /graphql."}]}`,
	} {
		if got := r.get(t, path); got != want {
			t.Errorf("GET %s: %s", path, got)
		}
	}
	if page := r.get(t, "/"); !strings.HasPrefix(page, "200 text/html") {
		t.Errorf("GET /: %.100s", page)
	}
	r.query(t, adminToken, `mutation { createGroup(input: {name: "kept"}) { group { id } } }`, `"id":"grp_`)
	r.query(t, "a wrong token of some length", `{ viewer { roles } }`, `"UNAUTHENTICATED"`)
	r.get(t, "/graphql?query="+adminToken)
	r.logs(t, `msg=request request_id=test caller=admin method=POST path=/graphql status=200 duration_ms=`)

	t.Run("CommandsJoin", func(t *testing.T) { commandsJoin(t, r, with) })

	if code := r.end(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	r = start(t, with)
	r.query(t, adminToken, `{ group(by: {name: "kept"}) { name } }`, `{"data":{"group":{"name":"kept"}}}`)
	r.query(t, adminToken, `{ group(by: {name: "imported"}) { adminCount } }`, `{"data":{"group":{"adminCount":1}}}`)
}

// Commands work on the Postgres that the running server holds, and leave it running.
func commandsJoin(t *testing.T, r *running, with settings) {
	file := filepath.Join(t.TempDir(), "groups.jsonl")
	if err := os.WriteFile(file, []byte(`{"name": "imported", "admins": ["ada"], "members": ["bob"]}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	with.ok(t, "import", "-dry-run", file)
	r.query(t, adminToken, `{ group(by: {name: "imported"}) { name } }`, `{"data":{"group":null}}`)
	with.ok(t, "import", file)
	r.query(t, adminToken, `{ group(by: {name: "imported"}) { memberCount } }`, `{"data":{"group":{"memberCount":`)
	if again := with.ok(t, "import", file); !strings.Contains(again.stderr, "unchanged") {
		t.Errorf("a second import says %s", again.stderr)
	}
	if got := with.ok(t, "migrate").stdout; got != "0 migrations applied; the schema is current.\n" {
		t.Errorf("migrate says %s", got)
	}
	secret := strings.TrimSpace(with.ok(t, "token", "-user", "ada", "-scopes", "groups_view", "-description", "for a test").stdout)
	r.query(t, secret, `{ viewer { user { username } permissions token { description } } }`,
		`{"data":{"viewer":{"user":{"username":"ada"},"permissions":[],"token":{"description":"for a test"}}}}`)
	if got := r.get(t, "/readyz"); !strings.HasPrefix(got, "200") {
		t.Errorf("after the commands the server is %s", got)
	}
}

// Without a configured token one is made, shown once and never again.
func TestFirstToken(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t)}
	r := start(t, with)
	secret := r.stdout.find(t, `rst_\w{36}`)
	r.query(t, secret, `{ viewer { user { username } } }`, `{"data":{"viewer":{"user":{"username":"admin"}}}}`)
	if code := r.end(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	printed := r.stdout.String() + r.stderr.String()
	if n := strings.Count(printed, secret); n != 1 {
		t.Errorf("the token was printed %d times", n)
	}
	r = start(t, with)
	r.query(t, secret, `{ viewer { roles } }`, `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}}}`)
	r.end()
	if printed := r.stdout.String() + r.stderr.String(); strings.Contains(printed, "rst_") {
		t.Errorf("the second start printed a token:\n%s", printed)
	}
}

// Told to end, the server lets nobody in and finishes what is under way.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken})
	conn, answers := hold(t, r)
	r.stop()
	r.stderr.find(t, "ending: waiting for the requests under way")
	for { // until the listener is closed
		late, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			break
		}
		late.Close()
	}
	select {
	case <-r.ended:
		t.Fatal("the server has ended before the request")
	default:
	}
	if _, err := io.WriteString(conn, heldBody); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(answers)
	if err != nil || !strings.Contains(string(answer), `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}}}`) {
		t.Errorf("the request under way was answered %s, %v", answer, err)
	}
	if code := r.end(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
}

const heldBody = `{"query": "{ viewer { roles } }"}`

// hold sends a request without its body. It is under way when hold returns, until its body comes.
func hold(t *testing.T, r *running) (net.Conn, io.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", adminToken, len(heldBody))
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatal(line, err)
	}
	return conn, reader
}

// Who does not want to wait for the requests under way asks twice.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	r := startProcess(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken})
	hold(t, r)
	r.signal(t, os.Interrupt)
	r.logs(t, "ending: waiting for the requests under way")
	r.signal(t, os.Interrupt)
	<-r.ended
	if r.code != 1 {
		t.Errorf("the exit code is %d", r.code)
	}
}

// A server that is killed leaves data that the next start opens. The signals are real, hence so are the processes.
func TestCrash(t *testing.T) {
	t.Parallel()
	with := settings{"ROSTER_DATA": filepath.Join(t.TempDir(), "data"), "ROSTER_ADMIN_TOKEN": adminToken}
	r := startProcess(t, with)
	r.query(t, adminToken, `mutation { createGroup(input: {name: "kept"}) { group { name } } }`, `"kept"`)
	r.signal(t, syscall.SIGKILL)
	<-r.ended

	r = startProcess(t, with)
	r.query(t, adminToken, `{ group(by: {name: "kept"}) { name } }`, `{"data":{"group":{"name":"kept"}}}`)
	r.signal(t, syscall.SIGTERM)
	<-r.ended
	if r.code != 0 {
		t.Errorf("after SIGTERM the exit code is %d", r.code)
	}
}

// A server whose own Postgres ends is no use.
func TestPostgresEnds(t *testing.T) {
	t.Parallel()
	with := settings{"ROSTER_DATA": filepath.Join(t.TempDir(), "data"), "ROSTER_ADMIN_TOKEN": adminToken}
	r := start(t, with)
	text, err := os.ReadFile(filepath.Join(with["ROSTER_DATA"], "pgdata", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-r.ended
	if r.code != 1 {
		t.Errorf("the exit code is %d", r.code)
	}
	r.logs(t, "the embedded Postgres ended by itself")
}

// A server that joined the Postgres of another process takes it over when that process ends.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	with := settings{"ROSTER_DATA": filepath.Join(t.TempDir(), "data"), "ROSTER_ADMIN_TOKEN": adminToken}
	first := start(t, with)
	second := start(t, with)
	second.logs(t, "joined the Postgres that another process runs")
	if code := first.end(); code != 0 {
		t.Errorf("the first one's exit code is %d", code)
	}
	second.logs(t, "Postgres was taken over")
	second.query(t, adminToken, `{ viewer { roles } }`, `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}}}`)
	if code := second.end(); code != 0 {
		t.Errorf("the second one's exit code is %d", code)
	}
}

// A taken address costs nothing: no database is made for it.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := filepath.Join(t.TempDir(), "data")
	got := settings{"ROSTER_DATA": data, "ROSTER_ADDR": l.Addr().String()}.run(t, "")
	if got.code != 1 || !strings.Contains(got.stderr, "address already in use") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data directory: %v", err)
	}
}

// With migrations off the schema has to be there, and the server is ready only as long as it is.
func TestMigrationsOff(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_MIGRATE": "false", "ROSTER_ADMIN_TOKEN": adminToken}
	if got := with.run(t, ""); got.code != 1 || !strings.Contains(got.stderr, "run `roster migrate`") {
		t.Errorf("without a schema: %+v", got)
	}
	if got := with.ok(t, "migrate").stdout; strings.HasPrefix(got, "0 ") {
		t.Errorf("migrate says %s", got)
	}
	r := start(t, with)
	if got := r.get(t, "/readyz"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("with the schema: %s", got)
	}
	with.ok(t, "migrate", "-down")
	got := r.get(t, "/readyz")
	for strings.HasPrefix(got, "200 ") { // the answer of a moment ago, which is good for a second
		got = r.get(t, "/readyz")
	}
	if want := `503 application/json {"status":"unavailable","reason":"the database's schema is not the one this program needs",`; !strings.HasPrefix(got, want) {
		t.Errorf("without the schema: %s", got)
	}
	if got := r.get(t, "/livez"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("without the schema it lives: %s", got)
	}
}

// A server whose schema is current does not wait for one that migrates, nor for the lock that it holds.
func TestCurrentSchemaIsNotMigrated(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken}
	with.ok(t, "migrate")
	other, err := sql.Open("pg", with["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "SELECT pg_advisory_lock(7033178301)"); err != nil {
		t.Fatal(err)
	}
	if got := start(t, with).get(t, "/readyz"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("beside a server that migrates: %s", got)
	}
}

// A server drops by itself what was kept for long enough, and leaves what was not.
func TestOldIsDropped(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_RESTORE_DAYS": "3"}
	with.ok(t, "migrate")
	beam, err := sql.Open("pg", with["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer beam.Close()
	for _, text := range []string{
		`INSERT INTO deleted_groups (id, number, handle, name, description, type, access_type, use_default_storage, public, tags, version, created_at, deleted_at)
			SELECT gen_random_uuid(), days, 'h', 'group ' || days, '', 'MANAGED', 'READ_ONLY', true, false, '[]', 1, now(), now() - make_interval(days => days)
			FROM unnest(ARRAY[2, 4, 400]) days`,
		`INSERT INTO idempotency_keys (caller, key, fingerprint, created_at)
			SELECT gen_random_uuid(), hours || ' hours', '', now() - make_interval(hours => hours) FROM unnest(ARRAY[1, 25, 2500]) hours`,
	} {
		if _, err := beam.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	start(t, with)
	const want = "group 2, 1 hours"
	tick, late := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for got := ""; got != want; {
		if err := beam.QueryRowContext(t.Context(), `SELECT (SELECT string_agg(name, '; ') FROM deleted_groups) || ', ' || (SELECT string_agg(key, '; ') FROM idempotency_keys)`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("there is still: %s", got)
		}
	}
}
