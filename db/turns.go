package db

import (
	"context"
	"database/sql"
	"slices"

	"github.com/google/uuid"
)

// TurnsOf names what many writes in one are on.
type TurnsOf struct {
	Groups  []GroupRef
	Deleted []GroupRef // groups that are to be restored
	Users   []UserRef
	Moved   []UserRef   // users who may leave the groups that they are in
	Things  []uuid.UUID // tokens, actions and worker models, for the groups that they are of
}

// TurnsOf finds the groups and users whose turns writes have to take. What is not there is left out.
func (s *Store) TurnsOf(ctx context.Context, of TurnsOf) ([]uuid.UUID, error) {
	ids, err := s.FindGroups(ctx, of.Groups)
	if err != nil {
		return nil, err
	}
	gone, err := s.FindDeletedGroups(ctx, of.Deleted)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(append(ids, gone...), func(id uuid.UUID) bool { return id == uuid.Nil })
	us, err := s.FindUsers(ctx, slices.Concat(of.Moved, of.Users))
	if err != nil {
		return nil, err
	}
	var moved []uuid.UUID
	for _, u := range us {
		ids = append(ids, u.ID)
		if u.Index < len(of.Moved) {
			moved = append(moved, u.ID)
		}
	}
	if len(moved)+len(of.Things) == 0 {
		return ids, nil
	}
	err = s.each(ctx, `SELECT group_id FROM members WHERE user_id = ANY ($1::uuid[])
		UNION SELECT group_id FROM admins WHERE user_id = ANY ($1::uuid[])
		UNION SELECT group_id FROM tokens WHERE id = ANY ($2::uuid[]) AND group_id IS NOT NULL
		UNION SELECT group_id FROM actions WHERE id = ANY ($2::uuid[]) AND group_id IS NOT NULL
		UNION SELECT group_id FROM worker_models WHERE id = ANY ($2::uuid[])`, []any{UUIDs(moved), UUIDs(of.Things)}, func(rows *sql.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}
