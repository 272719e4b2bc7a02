package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Identity is a row of identities with the user that it is of.
type Identity struct {
	User     User
	ClaimsAt time.Time // when the token was issued whose claims the user has
}

// FindIdentity finds the user whom an issuer calls by that subject; false if there is none.
func (s *Store) FindIdentity(ctx context.Context, issuer, subject string) (Identity, bool, error) {
	var i Identity
	u := &i.User
	ok, err := s.queryRow(ctx, `SELECT u.id, u.number, u.username, u.username_key, u.email, u.full_name, u.external_id, u.roles, u.created_at, i.claims_at
		FROM identities i JOIN users u ON u.id = i.user_id WHERE i.issuer = $1 AND i.subject = $2`, []any{issuer, subject},
		&u.ID, &u.Number, &u.Username, &u.UsernameKey, &u.Email, &u.FullName, &u.ExternalID, pgdialect.Array(&u.Roles), &u.CreatedAt, &i.ClaimsAt)
	return i, ok, err
}

// LinkIdentity has an issuer's subject be that user from now on. False if it is somebody already, or the user is another subject
// of the issuer's.
func (s *Store) LinkIdentity(ctx context.Context, issuer, subject string, user uuid.UUID, claimsAt time.Time) (bool, error) {
	var linked bool
	_, err := s.queryRow(ctx, `INSERT INTO identities (issuer, subject, user_id, claims_at) VALUES ($1, $2, $3::uuid, $4::timestamptz)
		ON CONFLICT DO NOTHING RETURNING true`, []any{issuer, subject, user.String(), timeKey(claimsAt)}, &linked)
	return linked, err
}

// DateIdentity writes down when the token was issued whose claims the user has now.
func (s *Store) DateIdentity(ctx context.Context, issuer, subject string, claimsAt time.Time) error {
	return s.exec(ctx, "UPDATE identities SET claims_at = $3::timestamptz WHERE issuer = $1 AND subject = $2", issuer, subject, timeKey(claimsAt))
}
