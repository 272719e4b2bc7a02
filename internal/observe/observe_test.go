package observe_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/observe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// all makes every metric that there is have a value.
func all(t *testing.T) *observe.Metrics {
	t.Helper()
	m := observe.NewMetrics(nil)
	m.Watch(func() sql.DBStats { return sql.DBStats{} }, func() directory.FeedState { return directory.FeedState{} },
		func() directory.WebhooksState { return directory.WebhooksState{} })
	o := observe.New(m, nil)
	serve(t, o, func(ctx context.Context, r *observe.Request) {
		r.Operates(ctx, "Groups", "query", false)
		r.Fail(directory.Internal, "")
	})
	serve(t, o, func(_ context.Context, r *observe.Request) {
		r.Routed(o.Route(directory.DoorCDS, "getGroup", "GET", "/group/{name}"))
	})
	o.Statement(t.Context(), db.Statement{Text: "SELECT 1", Err: errors.New("a failure")})
	return m
}

// serve has a request be answered by fn.
func serve(t testing.TB, o *observe.Observer, fn func(ctx context.Context, r *observe.Request)) http.Header {
	t.Helper()
	w := httptest.NewRecorder()
	ctx, r := o.Begin(t.Context(), w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil), "id")
	fn(ctx, r)
	o.End(r, http.StatusOK, time.Millisecond)
	return w.Header()
}

// TestMetricNames holds the names, kinds and labels to a golden file: dashboards and alerts are made of them.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	families, err := all(t).Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "roster_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&b, "%s %s {%s}\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ","))
	}
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

// series are all series but those of Go and of the process, as name{labels}.
func series(t *testing.T, m *observe.Metrics) (out []string) {
	t.Helper()
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			var labels []string
			for _, l := range one.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			if strings.HasPrefix(f.GetName(), "roster_") {
				out = append(out, f.GetName()+"{"+strings.Join(labels, ",")+"}")
			}
		}
	}
	return out
}

// Whoever sends whatever: the number of series is bounded, and what they are called is not for strangers to say.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	secret := "rst_" + strings.Repeat("a", 36)
	for _, row := range []struct {
		name     string
		named    []string
		stranger bool
		names    int // that are told apart
	}{
		{"callers", nil, false, 100},
		{"strangers", nil, true, 0},
		{"configured", []string{"Name7", "Never"}, false, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := observe.NewMetrics(row.named)
			o := observe.New(m, nil)
			for n := range 10_000 {
				serve(t, o, func(ctx context.Context, r *observe.Request) {
					r.Operates(ctx, fmt.Sprintf("Name%d", n), "query", row.stranger)
					r.Fail(directory.Code(fmt.Sprintf("CODE_%d", n)), fmt.Sprintf("limit %d", n))
					r.Refused(fmt.Sprintf("reason %d", n))
					r.Closed(fmt.Sprintf("reason %d", n))
				})
			}
			for _, name := range []string{secret, "query_" + secret, strings.Repeat("x", 65)} {
				serve(t, o, func(ctx context.Context, r *observe.Request) { r.Operates(ctx, name, "query", row.stranger) })
			}
			got := series(t, m)
			operations := 0
			for _, s := range got {
				if strings.HasPrefix(s, "roster_graphql_request_seconds{") && !strings.Contains(s, "(") {
					operations++
				}
				if strings.Contains(s, secret) || strings.Contains(s, strings.Repeat("x", 65)) || strings.Contains(s, "CODE_") || strings.Contains(s, "reason ") {
					t.Errorf("a client made up %s", s)
				}
			}
			if operations != row.names || len(got) > 600 {
				t.Errorf("%d names, %d series", operations, len(got))
			}
		})
	}
}

// Counting a request allocates nothing beyond the Request itself, which the log needs in any case.
func TestNothingIsAllocated(t *testing.T) {
	m := observe.NewMetrics(nil)
	counted, nobody := observe.New(m, nil), (*observe.Observer)(nil)
	route := counted.Route(directory.DoorCDS, "getGroup", "GET", "/group/{name}")
	by := &directory.Caller{User: &directory.CallerUser{UUID: uuid.New()}}
	w, hr := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/graphql", nil)
	allocations := func(o *observe.Observer) float64 {
		return testing.AllocsPerRun(1_000, func() {
			ctx, r := o.Begin(hr.Context(), w, hr, "id")
			observe.Of(ctx).Identified(by)
			_ = observe.Of(ctx).Operates(ctx, "Groups", "query", false)
			observe.Of(ctx).Operated()
			o.End(r, http.StatusOK, time.Millisecond)
			_, r = o.Begin(hr.Context(), w, hr, "id")
			r.Routed(route)
			o.End(r, http.StatusOK, time.Millisecond)
			if o != nil {
				o.Statement(ctx, db.Statement{Text: "SELECT g.id FROM groups g", Prepared: true, Took: time.Millisecond})
			}
		})
	}
	without, with := allocations(nobody), allocations(counted)
	if with != without {
		t.Errorf("counting takes %v allocations; without there are %v", with, without)
	}
}

