package db

import (
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/google/uuid"
)

// This file writes the membership of one user in one statement: most writes are one user coming or going.

// OneMember is a membership to begin or to end: of the user and in the group for which Where holds. Where speaks of g and u; all
// that has to hold for the write to be allowed, and to be a plain one, is a part of it.
type OneMember struct {
	Where  Cond
	Member uuid.UUID // the id of a new membership
	Grant  Grant     // of a new membership
	Log    Change    // the kind of the change, its doer and its images; the statement knows the rest
}

// OneWritten is what became of it. If nothing changed, the membership was as wanted before.
type OneWritten struct {
	Group   Group // as it is now, but for the facts about a viewer
	User    User  // its id, number and name
	Changed bool
	Log     Change // the change, if there was one
}

// AddOneMember makes a user a member. false if that is not the plain case, and then nothing was written. It is plain if the
// condition holds, nobody else is writing to the group, and no membership of the user's there has an end.
func (s *Store) AddOneMember(ctx context.Context, m OneMember) (OneWritten, bool, error) {
	return s.oneMember(ctx, m, 1, "m.user_id IS NOT NULL", `INSERT INTO members (id, group_id, user_id, username_key, added_by, via)
		SELECT ?::uuid, s.id, s.user_id, s.username_key, ?::uuid, ? FROM seen s JOIN held h ON h.id = s.id RETURNING group_id`,
		m.Member.String(), uuidArg(m.Grant.By), m.Grant.Via)
}

// RemoveOneMember takes a user out of the members of a group, in the same way.
func (s *Store) RemoveOneMember(ctx context.Context, m OneMember) (OneWritten, bool, error) {
	return s.oneMember(ctx, m, -1, "m.user_id IS NULL", `DELETE FROM members m USING seen s, held h
		WHERE h.id = s.id AND m.group_id = s.id AND m.user_id = s.user_id RETURNING m.group_id`)
}

// oneMember sees, holds, writes, counts and logs.
//
// A statement sees what was so when it began, and gets the group's turn and its lock only then. So the row that it holds must be of
// the version that it saw: whatever changes what a group is, who is in it or who manages it makes a new version, in the same
// transaction. If the two are one, all that was seen of the group is still so. Of the user, the foreign key says so.
//
// The turn is tried and not waited for: who waits comes too late by then. It is taken before the row is locked, and so before the
// transaction has its id, for the reason that TakeTurns gives.
func (s *Store) oneMember(ctx context.Context, m OneMember, by int, done, write string, args ...any) (OneWritten, bool, error) {
	w := writer{args: make([]any, 0, 20)}
	w.add(`WITH seen AS MATERIALIZED (SELECT ` + seenColumns + `, ` + done + ` AS done,
			CASE WHEN ` + done + ` THEN false ELSE pg_try_advisory_xact_lock(` + intKey(turnLock) + `, ` + turnOfGroup + `) END AS turn
		FROM groups g CROSS JOIN users u LEFT JOIN members m ON m.group_id = g.id AND m.user_id = u.id
		WHERE m.expires_at IS NULL AND `)
	where := And(s.still(), m.Where)
	w.add(where.text, where.args...)
	w.add(`), held AS (
		SELECT g.id FROM groups g JOIN seen s ON s.id = g.id AND s.version = g.version WHERE s.turn FOR NO KEY UPDATE OF g
	), written AS (`)
	w.add(write, args...)
	w.add(`), touched AS (
		UPDATE groups g SET member_count = g.member_count + ?::int, version = g.version + 1, updated_at = now()
		FROM written w WHERE g.id = w.group_id
	), logged AS (
		INSERT INTO changes (kind, actor, via, request_id, group_id, group_name, user_id, username, before, after)
		SELECT ?, ?, ?, ?, s.id, s.name, s.user_id, s.username, ?::jsonb, ?::jsonb FROM seen s JOIN written w ON w.group_id = s.id
		RETURNING tx, seq, at
	) SELECT s.*, l.tx::text, l.seq, l.at FROM seen s LEFT JOIN logged l ON true WHERE s.done OR l.seq IS NOT NULL`,
		int64(by), m.Log.Kind, m.Log.Actor, m.Log.Via, m.Log.RequestID, imageArg(m.Log.Before), imageArg(m.Log.After))
	one, ok, err := s.oneWritten(ctx, number(w.b.String()), w.args)
	if one.Changed {
		one.tell(m.Log, by)
	}
	return one, ok, err
}

// tell completes the group and the change by what the statement did to what it saw.
func (o *OneWritten) tell(c Change, by int) {
	g, u := &o.Group, &o.User
	c.Tx, c.Seq, c.At = o.Log.Tx, o.Log.Seq, o.Log.At
	c.GroupID, c.GroupName, c.UserID, c.Username = &g.ID, &g.Name, &u.ID, &u.Username
	o.Log = c
	g.MemberCount, g.StoredMemberCount = g.MemberCount+by, g.StoredMemberCount+by
	g.Version, g.UpdatedAt = g.Version+1, c.At
}

// imageArg is a nullable jsonb argument.
func imageArg(image []byte) any {
	if len(image) == 0 {
		return nil
	}
	return string(image)
}

// seenNames are the columns that the statement sees of the group.
var seenNames = []string{"id", "number", "handle", "name", "description", "type", "external_id", "access_type", "folder_owner",
	"use_default_storage", "public", "tags", "version", "created_at", "created_by", "updated_at", "stored_member_count", "admin_count",
	"member_count"}

// SeenOfGroup reports whether OneWritten.Group has a column.
func SeenOfGroup(column string) bool { return slices.Contains(seenNames, column) }

// SeenOfUser reports whether OneWritten.User has a column.
func SeenOfUser(column string) bool {
	return column == "id" || column == "number" || column == "username"
}

// UserIsNoAdmin holds for a user who is no admin of the group.
var UserIsNoAdmin = Cond{text: "NOT EXISTS (SELECT 1 FROM admins a WHERE a.group_id = g.id AND a.user_id = u.id)"}

var seenColumns = columnsOf(Groups, seenNames) + ", u.id AS user_id, u.number AS user_number, u.username, u.username_key"

// oneWritten runs the statement and reads its one row.
func (s *Store) oneWritten(ctx context.Context, text string, args []any) (OneWritten, bool, error) {
	var one OneWritten
	var done, turn bool
	var seq *int64
	var at *time.Time
	u := &one.User
	dest := append(destsOf(Groups, seenNames, &one.Group), &u.ID, &u.Number, &u.Username, &u.UsernameKey, &done, &turn, xid{&one.Log.Tx}, &seq, &at)
	ok := false
	err := s.rows(ctx, text, args, func(values []driver.Value) error {
		ok = true
		return assignAll(dest, values)
	})
	if ok && err == nil {
		s.found()
		if one.Changed = !done; one.Changed {
			one.Log.Seq, one.Log.At = *seq, *at
		}
	}
	return one, ok && err == nil, err
}
