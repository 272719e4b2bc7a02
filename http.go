package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/observe"
)

// How long a client may take over its request's body, and over any one piece of the answer. The server has no limit on
// whole answers, because a stream of changes has no end.
const (
	bodyTime  = 30 * time.Second
	writeTime = 30 * time.Second
)

// logged stands around every route: it has the log, metrics and traces say what came of a request, never its query string or its
// headers, and turns a panic into an answer. It gives the request its id, and what wrong credentials are counted by.
func (s *server) logged(guard *auth.Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := guard.With(auth.WithRequestID(r.Context(), w, r), w, r)
		ctx, seen := s.observer.Begin(ctx, w, r, auth.RequestIDOf(ctx))
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), conn: gathererOf(r)}
		begin := time.Now()
		defer func() {
			broken := s.recovered(ctx, a, seen, recover())
			took := time.Since(begin)
			s.observer.End(seen, a.status, took)
			s.tell(ctx, r, seen, a.status, took)
			if broken {
				panic(http.ErrAbortHandler)
			}
		}()
		if r.Body != nil && r.Body != http.NoBody {
			_ = a.control.SetReadDeadline(begin.Add(bodyTime))
			r.Body = &body{r.Body, a.control}
		}
		next.ServeHTTP(a, r.WithContext(ctx))
	})
}

// tell writes the line of a request into the log. All come from here, so that nobody looks up where.
func (s *server) tell(ctx context.Context, r *http.Request, seen *observe.Request, status int, took time.Duration) {
	level := levelOf(r)
	if !s.log.Enabled(ctx, level) {
		return
	}
	line := slog.NewRecord(time.Now(), level, "request", 0)
	line.AddAttrs(
		slog.String("request_id", auth.RequestIDOf(ctx)),
		slog.String("caller", nameOf(seen.Caller.Load())),
		slog.String("method", observe.Method(r.Method)),
		slog.String("path", observe.Path(r.URL.Path)),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	found := seen.LogAttrs()
	line.AddAttrs(found[:]...)
	_ = s.log.Handler().Handle(ctx, line) // where would that be said?
}

// recovered answers in the place of a handler that panicked. If the answer has begun, only breaking it off tells the
// client that it is not whole.
func (s *server) recovered(ctx context.Context, a *answer, seen *observe.Request, v any) (broken bool) {
	switch v {
	case nil:
		return false
	case http.ErrAbortHandler:
		return true
	}
	seen.Fail(directory.Internal, "")
	s.log.ErrorContext(ctx, "panic", "request_id", auth.RequestIDOf(ctx), "cause", fmt.Sprint(v), "stack", string(debug.Stack()))
	if a.status != 0 {
		return true
	}
	refuse(ctx, a, http.StatusInternalServerError, directory.Internal, "Something went wrong on our side.")
	return false
}

// levelOf keeps the probes, which come every few seconds, out of the way.
func levelOf(r *http.Request) slog.Level {
	if r.URL.Path == "/livez" || r.URL.Path == "/readyz" {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// nameOf names a caller as the change log does; "" where there is none.
func nameOf(by *directory.Caller) string {
	if by == nil {
		return ""
	}
	return auth.NameOf(*by)
}

// answer knows its status, and gives the client a new allowance of time for each piece.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	conn    *gatherer // nil: it does not gather
	status  int
}

// Unwrap lets net/http and the WebSocket library find what the writer below can do.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush is for those who look for an http.Flusher, as gqlgen's streams do.
func (a *answer) Flush() { _ = a.control.Flush() }

// WriteHeader keeps the first status that is final, or switches protocols.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	until := time.Now().Add(writeTime)
	if a.conn == nil {
		_ = a.control.SetWriteDeadline(until) // some writers, of tests, know no deadlines
		return a.ResponseWriter.Write(b)
	}
	_ = a.conn.bound(until)
	if len(b) < gatheredFrom {
		return a.ResponseWriter.Write(b)
	}
	a.conn.gather()
	n, err := a.ResponseWriter.Write(b)
	return n, errors.Join(err, a.conn.release())
}

// gatheredFrom is the size of a piece from which net/http passes it on by itself: what is smaller it has room for, behind the header.
const gatheredFrom = 2 << 10

// body ends the time limit on itself with itself: left on the connection, it would cancel an answer that takes longer.
type body struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// refuse answers a request that no door answers, in GraphQL's form, so that clients meet one form.
func refuse(ctx context.Context, w http.ResponseWriter, status int, code directory.Code, message string) {
	write(w, status, map[string]any{"errors": []any{map[string]any{
		"message":    message,
		"extensions": map[string]any{"code": code, "requestId": auth.RequestIDOf(ctx)},
	}}})
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	refuse(r.Context(), w, http.StatusNotFound, directory.NotFound, "Nothing is here. The API is at /graphql.")
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away wants no answer
}
