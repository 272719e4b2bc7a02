package db

import (
	"strconv"
	"testing"
)

// TestProjections: one set of columns is one text in whatever order it is asked for, what the order is by comes with it only if it is wanted,
// and there is a bound on how many are kept.
func TestProjections(t *testing.T) {
	t.Parallel()
	table := &Table[int]{from: "things t", columns: map[string]column[int]{"a": {sql: "t.a"}, "b": {sql: "t.b = ?"}, "c": {sql: "t.c"}},
		keys: map[string]key[int]{"C": {sql: "t.c", column: "c"}}}
	byC := []Order{{Key: "C"}}
	for _, row := range []struct {
		columns             []string
		keys                bool
		bare, named, arrays string
		viewers             int
	}{
		{[]string{"b", "a"}, false, "t.a, t.b = ?", "t.a AS c0, t.b = ? AS c1", "array_agg(c0::text), array_agg(c1::text)", 1},
		{[]string{"a", "b", "a"}, false, "t.a, t.b = ?", "t.a AS c0, t.b = ? AS c1", "array_agg(c0::text), array_agg(c1::text)", 1},
		{[]string{"a"}, true, "t.a, t.c", "t.a AS c0, t.c AS c1", "array_agg(c0::text), array_agg(c1::text)", 0},
		{[]string{"a"}, false, "t.a", "t.a AS c0", "array_agg(c0::text)", 0},
		{nil, false, "", "", "", 0},
	} {
		for range 2 { // made, and found
			p, err := table.project(row.columns, byC, row.keys)
			if err != nil {
				t.Fatal(err)
			}
			if p.bare != row.bare || p.named != row.named || p.arrays != row.arrays || p.viewers != row.viewers || len(p.columns) != len(p.names) {
				t.Errorf("%v, %t: %+v", row.columns, row.keys, p)
			}
		}
	}
	for range 2 {
		if _, err := table.project([]string{"d"}, nil, false); err == nil {
			t.Error("a column that is none is read")
		}
		if _, err := table.project(nil, []Order{{Key: "D"}}, false); err == nil {
			t.Error("a key that is none is read")
		}
	}
	for n := range 2 * maxProjections {
		name := "x" + strconv.Itoa(n)
		table.columns[name] = column[int]{sql: name}
		if p, err := table.project([]string{name}, nil, false); err != nil || p.bare != name {
			t.Fatal(p, err)
		}
		if kept := len(table.projections.by); kept > maxProjections {
			t.Fatalf("%d are kept", kept)
		}
	}
}
