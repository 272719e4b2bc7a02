package graph_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/graph"
	"roster/internal/auth"
	"roster/internal/limit"
	"roster/internal/rostertest"
)

// configured is another server on the directory of a.
func (a *api) configured(t testing.TB, c graph.HandlerConfig) *api {
	t.Helper()
	c.Directory, c.Log = a.dir, slog.New(slog.DiscardHandler)
	other := *a
	other.Server = httptest.NewServer(auth.RequestIDs(graph.NewHandler(c)))
	t.Cleanup(other.Close)
	return &other
}

// nested is n times the one in the other, and inner in the innermost.
func nested(n int, before, inner, after string) string {
	return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
}

// TestLimits goes up to every limit, where all is well, and one beyond.
func TestLimits(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const add = `mutation($v: [UserRef!]!) { addMembers(input: {group: {handle: "eng"}, users: $v, dryRun: true}) { dryRun } }`
	pairs := func(n int) any { return repeat(m{"group": eng, "user": m{"number": 1}}, n) }
	for _, row := range []struct {
		name           string
		query          string // %s is the text of the row
		inside, beyond any    // a text, or the variable v
		code           string
	}{
		{"tokens", `{ ` + listOf("a", 900) + listOf("b", 900) + listOf("c", 900) + listOf("d", 900) + `e: changes(first: 0, filter: {via: [%s]}) { totalCount } }`, strings.Repeat("CDS ", 303), strings.Repeat("CDS ", 304), "GRAPHQL_PARSE_FAILED"},
		{"document", "{ __typename } #%s", strings.Repeat("x", 64<<10-16), strings.Repeat("x", 64<<10-15), "LIMIT_EXCEEDED"},
		{"depth", `{ node(id: "` + someGroup + `") { ... on Group { %s } } }`, below(14), below(15), "LIMIT_EXCEEDED"},
		{"fields", `{ ...A ...A %s } fragment A on Query { ` + strings.Repeat("__typename ", 400) + "}", strings.Repeat("__typename ", 198), strings.Repeat("__typename ", 199), "LIMIT_EXCEEDED"},
		{"aliases", `{ %s }`, aliases(100), aliases(101), "LIMIT_EXCEEDED"},
		{"cost", `{ groups(first: 200) { nodes { members(first: 200) { nodes { user { groups(first: %s) { nodes { id } } } } } } } }`, "3", "4", "LIMIT_EXCEEDED"},
		{"introspection", `{ %s }`, unfolded(3), unfolded(15), "LIMIT_EXCEEDED"},
		{"page", `{ groups(first: %s) { nodes { id } } }`, "200", "201", "LIMIT_EXCEEDED"},
		{"filter depth", `{ groups(filter: %s) { nodes { id } } }`, nested(4, "{not: ", "{public: true}", "}"), nested(5, "{not: ", "{public: true}", "}"), "LIMIT_EXCEEDED"},
		{"filter list", `query($v: [String!]) { groups(filter: {name: {in: $v}}) { nodes { id } } }`, repeat("x", 1000), repeat("x", 1001), "LIMIT_EXCEEDED"},
		{"filters", `query($v: [GroupFilter!]) { groups(filter: {or: $v}) { nodes { id } } }`, repeat(m{"public": true}, 1000), repeat(m{"public": true}, 1001), "LIMIT_EXCEEDED"},
		{"ids", `query($v: [ID!]!) { nodes(ids: $v) { id } }`, repeat(someGroup, 100), repeat(someGroup, 101), "LIMIT_EXCEEDED"},
		{"pairs", `query($v: [MembershipPair!]!) { checkMemberships(pairs: $v) { group } }`, pairs(1000), pairs(1001), "LIMIT_EXCEEDED"},
		{"input list", add, repeat(m{"username": "ada"}, 10_000), repeat(m{"username": "ada"}, 10_001), "LIMIT_EXCEEDED"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			try := func(v any) answer {
				if text, ok := v.(string); ok {
					return a.try(t, a.token, fmt.Sprintf(row.query, text), nil)
				}
				return a.try(t, a.token, row.query, m{"v": v})
			}
			if got := try(row.inside); len(got.Errors) > 0 {
				t.Errorf("inside the limit: %+v", got.Errors)
			}
			got := try(row.beyond)
			if len(got.Errors) != 1 || got.Errors[0].Extensions.Code != row.code || got.Errors[0].Extensions.RequestID != "test" {
				t.Errorf("beyond the limit: %+v", got.Errors)
			}
		})
	}
}

