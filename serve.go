package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/cors"

	"roster/db"
	"roster/internal/auth"
	"roster/internal/config"
	"roster/internal/directory"
	"roster/internal/observe"
)

const (
	drainTime    = 20 * time.Second
	sweepEvery   = 30 * time.Second
	keepLogEvery = time.Minute
	headerTime   = 10 * time.Second
	idleTime     = 2 * time.Minute
	maxHeader    = 64 << 10
	preflightAge = 10 * time.Minute
)

// serve runs the server.
type serve struct{}

func (*serve) flags(*flag.FlagSet) {}

func (*serve) check(args []string) []string { return none(args) }

// do serves until ctx is done. The address comes first: a start that fails for want of it leaves no trace.
func (*serve) do(ctx context.Context, p *program) (err error) {
	p.log.Info("starting", "config", p.config)
	issuers, err := auth.ReadIssuers(p.config.Issuers)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", p.config.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	operators, err := p.listenForOperators(ctx)
	if err != nil {
		return err
	}
	if operators != nil {
		defer operators.Close()
	}
	if !p.config.Pprof {
		noHeapProfile()
	}
	observer, metrics, traces, err := p.observed(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, traces.Close(ctx)) }()
	d, err := p.open(ctx)
	if err != nil {
		return unlessAsked(ctx, err)
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	if err := d.follow(p); err != nil {
		return err
	}
	dir, err := d.directory(ctx, p)
	if err != nil {
		return unlessAsked(ctx, err)
	}
	secret, err := dir.EnsureAdmin(ctx, p.config.AdminToken.Reveal())
	if err != nil {
		return unlessAsked(ctx, err)
	}
	p.welcome(listener.Addr(), secret)
	tuning, done := context.WithCancel(ctx)
	defer done()
	if p.getenv("GOGC") == "" && p.getenv("GOMEMLIMIT") == "" { // who sets one has decided otherwise
		go tuneGC(tuning)
	}
	s := &server{dir: dir, store: d.store, standbys: d.standbys, issuers: auth.NewVerifier(auth.VerifierConfig{Issuers: issuers, Log: p.log}), config: p.config, log: p.log,
		observer: observer, metrics: metrics, readiness: readiness{store: d.store, now: time.Now, within: readyTime}}
	if metrics != nil {
		metrics.Watch(d.store.Stats, dir.FeedState, dir.WebhooksState)
	}
	defer s.serveOperators(operators)()
	return s.serve(ctx, listener, d.died())
}

// unlessAsked is no error if the start was broken off by whoever asked the program to end.
func unlessAsked(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// welcome tells a person where the server is and, once in the life of a database, the first administrator's token.
func (p *program) welcome(addr net.Addr, secret string) {
	ip := addr.(*net.TCPAddr).IP
	scheme := "https"
	if p.config.TLSCert == "" {
		scheme = "http"
	}
	if !ip.IsLoopback() && scheme == "http" {
		p.log.Warn("listening beyond this machine without TLS: set -tls-cert and -tls-key, or put a proxy that speaks it in front", "addr", addr.String())
	}
	if t := p.config.AdminToken.Reveal(); strings.TrimSpace(t) != t || strings.ContainsAny(t, "\r\n") {
		p.log.Warn("ROSTER_ADMIN_TOKEN has white space that no Authorization header can carry")
	}
	at := addr.String()
	if ip.IsUnspecified() {
		at = fmt.Sprintf("127.0.0.1:%d", addr.(*net.TCPAddr).Port)
	}
	fmt.Fprintf(p.stdout, "\n  Roster     %s://%s/\n  GraphQL    %[1]s://%[2]s/graphql\n", scheme, at)
	if secret != "" {
		fmt.Fprintf(p.stdout, "  Token      %s\n\n  This is the first administrator's token. Keep it: it is not shown again.\n", secret)
	}
	io.WriteString(p.stdout, "\n")
}

// server answers requests.
type server struct {
	dir      *directory.Service
	store    *db.Store
	standbys *directory.Standbys
	issuers  *auth.Verifier
	config   config.Config
	log      *slog.Logger
	observer *observe.Observer
	metrics  *observe.Metrics // nil: they are not served
	readiness
	draining atomic.Bool
	closing  chan struct{} // closed when draining begins: streams of changes have no end of their own
}

// serve answers until ctx is done or Postgres is gone. It has ended all that it began when it returns.
func (s *server) serve(ctx context.Context, l net.Listener, died <-chan error) error {
	s.closing = make(chan struct{})
	requests, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	sweeping, stopSweeping := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stopSweeping()
	defer cutOff()
	routes, err := s.routes()
	if err != nil {
		return err
	}
	s.standbys.Look(ctx)
	background.Go(func() { s.standbys.Watch(requests) }) // requests are answered after ctx is done
	background.Go(func() { s.dir.Announce(requests) })   // and write
	background.Go(func() { s.sweep(sweeping) })
	background.Go(func() { s.keepLog(sweeping) })
	background.Go(func() { s.dir.DeliverWebhooks(sweeping) })

	h := &http.Server{
		Handler: routes, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return requests }, ConnContext: withGatherer,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- s.listen(h, l) }()
	select {
	case err := <-served:
		return err
	case err := <-died:
		s.log.Error("Postgres ended", "cause", err)
		return errors.Join(err, h.Close())
	case <-ctx.Done():
		s.draining.Store(true)
		s.grace(requests, died)
		s.drain(ctx, h, cutOff)
		return nil
	}
}

