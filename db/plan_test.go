package db

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// withSchema is a store on a database of the test's own, with the schema.
func withSchema(t *testing.T) *Store {
	t.Helper()
	s, err := Open(Options{URL: migrated(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *Store) run(t *testing.T, text string, args ...any) {
	t.Helper()
	if err := s.exec(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

var (
	idA = uuid.MustParse("0190aaaa-0000-7000-8000-000000000001")
	idB = uuid.MustParse("0190aaaa-0000-7000-8000-000000000002")
)

// TestPlans looks at what Postgres makes of pages: a range of an index, with nothing to sort but ties.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	err := s.InTx(t.Context(), false, func(tx *Store) error {
		for _, off := range []string{"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"} {
			tx.run(t, "SET LOCAL "+off+" = off") // with next to no rows they would be cheaper
		}
		at, moment := []string{"x", idA.String()}, []string{"2026-01-01T00:00:00Z", idA.String()}
		explain(t, tx, Groups, "by name", List{Order: []Order{{Key: "NAME"}}, After: at})
		explain(t, tx, Groups, "by name, down", List{Order: []Order{{Key: "NAME", Desc: true}}, After: at})
		explain(t, tx, Groups, "by time", List{Order: []Order{{Key: "CREATED_AT"}}, After: moment})
		explain(t, tx, Groups, "by time, backwards", List{Order: []Order{{Key: "UPDATED_AT"}}, Before: moment, Backward: true})
		explain(t, tx, Groups, "by members", List{Order: []Order{{Key: "MEMBER_COUNT", Desc: true}}, After: []string{"1", idA.String()}})
		explain(t, tx, Users, "by address", List{Order: []Order{{Key: "EMAIL"}}, After: at})
		explain(t, tx, Users, "by full name", List{Order: []Order{{Key: "FULL_NAME", Desc: true}}, After: at})
		parents := []uuid.UUID{idA, idB}
		explain(t, tx, Members, "of groups, by name", List{Of: MembersOfGroup, Parents: parents, Order: []Order{{Key: "USERNAME"}}, After: at})
		explain(t, tx, Members, "of groups, by time", List{Of: MembersOfGroup, Parents: parents, Order: []Order{{Key: "ADDED_AT", Desc: true}}, After: moment})
		explain(t, tx, Admins, "of groups, by name", List{Of: AdminsOfGroup, Parents: parents, Order: []Order{{Key: "USERNAME"}}, After: at})
		explain(t, tx, Tokens, "of groups, by time", List{Of: TokensOfGroup, Parents: parents, Order: []Order{{Key: "CREATED_AT"}}, After: moment})
		explain(t, tx, Changes, "all", List{Where: ChangeSettled, Order: []Order{{Key: "TX"}}, After: CursorBefore(7), Columns: []string{"tx"}})
		explain(t, tx, Changes, "of groups", List{Of: ChangesOfGroup, Parents: parents, Where: ChangeSettled, Order: []Order{{Key: "TX"}}, After: CursorBefore(7), Columns: []string{"tx"}})
		for _, r := range []GroupRef{{ID: idA}, {Number: 1}, {Handle: "x"}, {Name: "X"}, {ExternalID: "x"}} {
			explainTogether(t, tx, Groups, List{Key: GroupKey(r), Where: Or(GroupPublic.Eq(true), GroupHasMember(idB))})
		}
		for _, r := range []UserRef{{ID: idA}, {Number: 1}, {Username: "X"}, {ExternalID: "x"}} {
			explainTogether(t, tx, Users, List{Key: UserKey(r)})
			explainTogether(t, tx, Users, List{Key: UserKey(r), Below: []Below{
				&Nested[Group]{Table: Groups, List: List{Of: GroupsOfUser, Columns: []string{"name"}, Order: []Order{{Key: "NAME"}}, Limit: 50}},
			}})
		}
		explain(t, tx, Changes, "of a group by its name", List{Where: And(ChangeSettled, ChangeOfGroup(GroupRef{Name: "x"})), Order: []Order{{Key: "TX"}}, After: CursorBefore(7), Columns: []string{"tx"}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func explain[T any](t *testing.T, s *Store, table *Table[T], name string, l List) {
	t.Helper()
	l.Limit = 25
	st, err := build(table, l)
	if err != nil {
		t.Fatal(err)
	}
	plan := s.plan(t, st.text, st.args...)
	_, page, _ := strings.Cut(plan, "Limit") // what is above it puts the parents' pages together
	if !strings.Contains(page, "Index Cond: ") || strings.Contains(page, "->  Sort\n") {
		t.Errorf("%s %s is no range of an index:\n%s\n%s", table.from, name, st.text, plan)
	}
}

// explainTogether looks at what is read by several keys: each is looked up in the index of its column, by the plan for all keys too.
func explainTogether[T any](t *testing.T, s *Store, table *Table[T], l List) {
	t.Helper()
	l.Columns = []string{"created_at"}
	st, err := buildTogether(table, l, []*rowRead{{key: l.Key}, {key: l.Key}})
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		s.run(t, "SET LOCAL plan_cache_mode = "+mode)
		plan := s.plan(t, st.text, st.args...)
		if !strings.Contains(plan, "Index Cond: ("+l.Key.column[2:]+" = ") || !strings.Contains(plan, "p.key") || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s are not looked up by their index (%s):\n%s\n%s", l.Key.column, mode, st.text, plan)
		}
	}
	s.run(t, "SET LOCAL plan_cache_mode = auto")
}

// TestParts: the answer has a part for each parent, in their order, with the page cut and the rest told, and so have counts.
func TestParts(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, 5) i`)
	s.run(t, `INSERT INTO groups (id, handle, name) VALUES ($1::uuid, 'a', 'a'), ($2::uuid, 'b', 'b')`, idA.String(), idB.String())
	s.run(t, `INSERT INTO members (group_id, user_id, id, username_key, via) SELECT $1::uuid, id, gen_random_uuid(), username_key, 'X' FROM users`, idA.String())
	for _, row := range []struct {
		name string
		list List
		want string
	}{
		{"both", List{Parents: []uuid.UUID{idA, idB}, Limit: 2}, "u1 u2 more=true; more=false; [5 0]"},
		{"in the other order, backwards", List{Parents: []uuid.UUID{idB, idA}, Limit: 2, Backward: true}, "more=false; u4 u5 more=true; [0 5]"},
		{"twice the same", List{Parents: []uuid.UUID{idA, idA}, Limit: 5}, "u1 u2 u3 u4 u5 more=false; u1 u2 u3 u4 u5 more=false; [5 5]"},
		{"one that is not there", List{Parents: []uuid.UUID{uuid.New()}}, "more=false; [0]"},
	} {
		row.list.Of, row.list.Columns, row.list.Order = MembersOfGroup, []string{"user.username"}, []Order{{Key: "USERNAME"}}
		parts, err := Find(t.Context(), s, Members, row.list)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, p := range parts {
			for _, m := range p.Rows {
				got.WriteString(m.User.Username + " ")
			}
			fmt.Fprintf(&got, "more=%t; ", p.More)
		}
		counts, err := Count(t.Context(), s, Members, row.list)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Fprint(&got, counts); got.String() != row.want {
			t.Errorf("%s: %q, want %q", row.name, got.String(), row.want)
		}
	}
}