// unfolded is the schema with the fields of the fields of its types, so many times.
func unfolded(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: __schema { types { fields { type { ofType { fields { type { ofType { name } } } } } } } } ", i)
	}
	return b.String()
}

// usual is what GraphiQL, code generators and other tools ask of a schema.
const usual = `query IntrospectionQuery {
	__schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind } types { ...FullType }
		directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
	fragment FullType on __Type { kind name description specifiedByURL isOneOf
		fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
		inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
		enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
	fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
	fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
		ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

// What tools ask of the schema costs as much as a page, and is well within the bound: twice of it still is.
func TestUsualIntrospection(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	if got := a.costs(t, usual, nil); got != "2269" {
		t.Errorf("it costs %s", got)
	}
	a.ask(t, "", strings.Replace(usual, "__schema", "...Twice } fragment Twice on Query { a: __schema { types { ...FullType } } b: __schema", 1), nil)
}

// listOf is a field with a list of n values.
func listOf(alias string, n int) string {
	return alias + `: changes(first: 0, filter: {via: [` + strings.Repeat("CDS ", n) + `]}) { totalCount } `
}

// below is a selection of so many fields below each other.
func below(n int) string {
	fields := []string{"members(first: 1)", "nodes", "group", "admins(first: 1)", "nodes", "group"}
	text := ""
	for i := range n {
		if i == n-1 {
			return text + "__typename" + strings.Repeat(" }", i)
		}
		text += fields[i%len(fields)] + " { "
	}
	return text
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: __typename ", i)
	}
	return b.String()
}

// TestBodyLimit fills a body with blanks up to the limit, and with one more.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const body, most = `{"query":"{__typename}"}`, 8 << 20
	send := func(n int) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, strings.NewReader(strings.Repeat(" ", n-len(body))+body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		status, _ := a.do(t, req)
		return status
	}
	if got := send(most); got != http.StatusOK {
		t.Errorf("%d bytes: %d", most, got)
	}
	if got := send(most + 1); got != http.StatusRequestEntityTooLarge {
		t.Errorf("%d bytes: %d", most+1, got)
	}
}

// TestValuesLimit fills a body with values, of which each takes more memory than bytes.
func TestValuesLimit(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const beside = 3 // query, variables and the list itself
	send := func(n int) (int, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL,
			strings.NewReader(`{"query":"{__typename}","variables":{"v":[`+strings.Repeat("[],", n-beside-1)+`[]]}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		return a.do(t, req)
	}
	if status, body := send(500_000); status != http.StatusOK {
		t.Errorf("within: %d %s", status, body)
	}
	if status, body := send(500_001); status != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "LIMIT_EXCEEDED") {
		t.Errorf("beyond: %d %s", status, body)
	}
}

