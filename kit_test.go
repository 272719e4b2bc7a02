package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"roster/internal/embedded"
)

// adminToken has the form of one of ours and a wrong checksum: whatever is configured is taken as it is.
const adminToken = "rst_0123456789abcdefghijABCDEFGHIJ012345"

// patience is how long a test waits for something that is to happen.
const patience = 2 * time.Minute

// asProgram makes the test's own binary the program, for tests that need a process to kill.
const asProgram = "ROSTER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// emptyDatabase is the URL of a database of the test's own, without a schema.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	return embedded.Acquire(t, embedded.Template{Key: "empty"})
}

// settings are the environment of a program, and all of it.
type settings map[string]string

func (s settings) getenv(name string) string {
	if v, ok := s[name]; ok {
		return v
	}
	switch name {
	case "ROSTER_ADDR":
		return "127.0.0.1:0"
	case "ROSTER_DATA": // never the user's own
		return "/dev/null/none"
	case "PG_BIN": // where this machine's is, if somebody says so
		return os.Getenv(name)
	}
	return ""
}

// result is what came of a program that ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs the program to its end. No output may hold the configured token.
func (s settings) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr output
	code := run(ctx, args, system{s.getenv, strings.NewReader(stdin), &stdout, &stderr})
	keepsQuiet(t, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// ok runs the program, which has to succeed.
func (s settings) ok(t *testing.T, args ...string) result {
	t.Helper()
	r := s.run(t, "", args...)
	if r.code != 0 {
		t.Fatalf("roster %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r
}

func keepsQuiet(t *testing.T, outputs ...*output) {
	t.Helper()
	for _, o := range outputs {
		if strings.Contains(o.String(), adminToken) {
			t.Errorf("the configured token was printed:\n%s", o)
		}
	}
}

// running is a server.
type running struct {
	url            string
	stdout, stderr *output
	stop           func()
	ended          chan struct{} // closed when code is there
	code           int
	process        *os.Process // nil: it runs in the test's
}

// start starts a server in this process, and waits until it says where it is.
func start(t *testing.T, s settings) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stdout: &output{}, stderr: &output{}, stop: cancel, ended: make(chan struct{})}
	s = maps.Clone(s) // the server may still look while the test writes what the next one begins with
	go func() {
		defer close(r.ended)
		r.code = run(ctx, []string{"serve"}, system{s.getenv, strings.NewReader(""), r.stdout, r.stderr})
	}()
	return r.started(t)
}

// startProcess does so in a process of its own.
func startProcess(t *testing.T, s settings) *running {
	t.Helper()
	r := &running{stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	program := exec.Command(os.Args[0])
	program.Stdout, program.Stderr = r.stdout, r.stderr
	s = maps.Clone(s)
	s[asProgram], s["ROSTER_ADDR"] = "1", "127.0.0.1:0"
	program.Env = os.Environ()
	for name, value := range s {
		program.Env = append(program.Env, name+"="+value)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	r.process = program.Process
	r.stop = func() { _ = program.Process.Signal(os.Interrupt) } // it may have ended
	go func() {
		defer close(r.ended)
		_ = program.Wait() // the code says it
		r.code = program.ProcessState.ExitCode()
	}()
	return r.started(t)
}

func (r *running) started(t *testing.T) *running {
	t.Helper()
	t.Cleanup(func() {
		r.end()
		keepsQuiet(t, r.stdout, r.stderr)
		if t.Failed() {
			t.Logf("the server printed:\n%s\n%s", r.stdout, r.stderr)
		}
	})
	go func() { // a server that ends before it says anything is not waited for
		<-r.ended
		r.stdout.close()
		r.stderr.close()
	}()
	r.url = r.stdout.find(t, `https?://127\.0\.0\.1:\d+`)
	return r
}

// end stops the server and returns its exit code.
func (r *running) end() int {
	r.stop()
	<-r.ended
	return r.code
}

func (r *running) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := r.process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// logs waits until the server has logged the text.
func (r *running) logs(t *testing.T, text string) {
	t.Helper()
	r.stderr.find(t, regexp.QuoteMeta(text))
}

// get answers the status, the content type and the body.
func (r *running) get(t *testing.T, path string) string {
	t.Helper()
	return r.send(t, http.MethodGet, path, "", "")
}

func (r *running) send(t *testing.T, method, path, token, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", "test")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s %s", res.StatusCode, res.Header.Get("Content-Type"), bytes.TrimSpace(answer))
}

// query sends a GraphQL operation, whose answer has to contain the text.
func (r *running) query(t *testing.T, token, query, want string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.send(t, http.MethodPost, "/graphql", token, string(body)); !strings.Contains(got, want) {
		t.Errorf("%s\n got %s\nwant %s", query, got, want)
	}
}

// output is what a program prints, for a test to wait on.
type output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	grown  chan struct{} // closed at the next change; nil while nobody waits
	closed bool
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	o.wake()
	return len(b), nil
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.wake()
}

func (o *output) wake() {
	if o.grown != nil {
		close(o.grown)
		o.grown = nil
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find waits for text of the pattern.
func (o *output) find(t *testing.T, pattern string) string {
	t.Helper()
	form, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		o.mu.Lock()
		found, closed := form.FindString(o.text.String()), o.closed
		if o.grown == nil {
			o.grown = make(chan struct{})
		}
		grown := o.grown
		o.mu.Unlock()
		switch {
		case found != "":
			return found
		case closed:
			t.Fatalf("the program ended and never printed %s", pattern)
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("the program did not print %s", pattern)
		}
	}
}

// operators is where the server serves metrics and probes.
func (r *running) operators(t *testing.T) string {
	t.Helper()
	return strings.TrimPrefix(r.stderr.find(t, `url=http://127\.0\.0\.1:\d+`), "url=")
}
