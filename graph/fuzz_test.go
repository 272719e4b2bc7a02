package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"roster/db"
)

// FuzzRequest: whatever the body of a request is, the answer is GraphQL's form, and no failure of the server.
func FuzzRequest(f *testing.F) {
	a := newAPI(f, db.Options{})
	f.Add(`{"query": "{ viewer { roles } }"}`)
	f.Add(`{"query": "query Q($n: Int) { groups(first: $n) { nodes { name members { totalCount } } } }", "operationName": "Q", "variables": {"n": -1}}`)
	f.Add(`{"query": "mutation { createGroup(input: {name: \"x\", dryRun: true}) { group { id } } }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0"}}}`)
	f.Add(`{"documentId": 7}`)
	f.Add(`[{}]`)
	f.Add("{\"query\": \"{ node(id: \\\"grp_\x00\\\") { id } }\"}")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/graphql", bytes.NewBufferString(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+a.token)
		answer := httptest.NewRecorder()
		a.Config.Handler.ServeHTTP(answer, r)
		var got struct {
			Errors []struct{ Extensions struct{ Code string } }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || answer.Code >= 500 {
			t.Fatalf("%q: %d %s", body, answer.Code, answer.Body)
		}
		for _, e := range got.Errors {
			if e.Extensions.Code == "" || e.Extensions.Code == "INTERNAL" || e.Extensions.Code == "UNAVAILABLE" {
				t.Errorf("%q: %s", body, answer.Body)
			}
		}
	})
}
