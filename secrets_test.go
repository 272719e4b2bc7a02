package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/auth/authtest"
)

// planted is a secret that a client sends, each another, so that one that is found says where it came from.
func planted(what string) string { return "rst_hush_" + what + "_0123456789abcdefghij" }

// TestSecretsAreNotLogged sends secrets by every place of a request that one may be in, right and wrong, through GraphQL and all five doors, to a
// server that logs everything that it can, every statement included; and looks for them in all that it printed and in its metrics.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	work := authtest.New(t)
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_ISSUERS": authtest.File(t, work.Entry(nil)),
		"ROSTER_LOG_LEVEL": "debug", "ROSTER_SLOW_STATEMENT": "1ns", "ROSTER_METRICS_ADDR": "127.0.0.1:0", "ROSTER_TOKEN_KEY": planted("key_of_tokens")})
	expired := work.Token(t, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	jwt, foreign := work.Token(t, map[string]any{"roles": []string{"Infrastructure-Manager"}}), authtest.New(t).Token(t, nil)
	secrets := map[string]string{"the administrator's token": adminToken, "the key": planted("key_of_tokens"),
		"a JWT": strings.Split(jwt, ".")[1], "its signature": strings.Split(jwt, ".")[2], "an expired JWT": strings.Split(expired, ".")[2], "a foreign JWT": strings.Split(foreign, ".")[2]}
	plant := func(what string) string {
		secrets[what] = planted(what)
		return planted(what)
	}
	statuses := map[string]int{}
	send := func(method, path, body string, headers ...string) string {
		answer := r.ask(t, method, path, body, headers...)
		statuses[answer[:1]+"xx"]++
		return answer
	}
	good := []string{"Bearer " + adminToken, "Bearer " + jwt}
	for i, authorization := range append(slices.Clone(good), "Bearer "+foreign, "Bearer "+expired, "Bearer "+plant("bearer"), "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:"+plant("basic"))), plant("bare")) {
		with := []string{"Authorization", authorization, "Content-Type", "application/json", "Cookie", "session=" + plant("cookie"), "User-Agent", plant("agent"),
			"X-Api-Key", plant("api_key"), "Referer", "https://x.example/?" + plant("referer"), "X-Forwarded-For", plant("forwarded"), "Traceparent", plant("traceparent")}
		for n, body := range []string{
			`{"query": "query ` + plant("operation") + ` { viewer { roles } }"}`,
			`{"query": "query { viewer { roles } } # ` + plant("comment") + `"}`,
			`{"query": "{ ` + plant("field") + ` }"}`,
			`{"query": "{ group(by: {name: \"` + plant("argument") + `\"}) { name } }"}`,
			`{"query": "query($n: String!) { groups(filter: {name: {contains: $n}}) { nodes { id } } }", "variables": {"n": "` + plant("variable") + `"}}`,
			`{"query": "mutation { createGroup(input: {name: \"` + plant(fmt.Sprint("group_", i)) + `\", description: \"` + plant("description") + `\", admins: [{username: \"` + plant("user") + `\"}]}) { group { id } } }"}`,
			`{"query": "query($n: Int!) { groups(first: $n) { nodes { id } } }", "variables": {"n": "` + plant("coerced") + `"}}`,
			`{"documentId": "` + plant("document") + `"}`,
			`{"query": "{ node(id: \"` + plant("id") + `\") { id } }", "extensions": {"` + plant("extension") + `": 1}}`,
			`{"` + plant("broken") + `: `,
		} {
			send("POST", "/graphql", body, with...)
			send("GET", fmt.Sprintf("/graphql?query=%%7Bviewer%%7Broles%%7D%%7D&token=%s&n=%d", plant("query_string"), n), "", with...)
		}
		for _, path := range []string{"/group", "/group/" + plant("path"), "/group/a/user/" + plant("path"), "/group/a/token/1", "/v1/groups", "/v1/groups/" + plant("path"), "/groups", "/groups/a/users/" + plant("path"),
			"/workspace/groups", "/api/groups", "/api/group/" + plant("path"), "/api/web/v1/groups", "/api/web/v1/groups/" + plant("path"), "/" + plant("path"), "/nowhere/" + jwt} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", plant("method")} {
				for _, body := range []string{"", `{"name": "` + plant("name") + `", "Name": "` + plant("name2") + `", "password": "` + plant("password") + `"}`, `{"` + plant("broken")} {
					send(method, path+"?gcube-token="+plant("gcube")+"&cursor="+plant("cursor")+"&$filter="+plant("odata"), body, with...)
				}
			}
		}
	}
	for _, body := range []string{
		`{"applicationId": "` + plant("application") + `", "sharedSecret": "` + plant("shared") + `"}`,
		`{"applicationId": "tok_01h455vb4pex5vsknk084sn02q", "sharedSecret": "` + adminToken + `"}`, `{"sharedSecret": "` + plant("shared2"),
	} {
		send("POST", "/api/web/v1/adminapi/authenticate", body, "Content-Type", "application/json")
	}
	for _, header := range []string{"Session-Token", "gcube-token", "X-Request-Id"} {
		send("GET", "/group", "", header, plant("header")+" with a space", "Authorization", "Bearer "+adminToken)
		send("GET", "/groups", "", header, plant("header2")+" with a space")
	}
	send("POST", "/group", `{"name": "of that request"}`, "X-Request-Id", plant("request_id"), "Authorization", "Bearer "+adminToken)
	send("PUT", "/groups/"+planted("group_0")+"/users", "userId="+plant("form")+"&password="+plant("form2"), "Authorization", "Bearer "+adminToken, "Content-Type", "application/x-www-form-urlencoded")
	secret := send("POST", "/graphql", `{"query": "mutation { createToken(input: {expiration: DAILY}) { secret } }"}`, "Authorization", "Bearer "+adminToken, "Content-Type", "application/json")
	if _, after, ok := strings.Cut(secret, `"secret":"`); ok {
		secrets["a token that was made"], _, _ = strings.Cut(after, `"`)
	} else {
		t.Error(secret)
	}
	if statuses["2xx"] < 50 || statuses["4xx"] < 200 {
		t.Errorf("the requests were answered %v: the log says little", statuses)
	}
	metrics := r.admin(t, "/metrics")
	r.end()
	log := r.stderr.String()
	for _, want := range []string{"slow statement", "msg=denied", "token refused", "door=enterprise_tester", "door=d4science", "door=entrust", "door=cds", "door=authress", "door=graphql"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q: it proves nothing", want)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(secrets)) {
		for name, text := range map[string]string{"log": log, "metrics": metrics} {
			for line := range strings.Lines(text) {
				if strings.Contains(line, secrets[what]) {
					t.Errorf("%s is in the %s: %.300s", what, name, line)
					break
				}
			}
		}
	}
}
