package graph_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
)

// begun is a client after connection_init.
func (a *api) begun(t *testing.T, said *transcript, token string) *client {
	t.Helper()
	c := a.dial(t, said)
	c.send(`{"type":"connection_init","payload":{"token":"` + token + `"}}`)
	c.receive()
	return c
}

func operation(id, query string) string {
	return `{"id":"` + id + `","type":"subscribe","payload":{"query":"` + query + `"}}`
}

// TestOperationsOutOfTime: an operation whose time is over before it runs, for which gqlgen has no response, ends for itself alone.
func TestOperationsOutOfTime(t *testing.T) {
	t.Parallel()
	limits := graph.Defaults()
	limits.Timeout = time.Nanosecond
	a := organised(t, db.Options{}).configured(t, graph.HandlerConfig{Limits: limits})
	said := a.transcript(t)
	c := a.begun(t, said, a.token)
	for range 2 {
		c.send(operation("1", `{ __typename }`))
		c.receive()
	}
	if got := said.out.String(); strings.Count(got, `← {"id":"1","type":"error"`) != 2 || strings.Count(got, `"code":"UNAVAILABLE"`) != 2 {
		t.Errorf("%s", got)
	}
	a.token = "" // whose authentication takes no time
	b, err := io.ReadAll(a.eventStream(t, http.MethodPost, `{ __typename }`, `{}`).Body)
	if err != nil || !strings.Contains(string(b), `"code":"UNAVAILABLE"`) || !strings.HasSuffix(string(b), "event: complete\ndata:\n\n") {
		t.Errorf("events: %v %s", err, b)
	}
}

// TestPanicsEndTheConnection: what panics in an operation is logged, and costs the connection, not the server.
func TestPanicsEndTheConnection(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	var log bytes.Buffer
	h := graph.NewHandler(graph.HandlerConfig{Directory: a.dir, Log: slog.New(slog.NewTextHandler(&log, nil)), Admit: func(directory.Caller) (func(), error) { panic("admit") }})
	a.Server = httptest.NewServer(auth.RequestIDs(h))
	defer a.Close()
	said := a.transcript(t)
	c := a.begun(t, said, a.token)
	c.send(subscribe("1", ""))
	c.receive()
	a.Close()
	if got := said.out.String(); !strings.HasSuffix(got, "← closed: status = StatusInternalError and reason = \"Something went wrong on our side\"\n") || !strings.Contains(log.String(), "admit") {
		t.Errorf("%s\n%s", got, &log)
	}
}

// TestAnIdIsFreeAfterComplete: a client may complete an operation and use its id at once.
func TestAnIdIsFreeAfterComplete(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	said := a.transcript(t)
	c := a.begun(t, said, a.token)
	for range 2 * 100 { // twice what may run at once
		c.send(subscribe("1", ""))
		c.send(`{"id":"1","type":"complete"}`)
		c.send(operation("1", `{ viewer { roles } }`))
		c.receive()
		c.receive()
	}
	want := "← {\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{\"viewer\":{\"roles\":[\"ADMINISTRATOR\"]}}}}\n← {\"id\":\"1\",\"type\":\"complete\"}\n"
	if got := said.out.String(); strings.Count(got, want) != 2*100 {
		t.Errorf("%d of 200:\n%.2000s", strings.Count(got, want), got)
	}
}

// TestOperationsOfASocketCost: each costs its price, as if it came by a request of its own.
func TestOperationsOfASocketCost(t *testing.T) {
	t.Parallel()
	at := time.Unix(1e9, 0)
	a := organised(t, db.Options{}).configured(t, graph.HandlerConfig{Budget: limit.NewBudget(5, func() time.Time { return at })})
	said := a.transcript(t)
	c := a.begun(t, said, a.token)
	for _, query := range []string{`{ __typename }`, `{ viewer { roles } }`, `{ nothing }`} { // 1 + 2 + 1
		c.send(operation("1", query))
		c.receive()
		if query != `{ nothing }` {
			c.receive()
		}
	}
	before := said.out.Len()
	c.send(operation("1", `{ __typename }`))
	c.receive()
	c.receive()
	c.send(operation("1", `{ __typename }`))
	c.receive()
	if got := said.out.String(); strings.Contains(got[:before], "TOO_MANY") || !strings.Contains(got[before:], `"code":"TOO_MANY_REQUESTS"`) {
		t.Error(got)
	}
}

// TestDocumentsOverEvents: documents are named as over plain HTTP, by POST and by GET.
func TestDocumentsOverEvents(t *testing.T) {
	t.Parallel()
	named, problems := graph.ReadDocuments(strings.NewReader(`{"roles": "`+rolesQuery+`"}`), graph.Defaults())
	if problems != nil {
		t.Fatal(problems)
	}
	a := organised(t, db.Options{}).configured(t, graph.HandlerConfig{Documents: named, AdHoc: graph.Nobody})
	extension, err := json.Marshal(persisted(rolesQuery))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ method, query, body string }{
		{http.MethodPost, "", `{"documentId": "roles"}`}, {http.MethodPost, "", `{"id": "roles"}`}, {http.MethodPost, "", `{"extensions": ` + string(extension) + `}`},
		{http.MethodGet, "?documentId=roles", ""}, {http.MethodGet, "?extensions=" + url.QueryEscape(string(extension)), ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), row.method, a.URL+row.query, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + a.token}}
		if _, got := a.do(t, req); string(got) != ":\n\nevent: next\ndata: "+roles+"\n\nevent: complete\ndata:\n\n" {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

// TestFormerAdministrators: what is for administrators is not for who was one when last met.
func TestFormerAdministrators(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	b := a.configured(t, graph.HandlerConfig{Introspection: graph.Administrators})
	c := a.configured(t, graph.HandlerConfig{AdHoc: graph.Administrators})
	b.ask(t, a.token, `{ __schema { queryType { name } } }`, nil)
	c.ask(t, a.token, `{ __typename }`, nil)
	a.exec(t, `UPDATE users SET roles = '{}'`)
	if got := b.try(t, a.token, `{ grops { totalCount } }`, nil); strings.Contains(got.Errors[0].Message, "Did you mean") {
		t.Errorf("is told what might have been meant: %+v", got)
	}
	if got := c.try(t, a.token, `{ __typename }`, nil); len(got.Errors) != 1 || got.Errors[0].Extensions.Code != "FORBIDDEN" {
		t.Errorf("may send documents: %+v", got)
	}
	a.exec(t, `UPDATE users SET roles = '{ADMINISTRATOR}'`)
	b.ask(t, a.token, `{ __schema { queryType { name } } }`, nil)
	a.exec(t, `UPDATE users SET roles = '{}'`)
	if got := b.try(t, a.token, `{ __schema { queryType { name } } }`, nil); len(got.Errors) != 1 || got.Errors[0].Extensions.Code != "FORBIDDEN" {
		t.Errorf("may read the schema: %+v", got)
	}
}

// TestEventsByGetChangeNothing: a GET runs no mutation, in whatever form its answer is asked for.
func TestEventsByGetChangeNothing(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	query := `mutation { createUser(input: {username: "got"}) { user { username } } }`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+"?query="+url.QueryEscape(query), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer " + a.token}}
	if _, got := a.do(t, req); !strings.Contains(string(got), "Send mutations by POST") {
		t.Errorf("%s", got)
	}
	if data := a.ask(t, a.token, `{ user(by: {username: "got"}) { id } }`, nil); data["user"] != nil {
		t.Errorf("it was made: %v", data)
	}
}
