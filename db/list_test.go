package db

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// TestListText holds the statements of lists to their shape, since it is the shape that indexes answer: one statement, its children
// below a LATERAL, one row comparison for a cursor where all keys run one way.
func TestListText(t *testing.T) {
	t.Parallel()
	two := []uuid.UUID{{15: 1}, {15: 2}}
	const parents = "{00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002}"
	name, added := Order{Key: "USERNAME"}, Order{Key: "ADDED_AT"}
	downwards := func(o Order) Order { o.Desc = true; return o }
	for _, c := range []struct {
		name string
		list List
		text string
		args []any
	}{
		{"Whole", List{}, "SELECT m.id FROM members m ORDER BY m.id", []any{}},
		{"ColumnsAreSortedAndOnce", List{Columns: []string{"via", "id", "via"}}, "SELECT m.id, m.via FROM members m ORDER BY m.id", []any{}},
		{"OnlyTheJoinsNeeded", List{Columns: []string{"user.username"}, Order: []Order{name}},
			"SELECT m.id, u.username, m.username_key FROM members m JOIN users u ON u.id = m.user_id ORDER BY m.username_key, m.id", []any{}},
		{"JoinForFilter", List{Where: MemberEmail.Eq("a@b")},
			`SELECT m.id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email_key = lower($1::text) COLLATE "C" ORDER BY m.id`, []any{"a@b"}},
		{"After", List{Order: []Order{name}, After: []string{"ann", "1"}, Limit: 10},
			"SELECT m.id, m.username_key FROM members m WHERE (m.username_key, m.id) > ($1::text, $2::uuid) ORDER BY m.username_key, m.id LIMIT 11", []any{"ann", "1"}},
		{"BeforeBackwards", List{Order: []Order{downwards(name)}, Before: []string{"ann", "1"}, Backward: true, Limit: 10},
			"SELECT m.id, m.username_key FROM members m WHERE (m.username_key, m.id) > ($1::text, $2::uuid) ORDER BY m.username_key, m.id LIMIT 11", []any{"ann", "1"}},
		{"AnUnusualPage", List{Limit: 11}, "SELECT m.id FROM members m ORDER BY m.id LIMIT $1", []any{int64(12)}},
		{"OneParent", List{Of: AdminsOfGroup, Parents: two[:1], Limit: 10},
			"SELECT p.ord, c.* FROM (SELECT $1::uuid AS id, 1 AS ord) p CROSS JOIN LATERAL (SELECT array_agg(c0::text) FROM (SELECT m.id AS c0 FROM members m WHERE m.group_id = p.id ORDER BY m.id LIMIT 11) c) c",
			[]any{two[0].String()}},
		{"PlannedForItsValues", List{Where: MemberName.StartsWith("a")},
			`SELECT m.id FROM members m WHERE (m.username_key LIKE lower($1::text) COLLATE "C" AND ($2::boolean OR (SELECT count(*) FROM generate_series(1, 1000000000)) > 0)) ORDER BY m.id`,
			[]any{"a%", true}},
		{"Beginnings", List{Where: MemberName.StartsWith("a"), Order: []Order{name}, Limit: 2},
			`SELECT q.c0, q.c1 FROM (SELECT m.username_key AS k0, m.id AS k1, m.id AS c0, m.username_key AS c1 FROM members m WHERE m.username_key >= lower($1::text) COLLATE "C"` +
				` ORDER BY m.username_key, m.id LIMIT 3) q WHERE q.k0 <= (SELECT (lower($2::text) || repeat(chr(1114111), 320)) COLLATE "C") ORDER BY q.k0, q.k1`, []any{"a", "a"}},
		{"BeginningsBackwards", List{Where: MemberName.StartsWith("a"), Order: []Order{name}, Limit: 2, Backward: true, Before: []string{"ax", "1"}},
			`SELECT q.c0, q.c1 FROM (SELECT m.username_key AS k0, m.id AS k1, m.id AS c0, m.username_key AS c1 FROM members m WHERE m.username_key <= (lower($1::text) || repeat(chr(1114111), 320)) COLLATE "C"` +
				` AND (m.username_key, m.id) < ($2::text, $3::uuid) ORDER BY m.username_key DESC, m.id DESC LIMIT 3) q WHERE q.k0 >= (SELECT lower($4::text) COLLATE "C") ORDER BY q.k0 DESC, q.k1 DESC`,
			[]any{"a", "ax", "1", "a"}},
		{"MixedDirections", List{Order: []Order{downwards(added), name}, After: []string{"2026-01-01", "ann", "1"}},
			"SELECT timestamptz_send(m.added_at), m.id, m.username_key FROM members m WHERE (m.added_at < $1::timestamptz OR (m.added_at = $2::timestamptz AND m.username_key > $3::text)" +
				" OR (m.added_at = $4::timestamptz AND m.username_key = $5::text AND m.id > $6::uuid)) ORDER BY m.added_at DESC, m.username_key, m.id",
			[]any{"2026-01-01", "2026-01-01", "ann", "2026-01-01", "ann", "1"}},
		{"Nested", List{Of: AdminsOfGroup, Parents: two, Order: []Order{downwards(name)}, Where: MemberName.Eq("Ann"), After: []string{"x", "1"}, Limit: 3},
			"SELECT p.ord, c.* FROM unnest($1::uuid[]) WITH ORDINALITY p(id, ord) CROSS JOIN LATERAL (SELECT array_agg(c0::text), array_agg(c1::text) FROM (SELECT m.id AS c0, m.username_key AS c1 FROM members m" +
				` WHERE m.group_id = p.id AND m.username_key = lower($2::text) COLLATE "C" AND (m.username_key, m.id) < ($3::text, $4::uuid)` +
				" ORDER BY m.username_key DESC, m.id DESC LIMIT 4) c) c", []any{parents, "Ann", "x", "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st, err := build(Members, c.list)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.text, st.text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.args, st.args); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
	for _, wrong := range []List{{Columns: []string{"no"}}, {Order: []Order{{Key: "no"}}}} {
		if _, err := build(Members, wrong); err == nil {
			t.Errorf("%+v: built", wrong)
		}
	}
}

// TestViewerArguments: a column that speaks of the caller takes its argument before those of the filter, wherever it is named.
func TestViewerArguments(t *testing.T) {
	t.Parallel()
	me := uuid.UUID{15: 7}
	st, err := build(Groups, List{Viewer: me, Columns: []string{"viewer_is_member", "viewer_is_admin"}, Where: GroupType.Eq("MANAGED")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{me.String(), me.String(), "MANAGED"}, st.args[:3]); diff != "" || strings.Count(st.text, "$") != 4 {
		t.Errorf("%s\n%s", st.text, diff)
	}
}

// TestNestedWithoutParents asks Postgres nothing.
func TestNestedWithoutParents(t *testing.T) {
	t.Parallel()
	if parts, err := Find(t.Context(), nil, Members, List{Of: MembersOfGroup}); err != nil || parts != nil {
		t.Error(parts, err)
	}
}

// awkward are texts that an array could mistake for its own syntax.
var awkward = []string{
	"plain", "two words", " ", `"`, `\`, `\\"`, `a"b\c`, "NULL", "null", "{}", "{a,b}", ",", "'", "''", "$1", "?", "%s", "\t\n\r", "äöü ß", "日本語", "👩‍👩‍👧", "é́", "\u2028",
	`E'\x41'`, "x\x1fy", strings.Repeat(`"\`, 1000),
}

// TestArrays sends awkward texts there and back.
func TestArrays(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	for name, encoded := range map[string]any{"Strings": Strings(awkward), "nullable": nullable(awkward)} {
		var back []string
		err := s.each(t.Context(), "SELECT v FROM unnest($1::text[]) WITH ORDINALITY a(v, n) ORDER BY n", []any{encoded}, scanText(&back))
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(awkward, back); diff != "" {
			t.Errorf("%s (-sent +came back):\n%s", name, diff)
		}
	}
	var n, nulls, empty int
	_, err := s.queryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE v IS NULL), cardinality($2::text[]) FROM unnest($1::text[]) v",
		[]any{nullable([]string{"", "NULL", ""}), Strings(nil)}, &n, &nulls, &empty)
	if err != nil || n != 3 || nulls != 2 || empty != 0 {
		t.Errorf("%d texts, %d of them null, and %d of none: %v", n, nulls, empty, err)
	}
	ids, numbers := []uuid.UUID{uuid.New(), uuid.Nil, uuid.Max}, []int{0, -1, 1<<31 - 1}
	var ids2, numbers2 []string
	for _, a := range []struct {
		text string
		arg  any
		to   *[]string
	}{{"SELECT v::text FROM unnest($1::uuid[]) WITH ORDINALITY a(v, n) ORDER BY n", UUIDs(ids), &ids2}, {"SELECT v::text FROM unnest($1::int[]) WITH ORDINALITY a(v, n) ORDER BY n", ints(numbers), &numbers2}} {
		if err := s.each(t.Context(), a.text, []any{a.arg}, scanText(a.to)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{ids[0].String(), ids[1].String(), ids[2].String(), "0", "-1", "2147483647"}, append(ids2, numbers2...)); diff != "" {
		t.Errorf("(-sent +came back):\n%s", diff)
	}
}

// TestCond walks what conditions come down to where there is little to combine.
func TestCond(t *testing.T) {
	t.Parallel()
	a, b, all := cond("a = ?", 1), cond("b = ?", 2), Cond{}
	for name, c := range map[string]struct{ got, want Cond }{
		"And of none":            {And(), all},
		"And of all":             {And(all, all), all},
		"And of one":             {And(all, a), a},
		"And of two":             {And(a, all, b), cond("(a = ? AND b = ?)", 1, 2)},
		"And of none and nobody": {And(None, a), cond("(false AND a = ?)", 1)},
		"Or of none":             {Or(), None},
		"Or of one":              {Or(a), a},
		"Or of two":              {Or(a, b), cond("(a = ? OR b = ?)", 1, 2)},
		"Or with all":            {Or(a, all), all},
		"Not all":                {Not(all), None},
		"Not one":                {Not(a), cond("(a = ?) IS NOT TRUE", 1)},
		"Not not":                {Not(Not(a)), cond("((a = ?) IS NOT TRUE) IS NOT TRUE", 1)},
		"Or inside And":          {And(Or(a, b), a), cond("((a = ? OR b = ?) AND a = ?)", 1, 2, 1)},
	} {
		if c.got.text != c.want.text || !cmp.Equal(c.got.args, c.want.args) && len(c.got.args)+len(c.want.args) > 0 {
			t.Errorf("%s: %q %v, want %q %v", name, c.got.text, c.got.args, c.want.text, c.want.args)
		}
	}
	if got := And(a, Or(b, a), Not(b)).Fingerprint("x"); got == And(a, Or(b, b), Not(b)).Fingerprint("x") || got == And(a, Or(b, a), Not(b)).Fingerprint("y") {
		t.Error("two lists have one fingerprint")
	}
	if cond("? ?", "a b", "c").Fingerprint("") == cond("? ?", "a", "b c").Fingerprint("") {
		t.Error("two filters have one fingerprint")
	}
	for _, args := range [][]any{nil, {""}, {"a`b", "\"c\"\\\n", "ä\x00\u202e"}} {
		h := fnv.New64a()
		fmt.Fprintf(h, "l\x00t\x00%#v", args)
		if cond("t", args...).Fingerprint("l") != h.Sum64() {
			t.Errorf("cursors that were made for %q are for another list", args)
		}
	}
}

// TestLike takes what a client writes for what it says: it is no pattern.
func TestLike(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	column := Text("lower(v)")
	for text, cases := range map[string]map[bool][]Cond{
		`100% of_it \ NULL Ä`: {
			true:  {column.Contains("0% O"), column.Contains(`\ n`), column.StartsWith("100%"), column.EndsWith(" ä"), column.Contains("_"), column.In([]string{"x", `100% OF_IT \ NULL ä`})},
			false: {column.Contains("1%0"), column.Contains("of-it"), column.StartsWith("%"), column.EndsWith("_"), column.Eq("100%"), column.In(nil), column.IsNull()},
		},
	} {
		for want, conds := range cases {
			for _, c := range conds {
				var got bool
				w := newWriter(4)
				w.add("SELECT coalesce((SELECT true FROM (SELECT ?::text v) x WHERE "+c.text+"), false)", append([]any{text}, c.args...)...)
				if _, err := s.queryRow(t.Context(), w.text(), w.args, &got); err != nil || got != want {
					t.Errorf("%s %v: %t, %v", c.text, c.args, got, err)
				}
			}
		}
	}
}
