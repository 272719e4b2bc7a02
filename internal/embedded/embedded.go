package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	superuser   = "roster"   // the role initdb creates; everyone connects as it
	database    = "roster"   // created at first start
	maintenance = "postgres" // always there; for statements about other databases

	startTimeout = 60 * time.Second // for a server to answer that somebody else started
	killTimeout  = 10 * time.Second // for an immediate shutdown, which has nothing to wait for
)

// Config says where the instance lives and how it runs.
type Config struct {
	Dir         string                           // the instance's own directory, created if missing: pgdata/, postgres.log, roster.lock
	PGBin       string                           // directory with initdb and postgres; "" means search
	Durable     bool                             // false trades safety for speed: for data nobody will miss
	Cache       string                           // where a download is unpacked; "" means below the user's cache directory
	DownloadURL string                           // Maven repository to download from; "" means Maven Central
	Log         func(format string, args ...any) // progress for a person; nil means nobody is watching

	search func() []binaries // in tests, instead of this machine's installed binaries
}

// Postgres is a running server that this process started, adopted or joined.
type Postgres struct {
	socket  string // full file name
	process *os.Process
	lock    *os.File // held as long as we own the server; nil if joined

	exited   chan struct{} // the process is gone, whoever ended it
	done     chan struct{} // the process is gone and we did not ask for it
	stopping atomic.Bool
	stop     sync.Mutex
}

// Start opens the instance in c.Dir, creating it if need be, and returns when it accepts connections. Of several
// processes that start the same directory one owns the server and the others join it.
func Start(ctx context.Context, c Config) (*Postgres, error) {
	i, err := open(c)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(startTimeout); ; {
		lock, err := i.tryLock()
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return i.own(ctx, lock)
		}
		p, err := i.attach(ctx, database)
		if p != nil {
			go p.watch(func() { i.poll(p) })
			i.config.Log("joined the Postgres that another process runs in %s", i.config.Dir)
			return p, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("another process holds %s and its Postgres does not answer: %w", i.config.Dir, err)
		}
		if err := pause(ctx); err != nil {
			return nil, fmt.Errorf("waiting for the Postgres of another process in %s: %w", i.config.Dir, err)
		}
	}
}

// own adopts the server that runs already or starts one. The lock is kept if it succeeds and released if not.
func (i *instance) own(ctx context.Context, lock *os.File) (*Postgres, error) {
	p, err := i.adopt(ctx)
	if err == nil && p == nil {
		p, err = i.launch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	p.lock = lock
	if err := createDatabase(ctx, p); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
		defer cancel()
		return nil, errors.Join(err, p.Stop(stopping))
	}
	return p, nil
}

// URL is the address of a database on this server, as pgdriver wants it: with the full name of the socket's file.
func (p *Postgres) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(superuser),
		Path:     "/" + database,
		RawQuery: "host=" + strings.ReplaceAll(url.QueryEscape(p.socket), "%2F", "/") + "&sslmode=disable",
	}
	return u.String()
}

// Joined reports whether the server belongs to another process.
func (p *Postgres) Joined() bool { return p.lock == nil }

// Done is closed when the server ends without having been asked by Stop.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Stop ends the server if this process owns it: open transactions are rolled back, clients disconnected. When ctx is
// done before that, the server is stopped at once and recovers at its next start. On a joined server it does nothing.
func (p *Postgres) Stop(ctx context.Context) error {
	p.stop.Lock()
	defer p.stop.Unlock()
	if p.lock == nil || p.stopping.Swap(true) {
		return nil
	}
	err := p.end(ctx)
	// A server that was killed leaves its files. The directory goes only if they were all: one adopted from elsewhere
	// may have its socket among other things. And all that before the lock, for the next owner makes them again.
	for _, name := range []string{p.socket, p.socket + ".lock", filepath.Dir(p.socket)} {
		_ = os.Remove(name)
	}
	return errors.Join(err, p.lock.Close())
}

// end asks with rising insistence and returns when the process is gone.
func (p *Postgres) end(ctx context.Context) error {
	if p.signal(ctx, syscall.SIGINT) { // "fast"
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
	defer cancel()
	if p.signal(ctx, syscall.SIGQUIT) { // "immediate"
		return nil
	}
	return fmt.Errorf("process %d (Postgres) does not stop", p.process.Pid)
}

// signal reports whether the process ended before ctx did.
func (p *Postgres) signal(ctx context.Context, s os.Signal) bool {
	_ = p.process.Signal(s) // it fails if the process is gone, which is what we wait for
	select {
	case <-p.exited:
		return true
	case <-ctx.Done():
		return false
	}
}

// watch closes the channels when wait returns. It runs for as long as the server does.
func (p *Postgres) watch(wait func()) {
	wait()
	close(p.exited)
	if !p.stopping.Load() {
		close(p.done)
	}
}

func newPostgres(socketDir string, process *os.Process) *Postgres {
	return &Postgres{
		socket:  filepath.Join(socketDir, socketName),
		process: process,
		exited:  make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// pause waits a moment between two looks at something no event tells us about.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}
