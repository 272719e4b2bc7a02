package alldoors_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roster/internal/auth"
	"roster/internal/legacy"
)

// FuzzCredentials: whatever stands in the headers and the query where doors and GraphQL look for a credential, it is refused, unless the
// administrator's own secret is in it. Nothing of it ends in a failure of the server, and none of it comes back in the answer.
func FuzzCredentials(f *testing.F) {
	w := newWorld(f, nil)
	served := auth.RequestIDs(legacy.Serve(w.doors, http.NotFoundHandler()))
	f.Add("Bearer rst_Th1sIs0nlyAnExampleOfASecret001yUQo7", "", "")
	f.Add("Basic c29tZW9uZTp3cm9uZyBwYXNzd29yZCBvZiB0d2VudHk=", "x", "y")
	f.Add("Basic !", "\x00", "%zz")
	f.Add("bearer  a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIn0.e30.")
	f.Add(rootSecret+"x", strings.Repeat("x", 5000), "Bearer")
	f.Fuzz(func(t *testing.T, authorization, session, query string) {
		if strings.Contains(authorization+session+query, rootSecret[:10]) {
			return
		}
		for name, path := range probes {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
			r.Header["Authorization"], r.Header["Session-Token"] = []string{authorization}, []string{session}
			r.Header["X-Api-Key"] = []string{session}
			q := r.URL.Query()
			q.Set("session", query)
			q.Set("gcube-token", query)
			r.URL.RawQuery = q.Encode()
			answer := httptest.NewRecorder()
			served.ServeHTTP(answer, r)
			if answer.Code < 400 || answer.Code >= 500 {
				t.Errorf("%s answers %d to %q, %q, %q: %s", name, answer.Code, authorization, session, query, answer.Body)
			}
			if len(authorization) > 20 && strings.Contains(answer.Body.String(), authorization) {
				t.Errorf("%s tells the credential: %s", name, answer.Body)
			}
		}
	})
}
