package embedded

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Template is a database that tests start from.
type Template struct {
	Key   string                                      // tells templates apart, e.g. a hash of the migrations
	Build func(ctx context.Context, url string) error // fills the empty database at url; run once per process and Key
}

// Acquire returns the URL of a database that belongs to this test alone and starts as a copy of the template. It is
// dropped when the test ends. The server is looked for as Start does, PG_BIN included. Without one the test fails: there
// is no skipping.
func Acquire(t testing.TB, tpl Template) (url string) {
	t.Helper()
	name, err := shared.clone(t.Context(), t.Logf, tpl)
	if err != nil {
		t.Fatalf("no database for this test: %v", err)
	}
	t.Cleanup(func() {
		// Not t.Context(), which is done by now.
		if err := shared.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database of this test: %v", err)
		}
	})
	return shared.postgres.URL(name)
}

// shared is the one server of a test process. It is global because tests have no common place to keep it in: it starts
// with the first Acquire and ends with the process, which nothing announces.
var shared testServer

type testServer struct {
	mu        sync.Mutex // also serialises clones: a template in use cannot be copied
	postgres  *Postgres
	admin     *sql.DB
	strategy  string
	templates map[string]template
	clones    int
	err       error // of the start, for every test that comes later
}

// template is a database to clone, or why there is none.
type template struct {
	name string
	err  error
}

// clone copies the template into a new database and returns its name.
func (s *testServer) clone(ctx context.Context, log func(string, ...any), tpl Template) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = context.WithoutCancel(ctx) // what is made here outlives the test that happens to be the first
	if s.postgres == nil && s.err == nil {
		s.err = s.start(ctx, log)
	}
	if s.err != nil {
		return "", s.err
	}
	from, built := s.templates[tpl.Key]
	if !built {
		from = s.build(ctx, tpl)
		s.templates[tpl.Key] = from
	}
	if from.err != nil {
		return "", from.err
	}
	s.clones++
	name := fmt.Sprintf("test_%d", s.clones)
	return name, s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+from.name+s.strategy)
}

// start runs the server in a directory of its own.
func (s *testServer) start(ctx context.Context, log func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*startTimeout)
	defer cancel()
	// /tmp, because TMPDIR may be closed to the user the server runs as.
	sweep("/tmp", log)
	dir, err := os.MkdirTemp("/tmp", testDirs)
	if err != nil {
		return err
	}
	p, err := Start(ctx, Config{Dir: dir, PGBin: os.Getenv("PG_BIN"), Log: log})
	if err != nil {
		return err
	}
	s.postgres, s.admin, s.templates = p, connect(p.URL(maintenance)), map[string]template{}
	var version int
	if err := s.admin.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version >= 150000 { // before, there was only this one
		s.strategy = " STRATEGY file_copy"
	}
	return nil
}

// build makes the template database and closes it to connections, so that none can stand in the way of a clone.
func (s *testServer) build(ctx context.Context, tpl Template) template {
	name := fmt.Sprintf("template_%x", sha256.Sum256([]byte(tpl.Key)))[:32]
	err := s.exec(ctx, "CREATE DATABASE "+name)
	if err == nil && tpl.Build != nil {
		err = tpl.Build(ctx, s.postgres.URL(name))
	}
	if err == nil {
		err = s.exec(ctx, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	}
	if err == nil {
		err = s.exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	}
	if err != nil {
		err = fmt.Errorf("template %q: %w", tpl.Key, err)
	}
	return template{name, err}
}

func (s *testServer) exec(ctx context.Context, statement string) error {
	_, err := s.admin.ExecContext(ctx, statement)
	return err
}

const (
	testDirs = "roster-test-*"
	// A directory this young may be one whose owner has not locked it yet.
	settled = 10 * time.Second
)

// sweep removes what test processes that are dead have left behind. Failures are left to the next sweep.
func sweep(base string, log func(string, ...any)) {
	base, err := filepath.EvalSymlinks(base) // as open does, for the names of the socket directories
	if err != nil {
		return
	}
	account, err := accountFor(base)
	if err != nil {
		return
	}
	dirs, _ := filepath.Glob(filepath.Join(base, testDirs))
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() || time.Since(info.ModTime()) < settled {
			continue
		}
		if err := removeDead(account, dir); err != nil {
			log("left over from an earlier test run: %v", err)
		}
	}
}

// removeDead removes an instance of the account's unless a process owns it. A server that outlived its owner is killed.
func removeDead(account account, dir string) error {
	if account.checkPrivate(dir) != nil {
		return nil // another user's
	}
	i := &instance{Config{Dir: dir}, account}
	lock, err := i.tryLock()
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	if m, err := i.postmaster(); err == nil && isPostmaster(m.pid, i.pgdata()) {
		_ = syscall.Kill(m.pid, syscall.SIGQUIT)
	}
	if socketDir := account.socketDir(dir); account.checkPrivate(socketDir) == nil {
		_ = os.RemoveAll(socketDir)
	}
	return os.RemoveAll(dir)
}
