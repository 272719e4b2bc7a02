package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

func refusal(code, message string) string {
	return `{"data":null,"errors":[{"extensions":{"code":"` + code + `","requestId":"test"},"message":"` + message + `"}]}`
}

func graphqlError(code, message string) string {
	return `{"errors":[{"message":"` + message + `","extensions":{"code":"` + code + `","requestId":"test"}}],"data":null}`
}

// TestHTTP says what HTTP has to do with it: methods, media types, bodies, credentials.
func TestHTTP(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const (
		viewer  = `{"query":"{viewer{user{username}}}"}`
		isAdmin = `{"data":{"viewer":{"user":{"username":"admin"}}}}`
		isJSON  = "application/json"
	)
	get := func(query, name, variables string) string {
		return "?" + url.Values{"query": {query}, "operationName": {name}, "variables": {variables}}.Encode()
	}
	unauthenticated := refusal("UNAUTHENTICATED", "The token is unknown, expired or revoked.")
	noJSON := graphqlError("INVALID", "The body is not a GraphQL request in JSON.")
	good := "Bearer " + a.token
	wrongSum := secrets["ada"][:39] + string("0123456789"[(secrets["ada"][39]+1)%10])
	for _, row := range []struct {
		name, method, path, media, authorization, body string
		status                                         int
		want                                           string
	}{
		{"POST", "POST", "", isJSON, good, viewer, 200, isAdmin},
		{"POST with a charset", "POST", "", "application/json; charset=utf-8", good, viewer, 200, isAdmin},
		{"POST of one of several", "POST", "", isJSON, good, `{"query":"query A{viewer{roles}} query B{viewer{user{username}}}","operationName":"B"}`, 200, isAdmin},
		{"POST of none of several", "POST", "", isJSON, good, `{"query":"query A{viewer{roles}} query B{viewer{roles}}"}`, 422, graphqlError("GRAPHQL_VALIDATION_FAILED", "operation  not found")},
		{"POST of nothing", "POST", "", isJSON, good, ``, 400, noJSON},
		{"POST of half a body", "POST", "", isJSON, good, viewer[:20], 400, noJSON},
		{"POST of a list", "POST", "", isJSON, good, "[" + viewer + "]", 400, noJSON},
		{"POST of two", "POST", "", isJSON, good, viewer + viewer, 400, noJSON},
		{"POST of one name twice", "POST", "", isJSON, good, `{"query":"{viewer{roles}}","query":"{viewer{user{username}}}"}`, 400, noJSON},
		{"POST of a name in another case", "POST", "", isJSON, good, `{"Query":"{viewer{roles}}","query":"{viewer{user{username}}}"}`, 200, isAdmin},
		{"POST of what is no text", "POST", "", isJSON, good, "{\"query\":\"{viewer{user{username}}} #\xff\"}", 400, noJSON},
		{"POST of a query that is none", "POST", "", isJSON, good, `{"query":1}`, 400, noJSON},
		{"POST with nulls and more", "POST", "", isJSON, good, `{"more":[{"a":1}],"variables":null,"extensions":null,"operationName":null,"id":null,"query":"{viewer{user{username}}}"}`, 200, isAdmin},
		{"POST of variables that are none", "POST", "", isJSON, good, `{"query":"{viewer{roles}}","variables":[1]}`, 400, noJSON},
		{"POST of text", "POST", "", "text/plain", good, viewer, 415, refusal("INVALID", "Send the operation as application/json.")},
		{"POST of a form", "POST", "", "", good, viewer, 415, refusal("INVALID", "Send the operation as application/json.")},
		{"POST of nine megabytes", "POST", "", isJSON, good, `{"query":"` + strings.Repeat(" ", 9<<20) + `"}`, 413, refusal("LIMIT_EXCEEDED", "A request has at most 8388608 bytes.")},
		{"GET", "GET", get(`query($id:ID!){node(id:$id){... on User{username}}}`, "", `{"id":"usr_01h455vb4pex5vsknk084sn02q"}`), "", good, "", 200, `{"data":{"node":null}}`},
		{"GET of a mutation", "GET", get(`mutation{createUser(input:{username:"x"}){user{id}}}`, "", ""), "", good, "", 405, refusal("INVALID", "Send mutations by POST: a GET changes nothing.")},
		{"GET of one among queries", "GET", get(`query A{viewer{roles}} mutation B{createUser(input:{username:"x"}){user{id}}}`, "B", ""), "", good, "", 405, refusal("INVALID", "Send mutations by POST: a GET changes nothing.")},
		{"GET of a query beside one", "GET", get(`query A{viewer{user{username}}} mutation B{createUser(input:{username:"x"}){user{id}}}`, "A", ""), "", good, "", 200, isAdmin},
		{"GET of nothing", "GET", "", "", good, "", 422, graphqlError("GRAPHQL_VALIDATION_FAILED", "no operation provided")},
		{"GET with variables that are none", "GET", get("{viewer{roles}}", "", "{"), "", good, "", 400, `{"data":null,"errors":[{"extensions":{"code":"INVALID","field":"variables","requestId":"test"},"message":"This is not a JSON object."}]}`},
		{"PUT", "PUT", "", isJSON, good, viewer, 405, refusal("INVALID", "Send operations by POST, or queries by GET.")},
		{"no token", "POST", "", isJSON, "", `{"query":"{__typename}"}`, 200, `{"data":{"__typename":"Query"}}`},
		{"no token, but a question", "POST", "", isJSON, "", viewer, 200, `{"errors":[{"message":"Sign in first: this needs a valid token in the Authorization header.","path":["viewer"],"locations":[{"line":1,"column":2}],"extensions":{"code":"UNAUTHENTICATED","requestId":"test"}}],"data":null}`},
		{"a scheme in lower case", "POST", "", isJSON, "bearer " + secrets["dan"], viewer, 200, `{"data":{"viewer":{"user":{"username":"dan"}}}}`},
		{"another scheme", "POST", "", isJSON, "Basic " + secrets["dan"], viewer, 401, refusal("UNAUTHENTICATED", "Send a token as Authorization: Bearer ….")},
		{"an empty token", "POST", "", isJSON, "Bearer ", viewer, 401, refusal("UNAUTHENTICATED", "Send a token as Authorization: Bearer ….")},
		{"a token without its checksum", "POST", "", isJSON, "Bearer " + secrets["ada"][:34], viewer, 401, unauthenticated},
		{"a token with a wrong checksum", "POST", "", isJSON, "Bearer " + wrongSum, viewer, 401, unauthenticated},
		{"a short token", "POST", "", isJSON, "Bearer x", viewer, 401, unauthenticated},
		{"a long token", "POST", "", isJSON, "Bearer " + strings.Repeat("x", 5000), viewer, 401, unauthenticated},
		{"an unknown token", "POST", "", isJSON, "Bearer " + strings.Repeat("x", 40), viewer, 401, unauthenticated},
		{"an expired token", "POST", "", isJSON, "Bearer " + secrets["expired"], viewer, 401, unauthenticated},
		{"a revoked token", "POST", "", isJSON, "Bearer " + secrets["revoked"], viewer, 401, unauthenticated},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), row.method, a.URL+row.path, strings.NewReader(row.body))
			if err != nil {
				t.Fatal(err)
			}
			if row.media != "" {
				req.Header.Set("Content-Type", row.media)
			}
			if row.authorization != "" {
				req.Header.Set("Authorization", row.authorization)
			}
			status, body := a.do(t, req)
			if d := cmp.Diff(row.want, strings.TrimSpace(string(body))); d != "" || status != row.status {
				t.Errorf("status %d, want %d; body (-want +got):\n%s", status, row.status, d)
			}
		})
	}
}

