package graph

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
)

// Limits on a request. Each is far above what a frontend asks and far below what hurts; docs/limits.md says why. What the directory
// bounds (pages, filters, lists in inputs) it bounds for every door.
type Limits struct {
	Cost     int // points of an operation
	Depth    int // of selections; a page's edges { node { … } } are two
	Fields   int // selected, after fragments are spread
	Aliases  int // likewise: each can ask for the same again
	Document int // bytes: caches hold documents
	Timeout  time.Duration
}

const (
	maxBody   = 8 << 20 // a bulk of 10,000 users in variables is about 1 MiB
	maxTokens = 4_000   // of a document: the parser and the executor are quadratic in repeated fields
)

// Defaults are the limits that hold unless a setting says otherwise.
func Defaults() Limits {
	return Limits{Cost: 250_000, Depth: 15, Fields: 1_000, Aliases: 100, Document: 64 << 10, Timeout: 10 * time.Second}
}

// Audience says for whom something is.
type Audience string

// The audiences.
const (
	Nobody         Audience = "off"
	Administrators Audience = "administrators"
	Everybody      Audience = "on"
)

// has compares what is remembered of the caller before it believes it: what hangs on it may run no call of the directory that would.
func (a Audience) has(ctx context.Context) bool {
	if a != Administrators {
		return a == Everybody
	}
	by, err := auth.Do(ctx, func(by directory.Caller) (directory.Caller, error) { return by, nil })
	return err == nil && slices.Contains(by.Roles, directory.RoleAdministrator)
}

// costHeader tells what an operation cost; in a request it asks to be told in the answer's extensions as well.
const costHeader = "X-Roster-Cost"

// request is what limits and writes have to know of the HTTP request that an operation came with.
type request struct {
	head       http.Header // of the answer; nil if it is written before the operation is known
	status     int         // of the answer; 0: the transport's own choice
	tells      bool        // the cost in extensions
	documentID string
	key        string // Idempotency-Key; "" for none

	data *bytes.Buffer // of the answer, if it is one that is sent whole: it goes back to where it came from
}

// buffer is for the data of the answer.
func (r *request) buffer() *bytes.Buffer {
	if r.head == nil { // one of many: who sends it does not give it back
		return new(bytes.Buffer)
	}
	r.data = bodies.Get().(*bytes.Buffer)
	return r.data
}

// sent gives that back.
func (r *request) sent() {
	if r.data != nil {
		putBody(r.data)
		r.data = nil
	}
}

type requestKey struct{}

// withRequest is ctx with what limits and writes have to know of the request. It fails if that is not understood.
func (c *HandlerConfig) withRequest(ctx context.Context, w http.ResponseWriter, r *http.Request) (_ context.Context, err error) {
	is := &request{tells: c.Budget != nil || r.Header.Get(costHeader) != ""}
	if r.Header.Get("Upgrade") == "" && !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		is.head = w.Header()
	}
	if !wantsSocket(r) { // whose header would stand for all that is sent over it
		is.key, err = auth.IdempotencyKey(r.Header)
	}
	if err == nil {
		err = auth.Sight(ctx)
	}
	return context.WithValue(ctx, requestKey{}, is), err
}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// limited measures an operation, takes what it costs from the caller's budget, and tells both.
func (c *HandlerConfig) limited(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op, r := graphql.GetOperationContext(ctx), requestOf(ctx)
	cost, err := c.measure(ctx, op)
	if err != nil {
		return refusal(ctx, err)
	}
	state, paid := c.Budget.Spend(auth.CallerOf(ctx), cost-1) // the first point was the request's
	if r.head != nil {
		r.head.Set(costHeader, strconv.Itoa(cost))
		state.Header(r.head)
	}
	if !paid {
		if r.head != nil {
			r.status = http.StatusTooManyRequests
		}
		return refusal(ctx, state.Refusal())
	}
	answer := next(ctx)
	if !r.tells || op.Operation.Operation == ast.Subscription {
		return answer
	}
	return func(ctx context.Context) *graphql.Response {
		res := answer(ctx)
		if res != nil {
			if res.Extensions == nil {
				res.Extensions = map[string]any{}
			}
			res.Extensions["cost"] = c.told(cost, state)
		}
		return res
	}
}

// measure is what an operation costs, unless it is refused for what it asks.
func (c *HandlerConfig) measure(ctx context.Context, op *graphql.OperationContext) (int, error) {
	m := measure{Limits: c.Limits, vars: op.Variables}
	cost := m.operation(op.Operation)
	switch {
	case m.refused != nil:
		return 0, m.refused
	case m.introspects > 0 && !c.Introspection.has(ctx):
		return 0, &directory.Error{Code: directory.Forbidden, Message: "The schema is not for you to read here."}
	case cost > int64(c.Limits.Cost):
		return 0, &directory.Error{Code: directory.LimitExceeded, Limit: "cost",
			Message: fmt.Sprintf("This would cost %d points, and an operation at most %d. Ask for smaller pages, or for less below them.", cost, c.Limits.Cost)}
	}
	return int(cost), nil
}

// cost is what extensions.cost tells.
type cost struct {
	Requested int        `json:"requested"`
	Maximum   int        `json:"maximum"`
	Budget    *remaining `json:"budget,omitempty"`
}

type remaining struct {
	Limit        int `json:"limit"`
	Remaining    int `json:"remaining"`
	ResetSeconds int `json:"resetSeconds"`
}

func (c *HandlerConfig) told(points int, s limit.State) cost {
	told := cost{Requested: points, Maximum: c.Limits.Cost}
	if s.Limit > 0 {
		told.Budget = &remaining{s.Limit, s.Remaining, limit.Seconds(s.Full)}
	}
	return told
}

// refusal answers an operation that does not run.
func refusal(ctx context.Context, err error) graphql.ResponseHandler {
	e := directory.AsError(err)
	failed(ctx, e)
	return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{{Message: e.Message,
		Extensions: map[string]any{"code": e.Code, "requestId": auth.RequestIDOf(ctx)}}}})
}

// schemaFor lets the executor show the schema; limited has refused by then whoever it is not for.
type schemaFor struct{ Audience }

func (schemaFor) ExtensionName() string                   { return "Introspection" }
func (schemaFor) Validate(graphql.ExecutableSchema) error { return nil }

func (s schemaFor) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = !s.has(ctx)
	return nil
}

// unsuggestive is present for those who may not read the schema: gqlparser's word on a document without the names that, it says, might
// have been meant.
func (c *HandlerConfig) unsuggestive(present graphql.ErrorPresenterFunc) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		out := present(ctx, err)
		if out.Extensions["code"] == errcode.ValidationFailed && !c.Introspection.has(ctx) {
			out.Message, _, _ = strings.Cut(out.Message, " Did you mean ")
		}
		return out
	}
}

// foreign reports whether a page of another origin wants to upgrade the connection: CORS does not hold for upgrades, so that the server
// has to look. Programs that are no browsers send no Origin.
func (c *HandlerConfig) foreign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if r.Header.Get("Upgrade") == "" || origin == "" || slices.Contains(c.Origins, origin) {
		return false
	}
	_, host, _ := strings.Cut(origin, "://")
	return !strings.EqualFold(host, r.Host)
}
