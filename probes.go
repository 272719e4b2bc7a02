package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"roster/db"
)

const (
	readyTime = 2 * time.Second // for all checks
	readyAge  = time.Second     // how long an answer stays one
	probeTime = 5 * time.Second // of the command
	fine      = "ok"
)

// readiness is what decides whether to send requests here. However many ask, Postgres is asked once a second at most.
type readiness struct {
	store  *db.Store
	now    func() time.Time
	within time.Duration // for all checks
	flight singleflight.Group

	mu     sync.Mutex
	checks checks
	asked  time.Time
}

// checks are what came of each check, in words that hold no secret.
type checks struct {
	Database string `json:"database"`
	Schema   string `json:"schema"`
	Draining string `json:"draining"`
}

// readyAnswer is what a probe is told.
type readyAnswer struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	Checks checks `json:"checks"`
}

func (c checks) failed() string {
	for _, text := range []string{c.Draining, c.Database, c.Schema} {
		if text != fine {
			return text
		}
	}
	return ""
}

// look asks Postgres, or whoever is asking it, or remembers. Who asks may go away: others wait for the same answer.
func (r *readiness) look(ctx context.Context) checks {
	if c, ok := r.remembered(); ok {
		return c
	}
	answer := r.flight.DoChan("", func() (any, error) {
		if c, ok := r.remembered(); ok { // by who was first
			return c, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.within)
		defer cancel()
		c := r.ask(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.checks, r.asked = c, r.now()
		return c, nil
	})
	select {
	case a := <-answer:
		return a.Val.(checks)
	case <-ctx.Done():
		return checks{Database: "nobody waited for its answer", Schema: unknown, Draining: fine}
	}
}

func (r *readiness) remembered() (checks, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checks, !r.asked.IsZero() && r.now().Sub(r.asked) < readyAge
}

// unknown is a check that could not be made.
const unknown = "unknown"

func (r *readiness) ask(ctx context.Context) checks {
	c := checks{fine, fine, fine}
	if err := r.store.Ping(ctx); err != nil {
		c.Database, c.Schema = "the database does not answer", unknown
		return c
	}
	switch current, err := r.store.Current(ctx); {
	case unavailable(err):
		c.Database, c.Schema = "the database does not answer", unknown
	case err != nil || !current:
		c.Schema = "the database's schema is not the one this program needs"
	}
	return c
}

// unavailable tells a Postgres that is away from one without our tables.
func unavailable(err error) bool {
	var e *db.Error
	return errors.As(err, &e) && (e.Kind == db.Unavailable || e.Kind == db.Timeout)
}

// live says that the process runs, whatever becomes of the database.
func (s *server) live(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{"status": fine})
}

// ready says whether to send requests here, and which check fails.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if !s.draining.Load() && s.dir.ReadsAlone() { // nobody else would do more
		away := "the database does not answer"
		write(w, http.StatusOK, readyAnswer{"reads only", away, checks{away, unknown, fine}})
		return
	}
	c := s.readiness.look(r.Context())
	if s.draining.Load() { // which is never remembered
		c.Draining = "the server is ending"
	}
	if reason := c.failed(); reason != "" {
		write(w, http.StatusServiceUnavailable, readyAnswer{"unavailable", reason, c})
		return
	}
	write(w, http.StatusOK, readyAnswer{Status: fine, Checks: c})
}

// probe asks a server whether it is ready: for where there is no other client, as in a container of its own.
type probe struct{ live bool }

func (p *probe) flags(fs *flag.FlagSet) {
	fs.BoolVar(&p.live, "live", false, "ask whether it runs at all")
}

func (*probe) check(args []string) []string { return none(args) }

// do asks at -metrics-addr if that is set, else at -addr.
func (p *probe) do(ctx context.Context, program *program) error {
	at, scheme := program.config.MetricsAddr, "http"
	if at == "" {
		at = program.config.Addr
		if program.config.TLSCert != "" {
			scheme = "https"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	path := "/readyz"
	if p.live {
		path = "/livez"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+here(at)+path, nil)
	if err != nil {
		return err
	}
	res, err := localClient().Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err == nil && res.StatusCode != http.StatusOK {
		var said struct{ Reason string }
		_ = json.Unmarshal(text, &said) // another program's answer has none
		err = fmt.Errorf("status %d: %s", res.StatusCode, said.Reason)
	}
	return err
}

// here is an address of this machine that a server listens at.
func here(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
