package db

import (
	"context"
	"database/sql/driver"

	"github.com/google/uuid"
)

// ManyMembers are users to be made members of a group that is locked.
type ManyMembers struct {
	Group   uuid.UUID
	Users   []UserRef
	Members []uuid.UUID // the id of a new membership for each
	Grant   Grant
	Began   Change // of each new membership: all but its user
	Expired Change // of each that had expired there and had not been swept, before that
}

// NamedMember is the user that the reference at Index named, and what became of its membership.
type NamedMember struct {
	FoundUser
	Added   bool // was no member before
	Expired bool // had been one until its time was over
}

// What NamedMember says, as the statement tells it.
const (
	namedLater = 1 << iota
	namedAdded
	namedExpired
)

// AddMembers finds users, makes members of those who are none, counts them and writes the changes: one statement. Who is named twice is in
// the answer twice; what is not found is not in it.
func (s *Store) AddMembers(ctx context.Context, m ManyMembers) ([]NamedMember, error) {
	ws := append([]way{{name: "member", typ: "uuid", values: spelled(m.Members)}}, waysToUsers(m.Users)...)
	w := newWriter(20)
	w.add("WITH named AS MATERIALIZED (SELECT r.ord, r.member, f.* FROM ")
	if !w.found(ws, "users", "id AS user_id, username, username_key, age(xmin) < 0 AS later") {
		return nil, nil
	}
	w.where("", forItsValues) // the usual plan would be for ten users, and compare each of thousands with each
	w.add(`), fresh AS MATERIALIZED (SELECT DISTINCT ON (user_id) * FROM named ORDER BY user_id, ord
		), added AS (
			INSERT INTO members AS m (id, group_id, user_id, username_key, added_by, via, expires_at)
			SELECT member, ?::uuid, user_id, username_key, ?::uuid, ?::text, ?::timestamptz FROM fresh ORDER BY user_id
			`+unlessMembers+` RETURNING m.user_id, m.xmax <> 0 AS expired
		), touched AS (
			UPDATE groups g SET member_count = g.member_count + (SELECT count(*) FROM added WHERE NOT expired)::int, version = g.version + 1, updated_at = now()
			WHERE g.id = ?::uuid AND EXISTS (SELECT FROM added)
		), logged AS (
			INSERT INTO changes (actor, via, request_id, kind, group_id, group_name, user_id, username, before, after)
			SELECT ?::text, ?::text, ?::text, c.kind, ?::uuid, ?::text, c.user_id, n.username, c.before, c.after
			FROM (SELECT 1 AS place, user_id, ?::text AS kind, ?::jsonb AS before, ?::jsonb AS after FROM added WHERE expired
				UNION ALL SELECT 2, user_id, ?::text, ?::jsonb, ?::jsonb FROM added) c JOIN fresh n ON n.user_id = c.user_id
			ORDER BY c.place, c.user_id
		) SELECT n.ord, n.user_id, n.username, CASE WHEN n.later THEN `+intKey(namedLater)+` ELSE 0 END + CASE WHEN a.expired THEN `+
		intKey(namedAdded|namedExpired)+` WHEN a.user_id IS NULL THEN 0 ELSE `+intKey(namedAdded)+` END
		FROM named n LEFT JOIN added a ON a.user_id = n.user_id`,
		m.Group.String(), uuidArg(m.Grant.By), m.Grant.Via, timeArg(m.Grant.ExpiresAt), m.Group.String(),
		m.Began.Actor, m.Began.Via, m.Began.RequestID, m.Group.String(), named(m.Began.GroupName),
		m.Expired.Kind, imageArg(m.Expired.Before), imageArg(m.Expired.After), m.Began.Kind, imageArg(m.Began.Before), imageArg(m.Began.After))
	all := make([]NamedMember, 0, len(m.Users))
	err := s.compared(ctx, w.text(), w.args, func(values []driver.Value) error {
		all = append(all, NamedMember{})
		n, is := &all[len(all)-1], 0
		err := assignAll([]any{&n.Index, &n.ID, &n.Username, &is}, values)
		n.Index--
		n.Later, n.Added, n.Expired = is&namedLater != 0, is&namedAdded != 0, is&namedExpired != 0
		return err
	})
	return all, lookAgain(err)
}

// spelled are ids as text.
func spelled(ids []uuid.UUID) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return all
}
