package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Member is a row of members, or of admins, which are the same but for the expiry. IsOther says whether the user has the
// other fact too: for a member that it is an admin, for an admin that it is a member.
type Member struct {
	ID          uuid.UUID
	GroupID     uuid.UUID
	UserID      uuid.UUID
	UsernameKey string
	AddedAt     time.Time
	AddedBy     *uuid.UUID
	Via         string
	ExpiresAt   *time.Time
	IsOther     bool
	User        User
}

// Members is the table of members; its rows are those that have not expired.
var Members = memberTable("members", "EXISTS (SELECT 1 FROM admins o WHERE o.group_id = m.group_id AND o.user_id = m.user_id)")

// Admins is the table of admins.
var Admins = memberTable("admins", `EXISTS (SELECT 1 FROM members o WHERE o.group_id = m.group_id AND o.user_id = m.user_id
	AND (o.expires_at IS NULL OR o.expires_at > now()))`)

func memberTable(name, other string) *Table[Member] {
	t := &Table[Member]{
		from:    name + " m",
		joins:   []join{{"u", "JOIN users u ON u.id = m.user_id"}},
		columns: userColumns("u", "user.", func(m *Member) *User { return &m.User }),
		keys: map[string]key[Member]{
			idKey:      {"m.id", "?::uuid", "id", func(b []byte, r *Member) []byte { return appendUUID(b, r.ID) }},
			"USERNAME": {"m.username_key", "?::text", "username_key", func(b []byte, r *Member) []byte { return append(b, r.UsernameKey...) }},
			"ADDED_AT": {"m.added_at", "?::timestamptz", "added_at", func(b []byte, r *Member) []byte { return appendTime(b, r.AddedAt) }},
		},
	}
	for column, dest := range map[string]func(*Member) any{
		"id":           func(r *Member) any { return &r.ID },
		"group_id":     func(r *Member) any { return &r.GroupID },
		"user_id":      func(r *Member) any { return &r.UserID },
		"username_key": func(r *Member) any { return &r.UsernameKey },
		"added_at":     func(r *Member) any { return &r.AddedAt },
		"added_by":     func(r *Member) any { return &r.AddedBy },
		"via":          func(r *Member) any { return &r.Via },
	} {
		t.columns[column] = columnOf("m."+column, dest)
	}
	if name == "members" {
		t.columns["expires_at"] = columnOf("m.expires_at", func(r *Member) any { return &r.ExpiresAt })
	}
	t.columns["is_other"] = columnOf(other, func(r *Member) any { return &r.IsOther })
	return t
}

func columnOf[T any](sql string, dest func(*T) any) column[T] { return column[T]{sql, dest} }

// MembersOfGroup and AdminsOfGroup are the two facts of a group.
var (
	MembersOfGroup = Relation{where: "m.group_id = p.id AND (m.expires_at IS NULL OR m.expires_at > now())"}
	AdminsOfGroup  = Relation{where: "m.group_id = p.id"}
)

// What members and admins can be filtered by.
var (
	MemberID      = Column{"m.id", "uuid"}
	MemberName    = Text("m.username_key")
	MemberEmail   = Text("u.email_key")
	MemberAddedAt = Column{"m.added_at", "timestamptz"}
	// MemberActive holds for members that have not expired.
	MemberActive = Cond{text: "(m.expires_at IS NULL OR m.expires_at > now())"}
	// MemberIsAdmin holds for members that are admins of the group too.
	MemberIsAdmin = Cond{text: "EXISTS (SELECT 1 FROM admins o WHERE o.group_id = m.group_id AND o.user_id = m.user_id)"}
)

// MemberSearch holds for members and admins with the text in their username, address or full name, without regard to case. Those are
// part of what users are searched by, which has an index.
func MemberSearch(text string) Cond {
	return And(Or(MemberName.Contains(text), MemberEmail.Contains(text), UserFullName.Contains(text)), UserSearch.Contains(text))
}

