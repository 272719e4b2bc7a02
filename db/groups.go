package db

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Group is a row of groups. ViewerIsMember and ViewerIsAdmin are facts about List.Viewer.
type Group struct {
	ID                uuid.UUID
	Number            int
	Handle            string
	Name              string
	Description       string
	Type              string
	ExternalID        *string
	AccessType        string
	FolderOwner       *uuid.UUID
	UseDefaultStorage bool
	Public            bool
	Tags              []byte // a JSON object of strings
	Version           int
	CreatedAt         time.Time
	CreatedBy         *uuid.UUID
	UpdatedAt         time.Time
	MemberCount       int // expired members excluded, swept or not
	StoredMemberCount int // the kept counter
	AdminCount        int
	ViewerIsMember    bool
	ViewerIsAdmin     bool
}

// memberCount is the kept counter without those whose time is over and who have not been swept yet. Mostly there are none, which the
// group's own row tells: members is not even opened.
const memberCount = "CASE WHEN g.next_expiry <= now() THEN g.member_count - expired_members(g.id) ELSE g.member_count END"

// Groups is the table of groups.
var Groups = &Table[Group]{
	from: "groups g", unique: "NAME",
	columns: map[string]column[Group]{
		"id":                  {"g.id", func(r *Group) any { return &r.ID }},
		"number":              {"g.number", func(r *Group) any { return &r.Number }},
		"handle":              {"g.handle", func(r *Group) any { return &r.Handle }},
		"name":                {"g.name", func(r *Group) any { return &r.Name }},
		"description":         {"g.description", func(r *Group) any { return &r.Description }},
		"type":                {"g.type", func(r *Group) any { return &r.Type }},
		"external_id":         {"g.external_id", func(r *Group) any { return &r.ExternalID }},
		"access_type":         {"g.access_type", func(r *Group) any { return &r.AccessType }},
		"folder_owner":        {"g.folder_owner", func(r *Group) any { return &r.FolderOwner }},
		"use_default_storage": {"g.use_default_storage", func(r *Group) any { return &r.UseDefaultStorage }},
		"public":              {"g.public", func(r *Group) any { return &r.Public }},
		"tags":                {"g.tags", func(r *Group) any { return &r.Tags }},
		"version":             {"g.version", func(r *Group) any { return &r.Version }},
		"created_at":          {"g.created_at", func(r *Group) any { return &r.CreatedAt }},
		"created_by":          {"g.created_by", func(r *Group) any { return &r.CreatedBy }},
		"updated_at":          {"g.updated_at", func(r *Group) any { return &r.UpdatedAt }},
		"member_count":        {memberCount, func(r *Group) any { return &r.MemberCount }},
		"stored_member_count": {"g.member_count", func(r *Group) any { return &r.StoredMemberCount }},
		"admin_count":         {"g.admin_count", func(r *Group) any { return &r.AdminCount }},
		"viewer_is_member": {"EXISTS (SELECT 1 FROM members v WHERE v.group_id = g.id AND v.user_id = ?::uuid AND (v.expires_at IS NULL OR v.expires_at > now()))",
			func(r *Group) any { return &r.ViewerIsMember }},
		"viewer_is_admin": {"EXISTS (SELECT 1 FROM admins v WHERE v.group_id = g.id AND v.user_id = ?::uuid)",
			func(r *Group) any { return &r.ViewerIsAdmin }},
	},
	keys: map[string]key[Group]{
		idKey:          {"g.id", "?::uuid", "id", func(b []byte, r *Group) []byte { return appendUUID(b, r.ID) }},
		"NAME":         {"g.name_key", fold, "name", func(b []byte, r *Group) []byte { return append(b, r.Name...) }},
		"CREATED_AT":   {"g.created_at", "?::timestamptz", "created_at", func(b []byte, r *Group) []byte { return appendTime(b, r.CreatedAt) }},
		"UPDATED_AT":   {"g.updated_at", "?::timestamptz", "updated_at", func(b []byte, r *Group) []byte { return appendTime(b, r.UpdatedAt) }},
		"MEMBER_COUNT": {"g.member_count", "?::integer", "stored_member_count", func(b []byte, r *Group) []byte { return strconv.AppendInt(b, int64(r.StoredMemberCount), 10) }},
	},
}

// GroupsOfUser are the groups that a user is in, as a member or as an admin.
var GroupsOfUser = Relation{
	join: ` JOIN LATERAL (SELECT x.group_id FROM members x WHERE x.user_id = p.id AND (x.expires_at IS NULL OR x.expires_at > now())
		UNION SELECT x.group_id FROM admins x WHERE x.user_id = p.id) i ON i.group_id = g.id`,
	where: "p.id IS NOT NULL",
}

