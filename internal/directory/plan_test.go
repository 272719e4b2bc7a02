package directory_test

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// What a page of fifty may cost, whatever the size of the directory. A statement that reads more of it has no index for what it asks.
const (
	mostSorted  = 5_000  // rows put into order
	mostBuffers = 10_000 // blocks of 8 kB looked at
)

// dear are the pages that cost more, and why that is how it is.
var dear = []struct{ page, reason string }{
	{`^groups/name contains of two letters that nobody has/`, "Trigrams have three characters. Two that are common are soon met in any order; two that nobody has are looked for in the whole table."},
	{`^groups/people/`, "Whoever has the text in their name is looked up with all their groups before groups are filtered by them. Only Authress's filter asks it."},
	{`^groups/not public/.*/in seven$`, "Postgres does not know that what is visible and not public is the caller's own. viewer.groups is the list of those."},
	{`^groups/ids/.*/in seven$`, "A thousand ids are a thousand look-ups."},
	{`^tokens/.*/LAST_USED_AT/administrator`, "An index by last use would be written to with every use of a token. Who sees all tokens is an administrator."},
}

// plans explains what a directory asks.
type plans struct {
	*directory.Service
	t    *testing.T
	tap  *tap
	conn *sql.Conn
	used map[string]bool
}

func newPlans(t *testing.T) *plans {
	t.Helper()
	at := rostertest.URL(t)
	seedPlans(t, at)
	tp, tapped := newTap(t, at)
	store, err := db.Open(db.Options{URL: tapped, StatementTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	beam, err := sql.Open("pg", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beam.Close() })
	conn, err := beam.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &plans{Service: rostertest.DirectoryOn(t, store), t: t, tap: tp, conn: conn, used: map[string]bool{}}
}

func seedID(text string) uuid.UUID { return md5.Sum([]byte(text)) }

// Callers who see different parts of the directory.
var planCallers = map[string]directory.Caller{
	"administrator":        {User: seedUser(9), Roles: []directory.Role{directory.RoleAdministrator}, Via: directory.DoorGraphQL},
	"in seven":             {User: seedUser(2), Via: directory.DoorGraphQL},
	"in seven through CDS": {User: seedUser(2), Via: directory.DoorCDS},
}

func seedUser(n int) *directory.CallerUser {
	name := fmt.Sprintf("u%d", n)
	return &directory.CallerUser{UUID: seedID(name), Username: name}
}

// planNode is what Postgres tells of a step.
type planNode struct {
	Type    string     `json:"Node Type"`
	Table   string     `json:"Relation Name"`
	Rows    float64    `json:"Actual Rows"`
	Loops   float64    `json:"Actual Loops"`
	Hit     float64    `json:"Shared Hit Blocks"`
	Read    float64    `json:"Shared Read Blocks"`
	Plans   []planNode `json:"Plans"`
	Planned float64    `json:"Plan Rows"`
}

// complaints are what is wrong with a plan.
func (n planNode) complaints() []string {
	var all []string
	if n.Type == "Seq Scan" && slices.Contains([]string{"groups", "users", "members", "admins", "tokens", "changes"}, n.Table) {
		all = append(all, "reads all of "+n.Table)
	}
	for _, below := range n.Plans {
		if rows := below.Rows * below.Loops; n.Type == "Sort" && rows > mostSorted {
			all = append(all, fmt.Sprintf("sorts %.0f rows", rows))
		}
		all = append(all, below.complaints()...)
	}
	return all
}

// literal is an argument in a statement.
func literal(arg *string) string {
	if arg == nil {
		return "NULL"
	}
	return "'" + strings.ReplaceAll(*arg, "'", "''") + "'"
}

func (p *plans) exec(text string) {
	p.t.Helper()
	if _, err := p.conn.ExecContext(p.t.Context(), text); err != nil {
		p.t.Fatalf("%v\n%s", err, text)
	}
}

// prepared has a statement prepared, and gives the call of it with its arguments.
func (p *plans) prepared(a asked) (call string) {
	p.exec("PREPARE q AS " + a.text)
	if len(a.args) == 0 {
		return "EXECUTE q"
	}
	literals := make([]string, len(a.args))
	for i, arg := range a.args {
		literals[i] = literal(arg)
	}
	return "EXECUTE q(" + strings.Join(literals, ", ") + ")"
}

// explain runs a statement and says what is wrong with its plan in a plan_cache_mode.
func (p *plans) explain(mode string, a asked) ([]string, string) {
	p.exec("SET plan_cache_mode = " + mode)
	call := p.prepared(a)
	defer p.exec("DEALLOCATE q")
	var text string
	if err := p.conn.QueryRowContext(p.t.Context(), "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "+call).Scan(&text); err != nil {
		p.t.Fatalf("%v\n%s", err, a.text)
	}
	var explained []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(text), &explained); err != nil {
		p.t.Fatal(err)
	}
	plan := explained[0].Plan
	all := plan.complaints()
	if n := plan.Hit + plan.Read; n > mostBuffers {
		all = append(all, fmt.Sprintf("looks at %.0f blocks", n))
	}
	return all, text
}