// TestCauseStaysInside breaks the database under a request: the client gets a bland sentence, the log gets the cause with the request's
// id, and neither sees a value.
func TestCauseStaysInside(t *testing.T) {
	t.Parallel()
	const private = "a-private-name"
	for _, row := range []struct{ name, harm, query, want, logged string }{
		{
			"a column is lost", `ALTER TABLE groups RENAME handle TO lost`, `{groups(filter:{name:{eq:"` + private + `"}}){nodes{handle}}}`,
			`{"errors":[{"message":"Something went wrong on our side.","path":["groups"],"locations":[{"line":1,"column":2}],"extensions":{"code":"INTERNAL","requestId":"test"}}],"data":null}`,
			`request_id=test code=INTERNAL path=groups cause="input:1:2: groups db: SQLSTATE 42703"`,
		},
		{
			"a rule that only the database knows", `ALTER TABLE users ADD CONSTRAINT secret_rule CHECK (username <> '` + private + `')`,
			`mutation{createUser(input:{username:"` + private + `"}){user{id}}}`,
			`{"errors":[{"message":"The input breaks a rule of the directory.","path":["createUser"],"locations":[{"line":1,"column":10}],"extensions":{"code":"INVALID","requestId":"test"}}],"data":null}`,
			"",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, db.Options{})
			var log bytes.Buffer
			a.Server = httptest.NewServer(auth.RequestIDs(graph.NewHandler(graph.HandlerConfig{Directory: a.dir, Log: slog.New(slog.NewTextHandler(&log, nil))})))
			a.exec(t, row.harm)
			_, body := a.post(t, a.token, row.query, nil)
			a.Close() // now the log is complete
			if d := cmp.Diff(row.want, string(body)); d != "" {
				t.Errorf("the answer (-want +got):\n%s", d)
			}
			if got := log.String(); !strings.Contains(got, row.logged) || row.logged == "" && got != "" || strings.Contains(got, private) {
				t.Errorf("the log says %q, want %q in it", got, row.logged)
			}
		})
	}
}

// TestUnavailable asks while the database is away.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	store, err := db.Open(db.Options{URL: "postgres://nobody@127.0.0.1:1/none?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dir := directory.New(directory.Config{Store: store, TokenKey: []byte("k")})
	h := auth.RequestIDs(graph.NewHandler(graph.HandlerConfig{Directory: dir, Log: slog.New(slog.DiscardHandler)}))
	ask := func(ctx context.Context, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"query":"{viewer{roles}}"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Request-Id", "test")
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := ask(t.Context(), rostertest.AdminSecret)
	want := refusal("UNAVAILABLE", "The directory is busy or its database is away. Try again.")
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusServiceUnavailable || got != want {
		t.Errorf("got %d %s, want 503 %s", w.Code, got, want)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w = ask(gone, rostertest.AdminSecret)
	var got answer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Errors[0].Extensions.Code != "UNAVAILABLE" {
		t.Errorf("a client that went away gets %s", w.Body)
	}
}
