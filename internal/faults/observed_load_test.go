//go:build observed

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	loadGroups = 40
	loadUsers  = 20

	readPage = `query Page { groups(first: 25) { totalCount nodes { name members(first: 5) { nodes { user { username } } } admins { totalCount } } } }`
	readOne  = `query One { group(by: {name: "team 7"}) { name description members { totalCount nodes { user { username fullName } } } } }`
	follow   = `subscription Follow { changes { node { kind groupName } } }`
)

// load is what asks a server: readers and writers by GraphQL, streams, the five doors, webhooks, and callers who do wrong.
type load struct {
	t      *testing.T
	server *program
	beam   *beam
	hooks  *httptest.Server
	hook   string // the id of the webhook that is taken well

	unavailable [2]atomic.Int64 // refusals by the fault of the database, of GraphQL and of the doors
	delivered   atomic.Int64
	traceparent sync.Map // what the receiver of webhooks was told, by the id of the message
}

// newLoad makes groups, users, and webhooks: one that takes, one that fails, one that is gone.
func newLoad(t *testing.T, server *program, b *beam) *load {
	t.Helper()
	l := &load{t: t, server: server, beam: b}
	l.hooks = httptest.NewServer(http.HandlerFunc(l.receive))
	t.Cleanup(l.hooks.Close)
	for n := range loadUsers {
		l.must(fmt.Sprintf(`mutation MakeUser { createUser(input: {username: "user%d", fullName: "User %d"}) { user { id } } }`, n, n))
	}
	for n := range loadGroups {
		l.must(fmt.Sprintf(`mutation MakeGroup { createGroup(input: {name: "team %d", members: [{username: "user%d"}], admins: [{username: "admin"}]}) { dryRun } }`,
			n, n%loadUsers))
	}
	for _, path := range []string{"/full", "/gone", "/taken"} {
		var made struct {
			CreateWebhook struct{ Webhook struct{ ID string } }
		}
		answer := l.must(`mutation MakeWebhook { createWebhook(input: {url: "` + l.hooks.URL + path + `", filter: {kinds: [MEMBER_ADDED]}}) { webhook { id } } }`)
		if err := json.Unmarshal(answer, &made); err != nil {
			t.Fatal(err)
		}
		l.hook = made.CreateWebhook.Webhook.ID
	}
	return l
}

func (l *load) receive(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	l.traceparent.Store(r.Header.Get("webhook-id"), r.Header.Get("Traceparent"))
	switch r.URL.Path {
	case "/full":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "/gone":
		w.WriteHeader(http.StatusGone)
	default:
		l.delivered.Add(1)
	}
}

// send sends a request; an empty answer if the test is over.
func (l *load) send(ctx context.Context, method, path, body string, header map[string]string) (status int, answer []byte) {
	req, err := http.NewRequestWithContext(ctx, method, l.server.url+path, strings.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return 0, nil
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			l.t.Error(err)
		}
		return 0, nil
	}
	defer res.Body.Close()
	answer, _ = io.ReadAll(res.Body) // it breaks off at the end of the test
	return res.StatusCode, answer
}

var asAdmin = map[string]string{"Authorization": "Bearer " + adminToken, "Content-Type": "application/json"}

func (l *load) graphql(ctx context.Context, query string, header map[string]string) []byte {
	body, _ := json.Marshal(map[string]string{"query": query}) // a string is always JSON
	_, answer := l.send(ctx, http.MethodPost, "/graphql", string(body), header)
	if bytes.Contains(answer, []byte(`"UNAVAILABLE"`)) {
		l.unavailable[0].Add(1)
	}
	return answer
}

// must sends what has to succeed, and gives its data.
func (l *load) must(query string) json.RawMessage {
	l.t.Helper()
	var answer struct {
		Data   json.RawMessage
		Errors []any
	}
	text := l.graphql(l.t.Context(), query, asAdmin)
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 {
		l.t.Fatalf("%s: %v %s", query, err, text)
	}
	return answer.Data
}

