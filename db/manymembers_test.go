package db

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestManyMembersPlan: Postgres plans the statement for as many users as there are, however often it has seen it. A plan for ten compares each
// user with each.
func TestManyMembersPlan(t *testing.T) {
	t.Parallel()
	const many, times = 500, 8
	s, err := Open(Options{URL: migrated(t), MaxConns: 1}) // whose statements are on one connection
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, $1::int) i`, many)
	s.run(t, `INSERT INTO groups (id, handle, name) SELECT gen_random_uuid(), 'g' || i, 'g' || i FROM generate_series(1, $1::int) i`, times)
	var users []UserRef
	if err := s.each(t.Context(), "SELECT id FROM users", nil, func(rows *sql.Rows) error {
		users = append(users, UserRef{})
		return rows.Scan(&users[len(users)-1].ID)
	}); err != nil {
		t.Fatal(err)
	}
	for n := range times {
		m := ManyMembers{Group: GroupRef{Name: fmt.Sprintf("G%d", n+1)}, Users: users, Each: true, Member: uuid.New(), Grant: Grant{Via: "X"},
			Log: Change{Kind: "MEMBER_ADDED", Actor: "x", Via: "X"}}
		binary.BigEndian.PutUint32(m.Member[12:], 1<<32-many/2) // the ids go round
		got, ok, err := s.AddManyMembers(t.Context(), m)
		if err != nil || !ok || len(got.Users) != many || got.Tx == 0 || got.Group.ID == uuid.Nil {
			t.Fatalf("time %d: %t, %d users, %v", n+1, ok, len(got.Users), err)
		}
		for _, u := range got.Users {
			if u.ID != users[u.Index].ID || !u.Added || !strings.HasPrefix(u.Username, "u") {
				t.Errorf("%+v", u)
			}
		}
	}
	var generic, custom, ids int
	if _, err := s.queryRow(t.Context(), "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH seen%'", nil, &generic, &custom); err != nil {
		t.Fatal(err)
	}
	if generic > 0 || custom != times {
		t.Errorf("%d times it was planned for any users, %d times for these", generic, custom)
	}
	if _, err := s.queryRow(t.Context(), "SELECT count(DISTINCT id)::int FROM members", nil, &ids); err != nil || ids != many*times {
		t.Errorf("%d ids of %d members, %v", ids, many*times, err)
	}
}