// MemberOfGroupWhere holds for rows whose group is one for which the condition on groups holds.
func MemberOfGroupWhere(group Cond) Cond {
	if group.IsZero() {
		return Cond{}
	}
	return cond("EXISTS (SELECT 1 FROM groups g WHERE g.id = m.group_id AND "+group.text+")", group.args...)
}

// NewMember is a member or an admin to insert.
type NewMember struct {
	ID      uuid.UUID
	GroupID uuid.UUID
	UserID  uuid.UUID
}

// Grant says by whom, through what, and until when new rows are added.
type Grant struct {
	By        *uuid.UUID
	Via       string
	ExpiresAt *time.Time
}

func memberArgs(g Grant, ms []NewMember, groups any) []any {
	ids, users := make([]uuid.UUID, len(ms)), make([]uuid.UUID, len(ms))
	for i, m := range ms {
		ids[i], users[i] = m.ID, m.UserID
	}
	return []any{uuidArg(g.By), g.Via, timeArg(g.ExpiresAt), UUIDs(ids), UUIDs(users), groups}
}

// Pair is a (group, user), with what a statement said of it.
type Pair struct {
	GroupID, UserID uuid.UUID
	Expired         bool       // the row there had expired
	ExpiresAt       *time.Time // the expiry it had
}

// InsertMembers adds members, in one statement, and answers those that were not members before; one whose membership
// had expired unswept counts as added, and says Expired.
func (s *Store) InsertMembers(ctx context.Context, ms []NewMember, g Grant) ([]Pair, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	if !slices.ContainsFunc(ms, func(m NewMember) bool { return m.GroupID != ms[0].GroupID }) {
		pairs, err := s.insertInto(ctx, ms, g)
		return pairs, lookAgain(err)
	}
	pairs, err := s.pairs(ctx, insertMembers+`FROM unnest($4::uuid[], $5::uuid[], $6::uuid[]) n(id, user_id, group_id)`+insertUsers+
		` RETURNING m.group_id, m.user_id, m.xmax <> 0, NULL::timestamptz`, memberArgs(g, ms, groupsOf(ms))...)
	return pairs, lookAgain(err)
}

// insertInto is InsertMembers into one group, which is said once: there may be thousands.
func (s *Store) insertInto(ctx context.Context, ms []NewMember, g Grant) ([]Pair, error) {
	pairs, group := make([]Pair, 0, len(ms)), ms[0].GroupID
	err := s.compared(ctx, insertMembers+`FROM (SELECT id, user_id, $6::uuid AS group_id FROM unnest($4::uuid[], $5::uuid[]) n(id, user_id)) n`+insertUsers+
		` RETURNING m.user_id, m.xmax <> 0`, memberArgs(g, ms, group.String()), func(values []driver.Value) error {
		p := Pair{GroupID: group}
		p.Expired, _ = values[1].(bool)
		err := assignUUID(&p.UserID, values[0])
		pairs = append(pairs, p)
		return err
	})
	return pairs, err
}

// The beginning and the end of what inserts members.
const (
	insertMembers = `INSERT INTO members AS m (id, group_id, user_id, username_key, added_by, via, expires_at)
		SELECT n.id, n.group_id, n.user_id, u.username_key, $1::uuid, $2, $3::timestamptz `
	insertUsers = ` JOIN users u ON u.id = n.user_id
		ORDER BY n.group_id, n.user_id
		ON CONFLICT (group_id, user_id) DO UPDATE SET id = EXCLUDED.id, added_at = now(), added_by = EXCLUDED.added_by,
			via = EXCLUDED.via, expires_at = EXCLUDED.expires_at WHERE m.expires_at <= now()`
)

