package graph_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
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
