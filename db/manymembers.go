package db

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// This file makes many users members of one group in one statement, as onemember.go does one.

// ManyMembers are memberships to begin in the group for which Where holds. Where speaks of g; all that has to hold for the write to be
// allowed is a part of it.
type ManyMembers struct {
	Group   GroupRef
	Where   Cond
	Columns []string // what is wanted of the group beside its id and name, of what SeenOfGroup has
	Users   []UserRef
	Each    bool      // each of them has to be there
	Member  uuid.UUID // the ids of new memberships count on from here, in its last four bytes (RFC 9562, 6.2: a counter in random bits)
	Grant   Grant     // without an end
	Log     Change    // of each new membership: all but group and user, which the statement knows
}

// ManyWritten is what became of them.
type ManyWritten struct {
	Group Group // as it is now, as far as it was wanted
	Users []NamedUser
	Tx    uint64 // the changes' place
}

// NamedUser is a user that was found, with its id and name.
type NamedUser struct {
	Index int // of the reference that named it
	User
	Added bool // was no member before
}

// AddManyMembers makes users members. false if that is not the plain case, and then nothing was written. It is plain if the condition holds,
// somebody is to be added, nobody else wrote to the group meanwhile, and of nobody who is named the time as a member is over.
func (s *Store) AddManyMembers(ctx context.Context, m ManyMembers) (ManyWritten, bool, error) {
	leave, err := s.queues.enter(ctx, m.Group, queueTime)
	if leave == nil {
		return ManyWritten{}, false, err
	}
	defer leave()
	order := inOrderOfIDs(m.Users)
	text, args, names := s.manyStatement(m, order)
	for n := 0; text != "" && n < turnsTried; n++ {
		many, ok, waited, err := s.manyWritten(ctx, text, args, names, order)
		if ok || err != nil || !waited {
			return many, ok, err
		}
	}
	return ManyWritten{}, false, nil
}

// inOrderOfIDs has Postgres go through its index of users, and not about in it.
func inOrderOfIDs(users []UserRef) []int {
	order := make([]int, len(users))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return bytes.Compare(users[i].ID[:], users[j].ID[:]) })
	return order
}

// manyStatement is what oneStatement is, with the same reasons, for users whom references name. It has a row for the group, and then one for
// each user. "" if nobody is named.
//
// over is null for who is no member of the group, and true for those whose time is over. It is found where the members of a group lie
// together: for user_id = f.user_id Postgres would take the index of all memberships by user, which is a page for each, twice as long.
//
// Users are made members, and logged, in the order of fresh, which is sorted: to sort again what is takes Postgres as long as to read it.
//
// How many users there are is for Postgres to know when it plans: the plan for any number would be for ten, and compare each of thousands
// with each.
func (s *Store) manyStatement(m ManyMembers, order []int) (text string, args []any, names []string) {
	names = seenOf(m.Columns)
	users := make([]UserRef, len(order))
	for n, i := range order {
		users[n] = m.Users[i]
	}
	least := 0
	if m.Each {
		least = len(users)
	}
	turn := "(" + intKey(turnLock) + ", " + turnOfGroup + ")"
	where := And(s.still(), GroupIs(m.Group), m.Where)
	w := newWriter(24)
	w.add("WITH seen AS MATERIALIZED (SELECT "+columnsOf(Groups, names)+", CASE WHEN pg_try_advisory_xact_lock"+turn+
		" THEN true ELSE pg_advisory_xact_lock"+turn+"::text IS NULL END AS turn FROM groups g WHERE "+where.text, where.args...)
	w.add(`), named AS MATERIALIZED (
		SELECT r.ord, f.*, (SELECT coalesce(m.expires_at <= now(), false) FROM members m
			WHERE m.group_id = (SELECT id FROM seen) AND m.user_id >= f.user_id AND m.user_id <= f.user_id) AS over FROM `)
	if !w.found(waysToUsers(users), "users", "id AS user_id, username, username_key, age(xmin) < 0 AS later") {
		return "", nil, nil
	}
	w.where("", forItsValues)
	w.add(`), fresh AS MATERIALIZED (SELECT DISTINCT ON (user_id) * FROM named WHERE over IS NULL ORDER BY user_id, ord
	), touched AS (
		UPDATE groups g SET member_count = g.member_count + (SELECT count(*) FROM fresh)::int, version = g.version + 1, updated_at = now()
		FROM seen s WHERE g.id = s.id AND g.version = s.version AND s.turn AND EXISTS (SELECT FROM fresh)
			AND (SELECT count(*) FROM named) >= ?::int AND NOT EXISTS (SELECT FROM named WHERE later OR over)
		RETURNING g.id, g.name
	), written AS (
		INSERT INTO members (id, group_id, user_id, username_key, added_by, via)
		SELECT (?::text || lpad(to_hex(?::bigint + n.ord & 4294967295), 8, '0'))::uuid, t.id, n.user_id, n.username_key, ?::uuid, ?::text
		FROM touched t CROSS JOIN fresh n
	), logged AS (
		INSERT INTO changes (kind, actor, via, request_id, group_id, group_name, user_id, username, before, after)
		SELECT ?::text, ?::text, ?::text, ?::text, t.id, t.name, n.user_id, n.username, ?::jsonb, ?::jsonb
		FROM touched t CROSS JOIN fresh n
	) SELECT 0::bigint AS ord, (SELECT count(*)::int FROM fresh), pg_current_xact_id_if_assigned()::text, now(), s.* FROM seen s
		WHERE NOT s.turn OR EXISTS (SELECT FROM touched)
	UNION ALL SELECT n.ord, CASE WHEN n.over IS NULL THEN 1 ELSE 0 END, n.username, NULL, n.user_id`+strings.Repeat(", NULL", len(names))+`
		FROM named n WHERE EXISTS (SELECT FROM touched)`,
		least, hex.EncodeToString(m.Member[:12]), int64(binary.BigEndian.Uint32(m.Member[12:])), uuidArg(m.Grant.By), m.Grant.Via, m.Log.Kind, m.Log.Actor, m.Log.Via, m.Log.RequestID, imageArg(m.Log.Before), imageArg(m.Log.After))
	return w.text(), w.args, names
}

// manyWritten runs the statement and reads its rows. waited: it did nothing but that.
func (s *Store) manyWritten(ctx context.Context, text string, args []any, names []string, order []int) (many ManyWritten, ok, waited bool, err error) {
	var ord, added int
	var turn bool
	var at time.Time
	head := append([]any{&ord, &added, xid{&many.Tx}, &at}, append(destsOf(Groups, names, &many.Group), &turn)...)
	many.Users = make([]NamedUser, 0, len(order))
	err = s.rows(ctx, text, args, func(values []driver.Value) error {
		if n, _ := values[0].(int64); n > 0 {
			many.Users = append(many.Users, NamedUser{Index: order[n-1]})
			u, is := &many.Users[len(many.Users)-1], 0
			err := assignAll([]any{&is, &u.Username}, values[1:3])
			u.Added = is == 1
			return errors.Join(err, assignUUID(&u.ID, values[4]))
		}
		ok = true
		return assignAll(head, values)
	})
	switch {
	case err != nil || !ok:
		return many, false, false, err
	case !turn:
		return ManyWritten{}, false, true, nil
	}
	s.found()
	many.Group.counted(added, at)
	return many, true, false, nil
}
