package graph

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"roster/db"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// TestRendererEqualsExecutor holds the renderer to the bytes of gqlgen's executor on random selections of the whole schema.
// ROSTER_RENDER_QUERIES sets how many.
func TestRendererEqualsExecutor(t *testing.T) {
	t.Parallel()
	n := 400
	if s := os.Getenv("ROSTER_RENDER_QUERIES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	p := newPair(t)
	compared := 0
	for seed := range n {
		query := (&generator{rand.New(rand.NewPCG(uint64(seed), 1)), p.ids}).query()
		fast, slow := p.ask(t, p.fast, query), p.ask(t, p.slow, query)
		if !bytes.Equal(fast, slow) {
			t.Fatalf("seed %d\n%s\nrenderer: %s\nexecutor: %s", seed, query, fast, slow)
		}
		if bytes.HasPrefix(fast, []byte(`{"data":`)) && !bytes.Contains(fast, []byte(`"errors"`)) {
			compared++
		}
	}
	// Some are refused: two types of an interface may have one field with two types. The refusals are compared too.
	if compared < n/2 {
		t.Errorf("only %d of %d queries were answered with data: the generator has lost its way", compared, n)
	}
}

func FuzzRendererEqualsExecutor(f *testing.F) {
	p := newPair(f)
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		query := (&generator{rand.New(rand.NewPCG(a, b)), p.ids}).query()
		if fast, slow := p.ask(t, p.fast, query), p.ask(t, p.slow, query); !bytes.Equal(fast, slow) {
			t.Fatalf("%s\nrenderer: %s\nexecutor: %s", query, fast, slow)
		}
	})
}

// pair is two handlers over one directory: with the renderer and without.
type pair struct {
	fast, slow http.Handler
	ids        []string
}

func newPair(t testing.TB) *pair {
	t.Helper()
	dir := rostertest.DirectoryOn(t, rostertest.Store(t, db.Options{}))
	p := &pair{}
	c := HandlerConfig{Directory: dir, Log: slog.New(slog.DiscardHandler)}
	p.fast = auth.RequestIDs(NewHandler(c))
	c.executor = true
	p.slow = auth.RequestIDs(NewHandler(c))
	by := rostertest.Admin(t, dir, directory.DoorGraphQL)
	must := func(_ *directory.Payload, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	text := "<b>\"quoted\" & \u2028 ünïcode \\ \t"
	ext := "ext-1"
	for i, name := range []string{"zoë", "bob", "carol", "dave"} {
		in := directory.CreateUserInput{Username: name, FullName: &text}
		if i == 0 {
			in.ExternalID = &ext
		}
		must(dir.CreateUser(t.Context(), by, in, directory.Selection{}))
	}
	ref := func(names ...string) []*directory.UserRef {
		refs := []*directory.UserRef{}
		for _, n := range names {
			u := directory.UserByName(n)
			refs = append(refs, &u)
		}
		return refs
	}
	owner := directory.UserByName("bob")
	for i := range 6 {
		must(dir.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: fmt.Sprintf("group %d <é>", i), Description: &text, FolderOwner: &owner,
			Tags: []*directory.TagInput{{Key: "k", Value: text[:8]}}, Members: ref("zoë", "bob", "dave")[:i%4], Admins: ref("carol", "bob")[:1+i%2]}, directory.Selection{}))
	}
	group := directory.GroupByName("group 0 <é>")
	must(dir.CreateToken(t.Context(), by, directory.CreateTokenInput{Group: &group}, directory.Selection{}))
	must(dir.PutAction(t.Context(), by, directory.PutActionInput{Group: &group, Name: "act", Requirements: []*directory.RequirementInput{{Name: "git", Type: "binary", Value: "git"}},
		Parameters: []*directory.ParameterInput{{Name: "p", Type: "text"}}}, directory.Selection{}))
	must(dir.PutWorkerModel(t.Context(), by, directory.PutWorkerModelInput{Group: group, Name: "wm", Type: directory.WorkerModelTypeDocker,
		Docker: []byte(`{"image":"<go>"}`)}, directory.Selection{}))
	for _, url := range []string{"https://example.org/<é>?a=1&b=2", "https://down.example.org"} {
		made, err := dir.CreateWebhook(t.Context(), by, directory.CreateWebhookInput{URL: url, Description: &text,
			Filter: &directory.ChangeFilter{Group: &group, Actor: &text}}, directory.Want(directory.Link{Key: "w", Field: "webhook"}))
		must(made, err)
		hook, err := directory.Linked[*directory.Webhook](made, "w")
		if err != nil {
			t.Fatal(err)
		}
		must(dir.TestWebhook(t.Context(), by, directory.TestWebhookInput{Webhook: hook.ID()}, directory.Selection{}))
	}
	p.settle(t)
	answer := p.ask(t, p.slow, `{webhooks{nodes{id deliveries{nodes{id}}}} groups{nodes{id createdBy{id} members{nodes{id}} admins{nodes{id}} tokens{nodes{id}} actions{nodes{id}} workerModels{nodes{id}} changes(first:2){nodes{id}}}}}`)
	for _, part := range strings.Split(string(answer), `"`) {
		if len(part) == 30 && part[3] == '_' {
			p.ids = append(p.ids, part)
		}
	}
	return p
}

