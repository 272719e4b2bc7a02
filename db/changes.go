package db

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Change is a row of changes. (Tx, Seq) is its place in the log.
type Change struct {
	Tx        uint64
	Seq       int64
	At        time.Time
	Kind      string
	Actor     string
	Via       string
	RequestID string
	GroupID   *uuid.UUID
	GroupName *string
	UserID    *uuid.UUID
	Username  *string
	Before    []byte
	After     []byte
}

// xid scans a transaction id, which the driver hands out as text.
type xid struct{ to *uint64 }

func (x xid) Scan(v any) error {
	var err error
	switch v := v.(type) {
	case string:
		*x.to, err = strconv.ParseUint(v, 10, 64)
	case []byte:
		*x.to, err = strconv.ParseUint(string(v), 10, 64)
	}
	return err
}

// Changes is the change log. Its only order is the log's own.
var Changes = &Table[Change]{
	from: "changes c",
	columns: map[string]column[Change]{
		"tx":         {"c.tx::text", func(r *Change) any { return xid{&r.Tx} }},
		"seq":        {"c.seq", func(r *Change) any { return &r.Seq }},
		"at":         {"c.at", func(r *Change) any { return &r.At }},
		"kind":       {"c.kind", func(r *Change) any { return &r.Kind }},
		"actor":      {"c.actor", func(r *Change) any { return &r.Actor }},
		"via":        {"c.via", func(r *Change) any { return &r.Via }},
		"request_id": {"c.request_id", func(r *Change) any { return &r.RequestID }},
		"group_id":   {"c.group_id", func(r *Change) any { return &r.GroupID }},
		"group_name": {"c.group_name", func(r *Change) any { return &r.GroupName }},
		"user_id":    {"c.user_id", func(r *Change) any { return &r.UserID }},
		"username":   {"c.username", func(r *Change) any { return &r.Username }},
		"before":     {"c.before", func(r *Change) any { return &r.Before }},
		"after":      {"c.after", func(r *Change) any { return &r.After }},
	},
	keys: map[string]key[Change]{
		"TX":  {"c.tx", "?::text::xid8", "tx", func(b []byte, r *Change) []byte { return strconv.AppendUint(b, r.Tx, 10) }},
		idKey: {"c.seq", "?::bigint", "seq", func(b []byte, r *Change) []byte { return strconv.AppendInt(b, r.Seq, 10) }},
	},
}

// ChangesOfGroup are the changes of a group.
var ChangesOfGroup = Relation{where: "c.group_id = p.id"}

// What changes can be filtered by.
var (
	ChangeKind  = Column{"c.kind", "text"}
	ChangeVia   = Column{"c.via", "text"}
	ChangeActor = Column{"c.actor", "text"}
	// ChangeSettled holds below the oldest transaction that still runs: what a reader has passed there cannot grow.
	ChangeSettled = Cond{text: "c.tx < pg_snapshot_xmin(pg_current_snapshot())"}
)

// ChangeOfGroup holds for changes of the group that a reference names. By its id it is found in the log even when it is gone.
func ChangeOfGroup(r GroupRef) Cond {
	if r.ID != uuid.Nil {
		return choice("c.group_id = ?::uuid", r.ID.String())
	}
	is := GroupIs(r)
	return choice("c.group_id = (SELECT g.id FROM groups g WHERE "+is.text+")", is.args...)
}

// ChangeOfUser is the same for a user.
func ChangeOfUser(r UserRef) Cond {
	if r.ID != uuid.Nil {
		return choice("c.user_id = ?::uuid", r.ID.String())
	}
	is := UserIs(r)
	return choice("c.user_id = (SELECT u.id FROM users u WHERE "+is.text+")", is.args...)
}

// ChangeAt holds for the change at a place of the log.
func ChangeAt(tx uint64, seq int64) Cond {
	return cond("(c.tx = ?::text::xid8 AND c.seq = ?::bigint)", strconv.FormatUint(tx, 10), seq)
}

// ChangeOfGroupWhere holds for changes of groups for which the condition on groups holds.
func ChangeOfGroupWhere(group Cond) Cond {
	return choice("c.group_id IN (SELECT g.id FROM groups g WHERE "+group.text+")", group.args...)
}

// CursorBefore is what a cursor holds that stands before all that a transaction wrote.
func CursorBefore(tx uint64) []string { return []string{strconv.FormatUint(tx, 10), "0"} }

