package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is the one Postgres that both servers use: the benchmark's own, or the one that DATABASE_URL names.
type postgres struct {
	process *process // nil: not ours
	url     *url.URL
	socket  string
	load    string // the machine's, before the benchmark put any on it
}

// The versions that Roster's SQL is written for.
const (
	oldest = 14
	newest = 18
)

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// binaries finds initdb and postgres: where PG_BIN says, or where packages put them, the newest first.
func binaries() (dir string, major int, err error) {
	var dirs []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if given := os.Getenv("PG_BIN"); given != "" {
		dirs = []string{given}
	}
	for _, d := range dirs {
		out, err := exec.Command(filepath.Join(d, "postgres"), "--version").Output()
		if m := versionLine.FindSubmatch(out); err == nil && m != nil {
			if n, _ := strconv.Atoi(string(m[1])); n > major && n >= oldest && n <= newest {
				dir, major = d, n
			}
		}
	}
	if dir == "" {
		return "", 0, fmt.Errorf("no Postgres %d to %d is installed; set PG_BIN to the directory of its initdb, or DATABASE_URL", oldest, newest)
	}
	return dir, major, nil
}

// account is who runs Postgres, which root may not.
type account struct {
	uid, gid int
	drop     bool
}

func accountOf() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(u.Uid)
			gid, err2 := strconv.Atoi(u.Gid)
			return account{uid, gid, true}, errors.Join(err1, err2)
		}
	}
	return account{}, errors.New("root may not run Postgres, and there is no user postgres or nobody")
}

func (a account) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if a.drop {
		runAs(cmd, a.uid, a.gid)
	}
	return cmd
}

// own makes a directory of the account's.
func (a account) own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if a.drop {
		return os.Chown(dir, a.uid, a.gid)
	}
	return nil
}

// startPostgres starts the benchmark's Postgres on the data in the cache directory.
func startPostgres(ctx context.Context, cache string, statements bool) (*postgres, error) {
	bin, major, err := binaries()
	if err != nil {
		return nil, err
	}
	a, err := accountOf()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, fmt.Sprintf("postgres-%d", major))
	if err := a.own(dir); err != nil {
		return nil, err
	}
	pgdata := filepath.Join(dir, "data")
	if err := initdb(a, bin, pgdata); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(cache, "postgres.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	socket, err := os.MkdirTemp("/tmp", "roster-bench-") // the data's directory may have too long a name for a socket
	if err != nil {
		return nil, err
	}
	if err := a.own(socket); err != nil {
		return nil, err
	}
	cmd := a.command(filepath.Join(bin, "postgres"), append([]string{"-D", pgdata}, settings(socket, statements)...)...)
	cmd.Stdout, cmd.Stderr = log, log
	p := &postgres{socket: socket, url: &url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		RawQuery: "host=" + socket + "&sslmode=disable"}}
	if p.process, err = run(cmd, "postgres"); err != nil {
		return nil, err
	}
	return p, p.ready(ctx)
}

// settings leave Postgres as durable as it comes: fsync and synchronous_commit are on. What would happen at some moment, and so to
// one of the two servers, is put off, and done by the benchmark between bursts: checkpoints and vacuum.
func settings(socket string, statements bool) (args []string) {
	settings := []string{
		"listen_addresses=", "unix_socket_directories=" + socket, "port=5432", "max_connections=100", "shared_buffers=512MB",
		"max_wal_size=8GB", "checkpoint_timeout=1h", "autovacuum=off", "logging_collector=off",
	}
	if statements {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

func initdb(a account, bin, pgdata string) error {
	if _, err := os.Stat(filepath.Join(pgdata, "PG_VERSION")); err == nil {
		return nil
	}
	unfinished := pgdata + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := a.command(filepath.Join(bin, "initdb"), "-D", unfinished, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out.Bytes())
	}
	return os.Rename(unfinished, pgdata)
}

// ready waits until Postgres answers.
func (p *postgres) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, p.url.String())
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case end := <-p.process.ended:
			return fmt.Errorf("postgres ended at once: %w; its log is in the cache directory", errors.Join(end, err))
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// database is the URL of a database.
func (p *postgres) database(name string) string {
	u := *p.url
	u.Path = "/" + name
	return u.String()
}

func (p *postgres) close() error {
	if p.process == nil {
		return nil
	}
	err := p.process.stop(syscall.SIGINT) // fast: whoever is still connected is sent away
	return errors.Join(err, os.RemoveAll(p.socket))
}

// cpu is how long the processes of Postgres have been on a processor, each by its own; nil if Postgres is not ours.
func (p *postgres) cpu() map[int]time.Duration {
	if p.process == nil {
		return nil
	}
	return cpuOfChildren(p.process.cmd.Process.Pid)
}
