package graph_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/directory"
)

// transcript is what was said over a connection, with placeholders in the place of values that differ from run to run.
type transcript struct {
	t   *testing.T
	p   *placeholders
	out strings.Builder
}

func (s *transcript) sent(text string)     { s.out.WriteString("→ " + s.p.mask(text) + "\n") }
func (s *transcript) received(text string) { s.out.WriteString("← " + s.p.mask(text) + "\n") }

// compare holds the transcript to its golden file.
func (s *transcript) compare(golden string) {
	s.t.Helper()
	got := s.out.String()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		s.t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		s.t.Errorf("the conversation differs from %s (-want +got); go test ./graph -update writes it anew:\n%s", golden, d)
	}
}

// client is a WebSocket client of graphql-transport-ws.
type client struct {
	*transcript
	ctx  context.Context
	conn *websocket.Conn
}

func (a *api) dial(t *testing.T, said *transcript) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	conn, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(a.URL, "http"), &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"X-Request-Id": {"test"}}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{said, ctx, conn}
}

func (c *client) send(text string) {
	c.t.Helper()
	c.sent(text)
	if err := c.conn.Write(c.ctx, websocket.MessageText, []byte(c.p.fill(text))); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads a message, or the end of the connection.
func (c *client) receive() {
	c.t.Helper()
	_, b, err := c.conn.Read(c.ctx)
	var end websocket.CloseError
	switch {
	case errors.As(err, &end):
		c.received("closed: " + end.Error())
	case err != nil:
		c.t.Fatal(err)
	default:
		c.received(string(b))
	}
}

func (a *api) transcript(t *testing.T) *transcript {
	t.Helper()
	p := newPlaceholders(t, a)
	return &transcript{t: t, p: p}
}

const following = `subscription($after: String) { changes(after: $after, filter: {kinds: [MEMBER_ADDED]}) { cursor node { kind username groupName group { name } user { username } } } }`

func subscribe(id, after string) string {
	vars := ""
	if after != "" {
		vars = `,"variables":{"after":"` + after + `"}`
	}
	return `{"id":"` + id + `","type":"subscribe","payload":{"query":"` + strings.ReplaceAll(following, `"`, `\"`) + `"` + vars + `}}`
}

// TestSocketConversation is graphql-transport-ws from the first message to the last.
func TestSocketConversation(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	a.settle(t)
	said := a.transcript(t)
	c := a.dial(t, said)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + secrets["admin"] + `"}}`)
	c.receive()
	c.send(`{"type":"ping"}`)
	c.receive()
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"{ viewer { user { username } } }"}}`)
	c.receive()
	c.receive()
	c.send(`{"id":"2","type":"subscribe","payload":{"query":"{ nothing }"}}`)
	c.receive()
	latest := dig(t, a.ask(t, a.token, `{changes(first: 0, filter: {kinds: [MEMBER_ADDED]}) { latestCursor } }`, nil), "changes", "latestCursor").(string)
	said.p.set("{cursor:latest}", latest)
	c.send(subscribe("3", "{cursor:latest}"))
	add := func(user string) {
		a.ask(t, a.token, `mutation($u: String!) { createGroup(input: {name: $u}) { group { id } } addMembers(input: {group: {name: $u}, users: [{username: $u}]}) { dryRun } }`, m{"u": user})
	}
	add("ada")
	c.receive()
	add("dan")
	c.receive()
	c.send(`{"id":"3","type":"complete"}`)
	c.send(subscribe("4", "{cursor:1}"))
	c.receive()
	c.send(subscribe("5", "nonsense"))
	c.receive()
	a.exec(t, `UPDATE tokens SET revoked_at = now() WHERE description = 'The first administrator' OR first_admin`)
	c.receive()
	c.receive()
	said.compare("testdata/stream_socket.txt")
}

// TestSocketCloses: each mistake has its own code.
func TestSocketCloses(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	said := a.transcript(t)
	init := `{"type":"connection_init","payload":{"token":"` + secrets["admin"] + `"}}`
	for _, messages := range [][]string{
		{"nonsense"}, {`{"type":"nonsense"}`}, {`{"id":"1","type":"subscribe","payload":{"query":"{viewer{roles}}"}}`}, {`{"type":"connection_init"}`},
		{`{"type":"connection_init","payload":{"token":"` + strings.Repeat("x", 40) + `"}}`}, {`{"type":"connection_init","payload":[]}`},
		{init, init}, {init, `{"type":"nonsense"}`}, {init, `{"type":"subscribe","payload":{}}`}, {init, subscribe("1", ""), subscribe("1", "")},
	} {
		c := a.dial(t, said)
		for _, text := range messages {
			c.send(text)
			if text == init && len(messages) > 1 && c.acknowledged() {
				continue
			}
		}
		c.receive()
	}
	said.compare("testdata/stream_closes.txt")
}

// acknowledged reads the answer to connection_init, once.
func (c *client) acknowledged() bool {
	if strings.Count(c.out.String()[max(0, strings.LastIndex(c.out.String(), "\n← closed")):], "connection_ack") > 0 {
		return true
	}
	c.receive()
	return true
}

// eventStream asks for events.
func (a *api) eventStream(t *testing.T, method, query string, variables string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	target, body := a.URL, io.Reader(nil)
	if method == http.MethodGet {
		target += "?" + url.Values{"query": {query}, "variables": {variables}}.Encode()
	} else {
		body = strings.NewReader(`{"query":"` + strings.ReplaceAll(query, `"`, `\"`) + `","variables":` + variables + `}`)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("X-Request-Id", "test")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// TestEventConversation is the same as server-sent events.
func TestEventConversation(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	a.settle(t)
	said := a.transcript(t)
	latest := dig(t, a.ask(t, a.token, `{changes(first: 0, filter: {kinds: [MEMBER_ADDED]}) { latestCursor } }`, nil), "changes", "latestCursor").(string)
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		res := a.eventStream(t, method, following, `{"after":"`+latest+`"}`)
		said.sent(method + " of a subscription")
		said.received(res.Status + " " + res.Header.Get("Content-Type") + " " + res.Header.Get("Cache-Control"))
		lines := bufio.NewReader(res.Body)
		if method == http.MethodPost {
			a.ask(t, a.token, `mutation { createGroup(input: {name: "new"}) { group { id } } addMembers(input: {group: {name: "new"}, users: [{username: "ada"}]}) { dryRun } }`, nil)
		}
		for range 5 {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			said.received(strings.TrimSuffix(line, "\n"))
		}
	}
	for _, row := range []struct{ query, variables string }{
		{`{ viewer { user { username } } }`, `{}`}, {`{ nothing }`, `{}`}, {following, `{"after":"nonsense"}`},
	} {
		res := a.eventStream(t, http.MethodPost, row.query, row.variables)
		said.sent(row.query)
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		said.received(res.Status + "\n" + string(b))
	}
	_, body := a.post(t, a.token, following, nil)
	said.sent("POST of a subscription without Accept: text/event-stream")
	said.received(string(body))
	said.compare("testdata/stream_events.txt")
}

// TestStreamsEndWithTheServer: when the server is ending, streams of both kinds end at once, and nothing of them is left.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	closing := make(chan struct{})
	h := graph.NewHandler(graph.HandlerConfig{Directory: a.dir, Log: slog.New(slog.DiscardHandler), Closing: closing})
	a.Server = httptest.NewServer(auth.RequestIDs(h))
	defer a.Close()
	said := a.transcript(t)
	c := a.dial(t, said)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + a.token + `"}}`)
	c.receive()
	c.send(subscribe("1", ""))
	res := a.eventStream(t, http.MethodPost, following, `{}`)
	close(closing)
	c.receive()
	b, _ := io.ReadAll(res.Body)
	if got := said.out.String(); !strings.HasSuffix(got, "← closed: status = StatusGoingAway and reason = \"The server is ending\"\n") {
		t.Errorf("the socket ends with\n%s", got)
	}
	if string(b) != ":\n\n" {
		t.Errorf("the events end with %q", b)
	}
	for ctx := c.ctx; strings.Contains(stacks(), "roster/graph.(*socket)"); {
		if ctx.Err() != nil {
			t.Fatal("something of the socket is left:\n" + stacks())
		}
		runtime.Gosched()
	}
}

