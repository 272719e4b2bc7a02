package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	// What a crash in the middle of initdb leaves.
	if err := os.MkdirAll(filepath.Join(dir, dataName+".new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	p := start(t, Config{Dir: dir, Durable: true})
	if p.Joined() {
		t.Error("a new server is joined")
	}
	if want := "&sslmode=disable"; !strings.HasPrefix(p.URL("x"), "postgres://roster@/x?host=/") || !strings.HasSuffix(p.URL("x"), want) {
		t.Errorf("URL %s", p.URL("x"))
	}
	if group, err := syscall.Getpgid(p.process.Pid); err != nil || group != p.process.Pid {
		t.Errorf("process group %d, %v: Ctrl-C would reach the server", group, err)
	}
	exec1(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit", "autovacuum"} {
		if got := query(t, p, "SHOW "+setting); got != "on" {
			t.Errorf("durable, with %s %s", setting, got)
		}
	}
	if got := query(t, p, "SHOW jit"); got != "off" {
		t.Errorf("jit is %s", got)
	}
	if got := query(t, p, "SHOW listen_addresses"); got != "" {
		t.Errorf("listens on %s", got)
	}
	stop(t, p)
	if _, err := os.Stat(filepath.Dir(p.socket)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket directory is still there: %v", err)
	}
	select {
	case <-p.Done():
		t.Error("Done is closed by Stop")
	default:
	}

	p = start(t, Config{Dir: dir, Durable: false})
	if got := query(t, p, "SELECT n FROM kept"); got != "1" {
		t.Errorf("kept %q", got)
	}
	if got := query(t, p, "SHOW fsync"); got != "off" {
		t.Errorf("not durable, with fsync %s", got)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(done); err != nil { // in a hurry
		t.Error(err)
	}
	p = start(t, Config{Dir: dir})
	if got := query(t, p, "SELECT n FROM kept"); got != "1" {
		t.Errorf("after an immediate stop: kept %q", got)
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	owner := startHelper(t, "own", dir)
	p := start(t, Config{Dir: dir})
	if !p.Joined() {
		t.Fatal("not joined")
	}
	exec1(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
	stop(t, p)
	if got := query(t, p, "SELECT n FROM kept"); got != "1" {
		t.Errorf("after Stop on a joined server: %q", got)
	}
	owner.end(t)
	eventually(t, "Done after the owner stopped", func() bool { return isClosed(p.Done()) })

	p = start(t, Config{Dir: dir})
	if p.Joined() {
		t.Error("joined a server without an owner")
	}
	if got := query(t, p, "SELECT n FROM kept"); got != "1" {
		t.Errorf("kept %q", got)
	}
}

func TestJoinTwice(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	var wg sync.WaitGroup
	var joined [2]bool
	for n := range joined {
		wg.Go(func() {
			p, err := Start(t.Context(), Config{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			joined[n] = p.Joined()
			t.Cleanup(func() { stop(t, p) })
		})
	}
	wg.Wait()
	if joined[0] == joined[1] {
		t.Errorf("joined: %v; want one owner", joined)
	}
}

func TestJoinGivesUp(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	i, err := open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := i.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Start(ctx, Config{Dir: dir})
	wantError(t, err, dir, "another process")
}

// TestCrash does it in a directory that is closed to all but us. So it also shows that root's Postgres gets there, and
// that the capability it needs for that does not cost it the death signal.
func TestCrash(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "deep", "pg")
	if !mayTrespass(t) {
		_, err := Start(t.Context(), Config{Dir: dir})
		wantError(t, err, "may not enter "+filepath.Dir(parent))
		dir = newDir(t)
	}
	owner := startHelper(t, "own", dir)
	p := start(t, Config{Dir: dir})
	exec1(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
	owner.kill(t)

	var log lines
	after := start(t, Config{Dir: dir, Log: log.add})
	if after.Joined() {
		t.Error("joined a server whose owner is dead")
	}
	if got := query(t, after, "SELECT n FROM kept"); got != "1" {
		t.Errorf("kept %q", got)
	}
	if told := strings.Count(log.String(), "capability"); told != 1 && os.Geteuid() == 0 && mayTrespass(t) {
		t.Errorf("the capability is mentioned %d times in\n%s", told, &log)
	}
	if canTrespass { // and so has a death signal; elsewhere the server was adopted
		eventually(t, "Done of one who had joined", func() bool { return isClosed(p.Done()) })
	}
}

// TestReopen opens the data again and again, each time as somebody else has left it.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	p := start(t, Config{Dir: dir, Durable: true}) // or the last commit may be lost
	exec1(t, p, "CREATE TABLE kept AS SELECT 1 AS n")
	i, err := open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Killed", func(t *testing.T) { killed(t, i, p) })
	t.Run("Orphan", func(t *testing.T) { orphan(t, i) })
	socketDir := i.account.socketDir(i.config.Dir)
	t.Run("SocketTaken", func(t *testing.T) {
		if err := os.Mkdir(socketDir, 0o755); err != nil { // open to others
			t.Fatal(err)
		}
		defer os.Remove(socketDir)
		_, err = Start(t.Context(), Config{Dir: dir})
		wantError(t, err, socketDir, "somebody else")
	})
	t.Run("SocketLink", func(t *testing.T) {
		if err := os.Symlink(dir, socketDir); err != nil { // to a directory that itself would do
			t.Fatal(err)
		}
		defer os.Remove(socketDir)
		_, err = Start(t.Context(), Config{Dir: dir})
		wantError(t, err, socketDir, "somebody else")
	})
	t.Run("BadSettings", func(t *testing.T) {
		conf := filepath.Join(i.pgdata(), "postgresql.auto.conf")
		if err := os.WriteFile(conf, []byte("this is = = not a setting\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Start(t.Context(), Config{Dir: dir})
		wantError(t, err, "start Postgres", "syntax error in file")
	})
}

// killed kills the server, and lets the number in the postmaster.pid it leaves be that of another of the user's processes.
func killed(t *testing.T, i *instance, p *Postgres) {
	if err := p.process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Done", func() bool { return isClosed(p.Done()) })
	stop(t, p)

	other := exec.Command("sleep", "60")
	other.SysProcAttr = processAttributes(i.account, false)
	other.Dir = "/"
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = other.Process.Kill(), other.Wait() })
	file := filepath.Join(i.pgdata(), "postmaster.pid")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d\n%s", other.Process.Pid, rest), 0o600); err != nil {
		t.Fatal(err)
	}

	p = start(t, Config{Dir: i.config.Dir})
	if got := query(t, p, "SELECT n FROM kept"); got != "1" {
		t.Errorf("kept %q", got)
	}
}

// orphan starts a server that nobody owns, as a crash leaves it where there is no death signal.
func orphan(t *testing.T, i *instance) {
	bin, err := i.binaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := &launcher{instance: i, bin: bin.dir}
	socketDir := i.account.socketDir(i.config.Dir)
	if err := i.account.makePrivate(socketDir); err != nil {
		t.Fatal(err)
	}
	cmd := l.command(io.Discard, "postgres", l.settings(socketDir)...)
	ended, err := l.spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the orphan", func() bool { m, err := i.postmaster(); return err == nil && m.pid == cmd.Process.Pid })

	p := start(t, Config{Dir: i.config.Dir})
	if p.Joined() || p.process.Pid != cmd.Process.Pid {
		t.Errorf("joined %v, process %d; want the orphan %d adopted", p.Joined(), p.process.Pid, cmd.Process.Pid)
	}
	stop(t, p)
	if err := <-ended; err != nil {
		t.Errorf("the orphan ended with %v", err)
	}
}

// TestCreate tries what a hostile owner of the directory could do to root.
func TestCreate(t *testing.T) {
	t.Parallel()
	i, err := open(Config{Dir: newDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(newDir(t), "victim")
	if err := os.WriteFile(victim, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]func(oldname, newname string) error{"hard": os.Link, "soft": os.Symlink} {
		if err := link(victim, i.path(name)); err != nil {
			t.Fatal(err)
		}
		if _, err := i.create(name); err == nil {
			t.Errorf("a file was opened through a %s link", name)
		}
	}
	if info, err := os.Stat(victim); err != nil || int(owner(info).Uid) != os.Geteuid() {
		t.Errorf("the other file now belongs to %d, %v", owner(info).Uid, err)
	}
}

func TestCheckWay(t *testing.T) {
	t.Parallel()
	open, closed := newDir(t), newDir(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	nobody := account{name: "nobody", uid: 65534, gid: 65534, drop: true}
	for _, test := range []struct {
		name, bin, dir string
		account        account
		error          string
		trespass       bool
	}{
		{name: "Open", bin: open, dir: open, account: nobody},
		{name: "Data", bin: open, dir: closed + "/deep/pg", account: nobody, trespass: true},
		{name: "OwnData", bin: open, dir: closed, account: nobody}, // it is given to the account
		{name: "Binaries", bin: closed, dir: open, account: nobody, error: "may not enter " + closed},
		{name: "Ourselves", bin: closed, dir: closed + "/pg", account: account{uid: os.Getuid()}},
	} {
		l := &launcher{instance: &instance{Config{Dir: test.dir, Log: t.Logf}, test.account}, bin: test.bin}
		err := l.checkWay()
		if test.trespass && !canTrespass {
			test.error = "may not enter " + closed
		}
		if test.error != "" {
			wantError(t, err, test.error)
		} else if err != nil || (l.blocked != "") != test.trespass {
			t.Errorf("%s: %v, blocked by %q", test.name, err, l.blocked)
		}
	}
}

func TestForeignDirectory(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	file := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{Dir: dir})
	wantError(t, err, dir, "neither empty")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory was changed: %v, %v", info, err)
	}
	_, err = Start(t.Context(), Config{})
	wantError(t, err, "directory")
}
