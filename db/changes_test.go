package db

import (
	"database/sql"
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestChangesOfOneThing: changes that are the same but for the user are written as each of them is beside one that is not, in their order,
// with what they leave out left out.
func TestChangesOfOneThing(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	text := func(v string) *string { return &v }
	for i, c := range []Change{
		{Kind: "MEMBER_ADDED", GroupID: &idA, GroupName: text(`a "group", {NULL}`), After: []byte(`{"expiresAt": null}`)},
		{Kind: "MEMBER_REMOVED", GroupID: &idA, GroupName: text(`NULL`), Before: []byte("null"), After: []byte{}},
		{Kind: "USER_UPDATED", Before: []byte{}, After: []byte(`"\\,"`)},
	} {
		c.Actor, c.Via, c.RequestID = "somebody", "GRAPHQL", fmt.Sprint(i)
		one, other, nobody := c, c, c
		one.UserID, one.Username = &idB, text(`b\,"`)
		other.UserID, other.Username = &idA, text("NULL")
		same := []Change{one, other, nobody, one}
		odd := c
		odd.Kind = "GROUP_UPDATED"
		var got [2][]string
		for way, cs := range [][]Change{same, append(same[:4:4], odd)} {
			s.run(t, "DELETE FROM changes")
			if err := s.Record(t.Context(), nil, cs, false); err != nil {
				t.Errorf("%d, way %d: %v", i, way, err)
				continue
			}
			err := s.each(t.Context(), `SELECT row_to_json(c)::text FROM (SELECT kind, actor, via, request_id, group_id, group_name, user_id, username,
				before::text, after::text FROM changes WHERE kind <> 'GROUP_UPDATED' ORDER BY tx, seq) c`, nil, func(rows *sql.Rows) error {
				got[way] = append(got[way], "")
				return rows.Scan(&got[way][len(got[way])-1])
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := gocmp.Diff(got[1], got[0]); diff != "" || len(got[0]) != len(same) {
			t.Errorf("%d: %s", i, diff)
		}
	}
}