// check explains all statements of a request under the name of its page.
func (p *plans) check(name string, modes []string, ask func(ctx context.Context) error) {
	p.t.Helper()
	p.tap.take()
	if err := ask(p.t.Context()); err != nil {
		p.t.Errorf("%s: %v", name, err)
		return
	}
	statements := p.tap.take()
	if len(statements) == 0 {
		p.t.Errorf("%s: nothing was asked", name)
	}
	for _, a := range statements {
		for _, mode := range modes {
			wrong, plan := p.explain(mode, a)
			if len(wrong) > 0 && !p.excused(name) {
				p.t.Errorf("%s, %s: %s\n%s\n%s", name, mode, strings.Join(wrong, ", "), a.text, short(plan))
			}
		}
	}
}

// short is a plan's steps in a line.
func short(plan string) string {
	return strings.Join(regexp.MustCompile(`"(?:Node Type|Relation Name|Index Name|Index Cond|Filter)": "[^"]*`).FindAllString(plan, -1), " ")
}

func (p *plans) excused(page string) bool {
	for _, d := range dear {
		if regexp.MustCompile(d.page).MatchString(page) {
			p.used[d.page] = true
			return true
		}
	}
	return false
}

func page(filter, order any) directory.Page {
	return directory.Page{PageArgs: directory.PageArgs{First: ptr(50)}, Filter: filter, Order: order, Rows: true}
}

func eq(v string) *directory.StringFilter         { return &directory.StringFilter{Eq: &v} }
func in(vs ...string) *directory.StringFilter     { return &directory.StringFilter{In: vs} }
func contains(v string) *directory.StringFilter   { return &directory.StringFilter{Contains: &v} }
func startsWith(v string) *directory.StringFilter { return &directory.StringFilter{StartsWith: &v} }
func endsWith(v string) *directory.StringFilter   { return &directory.StringFilter{EndsWith: &v} }

func since(text string) *directory.DateTimeFilter {
	at, err := time.Parse("2006-01-02", text)
	if err != nil {
		panic(err)
	}
	return &directory.DateTimeFilter{Gte: &at}
}

type groupFilter = directory.GroupFilter

