package observe

import (
	"context"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"roster/internal/directory"
)

// Request is what has been found out about a request, or about one operation of many that a connection carries. Whoever answers it fills it,
// from several goroutines perhaps. The methods of a nil one do nothing.
type Request struct {
	Caller atomic.Pointer[directory.Caller]

	o      *Observer
	id     string
	method string

	mu         sync.Mutex
	route      *Route
	operation  *operation // of GraphQL
	name       string
	code       string // why it failed; "" if it did not
	credential string
	stream     bool
	span       trace.Span // of the HTTP request; nil: it is not traced
	operated   trace.Span // of the operation
}

type requestKey struct{}

// Of is the request that ctx is of; nil if it is of none.
func Of(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// Part is one operation of a connection that carries many, as a request of its own.
func Part(ctx context.Context) (context.Context, *Request) {
	whole := Of(ctx)
	if whole == nil {
		return ctx, nil
	}
	part := &Request{o: whole.o, id: whole.id}
	return context.WithValue(ctx, requestKey{}, part), part
}

// EndPart ends what Part began.
func (r *Request) EndPart(took time.Duration) {
	if r == nil || r.o == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.o.metrics != nil {
		r.o.metrics.count(r, took)
	}
	r.endOperation()
}

// Routed says that a route of a door answers the request.
func (r *Request) Routed(to *Route) {
	if r != nil {
		r.mu.Lock()
		r.route = to
		r.mu.Unlock()
	}
}

// Route is the route that answers the request; nil if none of a door's does.
func (r *Request) Route() *Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.route
}

// Code is why the request failed; "" if it did not.
func (r *Request) Code() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.code
}

// Operates says which GraphQL operation the request is for; kind is query, mutation or subscription. Names that only strangers send are
// not kept for metrics.
func (r *Request) Operates(ctx context.Context, name, kind string, stranger bool) context.Context {
	if r == nil {
		return ctx
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.name != "" { // it has been said
		return ctx
	}
	r.name, r.stream = kind, kind == "subscription"
	if name = speakable(name); name != "" {
		r.name = kind + " " + name
	}
	if r.o != nil && r.o.metrics != nil {
		r.operation = r.o.metrics.operations.of(name, stranger)
	}
	if !r.o.traces() {
		return ctx
	}
	return r.begun(ctx, r.name, attribute.String("graphql.operation.type", kind), attribute.String("graphql.operation.name", name))
}

// Calls says that a door begins to do what its route is for.
func (r *Request) Calls(ctx context.Context) context.Context {
	if r == nil || !r.o.traces() {
		return ctx
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun(ctx, r.route.door+" "+r.route.Operation, attribute.String("roster.door", r.route.door))
}

// traces reports whether anybody traces.
func (o *Observer) traces() bool { return o != nil && o.tracer != nil }

// begun begins the span of an operation.
func (r *Request) begun(ctx context.Context, name string, attributes ...attribute.KeyValue) context.Context {
	r.endOperation()
	ctx, r.operated = r.o.tracer.Start(ctx, name, trace.WithAttributes(attributes...))
	return ctx
}

// Operated says that the operation is over; what is left is to send its answer.
func (r *Request) Operated() {
	if r != nil && r.o.traces() {
		r.mu.Lock()
		r.endOperation()
		r.mu.Unlock()
	}
}

func (r *Request) endOperation() {
	if r.operated == nil {
		return
	}
	if r.code != "" {
		r.operated.SetAttributes(attribute.String("error.type", codeLabel(r.code)))
		r.operated.SetStatus(codes.Error, "")
	}
	r.operated.End()
	r.operated = nil
}

// Fail says that the request failed, or a part of it: the first code counts. limit is the one that was hit, if one was.
func (r *Request) Fail(code directory.Code, limit string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	if r.code == "" {
		r.code = string(code)
	}
	r.mu.Unlock()
	switch {
	case limit != "":
	case code == directory.LimitExceeded:
		limit = "input"
	case code == directory.TooManyRequests:
		limit = "rate"
	default:
		return
	}
	if r.o != nil && r.o.metrics != nil {
		r.o.metrics.limits.of(limit).Inc()
	}
}

// Identified says by what kind of credential the caller was found.
func (r *Request) Identified(by *directory.Caller) {
	if r == nil {
		return
	}
	r.Caller.Store(by)
	kind := kindOf(by)
	r.mu.Lock()
	r.credential = kind
	r.mu.Unlock()
	if r.o != nil && r.o.metrics != nil {
		r.o.metrics.credentials.of(kind).Inc()
	}
}

// Refused says why a credential was not taken.
func (r *Request) Refused(reason string) {
	if r != nil && r.o != nil && r.o.metrics != nil {
		r.o.metrics.refusals.of(reason).Inc()
	}
}

// Closed says why a subscription has ended.
func (r *Request) Closed(reason string) {
	if r != nil && r.o != nil && r.o.metrics != nil {
		r.o.metrics.closed.of(reason).Inc()
	}
}

// kindOf is the kind of credential that a caller came with.
func kindOf(by *directory.Caller) string {
	switch {
	case by.Token != nil && by.Token.Group != nil:
		return "group_token"
	case by.Token != nil:
		return "user_token"
	case by.User != nil:
		return "issuer"
	}
	return "none"
}

// where is the route of the request, as traces name it.
func (r *Request) where() string {
	switch {
	case r.route != nil:
		return r.route.Pattern
	case r.name != "":
		return "/graphql"
	}
	return ""
}

// LogAttrs are what the log says of a request beyond what HTTP knows; those that there is nothing to say of are left out by every handler.
func (r *Request) LogAttrs() (attrs [6]slog.Attr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.route != nil:
		attrs[0], attrs[1] = slog.String("door", r.route.door), slog.String("operation", r.route.Operation)
		attrs[2] = slog.String("route", r.route.Pattern)
	case r.name != "":
		attrs[0], attrs[1] = slog.String("door", "graphql"), slog.String("operation", r.name)
	}
	if r.code != "" {
		attrs[3] = slog.String("code", codeLabel(r.code))
	}
	if r.credential != "" {
		attrs[4] = slog.String("credential", r.credential)
	}
	if r.span != nil && r.span.SpanContext().IsValid() {
		attrs[5] = slog.String("trace_id", r.span.SpanContext().TraceID().String())
	}
	return attrs
}

// maxName bounds names of operations that are written down.
const maxName = 64

// speakable is a name as it may be written down: not one that is long, or that somebody took for the place of a token.
func speakable(name string) string {
	if len(name) > maxName || directory.HoldsSecret(name) {
		return others
	}
	return name
}

// secrets are what looks like a token of Roster's, or like a JWT.
var secrets = regexp.MustCompile(`rst_[0-9A-Za-z]+|eyJ[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*`)

// Path is a request's path as it may be written down: of bounded length, and without a token that somebody put there.
func Path(path string) string {
	const most = 256
	if len(path) > most {
		path = path[:most] + "…"
	}
	if directory.HoldsSecret(path) {
		path = secrets.ReplaceAllString(path, "…")
	}
	return path
}
