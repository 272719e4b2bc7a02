package db

import (
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/google/uuid"
)

// This file writes the membership of one user in one statement: most writes are one user coming or going.

// queueTime is how long a write waits for others of this process to the same group before it goes the ordinary way.
const queueTime = 100 * time.Millisecond

// OneMember is a membership to begin or to end: in the group and of the user for whom Where holds. Where speaks of g and u; all that has
// to hold for the write to be allowed, and to be a plain one, is a part of it.
type OneMember struct {
	Group   GroupRef
	Where   Cond
	Columns []string  // what is wanted of the group beside its id and name, of what SeenOfGroup has
	Member  uuid.UUID // the id of a new membership
	Grant   Grant     // of a new membership
	Log     Change    // the kind of the change, its doer and its images; the statement knows the rest
}

// OneWritten is what became of it. If nothing changed, the membership was as wanted before.
type OneWritten struct {
	Group   Group // as it is now, as far as it was wanted
	User    User  // its id, number and name
	Changed bool
	Log     Change // the change, if there was one
}

// AddOneMember makes a user a member. false if that is not the plain case, and then nothing was written. It is plain if the
// condition holds, nobody else wrote to the group meanwhile, and no membership of the user's there has an end.
func (s *Store) AddOneMember(ctx context.Context, m OneMember) (OneWritten, bool, error) {
	return s.oneMember(ctx, m, 1, "m.user_id IS NOT NULL", `INSERT INTO members (id, group_id, user_id, username_key, added_by, via)
		SELECT ?::uuid, t.id, t.user_id, t.username_key, ?::uuid, ? FROM touched t RETURNING 1`,
		m.Member.String(), uuidArg(m.Grant.By), m.Grant.Via)
}

// RemoveOneMember takes a user out of the members of a group, in the same way.
func (s *Store) RemoveOneMember(ctx context.Context, m OneMember) (OneWritten, bool, error) {
	return s.oneMember(ctx, m, -1, "m.user_id IS NULL", `DELETE FROM members m USING touched t
		WHERE m.group_id = t.id AND m.user_id = t.user_id RETURNING 1`)
}

// turnsTried is how often a write begins anew that had to wait for its turn.
const turnsTried = 3

// oneMember writes when nobody else of this process names the group, and begins anew after it had to wait for the group's turn: what it saw
// before that may be long past, such as what the user is called.
func (s *Store) oneMember(ctx context.Context, m OneMember, by int, done, write string, args ...any) (one OneWritten, ok bool, err error) {
	leave, err := s.queues.enter(ctx, m.Group, queueTime)
	if leave == nil {
		return one, false, err
	}
	defer leave()
	text, args, names := s.oneStatement(m, by, done, write, args)
	for waited, n := true, 0; waited && n < turnsTried; n++ {
		one, ok, waited, err = s.oneWritten(ctx, text, args, names)
	}
	if one.Changed {
		one.tell(m.Log, by)
	}
	return one, ok, err
}

// oneStatement sees, counts, writes and logs.
//
// A statement sees what was so when it began, and gets the group's lock only then. So the row that it counts in must be of the version that
// it saw: whatever changes what a group is, who is in it or who manages it makes a new version, in the same transaction. If the two are
// one, all that was seen of the group is still so. Of the user, the foreign key says so.
// Were it not so, and nothing there to be written, the change would be of no kind, which the table refuses: nothing is counted then.
//
// The turn is taken before the row is locked, and so before the transaction has its id, for the reason that TakeTurns gives. Where it is
// taken the statement waits for it, and does no more.
func (s *Store) oneStatement(m OneMember, by int, done, write string, args []any) (text string, all []any, names []string) {
	names = seenOf(m.Columns)
	turn := "(" + intKey(turnLock) + ", " + turnOfGroup + ")"
	w := newWriter(20)
	w.add("WITH seen AS MATERIALIZED (SELECT " + columnsOf(Groups, names) + ", u.id AS user_id, u.number AS user_number, u.username, u.username_key, " +
		done + " AS done, CASE WHEN " + done + " THEN false WHEN pg_try_advisory_xact_lock" + turn + " THEN true ELSE pg_advisory_xact_lock" + turn + `::text IS NULL END AS turn
		FROM groups g CROSS JOIN users u LEFT JOIN members m ON m.group_id = g.id AND m.user_id = u.id
		WHERE m.expires_at IS NULL AND `)
	where := And(s.still(), GroupIs(m.Group), m.Where)
	w.add(where.text, where.args...)
	w.add(`), touched AS (
		UPDATE groups g SET member_count = g.member_count + ?::int, version = g.version + 1, updated_at = now()
		FROM seen s WHERE g.id = s.id AND g.version = s.version AND s.turn
		RETURNING g.id, g.name, s.user_id, s.username, s.username_key
	), written AS (`, int64(by))
	w.add(write, args...)
	w.add(`), logged AS (
		INSERT INTO changes (kind, actor, via, request_id, group_id, group_name, user_id, username, before, after)
		SELECT (SELECT ? FROM written), ?, ?, ?, t.id, t.name, t.user_id, t.username, ?::jsonb, ?::jsonb FROM touched t
		RETURNING tx, seq, at
	) SELECT s.*, l.tx::text, l.seq, l.at FROM seen s LEFT JOIN logged l ON true WHERE NOT s.turn OR l.seq IS NOT NULL`,
		m.Log.Kind, m.Log.Actor, m.Log.Via, m.Log.RequestID, imageArg(m.Log.Before), imageArg(m.Log.After))
	return w.text(), w.args, names
}

