package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Token is a row of tokens, without its hashes.
type Token struct {
	ID          uuid.UUID
	Number      int
	GroupID     *uuid.UUID
	UserID      *uuid.UUID
	Description string
	Prefix      string
	Scopes      []string
	Expiration  string
	ExpiresAt   *time.Time
	CreatedAt   time.Time
	CreatedBy   *uuid.UUID
	LastUsedAt  *time.Time
	RevokedAt   *time.Time
	FirstAdmin  bool
	ParentID    *uuid.UUID // of a session: the token that it stands for
}

// Tokens is the table of tokens. A token that never expires, or was never used, sorts after all others.
var Tokens = &Table[Token]{
	from: "tokens t",
	columns: map[string]column[Token]{
		"id":           {"t.id", func(r *Token) any { return &r.ID }},
		"number":       {"t.number", func(r *Token) any { return &r.Number }},
		"group_id":     {"t.group_id", func(r *Token) any { return &r.GroupID }},
		"user_id":      {"t.user_id", func(r *Token) any { return &r.UserID }},
		"description":  {"t.description", func(r *Token) any { return &r.Description }},
		"prefix":       {"t.prefix", func(r *Token) any { return &r.Prefix }},
		"scopes":       {"t.scopes", func(r *Token) any { return pgdialect.Array(&r.Scopes) }},
		"expiration":   {"t.expiration", func(r *Token) any { return &r.Expiration }},
		"expires_at":   {"t.expires_at", func(r *Token) any { return &r.ExpiresAt }},
		"created_at":   {"t.created_at", func(r *Token) any { return &r.CreatedAt }},
		"created_by":   {"t.created_by", func(r *Token) any { return &r.CreatedBy }},
		"last_used_at": {"t.last_used_at", func(r *Token) any { return &r.LastUsedAt }},
		"revoked_at":   {"t.revoked_at", func(r *Token) any { return &r.RevokedAt }},
	},
	keys: map[string]key[Token]{
		idKey:          {"t.id", "?::uuid", "id", func(b []byte, r *Token) []byte { return appendUUID(b, r.ID) }},
		"CREATED_AT":   {"t.created_at", "?::timestamptz", "created_at", func(b []byte, r *Token) []byte { return appendTime(b, r.CreatedAt) }},
		"EXPIRES_AT":   {"coalesce(t.expires_at, 'infinity')", "?::timestamptz", "expires_at", func(b []byte, r *Token) []byte { return appendTimeOrNever(b, r.ExpiresAt) }},
		"LAST_USED_AT": {"coalesce(t.last_used_at, 'infinity')", "?::timestamptz", "last_used_at", func(b []byte, r *Token) []byte { return appendTimeOrNever(b, r.LastUsedAt) }},
	},
}

// TokensOfGroup are the tokens of a group.
var TokensOfGroup = Relation{where: "t.group_id = p.id"}

// What tokens can be filtered by.
var (
	TokenID          = Column{"t.id", "uuid"}
	TokenNumber      = Column{"t.number", "integer"}
	TokenGroup       = Column{"t.group_id", "uuid"}
	TokenUser        = Column{"t.user_id", "uuid"}
	TokenDescription = Text("t.description_key")
	TokenCreatedAt   = Column{"t.created_at", "timestamptz"}
	TokenExpiresAt   = Column{"t.expires_at", "timestamptz"}
	TokenLastUsedAt  = Column{"t.last_used_at", "timestamptz"}
	TokenRevoked     = Cond{text: "t.revoked_at IS NOT NULL"}
	TokenExpired     = Cond{text: "(t.revoked_at IS NULL AND coalesce(t.expires_at, 'infinity') <= now())"}
	TokenActive      = Cond{text: "(t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))"}
)

// TokenOfGroupWhere holds for tokens whose group is one for which the condition on groups holds.
func TokenOfGroupWhere(group Cond) Cond {
	return among("t.group_id", "SELECT g.id FROM groups g WHERE "+group.text, group.args...)
}

// InsertToken writes a new token; number and time come back in t. The hash is all that is kept of the secret.
func (s *Store) InsertToken(ctx context.Context, t *Token, hash []byte) error {
	_, err := s.queryRow(ctx, `INSERT INTO tokens
		(id, group_id, user_id, description, prefix, hash, scopes, expiration, expires_at, created_by, first_admin, parent_id)
		VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5, $6::bytea, $7::text[], $8, $9::timestamptz, $10::uuid, $11, $12::uuid)
		RETURNING number, created_at`,
		[]any{t.ID.String(), uuidArg(t.GroupID), uuidArg(t.UserID), t.Description, t.Prefix, hash, Strings(t.Scopes), t.Expiration,
			timeArg(t.ExpiresAt), uuidArg(t.CreatedBy), t.FirstAdmin, uuidArg(t.ParentID)},
		&t.Number, &t.CreatedAt)
	return err
}

//nolint:gosec // names of columns
const tokenFields = `t.id, t.number, t.group_id, t.user_id, t.description, t.prefix, t.scopes, t.expiration, t.expires_at, t.created_at,
	t.created_by, t.last_used_at, t.revoked_at, t.first_admin, t.parent_id`

func (t *Token) dest() []any {
	return []any{&t.ID, &t.Number, &t.GroupID, &t.UserID, &t.Description, &t.Prefix, pgdialect.Array(&t.Scopes), &t.Expiration,
		&t.ExpiresAt, &t.CreatedAt, &t.CreatedBy, &t.LastUsedAt, &t.RevokedAt, &t.FirstAdmin, &t.ParentID}
}

