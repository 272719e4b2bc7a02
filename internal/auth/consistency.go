package auth

import (
	"context"
	"net/http"

	"roster/internal/directory"
)

// ConsistencyHeader carries a token of consistency: of a write, in its answer, and in requests that have to see it. docs/replicas.md.
const ConsistencyHeader = directory.ConsistencyField

// sighted is the sight of a request, or what is wrong with the tokens that it came with.
type sighted struct {
	sight    *directory.Sight
	err      error
	database bool // it alone answers
}

// Consistent reads the tokens of consistency that requests come with, and tells the one of a request's last write in its answer, whichever
// door it came through. Where there are no standbys there is nothing to it.
func Consistent(dir *directory.Service, next http.Handler) http.Handler {
	if !dir.HasStandbys() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &sighted{}
		s.sight, s.err = dir.Sight(r.Header.Values(ConsistencyHeader))
		next.ServeHTTP(&telling{ResponseWriter: w, sight: s.sight}, r.WithContext(context.WithValue(r.Context(), sightKey, s)))
	})
}

// Sight is what is wrong with the request's tokens of consistency.
//
// Codes: INVALID, LIMIT_EXCEEDED.
func Sight(ctx context.Context) error {
	if s, ok := ctx.Value(sightKey).(*sighted); ok {
		return s.err
	}
	return nil
}

// OnDatabase is ctx for what the database itself answers, not a standby.
func OnDatabase(ctx context.Context) context.Context {
	s, ok := ctx.Value(sightKey).(*sighted)
	if !ok {
		return ctx
	}
	of := *s
	of.database = true
	return context.WithValue(ctx, sightKey, &of)
}

// through has the caller see what the request asks for.
func through(ctx context.Context, by directory.Caller) directory.Caller {
	s, ok := ctx.Value(sightKey).(*sighted)
	if !ok {
		return by
	}
	if by = by.Through(s.sight); s.database {
		return by.Deciding()
	}
	return by
}

// telling sets the header before the first byte.
type telling struct {
	http.ResponseWriter
	sight *directory.Sight
	told  bool
}

func (t *telling) tell() {
	if t.told {
		return
	}
	t.told = true
	if token := t.sight.Token(); token != "" {
		t.Header().Set(ConsistencyHeader, token)
	}
}

// WriteHeader tells with what is final.
func (t *telling) WriteHeader(status int) {
	if status >= http.StatusOK {
		t.tell()
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *telling) Write(b []byte) (int, error) {
	t.tell()
	return t.ResponseWriter.Write(b)
}

// Flush is for those who look for an http.Flusher.
func (t *telling) Flush() {
	t.tell()
	_ = http.NewResponseController(t.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (t *telling) Unwrap() http.ResponseWriter { return t.ResponseWriter }