// TestWritesAsEventsOutliveTheEnd: what is no stream is under way when the server is ending, and is answered.
func TestWritesAsEventsOutliveTheEnd(t *testing.T) {
	t.Parallel()
	closing := make(chan struct{})
	var once sync.Once
	a := organised(t, db.Options{OnStatement: func(ctx context.Context, text string) {
		if !strings.Contains(text, "INSERT INTO groups") {
			return
		}
		once.Do(func() {
			close(closing)
			select {
			case <-ctx.Done():
				t.Error("the write is cut off")
			case <-time.After(300 * time.Millisecond):
			}
		})
	}})
	h := graph.NewHandler(graph.HandlerConfig{Directory: a.dir, Log: slog.New(slog.DiscardHandler), Closing: closing})
	a.Server = httptest.NewServer(auth.RequestIDs(h))
	defer a.Close()
	b, err := io.ReadAll(a.eventStream(t, http.MethodPost, `mutation { createGroup(input: {name: "new"}) { group { name } } }`, `{}`).Body)
	if got := string(b); err != nil || !strings.Contains(got, `{"group":{"name":"new"}}`) || !strings.HasSuffix(got, "event: complete\ndata:\n\n") {
		t.Errorf("it is answered %q, %v", got, err)
	}
	if b, _ := io.ReadAll(a.eventStream(t, http.MethodPost, following, `{}`).Body); strings.Contains(string(b), "complete") {
		t.Errorf("a stream that begins when the server is ending says %q", b)
	}
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// TestSubscriptionsAreAdmitted: the server may refuse one more, and hears when one has ended.
func TestSubscriptionsAreAdmitted(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	places := make(chan struct{}, 1)
	h := graph.NewHandler(graph.HandlerConfig{Directory: a.dir, Log: slog.New(slog.DiscardHandler), Admit: func(by directory.Caller) (func(), error) {
		select {
		case places <- struct{}{}:
			return func() { <-places }, nil
		default:
			return nil, &directory.Error{Code: directory.TooManyRequests, Message: "One at a time."}
		}
	}})
	a.Server = httptest.NewServer(auth.RequestIDs(h))
	defer a.Close()
	said := a.transcript(t)
	c := a.dial(t, said)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + a.token + `"}}`)
	c.receive()
	places <- struct{}{}
	c.send(subscribe("1", ""))
	c.receive()
	<-places
	c.send(subscribe("2", "nonsense"))
	c.receive()
	c.send(subscribe("3", "nonsense"))
	c.receive()
	if got := said.out.String(); strings.Count(got, "One at a time.") != 1 || strings.Count(got, "This is not a cursor of this list.") != 2 {
		t.Error(got)
	}
}

// TestHeadOfEventsSaysThatNothingIsMissed: whoever has the head of the answer has its place in the log, so that what is written from then on
// comes. The look for that place waits for a head that would come too early.
func TestHeadOfEventsSaysThatNothingIsMissed(t *testing.T) {
	t.Parallel()
	var looked atomic.Int64
	head := make(chan struct{})
	a := newAPI(t, db.Options{OnStatement: func(_ context.Context, text string) {
		if !strings.Contains(text, "changes_horizon") || looked.Add(1) > 1 {
			return
		}
		select {
		case <-head:
			t.Error("the head came before there was a place")
		case <-time.After(300 * time.Millisecond):
		}
	}})
	res := a.eventStream(t, http.MethodPost, `subscription { changes { node { kind } } }`, `{}`)
	close(head)
	if looked.Load() == 0 {
		t.Error("nobody has looked where the log is")
	}
	a.ask(t, a.token, `mutation { createGroup(input: {name: "new"}) { dryRun } }`, nil)
	for lines := bufio.NewScanner(res.Body); ; {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		if strings.Contains(lines.Text(), "GROUP_CREATED") {
			return
		}
	}
}
