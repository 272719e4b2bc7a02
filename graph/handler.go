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
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
	"roster/internal/observe"
)

const cachedQueries = 1_000

// HandlerConfig is what the handler is made of.
type HandlerConfig struct {
	Directory     *directory.Service
	Issuers       *auth.Verifier // nil: only Roster's own tokens are taken
	Log           *slog.Logger
	Introspection Audience // who may read the schema, and is told what might have been meant
	Limits        Limits   // none: Defaults
	Budget        *limit.Budget
	Documents     Documents // that the operator has named
	AdHoc         Audience  // who may send others; "": everybody
	Origins       []string  // of pages, beside the server's own, that may upgrade connections

	// Admit, if set, is asked before each subscription and may refuse it; release is called when it has ended.
	Admit func(directory.Caller) (release func(), err error)
	// Closing, if set, is closed when the server is ending: then streams end, and their readers go elsewhere.
	Closing <-chan struct{}

	executor bool // leave all rendering to gqlgen's executor: what the renderer is tested against
}

// NewHandler serves GraphQL over HTTP: POST with application/json, and GET for queries alone. Subscriptions are served over WebSockets
// and as server-sent events.
func NewHandler(c HandlerConfig) http.Handler {
	if c.Limits == (Limits{}) {
		c.Limits = Defaults()
	}
	if c.AdHoc == "" {
		c.AdHoc = Everybody
	}
	ps := newPlans()
	docs := &documents{named: c.Documents, adHoc: c.AdHoc, sent: lru.New[string](cachedQueries), kept: ps, limits: c.Limits}
	generated := NewExecutableSchema(Config{Resolvers: &Resolver{dir: c.Directory, plans: ps}})
	srv := handler.New(generated)
	if !c.executor {
		srv = handler.New(schema{generated.(*executableSchema), ps})
	}
	srv.AddTransport(transport.Options{})
	own := &streams{dir: c.Directory, issuers: c.Issuers, log: c.Log, timeout: c.Limits.Timeout, present: present(c.Log), budget: c.Budget, admit: c.Admit, closing: c.Closing, origins: c.Origins, initTime: 10 * time.Second}
	if own.admit == nil {
		own.admit = func(directory.Caller) (func(), error) { return func() {}, nil }
	}
	srv.AddTransport(sockets{own})
	srv.AddTransport(events{own})
	srv.AddTransport(overHTTP{})
	srv.SetQueryCache(ps)
	srv.SetParserTokenLimit(maxTokens)
	srv.SetDisableSuggestion(c.Introspection == Nobody)
	srv.SetErrorPresenter(c.unsuggestive(present(c.Log)))
	srv.SetRecoverFunc(recovered)
	srv.Use(docs)
	srv.Use(schemaFor{c.Introspection})
	srv.AroundOperations(observed)
	srv.AroundOperations(c.limited)
	srv.AroundOperations(noStreams)
	srv.AroundResponses(answered)
	if !c.executor {
		srv.AroundFields(ps.rendered)
	}
	return authenticated(c, srv)
}

// authenticated finds the caller before GraphQL begins: a bad credential fails the request as a whole.
func authenticated(c HandlerConfig, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), c.Limits.Timeout)
		defer cancel()
		whole := ctx
		if streaming(r) {
			whole = r.Context()
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if c.foreign(r) {
			e := &directory.Error{Code: directory.Forbidden, Message: "Pages of this origin may not connect."}
			auth.RecordDenial(ctx, c.Log, callerOf(ctx), e)
			refuseWith(w, r, http.StatusForbidden, e)
			return
		}
		if status, e := misfit(r); e != nil {
			refuseWith(w, r, status, e)
			return
		}
		secret, ok := auth.Bearer(r)
		if !ok {
			e := &directory.Error{Code: directory.Unauthenticated, Message: "Send a token as Authorization: Bearer …."}
			auth.RecordDenial(ctx, c.Log, callerOf(ctx), e)
			observe.Of(ctx).Refused("missing")
			refuse(w, r, e)
			return
		}
		by, err := auth.Identify(ctx, c.Directory, c.Issuers, secret, directory.DoorGraphQL)
		if err != nil {
			auth.RecordDenial(ctx, c.Log, callerOf(ctx), err)
			if code := directory.CodeOf(err); code != directory.Unauthenticated && code != directory.TooManyRequests {
				c.Log.ErrorContext(ctx, "authentication failed", "request_id", auth.RequestIDOf(ctx), "code", code, "cause", err)
			}
			refuse(w, r, err)
			return
		}
		state, paid := c.Budget.Spend(by, 1) // whatever becomes of it
		state.Header(w.Header())
		if !paid {
			refuse(w, r, state.Refusal())
			return
		}
		if ctx, err = c.withRequest(auth.WithCaller(whole, c.Directory, c.Issuers, secret, by), w, r); err != nil {
			refuseWith(w, r, http.StatusBadRequest, directory.AsError(err))
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// misfit tells what is wrong with a request that gqlgen would refuse as well, but without a code.
func misfit(r *http.Request) (status int, e *directory.Error) {
	switch r.Method {
	case http.MethodOptions:
	case http.MethodPost:
		if !isJSON(r.Header.Get("Content-Type")) {
			return refused(http.StatusUnsupportedMediaType, "", "Send the operation as application/json.")
		}
		if r.ContentLength > maxBody {
			return http.StatusRequestEntityTooLarge, &directory.Error{Code: directory.LimitExceeded, Limit: "body", Message: fmt.Sprintf("A request has at most %d bytes.", maxBody)}
		}
	case http.MethodGet:
		q := r.URL.Query()
		for _, name := range []string{"variables", "extensions"} {
			if v := q.Get(name); v != "" {
				if _, err := decodeObject(strings.NewReader(v)); err != nil {
					return refused(http.StatusBadRequest, name, "This is not a JSON object.")
				}
			}
		}
	default:
		return refused(http.StatusMethodNotAllowed, "", "Send operations by POST, or queries by GET.")
	}
	return 0, nil
}

func isJSON(contentType string) bool {
	if contentType == mediaJSON { // as nearly all say it
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == mediaJSON
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
	case directory.TooManyRequests:
		status = http.StatusTooManyRequests
	case directory.Internal:
		status = http.StatusInternalServerError
	case directory.Unavailable:
		w.Header().Set("Retry-After", directory.RetryAfter)
	}
	refuseWith(w, r, status, e)
}

func refuseWith(w http.ResponseWriter, r *http.Request, status int, e *directory.Error) {
	failed(r.Context(), e)
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