// LockToken locks a token for writing and reads it; false if there is none.
func (s *Store) LockToken(ctx context.Context, id uuid.UUID) (Token, bool, error) {
	var t Token
	ok, err := s.queryRow(ctx, "SELECT "+tokenFields+" FROM tokens t WHERE t.id = $1::uuid FOR UPDATE", []any{id.String()}, t.dest()...)
	return t, ok, err
}

// Credential is a token with its owner, as authentication needs it: User is nil for a group's.
type Credential struct {
	Token
	User    *User
	Revoked bool          // it, or the token that it is a session of
	Expired bool          // likewise; by Postgres's clock, the one that all replicas share
	Left    time.Duration // until it ends, by the same clock; negative for one that does not
	Unused  time.Duration // since its last use was written; negative if it never was
	Epoch   int64         // of the authority table
	Old     bool          // its hash is not the first of those that were asked for
}

// What a token and its owner are, without what is told for the one that presents it alone.
//
//nolint:gosec // names of columns
const (
	credentialFields = tokenFields + `, u.username, coalesce(u.roles, '{}'), t.revoked_at IS NOT NULL OR p.revoked_at IS NOT NULL,
		coalesce(t.expires_at <= now(), false) OR coalesce(p.expires_at <= now(), false)`
	credentialJoins = `LEFT JOIN users u ON u.id = t.user_id LEFT JOIN tokens p ON p.id = t.parent_id`
)

// FindCredential finds the token of a secret, or of one that was rotated away and still lives; false if there is none. The hashes
// are those of the secret under each key, the current one first; where a secret was used twice, that one's token is found.
func (s *Store) FindCredential(ctx context.Context, hashes [][]byte) (Credential, bool, error) {
	var c Credential
	var username *string
	var roles []string
	var left, unused int64
	dest := append(c.dest(), &username, pgdialect.Array(&roles), &c.Revoked, &c.Expired, &left, &unused, &c.Old, &c.Epoch)
	ok, err := s.queryRow(ctx, "SELECT "+credentialFields+`,
			coalesce((extract(epoch FROM least(t.expires_at, p.expires_at, CASE WHEN t.hash <> ALL ($1::bytea[]) THEN t.previous_until END) - now()) * 1e6)::bigint, -1),
			coalesce((extract(epoch FROM now() - t.last_used_at) * 1e6)::bigint, -1),
			($1::bytea[])[1] NOT IN (t.hash, coalesce(t.previous_hash, '')),
			`+epochNow+`
		FROM tokens t `+credentialJoins+`
		WHERE t.hash = ANY ($1::bytea[]) OR (t.previous_hash = ANY ($1::bytea[]) AND t.previous_until > now())
		ORDER BY t.hash = ($1::bytea[])[1] DESC LIMIT 1`, []any{byteas(hashes)}, dest...)
	if username != nil {
		c.User = &User{ID: *c.UserID, Username: *username, Roles: roles}
	}
	c.Left, c.Unused = time.Duration(left)*time.Microsecond, time.Duration(unused)*time.Microsecond
	return c, ok, err
}

// DeleteOldSessions removes sessions that ended a day ago or earlier: every log-in makes one.
func (s *Store) DeleteOldSessions(ctx context.Context) error {
	return s.exec(ctx, "DELETE FROM tokens WHERE parent_id IS NOT NULL AND expires_at < now() - interval '1 day'")
}

// TouchToken writes the last use of a token, unless somebody did within the minute.
func (s *Store) TouchToken(ctx context.Context, id uuid.UUID) error {
	err := s.exec(ctx, `UPDATE tokens SET last_used_at = now()
		WHERE id = $1::uuid AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`, id.String())
	return err
}

// RehashToken is TouchToken for a token that was found by a hash under an old key: it is kept under the current one from then on.
func (s *Store) RehashToken(ctx context.Context, id uuid.UUID, hashes [][]byte) error {
	return s.exec(ctx, `UPDATE tokens SET last_used_at = now(),
			hash = CASE WHEN hash = ANY ($2::bytea[]) THEN ($2::bytea[])[1] ELSE hash END,
			previous_hash = CASE WHEN previous_hash = ANY ($2::bytea[]) THEN ($2::bytea[])[1] ELSE previous_hash END
		WHERE id = $1::uuid AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`, id.String(), byteas(hashes))
}

// RotateToken replaces the secret; the old one lives on for the overlap.
func (s *Store) RotateToken(ctx context.Context, t *Token, hash []byte, overlap time.Duration) error {
	err := s.exec(ctx, `UPDATE tokens SET previous_hash = CASE WHEN $3::int > 0 THEN hash END,
		previous_until = CASE WHEN $3::int > 0 THEN least(now() + make_interval(secs => $3::int), expires_at) END,
		hash = $2::bytea, prefix = $4, expires_at = $5::timestamptz WHERE id = $1::uuid`,
		t.ID.String(), hash, int64(overlap/time.Second), t.Prefix, timeArg(t.ExpiresAt))
	return err
}

// RevokeToken ends a token now, with the secret it had before a rotation.
func (s *Store) RevokeToken(ctx context.Context, t *Token) error {
	_, err := s.queryRow(ctx, `UPDATE tokens SET revoked_at = now(), previous_hash = NULL, previous_until = NULL
		WHERE id = $1::uuid RETURNING revoked_at`, []any{t.ID.String()}, &t.RevokedAt)
	return err
}

// FirstAdminTokens are the live tokens of the first administrator.
func (s *Store) FirstAdminTokens(ctx context.Context) ([]Token, error) {
	parts, err := Find(ctx, s, Tokens, List{
		Columns: []string{"id", "user_id", "description", "prefix", "scopes", "expiration", "expires_at", "revoked_at"}, // all that the log keeps
		Where:   And(Cond{text: "t.first_admin"}, TokenActive),
	})
	if err != nil {
		return nil, err
	}
	return parts[0].Rows, nil
}
