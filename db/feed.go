package db

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// Log is what a reader of the change log has to know of it beside its rows.
type Log struct {
	Epoch   string // names the sequence of transaction ids that places of this database are made of
	Settled uint64 // the log is complete below this transaction
	Horizon Place  // the last change that was dropped for its age; the zero Place if none was
}

// Place is where a change stands in the log.
type Place struct {
	Tx  uint64
	Seq int64
}

// Place is the place of the change.
func (c *Change) Place() Place { return Place{c.Tx, c.Seq} }

// Before reports whether p comes earlier in the log than q.
func (p Place) Before(q Place) bool { return p.Tx < q.Tx || p.Tx == q.Tx && p.Seq < q.Seq }

// Cursor is the place as a cursor holds it.
func (p Place) Cursor() []string {
	return []string{strconv.FormatUint(p.Tx, 10), strconv.FormatInt(p.Seq, 10)}
}

// PlaceOf is the place that a cursor holds; false if it holds none.
func PlaceOf(cursor []string) (Place, bool) {
	if len(cursor) != 2 {
		return Place{}, false
	}
	tx, err := strconv.ParseUint(cursor[0], 10, 64)
	if err != nil {
		return Place{}, false
	}
	seq, err := strconv.ParseInt(cursor[1], 10, 64)
	return Place{tx, seq}, err == nil
}

// Log reads the state of the change log.
func (s *Store) Log(ctx context.Context) (Log, error) {
	var l Log
	var horizon Place
	_, err := s.queryRow(ctx, logState, nil, &l.Epoch, xid{&l.Settled}, xid{&horizon.Tx}, &horizon.Seq)
	l.Horizon = horizon
	return l, err
}

// logState is SQL for a Log. A copy of the database has the setting too: it is known by its oid, one in another Postgres by the name that
// Postgres gave itself, one that went back in time, or failed over, by its timeline; and whatever else is done to the row, by the row's
// transaction.
const logState = `SELECT concat_ws(' ', s.value, s.xmin, d.oid, (SELECT system_identifier FROM pg_control_system()),
			CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END) AS epoch,
		pg_snapshot_xmin(pg_current_snapshot())::text AS settled,
		coalesce(split_part(h.value, ' ', 1), '0') AS tx, coalesce(split_part(h.value, ' ', 2), '0')::bigint AS seq
	FROM settings s JOIN pg_database d ON d.datname = current_database() LEFT JOIN settings h ON h.key = 'changes_horizon'
	WHERE s.key = 'epoch'`

var allOfChange = []string{"tx", "seq", "at", "kind", "actor", "via", "request_id", "group_id", "group_name", "user_id", "username", "before", "after"}

