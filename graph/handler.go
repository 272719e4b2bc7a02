// Package graph is the GraphQL door: it plans what a request selects (plan.go), calls the directory (schema.resolvers.go), and
// turns its errors into GraphQL's (errors.go). gqlgen parses, validates, coerces and executes.
package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"roster/internal/auth"
	"roster/internal/directory"
)

// Limits on a request. Each is far above what a frontend asks and far below what hurts.
const (
	maxBody       = 8 << 20 // a bulk of 10,000 users in variables is about 1 MiB
	maxTokens     = 4_000   // of a document: the parser and the executor are quadratic in repeated fields
	maxDepth      = 15      // of selections; a page's edges { node { … } } are two
	maxSpreads    = 1_000   // selections after fragments are spread
	cachedQueries = 1_000
	deadline      = 10 * time.Second
)

// HandlerConfig is what the handler is made of.
type HandlerConfig struct {
	Directory     *directory.Service
	Issuers       *auth.Verifier // nil: only Roster's own tokens are taken
	Log           *slog.Logger
	Introspection bool

	executor bool // leave all rendering to gqlgen's executor: what the renderer is tested against
}

// NewHandler serves GraphQL over HTTP: POST with application/json, and GET for queries alone.
func NewHandler(c HandlerConfig) http.Handler {
	srv := handler.New(NewExecutableSchema(Config{Resolvers: &Resolver{dir: c.Directory}}))
	srv.AddTransport(transport.Options{})
	srv.AddTransport(overHTTP{})
	srv.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	srv.SetParserTokenLimit(maxTokens)
	srv.SetErrorPresenter(present(c.Log))
	srv.SetRecoverFunc(recovered)
	srv.AroundOperations(limitShape)
	if !c.executor {
		srv.AroundFields(rendered)
	}
	if c.Introspection {
		srv.Use(extension.Introspection{})
	}
	return authenticated(c, srv)
}

// authenticated finds the caller before GraphQL begins: a bad credential fails the request as a whole.
func authenticated(c HandlerConfig, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), deadline)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if status, e := misfit(r); e != nil {
			refuseWith(w, r, status, e)
			return
		}
		secret, ok := auth.Bearer(r)
		if !ok {
			refuse(w, r, &directory.Error{Code: directory.Unauthenticated, Message: "Send a token as Authorization: Bearer …."})
			return
		}
		by, err := auth.Identify(ctx, c.Directory, c.Issuers, secret, directory.DoorGraphQL)
		if err != nil {
			if code := directory.CodeOf(err); code != directory.Unauthenticated {
				c.Log.ErrorContext(ctx, "authentication failed", "request_id", auth.RequestIDOf(ctx), "code", code, "cause", err)
			}
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(auth.WithCaller(ctx, c.Directory, c.Issuers, secret, by)))
	})
}

// misfit tells what is wrong with a request that gqlgen would refuse as well, but without a code.
func misfit(r *http.Request) (status int, e *directory.Error) {
	switch r.Method {
	case http.MethodOptions:
	case http.MethodPost:
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/json" {
			return refused(http.StatusUnsupportedMediaType, "", "Send the operation as application/json.")
		}
		if r.ContentLength > maxBody {
			return http.StatusRequestEntityTooLarge, &directory.Error{Code: directory.LimitExceeded, Message: fmt.Sprintf("A request has at most %d bytes.", maxBody)}
		}
	case http.MethodGet:
		q := r.URL.Query()
		for _, name := range []string{"variables", "extensions"} {
			if v := q.Get(name); v != "" && json.Unmarshal([]byte(v), &map[string]any{}) != nil {
				return refused(http.StatusBadRequest, name, "This is not a JSON object.")
			}
		}
		doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: q.Get("query")}, maxTokens)
		if err != nil {
			break // gqlgen says what
		}
		if op := doc.Operations.ForName(q.Get("operationName")); op != nil && op.Operation != ast.Query {
			return refused(http.StatusMethodNotAllowed, "", "Send mutations by POST: a GET changes nothing.")
		}
	default:
		return refused(http.StatusMethodNotAllowed, "", "Send operations by POST, or queries by GET.")
	}
	return 0, nil
}

func refused(status int, field, message string) (int, *directory.Error) {
	return status, &directory.Error{Code: directory.Invalid, Field: field, Message: message}
}

// refuse answers a request that does not reach GraphQL, in GraphQL's form.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := directory.AsError(err)
	status := http.StatusServiceUnavailable
	switch e.Code {
	case directory.Unauthenticated:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="roster"`)
	case directory.Internal:
		status = http.StatusInternalServerError
	}
	refuseWith(w, r, status, e)
}

func refuseWith(w http.ResponseWriter, r *http.Request, status int, e *directory.Error) {
	extensions := map[string]any{"code": e.Code, "requestId": auth.RequestIDOf(r.Context())}
	if e.Field != "" {
		extensions["field"] = e.Field
	}
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, POST, OPTIONS")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"message": e.Message, "extensions": extensions}}, "data": nil})
}

// limitShape refuses documents that are deep, or small on paper and large once their fragments are spread.
func limitShape(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	count := 0
	if err := walk(op.Operation.SelectionSet, 1, &count); err != nil {
		return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{{Message: err.Message,
			Extensions: map[string]any{"code": err.Code, "requestId": auth.RequestIDOf(ctx)}}}})
	}
	return next(ctx)
}

func walk(set ast.SelectionSet, depth int, count *int) *directory.Error {
	if depth > maxDepth {
		return &directory.Error{Code: directory.LimitExceeded, Message: fmt.Sprintf("Selections may be at most %d deep.", maxDepth)}
	}
	for _, s := range set {
		if *count++; *count > maxSpreads {
			return &directory.Error{Code: directory.LimitExceeded, Message: fmt.Sprintf("At most %d fields, fragments spread.", maxSpreads)}
		}
		var err *directory.Error
		switch s := s.(type) {
		case *ast.Field:
			err = walk(s.SelectionSet, depth+1, count)
		case *ast.InlineFragment:
			err = walk(s.SelectionSet, depth, count)
		case *ast.FragmentSpread:
			err = walk(s.Definition.SelectionSet, depth, count)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
