package graph

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/observe"
)

// observed says which operation a request is for.
func observed(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	return next(operating(ctx, graphql.GetOperationContext(ctx)))
}

func operating(ctx context.Context, op *graphql.OperationContext) context.Context {
	return observe.Of(ctx).Operates(ctx, op.Operation.Name, string(op.Operation.Operation), !auth.CallerOf(ctx).Known())
}

// answered says that an operation is over when there is its answer; a subscription has many.
func answered(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	r := next(ctx)
	if graphql.HasOperationContext(ctx) {
		if op := graphql.GetOperationContext(ctx).Operation; op != nil && op.Operation == ast.Subscription {
			return r
		}
	}
	observe.Of(ctx).Operated()
	return r
}

// failed says that a request failed, or a part of it.
func failed(ctx context.Context, e *directory.Error) {
	limit := e.Limit
	if e.Code == directory.Unavailable && ctx.Err() == context.DeadlineExceeded {
		limit = "time"
	}
	observe.Of(ctx).Fail(e.Code, limit)
}

// failedAs is failed for what the presenter of errors has of one: its code, and the error that it was.
func failedAs(ctx context.Context, code any, message string, de *directory.Error) {
	e := directory.Error{}
	if de != nil {
		e.Limit = de.Limit
	}
	switch code := code.(type) {
	case directory.Code:
		e.Code = code
	case string: // gqlgen's
		e.Code = directory.Code(code)
		if strings.HasPrefix(message, "exceeded token limit") {
			e.Limit = "tokens"
		}
	}
	failed(ctx, &e)
}

// closed says why a subscription that was open has ended.
func (s *streams) closed(ctx context.Context, err error) {
	reason := "client"
	select {
	case <-s.closing:
		reason = "server"
	default:
	}
	if err != nil && ctx.Err() == nil {
		reason = strings.ToLower(string(directory.CodeOf(err)))
	}
	observe.Of(ctx).Closed(reason)
}

// part runs an operation of a socket as a request of its own, with a line in the log.
func (s *streams) part(ctx context.Context, run func(ctx context.Context)) {
	ctx, part := observe.Part(ctx)
	if part == nil {
		run(ctx)
		return
	}
	begin := time.Now()
	defer func() {
		took := time.Since(begin)
		part.EndPart(took)
		caller := ""
		if by := part.Caller.Load(); by != nil {
			caller = auth.NameOf(*by)
		}
		attrs := part.LogAttrs()
		s.log.LogAttrs(ctx, slog.LevelInfo, "operation", append([]slog.Attr{
			slog.String("request_id", auth.RequestIDOf(ctx)),
			slog.String("caller", caller),
			slog.Float64("duration_ms", float64(took.Microseconds())/1000)}, attrs[:]...)...)
	}()
	run(ctx)
}
