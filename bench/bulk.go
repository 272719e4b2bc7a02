package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// bareBulk adds many members in one statement, by nothing but the database. It leaves the same rows as Roster: the members, a row of
// the log for each of them, the group's counter, version and time.
const bareBulk = `WITH added AS (
		INSERT INTO members (id, group_id, user_id, username_key, added_by, via)
		SELECT gen_random_uuid(), $1, u.id, u.username_key, $3, 'GRAPHQL' FROM users u WHERE u.id = ANY ($2::uuid[])
		ON CONFLICT (group_id, user_id) DO NOTHING RETURNING user_id),
	touched AS (
		UPDATE groups SET member_count = member_count + (SELECT count(*) FROM added), version = version + 1, updated_at = now()
		WHERE id = $1 RETURNING id, name, member_count, version),
	logged AS (
		INSERT INTO changes (kind, actor, via, request_id, group_id, group_name, user_id, username, after)
		SELECT 'MEMBER_ADDED', 'admin', 'GRAPHQL', $4, t.id, t.name, u.id, u.username, '{"expiresAt": null}'
		FROM touched t, added a JOIN users u ON u.id = a.user_id)
	SELECT member_count, version FROM touched`

// timed are the times of one call each, on both sides.
type timed struct{ bare, roster []float64 }

// call is one way to add the members.
type call struct {
	times *[]float64
	do    func() error
}

// addMany measures a bulk write: a call of Roster's, over HTTP as always, and the bare statement, in turns.
func (b *bench) addMany(ctx context.Context, m bulk, c *pgx.Conn) (t timed, err error) {
	request := b.requests.many(m.members)
	group, users := b.requests.sample.bulk.group, b.requests.sample.joiners[:m.members]
	calls := []call{
		{&t.bare, func() error {
			var count, version int
			return c.QueryRow(ctx, bareBulk, group, users, b.admin, rand.Text()).Scan(&count, &version)
		}},
		{&t.roster, func() error {
			conn, err := dial(b.roster.addr) // a new one: Roster waits ten seconds for a first request, and a checkpoint may take longer
			if err != nil {
				return err
			}
			defer conn.Close()
			status, body, err := conn.do(request)
			if err == nil && (status != 200 || !bytes.HasPrefix(body, good)) {
				err = fmt.Errorf("answer %d: %.300s", status, body)
			}
			return err
		}},
	}
	for round := range b.rounds + 1 {
		for k := range calls {
			call := calls[(k+round)%2]
			took, err := b.once(ctx, c, call.do, group, users)
			if err != nil {
				return t, err
			}
			if round > 0 { // the first is to get warm
				*call.times = append(*call.times, took.Seconds())
			}
		}
	}
	return t, nil
}

// once times one call and then removes what it has added, which is not timed.
func (b *bench) once(ctx context.Context, c *pgx.Conn, do func() error, group uuid, users []uuid) (took time.Duration, err error) {
	if err := b.checkpoint(ctx); err != nil {
		return 0, err
	}
	before, err := ledgerOf(ctx, c)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	took = time.Since(began)
	return took, undo(ctx, c, group, users, before)
}

// undo removes what one call added, and checks that it was all of it.
func undo(ctx context.Context, c *pgx.Conn, group uuid, users []uuid, before ledger) error {
	now, err := ledgerOf(ctx, c)
	if err != nil {
		return err
	}
	if now.changes != before.changes+len(users) || now.versions != before.versions+1 {
		return fmt.Errorf("one call made %d changes and %d versions", now.changes-before.changes, now.versions-before.versions)
	}
	tag, err := c.Exec(ctx, "DELETE FROM members WHERE group_id = $1 AND user_id = ANY ($2::uuid[])", group, users)
	if err != nil {
		return err
	}
	if n := tag.RowsAffected(); n != int64(len(users)) {
		return fmt.Errorf("%d members were added, not %d", n, len(users))
	}
	if _, err := c.Exec(ctx, "UPDATE groups SET member_count = member_count - $2 WHERE id = $1", group, len(users)); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "DELETE FROM changes WHERE (tx, seq) IN (SELECT tx, seq FROM changes ORDER BY tx DESC, seq DESC LIMIT $1)", len(users)); err != nil {
		return err
	}
	_, err = c.Exec(ctx, "VACUUM members, groups, changes")
	return err
}
