package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const maxLog = 16 << 20 // postgres.log is begun anew at the start after it has grown larger

// launch starts a server on the data, which is made first if there is none, and waits until it accepts connections.
func (i *instance) launch(ctx context.Context) (*Postgres, error) {
	bin, err := i.binaries(ctx)
	if err != nil {
		return nil, err
	}
	l := &launcher{instance: i, bin: bin.dir}
	if err := l.checkWay(); err != nil {
		return nil, err
	}
	if err := l.initdb(ctx); err != nil {
		return nil, err
	}
	return l.start(ctx)
}

// launcher runs the programs of Postgres as the instance's account.
type launcher struct {
	*instance
	bin     string
	blocked string // the directory on the way to the data that the account may not search, if there is one
}

// checkWay finds out whether the account gets to its data and its binaries. Root's own directories, say its home or one
// by mktemp, are closed to it. Data may lie there all the same: on Linux the server is allowed to pass, which takes no
// change of anybody's directories. Binaries may not, because initdb asks whether it may run postgres with access(2),
// which knows no capabilities.
func (l *launcher) checkWay() error {
	if closed := l.account.blocked(filepath.Join(l.bin, "postgres")); closed != "" {
		return l.closedError(closed, fs.ErrPermission)
	}
	l.blocked = l.account.blocked(l.config.Dir)
	if l.blocked == "" {
		return nil
	}
	if !canTrespass {
		return l.closedError(l.blocked, fs.ErrPermission)
	}
	l.config.Log("%s is closed to user %s: Postgres runs with the capability to read and search any directory",
		l.blocked, l.account.name)
	return nil
}

func (l *launcher) closedError(dir string, err error) error {
	return fmt.Errorf("user %s, as whom Postgres runs, may not enter %s; open it (chmod o+x) or choose another directory: %w",
		l.account.name, dir, err)
}

// initdb makes the data if there is none. It works beside the final name, so that what a crash leaves half made is
// never taken for data.
func (l *launcher) initdb(ctx context.Context) error {
	if major, err := l.major(); err != nil || major != 0 {
		return err
	}
	l.config.Log("creating a database in %s", l.config.Dir)
	unfinished := l.path(dataName + ".new")
	var err error
	for _, locale := range []string{"C.UTF-8", "en_US.UTF-8"} {
		if err := os.RemoveAll(unfinished); err != nil {
			return err
		}
		args := []string{"-D", unfinished, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=" + locale}
		if !l.config.Durable {
			args = append(args, "--no-sync")
		}
		var out bytes.Buffer
		if err = l.run(l.command(&out, "initdb", args...)); err == nil {
			return l.finish(unfinished)
		}
		err = fmt.Errorf("initdb: %w\n%s", err, strings.TrimSpace(out.String()))
		if ctx.Err() != nil || !strings.Contains(out.String(), "invalid locale name") {
			break
		}
	}
	return err
}

// finish gives the data its name, to last: what is committed later is only as safe as that.
func (l *launcher) finish(unfinished string) error {
	if err := os.Rename(unfinished, l.pgdata()); err != nil || !l.config.Durable {
		return err
	}
	dir, err := os.Open(l.config.Dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// start runs postgres and waits until it answers. The processes of a server that was killed may outlive it by a moment,
// and for that long Postgres rightly refuses to start another on the data.
func (l *launcher) start(ctx context.Context) (*Postgres, error) {
	for deadline := time.Now().Add(killTimeout); ; {
		p, err := l.try(ctx)
		if err == nil || time.Now().After(deadline) || !strings.Contains(err.Error(), "pre-existing shared memory block") {
			return p, err
		}
		if pause(ctx) != nil {
			return nil, err
		}
	}
}

func (l *launcher) try(ctx context.Context) (*Postgres, error) {
	dir := l.account.socketDir(l.config.Dir)
	if err := l.account.makePrivate(dir); err != nil {
		return nil, err
	}
	log, err := l.create(logName)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	before, err := log.Seek(0, io.SeekEnd)
	if err == nil && before > maxLog {
		before, err = 0, log.Truncate(0)
	}
	if err != nil {
		return nil, err
	}
	cmd := l.command(log, "postgres", l.settings(dir)...)
	ended, err := l.spawn(cmd)
	if err != nil {
		return nil, err
	}
	p := newPostgres(dir, cmd.Process)
	go p.watch(func() { <-ended }) //nolint:errcheck // how it ended is in its log
	if err := l.ready(ctx, p); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 0)
		defer cancel()
		_ = p.end(stopping)
		_ = os.Remove(dir)
		return nil, fmt.Errorf("start Postgres with %s: %w\n%s", l.bin, err, tail(log, before))
	}
	return p, nil
}

// settings are given on the command line at every start, so that none is lost and postgresql.conf stays the user's.
func (l *launcher) settings(socketDir string) []string {
	settings := []string{
		"listen_addresses=", "port=5432", `unix_socket_directories="` + socketDir + `"`,
		"max_connections=200", "shared_buffers=256MB", "logging_collector=off",
		"jit=off", // nothing here takes long enough, and where memory may not be made executable a session ends of it
	}
	if !l.config.Durable {
		settings = append(settings, "shared_buffers=128MB",
			"fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")
	}
	args := []string{"-D", l.pgdata()}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// command prepares a program of Postgres to run as the account, untouched by the settings of our user for other servers
// (PGPORT would change the socket's name, for one) and with messages in English.
func (l *launcher) command(out io.Writer, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(l.bin, name), args...) //nolint:gosec // l.bin is the operator's or the system's, names are constants
	cmd.Dir = "/"                                            // where everybody may be
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = processAttributes(l.account, l.blocked != "")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	if m, err := l.postmaster(); err == nil {
		// We know that no postmaster runs, but the number of the last one may belong to another process of the account
		// by now. In this variable Postgres takes numbers that prove nothing; pg_ctl uses it.
		cmd.Env = append(cmd.Env, "PG_GRANDPARENT_PID="+strconv.Itoa(m.pid))
	}
	return cmd
}

// run is cmd.Run by way of spawn.
func (l *launcher) run(cmd *exec.Cmd) error {
	ended, err := l.spawn(cmd)
	if err != nil {
		return err
	}
	return <-ended
}

// spawn starts the process on a thread that lives as long as the process does: the signal that ends the process with
// its parent is sent when the parent's thread ends, and threads come and go.
func (l *launcher) spawn(cmd *exec.Cmd) (<-chan error, error) {
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	err := <-started
	if err != nil && l.blocked != "" {
		err = l.closedError(l.blocked, err)
	}
	return ended, err
}

// ready waits until the server answers, or ends. How long it may take is for ctx to say: after a crash it has to go
// through everything since the last checkpoint. It is not asked before it says it is ready, because pgdriver leaves
// connections open that are turned away.
func (l *launcher) ready(ctx context.Context, p *Postgres) error {
	for {
		m, err := l.postmaster()
		if err == nil && m.pid == p.process.Pid && m.ready && ping(ctx, p.URL(maintenance)) == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("it ended")
		default:
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// tail returns the last lines written to the log since the given place.
func tail(log *os.File, since int64) string {
	const most = 4 << 10
	if info, err := log.Stat(); err == nil {
		since = max(since, info.Size()-most)
	}
	b, _ := io.ReadAll(io.NewSectionReader(log, since, most))
	return strings.TrimSpace(string(b))
}