// tell completes the group and the change by what the statement did to what it saw.
func (o *OneWritten) tell(c Change, by int) {
	g, u := &o.Group, &o.User
	c.Tx, c.Seq, c.At = o.Log.Tx, o.Log.Seq, o.Log.At
	c.GroupID, c.GroupName, c.UserID, c.Username = &g.ID, &g.Name, &u.ID, &u.Username
	o.Log = c
	g.counted(by, c.At)
}

// counted is the group, as it was seen, after so many members more.
func (g *Group) counted(by int, at time.Time) {
	g.MemberCount, g.StoredMemberCount = g.MemberCount+by, g.StoredMemberCount+by
	g.Version, g.UpdatedAt = g.Version+1, at
}

// imageArg is a nullable jsonb argument.
func imageArg(image []byte) any {
	if len(image) == 0 {
		return nil
	}
	return string(image)
}

// seenNames are the columns that the statement can see of the group.
var seenNames = []string{"id", "number", "handle", "name", "description", "type", "external_id", "access_type", "folder_owner",
	"use_default_storage", "public", "tags", "version", "created_at", "created_by", "updated_at", "stored_member_count", "admin_count",
	"member_count"}

// seenOf are those that it sees if some are wanted, in their order: one statement for one set.
func seenOf(wanted []string) []string {
	names := make([]string, 0, len(seenNames))
	for _, name := range seenNames {
		if name == "id" || name == "name" || name == "version" || slices.Contains(wanted, name) {
			names = append(names, name)
		}
	}
	return names
}

// SeenOfGroup reports whether OneWritten.Group can have a column.
func SeenOfGroup(column string) bool { return slices.Contains(seenNames, column) }

// SeenOfUser reports whether OneWritten.User has a column.
func SeenOfUser(column string) bool {
	return column == "id" || column == "number" || column == "username"
}

// UserIsNoAdmin holds for a user who is no admin of the group.
var UserIsNoAdmin = Cond{text: "NOT EXISTS (SELECT 1 FROM admins a WHERE a.group_id = g.id AND a.user_id = u.id)"}

// oneWritten runs the statement and reads its one row. waited: it did nothing but that.
func (s *Store) oneWritten(ctx context.Context, text string, args []any, names []string) (one OneWritten, ok, waited bool, err error) {
	var done, turn bool
	var seq *int64
	var at *time.Time
	u := &one.User
	dest := append(destsOf(Groups, names, &one.Group), &u.ID, &u.Number, &u.Username, &u.UsernameKey, &done, &turn, xid{&one.Log.Tx}, &seq, &at)
	err = s.rows(ctx, text, args, func(values []driver.Value) error {
		ok = true
		return assignAll(dest, values)
	})
	switch {
	case err != nil || !ok:
		return one, false, false, err
	case !done && !turn:
		return OneWritten{}, false, true, nil
	}
	s.found()
	if one.Changed = !done; one.Changed {
		one.Log.Seq, one.Log.At = *seq, *at
	}
	return one, true, false, nil
}
