package db

import (
	"errors"
	"testing"

	"github.com/google/uuid"
)

// TestCompareComesFirst: no statement runs for a caller whose authority has changed since the caller was found, those that are read the short
// way included.
func TestCompareComesFirst(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO users (id, username, username_key) VALUES ($1::uuid, 'ann', 'ann')`, idA.String())
	s.run(t, `INSERT INTO groups (id, handle, name) VALUES ($1::uuid, 'g', 'g')`, idB.String())
	s.run(t, `INSERT INTO members (group_id, user_id, id, username_key, via) VALUES ($1::uuid, $2::uuid, $2::uuid, 'ann', 'X')`, idB.String(), idA.String())
	for name, run := range map[string]func(s *Store) error{
		"FindUsers": func(s *Store) error {
			_, err := s.FindUsers(t.Context(), []UserRef{{Username: "ann"}})
			return err
		},
		"DeleteMembers": func(s *Store) error {
			_, err := s.DeleteMembers(t.Context(), idB, []uuid.UUID{idA})
			return err
		},
		"LockExpired": func(s *Store) error {
			_, err := s.LockExpired(t.Context(), 1)
			return err
		},
	} {
		if err := run(s.AsOf(At(-1, false))); !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v, want ErrStale", name, err)
		}
	}
	var n int
	if _, err := s.queryRow(t.Context(), "SELECT count(*)::int FROM members", nil, &n); err != nil || n != 1 {
		t.Errorf("%d members are left, %v", n, err)
	}
}
