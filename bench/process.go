package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a program that the benchmark runs.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan error
}

// run starts a program. It ends with the benchmark, however that ends: where the system can, it is sent a signal when the thread
// that started it ends, so that thread stays.
func run(cmd *exec.Cmd, name string) (*process, error) {
	p := &process{name: name, cmd: cmd, ended: make(chan error, 1)}
	endWithParent(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.ended <- cmd.Wait()
		}
	}()
	return p, <-started
}

// stopTime is how long a program may take to end when it is asked to.
const stopTime = 30 * time.Second

func (p *process) stop(signal os.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("%s had ended: %w", p.name, err)
	}
	select {
	case <-p.ended: // how is not asked: a server that a signal ends says so by its exit code
		return nil
	case <-time.After(stopTime):
		return fmt.Errorf("%s does not end", p.name)
	}
}

// server is one of the two that are measured.
type server struct {
	*process
	addr string
}

// startServer runs a server and waits for the line of its output that says where it listens.
func startServer(cmd *exec.Cmd, name string) (*server, error) {
	r, w := io.Pipe()
	cmd.Stdout = w
	p, err := run(cmd, name)
	if err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), "http://"); ok {
				addr, _, _ := strings.Cut(rest, "/")
				select {
				case found <- addr:
				default:
				}
			}
		}
	}()
	select {
	case addr := <-found:
		return &server{p, addr}, nil
	case err := <-p.ended:
		return nil, fmt.Errorf("%s ended at once: %w", name, err)
	case <-time.After(stopTime):
		return nil, fmt.Errorf("%s does not say where it listens", name)
	}
}

// programs are the two, as they were built.
type programs struct{ roster, bare string }

// build compiles Roster as it is in the directory above, and bare.
func build(ctx context.Context, dir string) (programs, error) {
	p := programs{dir + "/roster", dir + "/bare"}
	for _, c := range []struct {
		dir  string
		args []string
	}{{"..", []string{"build", "-o", p.roster, "."}}, {".", []string{"build", "-o", p.bare, "./bare"}}} {
		cmd := exec.CommandContext(ctx, "go", c.args...)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("go %s: %w\n%s", strings.Join(c.args, " "), err, out)
		}
	}
	return p, nil
}

// output is where a server's log goes.
func output(name string) (*os.File, error) {
	if name == "" {
		name = os.DevNull
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// terminate asks a server to end in order.
func (s *server) terminate() error { return s.stop(syscall.SIGTERM) }
