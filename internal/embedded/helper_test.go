package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const helperMode = "ROSTER_EMBEDDED_HELPER"

// TestMain runs the tests, or is the other process of one: it starts a server, tells its URL, and ends with its input.
func TestMain(m *testing.M) {
	switch os.Getenv(helperMode) {
	case "":
		os.Exit(m.Run())
	case "own":
		p, err := Start(context.Background(), Config{Dir: os.Args[1]})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.process.Pid)
		_, _ = io.Copy(io.Discard, os.Stdin)
		if err := p.Stop(context.Background()); err != nil {
			os.Exit(1)
		}
	case "acquire":
		m.Run() // TestHelperAcquire, of which nothing is expected but to start the server
	}
}

// helper is another process of this test binary.
type helper struct {
	cmd   *exec.Cmd
	stdin io.Closer
	said  string // its first line
}

func startHelper(t *testing.T, mode string, args ...string) *helper {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), helperMode+"="+mode)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process said %q: %v", said, err)
	}
	return &helper{cmd, stdin, strings.TrimSpace(said)}
}

func (h *helper) end(t *testing.T) {
	t.Helper()
	_ = h.stdin.Close()
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

func (h *helper) kill(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = h.cmd.Wait()
}

// newDir returns a directory that every user gets to, unlike t.TempDir, whose parent is ours alone.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "roster-embedded-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mayTrespass reports whether we can get a server into a directory of ours: as root that takes a capability, which root
// in a container may lack.
func mayTrespass(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 || !canTrespass {
		return os.Geteuid() != 0
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:")
	caps, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return caps&(1<<2) != 0 // CAP_DAC_READ_SEARCH
}

// start starts a server that is stopped when the test ends.
func start(t *testing.T, c Config) *Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

func stop(t *testing.T, p *Postgres) {
	t.Helper()
	if err := p.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func exec1(t *testing.T, p *Postgres, statement string) {
	t.Helper()
	db := connect(p.URL(database))
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, p *Postgres, statement string) (value string) {
	t.Helper()
	db := connect(p.URL(database))
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), statement).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Fatalf("error %v; want one with %q", err, part)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !is() {
		if pause(ctx) != nil {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lines collects what is logged.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.b, format+"\n", args...)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
