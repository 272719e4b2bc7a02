package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"roster/internal/rostertest"
)

// sent is an answer to a request with a token of consistency; "" sends none.
func (r *running) sent(t *testing.T, method, path, consistency, body string) (status int, head http.Header, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if consistency != "" {
		req.Header.Set("X-Roster-Consistency", consistency)
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
	return res.StatusCode, res.Header, string(answer)
}

// asks is a GraphQL operation.
func (r *running) asks(t *testing.T, consistency, query string) (int, http.Header, string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return r.sent(t, http.MethodPost, "/graphql", consistency, string(body))
}

var consistencyToken = regexp.MustCompile(`"consistencyToken":"([A-Za-z0-9_-]{20,})"`)

// TestReplicas: two servers of one database with a replica. Writes tell their token, in GraphQL and behind a door; reads take it. Then the
// primary is stopped: reads are answered by the standby, through both ways in, and writes are UNAVAILABLE.
func TestReplicas(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	s := settings{"DATABASE_URL": p.PrimaryURL(), "DATABASE_REPLICA_URL": p.StandbyURL(), "ROSTER_ADMIN_TOKEN": adminToken,
		"ROSTER_REPLICA_MAX_LAG": "1h", "ROSTER_REPLICA_WAIT": "1ms"}
	one, two := start(t, s), start(t, s)
	const castle = `{ group(by: {name: "castle"}) { name } }`
	const found, none = `{"data":{"group":{"name":"castle"}}}`, `{"data":{"group":null}}`
	awaits := func(what string, r *running, query, want string) {
		t.Helper()
		p.Await(what, func() bool {
			_, _, answer := r.asks(t, "", query)
			return answer == want
		})
	}
	awaits("the first answer", two, castle, none)
	p.Sync()
	p.Pause()
	_, head, answer := one.asks(t, "", `mutation { createGroup(input: {name: "castle"}) { consistencyToken } }`)
	token := head.Get("X-Roster-Consistency")
	if m := consistencyToken.FindStringSubmatch(answer); m == nil || m[1] != token {
		t.Fatalf("a write answers %s, and the header %q", answer, token)
	}
	if _, head, answer := one.asks(t, "", `mutation { createGroup(input: {name: "dry", dryRun: true}) { consistencyToken } }`); head.Get("X-Roster-Consistency") != "" ||
		answer != `{"data":{"createGroup":{"consistencyToken":null}}}` {
		t.Errorf("a dry run answers %s, and the header %q", answer, head.Get("X-Roster-Consistency"))
	}
	for what, r := range map[string]*running{"": one, token: two} {
		if _, _, answer := r.asks(t, what, castle); answer != found {
			t.Errorf("with the token %q: %s", what, answer)
		}
	}
	awaits("a read of the replica's", two, castle, none) // whoever is patient sees it once: this server was not told
	if answer := two.overSocket(t, castle); answer != found {
		t.Errorf("over a WebSocket: %s", answer)
	}
	status, head, answer := one.sent(t, http.MethodPost, "/group", "", `{"name": "moat"}`)
	moat := head.Get("X-Roster-Consistency")
	if status/100 != 2 || moat == "" || moat == token {
		t.Errorf("a door's write: %d %s, and the header %q", status, answer, moat)
	}
	if status, _, answer := two.sent(t, http.MethodGet, "/group/moat", moat, ""); status != http.StatusOK {
		t.Errorf("a door's read with the token: %d %s", status, answer)
	}
	if status, _, answer := two.asks(t, "nonsense", castle); status != http.StatusBadRequest || !strings.Contains(answer, `"INVALID"`) {
		t.Errorf("no token: %d %s", status, answer)
	}
	if status, _, answer := two.sent(t, http.MethodGet, "/group/moat", "nonsense", ""); status != http.StatusBadRequest {
		t.Errorf("no token, behind a door: %d %s", status, answer)
	}
	p.Resume()
	awaits("the replica", two, castle, found)
	p.Await("the replica to have what the door wrote", func() bool {
		status, _, _ := two.sent(t, http.MethodGet, "/group/moat", "", "")
		return status == http.StatusOK
	})

	p.StopPrimary()
	for _, r := range []*running{one, two} {
		r.logs(t, "replicas answer reads alone")
		// A replica that did not answer a look within a second, on a busy machine, is not used for a moment.
		p.Await("a read with the primary stopped", func() bool {
			status, _, answer := r.asks(t, token, castle)
			return status == http.StatusOK && answer == found
		})
		p.Await("a door's read with the primary stopped", func() bool {
			status, _, _ := r.sent(t, http.MethodGet, "/group/moat", moat, "")
			return status == http.StatusOK
		})
		if _, head, answer := r.asks(t, "", `mutation { createGroup(input: {name: "late"}) { group { id } } }`); !strings.Contains(answer, `"UNAVAILABLE"`) || head.Get("Retry-After") == "" {
			t.Errorf("a write with the primary stopped: %s", answer)
		}
		if status, head, answer := r.sent(t, http.MethodPost, "/group", "", `{"name": "late"}`); status != http.StatusServiceUnavailable || head.Get("Retry-After") == "" {
			t.Errorf("a door's write with the primary stopped: %d %s", status, answer)
		}
		p.Await("/readyz to say that there are reads only", func() bool {
			status, _, answer := r.sent(t, http.MethodGet, "/readyz", "", "")
			return status == http.StatusOK && strings.Contains(answer, "reads only")
		})
	}
}

// overSocket is an operation over a WebSocket of its own.
func (r *running) overSocket(t *testing.T, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(r.url, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	defer func() { _ = conn.CloseNow() }()
	var answer struct{ Payload json.RawMessage }
	for _, message := range []any{
		map[string]any{"type": "connection_init", "payload": map[string]string{"Authorization": "Bearer " + adminToken}},
		map[string]any{"id": "1", "type": "subscribe", "payload": map[string]string{"query": query}},
	} {
		if err := wsjson.Write(ctx, conn, message); err != nil {
			t.Fatal(err)
		}
		if err := wsjson.Read(ctx, conn, &answer); err != nil {
			t.Fatal(err)
		}
	}
	return string(answer.Payload)
}

// TestReplicasWhileEnding: a server that is ending, and takes requests still, hears of a revocation elsewhere as it did before.
func TestReplicasWhileEnding(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	s := settings{"DATABASE_URL": p.PrimaryURL(), "DATABASE_REPLICA_URL": p.StandbyURL(), "ROSTER_ADMIN_TOKEN": adminToken,
		"ROSTER_REPLICA_MAX_LAG": "1h"}
	two := start(t, s)
	s["ROSTER_DRAIN_DELAY"] = (10 * patience).String()
	one := startProcess(t, s)
	made := one.send(t, http.MethodPost, "/graphql", adminToken, `{"query": "mutation { createToken(input: {user: {username: \"admin\"}}) { secret token { id } } }"}`)
	m := regexp.MustCompile(`"secret":"(rst_\w+)","token":{"id":"(tok_\w+)"}`).FindStringSubmatch(made)
	if m == nil {
		t.Fatal(made)
	}
	one.query(t, m[1], `{ viewer { roles } }`, `"ADMINISTRATOR"`)
	p.Sync()
	p.Pause()
	one.signal(t, syscall.SIGTERM)
	one.logs(t, "ending: readiness fails, requests are still taken")
	two.query(t, adminToken, `mutation { revokeToken(input: {token: "`+m[2]+`"}) { consistencyToken } }`, `"consistencyToken":"`)
	p.Await("the server that is ending to hear of it", func() bool {
		return strings.Contains(one.send(t, http.MethodPost, "/graphql", m[1], `{"query": "{ groups { totalCount } }"}`), `"UNAUTHENTICATED"`)
	})
	p.Resume()
	one.signal(t, syscall.SIGTERM)
	<-one.ended
}
