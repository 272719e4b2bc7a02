package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"roster/db"
	"roster/internal/auth"
	"roster/internal/observe"
)

// maxStatement bounds what the log shows of a statement.
const maxStatement = 2_000

// operators is what operations see, on an address of its own: metrics, probes and, if so set, profiles.
func (s *server) operators() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/", http.NotFound)
	if s.config.Pprof { // not pprof.Cmdline: a command line may hold the database's password
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	}
	return mux
}

// serveOperators serves them until stop is called; none if there is no listener.
func (s *server) serveOperators(l net.Listener) (stop func()) {
	if l == nil {
		return func() {}
	}
	h := &http.Server{Handler: s.operators(), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.Serve(l); err != http.ErrServerClosed {
			s.log.Error("metrics are no longer served", "cause", err)
		}
	}()
	return func() {
		_ = h.Close()
		<-done
	}
}

// listenForOperators listens where metrics are to be served; nil if nowhere.
func (p *program) listenForOperators(ctx context.Context) (net.Listener, error) {
	if p.config.MetricsAddr == "" {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.config.MetricsAddr)
	if err != nil {
		return nil, err
	}
	if a := l.Addr().(*net.TCPAddr); p.config.Pprof && !a.IP.IsLoopback() {
		p.log.Warn("profiles are served beyond this machine, to anybody who can reach the address", "addr", a.String())
	}
	p.log.Info("metrics", "url", "http://"+l.Addr().String()+"/metrics")
	return l, nil
}

// observed makes what the program is seen by: metrics if they are to be served, traces if the environment says where to send them, and
// the log of slow statements.
func (p *program) observed(ctx context.Context) (*observe.Observer, *observe.Metrics, *observe.Traces, error) {
	var m *observe.Metrics
	if p.config.MetricsAddr != "" {
		m = observe.NewMetrics(p.config.MetricsOperations)
	}
	traces, err := observe.NewTraces(ctx, p.getenv, p.log)
	if err != nil {
		return nil, nil, nil, err
	}
	o := observe.New(m, traces.Provider())
	p.observer = o
	if slow := p.config.SlowStatement; o != nil || slow > 0 {
		p.onDone = func(ctx context.Context, s db.Statement) {
			if o != nil {
				o.Statement(ctx, s)
			}
			if slow > 0 && s.Took >= slow {
				p.slow(ctx, s)
			}
		}
	}
	return o, m, traces, nil
}

// slow tells of a statement that took long: its text only where values are not in it.
func (p *program) slow(ctx context.Context, s db.Statement) {
	text := ""
	if s.Prepared {
		text = s.Text[:min(len(s.Text), maxStatement)]
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "slow statement",
		slog.String("request_id", auth.RequestIDOf(ctx)),
		slog.String("statement", s.Name()),
		slog.Float64("duration_ms", float64(s.Took.Microseconds())/1000),
		slog.String("failure", s.Failure()),
		slog.String("text", text))
}

// localClient is a client for servers of this machine, whose certificates are for another name. Nothing secret is sent.
func localClient() *http.Client {
	return &http.Client{Timeout: probeTime, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, //nolint:gosec // it asks this machine for a status
	}
}

// grace is how long requests are still taken though the probes say that the server is ending: what sends them here has to notice first.
func (s *server) grace(ctx context.Context, died <-chan error) {
	if s.config.DrainDelay == 0 {
		return
	}
	s.log.Info("ending: readiness fails, requests are still taken", "for", s.config.DrainDelay.String())
	t := time.NewTimer(s.config.DrainDelay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-died: //nolint:errcheck // whoever calls looks at it
	case <-ctx.Done():
	}
}
