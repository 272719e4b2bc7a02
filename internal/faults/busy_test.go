//go:build faults

package faults

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// held is a transaction of somebody else's that has done something and does not end.
func (b *beam) held(text string) (release func()) {
	b.t.Helper()
	tx, err := b.BeginTx(b.t.Context(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := tx.ExecContext(b.t.Context(), text); err != nil {
		b.t.Fatal(err)
	}
	return sync.OnceFunc(func() { _ = tx.Rollback() })
}

// TestPoolIsExhausted: every connection of the pool waits for a lock, and more clients than that want one.
func TestPoolIsExhausted(t *testing.T) {
	t.Parallel()
	url := database(t)
	l := newLedger(t, start(t, url).at)
	b := newBeam(t, url)
	release := b.held("LOCK TABLE members, admins IN ACCESS EXCLUSIVE MODE")
	defer release()
	l.load(64)
	b.await("all connections to wait", `SELECT count(*) >= 16 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	l.await(0, 80)
	release()
	l.await(100, 0)
	l.halt()
	l.settle(url)
}

// TestStatementHangs: first on a lock, then for no reason at all. What waits is refused in time, and reads of other things go on.
func TestStatementHangs(t *testing.T) {
	t.Parallel()
	url := database(t)
	l := newLedger(t, start(t, url).at)
	b := newBeam(t, url)
	release := b.held("LOCK TABLE groups IN ACCESS EXCLUSIVE MODE")
	defer release()
	l.load(4)
	l.await(0, 8)
	release()
	l.await(20, 0)
	b.exec(`CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END'`)
	b.exec(`CREATE TRIGGER hang BEFORE INSERT ON groups FOR EACH ROW EXECUTE FUNCTION hang()`)
	l.await(8, 4)
	b.exec(`DROP TRIGGER hang ON groups`)
	l.await(20, 0)
	l.halt()
	l.settle(url)
}

// TestClientHangsUp: what it asked for stops in Postgres, and by that, not for its time.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, dirFor(t))
	l := newLedger(t, start(t, pg.url()).at)
	b := newBeam(t, pg.url())
	b.exec(`CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END'`)
	b.exec(`CREATE TRIGGER hang BEFORE INSERT ON groups FOR EACH ROW EXECUTE FUNCTION hang()`)
	const hanging = `SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`
	for name, request := range map[string]string{
		"graphql": `{"query": "mutation { createGroup(input: {name: \"hung-graphql\"}) { group { id } } }"}`, "group": `{"name": "hung-door"}`,
	} {
		ctx, hangUp := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.server()+"/"+name, strings.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+adminToken)
		req.Header.Set("Content-Type", "application/json")
		ended := make(chan error)
		go func() {
			res, err := l.client.Do(req)
			if err == nil {
				res.Body.Close()
			}
			ended <- err
		}()
		b.await("the statement to hang", hanging)
		hangUp()
		if err := <-ended; err == nil {
			t.Errorf("%s was answered", name)
		}
		b.await("the statement to stop", strings.Replace(hanging, "> 0", "= 0", 1))
	}
	if log := pg.logged(t); strings.Contains(log, "statement timeout") || strings.Count(log, "connection to client lost") != 2 {
		t.Errorf("the statements ended otherwise:\n%s", log)
	}
	b.exec(`DROP TRIGGER hang ON groups`)
	if n := b.text(`SELECT count(*) FROM groups WHERE name LIKE 'hung%'`); n != "0" {
		t.Errorf("%s groups were made for nobody", n)
	}
	l.settle(pg.url())
}

// TestSlowReaders: more clients than the pool has connections ask for the whole list of groups, take its first bytes and no more. None
// holds a connection meanwhile, and others are answered.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	url := database(t)
	p := start(t, url)
	l := newLedger(t, p.at)
	b := newBeam(t, url)
	b.exec(`INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'big-' || n, 'big-' || n || repeat('x', 240) FROM generate_series(1, 18000) n`)
	b.exec(`INSERT INTO changes (kind, actor, via, group_id, group_name, after) SELECT 'GROUP_CREATED', 'test', 'SYSTEM', id, name, jsonb_build_object('uuid', id,
		'number', number, 'handle', handle, 'name', name, 'description', description, 'type', type, 'externalId', external_id, 'accessType', access_type,
		'folderOwner', folder_owner, 'useDefaultStorage', use_default_storage, 'public', public, 'tags', tags) FROM groups`)
	var all sync.WaitGroup
	for range 18 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(conn, "GET /api/web/v1/groups HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\n\r\n", adminToken)
		all.Go(func() {
			line, err := bufio.NewReaderSize(io.LimitReader(conn, 64), 16).ReadString('\n')
			if err != nil || !strings.Contains(line, "200 OK") {
				t.Errorf("a slow reader heard %q, %v", line, err)
			}
		})
	}
	all.Wait()
	b.await("the slow readers to stand still", `SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`)
	l.load(8)
	l.await(100, 0)
	l.halt()
	l.settle(url)
	if l.refused > 0 {
		t.Errorf("%d were refused", l.refused)
	}
	if code, answer := l.door("whole", http.MethodGet, "/api/web/v1/groups", ""); code != "" || len(answer) < 5<<20 {
		t.Errorf("the list is of %d bytes, %s: it fits into the network, and nobody who takes none of it is slow", len(answer), code)
	}
}

// TestDiskIsFull: a small disk is filled by somebody else while Roster writes. Writes are refused, and go on when there is room again.
// It mounts a tmpfs, for which it has to be root.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(dirFor(t))
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m,mode=0755"); err != nil {
		t.Fatalf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	pg := startPostgres(t, filepath.Join(disk, "postgres"))
	l := newLedger(t, start(t, pg.url()).at)
	l.load(4)
	l.await(40, 0)
	filler := filepath.Join(disk, "filler")
	if err := exec.Command("dd", "if=/dev/zero", "of="+filler, "bs=64k").Run(); err == nil {
		t.Fatal("the disk is not to be filled")
	}
	// What Postgres has room for already is written on; a file that has to grow is not.
	fill := newBeam(t, pg.url())
	_, _ = fill.ExecContext(t.Context(), `CREATE TABLE more AS SELECT repeat(md5(n::text), 100) FROM generate_series(1, 20000) n`) // it fails
	l.await(0, 8)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	poll(t, "Postgres to be back", func() bool { return fill.PingContext(t.Context()) == nil })
	l.await(40, 0)
	l.halt()
	l.settle(pg.url())
	if !strings.Contains(pg.logged(t), "No space left on device") {
		t.Error("the disk was never full")
	}
}
