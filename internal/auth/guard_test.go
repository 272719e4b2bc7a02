package auth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
	"roster/internal/rostertest"
)

// TestNobodysTokensAreFailures: a token that an issuer signed for somebody who is no user here is a wrong credential, each time.
func TestNobodysTokensAreFailures(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	s := newScene(t, map[string]any{"users": "known", "link": "username"})
	token := s.token(t, map[string]any{"preferred_username": "stranger"})
	guard := &auth.Guard{Failures: limit.NewFailures(3, s.now), Log: slog.New(slog.DiscardHandler)}
	var got []directory.Code
	h := guard.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := auth.Identify(r.Context(), dir, s.Verifier, token, directory.DoorGraphQL)
		got = append(got, directory.CodeOf(err))
	}))
	for range 4 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	}
	for i, want := range []directory.Code{directory.Unauthenticated, directory.Unauthenticated, directory.Unauthenticated, directory.TooManyRequests} {
		if got[i] != want {
			t.Errorf("attempt %d: %s, want %s", i+1, got[i], want)
		}
	}
}
