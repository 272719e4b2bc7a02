package db

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Group is a row of groups. ViewerIsMember and ViewerIsAdmin are facts about List.Viewer.
type Group struct {
	ID                uuid.UUID
	Number            int
	Handle            string
	Name              string
	NameKey           string
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

// memberCount is the kept counter without those whose time is over and who have not been swept yet. Mostly there are none, which one
// look tells for all rows. The expiry is compared together with the group, so that only the index of a group's expiries will do: a
// plan made while few had expired would go through all of them for each group, and be kept for when many have.
const memberCount = `CASE WHEN EXISTS (SELECT 1 FROM members x WHERE x.expires_at <= now()) THEN g.member_count - (SELECT count(*) FROM members e
	WHERE e.group_id = g.id AND e.expires_at IS NOT NULL AND (e.group_id, e.expires_at) <= (g.id, now())) ELSE g.member_count END`

// Groups is the table of groups.
var Groups = &Table[Group]{
	from: "groups g", unique: "NAME",
	columns: map[string]column[Group]{
		"id":                  {"g.id", func(r *Group) any { return &r.ID }},
		"number":              {"g.number", func(r *Group) any { return &r.Number }},
		"handle":              {"g.handle", func(r *Group) any { return &r.Handle }},
		"name":                {"g.name", func(r *Group) any { return &r.Name }},
		"name_key":            {"g.name_key", func(r *Group) any { return &r.NameKey }},
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
		"member_count": {memberCount,
			func(r *Group) any { return &r.MemberCount }},
		"stored_member_count": {"g.member_count", func(r *Group) any { return &r.StoredMemberCount }},
		"admin_count":         {"g.admin_count", func(r *Group) any { return &r.AdminCount }},
		"viewer_is_member": {"EXISTS (SELECT 1 FROM members v WHERE v.group_id = g.id AND v.user_id = ?::uuid AND (v.expires_at IS NULL OR v.expires_at > now()))",
			func(r *Group) any { return &r.ViewerIsMember }},
		"viewer_is_admin": {"EXISTS (SELECT 1 FROM admins v WHERE v.group_id = g.id AND v.user_id = ?::uuid)",
			func(r *Group) any { return &r.ViewerIsAdmin }},
	},
	keys: map[string]key[Group]{
		idKey:          {"g.id", "uuid", "id", func(r *Group) string { return r.ID.String() }},
		"NAME":         {"g.name_key", "text", "name_key", func(r *Group) string { return r.NameKey }},
		"CREATED_AT":   {"g.created_at", "timestamptz", "created_at", func(r *Group) string { return timeKey(r.CreatedAt) }},
		"UPDATED_AT":   {"g.updated_at", "timestamptz", "updated_at", func(r *Group) string { return timeKey(r.UpdatedAt) }},
		"MEMBER_COUNT": {"g.member_count", "integer", "stored_member_count", func(r *Group) string { return intKey(r.StoredMemberCount) }},
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
	// Columns that name one group.
	GroupNumber          = Column{"g.number", "integer"}
	GroupHandle          = Column{"g.handle", "text"}
	GroupExactExternalID = Column{"g.external_id", "text"}
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

// LockGroups locks the groups for writing, in the order of their ids so that two callers cannot deadlock.
func (s *Store) LockGroups(ctx context.Context, ids []uuid.UUID) error {
	err := s.exec(ctx, "SELECT id FROM groups WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE", UUIDs(ids))
	return err
}

// InsertGroup writes a new group; number, version and times are Postgres's and come back in g.
func (s *Store) InsertGroup(ctx context.Context, g *Group) error {
	_, err := s.queryRow(ctx, `INSERT INTO groups
		(id, handle, name, description, type, external_id, access_type, folder_owner, use_default_storage, public, tags, created_by)
		VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::uuid, $9, $10, $11::jsonb, $12::uuid)
		RETURNING number, version, created_at, updated_at`,
		[]any{g.ID.String(), g.Handle, g.Name, g.Description, g.Type, g.ExternalID, g.AccessType, uuidArg(g.FolderOwner),
			g.UseDefaultStorage, g.Public, string(g.Tags), uuidArg(g.CreatedBy)},
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

// TouchGroups moves the counters of groups and makes each a new version, updated now; one statement.
func (s *Store) TouchGroups(ctx context.Context, ts []Touched) error {
	ids, members, admins := make([]uuid.UUID, len(ts)), make([]int, len(ts)), make([]int, len(ts))
	for i, t := range ts {
		ids[i], members[i], admins[i] = t.Group, t.Members, t.Admins
	}
	err := s.exec(ctx, `UPDATE groups g SET member_count = g.member_count + d.members, admin_count = g.admin_count + d.admins,
		version = g.version + 1, updated_at = now()
		FROM unnest($1::uuid[], $2::int[], $3::int[]) d(id, members, admins) WHERE g.id = d.id`, UUIDs(ids), ints(members), ints(admins))
	return err
}

// DeleteGroup removes the group, and with it its members, admins, tokens, actions and worker models.
func (s *Store) DeleteGroup(ctx context.Context, id uuid.UUID) error {
	err := s.exec(ctx, "DELETE FROM groups WHERE id = $1::uuid", id.String())
	return err
}

// Total is a kept total: how many "groups" or "users" there are.
func (s *Store) Total(ctx context.Context, noun string) (int, error) {
	var n int
	_, err := s.queryRow(ctx, "SELECT coalesce(sum(n), 0)::bigint FROM totals WHERE noun = $1", []any{noun}, &n)
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

func groupRefArgs(refs []GroupRef) []any {
	n := len(refs)
	ids, numbers, handles, names, externals := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, r := range refs {
		if r.ID != uuid.Nil {
			ids[i] = r.ID.String()
		}
		if r.Number != 0 {
			numbers[i] = intKey(r.Number)
		}
		handles[i], names[i], externals[i] = r.Handle, r.Name, r.ExternalID
	}
	return []any{nullable(ids), nullable(numbers), nullable(handles), nullable(names), nullable(externals)}
}

// FindGroups finds the groups that references name, in one statement: for each reference the id, or the nil UUID.
func (s *Store) FindGroups(ctx context.Context, refs []GroupRef) ([]uuid.UUID, error) {
	found := make([]uuid.UUID, len(refs))
	err := s.each(ctx, `SELECT r.ord, g.id
		FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY r(id, number, handle, name, external_id, ord)
		CROSS JOIN LATERAL (
			SELECT id FROM groups WHERE id = r.id
			UNION ALL SELECT id FROM groups WHERE number = r.number
			UNION ALL SELECT id FROM groups WHERE handle = r.handle
			UNION ALL SELECT id FROM groups WHERE name_key = lower(r.name) COLLATE "C"
			UNION ALL SELECT id FROM groups WHERE external_id = r.external_id) g`, groupRefArgs(refs), func(rows *sql.Rows) error {
		var ord int
		var id uuid.UUID
		err := rows.Scan(&ord, &id)
		found[ord-1] = id
		return err
	})
	return found, err
}

// CountGroup sets the counters of a group that this transaction made.
func (s *Store) CountGroup(ctx context.Context, t Touched) error {
	err := s.exec(ctx, "UPDATE groups SET member_count = $2, admin_count = $3 WHERE id = $1::uuid", t.Group.String(), int64(t.Members), int64(t.Admins))
	return err
}

// GroupIs holds for the group that a reference names.
func GroupIs(r GroupRef) Cond {
	switch {
	case r.ID != uuid.Nil:
		return GroupID.Eq(r.ID.String())
	case r.Number != 0:
		return GroupNumber.Eq(int64(r.Number))
	case r.Handle != "":
		return GroupHandle.Eq(r.Handle).one()
	case r.Name != "":
		return GroupName.Eq(r.Name)
	case r.ExternalID != "":
		return GroupExactExternalID.Eq(r.ExternalID).one()
	}
	return None
}

// GroupItself is the one group whose id the parent is.
var GroupItself = Relation{where: "g.id = p.id"}
