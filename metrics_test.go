package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// admin asks the address of operators.
func (r *running) admin(t *testing.T, path string) string {
	t.Helper()
	other := *r
	other.url = r.operators(t)
	return other.get(t, path)
}

// counts waits until the metrics have the lines: a client has its answer a moment before it is counted.
func (r *running) counts(t *testing.T, lines ...string) string {
	t.Helper()
	for late := time.After(patience); ; {
		metrics, lacking := r.admin(t, "/metrics"), ""
		for _, line := range lines {
			if !strings.Contains(metrics, "\n"+line) {
				lacking = line
			}
		}
		if lacking == "" {
			return metrics
		}
		select {
		case <-late:
			t.Fatalf("the metrics lack %s:\n%s", lacking, metrics)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// What the server did is counted, by operation, route, credential and limit, on an address of its own, and under no name of a user's.
func TestMetrics(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0"})
	const group = "a_name_that_no_label_has"
	r.query(t, adminToken, `mutation Make { createGroup(input: {name: "`+group+`"}) { group { id } } }`, `"id"`)
	r.query(t, adminToken, `query Look { group(by: {name: "`+group+`"}) { name } }`, group)
	r.query(t, adminToken, `query Look { group(by: {name: "`+group+`"}) { name } }`, group)
	r.query(t, adminToken, `mutation Make { createGroup(input: {name: "`+group+`"}) { group { id } } }`, `"CONFLICT"`)
	r.query(t, adminToken, `{ viewer { roles } }`, `ADMINISTRATOR`)
	r.query(t, adminToken, `query Large { groups(first: 201) { nodes { id } } }`, `"LIMIT_EXCEEDED"`)
	r.query(t, adminToken, `query Deep { nothing }`, `GRAPHQL_VALIDATION_FAILED`)
	r.query(t, "a wrong token of some length", `{ viewer { roles } }`, `"UNAUTHENTICATED"`)
	r.query(t, "", `query Stranger { __typename }`, `"Query"`)
	r.ask(t, "GET", "/group/"+group, "", "Session-Token", adminToken)
	r.ask(t, "GET", "/group/nobodys", "", "Session-Token", adminToken)
	r.ask(t, "GET", "/group/"+group, "")
	r.ask(t, "BREW", "/group/"+group, "", "Session-Token", adminToken)
	metrics := r.counts(t,
		`roster_graphql_requests_total{code="OK",operation="Make"} 1`,
		`roster_graphql_requests_total{code="CONFLICT",operation="Make"} 1`,
		`roster_graphql_requests_total{code="OK",operation="Look"} 2`,
		`roster_graphql_request_seconds_count{operation="Look"} 2`,
		`roster_graphql_requests_total{code="OK",operation="(anonymous)"} 1`,
		`roster_graphql_requests_total{code="OK",operation="(other)"} 1`,
		`roster_graphql_requests_total{code="LIMIT_EXCEEDED",operation="Large"} 1`,
		`roster_graphql_requests_total{code="GRAPHQL_VALIDATION_FAILED",operation="(unparsed)"} 1`,
		`roster_graphql_requests_total{code="UNAUTHENTICATED",operation="(unparsed)"} 1`,
		`roster_door_requests_total{code="OK",door="cds",method="GET",route="/group/{name}"} 1`,
		`roster_door_requests_total{code="NOT_FOUND",door="cds",method="GET",route="/group/{name}"} 1`,
		`roster_door_requests_total{code="UNAUTHENTICATED",door="cds",method="GET",route="/group/{name}"} 1`,
		`roster_door_requests_total{code="NOT_FOUND",door="cds",method="",route=""} 1`,
		`roster_credentials_total{kind="user_token"} 9`,
		`roster_credentials_total{kind="none"} 1`,
		`roster_credentials_refused_total{reason="unknown"} 1`,
		`roster_credentials_refused_total{reason="missing"} 1`,
		`roster_limits_hit_total{limit="page"} 1`,
		`roster_http_requests_in_flight 0`,
		`roster_db_connections_max `,
		`roster_db_statement_seconds_count{verb="COMMIT"} `,
		`roster_db_statement_errors_total{state="23505"} 1`,
		`roster_streams_open 0`,
		`go_build_info`, `go_goroutines`, `process_resident_memory_bytes`)
	for _, data := range []string{group, `"admin"`, adminToken, "BREW", "nobodys"} {
		if strings.Contains(metrics, data) {
			t.Errorf("%q is among the metrics", data)
		}
	}
}

// Streams are counted while they are open, and why they ended.
func TestStreamMetrics(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0", "ROSTER_MAX_STREAMS": "1"})
	stream, closeIt := r.stream(t)
	r.query(t, adminToken, `mutation { createGroup(input: {name: "told"}) { group { id } } }`, `"id"`)
	for text := ""; !strings.Contains(text, "GROUP_CREATED"); {
		b := make([]byte, 4096)
		n, err := stream.Read(b)
		if text += string(b[:n]); err != nil {
			t.Fatal(text, err)
		}
	}
	r.counts(t, `roster_streams_open 1`, `roster_feed_backlog_changes 0`, `roster_feed_lag_seconds `)
	_, second := r.stream(t)
	second()
	r.stderr.find(t, `operation="subscription Follow" code=TOO_MANY_REQUESTS`)
	closeIt()
	r.stderr.find(t, `operation="subscription Follow" credential`)
	r.counts(t, `roster_streams_open 0`, `roster_streams_closed_total{reason="client"} 1`, `roster_limits_hit_total{limit="streams"} 1`,
		`roster_graphql_requests_total{code="OK",operation="Follow"} 1`, `roster_graphql_request_seconds_count{operation="Follow"} 0`, `roster_feed_lag_seconds 0`)
}

// stream opens a stream of changes.
func (r *running) stream(t *testing.T) (interface{ Read([]byte) (int, error) }, func()) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/graphql", strings.NewReader(`{"query": "subscription Follow { changes { node { kind } } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + adminToken, "Content-Type": "application/json", "Accept": "text/event-stream"} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res.Body, func() { res.Body.Close() }
}

// Metrics and profiles are nowhere to be had unless they are asked for, and then on their own address alone, without the command line.
func TestOperatorsAddress(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	paths := []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/symbol", "/debug/pprof/cmdline"}
	statuses := func(get func(*testing.T, string) string) (out string) {
		for _, path := range paths {
			out += get(t, path)[:3] + " "
		}
		return out
	}
	with := settings{"DATABASE_URL": url, "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0"}
	quiet := start(t, with)
	with["ROSTER_PPROF"] = "true"
	open := start(t, with)
	for i, got := range []string{statuses(quiet.get), statuses(quiet.admin), statuses(open.get), statuses(open.admin)} {
		want := []string{"404 404 404 404 404 ", "200 404 404 404 404 ", "404 404 404 404 404 ", "200 200 200 200 404 "}[i]
		if got != want {
			t.Errorf("%d: %s, not %s", i, got, want)
		}
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if got := open.admin(t, path); !strings.HasPrefix(got, `200 application/json {"status":"ok"`) {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := open.admin(t, "/graphql"); !strings.HasPrefix(got, "404 ") {
		t.Error(got)
	}
	taken := settings{"DATABASE_URL": url, "ROSTER_METRICS_ADDR": strings.TrimPrefix(open.operators(t), "http://")}.run(t, "", "serve")
	if taken.code != 1 || !strings.Contains(taken.stderr, "address already in use") {
		t.Errorf("%+v", taken)
	}
	off := start(t, settings{"DATABASE_URL": url})
	off.end()
	if strings.Contains(off.stderr.String(), "msg=metrics") {
		t.Error("metrics are served though nobody asked for them")
	}
}

// Statements that take long are told of, with their text where no value is in it.
func TestSlowStatements(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_SLOW_STATEMENT": "1ns"})
	r.query(t, adminToken, `{ group(by: {name: "hush hush"}) { name } }`, `{"data":{"group":null}}`)
	r.stderr.find(t, `level=WARN msg="slow statement" request_id=test statement="SELECT groups" duration_ms=[0-9.]+ failure="" text="SELECT .*\$1`)
	if strings.Contains(r.stderr.String(), "hush") {
		t.Error("a value is in the log")
	}
	quiet := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_SLOW_STATEMENT": "0s"})
	quiet.query(t, adminToken, `{ group(by: {name: "hush hush"}) { name } }`, `{"data":{"group":null}}`)
	quiet.end()
	if strings.Contains(quiet.stderr.String(), "slow") {
		t.Error("a statement is told of")
	}
}

// The log has a line for each request: which operation, by which route, how it came out, by what kind of credential.
func TestRequestLines(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken})
	r.query(t, adminToken, `query Look { viewer { roles } }`, `ADMINISTRATOR`)
	r.stderr.find(t, `msg=request request_id=test caller=admin method=POST path=/graphql status=200 duration_ms=[0-9.]+ door=graphql operation="query Look" credential=user_token\n`)
	r.query(t, adminToken, `query Look { group(by: {id: "x"}) { name } }`, `"INVALID"`)
	r.stderr.find(t, `path=/graphql status=200 duration_ms=[0-9.]+ door=graphql operation="query Look" code=INVALID credential=user_token\n`)
	r.ask(t, "GET", "/v1/groups/none", "", "Authorization", "Bearer "+adminToken)
	r.stderr.find(t, `method=GET path=/v1/groups/none status=404 duration_ms=[0-9.]+ door=authress operation=get_group route=/v1/groups/{groupId} code=NOT_FOUND credential=user_token\n`)
	r.ask(t, "BREW", "/nowhere/"+adminToken, "")
	r.stderr.find(t, `caller="" method=_OTHER path=/nowhere/… status=404 duration_ms=[0-9.]+\n`)
}

// An operation on a socket is counted and logged as a request of its own; the connection is a request as well.
func TestSocketOperationsAreSeen(t *testing.T) {
	t.Parallel()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0"})
	conn, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"X-Request-Id": {"test"}}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		res.Body.Close()
	}
	defer func() { _ = conn.CloseNow() }()
	said := ""
	say := func(text, until string) {
		t.Helper()
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(said, until) {
			_, b, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(said, err)
			}
			said += string(b)
		}
	}
	say(`{"type": "connection_init", "payload": {"token": "`+adminToken+`"}}`, "connection_ack")
	say(`{"id": "1", "type": "subscribe", "payload": {"query": "query Look { viewer { roles } }"}}`, `{"id":"1","type":"complete"}`)
	say(`{"id": "2", "type": "subscribe", "payload": {"query": "query Look { group(by: {id: \"x\"}) { name } }"}}`, `{"id":"2","type":"complete"}`)
	say(`{"id": "3", "type": "subscribe", "payload": {"query": "{ nothing }"}}`, `{"id":"3","type":"error"`)
	r.stderr.find(t, `msg=operation request_id=test caller=admin duration_ms=[0-9.]+ door=graphql operation="query Look" credential=user_token\n`)
	r.stderr.find(t, `msg=operation request_id=test caller=admin duration_ms=[0-9.]+ door=graphql operation="query Look" code=INVALID credential=user_token\n`)
	r.counts(t, `roster_graphql_requests_total{code="OK",operation="Look"} 1`, `roster_graphql_requests_total{code="INVALID",operation="Look"} 1`,
		`roster_graphql_requests_total{code="GRAPHQL_VALIDATION_FAILED",operation="(unparsed)"} 1`, `roster_graphql_request_seconds_count{operation="Look"} 2`)
	_ = conn.CloseNow()
	r.stderr.find(t, `msg=request request_id=test caller=admin method=GET path=/graphql status=101 duration_ms=[0-9.]+ credential=user_token\n`)
}