// A nil Observer and a context without a Request see nothing, and break nothing.
func TestNobodySees(t *testing.T) {
	t.Parallel()
	var nobody *observe.Observer
	if o := observe.New(nil, nil); o != nil {
		t.Error(o)
	}
	serve(t, nobody, func(ctx context.Context, r *observe.Request) {
		if got := r.Operates(ctx, "A", "query", false); got != ctx {
			t.Error("it has another context")
		}
		r.Fail(directory.Internal, "")
		if r.Code() != "INTERNAL" {
			t.Error(r.Code())
		}
	})
	r := observe.Of(t.Context())
	ctx, part := observe.Part(t.Context())
	if r != nil || part != nil || r.Operates(ctx, "A", "query", false) != ctx || r.Calls(ctx) != ctx {
		t.Error("there is something")
	}
	r.Fail(directory.Internal, "")
	r.Identified(&directory.Caller{})
	r.Refused("unknown")
	r.Closed("client")
	r.Routed(nil)
	r.Operated()
	part.EndPart(time.Second)
}

// Traces go on where a client's began, and say in the answer which they are; those that a client does not want sampled are not.
func TestTraceContext(t *testing.T) {
	t.Parallel()
	for header, sampled := range map[string]bool{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": true,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00": false,
	} {
		spans := tracetest.NewInMemoryExporter()
		o := observe.New(nil, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
		w, hr := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "BREW", "/", nil)
		hr.Header.Set("Traceparent", header)
		hr.Header.Set("Baggage", "secret=hush")
		ctx, r := o.Begin(hr.Context(), w, hr, "id")
		out := http.Header{}
		observe.Inject(ctx, out)
		r.Fail(directory.Unavailable, "")
		o.End(r, http.StatusServiceUnavailable, time.Millisecond)
		if got := w.Header().Get("Traceresponse"); !strings.HasPrefix(got, header[:36]) || got != out.Get("Traceparent") || strings.HasPrefix(got, header[:52]) {
			t.Errorf("%s: %s is answered, %s sent on", header, got, out)
		}
		if _, ok := out["Baggage"]; ok {
			t.Error("baggage is sent on")
		}
		got := spans.GetSpans()
		if len(got) > 0 != sampled {
			t.Errorf("%s: %d spans", header, len(got))
		}
		for _, s := range got {
			if s.Name != "_OTHER" || s.Parent.SpanID().String() != "b7ad6b7169203331" || s.Status.Code != codes.Error {
				t.Errorf("%+v", s)
			}
		}
	}
}

// What nobody began is no trace: the statements of sweeps and of the feed, every second.
func TestStatementsAloneAreNoTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	observe.New(nil, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))).Statement(t.Context(), db.Statement{Text: "SELECT 1", Began: time.Now()})
	if got := spans.GetSpans(); len(got) > 0 {
		t.Error(got)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/group/tools": "/group/tools",
		"/group/rst_0123456789abcdefghijABCDEFGHIJ012345/user": "/group/…/user",
		"/x/eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_/y":     "/x/…/y",
		"/" + strings.Repeat("a", 300):                         "/" + strings.Repeat("a", 255) + "…",
	} {
		if got := observe.Path(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// The variables are those of OpenTelemetry; what Roster cannot do is said at the start.
func TestTraceVariables(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, row := range []struct {
		env  map[string]string
		on   bool
		want []string
	}{
		{map[string]string{}, false, nil},
		{map[string]string{endpoint: "http://127.0.0.1:1"}, true, nil},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true, nil},
		{map[string]string{endpoint: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, nil},
		{map[string]string{endpoint: "127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, nil},
		{map[string]string{endpoint: "127.0.0.1:1", "OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, []string{
			`OTEL_TRACES_EXPORTER: "zipkin" is neither otlp nor none`,
			`OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not http/protobuf, which is what Roster speaks`,
			"OTEL_EXPORTER_OTLP_ENDPOINT: it is not of the form http://host:4318"}},
	} {
		getenv := func(name string) string { return row.env[name] }
		if got := observe.CheckTraces(getenv); !slices.Equal(got, row.want) {
			t.Errorf("%v: %q", row.env, got)
		}
		if row.want == nil && row.on != observe.Traced(getenv) {
			t.Errorf("%v: %v", row.env, !row.on)
		}
	}
}
