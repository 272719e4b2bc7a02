package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"roster/internal/auth/authtest"
)

// ask sends a request with headers, as the clients of a door do, and answers status and body.
func (r *running) ask(t *testing.T, method, path, body string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, answer)
}

// People and services with tokens of their organisation's, through every way in.
func TestIssuers(t *testing.T) {
	t.Parallel()
	work, key := authtest.New(t), authtest.NewKey(t, "key-1", jose.EdDSA)
	accessKey := map[string]any{"issuer": "http://roster.example/v1/clients/ci", "audience": "acc.accounts.authress.io", "acceptIssuedAt": true,
		"jwks": authtest.Set(key), "always": []string{"GROUPS_ADD", "GROUPS_VIEW"}}
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_ISSUERS": authtest.File(t, work.Entry(nil), accessKey)})
	token := func(name string, roles ...string) string {
		return work.Token(t, map[string]any{"sub": "id of " + name, "preferred_username": name, "email": name + "@example.org", "roles": roles})
	}
	ann, infra, vre := token("ann"), token("infra", "Infrastructure-Manager"), token("vre", "VRE-Manager")
	entrust, tester := token("entrust", "GROUPS:ADD", "GROUPS:VIEW"), token("tester", "Administration/Organisation/ManageUserAndGroupSecurity")
	client := key.Sign(t, map[string]any{"iss": accessKey["issuer"], "aud": accessKey["audience"], "sub": "ci", "client_id": "ci", "scope": "openid",
		"iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix()}, nil)

	r.query(t, ann, `{ viewer { user { username email } roles permissions token { id } } }`,
		`{"data":{"viewer":{"user":{"username":"ann","email":"ann@example.org"},"roles":[],"permissions":[],"token":null}}}`)
	r.query(t, infra, `{ viewer { user { username } roles } }`, `{"data":{"viewer":{"user":{"username":"infra"},"roles":["ADMINISTRATOR"]}}}`)
	r.query(t, ann, `mutation { createGroup(input: {name: "no"}) { group { id } } }`, `"FORBIDDEN"`)
	r.query(t, adminToken, `{ users { totalCount } viewer { user { username } } }`, `{"data":{"users":{"totalCount":3},"viewer":{"user":{"username":"admin"}}}}`)

	bearer := func(token string) string { return "Bearer " + token }
	const authorization, form, encoded = "Authorization", "Content-Type", "application/x-www-form-urlencoded"
	for _, row := range []struct {
		got, want string
	}{
		{r.ask(t, "POST", "/group", `{"name":"tools"}`, authorization, bearer(ann)), `201 `},
		{r.ask(t, "GET", "/group/tools", "", "Session-Token", ann), `200 {"id":1,"name":"tools","admins":[{`},
		{r.ask(t, "GET", "/group/tools", "", authorization, bearer(vre)), `200 `},
		{r.ask(t, "GET", "/group/tools", "", authorization, bearer(tester)), `403 `},

		{r.ask(t, "PUT", "/groups/tools/users", "userId=vre", authorization, bearer(ann), form, encoded), `403`},
		{r.ask(t, "PUT", "/groups/tools/users", "userId=vre", authorization, bearer(vre), form, encoded), `200 true`},
		{r.ask(t, "GET", "/workspace/groups?gcube-token="+vre, ""), `200 ["tools"]`},
		{r.ask(t, "DELETE", "/groups/tools", "", authorization, bearer(vre)), `403`},
		{r.ask(t, "DELETE", "/groups/tools", "", "gcube-token", infra), `200 tools`},

		{r.ask(t, "POST", "/api/web/v1/groups", `{"name":"payroll"}`, authorization, entrust), `20`},
		{r.ask(t, "GET", "/api/web/v1/groups", "", authorization, bearer(entrust)), `200 [{`},
		{r.ask(t, "GET", "/api/web/v1/groups", "", authorization, ann), `403 `},

		{r.ask(t, "POST", "/api/groups", `{"Name":"Testers"}`, authorization, bearer(tester)), `20`},
		{r.ask(t, "GET", "/api/groups", "", authorization, bearer(ann)), `200 `},
		{r.ask(t, "POST", "/api/groups", `{"Name":"More"}`, authorization, bearer(ann)), `403 `},

		{r.ask(t, "POST", "/v1/groups", `{"name":"night","users":[],"admins":[]}`, authorization, bearer(client)), `20`},
		{r.ask(t, "GET", "/v1/groups", "", authorization, bearer(client)), `200 {`},
	} {
		if !strings.HasPrefix(row.got, row.want) {
			t.Errorf("got %s, want %s", row.got, row.want)
		}
	}
	r.query(t, adminToken, `{ users { nodes { username } } }`, `{"data":{"users":{"nodes":[{"username":"admin"},{"username":"ann"},{"username":"ci"},`+
		`{"username":"entrust"},{"username":"infra"},{"username":"tester"},{"username":"vre"}]}}}`)
	r.logs(t, "caller=ann method=POST path=/group status=201")
	for _, s := range []string{ann, infra, vre, entrust, tester, client} {
		if strings.Contains(r.stderr.String(), strings.Split(s, ".")[1]) {
			t.Error("a token is in the log")
		}
	}
}

// A token that is refused is refused as any wrong token is, in each system's own words; the log alone says why.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	work := authtest.New(t)
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_ISSUERS": authtest.File(t, work.Entry(nil))})
	expired := work.Token(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})
	foreign := authtest.New(t).Token(t, nil)
	ids := regexp.MustCompile(`"uuid":"[^"]*"`) // of an answer, which CDS makes
	ask := func(path, token string) string {
		return ids.ReplaceAllString(r.ask(t, "GET", path, "", "Authorization", "Bearer "+token, "X-Request-Id", "test"), "")
	}
	for path, want := range map[string]string{
		"/graphql?query={viewer{roles}}": `401 {"data":null,"errors":[{"extensions":{"code":"UNAUTHENTICATED"`,
		"/group":                         "401 ", "/groups": "401", "/api/web/v1/groups": "401 ", "/api/groups": "401", "/v1/groups": "401",
	} {
		wrong := ask(path, "a wrong token of some length")
		for _, token := range []string{expired, foreign} {
			got := ask(path, token)
			if !strings.HasPrefix(got, want) || got != wrong {
				t.Errorf("%s: %s, and of any wrong token %s", path, got, wrong)
			}
		}
	}
	r.logs(t, `msg="token refused" request_id=test reason="it is expired"`)
	r.query(t, adminToken, `{ users { totalCount } }`, `{"data":{"users":{"totalCount":1}}}`)

	down := authtest.New(t)
	down.Instead(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	r = start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_ISSUERS": authtest.File(t, down.Entry(nil))})
	r.query(t, down.Token(t, nil), `{ viewer { roles } }`, `"code":"UNAVAILABLE"`)
	if got := r.ask(t, "GET", "/group", "", "Authorization", "Bearer "+down.Token(t, nil)); !strings.HasPrefix(got, "503 ") {
		t.Errorf("CDS: %s", got)
	}
}
