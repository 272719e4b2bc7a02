// Package observe is what operations see of Roster: metrics for Prometheus, traces for OpenTelemetry, and what the log says of a request.
//
// Who answers a request finds things out on the way: whose it is, which operation, what became of it. It writes them into the Request that
// travels in the context; what stands around every route (http.go) ends it, and only then it is counted. Nothing here holds what a client
// sent, but for the names of GraphQL operations, which are bounded (operations.go). A nil Observer, and a context without a Request, see nothing.
package observe

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"roster/db"
)

// Observer sees what the server does.
type Observer struct {
	metrics *Metrics     // nil: nobody counts
	tracer  trace.Tracer // nil: nobody traces
}

// New makes an Observer of those that are there; nil, which is one too, of none.
func New(m *Metrics, traces trace.TracerProvider) *Observer {
	if m == nil && traces == nil {
		return nil
	}
	o := &Observer{metrics: m}
	if traces != nil {
		o.tracer = traces.Tracer("roster")
	}
	return o
}

// traceresponse tells a client in which trace its request is (https://w3c.github.io/trace-context/#traceresponse-header).
const traceresponse = "Traceresponse"

// Begin begins the request of that id. Its trace is the client's, if it says one (W3C Trace Context); baggage is not taken.
func (o *Observer) Begin(ctx context.Context, w http.ResponseWriter, hr *http.Request, id string) (context.Context, *Request) {
	r := &Request{o: o, id: id, method: hr.Method}
	if o != nil && o.metrics != nil {
		o.metrics.inFlight.Inc()
	}
	if o != nil && o.tracer != nil {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(hr.Header))
		ctx, r.span = o.tracer.Start(ctx, Method(hr.Method), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", Method(hr.Method))))
		if s := r.span.SpanContext(); s.IsValid() {
			w.Header().Set(traceresponse, "00-"+s.TraceID().String()+"-"+s.SpanID().String()+"-"+s.TraceFlags().String())
		}
	}
	return context.WithValue(ctx, requestKey{}, r), r
}

// Method is the method of a request, of those that HTTP knows; a client may send any word.
func Method(text string) string {
	switch text {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return text
	}
	return "_OTHER"
}

// End ends a request that Begin began, once it has been answered.
func (o *Observer) End(r *Request, status int, took time.Duration) {
	if o == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := o.metrics; m != nil {
		m.inFlight.Dec()
		m.answered(status)
		m.count(r, took)
	}
	if r.span == nil {
		return
	}
	r.endOperation()
	if route := r.where(); route != "" {
		r.span.SetName(Method(r.method) + " " + route)
		r.span.SetAttributes(attribute.String("http.route", route))
	}
	r.span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("roster.request_id", r.id))
	if status >= http.StatusInternalServerError || status == 0 {
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End()
}

// Statement sees a statement that has ended: db.Options has a place for it.
func (o *Observer) Statement(ctx context.Context, s db.Statement) {
	if o.metrics != nil {
		o.metrics.statement(s)
	}
	if o.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() { // what runs by itself, every second, is no trace
		return
	}
	_, span := o.tracer.Start(ctx, s.Name(), trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(s.Began), trace.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", s.Verb()), attribute.String("db.query.summary", s.Name())))
	if table := s.Table(); table != "" {
		span.SetAttributes(attribute.String("db.collection.name", table))
	}
	if failure := s.Failure(); failure != "" {
		span.SetAttributes(attribute.String("error.type", failure))
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(s.Began.Add(s.Took)))
}
