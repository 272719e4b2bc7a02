package graph_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/graph"
)

const (
	rolesQuery = `query Roles { viewer { roles } }`
	roles      = `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}}}`
	noRoles    = `{"data":{"viewer":{"roles":[]}}}`
)

func hashed(query string) string {
	sum := sha256.Sum256([]byte(query))
	return hex.EncodeToString(sum[:])
}

// persisted is the extension by which clients name a document's hash.
func persisted(query string) m {
	return m{"persistedQuery": m{"version": 1, "sha256Hash": hashed(query)}}
}

func trouble(code, message string) string {
	return `{"errors":[{"message":"` + message + `","extensions":{"code":"` + code + `","requestId":"test"}}],"data":null}`
}

// get sends a query in the URL.
func (a *api) get(t testing.TB, token string, q url.Values) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+"?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	status, body := a.do(t, req)
	return status, strings.TrimSpace(string(body))
}

// A client sends a hash, is told to send the document with it, and from then on the hash does, by POST and by GET.
func TestAutomaticPersistedQueries(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const mutation = `mutation { deleteUser(input: {user: {username: "bob"}}) { dryRun } }`
	unknown := trouble("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
	for _, step := range []struct {
		name, token string
		body        m
		want        string
	}{
		{"not yet", a.token, m{"extensions": persisted(rolesQuery)}, unknown},
		{"nobody's is not kept", "", m{"query": `{ __typename }`, "extensions": persisted(`{ __typename }`)}, `{"data":{"__typename":"Query"}}`},
		{"nobody's was not kept", a.token, m{"extensions": persisted(`{ __typename }`)}, unknown},
		{"with the document", a.token, m{"query": rolesQuery, "extensions": persisted(rolesQuery)}, roles},
		{"the hash alone", a.token, m{"extensions": persisted(rolesQuery)}, roles},
		{"another's", secrets["dan"], m{"extensions": persisted(rolesQuery)}, noRoles},
		{"a wrong hash", a.token, m{"query": `{ __typename }`, "extensions": persisted(rolesQuery)},
			trouble("INVALID", "The extension persistedQuery has version 1 and the SHA-256 of the query in hexadecimal.")},
		{"a wrong version", a.token, m{"extensions": m{"persistedQuery": m{"version": 2, "sha256Hash": hashed(rolesQuery)}}},
			trouble("INVALID", "The extension persistedQuery has version 1 and the SHA-256 of the query in hexadecimal.")},
		{"no object", a.token, m{"extensions": m{"persistedQuery": "x"}},
			trouble("INVALID", "The extension persistedQuery has version 1 and the SHA-256 of the query in hexadecimal.")},
		{"a mutation", a.token, m{"query": mutation, "extensions": persisted(mutation), "variables": m{}}, `{"data":{"deleteUser":{"dryRun":false}}}`},
	} {
		if status, got := a.send(t, step.token, step.body); string(got) != step.want || status != http.StatusOK {
			t.Errorf("%s: %d %s, want %s", step.name, status, got, step.want)
		}
	}
	by := func(hash string) url.Values {
		return url.Values{"extensions": {`{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}`}}
	}
	if _, got := a.get(t, a.token, by(hashed(rolesQuery))); got != roles {
		t.Errorf("by GET: %s", got)
	}
	if status, got := a.get(t, a.token, by(hashed(mutation))); status != http.StatusMethodNotAllowed {
		t.Errorf("a mutation by GET: %d %s", status, got)
	}
}

// Only what the operator has named is run, whichever way it is asked for; administrators may be let off.
func TestNamedDocuments(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const mutation = `mutation Away($u: UserRef!) { deleteUser(input: {user: $u, dryRun: true}) { dryRun } }`
	named, problems := graph.ReadDocuments(strings.NewReader(fmt.Sprintf(`{"roles": %q, %q: %q}`, rolesQuery, hashed(mutation), mutation)), graph.Defaults())
	if problems != nil {
		t.Fatal(problems)
	}
	only := trouble("FORBIDDEN", "Only documents that the operator has named are taken here: send one's id as documentId.")
	for _, row := range []struct {
		name  string
		adHoc graph.Audience
		who   string
		body  m
		want  string
	}{
		{"by documentId", graph.Nobody, "admin", m{"documentId": "roles"}, roles},
		{"by id", graph.Nobody, "admin", m{"id": "roles"}, roles},
		{"by its hash as id", graph.Nobody, "admin", m{"documentId": hashed(rolesQuery)}, roles},
		{"by its hash as the draft spells it", graph.Nobody, "admin", m{"documentId": "sha256:" + hashed(rolesQuery)}, roles},
		{"by the extension", graph.Nobody, "admin", m{"extensions": persisted(rolesQuery)}, roles},
		{"with its text", graph.Nobody, "admin", m{"documentId": "roles", "query": rolesQuery}, roles},
		{"with another text", graph.Nobody, "admin", m{"documentId": "roles", "query": `{ __typename }`}, trouble("INVALID", "The document of this id is another one.")},
		{"with variables", graph.Nobody, "admin", m{"documentId": hashed(mutation), "variables": m{"u": m{"username": "bob"}}}, `{"data":{"deleteUser":{"dryRun":true}}}`},
		{"an unknown id", graph.Nobody, "admin", m{"documentId": "more"}, only},
		{"a text", graph.Nobody, "admin", m{"query": rolesQuery}, only},
		{"a text with its hash", graph.Nobody, "admin", m{"query": `{ __typename }`, "extensions": persisted(`{ __typename }`)}, only},
		{"an unknown hash", graph.Nobody, "admin", m{"extensions": persisted(`{ __typename }`)}, only},
		{"nothing", graph.Nobody, "admin", m{}, only},
		{"an administrator's text", graph.Administrators, "admin", m{"query": rolesQuery}, roles},
		{"another's text", graph.Administrators, "dan", m{"query": rolesQuery}, only},
		{"another's named one", graph.Administrators, "dan", m{"documentId": "roles"}, noRoles},
		{"everybody's text", graph.Everybody, "dan", m{"query": rolesQuery}, noRoles},
		{"an unknown id where texts are taken", graph.Everybody, "dan", m{"documentId": "more"}, trouble("NOT_FOUND", "There is no document of this id.")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := a.configured(t, graph.HandlerConfig{Documents: named, AdHoc: row.adHoc})
			if _, got := b.send(t, secrets[row.who], row.body); string(got) != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
	b := a.configured(t, graph.HandlerConfig{Documents: named, AdHoc: graph.Nobody})
	if _, got := b.get(t, a.token, url.Values{"documentId": {"roles"}}); got != roles {
		t.Errorf("by GET: %s", got)
	}
	if status, got := b.get(t, a.token, url.Values{"documentId": {hashed(mutation)}, "variables": {`{"u":{"username":"bob"}}`}}); status != http.StatusMethodNotAllowed {
		t.Errorf("a mutation by GET: %d %s", status, got)
	}
	if _, got := b.get(t, a.token, url.Values{"query": {rolesQuery}}); got != only {
		t.Errorf("a text by GET: %s", got)
	}
}

// Everything that is wrong with the operator's documents is said at once.
func TestReadDocuments(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text string
		want []string
	}{
		{`{"a": "{ __typename }"}`, nil},
		{`[]`, []string{"it is not a JSON object of documents by id"}},
		{`{"a": 1}`, []string{"it is not a JSON object of documents by id"}},
		{`{}`, []string{"it names no document"}},
		{`{"a": "{", "b": "{ nothing }", "c": "{ __typename }", "d": "{ ` + aliases(101) + `}"}`, []string{
			`document "a": input:1:2: Expected Name, found <EOF>`,
			`document "b": input:1:3: Cannot query field "nothing" on type "Query".`,
			`document "d": At most 100 aliases.`,
		}},
		{`{"a": "` + strings.Repeat(" ", 64<<10) + `{ __typename }"}`, []string{`document "a": it has 65550 bytes; a document has at most 65536`}},
	} {
		_, got := graph.ReadDocuments(strings.NewReader(row.text), graph.Defaults())
		if d := cmp.Diff(row.want, got); d != "" {
			t.Errorf("%.80s (-want +got):\n%s", row.text, d)
		}
	}
}
