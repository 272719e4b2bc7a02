package db

import (
	"database/sql"
	"testing"

	"github.com/google/uuid"
)

// TestManyMembersPlan: Postgres plans the statement for as many users as there are, however often it has seen it. A plan for ten compares each
// user with each.
func TestManyMembersPlan(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || i, 'u' || i FROM generate_series(1, 500) i`)
	s.run(t, `INSERT INTO groups (id, handle, name) VALUES ($1::uuid, 'g', 'g')`, idA.String())
	var users []UserRef
	if err := s.each(t.Context(), "SELECT id FROM users", nil, func(rows *sql.Rows) error {
		users = append(users, UserRef{})
		return rows.Scan(&users[len(users)-1].ID)
	}); err != nil {
		t.Fatal(err)
	}
	name := "g"
	m := ManyMembers{Group: idA, Users: users, Members: make([]uuid.UUID, len(users)), Grant: Grant{Via: "X"},
		Began: Change{Kind: "MEMBER_ADDED", Actor: "x", Via: "X", GroupName: &name}, Expired: Change{Kind: "MEMBER_EXPIRED"}}
	for i := range m.Members {
		m.Members[i] = uuid.New()
	}
	err := s.InTx(t.Context(), true, func(tx *Store) error { // on one connection
		for n := range 8 {
			named, err := tx.AddMembers(t.Context(), m)
			if err != nil {
				return err
			}
			added := 0
			for _, u := range named {
				if u.Added {
					added++
				}
			}
			if len(named) != len(users) || added != map[bool]int{true: len(users)}[n == 0] {
				t.Errorf("time %d: %d of %d users were added", n+1, added, len(named))
			}
		}
		var generic, custom int
		if _, err := tx.queryRow(t.Context(), "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH named%'", nil, &generic, &custom); err != nil {
			return err
		}
		if generic > 0 || custom != 8 {
			t.Errorf("%d times it was planned for any users, %d times for these", generic, custom)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
