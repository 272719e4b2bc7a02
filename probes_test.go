package main

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// readyOf is a server of nothing but its probes.
func readyOf(t *testing.T, o db.Options, within time.Duration) *server {
	t.Helper()
	store, err := db.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &server{dir: &directory.Service{}, readiness: readiness{store: store, now: time.Now, within: within}}
}

func (s *server) asked(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.ready(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	return strings.TrimSpace(w.Body.String())
}

// A probe says which check fails: the database, its schema, or the server's own end.
func TestReadiness(t *testing.T) {
	t.Parallel()
	const away = `{"status":"unavailable","reason":"the database does not answer","checks":{"database":"the database does not answer","schema":"unknown","draining":"ok"}}`
	nobody := readyOf(t, db.Options{URL: "postgres://nobody@/none?host=" + t.TempDir()}, readyTime)
	if got := nobody.asked(t); got != away {
		t.Error(got)
	}
	nobody.draining.Store(true)
	if got := nobody.asked(t); !strings.HasPrefix(got, `{"status":"unavailable","reason":"the server is ending","checks":{"database":"the database does not answer",`) {
		t.Error(got)
	}

	url := emptyDatabase(t)
	older := readyOf(t, db.Options{URL: url}, readyTime)
	const old = `"reason":"the database's schema is not the one this program needs","checks":{"database":"ok","schema":"the database's schema is not the one this program needs","draining":"ok"}}`
	if got := older.asked(t); !strings.HasSuffix(got, old) {
		t.Errorf("without a schema: %s", got)
	}
	settings{"DATABASE_URL": url}.ok(t, "migrate")
	older.asked1(t, `{"status":"ok","checks":{"database":"ok","schema":"ok","draining":"ok"}}`)
	beside, err := sql.Open("pg", url)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if _, err := beside.ExecContext(t.Context(), "DELETE FROM bun_migrations WHERE id = (SELECT max(id) FROM bun_migrations)"); err != nil {
		t.Fatal(err)
	}
	if got := older.asked(t); !strings.HasPrefix(got, `{"status":"ok"`) {
		t.Errorf("what is a moment old is not remembered: %s", got)
	}
	older.later()
	if got := older.asked(t); !strings.HasSuffix(got, old) {
		t.Errorf("with an older schema: %s", got)
	}
}

// asked1 asks when nothing is remembered.
func (s *server) asked1(t *testing.T, want string) {
	t.Helper()
	s.later()
	if got := s.asked(t); got != want {
		t.Error(got)
	}
}

// later has what is remembered be too old.
func (s *server) later() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readiness.asked = time.Time{}
}

// A database that takes connections and says nothing does not hold a probe for longer than the checks may take, nor whoever asks with it.
func TestReadinessHasADeadline(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := readyOf(t, db.Options{URL: "postgres://nobody@" + silent.Addr().String() + "/none?sslmode=disable"}, 50*time.Millisecond)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if got := s.asked(t); !strings.Contains(got, `"reason":"the database does not answer"`) {
				t.Error(got)
			}
		})
	}
	asking.Wait() // or the test's own deadline
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	s.later()
	if c := s.look(impatient); c.failed() == "" {
		t.Error(c)
	}
}

// However many ask at once, Postgres is asked once.
func TestReadinessIsShared(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	settings{"DATABASE_URL": url}.ok(t, "migrate")
	var statements atomic.Int32
	s := readyOf(t, db.Options{URL: url, OnDone: func(context.Context, db.Statement) { statements.Add(1) }}, patience)
	noon := time.Now()
	s.now = func() time.Time { return noon }
	begin := make(chan struct{})
	var asking sync.WaitGroup
	for range 100 {
		asking.Go(func() {
			<-begin
			if got := s.asked(t); !strings.HasPrefix(got, `{"status":"ok"`) {
				t.Error(got)
			}
		})
	}
	close(begin)
	asking.Wait()
	if n := statements.Load(); n != 2 {
		t.Errorf("100 probes ran %d statements", n)
	}
}

// Told to end, the server says so to probes, and goes on answering for as long as it is to.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_DRAIN_DELAY": (10 * patience).String()}
	r := startProcess(t, with)
	r.signal(t, syscall.SIGTERM)
	r.logs(t, "ending: readiness fails, requests are still taken")
	if got := r.get(t, "/readyz"); !strings.HasPrefix(got, "503 ") || !strings.Contains(got, `"draining":"the server is ending"`) {
		t.Error(got)
	}
	r.query(t, adminToken, `{ viewer { roles } }`, `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}}}`)
	if got := r.get(t, "/livez"); !strings.HasPrefix(got, "200 ") {
		t.Error(got)
	}
	r.signal(t, syscall.SIGTERM)
	<-r.ended // who asks twice does not wait

	with["ROSTER_DRAIN_DELAY"] = "1ms"
	r = start(t, with)
	if code := r.end(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	r.logs(t, "ending: waiting for the requests under way")
}

// The command asks the server of this machine, at either address.
func TestProbe(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0"})
	addr := strings.TrimPrefix(r.url, "http://")
	none := settings{"ROSTER_DATA": t.TempDir()}
	for _, args := range [][]string{{"probe", "-addr", addr}, {"probe", "-live", "-addr", addr}, {"probe", "-metrics-addr", strings.TrimPrefix(r.operators(t), "http://")}} {
		none.ok(t, args...)
	}
	r.end()
	if got := none.run(t, "", "probe", "-addr", addr); got.code != 1 || !strings.Contains(got.stderr, "refused") {
		t.Errorf("%+v", got)
	}
	ending := httptest.NewServer(http.HandlerFunc(readyOf(t, db.Options{URL: "postgres://nobody@/none?host=" + t.TempDir()}, readyTime).ready))
	defer ending.Close()
	got := none.run(t, "", "probe", "-addr", strings.TrimPrefix(ending.URL, "http://"))
	if got.code != 1 || !strings.Contains(got.stderr, "status 503: the database does not answer") {
		t.Errorf("%+v", got)
	}
}