// ChangesAfter reads the next changes of the log, whole, at most limit of them. more says that there are others beyond: those that the
// limit leaves for later, or some that cannot be shown yet because an older transaction still runs.
func (s *Store) ChangesAfter(ctx context.Context, at Place, limit int) (cs []Change, more bool, err error) {
	parts, err := Find(ctx, s, Changes, List{Columns: allOfChange, Where: And(ChangeFrom(at.Tx), ChangeSettled), Order: []Order{{Key: "TX"}},
		After: at.Cursor(), Limit: limit})
	if err != nil || parts[0].More {
		return parts0(parts), err == nil, err
	}
	if cs = parts[0].Rows; len(cs) > 0 {
		at = cs[len(cs)-1].Place()
	}
	_, err = s.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM changes c WHERE c.tx >= $1::text::xid8 AND (c.tx, c.seq) > ($1::text::xid8, $2::bigint))`,
		[]any{strconv.FormatUint(at.Tx, 10), at.Seq}, &more)
	return cs, more, err
}

func parts0(parts []Part[Change]) []Change {
	if len(parts) == 0 {
		return nil
	}
	return parts[0].Rows
}

// ChangeFrom holds from a transaction on. Beside a cursor it adds nothing but the partitions that need not be looked into: Postgres
// does not see them in a comparison of rows.
func ChangeFrom(tx uint64) Cond { return cond("c.tx >= ?::text::xid8", strconv.FormatUint(tx, 10)) }

// Standing is a group as the feed needs it: what decides who sees its changes.
type Standing struct {
	Group           uuid.UUID
	Public          bool
	Type            string
	User            uuid.UUID // one of the users asked about who is a member or an admin; the nil UUID in a group without any
	IsMember, Admin bool
}

// Standings reads which of the users stand in which of the groups. A group has a row for each of them, one if there is none, and none if
// the group is gone. One statement.
func (s *Store) Standings(ctx context.Context, groups, users []uuid.UUID) ([]Standing, error) {
	var out []Standing
	err := s.each(ctx, `SELECT g.id, g.public, g.type, coalesce(x.user_id, '00000000-0000-0000-0000-000000000000'),
			coalesce(bool_or(x.member), false), coalesce(bool_or(x.admin), false)
		FROM groups g LEFT JOIN (
			SELECT group_id, user_id, true AS member, false AS admin FROM members
			WHERE group_id = ANY ($1::uuid[]) AND user_id = ANY ($2::uuid[]) AND (expires_at IS NULL OR expires_at > now())
			UNION ALL
			SELECT group_id, user_id, false, true FROM admins WHERE group_id = ANY ($1::uuid[]) AND user_id = ANY ($2::uuid[])
		) x ON x.group_id = g.id
		WHERE g.id = ANY ($1::uuid[]) GROUP BY g.id, x.user_id`, []any{UUIDs(groups), UUIDs(users)}, func(rows *sql.Rows) error {
		var st Standing
		err := rows.Scan(&st.Group, &st.Public, &st.Type, &st.User, &st.IsMember, &st.Admin)
		out = append(out, st)
		return err
	})
	return out, err
}

// FindCredentials is FindCredential for many hashes: for each, in their order, its token or nil. One statement.
func (s *Store) FindCredentials(ctx context.Context, hashes [][]byte) ([]*Credential, error) {
	found := make([]*Credential, len(hashes))
	var array bytes.Buffer
	for i, h := range hashes {
		array.WriteString(map[bool]string{true: "{", false: ","}[i == 0] + `"\\x` + hex.EncodeToString(h) + `"`)
	}
	if len(hashes) == 0 {
		return found, nil
	}
	err := s.each(ctx, "SELECT h.ord, "+credentialFields+` FROM unnest($1::bytea[]) WITH ORDINALITY h(hash, ord)
		CROSS JOIN LATERAL (SELECT * FROM tokens t WHERE t.hash = h.hash
			UNION ALL SELECT * FROM tokens t WHERE t.previous_hash = h.hash AND t.previous_until > now()) t `+credentialJoins,
		[]any{array.String() + "}"}, func(rows *sql.Rows) error {
			var ord int
			var row credentialRow
			if err := rows.Scan(append([]any{&ord}, row.dest()...)...); err != nil {
				return err
			}
			found[ord-1] = row.credential()
			return nil
		})
	return found, err
}

// credentialRow is a row of credentialFields.
type credentialRow struct {
	c        Credential
	username *string
	roles    []string
}

func (r *credentialRow) dest() []any {
	return append(r.c.dest(), &r.username, pgdialect.Array(&r.roles), &r.c.Revoked, &r.c.Expired)
}

func (r *credentialRow) credential() *Credential {
	if r.username != nil {
		r.c.User = &User{ID: *r.c.UserID, Username: *r.username, Roles: r.roles}
	}
	return &r.c
}

// changesChannel is what replicas tell each other about new changes through.
const changesChannel = "roster_changes"

// Announce tells the other replicas that there are new changes; from is the replica's own name. It is for after the commit: inside a
// transaction it would make commits queue.
func (s *Store) Announce(ctx context.Context, from string) error {
	return s.exec(ctx, "SELECT pg_notify($1, $2)", changesChannel, from)
}

// Hear calls heard for every announcement of other replicas, from a goroutine of its own, until stop is called; stop returns when no more
// calls come. Announcements may be lost, such as while Postgres is away: whoever hears looks from time to time by itself.
func (s *Store) Hear(ctx context.Context, self string, heard func()) (stop func()) {
	if s.pooled { // which gives nobody a connection to listen on
		return func() {}
	}
	l := pgdriver.NewListener(s.pool)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			default:
			}
			if err := l.Listen(ctx, changesChannel); err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		for n := range l.Channel() {
			if n.Payload != self {
				heard()
			}
		}
	}()
	return func() {
		_ = l.Close()
		<-done
	}
}