// What groups can be filtered by.
var (
	GroupID          = Column{"g.id", "uuid"}
	GroupName        = Text("g.name_key")
	GroupDescription = Text("g.description_key")
	GroupExternalID  = Text("g.external_id_key")
	GroupSearch      = Text("g.search_key")
	GroupType        = Column{"g.type", "text"}
	GroupAccessType  = Column{"g.access_type", "text"}
	GroupPublic      = Column{"g.public", "boolean"}
	GroupCreatedAt   = Column{"g.created_at", "timestamptz"}
	GroupUpdatedAt   = Column{"g.updated_at", "timestamptz"}
	// GroupVersion is the version that the next change replaces.
	GroupVersion = Column{"g.version", "integer"}
)

// GroupHasMember holds for groups that the user is a member of now.
func GroupHasMember(user uuid.UUID) Cond {
	return among("g.id", "SELECT f.group_id FROM members f WHERE f.user_id = ?::uuid AND (f.expires_at IS NULL OR f.expires_at > now())", user.String())
}

// GroupHasAdmin holds for groups that the user is an admin of.
func GroupHasAdmin(user uuid.UUID) Cond {
	return among("g.id", "SELECT f.group_id FROM admins f WHERE f.user_id = ?::uuid", user.String())
}

// GroupHasMemberWhere holds for groups with a member now for whom a condition on users holds.
func GroupHasMemberWhere(user Cond) Cond {
	return among("g.id", "SELECT f.group_id FROM members f JOIN users u ON u.id = f.user_id WHERE (f.expires_at IS NULL OR f.expires_at > now()) AND "+
		user.text, user.args...).varying()
}

// GroupHasAdminWhere holds for groups with an admin for whom a condition on users holds.
func GroupHasAdminWhere(user Cond) Cond {
	return among("g.id", "SELECT f.group_id FROM admins f JOIN users u ON u.id = f.user_id WHERE "+user.text, user.args...).varying()
}

// GroupHasTag holds for groups with the tag; a nil value means any value of that key.
func GroupHasTag(key string, value *string) Cond {
	if value == nil {
		return choice("g.tags ?? ?::text", key)
	}
	return choice("g.tags @> jsonb_build_object(?::text, ?::text)", key, *value)
}

// GroupHasPerson holds for groups with a member or an admin whose user name contains the text, without regard to case.
func GroupHasPerson(text string) Cond {
	in := func(table string) Cond {
		users := Text("u.username_key").Contains(text)
		return choice("g.id IN (SELECT f.group_id FROM "+table+" f JOIN users u ON u.id = f.user_id WHERE "+users.text+")", users.args...)
	}
	return Or(in("members"), in("admins"))
}

// turns is how many turns there are to take. Groups and users share them, so that a write to thousands does not fill Postgres's table
// of locks.
const turns = 1024

// turnLock is the class of the advisory locks that turns are.
const turnLock = 7033

// TakeTurns waits until nobody else is about to write to the groups or users of these ids; it comes before any other lock, with all
// ids at once. Who waits for a row has the transaction's id already, who waits here has none yet: so the order of ids, which is that
// of the change log, is the order in which each thing was written to.
func (s *Store) TakeTurns(ctx context.Context, ids []uuid.UUID) error {
	taken := make([]int, len(ids))
	for i, id := range ids {
		taken[i] = int(binary.BigEndian.Uint16(id[14:])) % turns
	}
	slices.Sort(taken) // so that two callers cannot deadlock
	return s.exec(ctx, "SELECT pg_advisory_xact_lock($1::int, turn) FROM unnest($2::int[]) turn", turnLock, ints(slices.Compact(taken)))
}

// turnOfGroup is the turn of a group as TakeTurns reckons it.
const turnOfGroup = "(get_byte(uuid_send(g.id), 14) << 8 | get_byte(uuid_send(g.id), 15)) % 1024" // turns

// TakeTurn takes the turn of the one group for which a condition holds, and names the group; the nil UUID if there is none.
func (s *Store) TakeTurn(ctx context.Context, is Cond) (uuid.UUID, error) {
	return s.takeTurn(ctx, "groups g WHERE ", is, "")
}

