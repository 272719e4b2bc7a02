package graph_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"roster/db"
)

// hearing hears every statement that runs.
type hearing struct {
	sync.Mutex
	texts []string
}

func (h *hearing) hear(_ context.Context, text string) {
	h.Lock()
	defer h.Unlock()
	// Authentication writes the last use of a token down when a minute is over, whatever is asked.
	if !strings.HasPrefix(text, "UPDATE tokens SET last_used_at") {
		h.texts = append(h.texts, text)
	}
}

// during are the statements of what do does.
func (h *hearing) during(do func()) []string {
	h.Lock()
	h.texts = nil
	h.Unlock()
	do()
	h.Lock()
	defer h.Unlock()
	return slices.Clone(h.texts)
}

// TestCountsAreOnlyTakenIfSelected compares lists with and without totalCount.
func TestCountsAreOnlyTakenIfSelected(t *testing.T) {
	t.Parallel()
	var heard hearing
	a := newAPI(t, db.Options{OnStatement: heard.hear})
	a.ask(t, a.token, `mutation { createGroup(input: {name: "g", members: [{username: "admin"}]}) { group { id } } }`, nil)
	ask := func(query string) (all, counting int) {
		texts := heard.during(func() { a.ask(t, a.token, query, nil) })
		for _, text := range texts {
			if strings.HasPrefix(text, "SELECT 1, count(*)") || strings.HasPrefix(text, "SELECT p.ord, (SELECT count(*)") || strings.Contains(text, "FROM totals") {
				counting++
			}
		}
		return len(texts), counting
	}
	for _, c := range []struct {
		query    string // %s is totalCount, or nothing
		more     int    // statements that totalCount takes
		counting int    // statements that count then, or read a kept total
	}{
		{`{ groups { %s nodes { id } } }`, 0, 1}, // a kept total comes with the rows
		{`{ groups(filter: {public: false}) { %s nodes { id } } }`, 1, 1},
		{`{ groups { %s nodes { members { nodes { id } } } } }`, 0, 1},
		{`{ users { %s nodes { id } } }`, 0, 1},
		{`{ tokens { %s nodes { id } } }`, 1, 1},
		{`{ changes { %s nodes { id } } }`, 1, 1},
		{`{ viewer { groups { %s nodes { id } } } }`, 1, 1},
		{`{ groups { nodes { id members { %s nodes { id } } } } }`, 0, 0}, // kept in the group
		{`{ groups { nodes { id admins { %s nodes { id } } } } }`, 0, 0},
		{`{ groups { nodes { id members(filter: {isAdmin: true}) { %s nodes { id } } } } }`, 1, 1},
		{`{ groups { nodes { id tokens { %s nodes { id } } } } }`, 1, 1},
		{`{ groups { nodes { id actions { %s nodes { id } } } } }`, 1, 1},
		{`{ groups { nodes { id workerModels { %s nodes { id } } } } }`, 1, 1},
		{`{ users { nodes { id groups { %s nodes { id } } } } }`, 1, 1},
	} {
		without, none := ask(fmt.Sprintf(c.query, ""))
		with, counting := ask(fmt.Sprintf(c.query, "totalCount"))
		if none != 0 || counting != c.counting || with != without+c.more {
			t.Errorf("%s: %d statements, %d of them counting; with totalCount %d and %d, want %d more and %d", c.query, without, none, with, counting, c.more, c.counting)
		}
	}
	// A list of which nothing but the count is wanted is not read.
	if all, counting := ask(`{ groups(filter: {public: false}) { totalCount } }`); all != 2 || counting != 1 {
		t.Errorf("the count alone takes %d statements, %d of them counting", all, counting)
	}
}

// TestThousandsTakeAsManyStatements counts what a write takes for 2, 10 and 2,000 users, all of whom it changes something for. One
// user who comes or goes takes fewer: TestOneMemberIsOneStatement.
func TestThousandsTakeAsManyStatements(t *testing.T) {
	t.Parallel()
	var heard hearing
	a := newAPI(t, db.Options{OnStatement: heard.hear})
	sizes := []int{2, 10, 2_000} // 10,000 under the race detector on a busy machine outlast the deadline of a request
	a.exec(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(0, 14999) i`)
	a.exec(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'g' || i, 'g' || i FROM generate_series(0, 2) i`)
	users := func(prefix string, from, n int) []m {
		refs := make([]m, n)
		for i := range refs {
			refs[i] = m{"username": fmt.Sprintf("%s%d", prefix, from+i)}
		}
		return refs
	}
	a.ask(t, a.token, `{ viewer { roles } }`, nil) // from now on the token is remembered
	var table strings.Builder
	for _, w := range []struct {
		op, name string
		input    func(n int) m
	}{
		{"addMembers", "", func(n int) m { return m{"users": users("u", 0, n)} }},
		{"setMembers", ", half of them others", func(n int) m { return m{"members": users("u", (n+1)/2, n)} }},
		{"removeMembers", "", func(n int) m { return m{"users": users("u", (n+1)/2, n)} }},
		{"addMembers", ", unknown ones", func(n int) m {
			return m{"users": users(fmt.Sprintf("new%d-", n), 0, n), "onUnknownUser": "CREATE"}
		}},
	} {
		var counts []int
		for i, n := range sizes {
			input := w.input(n)
			input["group"] = m{"name": fmt.Sprintf("g%d", i)}
			query := fmt.Sprintf(`mutation($in: %sInput!) { %s(input: $in) { group { memberCount } outcomes { result } changes { kind } } }`,
				strings.ToUpper(w.op[:1])+w.op[1:], w.op)
			var data map[string]any
			counts = append(counts, len(heard.during(func() { data = a.ask(t, a.token, query, m{"in": input}) })))
			if told := len(dig(t, data, w.op, "changes").([]any)); told < n {
				t.Errorf("%s of %d changed %d", w.op, n, told)
			}
		}
		fmt.Fprintf(&table, "%v  %s%s\n", counts, w.op, w.name)
		if slices.Min(counts) != slices.Max(counts) {
			t.Errorf("%s%s takes %v statements for %v users", w.op, w.name, counts, sizes)
		}
	}
	t.Logf("statements for %v users, that which compares the caller's authority included\n%s", sizes, table.String())
}
