package db

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type heardOf struct {
	mu   sync.Mutex
	seen []Statement
	ids  []any
}

type whoKey struct{}

func (h *heardOf) hear(ctx context.Context, s Statement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen, h.ids = append(h.seen, s), append(h.ids, ctx.Value(whoKey{}))
}

// taken is what was heard since the last time: name, failure, and whose it was.
func (h *heardOf) taken() (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, s := range h.seen {
		who, _ := h.ids[i].(string)
		out = append(out, strings.TrimSpace(s.Name()+" "+s.Failure()+" "+who))
	}
	h.seen, h.ids = nil, nil
	return out
}

// Everything that goes to Postgres is heard of once, in the context of the request that it is for, its transaction's end included; and
// no value is.
func TestStatementsAreHeardOf(t *testing.T) {
	t.Parallel()
	h := &heardOf{}
	s := openStore(t, Options{OnDone: h.hear})
	h.taken()
	ctx := context.WithValue(t.Context(), whoKey{}, "ann")
	err := s.InTx(ctx, true, func(tx *Store) error { return tx.exec(ctx, plus, 1) })
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	if err := s.each(ctx, "SELECT n::text FROM things WHERE id = $1", []any{1}, scanText(&rows)); err != nil {
		t.Fatal(err)
	}
	_ = s.InTx(ctx, true, func(tx *Store) error { return tx.exec(ctx, "UPDATE things SET n = $1 WHERE id = 1", 4242) })
	if err := s.exec(ctx, "INSERT INTO things (id, n) VALUES ($1, 0)", 1); err == nil {
		t.Error("a second row 1")
	}
	for _, st := range h.seen {
		if strings.Contains(st.Text, "4242") || st.Err != nil && strings.Contains(st.Err.Error(), "4242") {
			t.Errorf("a value was heard: %s: %v", st.Text, st.Err)
		}
		if st.Took <= 0 || st.Began.IsZero() {
			t.Errorf("%s took %v since %v", st.Text, st.Took, st.Began)
		}
	}
	want := []string{"BEGIN  ann", "UPDATE things  ann", "COMMIT  ann", "SELECT things  ann",
		"BEGIN  ann", "UPDATE things 23514 ann", "ROLLBACK  ann", "INSERT things 23505 ann"}
	if d := cmp.Diff(want, h.taken()); d != "" {
		t.Error(d)
	}
}

// What was never sent is not heard of.
func TestCancelledStatementIsHeardOf(t *testing.T) {
	t.Parallel()
	h := &heardOf{}
	s := openStore(t, Options{OnDone: h.hear})
	h.taken()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.exec(ctx, plus, 1); err == nil {
		t.Error("it ran")
	}
	if got := h.taken(); len(got) > 0 {
		t.Errorf("what was never sent was heard of: %v", got)
	}
}

func TestStatementNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT g.id FROM groups g WHERE g.name = 'FROM secrets'":       "SELECT groups",
		"SELECT 'FROM secrets', 'it''s FROM more' FROM \n\tusers":       "SELECT users",
		"WITH t AS (INSERT INTO members SELECT 1 RETURNING 1) SELECT 1": "WITH members",
		"UPDATE tokens SET last_used_at = now()":                        "UPDATE tokens",
		"DELETE FROM changes_rest WHERE tx < $1":                        "DELETE changes_rest",
		"SELECT x FROM (SELECT 1 FROM admins) x":                        "SELECT admins",
		"SELECT 1; COMMIT":                                              "COMMIT",
		"SELECT (SELECT epoch FROM authority), t.id FROM tokens t":      "SELECT tokens",
		"SELECT pg_notify($1, $2)":                                      "SELECT",
		"SELECTED":                                                      "OTHER",
		"":                                                              "OTHER",
		"INSERT INTO":                                                   "INSERT",
		"SELECT FROM $1":                                                "SELECT",
		"SELECT '":                                                      "SELECT",
		"CREATE TABLE changes_1_2 (LIKE changes INCLUDING DEFAULTS)":       "CREATE changes_1_2",
		"SELECT * FROM unnest($1::text[]) JOIN groups g ON true":           "SELECT groups",
		"SELECT extract(epoch FROM now() - at)::float8 FROM changes":       "SELECT changes",
		"ALTER TABLE changes ATTACH PARTITION x FOR VALUES FROM ('1') TO ": "ALTER changes",
	} {
		if got := (Statement{Text: text}).Name(); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}