// takeTurn takes the turn of the row of g that a text, a condition and another text are.
func (s *Store) takeTurn(ctx context.Context, from string, is Cond, rest string) (uuid.UUID, error) {
	where, id, ok := And(s.still(), is), uuid.Nil, false
	w := newWriter(len(where.args))
	w.add("SELECT g.id, pg_advisory_xact_lock("+intKey(turnLock)+", "+turnOfGroup+")::text FROM "+from+where.text+rest, where.args...)
	err := s.rows(ctx, w.text(), w.args, func(values []driver.Value) error {
		ok = true
		return assign(&id, values[0])
	})
	if err != nil || !ok {
		return uuid.Nil, cmp.Or(err, s.Compare(ctx))
	}
	s.found()
	return id, nil
}

// writtenNames are the columns that LockGroups reads.
var writtenNames = []string{
	"id", "number", "handle", "name", "description", "type", "external_id", "access_type", "folder_owner", "use_default_storage",
	"public", "tags", "version", "updated_at", "stored_member_count", "admin_count", "viewer_is_member", "viewer_is_admin",
}

// LockGroups locks the groups for writing, in the order of their ids so that two callers cannot deadlock, and reads them as they are
// under the lock. Their turns have to be taken before: what is read beside the row, of members and admins, is as it was when the
// statement began, and under the turn nobody changes that. Sweeps take no turn, but what they take away is over for readers too.
func (s *Store) LockGroups(ctx context.Context, ids []uuid.UUID, viewer uuid.UUID) ([]*Group, error) {
	w := newWriter(3)
	w.add("SELECT " + columnsOf(Groups, writtenNames))
	for range w.n {
		w.args = append(w.args, viewer.String())
	}
	is := cond("g.id = ANY (?::uuid[])", UUIDs(ids))
	if len(ids) == 1 { // Postgres keeps a plan for one; for any number it would plan anew each time
		is = cond("g.id = ?::uuid", ids[0].String())
	}
	w.add(" FROM groups g")
	w.where("", is)
	w.add(" ORDER BY g.id FOR NO KEY UPDATE")
	var gs []*Group
	err := s.each(ctx, w.text(), w.args, func(rows *sql.Rows) error {
		g := &Group{}
		gs = append(gs, g)
		return rows.Scan(destsOf(Groups, writtenNames, g)...)
	})
	return gs, err
}

// columnsOf and destsOf are some columns of a table, in that order, and where they are scanned to.
func columnsOf[T any](t *Table[T], names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = t.columns[name].sql + " AS " + name
	}
	return strings.Join(texts, ", ")
}

func destsOf[T any](t *Table[T], names []string, row *T) []any {
	dests := make([]any, len(names))
	for i, name := range names {
		dests[i] = t.columns[name].dest(row)
	}
	return dests
}

// InsertGroup writes a new group; number, version and times are Postgres's and come back in g.
func (s *Store) InsertGroup(ctx context.Context, g *Group) error {
	_, err := s.queryRow(ctx, `INSERT INTO groups
		(id, handle, name, description, type, external_id, access_type, folder_owner, use_default_storage, public, tags, created_by,
			member_count, admin_count)
		VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::uuid, $9, $10, $11::jsonb, $12::uuid, $13, $14)
		RETURNING number, version, created_at, updated_at`,
		[]any{g.ID.String(), g.Handle, g.Name, g.Description, g.Type, g.ExternalID, g.AccessType, uuidArg(g.FolderOwner),
			g.UseDefaultStorage, g.Public, string(g.Tags), uuidArg(g.CreatedBy), int64(g.StoredMemberCount), int64(g.AdminCount)},
		&g.Number, &g.Version, &g.CreatedAt, &g.UpdatedAt)
	return err
}

// UpdateGroup writes the group's own fields.
func (s *Store) UpdateGroup(ctx context.Context, g *Group) error {
	err := s.exec(ctx, `UPDATE groups SET name = $2, description = $3, external_id = $4, access_type = $5, folder_owner = $6::uuid,
		use_default_storage = $7, public = $8, tags = $9::jsonb, type = $10 WHERE id = $1::uuid`,
		g.ID.String(), g.Name, g.Description, g.ExternalID, g.AccessType, uuidArg(g.FolderOwner), g.UseDefaultStorage, g.Public,
		string(g.Tags), g.Type)
	return err
}

// Touched says by how much the kept counters of a group move.
type Touched struct {
	Group           uuid.UUID
	Members, Admins int
}