// settle waits until the feed shows the last two changes, and so all: a transaction anywhere in the server may hold it back, and two
// questions must not get two answers.
func (p *pair) settle(t testing.TB) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !bytes.Contains(p.ask(t, p.slow, `{changes(filter:{kinds:[GROUP_UPDATED]}){totalCount}}`), []byte(`"totalCount":2`)) {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the feed does not settle")
		}
	}
}

func (p *pair) ask(t testing.TB, h http.Handler, query string) []byte {
	t.Helper()
	body := `{"query":` + strconv.Quote(query) + `}`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+rostertest.AdminSecret)
	r.Header.Set("X-Request-Id", "same")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// generator makes random operations that the schema allows.
type generator struct {
	*rand.Rand
	ids []string
}

func (g *generator) query() string {
	var b strings.Builder
	b.WriteString("query Q($yes: Boolean = true, $no: Boolean = false) {")
	n := 1 + g.IntN(4)
	for i := range n {
		fmt.Fprintf(&b, " r%d: %s", i, g.root())
	}
	if n == 1 { // nothing beside it
		return b.String() + "}"
	}
	return b.String() + " __typename @skip(if: $no) @include(if: $yes) }"
}

func (g *generator) root() string {
	f := parsedSchema.Query.Fields.ForName([]string{"viewer", "node", "nodes", "group", "groups", "groups", "user", "users", "tokens",
		"checkMemberships", "explainAccess", "changes", "webhooks", "webhook"}[g.IntN(14)])
	args := map[string]string{
		"node": `(id: "` + g.id() + `")`, "nodes": `(ids: ["` + g.id() + `", "` + g.id() + `", "grp_01h455vb4pex5vsknk084sn02q"])`,
		"webhook": `(id: "` + g.webhook() + `")`,
		"group":   `(by: {name: "group ` + strconv.Itoa(g.IntN(7)) + ` <é>"})`, "user": `(by: {username: "bob"})`,
		"checkMemberships": `(pairs: [{group: {name: "group 1 <é>"}, user: {username: "bob"}}, {group: {name: "x"}, user: {username: "y"}}])`,
		"explainAccess":    `(operation: MEMBERS_EDIT, group: {name: "group 1 <é>"})`,
	}[f.Name]
	if args == "" {
		args = g.page(f)
	}
	return f.Name + args + g.selection(f.Type.Name(), 4)
}

func (g *generator) id() string { return g.ids[g.IntN(len(g.ids))] }

// webhook is the id of a webhook, or one of none.
func (g *generator) webhook() string {
	for _, id := range g.ids {
		if strings.HasPrefix(id, "wbh_") && g.IntN(2) == 0 {
			return id
		}
	}
	return "wbh_01h455vb4pex5vsknk084sn02q"
}

// page are arguments of a connection, sometimes.
func (g *generator) page(f *ast.FieldDefinition) string {
	if f.Arguments.ForName("first") == nil {
		return ""
	}
	switch g.IntN(4) {
	case 0:
		return ""
	case 1:
		if f.Arguments.ForName("last") != nil {
			return "(last: " + strconv.Itoa(1+g.IntN(4)) + ")"
		}
	}
	return "(first: " + strconv.Itoa(g.IntN(4)) + ")"
}

// selection selects at random of a type, with aliases, fragments, @skip and @include.
func (g *generator) selection(typ string, depth int) string {
	def := parsedSchema.Types[typ]
	if def.IsLeafType() {
		return ""
	}
	var b strings.Builder
	b.WriteString(" {")
	if g.IntN(4) == 0 || def.IsAbstractType() {
		b.WriteString(" __typename")
	}
	if def.IsAbstractType() {
		for _, possible := range parsedSchema.PossibleTypes[typ] {
			if g.IntN(3) > 0 {
				b.WriteString(" ... on " + possible.Name + g.selection(possible.Name, depth-1))
			}
		}
		return b.String() + " }"
	}
	b.WriteString(g.fields(def, depth))
	if g.IntN(4) == 0 {
		b.WriteString(" ... on " + typ + " @include(if: $yes) {" + g.fields(def, depth-1) + " }")
	}
	return b.String() + " }"
}

func (g *generator) fields(def *ast.Definition, depth int) string {
	var b strings.Builder
	for _, f := range def.Fields {
		inner := parsedSchema.Types[f.Type.Name()]
		// Where the log ends moves with every transaction of the cluster, so that no two requests need agree on it.
		if strings.HasPrefix(f.Name, "__") || f.Name == "latestCursor" || g.IntN(3) == 0 || (!inner.IsLeafType() && (depth <= 0 || g.IntN(2) == 0)) {
			continue
		}
		// An alias of its own for every link: two of the same name would have to be the same field.
		alias := ""
		if !inner.IsLeafType() || g.IntN(5) == 0 {
			alias = fmt.Sprintf("a%d: ", g.Uint32())
		}
		b.WriteString(" " + alias + f.Name + g.page(f) + []string{"", "", "", "", " @skip(if: $no)", " @include(if: $no)"}[g.IntN(6)])
		b.WriteString(g.selection(f.Type.Name(), depth-1))
	}
	return b.String() + " " + fmt.Sprintf("t%d: __typename", g.Uint32())
}