// costs sends an operation and answers what it cost, by the header and by the extensions, which have to agree.
func (a *api) costs(t testing.TB, query string, variables any) string {
	t.Helper()
	res, body := a.exchange(t, a.token, query, variables)
	var got struct {
		Errors     []struct{ Message string }
		Extensions struct{ Cost struct{ Requested int } }
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Errors != nil {
		t.Fatalf("%s: %v %s", query, err, body)
	}
	header := res.Header.Get("X-Roster-Cost")
	if extension := fmt.Sprint(got.Extensions.Cost.Requested); extension != header {
		t.Errorf("%s: %s in the header, %s in the extensions", query, header, extension)
	}
	return header
}

// exchange sends an operation that asks for its cost, and answers the head and the body.
func (a *api) exchange(t testing.TB, token, query string, variables any) (*http.Response, []byte) {
	t.Helper()
	text, err := json.Marshal(m{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "X-Roster-Cost": "1", "X-Request-Id": "test"} {
		req.Header.Set(name, value)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := a.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func TestCost(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	for _, row := range []struct {
		query string
		vars  any
		want  string
	}{
		{`{ __typename }`, nil, "1"},
		{`{ __schema { types { name fields { name } } } }`, nil, "28"},
		{`{ viewer { roles } }`, nil, "2"},
		{`{ groups { nodes { name tags { key } } } }`, nil, "27"},
		{`{ groups(first: 10) { nodes { name } pageInfo { endCursor } } }`, nil, "12"},
		{`{ groups(last: 10) { edges { cursor node { name } } } }`, nil, "12"},
		{`query($n: Int) { groups(first: $n) { nodes { name } } }`, m{"n": 7}, "9"},
		{`query($n: Int) { groups(first: $n) { nodes { name } } }`, m{"n": "200"}, "202"}, // a text of digits is an Int
		{`{ groups(first: null) { nodes { name } } }`, nil, "27"},
		{`query($f: [GroupFilter!]) { groups(first: 1, filter: {and: $f}) { nodes { id } } }`, m{"f": m{"or": m{"name": m{"contains": "b"}}}}, "105"}, // lists of one, twice
		{`query($n: Int = 8) { groups(first: $n) { nodes { name } } }`, nil, "10"},
		{`query($n: Int) { groups(first: $n) { nodes { name } } }`, nil, "27"},
		{`{ groups(first: 0) { totalCount } }`, nil, "2002"},
		{`{ groups(first: 10) { nodes { members(first: 20) { totalCount nodes { user { username } } } } } }`, nil, "522"}, // 10 × (1 + 1 + 10 + 20 × 2)
		{`{ groups(first: 50) { nodes { name members(first: 10) { nodes { user { username } } } } } }`, nil, "1102"},      // the example of docs/limits.md
		{`{ groups(first: 10) { ...A ...A } } fragment A on GroupConnection { nodes { id } }`, nil, "22"},
		{`query($yes: Boolean!) { groups(first: 10) @skip(if: $yes) { nodes { id } } viewer @include(if: $yes) { roles } }`, m{"yes": true}, "2"},
		{`query($yes: Boolean!) { groups(first: 10) @skip(if: $yes) { nodes { id } } viewer @include(if: $yes) { roles } }`, m{"yes": false}, "12"},
		{`{ groups(first: 1, filter: {search: "a", or: [{public: true}, {name: {contains: "b"}}]}) { nodes { id } } }`, nil, "205"},
		{`query($f: GroupFilter) { groups(first: 1, filter: $f) { nodes { id } } }`, m{"f": m{"search": "a", "or": []m{{"public": true}, {"name": m{"contains": "b"}}}}}, "205"},
		{`{ groups(first: 10) { nodes { members(first: 1, filter: {search: "a"}) { nodes { id } } } } }`, nil, "132"}, // 10 × (1 + 1 + 10 + 1)
		{`{ nodes(ids: ["` + someGroup + `", "` + someUser + `"]) { id } }`, nil, "5"},
		{`mutation($u: [UserRef!]!) { addMembers(input: {group: {handle: "eng"}, users: $u, dryRun: true}) { changes { kind } group { members(first: 3) { nodes { id } } } } }`,
			m{"u": []m{{"username": "bob"}, {"username": "ada"}}}, "11"}, // 1 + 2 entries + 1 + 2 changes + 1 group + 1 + 3
		{`mutation { setMembers(input: {group: {handle: "eng"}, members: [], dryRun: true}) { changes { kind } } }`, nil, "3"},
		{`mutation { applyChanges(input: {dryRun: true, changes: [{deleteGroup: {group: {handle: "eng"}}}, {addMembers: {group: {name: "Operations"}, users: [{username: "ada"}]}}]}) { results { command } } }`, nil, "48"}, // 1 + 3 + 2 × 20 + 1 + 3
		{`mutation { deleteGroup(input: {group: {name: "Archive"}}) { dryRun } restoreGroup(input: {group: {name: "Archive"}}) { changes { kind } } }`, nil, "4"},
		{`mutation { deleteGroup(input: {group: {name: "Archive"}}) { dryRun } restoreGroup(input: {group: {name: "Archive"}}) { changes { kind user { username } } } }`,
			nil, "20005"}, // 1 + 1 + 1 + 10,001 × 2
		{`mutation($c: [ChangeInput!]!) { applyChanges(input: {dryRun: true, changes: $c}) { dryRun } }`, m{"c": []m{{"deleteGroup": m{"group": m{"handle": "eng"}}}}}, "23"},
		{`mutation { setMembers(input: {group: {handle: "eng"}, members: [], dryRun: true}) { changes { kind user { id } } } }`, nil, "20004"}, // 1 + 1 + 10,001 × 2
		{`mutation { setMembers(input: {group: {handle: "eng"}, members: [], atMost: 20, dryRun: true}) { outcomes { user { id } } } }`, nil, "44"},
		{`mutation($i: SetMembersInput!) { setMembers(input: $i) { outcomes { user { id } } } }`, m{"i": m{"group": m{"handle": "eng"}, "members": []m{}, "atMost": 20, "dryRun": true}}, "44"},
		{`mutation { setMembers(input: {group: {handle: "eng"}, members: [], admins: [], atMost: 20, dryRun: true}) { outcomes { user { id } } } }`, nil, "20004"},
		{`mutation { setUserGroups(input: {user: {username: "bob"}, groups: [], dryRun: true}) { changes { group { id } } } }`, nil, "20004"},
	} {
		if got := a.costs(t, row.query, row.vars); got != row.want {
			t.Errorf("%s\ncosts %s, want %s", row.query, got, row.want)
		}
	}
}

// Nobody is told of costs in an answer who does not ask, unless there is a budget.
func TestCostIsToldOnRequest(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	if _, got := a.post(t, a.token, `{ __typename }`, nil); string(got) != `{"data":{"__typename":"Query"}}` {
		t.Errorf("%s", got)
	}
	b := a.configured(t, graph.HandlerConfig{Budget: limit.NewBudget(300_000, func() time.Time { return time.Unix(1e9, 0) })})
	want := `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}},"extensions":{"cost":{"requested":2,"maximum":250000,"budget":{"limit":300000,"remaining":299998,"resetSeconds":1}}}}`
	if _, got := b.post(t, a.token, `{ viewer { roles } }`, nil); string(got) != want {
		t.Errorf("%s", got)
	}
}

// TestBudget spends a caller's points to the last and then one more, and says when to come back. Others have their own.
func TestBudget(t *testing.T) {
	t.Parallel()
	at := time.Unix(1e9, 0)
	a := organised(t, db.Options{}).configured(t, graph.HandlerConfig{Budget: limit.NewBudget(60, func() time.Time { return at })})
	const page = `{ groups(first: 50) { nodes { id } } }` // 52
	type head struct{ status, cost, limit, retry string }
	ask := func(token, query string) (head, answer) {
		res, body := a.exchange(t, token, query, nil)
		var got answer
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s", body)
		}
		if policy := res.Header.Get("RateLimit-Policy"); policy != `"points";q=60;w=60` {
			t.Errorf("the policy is %s", policy)
		}
		return head{res.Status[:3], res.Header.Get("X-Roster-Cost"), res.Header.Get("RateLimit"), res.Header.Get("Retry-After")}, got
	}
	for _, step := range []struct {
		who, query string
		want       head
		code       string
	}{
		{"admin", page, head{"200", "52", `"points";r=8;t=52`, ""}, ""},
		{"admin", page, head{"429", "52", `"points";r=7;t=53`, "44"}, "TOO_MANY_REQUESTS"},
		{"admin", `{ wrong }`, head{"422", "", `"points";r=6;t=54`, ""}, "GRAPHQL_VALIDATION_FAILED"},
		{"admin", `{ groups(first: 4) { nodes { id } } }`, head{"200", "6", `"points";r=0;t=60`, ""}, ""},
		{"admin", `{ __typename }`, head{"429", "", `"points";r=0;t=60`, "1"}, "TOO_MANY_REQUESTS"},
		{"ada", page, head{"200", "52", `"points";r=8;t=52`, ""}, ""},
		{"nobody", `{ __typename }`, head{"200", "1", `"points";r=59;t=1`, ""}, ""},
	} {
		got, answer := ask(secrets[step.who], step.query)
		code := ""
		if len(answer.Errors) > 0 {
			code = answer.Errors[0].Extensions.Code
		}
		if d := cmp.Diff(step.want, got, cmp.AllowUnexported(head{})); d != "" || code != step.code {
			t.Errorf("%s %s: %q, want %q (-want +got):\n%s", step.who, step.query, code, step.code, d)
		}
	}
	at = at.Add(time.Minute)
	if got, _ := ask(a.token, page); got.status != "200" {
		t.Errorf("after a minute: %+v", got)
	}
}

// TestTimeout asks for what a lock holds back, and for what it does not.
func TestTimeout(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	limits := graph.Defaults()
	limits.Timeout = 300 * time.Millisecond
	short := a.configured(t, graph.HandlerConfig{Limits: limits})
	tx, err := a.sql.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE worker_models IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	got := short.try(t, a.token, `{ group(by: {handle: "eng"}) { workerModels { nodes { id } } } }`, nil)
	if len(got.Errors) == 0 || got.Errors[0].Extensions.Code != "UNAVAILABLE" {
		t.Errorf("behind the lock: %+v", got)
	}
	if _, body := a.post(t, a.token, `{ __typename }`, nil); !strings.Contains(string(body), "Query") {
		t.Errorf("beside the lock: %s", body)
	}
}

// TestIntrospectionAndSuggestions asks for the schema, and misspells a name, an argument, a value and an input's field, for each audience.
func TestIntrospectionAndSuggestions(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	for _, row := range []struct {
		to  graph.Audience
		who string
		may bool
	}{
		{graph.Everybody, "nobody", true}, {graph.Everybody, "dan", true}, {graph.Administrators, "admin", true},
		{graph.Administrators, "dan", false}, {graph.Administrators, "nobody", false}, {graph.Nobody, "admin", false},
	} {
		t.Run(string(row.to)+" "+row.who, func(t *testing.T) {
			t.Parallel()
			b := a.configured(t, graph.HandlerConfig{Introspection: row.to})
			for _, query := range []string{`{ __schema { queryType { name } } }`, `{ ...on Query { t: __type(name: "User") { name } } }`} {
				got := b.try(t, secrets[row.who], query, nil)
				if may := len(got.Errors) == 0; may != row.may || !may && got.Errors[0].Extensions.Code != "FORBIDDEN" {
					t.Errorf("%s: %+v", query, got)
				}
			}
			for _, query := range []string{`{ grops { totalCount } }`, `{ groups(frst: 1) { totalCount } }`,
				`{ groups(orderBy: {field: NAM}) { totalCount } }`, `{ groups(filter: {nam: {eq: "x"}}) { totalCount } }`} {
				got := b.try(t, secrets[row.who], query, nil)
				if may := strings.Contains(got.Errors[0].Message, "Did you mean"); may != row.may || got.Errors[0].Message == "" {
					t.Errorf("%s: %s", query, got.Errors[0].Message)
				}
			}
		})
	}
}

// Pages of the server's own origin and of those named may upgrade a connection, others may not; programs send no origin.
func TestUpgradeOrigin(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{}).configured(t, graph.HandlerConfig{Origins: []string{"https://one.example"}})
	for origin, want := range map[string]bool{"": true, a.URL: true, "https://one.example": true, "https://two.example": false, "null": false, "http://one.example": false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		if status, body := a.do(t, req); (status != http.StatusForbidden) != want {
			t.Errorf("%q: %d %s", origin, status, body)
		}
	}
}

// TestLimitsDocument holds docs/limits.md to the tests: each line of its table names one that there is, and each row of TestLimits has
// its line.
func TestLimitsDocument(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := rostertest.Sources(t, "..")
	lines, named := 0, map[string]bool{}
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || strings.HasPrefix(cells[1], " ---") || strings.HasPrefix(cells[1], " limit") {
			continue
		}
		lines++
		for name := range strings.SplitSeq(strings.Trim(cells[5], " `"), "`, `") {
			test, row, _ := strings.Cut(name, "/")
			named[row] = true
			if !strings.Contains(sources, "func "+test+"(") || row != "" && !strings.Contains(sources, "\t\t{\""+strings.ReplaceAll(row, "_", " ")+"\", ") {
				t.Errorf("there is no test %q", name)
			}
		}
	}
	own, err := os.ReadFile("limits_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(own), "\n\t}{\n")
	table, _, _ = strings.Cut(table, "\n\t} {\n")
	for _, row := range regexp.MustCompile(`(?m)^\t\t\{"([a-z ]+)"`).FindAllStringSubmatch(table, -1) {
		if !named[strings.ReplaceAll(row[1], " ", "_")] {
			t.Errorf("the document lacks TestLimits/%s", row[1])
		}
	}
	if lines < 15 {
		t.Errorf("the document's table has %d lines", lines)
	}
}