// Record moves the counters of the groups that a write touched, makes each a new version, and writes the write's changes to the log:
// one statement. If the changes' place and time are wanted, it fills them in.
func (s *Store) Record(ctx context.Context, ts []Touched, cs []Change, placed bool) error {
	if len(cs) == 0 && len(ts) == 0 {
		return nil
	}
	w := newWriter(13)
	switch {
	case len(cs) == 0:
		w.add(touchGroups, touchArgs(ts)...)
		return s.exec(ctx, w.text(), w.args...)
	case len(ts) > 0:
		w.add("WITH touched AS ("+touchGroups+") ", touchArgs(ts)...)
	}
	w.changes(cs)
	if !placed {
		return s.exec(ctx, w.text(), w.args...)
	}
	w.add(" RETURNING tx::text, seq, at")
	i := 0
	return s.each(ctx, w.text(), w.args, func(rows *sql.Rows) error {
		err := rows.Scan(xid{&cs[i].Tx}, &cs[i].Seq, &cs[i].At)
		i++
		return err
	})
}

// changes adds what inserts changes. Mostly they are the same thing done to many users of one group, and what is the same is said once:
// of thousands that is most of what Postgres has to read.
func (w *writer) changes(cs []Change) {
	c := cs[0]
	if len(cs) == 1 || slices.ContainsFunc(cs[1:], func(o Change) bool { return !c.sameButUser(o) }) {
		w.add(`INSERT INTO changes (actor, via, request_id, kind, group_id, group_name, user_id, username, before, after)
			SELECT ?, ?, ?, kind, group_id, group_name, user_id, username, before::jsonb, after::jsonb
			FROM unnest(?::text[], ?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::text[], ?::text[]) WITH ORDINALITY
				n(kind, group_id, group_name, user_id, username, before, after, ord)
			ORDER BY n.ord`, c.Actor, c.Via, c.RequestID)
		w.args = append(w.args, changeArgs(cs)...)
		return
	}
	users, usernames := make([]string, len(cs)), make([]string, len(cs))
	for i, c := range cs {
		users[i], usernames[i] = optional(c.UserID), named(c.Username)
	}
	w.add(`INSERT INTO changes (actor, via, request_id, kind, group_id, group_name, user_id, username, before, after)
		SELECT ?, ?, ?, ?, ?::uuid, ?, user_id, username, ?::jsonb, ?::jsonb
		FROM unnest(?::uuid[], ?::text[]) WITH ORDINALITY n(user_id, username, ord)
		ORDER BY n.ord`, c.Actor, c.Via, c.RequestID, c.Kind, uuidArg(c.GroupID), c.GroupName, imageArg(c.Before), imageArg(c.After), nullable(users), nullable(usernames))
}

// sameButUser reports whether two changes differ by their users alone. They are of one write: of one doer, in one way.
func (c *Change) sameButUser(o Change) bool {
	same := func(a, b *uuid.UUID) bool { return a == b || a != nil && b != nil && *a == *b }
	return c.Kind == o.Kind && same(c.GroupID, o.GroupID) && named(c.GroupName) == named(o.GroupName) &&
		bytes.Equal(c.Before, o.Before) && bytes.Equal(c.After, o.After)
}

func changeArgs(cs []Change) []any {
	n := len(cs)
	kinds, groups, users := make([]string, n), make([]string, n), make([]string, n)
	groupNames, usernames, befores, afters := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, c := range cs {
		kinds[i], groups[i], users[i] = c.Kind, optional(c.GroupID), optional(c.UserID)
		groupNames[i], usernames[i] = named(c.GroupName), named(c.Username)
		befores[i], afters[i] = string(c.Before), string(c.After)
	}
	return []any{Strings(kinds), nullable(groups), nullable(groupNames), nullable(users), nullable(usernames), nullable(befores), nullable(afters)}
}

// named is a name; "" for none.
func named(name *string) string {
	if name == nil {
		return ""
	}
	return *name
}

func optional(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

// Setting reads a fact about this database; "" if it is not set.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var v string
	_, err := s.queryRow(ctx, "SELECT value FROM settings WHERE key = $1", []any{key}, &v)
	return v, err
}

// LockSettings has transactions that decide on the facts of this database take turns.
func (s *Store) LockSettings(ctx context.Context) error {
	return s.exec(ctx, "SELECT 1 FROM settings WHERE key = 'epoch' FOR UPDATE")
}

// SettingOr reads a fact about this database, and writes it first if nobody has: all callers get the same answer.
func (s *Store) SettingOr(ctx context.Context, key, value string) (string, error) {
	err := s.exec(ctx, "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", key, value)
	if err != nil {
		return "", err
	}
	return s.Setting(ctx, key)
}