// InsertAdmins adds admins, in one statement, and answers those that were not admins before.
func (s *Store) InsertAdmins(ctx context.Context, ms []NewMember, g Grant) ([]Pair, error) {
	pairs, err := s.pairs(ctx, `INSERT INTO admins AS m (id, group_id, user_id, username_key, added_by, via)
		SELECT n.id, n.group_id, n.user_id, u.username_key, $1::uuid, $2
		FROM unnest($3::uuid[], $4::uuid[], $5::uuid[]) n(id, user_id, group_id) JOIN users u ON u.id = n.user_id
		ORDER BY n.group_id, n.user_id
		ON CONFLICT (group_id, user_id) DO NOTHING
		RETURNING m.group_id, m.user_id, false, NULL::timestamptz`, slices.Delete(memberArgs(g, ms, groupsOf(ms)), 2, 3)...) // an adminship has no end
	return pairs, lookAgain(err)
}

// groupsOf is the uuid[] argument of their groups.
func groupsOf(ms []NewMember) any {
	ids := make([]uuid.UUID, len(ms))
	for i, m := range ms {
		ids[i] = m.GroupID
	}
	return UUIDs(ids)
}

// lookAgain has the transaction repeated if a user was renamed or deleted while a row of theirs was inserted.
func lookAgain(err error) error {
	var e *Error
	if errors.As(err, &e) && (e.Constraint == "members_user_exists" || e.Constraint == "admins_user_exists") {
		return ErrRetry
	}
	return err
}

// SetExpiry changes when members expire and answers those for which that was a change, with the expiry they had.
func (s *Store) SetExpiry(ctx context.Context, group uuid.UUID, users []uuid.UUID, at time.Time) ([]Pair, error) {
	return s.pairs(ctx, `UPDATE members m SET expires_at = $3::timestamptz FROM members old
		WHERE m.group_id = $1::uuid AND m.user_id = ANY ($2::uuid[]) AND m.expires_at IS DISTINCT FROM $3::timestamptz
		AND old.group_id = m.group_id AND old.user_id = m.user_id
		RETURNING m.group_id, m.user_id, false, old.expires_at`, group.String(), UUIDs(users), timeArg(&at))
}

const returnMembers = ` RETURNING m.group_id, m.user_id, coalesce(m.expires_at <= now(), false), m.expires_at`

// DeleteMembers removes users from the members of a group and answers those who were there.
func (s *Store) DeleteMembers(ctx context.Context, group uuid.UUID, users []uuid.UUID) ([]Pair, error) {
	return s.pairs(ctx, "DELETE FROM members m WHERE m.group_id = $1::uuid AND m.user_id = ANY ($2::uuid[])"+returnMembers,
		group.String(), UUIDs(users))
}

// DeleteOtherMembers removes all but the given users from the members of a group and answers those who were there.
func (s *Store) DeleteOtherMembers(ctx context.Context, group uuid.UUID, keep []uuid.UUID) ([]Pair, error) {
	return s.pairs(ctx, `DELETE FROM members m WHERE m.group_id = $1::uuid
		AND NOT EXISTS (SELECT 1 FROM unnest($2::uuid[]) k(id) WHERE k.id = m.user_id)`+returnMembers, group.String(), UUIDs(keep))
}

// DeleteMemberships removes a user from the members of the given groups and answers where it was one.
func (s *Store) DeleteMemberships(ctx context.Context, user uuid.UUID, groups []uuid.UUID) ([]Pair, error) {
	return s.pairs(ctx, "DELETE FROM members m WHERE m.user_id = $1::uuid AND m.group_id = ANY ($2::uuid[])"+returnMembers,
		user.String(), UUIDs(groups))
}

// DeleteExpired removes up to limit members of the given groups whose time is over, the longest over first. What it finds is asked once more
// of the row itself: somebody who has not locked the group may be giving it more time by hand, and is waited for.
func (s *Store) DeleteExpired(ctx context.Context, groups []uuid.UUID, limit int) ([]Pair, error) {
	return s.pairs(ctx, `DELETE FROM members m WHERE m.id IN (SELECT e.id FROM members e WHERE e.group_id = ANY ($1::uuid[])
		AND e.expires_at <= now() ORDER BY e.expires_at LIMIT $2) AND m.expires_at <= now()`+returnMembers, UUIDs(groups), int64(limit))
}

