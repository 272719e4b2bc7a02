package graph_test

import (
	"testing"
	"strings"
	"net/http"
	"io"
	"os"
	"encoding/json"

	"roster/db"
)

func TestExplore(t *testing.T) {
	a := newAPI(t, db.Options{})
	raw, _ := os.ReadFile("/tmp/x/q.txt")
	for _, q := range strings.Split(string(raw), "\n---\n") {
		q = strings.TrimSpace(q)
		if q == "" { continue }
		var vars map[string]any
		if i := strings.Index(q, "\nVARS "); i > 0 {
			d := json.NewDecoder(strings.NewReader(q[i+6:])); d.UseNumber(); if err := d.Decode(&vars); err != nil { t.Fatal(err) }
			q = q[:i]
		}
		status, body := a.post(t, a.token, q, vars)
		t.Logf("%.200s %v\n%d %.1500s", q, vars, status, body)
	}
	for _, r := range []struct{ method, path, ct, body, auth string }{
		{"POST", "/", "application/json", `{"query":`, a.token},
		{"POST", "/", "application/json", ``, a.token},
		{"POST", "/", "application/json", `{"query":"{viewer{roles}}", "variables": 3}`, a.token},
		{"POST", "/", "application/json", `[{"query":"{viewer{roles}}"}]`, a.token},
		{"POST", "/", "text/plain", `{"query":"{viewer{roles}}"}`, a.token},
		{"POST", "/", "", `{"query":"{viewer{roles}}"}`, a.token},
		{"GET", "/?query={viewer{roles}}", "", ``, a.token},
		{"GET", "/?query=mutation{createUser(input:{username:\"x\"}){user{id}}}", "", ``, a.token},
		{"GET", "/", "", ``, a.token},
		{"GET", "/?query={viewer{roles}}&variables={", "", ``, a.token},
		{"PUT", "/", "application/json", `{"query":"{viewer{roles}}"}`, a.token},
		{"OPTIONS", "/", "", ``, ""},
		{"POST", "/", "application/json", `{"query":"{viewer{roles}}"}`, ""},
		{"POST", "/", "application/json", `{"query":"{__typename}"}`, ""},
		{"POST", "/", "application/json", `{"query":"{viewer{roles}}"}`, "nope"},
		{"POST", "/", "application/json", `{"query":"query A{viewer{roles}} query B{viewer{roles}}"}`, a.token},
		{"POST", "/", "application/json", `{"query":"query A{viewer{roles}} query B{viewer{roles}}", "operationName":"C"}`, a.token},
		{"POST", "/", "application/json", `{"query":""}`, a.token},
		{"POST", "/", "application/json", `{"query":"{viewer{roles}}","x":"` + strings.Repeat("x", 9<<20)+ `"}`, a.token},
	} {
		req, err := http.NewRequest(r.method, a.URL, strings.NewReader(r.body))
		if err != nil { t.Fatal(err) }
		if i := strings.Index(r.path, "?query="); i >= 0 {
			v := req.URL.Query()
			rest := r.path[i+7:]
			if j := strings.Index(rest, "&variables="); j > 0 { v.Set("variables", rest[j+11:]); rest = rest[:j] }
			v.Set("query", rest)
			req.URL.RawQuery = v.Encode()
		}
		req.Header.Set("X-Request-Id", "test")
		if r.ct != "" { req.Header.Set("Content-Type", r.ct) }
		if r.auth != "" { req.Header.Set("Authorization", "Bearer "+r.auth) }
		res, err := a.Client().Do(req)
		if err != nil { t.Log(err); continue }
		b, _ := io.ReadAll(res.Body)
		t.Logf("%s %s %s %.80s auth=%.4s\n%d %v %s", r.method, r.path, r.ct, r.body, r.auth, res.StatusCode, res.Header.Get("Content-Type"), b)
	}
}