// planGroupFilters are all fields of the filter of groups, by what they hold for, and what frontends make of them.
func planGroupFilters() map[string]*groupFilter {
	one, few := directory.UserByName("u2"), directory.UserRef{UUID: ptr(seedID("u4"))}
	many := directory.UserRef{UUID: ptr(seedID("u1"))}
	ids := func(n int) (all []string) {
		for i := range n {
			all = append(all, directory.TypeID("grp", seedID(fmt.Sprintf("g%d", i+1))))
		}
		return all
	}
	return map[string]*groupFilter{
		"nothing":                   nil,
		"id":                        {ID: &directory.IDFilter{Eq: ptr(ids(1)[0])}},
		"ids":                       {ID: &directory.IDFilter{In: ids(1000)}},
		"not ids":                   {ID: &directory.IDFilter{NotIn: ids(1000)}},
		"name":                      {Name: eq("ABCDEF-team-7")},
		"names":                     {Name: in("ABCDEF-team-7", "x")},
		"name contains":             {Name: contains("012-crew")},
		"name contains what half":   {Name: contains("team")},
		"name contains what none":   {Name: contains("zzzzz")},
		"name contains two letters": {Name: contains("am")},
		"name contains of two letters that nobody has": {Name: contains("zq")},
		"name contains not":                            {Name: &directory.StringFilter{NotContains: ptr("team")}},
		"name starts":                                  {Name: startsWith("01A")},
		"name starts with a letter":                    {Name: startsWith("a")},
		"name ends":                                    {Name: endsWith("-99999")},
		"description":                                  {Description: eq("looks after x")},
		"descriptions":                                 {Description: in("looks after x", "y")},
		"description contains":                         {Description: contains("0123")},
		"description contains what a quarter":          {Description: contains("north")},
		"description starts":                           {Description: startsWith("looks after 0123")},
		"external id":                                  {ExternalID: eq("x8")},
		"external ids":                                 {ExternalID: in("x8", "x10")},
		"external id starts":                           {ExternalID: startsWith("x999")},
		"external id contains":                         {ExternalID: contains("999")},
		"no external id":                               {ExternalID: &directory.StringFilter{IsNull: ptr(true)}},
		"type":                                         {Type: &directory.GroupTypeFilter{Eq: ptr(directory.GroupTypeManaged)}},
		"type of few":                                  {Type: &directory.GroupTypeFilter{Eq: ptr(directory.GroupTypeDirectory)}},
		"types of few":                                 {Type: &directory.GroupTypeFilter{In: []directory.GroupType{directory.GroupTypeDirectory}}},
		"access":                                       {AccessType: &directory.AccessTypeFilter{Eq: ptr(directory.AccessType("READ_ONLY"))}},
		"access of few":                                {AccessType: &directory.AccessTypeFilter{Eq: ptr(directory.AccessType("ADMINISTRATOR"))}},
		"public":                                       {Public: ptr(true)},
		"not public":                                   {Public: ptr(false)},
		"created":                                      {CreatedAt: since("2024-03-10")},
		"created late":                                 {CreatedAt: since("2024-03-10")},
		"updated":                                      {UpdatedAt: since("2025-02-01")},
		"updated late":                                 {UpdatedAt: since("2025-03-11")},
		"member":                                       {Member: &few},
		"member by name":                               {Member: &one},
		"member of many":                               {Member: &many},
		"admin":                                        {Admin: &few},
		"tag":                                          {Tag: &directory.TagFilter{Key: "site"}},
		"tag of few":                                   {Tag: &directory.TagFilter{Key: "rare"}},
		"tag value":                                    {Tag: &directory.TagFilter{Key: "site", Value: ptr("s3")}},
		"tag value of few":                             {Tag: &directory.TagFilter{Key: "rare", Value: ptr("yes")}},
		"search":                                       {Search: ptr("north")},
		"search of few":                                {Search: ptr("-team-9999")},
		"people":                                       {People: ptr("u999")},
		"name and tag":                                 {Name: contains("team"), Tag: &directory.TagFilter{Key: "site", Value: ptr("s3")}},
		"name starts, not public":                      {Name: startsWith("01a"), Public: ptr(false)},
		"member or name":                               {Or: []*groupFilter{{Member: &few}, {Name: contains("012-crew")}}},
		"member or admin":                              {Or: []*groupFilter{{Member: &few}, {Admin: &few}}},
		"not member":                                   {Not: &groupFilter{Member: &few}},
		"name, not tag":                                {Name: contains("team"), Not: &groupFilter{Tag: &directory.TagFilter{Key: "site", Value: ptr("s3")}}},
		"member and search":                            {And: []*groupFilter{{Member: &many}, {Search: ptr("team")}}},
	}
}

// modesFor are the ways that a statement may come to be planned: one with a filter is planned for its values.
func modesFor(unfiltered bool) []string {
	if unfiltered {
		return []string{"force_custom_plan", "force_generic_plan"}
	}
	return []string{"force_custom_plan"}
}

// groups checks every filter of groups in some orders.
func (p *plans) groups(by string, orders ...directory.GroupOrderField) {
	fields := directory.Selection{Fields: []string{"name", "description", "memberCount", "viewerCan"}}
	for filter, f := range planGroupFilters() {
		for _, order := range orders {
			p.check(fmt.Sprintf("groups/%s/%s/%s", filter, order, by), modesFor(f == nil), func(ctx context.Context) error {
				direction := directory.OrderDirectionAsc
				if order == "MEMBER_COUNT" {
					direction = directory.OrderDirectionDesc
				}
				_, err := p.Groups(ctx, planCallers[by], page(f, []*directory.GroupOrder{{Field: order, Direction: direction}}), fields)
				return err
			})
		}
	}
}

// TestPlansOfPages has Postgres explain and run the statements of every list, with every filter and every order, for callers who see
// all groups or few: none reads a table from end to end, sorts much or looks at much of it, but those that are named, with a reason.
func TestPlansOfPages(t *testing.T) {
	t.Parallel()
	p := newPlans(t)
	p.groups("administrator", "NAME", "CREATED_AT", "UPDATED_AT", "MEMBER_COUNT")
	p.people("administrator")
	for _, by := range []string{"in seven", "in seven through CDS"} {
		p.groups(by, "NAME", "MEMBER_COUNT")
	}
	p.people("in seven")
	for _, d := range dear {
		if !p.used[d.page] {
			t.Errorf("no page is as dear as %s says", d.page)
		}
	}
}
