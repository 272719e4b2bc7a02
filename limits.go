package main

import (
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"roster/graph"
	"roster/internal/auth"
	"roster/internal/config"
	"roster/internal/directory"
	"roster/internal/limit"
)

// checkFiles reads the files that settings name, and says what is wrong with them.
func checkFiles(c config.Config) []string {
	_, problems := readDocuments(c)
	if c.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			problems = append(problems, "ROSTER_TLS_CERT, ROSTER_TLS_KEY: "+err.Error())
		}
	}
	return problems
}

// readDocuments reads the documents that requests may name; none if there is no file of them.
func readDocuments(c config.Config) (graph.Documents, []string) {
	if c.Documents == "" {
		return nil, nil
	}
	file, err := os.Open(c.Documents)
	if err != nil {
		return nil, []string{"ROSTER_DOCUMENTS: " + err.Error()}
	}
	defer file.Close()
	docs, problems := graph.ReadDocuments(file, limits(c))
	for i := range problems {
		problems[i] = "ROSTER_DOCUMENTS: " + problems[i]
	}
	return docs, problems
}

func limits(c config.Config) graph.Limits {
	l := graph.Defaults()
	l.Cost, l.Timeout = c.MaxCost, c.Timeout
	return l
}

// graphql is the API, with the settings' limits.
func (s *server) graphql(budget *limit.Budget) (http.Handler, error) {
	docs, problems := readDocuments(s.config)
	if problems != nil {
		return nil, errors.New(strings.Join(problems, "\n"))
	}
	return s.crossOrigin(graph.NewHandler(graph.HandlerConfig{
		Directory: s.dir, Issuers: s.issuers, Log: s.log, Introspection: graph.Audience(s.config.Introspection), Limits: limits(s.config), Budget: budget,
		Documents: docs, AdHoc: graph.Audience(s.config.AdHoc), Origins: s.config.CORSOrigins, Closing: s.closing,
		Admit: admission(limit.NewSlots(s.config.StreamsPerCaller, s.config.Streams)),
	})), nil
}

// admission lets in as many subscriptions as there are slots.
func admission(slots *limit.Slots) func(directory.Caller) (func(), error) {
	return func(by directory.Caller) (func(), error) {
		release, ok := slots.Take(by)
		if !ok {
			return nil, &directory.Error{Code: directory.TooManyRequests, Limit: "streams", Message: "Too many subscriptions are open at once. End some, or try again later."}
		}
		return release, nil
	}
}

// budget is what callers may spend, in GraphQL and the doors together.
func (s *server) budget() *limit.Budget { return limit.NewBudget(s.config.PointsPerMinute, time.Now) }

// hardening is the same for every answer, and so are the values themselves: whoever wants others sets, and nobody appends.
var hardening = []struct {
	name  string
	value []string
}{
	{"Cache-Control", []string{"no-store"}}, // credentials stand in headers that shared caches do not know; what may be kept says so itself
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
}

// guard bounds what addresses may get wrong.
func (s *server) guard() *auth.Guard {
	return &auth.Guard{Failures: limit.NewFailures(s.config.FailuresPerMinute, time.Now), Proxies: config.Networks(s.config.TrustedProxies), Log: s.log}
}

// hardened tells browsers not to guess types, not to frame anything, not to say where they come from, and to run nothing of what
// comes from here; the pages have a policy of their own in its place.
func (s *server) hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, always := range hardening {
			h[always.name] = always.value
		}
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