const lockExpired = "SELECT g.id FROM groups g WHERE g.next_expiry <= now() ORDER BY g.next_expiry LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED"

// LockExpired locks up to limit groups of which a membership may have come to its end and that nobody else is writing to, those that
// have waited longest first. The version before this one found them by the index members_expired, which has to stay while it may run
// beside this one.
func (s *Store) LockExpired(ctx context.Context, limit int) ([]uuid.UUID, error) {
	return s.ids(ctx, lockExpired, int64(limit))
}

// ReckonNextExpiry has locked groups say when the next of their memberships ends. It may have been said of one that has gone since, or
// has got more time. The order is that of one index alone (member_ends says why).
func (s *Store) ReckonNextExpiry(ctx context.Context, groups []uuid.UUID) error {
	return s.exec(ctx, `UPDATE groups g SET next_expiry = (SELECT f.expires_at FROM (
			SELECT m.group_id, m.expires_at FROM members m WHERE m.expires_at IS NOT NULL AND (m.group_id, m.expires_at) >= (g.id, timestamptz '-infinity')
			ORDER BY m.group_id, m.expires_at LIMIT 1) f WHERE f.group_id = g.id)
		WHERE g.id = ANY ($1::uuid[])`, UUIDs(groups))
}

const returnAdmins = ` RETURNING m.group_id, m.user_id, false, NULL::timestamptz`

// DeleteAdmins removes users from the admins of a group and answers those who were there.
func (s *Store) DeleteAdmins(ctx context.Context, group uuid.UUID, users []uuid.UUID) ([]Pair, error) {
	return s.pairs(ctx, "DELETE FROM admins m WHERE m.group_id = $1::uuid AND m.user_id = ANY ($2::uuid[])"+returnAdmins,
		group.String(), UUIDs(users))
}

// DeleteOtherAdmins removes all but the given users from the admins of a group and answers those who were there.
func (s *Store) DeleteOtherAdmins(ctx context.Context, group uuid.UUID, keep []uuid.UUID) ([]Pair, error) {
	return s.pairs(ctx, `DELETE FROM admins m WHERE m.group_id = $1::uuid
		AND NOT EXISTS (SELECT 1 FROM unnest($2::uuid[]) k(id) WHERE k.id = m.user_id)`+returnAdmins, group.String(), UUIDs(keep))
}

// DeleteAdminships removes a user from the admins of the given groups and answers where it was one.
func (s *Store) DeleteAdminships(ctx context.Context, user uuid.UUID, groups []uuid.UUID) ([]Pair, error) {
	return s.pairs(ctx, "DELETE FROM admins m WHERE m.user_id = $1::uuid AND m.group_id = ANY ($2::uuid[])"+returnAdmins,
		user.String(), UUIDs(groups))
}

// GroupsOf names the groups where a user has a row as a member, and those where it has one as an admin.
func (s *Store) GroupsOf(ctx context.Context, user uuid.UUID) (member, admin []uuid.UUID, err error) {
	err = s.each(ctx, `SELECT group_id, false FROM members WHERE user_id = $1::uuid
		UNION ALL SELECT group_id, true FROM admins WHERE user_id = $1::uuid`, []any{user.String()}, func(rows *sql.Rows) error {
		var id uuid.UUID
		var isAdmin bool
		err := rows.Scan(&id, &isAdmin)
		if isAdmin {
			admin = append(admin, id)
		} else {
			member = append(member, id)
		}
		return err
	})
	return member, admin, err
}

// Facts says what holds of one (group, user).
type Facts struct {
	GroupID, UserID   uuid.UUID // nil where there is none, or none that the condition holds for
	IsMember, IsAdmin bool
}

