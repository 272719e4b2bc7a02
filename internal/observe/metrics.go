package observe

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"roster/db"
	"roster/internal/directory"
)

// Buckets of latencies, in seconds.
var (
	requestBuckets   = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	statementBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
)

// Metrics counts for Prometheus. Every label has a bounded number of values, and none that a client made up but the names of operations.
type Metrics struct {
	registry *prometheus.Registry

	inFlight   prometheus.Gauge
	responses  [6]prometheus.Counter // by the first digit of the status
	operations *operations

	graphqlSeconds *prometheus.HistogramVec
	graphqlTotal   *prometheus.CounterVec
	doorSeconds    *prometheus.HistogramVec
	doorTotal      *prometheus.CounterVec

	credentials, refusals, limits, closed words

	statementSeconds map[string]prometheus.Observer
	statementOther   prometheus.Observer
	statementErrors  *prometheus.CounterVec

	sent        words
	sentSeconds prometheus.Observer
}

// NewMetrics makes metrics that tell GraphQL operations apart by those names; by the first that come if none are given.
func NewMetrics(operations []string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{Name: "roster_http_requests_in_flight", Help: "Requests under way, streams included."})
	m.registry.MustRegister(m.inFlight)
	byStatus := m.counter("roster_http_responses_total", "Answers by the class of their status; 0xx were broken off before one.", "status")
	for class := range m.responses {
		m.responses[class] = byStatus.WithLabelValues(strconv.Itoa(class) + "xx")
	}
	m.graphqlSeconds = m.histogram("roster_graphql_request_seconds", "How long GraphQL requests took, from the first byte to the last; without streams.", requestBuckets, "operation")
	m.graphqlTotal = m.counter("roster_graphql_requests_total", "GraphQL operations by name and by the first code of their errors; OK has none.", "operation", "code")
	m.doorSeconds = m.histogram("roster_door_request_seconds", "How long requests to the legacy APIs took.", requestBuckets, "door", "method", "route")
	m.doorTotal = m.counter("roster_door_requests_total", "Requests to the legacy APIs by route and by the code of what went wrong; OK is nothing.", "door", "method", "route", "code")
	m.operations = m.configured(operations)
	m.words()
	m.statements()
	m.attempts()
	return m
}

// words makes the counters whose one label has values that are known.
func (m *Metrics) words() {
	m.credentials = newWords(m.counter("roster_credentials_total", "Credentials that were taken, by their kind.", "kind"), "user_token", "group_token", "issuer", "none")
	m.refusals = newWords(m.counter("roster_credentials_refused_total", "Credentials that were not taken, by why.", "reason"), Reasons...)
	m.limits = newWords(m.counter("roster_limits_hit_total", "Requests, or parts of one, that hit a limit.", "limit"), Limits...)
	reasons := []string{"client", "server"}
	for _, code := range directory.Codes {
		reasons = append(reasons, lower(code))
	}
	m.closed = newWords(m.counter("roster_streams_closed_total", "Subscriptions that ended, by why: the client or the server ended it, or an error's code.", "reason"), reasons...)
}

// statements makes the metrics of what goes to Postgres.
func (m *Metrics) statements() {
	v := m.histogram("roster_db_statement_seconds", "How long statements took until their answer was read, by the word that they begin with.", statementBuckets, "verb")
	m.statementSeconds = map[string]prometheus.Observer{}
	for _, verb := range db.Verbs() {
		m.statementSeconds[verb] = v.WithLabelValues(verb)
	}
	m.statementOther = v.WithLabelValues("OTHER")
	m.statementErrors = m.counter("roster_db_statement_errors_total", "Statements that failed, by SQLSTATE, or timeout, unavailable and other where Postgres did not answer.", "state")
}

// Limits are the names of limits as metrics know them; docs/limits.md says what each is.
var Limits = []string{"backlog", "body", "cost", "depth", "fields", "aliases", "document", "tokens", "introspection", "points", "failures", "streams",
	"socket", "time", "page", "filter", "input", "rate"}

// Reasons are why credentials are refused.
var Reasons = []string{"missing", "unknown", "expired", "revoked", "issuer", "failures", "unavailable"}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Gatherer is for tests.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// operation resolves the series of a GraphQL operation.
func (m *Metrics) operation(name string) *operation {
	return &operation{m.graphqlSeconds.WithLabelValues(name), m.graphqlTotal.WithLabelValues(name, ok),
		func(code string) prometheus.Counter { return m.graphqlTotal.WithLabelValues(name, code) }}
}

// Route is a route of a door.
type Route struct {
	Operation, Method, Pattern string

	door   string
	series *operation // nil: nobody counts
}

// Route resolves the series of a door's route. Where no route matched, method and pattern are empty.
func (o *Observer) Route(door directory.Door, does, method, pattern string) *Route {
	r := &Route{Operation: does, Method: method, Pattern: pattern, door: lower(door)}
	if o != nil && o.metrics != nil {
		of := []string{r.door, method, pattern}
		r.series = &operation{o.metrics.doorSeconds.WithLabelValues(of...), o.metrics.doorTotal.WithLabelValues(append(of, ok)...),
			func(code string) prometheus.Counter {
				return o.metrics.doorTotal.WithLabelValues(r.door, method, pattern, code)
			}}
	}
	return r
}

// count counts a request that is over.
func (m *Metrics) count(r *Request, took time.Duration) {
	series := r.operation
	switch {
	case r.route != nil:
		series = r.route.series
	case series == nil && r.code != "":
		series = m.operations.unparsed
	case series == nil:
		return
	}
	if r.code == "" {
		series.ok.Inc()
	} else {
		series.failed(codeLabel(r.code)).Inc()
	}
	if !r.stream {
		series.seconds.Observe(took.Seconds())
	}
}

func (m *Metrics) answered(status int) {
	if class := status / 100; class < len(m.responses) {
		m.responses[class].Inc()
	}
}

// statement counts a statement.
func (m *Metrics) statement(s db.Statement) {
	seconds, ok := m.statementSeconds[s.Verb()]
	if !ok {
		seconds = m.statementOther
	}
	seconds.Observe(s.Took.Seconds())
	if failure := s.Failure(); failure != "" {
		m.statementErrors.WithLabelValues(failure).Inc()
	}
}

// ok is the code of what went well.
const ok = "OK"

// lower is how labels spell what the directory spells in capitals.
func lower[T ~string](text T) string { return strings.ToLower(string(text)) }

// codesOf are all codes that answers have.
var codesOf = func() map[string]bool {
	all := map[string]bool{errcode.ParseFailed: true, errcode.ValidationFailed: true, "PERSISTED_QUERY_NOT_FOUND": true}
	for _, c := range directory.Codes {
		all[string(c)] = true
	}
	return all
}()

// codeLabel is a code as a label; OTHER for one that nobody knows.
func codeLabel(code string) string {
	if codesOf[code] {
		return code
	}
	return "OTHER"
}
