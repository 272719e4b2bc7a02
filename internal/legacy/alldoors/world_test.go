package alldoors_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/authress"
	"roster/internal/legacy/cds"
	"roster/internal/legacy/d4science"
	"roster/internal/legacy/enterprisetester"
	"roster/internal/legacy/entrust"
	"roster/internal/limit"
	"roster/internal/rostertest"
)

// one is a door with what it says of itself.
type one struct {
	name string // of its folder
	door legacy.Door
	spec []byte
}

// all are the five doors, in the order that the program serves them in.
func all(dir *directory.Service) []one {
	return []one{
		{"cds", cds.New(dir, cds.Config{}), cds.OpenAPI()},
		{"entrust", entrust.New(dir), entrust.OpenAPI()},
		{"authress", authress.New(dir), authress.OpenAPI()},
		{"d4science", d4science.New(dir), d4science.OpenAPI()},
		{"enterprisetester", enterprisetester.New(dir), enterprisetester.OpenAPI()},
	}
}

// world is a directory with every way in open, served over TCP.
type world struct {
	t      testing.TB
	dir    *directory.Service
	url    string // of the database
	host   string
	client *http.Client
	beside *sql.DB // past the directory, for what only a test may ask
	doors  []*legacy.Mounted
	log    *logged
	budget *limit.Budget // nil: callers may do as much as they like
	guard  *auth.Guard   // nil: addresses may get wrong what they like
	level  slog.Level
}

// newWorld serves a directory with nobody in it but its first administrator. settings say how the doors are mounted; one that
// is not named is at the root.
func newWorld(t testing.TB, settings map[string]legacy.Setting) *world {
	t.Helper()
	return newWorldWith(t, settings, db.Options{})
}

func newWorldWith(t testing.TB, settings map[string]legacy.Setting, o db.Options) *world {
	t.Helper()
	return newWorldOn(t, rostertest.URL(t), settings, o)
}

// newWorldOn is one more server on a database.
func newWorldOn(t testing.TB, url string, settings map[string]legacy.Setting, o db.Options) *world {
	t.Helper()
	o.URL = url
	store, err := db.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	beside, err := sql.Open("pg", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close() })
	w := &world{t: t, dir: rostertest.DirectoryOn(t, store), url: url, beside: beside, log: &logged{}, level: slog.LevelWarn}
	w.serve(settings)
	return w
}

func (w *world) serve(settings map[string]legacy.Setting) {
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: w.level}))
	for _, d := range all(w.dir) {
		w.doors = append(w.doors, legacy.Mount(d.door, settings[d.name], legacy.Deps{Directory: w.dir, Log: log, Budget: w.budget}))
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", graph.NewHandler(graph.HandlerConfig{Directory: w.dir, Log: log, Introspection: graph.Everybody}))
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(rw, nobodys)
	})
	served := legacy.Serve(w.doors, mux)
	if w.guard != nil {
		served = w.guard.Handler(served)
	}
	srv := httptest.NewServer(auth.RequestIDs(served))
	w.t.Cleanup(srv.Close)
	w.host = srv.Listener.Addr().String()
	w.client = srv.Client()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// nobodys is the answer to what is no door's.
const nobodys = `{"errors":[{"message":"Nothing is here."}]}`

// logged keeps what is logged: nothing, unless something was Roster's own fault.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// request is one as it goes over the wire: its path is not touched.
type request struct {
	method, path string
	header       map[string]string
	body         string
	host         string
}

// with is the request with one more header.
func (r request) with(name, value string) request {
	h := map[string]string{name: value}
	for n, v := range r.header {
		if _, there := h[n]; !there {
			h[n] = v
		}
	}
	r.header = h
	return r
}

func (r request) String() string {
	return r.method + " " + r.path + " " + fmt.Sprintf("%.300s", r.body)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %.500s", a.status, a.body) }

// decode reads the answer's JSON.
func (a answer) decode(t testing.TB, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
}

func (w *world) send(r request) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.context(), r.method, "http://"+w.host, strings.NewReader(r.body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.URL = &url.URL{Scheme: "http", Host: w.host, Opaque: r.path}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	if r.host != "" {
		req.Host = r.host
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatalf("%s: %v", r, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%s: the answer breaks off: %v", r, err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// context is the test's; a fuzz target's ends with its run.
func (w *world) context() context.Context { return w.t.Context() }

// get reads what has to be there.
func (w *world) get(door directory.Door, secret, path string) answer {
	w.t.Helper()
	r := authorised(door, secret, request{method: "GET", path: path})
	a := w.send(r)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s: %s", r, a)
	}
	return a
}

// authorised is the request with a credential where the door's clients put it.
func authorised(door directory.Door, secret string, r request) request {
	switch door {
	case directory.DoorCDS:
		return r.with("Session-Token", secret)
	case directory.DoorEntrust:
		return r.with("Authorization", secret)
	case directory.DoorEnterpriseTester:
		return r.with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("someone:"+secret)))
	}
	return r.with("Authorization", "Bearer "+secret)
}

// graphql is a GraphQL operation as a request.
func graphql(secret, query string, variables any) request {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		panic(err) // of texts, numbers and lists
	}
	return authorised(directory.DoorGraphQL, secret, request{method: "POST", path: "/graphql", body: string(body),
		header: map[string]string{"Content-Type": "application/json"}})
}

// ask asks GraphQL what has to succeed.
func (w *world) ask(secret, query string, variables, to any) {
	w.t.Helper()
	a := w.send(graphql(secret, query, variables))
	var out struct {
		Data   json.RawMessage
		Errors []any
	}
	a.decode(w.t, &out)
	if len(out.Errors) > 0 {
		w.t.Fatalf("%s: %s", query, a)
	}
	if err := json.Unmarshal(out.Data, to); err != nil {
		w.t.Fatalf("%v: %s", err, a)
	}
}

// tables is everything in the database, but for when tokens were last used.
func (w *world) tables() string {
	w.t.Helper()
	var b strings.Builder
	for _, table := range []string{"settings", "users", "groups", "members", "admins", "tokens", "changes", "actions", "worker_models"} {
		var rows string
		err := w.beside.QueryRowContext(w.context(), `SELECT coalesce(string_agg(r::text, E'\n' ORDER BY r::text), '')
			FROM (SELECT to_jsonb(t) - 'last_used_at' r FROM `+table+` t) x`).Scan(&rows)
		if err != nil {
			w.t.Fatal(err)
		}
		b.WriteString(table + "\n" + rows + "\n")
	}
	return b.String()
}

// audited holds the directory to everything that `roster check` proves.
func (w *world) audited() {
	w.t.Helper()
	report, err := directory.Audit(w.context(), w.url, false, 5)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range report.Violations {
		w.t.Errorf("%s: %s: expected %s, found %s", v.Audit, v.About(), v.Expected, v.Found)
	}
}

// logLength is the place of the last change: a cheap sign of whether something was written.
func (w *world) logLength() int {
	w.t.Helper()
	var n int
	if err := w.beside.QueryRowContext(w.context(), "SELECT coalesce(max(seq), 0) FROM changes").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