// touchGroups moves the counters of groups and makes each a new version, updated now.
const touchGroups = `UPDATE groups g SET member_count = g.member_count + d.members, admin_count = g.admin_count + d.admins,
	version = g.version + 1, updated_at = now()
	FROM unnest(?::uuid[], ?::int[], ?::int[]) d(id, members, admins) WHERE g.id = d.id`

func touchArgs(ts []Touched) []any {
	ids, members, admins := make([]uuid.UUID, len(ts)), make([]int, len(ts)), make([]int, len(ts))
	for i, t := range ts {
		ids[i], members[i], admins[i] = t.Group, t.Members, t.Admins
	}
	return []any{UUIDs(ids), ints(members), ints(admins)}
}

// DeleteGroup removes the group, and with it its members, admins, tokens, actions and worker models.
func (s *Store) DeleteGroup(ctx context.Context, id uuid.UUID) error {
	err := s.exec(ctx, "DELETE FROM groups WHERE id = $1::uuid", id.String())
	return err
}

// Total names a kept total: of how many groups or users there are.
type Total string

// The kept totals.
const (
	TotalGroups Total = "groups"
	TotalUsers  Total = "users"
)

const totalKept = "SELECT coalesce(sum(n), 0)::bigint FROM totals WHERE noun = "

// Total reads a kept total by itself.
func (s *Store) Total(ctx context.Context, t Total) (int, error) {
	if s.primary != nil {
		return eitherWay(ctx, s, func(ctx context.Context, s *Store) (int, error) { return s.Total(ctx, t) })
	}
	var n int
	_, err := s.queryRow(ctx, totalKept+"$1", []any{string(t)}, &n)
	return n, err
}

// GroupRef names a group in one of six ways; the empty ones do not count.
type GroupRef struct {
	ID         uuid.UUID
	Number     int
	Handle     string
	Name       string
	ExternalID string
}

func waysToGroups(refs []GroupRef) []way {
	ws := waysFor(len(refs), way{name: "id", typ: "uuid", is: "id = r.id"}, way{name: "number", typ: "int", is: "number = r.number"},
		way{name: "handle", typ: "text", is: "handle = r.handle"}, way{name: "name", typ: "text", is: `name_key = lower(r.name) COLLATE "C"`},
		way{name: "external_id", typ: "text", is: "external_id = r.external_id"})
	for i, r := range refs {
		ws[0].put(i, uuidKey(r.ID))
		ws[1].put(i, numberKey(r.Number))
		ws[2].put(i, r.Handle)
		ws[3].put(i, r.Name)
		ws[4].put(i, r.ExternalID)
	}
	return ws
}

// FindGroups finds the groups that references name, in one statement: for each reference the id, or the nil UUID.
func (s *Store) FindGroups(ctx context.Context, refs []GroupRef) ([]uuid.UUID, error) {
	return s.groupsFound(ctx, waysToGroups(refs), "groups")
}

func (s *Store) groupsFound(ctx context.Context, ws []way, table string) ([]uuid.UUID, error) {
	found := make([]uuid.UUID, ws[0].n)
	text, args := findBy(ws, table, "id")
	if text == "" {
		return found, nil
	}
	err := s.each(ctx, text, args, func(rows *sql.Rows) error {
		var ord int
		var id uuid.UUID
		err := rows.Scan(&ord, &id)
		found[ord-1] = id
		return err
	})
	return found, err
}

// CountGroup corrects the counters of a group that this transaction made.
func (s *Store) CountGroup(ctx context.Context, t Touched) error {
	return s.exec(ctx, "UPDATE groups SET member_count = $2, admin_count = $3 WHERE id = $1::uuid", t.Group.String(), int64(t.Members), int64(t.Admins))
}

// GroupKey is the key that a reference names a group by.
func GroupKey(r GroupRef) Key {
	switch {
	case r.ID != uuid.Nil:
		return Key{column: "g.id", typ: "uuid", value: r.ID.String()}
	case r.Number != 0:
		return Key{column: "g.number", typ: "integer", value: strconv.Itoa(r.Number)}
	case r.Handle != "":
		return Key{column: "g.handle", typ: "text", value: r.Handle}
	case r.Name != "":
		return Key{column: "g.name_key", typ: "text", folded: true, value: r.Name}
	case r.ExternalID != "":
		return Key{column: "g.external_id", typ: "text", value: r.ExternalID}
	}
	return Key{}
}

// GroupIs holds for the group that a reference names.
func GroupIs(r GroupRef) Cond { return only(GroupKey(r)) }

// GroupItself is the one group whose id the parent is.
var GroupItself = Relation{where: "g.id = p.id"}
