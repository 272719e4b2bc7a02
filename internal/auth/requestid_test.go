package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roster/internal/auth"
)

// TestRequestIDs: a client's id is kept if it can stand in a log, and is no token that went astray; else it gets another.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	within := ""
	h := auth.RequestIDs(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { within = auth.RequestIDOf(r.Context()) }))
	for id, kept := range map[string]bool{
		"1": true, "a-b/c=d": true, strings.Repeat("x", 128): true, "": false, strings.Repeat("x", 129): false, "two words": false, "a\nb": false, "ä": false,
		"rst_0123456789abcdefghijABCDEFGHIJ012345": false, "of=rst_0123456789": false, "eyJhbGciOiJFZERTQSJ9.e30.c2ln": false,
	} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header["X-Request-Id"] = []string{id}
		h.ServeHTTP(w, r)
		if within == "" || w.Header().Get("X-Request-Id") != within || (within == id) != kept {
			t.Errorf("%q: %q within, %q in the answer", id, within, w.Header().Get("X-Request-Id"))
		}
	}
}
