// Package legacytest is the test kit of the legacy doors: scenarios of exact HTTP exchanges, kept in text files.
//
// A scenario is a file that reads as a story: lines that begin with @ set the scene on a fresh directory, a block from >>> to
// <<< is a request as it goes over the wire, the block after it up to the next <<< is the answer, byte for byte:
//
//	# Prose.
//	@user alice fullName="Alice Doe" roles=ADMINISTRATOR
//	@group acme members=alice admins=alice
//
//	>>> a member reads the group
//	GET /group/acme HTTP/1.1
//	Session-Token: {{alice.secret}}
//
//	<<<
//	HTTP/1.1 200 OK
//	Content-Type: application/json
//
//	{"id":1,"name":"acme"}
//	<<<
//
// Requests get a Host (roster.example) and a Content-Length if they have none. What differs from run to run is a placeholder
// in the answer: {{uuid-1}}, {{id-1}} (a TypeID) and {{secret-1}} are numbered as they appear and may be used in later requests;
// {{time}}, {{httpdate}} and {{millis}} only say that there was one. See template.go for what requests can say, steps.go for
// the @ lines, mask.go for the placeholders.
//
//	go test ./internal/legacy/<door> -update
//
// writes the answers anew and leaves all else as it is.
package legacytest

import (
	"cmp"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/observe"
	"roster/internal/rostertest"
)

var update = flag.Bool("update", false, "write the answers of the scenarios anew")

// Kit is what the scenarios of a door need.
type Kit struct {
	Door    func(dir *directory.Service) legacy.Door
	Setting legacy.Setting
	Steps   map[string]Step // @ lines of the door's own
	Masks   []Mask          // tried before those of the kit
	Hide    []string        // headers of answers that the scenarios do not show, besides Date and X-Request-Id
	OpenAPI []byte          // if given, every status that a scenario saw must be documented for its operation
}

// Step does what an @ line says.
type Step func(w *World, args []string)

// Run runs every scenario (*.txt) of a folder, each on a directory of its own, in parallel.
func Run(t *testing.T, k Kit, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", folder, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			runFile(t, k, f)
		})
	}
}

func runFile(t *testing.T, k Kit, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	w := New(t, k)
	for i := range s.parts {
		p := &s.parts[i]
		switch {
		case p.step != nil:
			w.Step(p.step)
		case p.exchange != nil:
			got := w.masked(w.Send(p.exchange.request))
			if *update {
				p.exchange.answer = got
			} else if got != p.exchange.answer {
				t.Errorf("%s:%d: %s\n--- got\n%s\n--- want\n%s", file, p.line, p.exchange.title, got, p.exchange.answer)
			}
		}
	}
	w.checkDocumented()
	for _, p := range w.Problems() {
		t.Errorf("%s: the door logged %s", file, p)
	}
	if *update && s.String() != string(text) {
		if err := os.WriteFile(file, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// World is a directory with a door on it, served over TCP, and the names of what was made there.
type World struct {
	T     testing.TB
	Dir   *directory.Service
	Door  legacy.Door
	kit   Kit
	addr  string
	names map[string]string // name → value, for requests
	known map[string]string // value → name, for answers
	count map[string]int    // of numbered placeholders
	last  string            // the answer before masking

	mu       sync.Mutex
	seen     []met
	problems []string // what the door logged
}

// New makes a world with its first administrator, who is called root.
func New(t testing.TB, k Kit) *World {
	t.Helper()
	dir := rostertest.Directory(t)
	w := &World{T: t, Dir: dir, Door: k.Door(dir), kit: k, names: map[string]string{}, known: map[string]string{}, count: map[string]int{}}
	w.Name("root.secret", rostertest.AdminSecret)
	mounted := legacy.Mount(w.Door, k.Setting, legacy.Deps{Directory: dir, Log: slog.New(slog.NewTextHandler(logged{w}, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	notOurs := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "not a path of the door")
	})
	srv := httptest.NewServer(auth.RequestIDs(w.watched(legacy.Serve([]*legacy.Mounted{mounted}, notOurs))))
	t.Cleanup(srv.Close)
	w.addr = srv.Listener.Addr().String()
	return w
}

// met is one answered request.
type met struct {
	operation string // "" where no route matched
	status    int
}

// watched keeps what the door answers.
func (w *World) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var nobody *observe.Observer
		ctx, seen := nobody.Begin(r.Context(), rw, r, "")
		a := &answer{ResponseWriter: rw}
		defer func() {
			if route := seen.Route(); route != nil {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.seen = append(w.seen, met{route.Operation, cmp.Or(a.status, http.StatusOK)}) // net/http says 200 for who says nothing
			}
		}()
		next.ServeHTTP(a, r.WithContext(ctx))
	})
}

// answer knows the status that it was told, 0 where it was told none.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (w *World) exchanges() []met {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]met{}, w.seen...)
}

// Problems are the lines that the door logged: none, unless something was Roster's own fault.
func (w *World) Problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.problems...)
}

type logged struct{ w *World }

func (l logged) Write(line []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.problems = append(l.w.problems, string(line))
	return len(line), nil
}

// Step does what an @ line says: one of the kit's own steps, or one of the door's.
func (w *World) Step(words []string) {
	w.T.Helper()
	step, ok := w.kit.Steps[words[0]]
	if !ok {
		step, ok = steps[words[0]]
	}
	if !ok {
		w.T.Fatalf("no step @%s", words[0])
	}
	args := make([]string, len(words)-1)
	for i, a := range words[1:] {
		args[i] = w.Expand(a)
	}
	step(w, args)
}

// Name gives a value a name: {{name}} is the value in requests, and stands for it in answers where a mask finds it.
func (w *World) Name(name, value string) {
	w.names[name] = value
	w.known[value] = name
}

// Value is what a name stands for.
func (w *World) Value(name string) string {
	w.T.Helper()
	v, ok := w.names[name]
	if !ok {
		w.T.Fatalf("nothing is called {{%s}}", name)
	}
	return v
}
