package graph_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// api is a GraphQL server on a database of the test's own.
type api struct {
	*httptest.Server
	dir   *directory.Service
	token string  // the first administrator's
	sql   *sql.DB // beside the directory, for what only a test may do
}

// patience is how long a statement and an operation may take in tests that are not about that: as long as the busiest machine needs.
const patience = time.Minute

func patiently(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("read_timeout", patience.String())
	u.RawQuery = q.Encode()
	return u.String()
}

// newAPI serves a directory with nobody in it but its first administrator.
func newAPI(t testing.TB, o db.Options) *api {
	t.Helper()
	return serveAPI(t, rostertest.URL(t), o)
}

func serveAPI(t testing.TB, address string, o db.Options) *api {
	t.Helper()
	o.URL = address
	o.StatementTimeout = cmp.Or(o.StatementTimeout, patience)
	store, err := db.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	beside, err := sql.Open("pg", patiently(t, address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close() })
	dir := rostertest.DirectoryOn(t, store)
	limits := graph.Defaults()
	limits.Timeout = patience
	h := graph.NewHandler(graph.HandlerConfig{Directory: dir, Log: slog.New(slog.DiscardHandler), Introspection: graph.Everybody, Limits: limits})
	srv := httptest.NewServer(auth.RequestIDs(h))
	t.Cleanup(srv.Close)
	return &api{Server: srv, dir: dir, token: rostertest.AdminSecret, sql: beside}
}

// post sends an operation and answers the status and the body.
func (a *api) post(t testing.TB, token, query string, variables any) (int, []byte) {
	t.Helper()
	return a.send(t, token, map[string]any{"query": query, "variables": variables})
}

func (a *api) send(t testing.TB, token string, body any) (int, []byte) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return a.do(t, req)
}

func (a *api) do(t testing.TB, req *http.Request) (int, []byte) {
	t.Helper()
	req.Header.Set("X-Request-Id", "test")
	res, err := a.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// answer is the body of an answer, as far as tests look into it.
type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct {
			Code, Field, RequestID string
			Version                int
		}
	}
}

// ask sends an operation that has to succeed, and answers its data.
func (a *api) ask(t testing.TB, token, query string, variables any) map[string]any {
	t.Helper()
	got := a.try(t, token, query, variables)
	if len(got.Errors) > 0 {
		t.Fatalf("%s\nfailed: %+v", query, got.Errors)
	}
	return got.Data
}

func (a *api) try(t testing.TB, token, query string, variables any) answer {
	t.Helper()
	_, body := a.post(t, token, query, variables)
	var got answer
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return got
}

// dig follows names and indexes into an answer.
func dig(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no %q in %v", p, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("no %d in %v", p, v)
			}
			v = l[p]
		}
	}
	return v
}

func (a *api) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	if _, err := a.sql.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

// dump is everything in the database, but for when tokens were last used, which any request may write.
func (a *api) dump(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"settings", "totals", "users", "groups", "members", "admins", "tokens", "changes", "actions", "worker_models", "webhooks", "webhook_deliveries"} {
		var rows string
		err := a.sql.QueryRowContext(t.Context(), `SELECT coalesce(string_agg(r::text, E'\n' ORDER BY r::text), '')
			FROM (SELECT to_jsonb(t) - 'last_used_at' r FROM `+table+` t) x`).Scan(&rows)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(table + "\n" + rows + "\n")
	}
	return b.String()
}

// settle waits until the feed shows every change there is: a transaction anywhere in the server may hold it back.
func (a *api) settle(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		var settled bool
		err := a.sql.QueryRowContext(ctx, `SELECT coalesce(max(tx::text::bigint), 0) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM changes`).Scan(&settled)
		if err != nil {
			t.Fatal(err)
		}
		if settled {
			tick.Stop()
			return
		}
		<-tick.C
	}
}

// tell delivers to webhooks until each was told all that there is, or is not to be told.
func (a *api) tell(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.dir.DeliverWebhooks(ctx)
	}()
	defer func() { stop(); <-ended }()
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		var told bool
		err := a.sql.QueryRowContext(limited, `SELECT NOT EXISTS (SELECT 1 FROM webhooks w WHERE lease IS NOT NULL OR enabled AND state = 'ACTIVE'
			AND EXISTS (SELECT 1 FROM changes c WHERE (c.tx, c.seq) > (w.tx, w.seq)))`).Scan(&told)
		if err != nil {
			t.Fatal(err)
		}
		if told {
			tick.Stop()
			return
		}
		<-tick.C
	}
}
