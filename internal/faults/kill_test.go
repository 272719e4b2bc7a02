//go:build faults

package faults

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// at is where a server is.
func (p *program) at() string { return p.url }

// TestPostgresIsKilled: all of Postgres at once, in the middle of everything, twice. Clients hear that it is away, and go on when it is back.
func TestPostgresIsKilled(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t, dirFor(t))
	l := newLedger(t, start(t, pg.url()).at)
	l.load(8)
	for range 2 {
		l.await(60, 0)
		pg.kill(t)
		l.await(0, 20)
		pg.start(t)
	}
	l.await(60, 0)
	l.halt()
	l.settle(pg.url())
}

// TestServerIsKilled: the server, in the middle of writes, three times. What it had not acknowledged is there or not, but never half.
func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	url := database(t)
	var now atomic.Pointer[program]
	now.Store(start(t, url))
	l := newLedger(t, func() string { return now.Load().url })
	l.mayBreak = true
	l.load(8)
	for n := range 3 {
		l.await(40, 0)
		now.Load().signal(t, syscall.SIGKILL)
		l.awaitBroken(8 * (n + 1))
		now.Store(start(t, url))
	}
	l.await(40, 0)
	l.halt()
	newBeam(t, url).await("the killed servers' transactions to end",
		`SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`)
	l.settle(url)
}

// TestServerIsToldToEnd: SIGTERM under load. What the server took in, it answers; what it did not take in is not done.
func TestServerIsToldToEnd(t *testing.T) {
	t.Parallel()
	url := database(t)
	p := start(t, url)
	l := newLedger(t, p.at)
	l.mayBreak = true // connections that nobody has taken in yet
	l.load(16)
	l.await(60, 0)
	if code := p.signal(t, syscall.SIGTERM); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	l.halt()
	l.settle(url)
	log := p.output.String()
	for _, e := range l.entries {
		if !e.acked && (strings.Contains(log, "request_id="+e.request+" ") || newBeam(t, url).count(e) != 0) {
			t.Errorf("%s was taken in and not answered", e.request)
		}
	}
	if l.refused > 0 {
		t.Errorf("%d were refused", l.refused)
	}
}
