//go:build observed

package faults

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func basicOf(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// collector takes spans by OTLP over HTTP.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string][]*tracepb.Span // by trace
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: map[string][]*tracepb.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent collectorpb.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range sent.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					id := hex.EncodeToString(s.GetTraceId())
					c.spans[id] = append(c.spans[id], s)
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// trace is what came of a trace so far, in the order of time.
func (c *collector) trace(id string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.spans[id])
	slices.SortFunc(all, func(a, b *tracepb.Span) int {
		return int(int64(a.GetStartTimeUnixNano()) - int64(b.GetStartTimeUnixNano()))
	})
	return all
}

const oneTrace, oneParent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// oneTrace sends a request with three operations' work, and holds its trace to what a trace is: HTTP, the operation below it, its statements and the
// message to a webhook below that, each within the time of what it is below. It prints it.
func (l *load) oneTrace(c *collector) {
	l.t.Helper()
	header := with(asAdmin, "Traceparent", "00-"+oneTrace+"-"+oneParent+"-01")
	answer := l.graphql(l.t.Context(), `mutation Told {
		createGroup(input: {name: "traced", members: [{username: "user1"}]}) { group { name members { nodes { user { username } } } } }
		testWebhook(input: {webhook: "`+l.hook+`"}) { delivery { id delivered } } }`, header)
	if !strings.Contains(string(answer), `"delivered":true`) {
		l.t.Fatalf("%s", answer)
	}
	var all []*tracepb.Span
	poll(l.t, "the trace", func() bool {
		all = c.trace(oneTrace)
		return slices.ContainsFunc(all, func(s *tracepb.Span) bool { return hex.EncodeToString(s.GetParentSpanId()) == oneParent })
	})
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Printf("\nThe trace %s\n", oneTrace)
	fmt.Fprintln(w, "BEGINS\tTAKES\t\t")
	lines := l.below(w, all, oneParent, 0, nil)
	w.Flush()
	if len(lines) != len(all) {
		l.t.Errorf("%d of %d spans hang on the request", len(lines), len(all))
	}
	for _, want := range []string{"0 POST /graphql", "1 mutation Told", "2 BEGIN", "2 INSERT groups", "2 COMMIT", "2 POST webhook"} {
		if !slices.Contains(lines, want) {
			l.t.Errorf("the trace has no %q: %q", want, lines)
		}
	}
	told, message := "", ""
	for _, s := range all {
		if s.GetName() == "POST webhook" {
			message = "00-" + oneTrace + "-" + hex.EncodeToString(s.GetSpanId()) + "-01"
		}
	}
	l.traceparent.Range(func(_, v any) bool {
		if told = v.(string); len(told) != 55 {
			l.t.Errorf("a receiver was told the trace %q", told)
		}
		return told != message
	})
	if told != message {
		l.t.Errorf("the receiver was never told %q", message)
	}
}

// below prints the spans below one, and says which there are, each with its depth.
func (l *load) below(w io.Writer, all []*tracepb.Span, parent string, depth int, in *tracepb.Span) (lines []string) {
	for _, s := range all {
		if hex.EncodeToString(s.GetParentSpanId()) != parent {
			continue
		}
		begins := time.Duration(s.GetStartTimeUnixNano() - all[0].GetStartTimeUnixNano())
		takes := time.Duration(s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano())
		fmt.Fprintf(w, "%.2f ms\t%.2f ms\t\t%s%s\n", ms(begins), ms(takes), strings.Repeat("   ", depth), s.GetName())
		const exact = uint64(time.Millisecond) // statements are timed by another clock reading than spans are
		if in != nil && (s.GetStartTimeUnixNano()+exact < in.GetStartTimeUnixNano() || s.GetEndTimeUnixNano() > in.GetEndTimeUnixNano()+exact) {
			l.t.Errorf("%s is not within the time of %s", s.GetName(), in.GetName())
		}
		lines = append(append(lines, fmt.Sprint(depth, " ", s.GetName())), l.below(w, all, hex.EncodeToString(s.GetSpanId()), depth+1, s)...)
	}
	return lines
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
