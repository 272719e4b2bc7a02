//go:build browser

package playground_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// startRoster builds and starts the program with the demo organisation, and returns its address and a token that may
// do everything. The program ends with the test.
func startRoster(t *testing.T) (address, token string) {
	t.Helper()
	if address := os.Getenv("ROSTER_URL"); address != "" {
		return address, os.Getenv("ROSTER_ADMIN_TOKEN")
	}
	token = "rst_0123456789abcdefghijABCDEFGHIJ012345"
	program := filepath.Join(t.TempDir(), "roster")
	data := t.TempDir()
	run(t, exec.Command("go", "build", "-o", program, "roster"))
	run(t, exec.Command(program, "seed", "-demo", "-data", data))

	serve := exec.Command(program, "-addr", "127.0.0.1:0", "-data", data)
	serve.Env = append(os.Environ(), "ROSTER_ADMIN_TOKEN="+token)
	return start(t, serve), token
}

func run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

var printed = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start starts a server and returns the address that it prints. What it prints is shown where the test fails.
func start(t *testing.T, server *exec.Cmd) string {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = writer, writer
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()

	address := make(chan string, 1)
	var output []byte
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			output = append(append(output, lines.Bytes()...), '\n')
			if found := printed.FindString(lines.Text()); found != "" {
				select {
				case address <- found:
				default: // printed before
				}
			}
		}
	})
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // it may have ended already
		_ = server.Wait()                       // how it ends is another test's matter
		reading.Wait()
		if t.Failed() {
			t.Logf("the server printed:\n%s", output)
		}
	})
	select {
	case found := <-address:
		return found
	case <-time.After(time.Minute):
		t.Fatal("the server did not say where it listens")
		return ""
	}
}
