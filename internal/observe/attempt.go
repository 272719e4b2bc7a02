package observe

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Why a webhook did not answer, as metrics and traces know it.
const (
	FailureTimeout     = "timeout"
	FailureUnreachable = "unreachable" // no host, no connection, or one that was broken off
	FailureTLS         = "tls"
	FailureRefused     = "address" // it leads to where nothing is sent
)

// Outcomes are what becomes of an attempt to deliver to a webhook: the class of its answer, or why there was none.
var Outcomes = []string{"2xx", "3xx", "4xx", "5xx", FailureTimeout, FailureUnreachable, FailureTLS, FailureRefused}

// attempts makes the metrics of what is sent to webhooks: of all together, for their number and names are their owners' to choose.
func (m *Metrics) attempts() {
	m.sent = newWords(m.counter("roster_webhook_attempts_total",
		"Messages sent to webhooks, by the class of the answer's status, or by why there was none.", "outcome"), Outcomes...)
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "roster_webhook_attempt_seconds", Help: "How long those took, until there was an answer or it was given up.",
		Buckets: requestBuckets})
	m.registry.MustRegister(h)
	m.sentSeconds = h
}

// Attempt is one attempt to deliver a message to a webhook.
type Attempt struct {
	o     *Observer
	began time.Time
	span  trace.Span // nil: it is not traced
}

// Sends begins an attempt. Its span is below what ctx is of: the operation that tests a webhook; or else begins a trace of its own.
func (o *Observer) Sends(ctx context.Context) (context.Context, Attempt) {
	a := Attempt{o: o, began: time.Now()}
	if o.traces() {
		ctx, a.span = o.tracer.Start(ctx, "POST webhook", trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("http.request.method", http.MethodPost)))
	}
	return ctx, a
}

// End ends an attempt: by the status of its answer, or by why there was none. It answers how long it took.
func (a Attempt) End(status int, failure string) time.Duration {
	took := time.Since(a.began)
	outcome := failure
	if failure == "" {
		outcome = strconv.Itoa(status/100) + "xx"
	}
	if a.o != nil && a.o.metrics != nil {
		a.o.metrics.sent.of(outcome).Inc()
		a.o.metrics.sentSeconds.Observe(took.Seconds())
	}
	if a.span == nil {
		return took
	}
	if status != 0 {
		a.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if outcome != "2xx" {
		if failure == "" {
			failure = strconv.Itoa(status)
		}
		a.span.SetAttributes(attribute.String("error.type", failure))
		a.span.SetStatus(codes.Error, "")
	}
	a.span.End()
	return took
}

// Inject has an outgoing request tell which trace it is part of, if any (W3C Trace Context). What others wrote into tracestate is not for whom it goes to.
func Inject(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	h.Del("Tracestate")
}
