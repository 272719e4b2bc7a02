package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// The Postgres that is downloaded where none is installed.
const (
	downloadVersion = "18.3.0"
	downloadMajor   = 18
	mavenCentral    = "https://repo1.maven.org/maven2"
)

// download returns the binaries in the cache, which is filled first if it is empty. It is filled elsewhere and renamed,
// so that it is never half full and two processes may fill it at once.
func (i *instance) download(ctx context.Context) (binaries, error) {
	cache, err := i.cache()
	if err != nil {
		return binaries{}, err
	}
	bin := filepath.Join(cache, "bin")
	if b, err := inspect(bin); err == nil {
		return b, nil
	}
	if err := os.MkdirAll(filepath.Dir(cache), 0o755); err != nil { //nolint:gosec // Postgres, as another user, reads below it
		return binaries{}, err
	}
	work, err := os.MkdirTemp(filepath.Dir(cache), ".download-*")
	if err != nil {
		return binaries{}, err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")
	if err := i.fetch(ctx, work, tree); err != nil {
		return binaries{}, err
	}
	_ = os.Remove(cache)              // an empty directory, which cannot be renamed over
	renamed := os.Rename(tree, cache) // fails if another process was faster
	b, err := inspect(bin)
	if err != nil {
		return binaries{}, errors.Join(err, renamed)
	}
	return b, nil
}

// cache names the directory of the download: below the user's cache directory, or the system's if we are root and the
// server's user cannot get into root's.
func (i *instance) cache() (string, error) {
	if i.config.Cache != "" {
		return filepath.Abs(i.config.Cache)
	}
	base, err := os.UserCacheDir()
	if i.account.drop && (err != nil || i.account.blocked(filepath.Join(base, "roster")) != "") {
		base, err = "/var/cache", nil
	}
	return filepath.Join(base, "roster", "postgres", downloadVersion), err
}

// fetch downloads the binaries for this machine and unpacks them to tree. The library knows where they are and how they
// are packed, but it has no way to do only that: Start goes on to run them, as a user and with settings of its choice.
// So it is given a data directory that cannot be, and gives up when the binaries are there.
func (i *instance) fetch(ctx context.Context, work, tree string) error {
	r := &relay{ctx: ctx, log: i.config.Log, base: strings.TrimSuffix(cmp.Or(i.config.DownloadURL, mavenCentral), "/")}
	address, stop, err := r.listen()
	if err != nil {
		return err
	}
	defer stop()
	i.config.Log("no Postgres %d to %d is installed: downloading %s", oldest, newest, downloadVersion)
	impossible := work + "/." // os.RemoveAll, its next step, refuses names that end in a dot
	err = embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(downloadVersion).
		BinaryRepositoryURL(address).
		CachePath(work).
		RuntimePath(filepath.Join(work, "run")).
		BinariesPath(tree).
		DataPath(impossible).
		Port(0).
		Logger(io.Discard)).Start()
	if failed := r.failure(); failed != nil {
		return failed
	}
	if err != nil && strings.HasPrefix(err.Error(), "unable to clean up data directory "+impossible) {
		return nil
	}
	return fmt.Errorf("unpack Postgres %s: %w", downloadVersion, err)
}

// relay stands between the library and the repository, because the library knows neither contexts nor progress, keeps
// the cause of a failure to itself and does without a checksum where none is to be had.
type relay struct {
	ctx  context.Context
	base string
	log  func(format string, args ...any)

	mu  sync.Mutex
	err error
}

// listen serves the repository on this machine until stop is called.
func (r *relay) listen() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = server.Close() }, nil
}

// ServeHTTP passes on one file of the repository.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.pass(w, req.URL.Path); err != nil {
		r.mu.Lock()
		if r.err == nil {
			r.err = err
		}
		r.mu.Unlock()
		panic(http.ErrAbortHandler) // the only way to break off an answer
	}
}

func (r *relay) pass(w io.Writer, path string) error {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.base+path, nil) //nolint:gosec // base names the host; this listens on loopback alone
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL.Redacted(), res.Status)
	}
	if strings.HasSuffix(path, ".jar") {
		w = &progress{Writer: w, total: res.ContentLength, log: r.log}
	}
	if _, err = io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("%s: %w", req.URL.Redacted(), err)
	}
	return nil
}

func (r *relay) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// progress tells how far a download is, ten times.
type progress struct {
	io.Writer
	written, total int64
	told           int64
	log            func(format string, args ...any)
}

// Write counts what it passes on.
func (p *progress) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	p.written += int64(n)
	if p.total > 0 && p.written*10/p.total > p.told {
		p.told = p.written * 10 / p.total
		p.log("downloading Postgres %s … %d %%", downloadVersion, p.told*10)
	}
	return n, err
}