// run asks for so long at least. Twice meanwhile a table is locked, until requests of either kind have failed for it.
func (l *load) run(d time.Duration) {
	l.t.Helper()
	over := time.After(d)
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	every := func(pause time.Duration, do func(n int)) {
		all.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				do(n)
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	for range 2 {
		every(10*time.Millisecond, func(int) { l.graphql(ctx, readPage, asAdmin) })
		every(5*time.Millisecond, func(int) { l.graphql(ctx, readOne, asAdmin) })
		every(time.Millisecond, func(int) { l.graphql(ctx, follow, with(asAdmin, "Accept", "text/event-stream")) }) // until the end
	}
	every(10*time.Millisecond, func(n int) { l.writes(ctx, n) })
	every(10*time.Millisecond, func(n int) { l.doors(ctx, n) })
	every(40*time.Millisecond, func(n int) { l.wrong(ctx, n) })
	every(300*time.Millisecond, func(int) {
		short, done := context.WithTimeout(ctx, 200*time.Millisecond)
		defer done()
		l.graphql(short, follow, with(asAdmin, "Accept", "text/event-stream"))
	})
	for range 2 {
		<-time.After(d / 4) // of which nothing in particular is awaited
		l.lock(ctx, &all)
	}
	<-over
	if l.delivered.Load() == 0 {
		l.t.Error("no webhook was told anything")
	}
}

func with(header map[string]string, name, value string) map[string]string {
	more := maps.Clone(header)
	more[name] = value
	return more
}

// lock keeps everybody from the groups until the database is to blame for failures of GraphQL and of a door, with more callers than connections.
func (l *load) lock(ctx context.Context, all *sync.WaitGroup) {
	l.t.Helper()
	tx, err := l.beam.BeginTx(l.t.Context(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to keep
	if _, err := tx.ExecContext(l.t.Context(), "LOCK TABLE groups IN ACCESS EXCLUSIVE MODE"); err != nil {
		l.t.Fatal(err)
	}
	before := [2]int64{l.unavailable[0].Load(), l.unavailable[1].Load()}
	for range 40 {
		all.Go(func() { l.graphql(ctx, strings.Replace(readOne, "One", "Burst", 1), asAdmin) })
	}
	poll(l.t, "a failure that is the database's", func() bool {
		return l.unavailable[0].Load() > before[0] && l.unavailable[1].Load() > before[1]
	})
}

// writes adds a member, removes another, and now and then makes a group that there is.
func (l *load) writes(ctx context.Context, n int) {
	of := fmt.Sprintf(`(input: {group: {name: "team %d"}, users: [{username: "user%d"}]}) { dryRun } }`, n%loadGroups, n/loadGroups%loadUsers)
	switch n % 8 {
	case 3:
		l.graphql(ctx, `mutation Twice { createGroup(input: {name: "team 1"}) { dryRun } }`, asAdmin)
	case 5, 7:
		l.graphql(ctx, `mutation Remove { removeMembers`+of, asAdmin)
	default:
		l.graphql(ctx, `mutation Add { addMembers`+of, asAdmin)
	}
}

// doors asks each of them in turn, also for what there is not.
func (l *load) doors(ctx context.Context, n int) {
	basic := map[string]string{"Authorization": "Basic " + basicOf("someone:"+adminToken)}
	bearer := map[string]string{"Authorization": "Bearer " + adminToken}
	ask := []struct {
		path   string
		header map[string]string
	}{
		{"/group", map[string]string{"Session-Token": adminToken}}, {"/group/team%207", map[string]string{"Session-Token": adminToken}},
		{"/v1/groups", bearer}, {"/v1/groups/none", bearer}, {"/api/web/v1/groups", map[string]string{"Authorization": adminToken}},
		{"/groups", bearer}, {"/groups/team%207/users", bearer}, {"/api/groups", basic},
	}[n%8]
	status, answer := l.send(ctx, http.MethodGet, ask.path, "", ask.header)
	switch {
	case status == http.StatusServiceUnavailable:
		l.unavailable[1].Add(1)
	case status == 0, status == http.StatusOK, status == http.StatusNotFound && strings.HasSuffix(ask.path, "none"):
	case status < 500:
		l.t.Errorf("%s: %d %s", ask.path, status, answer)
	}
}

// wrong does what is refused.
func (l *load) wrong(ctx context.Context, n int) {
	switch n % 3 {
	case 0:
		l.graphql(ctx, readOne, with(asAdmin, "Authorization", "Bearer a wrong token of some length"))
	case 1:
		l.graphql(ctx, `query Large { groups(first: 201) { nodes { id } } }`, asAdmin)
	default:
		l.send(ctx, http.MethodGet, "/group", "", nil)
	}
}
