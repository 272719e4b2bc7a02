package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"roster/db"
	"roster/internal/config"
	"roster/internal/observe"
	"roster/internal/rostertest"
)

// seenServer is every route on a directory of the test's own, seen by an observer.
func seenServer(t testing.TB, o *observe.Observer) http.Handler {
	t.Helper()
	options := db.Options{}
	if o != nil {
		options.OnDone = o.Statement
	}
	store := rostertest.Store(t, options)
	s := &server{dir: rostertest.DirectoryOn(t, store), store: store, log: slog.New(slog.DiscardHandler), observer: o, closing: make(chan struct{}),
		config:    config.Config{MaxCost: 250_000, Timeout: patience, StreamsPerCaller: 10, Streams: 10, Introspection: "on", AdHoc: "on"},
		readiness: readiness{store: store, now: time.Now, within: readyTime}}
	routes, err := s.routes()
	if err != nil {
		t.Fatal(err)
	}
	return routes
}

const clientTrace, clientSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// traced sends a request that is part of a client's trace, and tells the spans: each with what it is below, and how it ended.
func traced(t *testing.T, routes http.Handler, spans *tracetest.InMemoryExporter, method, path, secret, body string) (answer string, tree []string) {
	t.Helper()
	spans.Reset()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for name, value := range map[string]string{"Authorization": "Bearer " + secret, "Content-Type": "application/json", "X-Request-Id": "test",
		"Traceparent": "00-" + clientTrace + "-" + clientSpan + "-01"} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	if got := w.Header().Get("Traceresponse"); !strings.HasPrefix(got, "00-"+clientTrace+"-") {
		t.Errorf("the answer says it is of the trace %q", got)
	}
	all := spans.GetSpans()
	names := map[string]string{clientSpan: "client"}
	for _, s := range all {
		names[s.SpanContext.SpanID().String()] = s.Name
	}
	slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	for _, s := range all {
		if s.SpanContext.TraceID().String() != clientTrace {
			t.Errorf("%s is of another trace", s.Name)
		}
		if s.EndTime.Before(s.StartTime) {
			t.Errorf("%s ends before it begins", s.Name)
		}
		failed := ""
		if s.Status.Code == codes.Error {
			failed = " failed"
		}
		tree = append(tree, names[s.Parent.SpanID().String()]+" > "+s.Name+failed)
	}
	return w.Body.String(), tree
}

// A request is one trace, which begins where the client's is: HTTP, the operation, its statements; what failed is marked, and nothing of what
// was sent is in it.
func TestTraces(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	routes := seenServer(t, observe.New(nil, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	var all strings.Builder
	for _, row := range []struct {
		method, path, secret, body, answer string
		want                               []string
	}{
		{"POST", "/graphql", rostertest.AdminSecret, `{"query": "query Roles { viewer { roles } groups { totalCount } }"}`, `"ADMINISTRATOR"`, []string{
			"client > POST /graphql", "POST /graphql > SELECT tokens", "POST /graphql > UPDATE tokens", "POST /graphql > query Roles", "query Roles > SELECT totals"}},
		{"POST", "/graphql", rostertest.AdminSecret, `{"query": "mutation { createGroup(input: {name: \"hush\", description: \"hush\"}) { group { id } } }"}`, `"id"`, nil},
		{"POST", "/graphql", rostertest.AdminSecret, `{"query": "mutation Twice($n: String!) { createGroup(input: {name: $n}) { group { id } } }", "variables": {"n": "hush"}}`, `"CONFLICT"`, nil},
		{"POST", "/graphql", "hush of some twenty characters", `{"query": "{ viewer { roles } }"}`, `"UNAUTHENTICATED"`, []string{
			"client > POST", "POST > SELECT tokens"}},
		{"GET", "/group/hush?hush=hush", rostertest.AdminSecret, "", `"hush"`, nil},
		{"PUT", "/group/hush", rostertest.AdminSecret, `{"hush`, `wrong`, []string{"client > PUT /group/{name}", "PUT /group/{name} > cds updateGroup failed", "cds updateGroup > SELECT groups"}},
		{"GET", "/readyz", "", "", `"ok"`, nil},
	} {
		answer, tree := traced(t, routes, spans, row.method, row.path, row.secret, row.body)
		if !strings.Contains(strings.ToLower(answer), strings.ToLower(row.answer)) {
			t.Errorf("%s: %s", row.body, answer)
		}
		if row.want != nil {
			if d := cmp.Diff(row.want, tree); d != "" {
				t.Errorf("%s %s %s", row.path, row.body, d)
			}
		}
		fmt.Fprintln(&all, tree)
		for _, s := range spans.GetSpans() {
			fmt.Fprintf(&all, "%+v %+v %+v %s\n", s.Name, s.Attributes, s.Events, s.Status.Description)
		}
	}
	for _, want := range []string{"BEGIN", "COMMIT", "ROLLBACK", "INSERT groups failed", "mutation Twice failed", "mutation > ", "cds getGroup > SELECT groups"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no span is %q", want)
		}
	}
	for _, secret := range []string{"hush", rostertest.AdminSecret} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q is in a span", secret)
		}
	}
	if t.Failed() {
		t.Log(all.String())
	}
}

// The program sends its spans where the standard variables say, as they say, and the last ones before it ends.
func TestTracesAreSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var sent strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&sent, "%s %s %s %s\n", r.Method, r.URL.Path, r.Header.Get("X-Key"), b)
	}))
	defer collector.Close()
	r := startProcess(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL,
		"OTEL_SERVICE_NAME": "the-roster-of-tests", "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=key"})
	r.query(t, adminToken, `query Roles { viewer { roles } }`, `ADMINISTRATOR`)
	r.end()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"POST /v1/traces key ", "query Roles", "SELECT tokens", "the-roster-of-tests"} {
		if !strings.Contains(sent.String(), want) {
			t.Errorf("%q was not sent", want)
		}
	}
	if strings.Contains(sent.String(), adminToken) {
		t.Error("the token was sent")
	}
	wrong := settings{"ROSTER_DATA": t.TempDir(), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}.run(t, "", "serve")
	if wrong.code != 2 || !strings.Contains(wrong.stderr, "OTEL_EXPORTER_OTLP_PROTOCOL: ") {
		t.Errorf("%+v", wrong)
	}
}

// processor is how long this process has had a processor: steadier than time, where others use the machine.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHandler is what being seen costs a request.
func BenchmarkHandler(b *testing.B) {
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	always := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	for _, row := range []struct {
		name string
		o    *observe.Observer
	}{
		{"unseen", nil},
		{"metrics", observe.New(observe.NewMetrics(nil), nil)},
		{"metrics and traces, not sampled", observe.New(observe.NewMetrics(nil), never)},
		{"metrics and traces", observe.New(observe.NewMetrics(nil), always)},
	} {
		b.Run(row.name, func(b *testing.B) {
			routes := seenServer(b, row.o)
			const body = `{"query": "query Types { __typename }"}`
			b.ReportAllocs()
			before := processor(b)
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				routes.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(processor(b)-before)/float64(b.N), "processor-ns/op")
		})
	}
}
