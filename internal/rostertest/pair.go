package rostertest

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roster/db"
	"roster/internal/embedded"
)

// Pair is a primary with Roster's schema and a hot standby that streams from it, both of the test's own.
type Pair struct {
	t                testing.TB
	Primary, Standby *embedded.Postgres
	primary, standby *sql.DB // ways past Roster
	follows          embedded.Config
}

const database = "roster"

// NewPair starts them.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "roster-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil { //nolint:gosec // Postgres, as another user, goes through it
		t.Fatal(err)
	}
	config := func(name string) embedded.Config {
		return embedded.Config{Dir: filepath.Join(base, name), PGBin: os.Getenv("PG_BIN"), Durable: true, Log: t.Logf}
	}
	p := &Pair{t: t}
	p.Primary = started(t)(embedded.Start(t.Context(), config("primary")))
	if _, err := db.Migrate(t.Context(), p.PrimaryURL()); err != nil {
		t.Fatal(err)
	}
	p.follows = config("standby")
	p.Standby = started(t)(embedded.Follow(t.Context(), p.follows, p.Primary))
	p.primary, p.standby = way(t, p.PrimaryURL()), way(t, p.StandbyURL())
	return p
}

// Another is one more standby of the primary's, from now on.
func (p *Pair) Another() *embedded.Postgres {
	p.t.Helper()
	c := p.follows
	c.Dir += "-too"
	return started(p.t)(embedded.Follow(p.t.Context(), c, p.Primary))
}

// URLOf is the database on a server.
func URLOf(s *embedded.Postgres) string { return s.URL(database) }

func started(t testing.TB) func(*embedded.Postgres, error) *embedded.Postgres {
	return func(p *embedded.Postgres, err error) *embedded.Postgres {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Stop(context.Background()) })
		return p
	}
}

func way(t testing.TB, url string) *sql.DB {
	d, err := sql.Open("pg", url+"&read_timeout=60s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// PrimaryURL is the database on the primary.
func (p *Pair) PrimaryURL() string { return p.Primary.URL(database) }

// StandbyURL is the same on the standby.
func (p *Pair) StandbyURL() string { return p.Standby.URL(database) }

// Exec runs a statement on the primary.
func (p *Pair) Exec(statement string, args ...any) {
	p.t.Helper()
	if _, err := p.primary.ExecContext(p.t.Context(), statement, args...); err != nil {
		p.t.Fatal(err)
	}
}

// Sync waits until the standby has all that the primary has written.
func (p *Pair) Sync() {
	p.t.Helper()
	p.sync(p.standby)
}

// SyncOf is Sync for another standby.
func (p *Pair) SyncOf(other *embedded.Postgres) {
	p.t.Helper()
	p.sync(way(p.t, URLOf(other)))
}

func (p *Pair) sync(standby *sql.DB) {
	p.t.Helper()
	at := p.read(p.primary, "SELECT pg_current_wal_flush_lsn()")
	p.Await("the standby to catch up", func() bool { return p.read(standby, "SELECT pg_last_wal_replay_lsn() >= '"+at+"'") == "true" })
}

// Pause has the standby stay as it is, whatever it receives; Resume has it go on.
func (p *Pair) Pause() {
	p.t.Helper()
	p.onStandby("SELECT pg_wal_replay_pause()")
	p.Await("the standby to pause", func() bool { return p.onStandby("SELECT pg_get_wal_replay_pause_state()") == "paused" })
}

// Resume is Pause's end.
func (p *Pair) Resume() {
	p.t.Helper()
	p.onStandby("SELECT pg_wal_replay_resume()")
}

// Hasty has the standby wait for no query that stands in the way of what it has to replay.
func (p *Pair) Hasty() {
	p.t.Helper()
	if _, err := p.standby.ExecContext(p.t.Context(), "ALTER SYSTEM SET max_standby_streaming_delay = 0"); err != nil {
		p.t.Fatal(err)
	}
	p.onStandby("SELECT pg_reload_conf()")
}

// Promote makes the standby a primary.
func (p *Pair) Promote() {
	p.t.Helper()
	p.onStandby("SELECT pg_promote()")
}

func (p *Pair) onStandby(query string) string {
	p.t.Helper()
	return p.read(p.standby, query)
}

func (p *Pair) read(from *sql.DB, query string) string {
	p.t.Helper()
	var v sql.NullString
	if err := from.QueryRowContext(p.t.Context(), query).Scan(&v); err != nil {
		p.t.Fatal(err)
	}
	return v.String
}

// StopPrimary ends the primary, StopStandby the standby, at once: what they had under way is cut off.
func (p *Pair) StopPrimary() { stop(p.t, p.Primary) }

// StopStandby is above.
func (p *Pair) StopStandby() { stop(p.t, p.Standby) }

// StartStandby is its end.
func (p *Pair) StartStandby() {
	p.t.Helper()
	p.Standby = started(p.t)(embedded.Start(p.t.Context(), p.follows))
}

func stop(t testing.TB, s *embedded.Postgres) {
	t.Helper()
	done, cancel := context.WithCancel(context.Background())
	cancel() // no patience: immediately
	if err := s.Stop(done); err != nil {
		t.Fatal(err)
	}
}

// Await asks until the answer is yes.
func (p *Pair) Await(what string, yes func() bool) {
	p.t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-late:
			p.t.Fatal("waited too long for " + what)
		}
	}
}
