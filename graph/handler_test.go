package graph_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// api is a GraphQL server on a database of the test's own.
type api struct {
	*httptest.Server
	dir   *directory.Service
	token string
}

func newAPI(t testing.TB, o db.Options) *api {
	t.Helper()
	dir := rostertest.DirectoryOn(t, rostertest.Store(t, o))
	h := graph.NewHandler(graph.HandlerConfig{Directory: dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Introspection: true})
	srv := httptest.NewServer(auth.RequestIDs(h))
	t.Cleanup(srv.Close)
	return &api{Server: srv, dir: dir, token: rostertest.AdminSecret}
}

// post sends an operation and answers the status and the body.
func (a *api) post(t testing.TB, token, query string, variables map[string]any) (int, []byte) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", "test")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := a.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

func TestSmoke(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	for _, q := range []string{
		`{viewer{user{username roles} permissions token{prefix status}}}`,
		`mutation{createUser(input:{username:"bob"}){user{id username number} changes{kind actor}}}`,
		`mutation{createGroup(input:{name:"eng",public:true,members:[{username:"bob"}],tags:[{key:"a",value:"b"}]}){group{id name memberCount adminCount version members{totalCount nodes{isAdmin user{username}}} tags{key value}} changes{kind username after}}}`,
		`{groups{totalCount edges{cursor node{name viewerCan{edit} admins{nodes{user{username} grantedBy{username}}} members(filter:{search:"B"}){totalCount edges{node{user{username groups{nodes{name}}}}}}}} pageInfo{hasNextPage endCursor}}}`,
		`mutation{addMembers(input:{group:{name:"ENG"},users:[{username:"bob"},{username:"zed"}],onUnknownUser:CREATE}){group{version memberCount} outcomes{username result user{id}} changes{kind}}}`,
		`mutation{removeAdmins(input:{group:{name:"ENG"},users:[{username:"admin"}]}){group{version}}}`,
		`{changes{edges{cursor node{id kind groupName username}} pageInfo{endCursor}}}`,
		`{checkMemberships(pairs:[{group:{name:"eng"},user:{username:"BOB"}},{group:{name:"eng"},user:{username:"nobody"}}]){group user isMember isAdmin}}`,
		`{explainAccess(operation:MEMBERS_EDIT,group:{name:"eng"}){allowed rule because}}`,
		`mutation{createToken(input:{group:{name:"eng"},expiration:DAILY}){secret token{scopes owner{__typename ... on Group{name}}}}}`,
		`{tokens(orderBy:[{field:EXPIRES_AT,direction:DESC}]){nodes{prefix owner{... on User{username} ... on Group{name}}}}}`,
		`mutation{setUserGroups(input:{user:{username:"bob"},groups:[]}){user{username} outcomes{result groupId group{name}}}}`,
		`mutation{deleteGroup(input:{group:{name:"eng"},dryRun:true}){deletedId dryRun changes{kind before}}}`,
	} {
		status, body := a.post(t, a.token, q, nil)
		t.Logf("%s\n%d %s", q, status, body)
	}
}
