package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"roster/internal/auth"
	"roster/internal/directory"
)

// present turns every error into what a client sees: a sentence for a person, and in extensions the code, the input field and
// the request id. What is not the directory's own, nor gqlgen's word on the document, is INTERNAL, and its cause goes to the log.
func present(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		requestID := auth.RequestIDOf(ctx)
		out := &gqlerror.Error{Path: graphql.GetPath(ctx), Extensions: map[string]any{}}
		var ge *gqlerror.Error
		if errors.As(err, &ge) {
			if ge.Path != nil {
				out.Path = ge.Path
			}
			out.Locations = ge.Locations
		}
		var bad *badInput
		var de *directory.Error
		switch {
		case errors.As(err, &bad):
			out.Message = bad.message
			out.Extensions["code"] = directory.Invalid
			if field := fieldOf(out.Path); field != "" {
				out.Extensions["field"] = field
			}
		case !errors.As(err, &de) && ge != nil && ge.Extensions["code"] != nil:
			out.Message, out.Extensions["code"] = ge.Message, ge.Extensions["code"]
		case ge != nil && ge.Unwrap() == nil && !graphql.HasOperationContext(ctx):
			out.Message, out.Extensions["code"] = notGraphQL, directory.Invalid
		default:
			e := directory.AsError(err)
			out.Message, out.Extensions["code"] = e.Message, e.Code
			if e.Field != "" {
				out.Extensions["field"] = e.Field
			}
			if e.Cursor != "" {
				out.Extensions["cursor"] = e.Cursor
			}
			if e.Version != 0 {
				out.Extensions["version"] = e.Version
			}
			if e.Code == directory.Internal || e.Code == directory.Unavailable {
				log.ErrorContext(ctx, "request failed", "request_id", requestID, "code", e.Code, "path", out.Path.String(), "cause", e.Cause)
			}
		}
		failedAs(ctx, out.Extensions["code"], out.Message, de)
		code, _ := out.Extensions["code"].(directory.Code)
		auth.RecordDenial(ctx, log, callerOf(ctx), &directory.Error{Code: code, Message: out.Message, Denial: directory.Reason(err)})
		out.Extensions["requestId"] = requestID
		return out
	}
}

// busy says when to try again, if a part of the answer is not there because the database was away or too slow.
func busy(head http.Header, errs gqlerror.List) {
	if slices.ContainsFunc(errs, func(e *gqlerror.Error) bool { return e.Extensions["code"] == directory.Unavailable }) {
		head.Set("Retry-After", directory.RetryAfter)
	}
}

// callerOf is the caller as the log names it: by this door, also where there is none.
func callerOf(ctx context.Context) directory.Caller {
	by := auth.CallerOf(ctx)
	by.Via = directory.DoorGraphQL
	return by
}

const notGraphQL = "The body is not a GraphQL request in JSON."

// recovered turns a panic into INTERNAL.
func recovered(_ context.Context, p any) error { return fmt.Errorf("panic: %v", p) }

// badInput is a scalar that does not parse.
type badInput struct{ message string }

func (b *badInput) Error() string { return b.message }

// fieldOf is the input field of an error's path: what follows the names of the fields that lead to the argument.
func fieldOf(path ast.Path) string {
	field := ""
	for i, e := range path {
		if i == 0 {
			continue // the root field
		}
		switch e := e.(type) {
		case ast.PathName:
			if field != "" {
				field += "."
			}
			field += string(e)
		case ast.PathIndex:
			field += "[" + strconv.Itoa(int(e)) + "]"
		}
	}
	return field
}
