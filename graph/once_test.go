package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
)

// under sends an operation under an Idempotency-Key.
func (a *api) under(t testing.TB, key, token, query string, variables any) (answer, string) {
	t.Helper()
	body, err := json.Marshal(m{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return a.underRaw(t, key, token, body)
}

func (a *api) underRaw(t testing.TB, key, token string, body []byte) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Idempotency-Key", key)
	_, b := a.do(t, req)
	var got answer
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return got, string(b)
}

// text is the one value that a query answers.
func (a *api) text(t testing.TB, query string, args ...any) (v string) {
	t.Helper()
	if err := a.sql.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

const makeGroup = `mutation($n: String!) { createGroup(input: {name: $n}) { dryRun group { id number name version createdAt admins(first: 3) { nodes { user { username } } } } changes { kind at requestId } } }`

// code is the one error's code and field.
func (a answer) code() string {
	if len(a.Errors) != 1 {
		return fmt.Sprintf("%d errors", len(a.Errors))
	}
	return a.Errors[0].Extensions.Code + " " + a.Errors[0].Extensions.Field
}

// TestOnce: a repetition is answered to the byte what the first was, and writes nothing.
func TestOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	_, first := a.under(t, "k", a.token, makeGroup, m{"n": "eng"})
	if !strings.Contains(first, `"name":"eng"`) {
		t.Fatal(first)
	}
	a.ask(t, a.token, `mutation { updateGroup(input: {group: {name: "eng"}, name: "Engineering"}) { dryRun } }`, nil)
	before := a.dump(t)
	for _, key := range []string{"k", `"k"`} {
		if _, again := a.under(t, key, a.token, makeGroup, m{"n": "eng"}); again != first {
			t.Errorf("under %s again:\n%s\nfirst:\n%s", key, again, first)
		}
	}
	if a.dump(t) != before {
		t.Error("a repetition wrote something")
	}
	other := a.ask(t, a.token, `mutation { createUser(input: {username: "other", roles: [ADMINISTRATOR]}) { user { id } } createToken(input: {user: {username: "other"}}) { secret } }`, nil)
	for name, row := range map[string]struct{ key, token, query, name, want string }{
		"another body":     {"k", a.token, makeGroup, "ops", "CONFLICT Idempotency-Key"},
		"another document": {"k", a.token, strings.Replace(makeGroup, "createGroup", "b: createGroup", 1), "eng", "CONFLICT Idempotency-Key"},
		"another caller":   {"k", dig(t, other, "createToken", "secret").(string), makeGroup, "eng2", "0 errors"},
		"another key":      {"l", a.token, makeGroup, "eng3", "0 errors"},
		"no key":           {"", a.token, makeGroup, "eng4", "0 errors"},
	} {
		key := row.key
		if key == "" {
			if got := a.try(t, row.token, row.query, m{"n": row.name}).code(); got != row.want {
				t.Errorf("%s: %s, want %s", name, got, row.want)
			}
			continue
		}
		if got, _ := a.under(t, key, row.token, row.query, m{"n": row.name}); got.code() != row.want {
			t.Errorf("%s: %s, want %s", name, got.code(), row.want)
		}
	}
	if n := a.text(t, `SELECT count(*) FROM groups WHERE name = 'ops'`); n != "0" {
		t.Error("another body under the same key was done")
	}
}

// TestOnceRefused: a request that was refused leaves its key free.
func TestOnceRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	const add = `mutation { addMembers(input: {group: {name: "eng"}, users: [{username: "ann"}]}) { outcomes { username result } } }`
	if got, _ := a.under(t, "k", a.token, add, nil); got.code() != "NOT_FOUND input.group" {
		t.Fatal(got.code())
	}
	a.ask(t, a.token, `mutation { createGroup(input: {name: "eng"}) { dryRun } createUser(input: {username: "ann"}) { dryRun } }`, nil)
	const want = `{"data":{"addMembers":{"outcomes":[{"username":"ann","result":"ADDED"}]}}}`
	for range 2 {
		if _, got := a.under(t, "k", a.token, add, nil); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got, _ := a.under(t, strings.Repeat("k", 256), a.token, add, nil); got.code() != "INVALID Idempotency-Key" {
		t.Errorf("a key that is too long: %s", got.code())
	}
	// A dry run does nothing, however often, and keeps nothing.
	const dry = `mutation { createGroup(input: {name: "new", dryRun: true}) { dryRun } }`
	for range 2 {
		if got, _ := a.under(t, "dry", a.token, dry, nil); got.code() != "0 errors" {
			t.Errorf("a dry run: %s", got.code())
		}
	}
	if n := a.text(t, `SELECT count(*) FROM idempotency_keys WHERE key = 'dry'`); n != "0" {
		t.Error("a dry run was kept")
	}
}

// TestOnceInPlaces: each root field of a request is done once, also if one of them was refused the first time; variables and
// documents are what they say, not how they are spelt.
func TestOnceInPlaces(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	const both = `mutation($x: String!, $y: String!) { a: createGroup(input: {name: $x}) { group { id } } b: createGroup(input: {name: $y}) { group { id } } }`
	got, _ := a.under(t, "k", a.token, both, m{"x": "one", "y": "one"})
	if len(got.Errors) != 1 {
		t.Fatalf("%+v", got)
	}
	a.ask(t, a.token, `mutation { updateGroup(input: {group: {name: "one"}, name: "uno"}) { dryRun } }`, nil)
	again, _ := a.under(t, "k", a.token, both, m{"x": "one", "y": "one"})
	if len(again.Errors) != 0 {
		t.Fatalf("the second half is refused still: %+v", again.Errors)
	}
	if n := a.text(t, `SELECT string_agg(name, ' ' ORDER BY number) FROM groups`); n != "uno one" {
		t.Errorf("the groups are %s", n)
	}
	_, third := a.under(t, "k", a.token, both, m{"y": "one", "x": "one"})
	spelt, err := json.Marshal(both)
	if err != nil {
		t.Fatal(err)
	}
	_, fourth := a.underRaw(t, "k", a.token, []byte(`{ "variables" : {"y":"one", "x":"on\u0065"} , "query":`+string(spelt)+`}`))
	if third != fourth || strings.Contains(third, "errors") {
		t.Errorf("%s\n%s", third, fourth)
	}
}

// TestOnceTogether: of many requests under one key at once, one is done and all hear of it.
func TestOnceTogether(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"create":  makeGroup,
		"add":     `mutation($n: String!) { addMembers(input: {group: {handle: "club"}, users: [{username: $n}]}) { outcomes { result } changes { kind } group { version memberCount } } }`,
		"delete":  `mutation($n: String!) { deleteUser(input: {user: {username: $n}}) { deletedId changes { kind username } } }`,
		"restore": `mutation($n: String!) { restoreGroup(input: {group: {handle: "past"}, name: $n}) { group { name version } changes { kind } } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, db.Options{})
			a.ask(t, a.token, `mutation { createGroup(input: {name: "club", handle: "club"}) { dryRun } createUser(input: {username: "ann"}) { dryRun }
				past: createGroup(input: {name: "past", handle: "past", admins: []}) { dryRun } deleteGroup(input: {group: {handle: "past"}}) { dryRun } }`, nil)
			before := a.text(t, `SELECT count(*) FROM changes`)
			var all sync.WaitGroup
			start, answers := make(chan struct{}), make([]string, 16)
			for i := range answers {
				all.Go(func() {
					<-start
					_, answers[i] = a.under(t, "k", a.token, query, m{"n": "ann"})
				})
			}
			close(start)
			all.Wait()
			for i, got := range answers {
				if got != answers[0] || strings.Contains(got, "errors") {
					t.Errorf("answer %d is %s\nthe first %s", i, got, answers[0])
				}
			}
			wrote := map[string]string{"create": "2", "add": "1", "delete": "1", "restore": "1"}[name]
			if n := a.text(t, `SELECT count(*) - $1::int FROM changes`, before); n != wrote {
				t.Errorf("%s changes, want %s", n, wrote)
			}
		})
	}
}

// TestOnceSecret: a secret is answered once and kept nowhere.
func TestOnceSecret(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	const mint = `mutation { createToken(input: {description: "CI"}) { secret token { id } } }`
	got, first := a.under(t, "k", a.token, mint, nil)
	secret, id := dig(t, got.Data, "createToken", "secret").(string), dig(t, got.Data, "createToken", "token", "id").(string)
	again, body := a.under(t, "k", a.token, mint, nil)
	if again.code() != "CONFLICT Idempotency-Key" || !strings.Contains(body, id) || strings.Contains(body, secret) {
		t.Errorf("first %s, again %s", first, body)
	}
	if n := a.text(t, `SELECT count(*) FROM tokens WHERE description = 'CI'`); n != "1" {
		t.Errorf("%s tokens", n)
	}
	if n := a.text(t, `SELECT count(*) FROM idempotency_answers WHERE answer IS NOT NULL`); n != "0" {
		t.Error("the answer was kept")
	}
	const rotate = `mutation($t: ID!) { rotateToken(input: {token: $t}) { secret } }`
	if got, _ := a.under(t, "r", a.token, rotate, m{"t": id}); got.code() != "0 errors" {
		t.Error(got.code())
	}
	prefix := a.text(t, `SELECT encode(hash, 'hex') FROM tokens WHERE description = 'CI'`)
	if got, _ := a.under(t, "r", a.token, rotate, m{"t": id}); got.code() != "CONFLICT Idempotency-Key" {
		t.Error(got.code())
	}
	if a.text(t, `SELECT encode(hash, 'hex') FROM tokens WHERE description = 'CI'`) != prefix {
		t.Error("a repetition rotated the token again")
	}
}

// TestOnceLives: a key is good for a day, and then it is as if it had never been.
func TestOnceLives(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	_, first := a.under(t, "k", a.token, makeGroup, m{"n": "eng"})
	age := func(by string) {
		a.exec(t, `UPDATE idempotency_keys SET created_at = created_at - $1::interval`, by)
	}
	age("23 hours 50 minutes")
	if _, again := a.under(t, "k", a.token, makeGroup, m{"n": "eng"}); again != first {
		t.Errorf("after less than a day: %s", again)
	}
	age("20 minutes")
	if got, _ := a.under(t, "k", a.token, makeGroup, m{"n": "eng"}); got.code() != "CONFLICT input.name" {
		t.Errorf("after a day: %s", got.code())
	}
	if got, _ := a.under(t, "k", a.token, makeGroup, m{"n": "ops"}); got.code() != "0 errors" {
		t.Errorf("another request under a key that is free: %s", got.code())
	}
	a.under(t, "l", a.token, makeGroup, m{"n": "web"})
	a.exec(t, `UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE key = 'k'`)
	if n, err := a.dir.SweepKeys(t.Context()); n != 1 || err != nil {
		t.Errorf("the sweep drops %d, %v", n, err)
	}
	if n := a.text(t, `SELECT string_agg(key, ' ') FROM idempotency_answers`); n != "l" {
		t.Errorf("left are the answers of %s", n)
	}
}

// TestOnceCrash: an answer that never reached the client is answered to its next try, and the write is there once.
func TestOnceCrash(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	h := auth.RequestIDs(graph.NewHandler(graph.HandlerConfig{Directory: a.dir, Log: slog.New(slog.DiscardHandler)}))
	var dying atomic.Bool
	dying.Store(true)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(crashing{w, &dying}, r)
	}))
	t.Cleanup(a.Close)
	body, err := json.Marshal(m{"query": makeGroup, "variables": m{"n": "eng"}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil // or Go's client tries again by itself
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Idempotency-Key", "k")
	if res, err := a.Client().Do(req); err == nil {
		_ = res.Body.Close()
		t.Fatal("the first answer arrived")
	}
	if n := a.text(t, `SELECT count(*) FROM groups`); n != "1" {
		t.Fatalf("%s groups after the crash", n)
	}
	dying.Store(false)
	before := a.dump(t)
	got, again := a.under(t, "k", a.token, makeGroup, m{"n": "eng"})
	if got.code() != "0 errors" || !strings.Contains(again, a.text(t, `SELECT '"number":' || number FROM groups`)) {
		t.Errorf("after the crash: %s", again)
	}
	if a.dump(t) != before {
		t.Error("it was done again")
	}
}

// crashing is an answer that dies with its connection before its first byte.
type crashing struct {
	http.ResponseWriter
	dying *atomic.Bool
}

func (c crashing) WriteHeader(status int) {
	if c.dying.Load() {
		panic(http.ErrAbortHandler)
	}
	c.ResponseWriter.WriteHeader(status)
}

// TestOnceWebhook: neither is a webhook's, and a test is sent once.
func TestOnceWebhook(t *testing.T) {
	t.Parallel()
	a := newAPI(t, db.Options{})
	const make = `mutation { createWebhook(input: {url: "https://example.org"}) { secret webhook { id } } }`
	got, first := a.under(t, "k", a.token, make, nil)
	secret, id := dig(t, got.Data, "createWebhook", "secret").(string), dig(t, got.Data, "createWebhook", "webhook", "id").(string)
	again, body := a.under(t, "k", a.token, make, nil)
	if again.code() != "CONFLICT Idempotency-Key" || !strings.Contains(body, id) || strings.Contains(body, secret) {
		t.Errorf("first %s, again %s", first, body)
	}
	if n := a.text(t, `SELECT (SELECT count(*) FROM webhooks) || ' ' || (SELECT count(*) FROM idempotency_answers WHERE answer IS NOT NULL)`); n != "1 0" {
		t.Errorf("%s webhooks and answers kept", n)
	}
	const test = `mutation($w: ID!) { testWebhook(input: {webhook: $w}) { delivery { id } } }`
	_, sent := a.under(t, "t", a.token, test, m{"w": id})
	if _, resent := a.under(t, "t", a.token, test, m{"w": id}); resent != sent || a.text(t, `SELECT sent FROM webhooks`) != "1" {
		t.Errorf("a test is answered %s and then %s", sent, resent)
	}
}
