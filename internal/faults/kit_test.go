//go:build faults || observed

package faults

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roster/internal/embedded"
	"roster/internal/rostertest"
)

// adminToken is configured in every program.
const adminToken = "rst_0123456789abcdefghijABCDEFGHIJ012345"

// patience is how long a test waits for something that is to happen.
const patience = 3 * time.Minute

var built = struct{ dir, program string }{}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "roster-faults-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		built.program = filepath.Join(dir, "roster")
		if out, err := exec.Command("go", "build", "-o", built.program, "roster").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// postgres is a server of the test's own, for those who kill it.
type postgres struct {
	dir    string
	server *embedded.Postgres
}

func startPostgres(t *testing.T, dir string) *postgres {
	t.Helper()
	p := &postgres{dir: dir}
	p.start(t)
	t.Cleanup(func() { _ = p.server.Stop(context.Background()) })
	return p
}

// dirFor is a new directory that the account of Postgres may enter.
func dirFor(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "roster-faults-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "postgres")
}

func (p *postgres) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Config{Dir: p.dir, PGBin: os.Getenv("PG_BIN"), Durable: true, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	p.server = server
}

func (p *postgres) url() string { return p.server.URL("roster") }

// kill ends every process of the server at once, as a failing machine does, and returns when they are gone.
func (p *postgres) kill(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "pgdata", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	children, err := os.ReadFile("/proc/" + first + "/task/" + first + "/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range append([]string{first}, strings.Fields(string(children))...) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Fatal(err)
		}
	}
	<-p.server.Done()
	_ = p.server.Stop(t.Context()) // lets go of the directory
}

// logged is what the server has logged.
func (p *postgres) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// beam is a way past Roster.
type beam struct {
	t *testing.T
	*sql.DB
}

func newBeam(t *testing.T, url string) *beam {
	t.Helper()
	d, err := sql.Open("pg", url+"&read_timeout=180s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return &beam{t, d}
}

func (b *beam) exec(text string, args ...any) {
	b.t.Helper()
	if _, err := b.ExecContext(b.t.Context(), text, args...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *beam) text(query string, args ...any) string {
	b.t.Helper()
	var v sql.NullString
	if err := b.QueryRowContext(b.t.Context(), query, args...).Scan(&v); err != nil {
		b.t.Fatal(err)
	}
	return v.String
}

// await polls until a query answers true.
func (b *beam) await(what, query string, args ...any) {
	b.t.Helper()
	poll(b.t, what, func() bool { return b.text(query, args...) == "true" })
}

// poll asks until the answer is yes.
func poll(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("waited too long for " + what)
		}
	}
}

// program is a process of Roster's server.
type program struct {
	url    string
	output *output
	cmd    *exec.Cmd
	ended  chan struct{}
}

// run runs a command to its end.
func run(t *testing.T, url string, args ...string) (code int, printed string) {
	t.Helper()
	cmd := command(t, url, nil, args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func command(t *testing.T, url string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(built.program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "DATABASE_URL=" + url, "ROSTER_ADDR=127.0.0.1:0", "ROSTER_ADMIN_TOKEN=" + adminToken}, env...)
	return cmd
}

// begin starts a server and does not wait.
func begin(t *testing.T, url string, env ...string) *program {
	t.Helper()
	p := &program{output: &output{}, ended: make(chan struct{}), cmd: command(t, url, env, "serve")}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the code says it
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the server printed, at last:\n%s", p.output.tail())
		}
	})
	return p
}

var address = regexp.MustCompile(`Roster +(http://127\.0\.0\.1:\d+)`) // not that of the metrics, which may be said before

// up waits until the server says where it is.
func (p *program) up(t *testing.T) *program {
	t.Helper()
	poll(t, "the server's address", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the server ended:\n%s", p.output)
		default:
		}
		found := address.FindStringSubmatch(p.output.String())
		if found != nil {
			p.url = found[1]
		}
		return found != nil
	})
	return p
}

func start(t *testing.T, url string, env ...string) *program {
	t.Helper()
	return begin(t, url, env...).up(t)
}

// signal sends a signal and waits for the end.
func (p *program) signal(t *testing.T, s os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the server does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// output is what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// database is a database of the test's own, with the schema, on the server that tests share.
func database(t *testing.T) string {
	t.Helper()
	return rostertest.URL(t)
}

// tail is the end of what was printed.
func (o *output) tail() string {
	text := o.String()
	return text[max(0, len(text)-4000):]
}