const memberFacts = `
	EXISTS (SELECT 1 FROM members m WHERE m.group_id = p.g AND m.user_id = p.u AND (m.expires_at IS NULL OR m.expires_at > now())),
	EXISTS (SELECT 1 FROM admins m WHERE m.group_id = p.g AND m.user_id = p.u)`

// Memberships answers pairs of ids in one statement, in their order.
func (s *Store) Memberships(ctx context.Context, groups, users []uuid.UUID) ([]Facts, error) {
	if err := s.Compare(ctx); err != nil {
		return nil, err
	}
	return s.facts(ctx, "SELECT p.g, p.u,"+memberFacts+" FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY p(g, u, ord) ORDER BY p.ord",
		UUIDs(groups), UUIDs(users))
}

// Check answers pairs of references in one statement, in their order, about groups that a condition holds for.
func (s *Store) Check(ctx context.Context, groups []GroupRef, users []UserRef, visible Cond) ([]Facts, error) {
	if s.primary != nil {
		return s.checkEitherWay(ctx, groups, users, visible)
	}
	args := append(allWays(waysToGroups(groups)), allWays(waysToUsers(users))...)
	w := newWriter(12)
	w.add(`SELECT p.g, p.u,`+memberFacts+` FROM (
		SELECT r.ord, g.id AS g, u.id AS u
		FROM unnest(?::uuid[], ?::int[], ?::text[], ?::text[], ?::text[], ?::uuid[], ?::int[], ?::text[], ?::text[]) WITH ORDINALITY
			r(gid, gnumber, handle, name, gexternal, uid, unumber, username, uexternal, ord)
		LEFT JOIN LATERAL (SELECT g.id FROM groups g WHERE g.id = (
			SELECT id FROM groups WHERE id = r.gid
			UNION ALL SELECT id FROM groups WHERE number = r.gnumber
			UNION ALL SELECT id FROM groups WHERE handle = r.handle
			UNION ALL SELECT id FROM groups WHERE name_key = lower(r.name) COLLATE "C"
			UNION ALL SELECT id FROM groups WHERE external_id = r.gexternal)`, args...)
	if !visible.IsZero() {
		w.add(" AND "+visible.text, visible.args...)
	}
	w.add(`) g ON true
		LEFT JOIN LATERAL (
			SELECT id FROM users WHERE id = r.uid
			UNION ALL SELECT id FROM users WHERE number = r.unumber
			UNION ALL SELECT id FROM users WHERE username_key = lower(r.username) COLLATE "C"
			UNION ALL SELECT id FROM users WHERE external_id = r.uexternal) u ON true) p`)
	w.where("", s.still())
	w.add(" ORDER BY p.ord")
	facts, err := s.facts(ctx, w.text(), w.args...)
	if err == nil && len(facts) == 0 {
		return nil, s.Compare(ctx)
	}
	s.found()
	return facts, err
}

func (s *Store) facts(ctx context.Context, text string, args ...any) ([]Facts, error) {
	var facts []Facts
	err := s.rows(ctx, text, args, func(values []driver.Value) error {
		var f Facts
		var group, user *uuid.UUID
		err := assignAll([]any{&group, &user, &f.IsMember, &f.IsAdmin}, values)
		if group != nil {
			f.GroupID = *group
		}
		if user != nil {
			f.UserID = *user
		}
		facts = append(facts, f)
		return err
	})
	return facts, err
}

func (s *Store) pairs(ctx context.Context, text string, args ...any) ([]Pair, error) {
	var ps []Pair
	err := s.compared(ctx, text, args, func(values []driver.Value) error {
		ps = append(ps, Pair{})
		p := &ps[len(ps)-1]
		return assignAll([]any{&p.GroupID, &p.UserID, &p.Expired, &p.ExpiresAt}, values)
	})
	return ps, err
}

func (s *Store) ids(ctx context.Context, text string, args ...any) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := s.compared(ctx, text, args, func(values []driver.Value) error {
		var id uuid.UUID
		err := assign(&id, values[0])
		ids = append(ids, id)
		return err
	})
	return ids, err
}