// listen speaks HTTP, over TLS if there is a certificate.
func (s *server) listen(h *http.Server, l net.Listener) error {
	if s.config.TLSCert == "" {
		return h.Serve(gathered(l))
	}
	c, err := newCertificate(s.config.TLSCert, s.config.TLSKey, certificateAge, s.log)
	if err != nil {
		return err
	}
	h.TLSConfig = c.config()
	return h.ServeTLS(l, "", "")
}

// drain stops accepting and waits for the requests under way. Those that take too long are cut off.
func (s *server) drain(ctx context.Context, h *http.Server, cutOff func()) {
	close(s.closing)
	s.log.Info("ending: waiting for the requests under way")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		s.log.Warn("requests took too long and are cut off", "cause", err)
		cutOff()
		_ = h.Close()
	}
}

// sweep closes the memberships that have expired, every now and then.
func (s *server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		closed, err := s.dir.SweepExpired(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("expired memberships were not closed", "cause", err)
		case closed > 0:
			s.log.Info("closed expired memberships", "count", closed)
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keepLog makes room in the change log ahead of time, and drops what is older than it is kept; idempotency keys and deleted groups as well.
func (s *server) keepLog(ctx context.Context) {
	tick := time.NewTicker(keepLogEvery)
	defer tick.Stop()
	for {
		dropped, err := s.dir.KeepChanges(ctx, s.config.ChangesRetention)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("the change log was not looked after", "cause", err)
		case dropped > 0:
			s.log.Info("dropped old changes", "partitions", dropped)
		}
		s.forgetAll(ctx, "idempotency keys", s.dir.SweepKeys)
		s.forgetAll(ctx, "deleted groups", s.dir.SweepDeleted)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// forgetAll sweeps until nothing is left that is too old.
func (s *server) forgetAll(ctx context.Context, what string, sweep func(context.Context) (int, error)) {
	for {
		n, err := sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("what is too old was not dropped", "what", what, "cause", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// crossOrigin lets pages of the configured origins call. Without any, browsers keep to the playground.
func (s *server) crossOrigin(next http.Handler) http.Handler {
	if len(s.config.CORSOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: s.config.CORSOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type", "X-Request-Id", "Idempotency-Key", "X-Roster-Cost", auth.ConsistencyHeader, "Traceparent", "Tracestate"},
		ExposedHeaders: []string{"X-Request-Id", "X-Roster-Cost", auth.ConsistencyHeader, "RateLimit", "RateLimit-Policy", "Retry-After", "Traceresponse"},
		MaxAge:         int(preflightAge / time.Second),
	}).Handler(next)
}
