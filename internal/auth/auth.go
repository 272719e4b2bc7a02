// Package auth finds out who sends a request: it takes the credential from where the door hides it and has the directory turn
// it into a Caller. A token that an issuer signed it verifies first (verifier.go, with keys.go and claims.go; issuers.go configures it). The caller travels in the context from here to the door, and no further: the directory takes it as an argument.
package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"roster/internal/directory"
	"roster/internal/observe"
)

type contextKey int

const (
	callerKey contextKey = iota
	requestIDKey
	attemptsKey
	sightKey
)

// asking is the caller of a request, and what it takes to find it again.
type asking struct {
	by      atomic.Pointer[directory.Caller]
	dir     *directory.Service
	issuers *Verifier
	secret  string
	refused atomic.Pointer[error]
}

// WithCaller is ctx with the caller of its request, as Identify found it for that secret.
func WithCaller(ctx context.Context, dir *directory.Service, issuers *Verifier, secret string, by directory.Caller) context.Context {
	a := &asking{dir: dir, issuers: issuers, secret: secret}
	a.by.Store(&by)
	return context.WithValue(ctx, callerKey, a)
}

// CallerOf is the caller of the request; the zero Caller, who may do nothing, if there is none.
func CallerOf(ctx context.Context) directory.Caller {
	if a, ok := ctx.Value(callerKey).(*asking); ok {
		return *a.by.Load()
	}
	return directory.Caller{}
}

// Do runs a call of the directory for the caller of the request, and once more for the caller found anew if it turns out that what
// was remembered of it no longer holds: nothing was done then.
func Do[Out any](ctx context.Context, call func(by directory.Caller) (Out, error)) (Out, error) {
	a, ok := ctx.Value(callerKey).(*asking)
	if !ok {
		return call(directory.Caller{})
	}
	by := *a.by.Load()
	out, err := call(by)
	// A call that did not come to ask Postgres anything, as where it was refused at once, is not believed before this has.
	if verr := a.dir.Verify(ctx, by); verr == nil && !directory.IsStale(err) {
		return out, err
	} else if verr != nil && !directory.IsStale(verr) {
		return out, verr
	}
	if by, err = IdentifyAgain(ctx, a.dir, a.issuers, a.secret, by.Via); err != nil {
		a.refused.Store(&err)
		return out, err
	}
	a.by.Store(&by)
	return call(by)
}

// Refusal is why the credential of the request turned out to be no longer good when Do looked again; nil if it did not.
func Refusal(ctx context.Context) error {
	if a, ok := ctx.Value(callerKey).(*asking); ok {
		if err := a.refused.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// RequestIDOf is the id of the request; "" outside one.
func RequestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// WithRequestID is ctx, that of a request, with an id: the client's X-Request-Id if it is one, else a new one. It goes into the answer's
// header, into errors, logs and change rows.
func WithRequestID(ctx context.Context, w http.ResponseWriter, r *http.Request) context.Context {
	id := r.Header.Get("X-Request-Id")
	if !validRequestID(id) {
		id = rand.Text()
	}
	w.Header().Set("X-Request-Id", id)
	return context.WithValue(ctx, requestIDKey, id)
}

// RequestIDs gives every request its id, where nothing else is done for all of them.
func RequestIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(WithRequestID(r.Context(), w, r)))
	})
}

// validRequestID keeps to what cannot break a log line or a header, and is no token that somebody put into the wrong one: logs, traces and
// the change log keep the id.
func validRequestID(id string) bool {
	if id == "" || len(id) > 128 || directory.HoldsSecret(id) {
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
	return BearerOf(r.Header.Get("Authorization"))
}

// BearerOf is Bearer of the header's text, for where it comes by another way.
func BearerOf(h string) (secret string, ok bool) {
	if h == "" {
		return "", true
	}
	scheme, rest, _ := strings.Cut(h, " ")
	rest = strings.TrimSpace(rest)
	return rest, strings.EqualFold(scheme, "Bearer") && rest != ""
}

// IdentifyAgain is Identify without what is remembered of the secret.
func IdentifyAgain(ctx context.Context, dir *directory.Service, issuers *Verifier, secret string, via directory.Door) (directory.Caller, error) {
	dir.Forget(secret)
	return identify(ctx, dir, issuers, secret, via, func() bool { return true }) // it was good a moment ago, and has passed
}

// Identify authenticates a secret for a door: a token of Roster's, or one that an issuer signed. No secret is nobody: the zero Caller,
// which the directory refuses where it must.
//
// Codes: UNAUTHENTICATED, TOO_MANY_REQUESTS (Guard).
func Identify(ctx context.Context, dir *directory.Service, issuers *Verifier, secret string, via directory.Door) (directory.Caller, error) {
	return identify(ctx, dir, issuers, secret, via, func() bool { return issuers.Remembers(secret) || dir.Remembers(secret) })
}

func identify(ctx context.Context, dir *directory.Service, issuers *Verifier, secret string, via directory.Door, known func() bool) (directory.Caller, error) {
	by := directory.Caller{}
	if secret != "" {
		var err error
		by, err = Attempt(ctx, known, func() (directory.Caller, error) { return authenticate(ctx, dir, issuers, secret, via) })
		if err != nil {
			return directory.Caller{}, err
		}
	}
	by.Via, by.RequestID = via, RequestIDOf(ctx)
	if dir.HasStandbys() {
		by = through(ctx, by)
	}
	observe.Of(ctx).Identified(&by)
	return by, nil
}

// authenticate asks the issuers first: they know their tokens by sight, where the directory has to look one up.
func authenticate(ctx context.Context, dir *directory.Service, issuers *Verifier, secret string, via directory.Door) (directory.Caller, error) {
	identity, err := issuers.Verify(ctx, secret)
	if errors.Is(err, errNotIssued) {
		return dir.Authenticate(ctx, secret)
	}
	by := directory.Caller{}
	if err == nil {
		if by, err = dir.Recognise(ctx, via, RequestIDOf(ctx), identity); directory.CodeOf(err) == directory.Unauthenticated {
			issuers.forget(secret) // or it would count as good, and be tried at no price
		}
	}
	return by, issuers.explained(ctx, err)
}
