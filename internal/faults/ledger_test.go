//go:build faults

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadline is a client's: later than any of the server's own.
const deadline = 40 * time.Second

// entry is a write that was sent.
type entry struct {
	request string // its id
	group   string // the group that it makes, or puts three members into
	kind    string
	acked   bool
	refused bool // by an answer: UNAVAILABLE
}

// How many rows each kind of write leaves: all, or none.
var whole = map[string]int{"createGroup": 4, "addMembers": 3, "cds": 2}

// ledger is what clients of a server did, and what came of it.
type ledger struct {
	t      *testing.T
	server func() string // its address
	client *http.Client

	mu       sync.Mutex
	grown    chan struct{} // closed at the next change
	entries  []*entry
	sent     int // reads, too
	acked    int
	refused  int // UNAVAILABLE, with when to come again
	broken   int // no answer: the connection broke
	late     int // no answer by the deadline
	wrong    []string
	stop     context.CancelFunc
	clients  sync.WaitGroup
	mayBreak bool // the server is killed: connections break
	serial   int
}

// newLedger makes the users whom the writes are about. server says where the server is now.
func newLedger(t *testing.T, server func() string) *ledger {
	t.Helper()
	l := &ledger{t: t, server: server, grown: make(chan struct{}), client: &http.Client{Timeout: deadline, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(l.client.CloseIdleConnections)
	for i := range 6 {
		if code, answer := l.graphql(fmt.Sprintf("user-%d", i), fmt.Sprintf(`mutation { createUser(input: {username: "u%d"}) { user { username } } }`, i)); code != "" {
			t.Fatal(code, answer)
		}
	}
	return l
}

// load begins n clients that write and read, until halt.
func (l *ledger) load(n int) {
	ctx, stop := context.WithCancel(l.t.Context())
	l.stop = stop
	for i := range n {
		l.clients.Go(func() {
			for step := 0; ctx.Err() == nil; step++ {
				if !l.act(i + step) {
					select { // a client that heard no waits before it comes again
					case <-ctx.Done():
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		})
	}
}

// halt ends the clients after what they have under way.
func (l *ledger) halt() {
	l.stop()
	l.clients.Wait()
}

// act sends one request and enters it. It reports whether it was acknowledged.
func (l *ledger) act(which int) bool {
	e := l.enter([]string{"createGroup", "cds", "addMembers", "read"}[which%4])
	code, answer := l.send(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		close(l.grown)
		l.grown = make(chan struct{})
	}()
	switch code {
	case "":
		l.acked++
		e.acked = true
	case "UNAVAILABLE":
		l.refused++
		e.refused = true
	case "BROKEN":
		l.broken++
	case "LATE":
		l.late++
	default:
		l.wrong = append(l.wrong, e.kind+": "+code+" "+answer)
	}
	return code == ""
}

// enter makes the entry of the next request. Members go into a group that is known to be there.
func (l *ledger) enter(kind string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	e := &entry{request: fmt.Sprintf("request-%d", l.serial), group: fmt.Sprintf("g%d", l.serial), kind: kind}
	l.sent++
	if kind == "addMembers" {
		i := slices.IndexFunc(l.entries, func(of *entry) bool {
			return of.kind == "createGroup" && of.acked && !slices.ContainsFunc(l.entries, func(m *entry) bool { return m.kind == "addMembers" && m.group == of.group })
		})
		if i < 0 {
			e.kind = "read"
			return e
		}
		e.group = l.entries[i].group
	}
	if kind != "read" {
		l.entries = append(l.entries, e)
	}
	return e
}

func (l *ledger) send(e *entry) (code, answer string) {
	switch e.kind {
	case "createGroup":
		return l.graphql(e.request, `mutation { createGroup(input: {name: "`+e.group+`", members: [{username: "u0"}, {username: "u1"}], admins: [{username: "u2"}]}) { group { id } } }`)
	case "addMembers":
		return l.graphql(e.request, `mutation { addMembers(input: {group: {name: "`+e.group+`"}, users: [{username: "u3"}, {username: "u4"}, {username: "u5"}]}) { group { id } } }`)
	case "cds":
		return l.door(e.request, http.MethodPost, "/group", `{"name": "`+e.group+`"}`)
	}
	return l.graphql(e.request, `{ groups(first: 5) { nodes { name memberCount members(first: 3) { nodes { user { username } } } } } }`)
}

// graphql answers the code of the first error, "" for none.
func (l *ledger) graphql(id, query string) (code, answer string) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return "BUG", err.Error()
	}
	res, answer, code := l.do(id, http.MethodPost, "/graphql", string(body))
	if code != "" {
		return code, answer
	}
	var told struct {
		Errors []struct{ Extensions struct{ Code string } }
	}
	if err := json.Unmarshal([]byte(answer), &told); err != nil {
		return "NO JSON", answer
	}
	if len(told.Errors) == 0 && res.StatusCode == http.StatusOK {
		return "", answer
	}
	if len(told.Errors) > 0 && told.Errors[0].Extensions.Code == "UNAVAILABLE" {
		return retry(res), answer
	}
	return res.Status, answer
}

// door does so for CDS's door.
func (l *ledger) door(id, method, path, body string) (code, answer string) {
	res, answer, code := l.do(id, method, path, body)
	switch {
	case code != "":
		return code, answer
	case res.StatusCode/100 == 2:
		return "", answer
	case res.StatusCode == http.StatusServiceUnavailable:
		return retry(res), answer
	}
	return res.Status, answer
}

// retry is UNAVAILABLE if the answer says when to come again.
func retry(res *http.Response) string {
	if res.Header.Get("Retry-After") == "" {
		return "UNAVAILABLE without Retry-After"
	}
	return "UNAVAILABLE"
}

func (l *ledger) do(id, method, path, body string) (res *http.Response, answer, code string) {
	req, err := http.NewRequest(method, l.server()+path, strings.NewReader(body))
	if err != nil {
		return nil, err.Error(), "BUG"
	}
	req.GetBody = nil // so that nothing is sent twice
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", id)
	if res, err = l.client.Do(req); err == nil {
		defer res.Body.Close()
		var text []byte
		if text, err = io.ReadAll(res.Body); err == nil {
			return res, string(text), ""
		}
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return nil, err.Error(), "LATE"
	}
	return nil, err.Error(), "BROKEN"
}

// await waits until so many more requests than now were acknowledged, and so many refused.
func (l *ledger) await(acked, refused int) {
	l.t.Helper()
	l.mu.Lock()
	acked, refused = l.acked+acked, l.refused+refused
	l.mu.Unlock()
	late := time.After(patience)
	for {
		l.mu.Lock()
		done, grown := l.acked >= acked && l.refused >= refused, l.grown
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-grown:
		case <-late:
			l.t.Fatalf("waited too long for acknowledgements:\n%s", l)
		}
	}
}

// await with broken connections, while there is no server.
func (l *ledger) awaitBroken(n int) {
	l.t.Helper()
	poll(l.t, "broken connections", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.broken >= n
	})
}

func (l *ledger) String() string {
	return fmt.Sprintf("sent %d, acknowledged %d, refused %d, broken %d, late %d, wrong %q", l.sent, l.acked, l.refused, l.broken, l.late, l.wrong[:min(3, len(l.wrong))])
}

// settle compares the ledger with what is in the database, prints it, and audits the database.
func (l *ledger) settle(url string) {
	t := l.t
	t.Helper()
	b := newBeam(t, url)
	found, lost, half, unknown := 0, 0, 0, 0
	for _, e := range l.entries {
		n := b.count(e)
		switch {
		case n == whole[e.kind]:
			found++
			if !e.acked {
				unknown++
			}
		case n == 0 && e.acked:
			lost++
			t.Errorf("%s of %s was acknowledged and is lost", e.kind, e.group)
		case n > 0:
			half++
			t.Errorf("%s of %s is half done: %d rows", e.kind, e.group, n)
		}
	}
	t.Logf("sent %d (%d writes)  acknowledged %d  refused %d  broken %d  late %d  found %d, %d of them not acknowledged  lost %d  half done %d",
		l.sent, len(l.entries), l.acked, l.refused, l.broken, l.late, found, unknown, lost, half)
	if l.late > 0 || len(l.wrong) > 0 || l.broken > 0 && !l.mayBreak {
		t.Errorf("no client may be left without an answer, or hear another than UNAVAILABLE: %s", l)
	}
	if code, printed := run(t, url, "check"); code != 0 {
		t.Errorf("roster check: exit code %d\n%s", code, printed)
	}
}

// count is how many rows of an entry there are: the group, its people, its members who came later.
func (b *beam) count(e *entry) int {
	b.t.Helper()
	query := `SELECT (SELECT count(*) FROM groups WHERE name = $1) + (SELECT count(*) FROM admins a JOIN groups g ON g.id = a.group_id WHERE g.name = $1)
		+ (SELECT count(*) FROM members m JOIN groups g ON g.id = m.group_id WHERE g.name = $1 AND m.username_key IN ('u0', 'u1'))`
	if e.kind == "addMembers" {
		query = `SELECT count(*) FROM members m JOIN groups g ON g.id = m.group_id WHERE g.name = $1 AND m.username_key IN ('u3', 'u4', 'u5')`
	}
	var n int
	if err := b.QueryRowContext(b.t.Context(), query, e.group).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}
