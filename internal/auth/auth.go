// Package auth finds out who sends a request: it takes the credential from where the door hides it and has the directory turn
// it into a Caller. The caller travels in the context from here to the door, and no further: the directory takes it as an argument.
package auth

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"roster/internal/directory"
)

type contextKey int

const (
	callerKey contextKey = iota
	requestIDKey
	observedKey
)

// WithCaller is ctx with the caller of its request.
func WithCaller(ctx context.Context, by directory.Caller) context.Context {
	return context.WithValue(ctx, callerKey, by)
}

// CallerOf is the caller of the request; the zero Caller, who may do nothing, if there is none.
func CallerOf(ctx context.Context) directory.Caller {
	by, _ := ctx.Value(callerKey).(directory.Caller)
	return by
}

// Observed is ctx with a place for the caller, which Identify fills: for a log of requests, which stands around the doors and would
// not know by itself whom they found.
func Observed(ctx context.Context) (context.Context, *directory.Caller) {
	by := new(directory.Caller)
	return context.WithValue(ctx, observedKey, by), by
}

// RequestIDOf is the id of the request; "" outside one.
func RequestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// RequestIDs gives every request an id: the client's X-Request-Id if it is one, else a new one. It goes into the answer's header,
// into errors, logs and change rows.
func RequestIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !validRequestID(id) {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey, id)))
	})
}

// validRequestID keeps to what cannot break a log line or a header.
func validRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range id {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

// Bearer is the secret of an Authorization header (RFC 6750); "" if there is no header; false if the header is something else.
func Bearer(r *http.Request) (secret string, ok bool) {
	h := r.Header.Get("Authorization")
	if h == "" {
		return "", true
	}
	scheme, rest, _ := strings.Cut(h, " ")
	rest = strings.TrimSpace(rest)
	return rest, strings.EqualFold(scheme, "Bearer") && rest != ""
}

// Identify authenticates a secret for a door. No secret is nobody: the zero Caller, which the directory refuses where it must.
func Identify(ctx context.Context, dir *directory.Service, secret string, via directory.Door) (directory.Caller, error) {
	by := directory.Caller{}
	if secret != "" {
		var err error
		if by, err = dir.Authenticate(ctx, secret); err != nil {
			return directory.Caller{}, err
		}
	}
	by.Via, by.RequestID = via, RequestIDOf(ctx)
	if seen, ok := ctx.Value(observedKey).(*directory.Caller); ok {
		*seen = by
	}
	return by, nil
}
