package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What is in the directory of an instance.
const (
	lockName = "roster.lock" // made first
	dataName = "pgdata"
	logName  = "postgres.log"
)

// instance is a data directory and the user its server runs as.
type instance struct {
	config  Config
	account account
}

// open makes the directory ready for its user. It is done by owners and joiners alike, hence changes nothing that is
// as it should be.
func open(c Config) (*instance, error) {
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	if c.search == nil {
		c.search = func() []binaries { return search("/", os.Getenv("PATH")) }
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil || c.Dir == "" {
		return nil, fmt.Errorf("embedded Postgres: directory %q: %w", c.Dir, errors.Join(err, fs.ErrInvalid))
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // Postgres, as another user, goes through it
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// One spelling, because the name of the socket directory is made from it.
	if c.Dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	i := &instance{config: c}
	if err := i.checkOurs(); err != nil {
		return nil, err
	}
	if i.account, err = accountFor(c.Dir); err != nil {
		return nil, err
	}
	return i, i.account.take(c.Dir)
}

// checkOurs refuses a directory with other things in it. We would change its owner and mode, and a slip of the hand
// such as /tmp or a home directory must not cost more than an error.
func (i *instance) checkOurs() error {
	entries, err := os.ReadDir(i.config.Dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName || e.Name() == dataName {
			return nil
		}
	}
	return fmt.Errorf("%s is neither empty nor a directory of Roster's Postgres", i.config.Dir)
}

func (i *instance) path(name string) string { return filepath.Join(i.config.Dir, name) }

func (i *instance) pgdata() string { return i.path(dataName) }

// major is the version of Postgres that made the data, 0 if there is none yet.
func (i *instance) major() (int, error) {
	b, err := os.ReadFile(filepath.Join(i.pgdata(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// postmaster is what a server says about itself in postmaster.pid.
type postmaster struct {
	pid       int
	socketDir string
	ready     bool
}

// postmaster returns the server that serves the data, or the last one if it did not end in order.
func (i *instance) postmaster() (postmaster, error) {
	file := filepath.Join(i.pgdata(), "postmaster.pid")
	b, err := os.ReadFile(file) //nolint:gosec // in the directory that the operator names
	if err != nil {
		return postmaster{}, err
	}
	// Process, data directory, start time, port, socket directory, address, shared memory, state.
	lines := strings.Split(string(b), "\n")
	if len(lines) < 8 {
		return postmaster{}, fmt.Errorf("%s is not complete", file)
	}
	pid, err := strconv.Atoi(lines[0])
	return postmaster{pid, lines[4], strings.HasPrefix(lines[7], "ready")}, err
}

var (
	errNotRunning = errors.New("it is not running")
	errNotReady   = errors.New("it runs, but does not accept connections yet")
)

// attach returns the server that serves the data now, if it answers for the database.
func (i *instance) attach(ctx context.Context, database string) (*Postgres, error) {
	m, err := i.postmaster()
	if err != nil || !isPostmaster(m.pid, i.pgdata()) {
		return nil, errors.Join(errNotRunning, err)
	}
	process, err := os.FindProcess(m.pid)
	if err != nil {
		return nil, errors.Join(errNotRunning, err)
	}
	if !m.ready {
		return nil, errNotReady
	}
	if err := i.account.checkPrivate(m.socketDir); err != nil {
		return nil, errors.Join(errNotReady, err)
	}
	p := newPostgres(m.socketDir, process)
	if err := ping(ctx, p.URL(database)); err != nil {
		return nil, errors.Join(errNotReady, err)
	}
	return p, nil
}

// poll returns when a server that is not our child is gone; one cannot wait on it.
func (i *instance) poll(p *Postgres) {
	for isPostmaster(p.process.Pid, i.pgdata()) {
		time.Sleep(watchInterval)
	}
}

// adopt returns the server an earlier owner left running, or nil if there is none. One that is about to end, because
// its owner has just died, is waited for.
func (i *instance) adopt(ctx context.Context) (*Postgres, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	answers := 0
	for {
		p, err := i.attach(ctx, maintenance)
		switch {
		case errors.Is(err, errNotRunning):
			return nil, nil
		case p != nil:
			// The lock of an owner that dies is free a moment before its server hears of it: believe the sixth answer.
			if answers++; answers > 5 {
				i.config.Log("adopted the Postgres that runs in %s (process %d)", i.config.Dir, p.process.Pid)
				go p.watch(func() { i.poll(p) })
				return p, nil
			}
		default:
			answers = 0
		}
		if late := pause(ctx); late != nil {
			return nil, fmt.Errorf("a Postgres (see %s) already runs in %s and neither answers nor ends: %w",
				filepath.Join(i.pgdata(), "postmaster.pid"), i.config.Dir, errors.Join(err, late))
		}
	}
}

// tryLock locks the instance if nobody else has; nil without an error means somebody has. The system frees the lock when
// the process ends, however it ends.
func (i *instance) tryLock() (*os.File, error) {
	f, err := i.create(lockName)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", i.config.Dir, err)
}

// create opens a file of the account's for reading and appending. As root we are in somebody else's directory: we must
// not follow links out of it, hard ones included, nor leave a file behind that its owner cannot open.
func (i *instance) create(name string) (*os.File, error) {
	f, err := os.OpenFile(i.path(name), os.O_CREATE|os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || owner(info).Nlink != 1) {
		err = fmt.Errorf("%s is not a file of its own", f.Name())
	}
	if err == nil && i.account.drop && owner(info).Uid == 0 {
		err = f.Chown(i.account.uid, i.account.gid)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sameFile reports whether both names are there and mean the same.
func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)   //nolint:gosec // nothing of either is told but whether they are one
	other, err2 := os.Stat(b) //nolint:gosec // as above
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}
