package db

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"
)

// This file keeps deleted groups and brings them back. What is kept of a group is in tables of their own, so that nothing that reads
// groups has to know of it.

// keptOfGroup are the columns of groups that are kept. The others are reckoned anew.
const keptOfGroup = "id, number, handle, name, description, type, external_id, access_type, folder_owner, use_default_storage, public, tags, " +
	"version, created_at, created_by"

// keptRow is a table of rows that groups own: rows of a deleted group are in the table of that name with deleted_ before it, in these columns.
type keptRow struct{ table, columns string }

// kept are all of them but tokens, which are never brought back: what is deleted opens no door again unless somebody says so.
var kept = []keptRow{
	{"members", "group_id, user_id, id, added_at, added_by, via, expires_at"},
	{"admins", "group_id, user_id, id, added_at, added_by, via"},
	{"actions", "group_id, id, number, name, type, description, enabled, deprecated, requirements, parameters"},
	{"worker_models", "group_id, id, number, name, description, type, disabled, restricted, deprecated, image, docker, virtual_machine, " +
		"registered_capabilities, created_by, updated_at"},
}

// KeepAndDeleteGroup is DeleteGroup that keeps, in the same statement, what RestoreGroup needs.
func (s *Store) KeepAndDeleteGroup(ctx context.Context, id uuid.UUID) error {
	var b strings.Builder
	b.WriteString("WITH deleted AS (INSERT INTO deleted_groups (" + keptOfGroup + ") SELECT " + keptOfGroup + " FROM groups WHERE id = $1::uuid)")
	for _, k := range kept {
		b.WriteString(", its_" + k.table + " AS (INSERT INTO deleted_" + k.table + " (" + k.columns + ") SELECT " + k.columns +
			" FROM " + k.table + " WHERE group_id = $1::uuid)")
	}
	b.WriteString(" DELETE FROM groups WHERE id = $1::uuid")
	return s.exec(ctx, b.String(), id.String())
}

// deletedSince holds for groups that were deleted within that time.
func deletedSince(age time.Duration) Cond {
	return cond("g.deleted_at > now() - make_interval(secs => ?::bigint)", int64(age/time.Second))
}

// TakeDeletedTurn is TakeTurn for the last deleted group for which a condition holds, if it was deleted within that time.
func (s *Store) TakeDeletedTurn(ctx context.Context, is Cond, age time.Duration) (uuid.UUID, error) {
	return s.takeTurn(ctx, "(SELECT g.id FROM deleted_groups g WHERE ", And(is, deletedSince(age)), " ORDER BY g.deleted_at DESC LIMIT 1) g")
}

// FindDeletedGroups finds the deleted groups that references name, the last ones of each name, in one statement: for each reference the
// id, or the nil UUID.
func (s *Store) FindDeletedGroups(ctx context.Context, refs []GroupRef) ([]uuid.UUID, error) {
	ws := waysToGroups(refs)
	for i := range ws {
		ws[i].is += " ORDER BY deleted_at DESC LIMIT 1"
	}
	return s.groupsFound(ctx, ws, "deleted_groups")
}

// DeletedGroup is a group as it was when it was deleted. ViewerIsMember and ViewerIsAdmin are of that time, but for memberships that
// have come to their end since.
type DeletedGroup struct {
	Group
	HadAdmins bool // whether or not they are users still
}

// LockDeletedGroup locks and reads a deleted group; false if it is none any more. Its turn has to be taken before.
func (s *Store) LockDeletedGroup(ctx context.Context, id, viewer uuid.UUID) (DeletedGroup, bool, error) {
	g := DeletedGroup{}
	ok, err := s.queryRow(ctx, `SELECT `+keptOfGroup+`,
			EXISTS (SELECT FROM deleted_members v WHERE v.group_id = g.id AND v.user_id = $2::uuid AND (v.expires_at IS NULL OR v.expires_at > now())),
			EXISTS (SELECT FROM deleted_admins v WHERE v.group_id = g.id AND v.user_id = $2::uuid),
			EXISTS (SELECT FROM deleted_admins a WHERE a.group_id = g.id)
		FROM deleted_groups g WHERE id = $1::uuid FOR UPDATE`, []any{id.String(), viewer.String()},
		&g.ID, &g.Number, &g.Handle, &g.Name, &g.Description, &g.Type, &g.ExternalID, &g.AccessType, &g.FolderOwner, &g.UseDefaultStorage, &g.Public, &g.Tags,
		&g.Version, &g.CreatedAt, &g.CreatedBy, &g.ViewerIsMember, &g.ViewerIsAdmin, &g.HadAdmins)
	return g, ok, err
}

// Restored is what came back with a group, each in the order in which it was added.
type Restored struct {
	Members      []RestoredMember
	Admins       []User // their ids and names
	Actions      []RestoredThing
	WorkerModels []RestoredThing
}

// RestoredMember is a user who is a member again.
type RestoredMember struct {
	User
	ExpiresAt *time.Time
}

// RestoredThing is an action or a worker model.
type RestoredThing struct{ Name, Type string }

// RestoreGroup brings a locked deleted group back under the name, the handle and the external id that g has, with all that it had but
// its tokens, memberships whose time is over and people who are gone. One statement. The counters are right; the version is the one
// that it was deleted at.
func (s *Store) RestoreGroup(ctx context.Context, g *Group) (Restored, error) {
	var r Restored
	err := s.each(ctx, restoreGroup, []any{g.ID.String(), g.Name, g.Handle, g.ExternalID}, func(rows *sql.Rows) error {
		var what, name, typ string
		var user *uuid.UUID
		var expires *time.Time
		if err := rows.Scan(&what, &user, &name, &typ, &expires); err != nil {
			return err
		}
		switch what {
		case "member":
			r.Members = append(r.Members, RestoredMember{User{ID: *user, Username: name}, expires})
		case "admin":
			r.Admins = append(r.Admins, User{ID: *user, Username: name})
		case "action":
			r.Actions = append(r.Actions, RestoredThing{name, typ})
		default:
			r.WorkerModels = append(r.WorkerModels, RestoredThing{name, typ})
		}
		return nil
	})
	return r, lookAgain(err)
}

// restoreGroup reads what is kept as it was before the statement, so that the foreign keys' deletions, which come at its end, take nothing
// from it. People are locked in the order of their ids, as everywhere else.
var restoreGroup = `WITH its_members AS MATERIALIZED (
		SELECT m.*, u.username, u.username_key FROM deleted_members m JOIN users u ON u.id = m.user_id
		WHERE m.group_id = $1::uuid AND (m.expires_at IS NULL OR m.expires_at > now())
	), its_admins AS MATERIALIZED (
		SELECT m.*, u.username, u.username_key FROM deleted_admins m JOIN users u ON u.id = m.user_id WHERE m.group_id = $1::uuid
	), gone AS (
		DELETE FROM deleted_groups WHERE id = $1::uuid RETURNING *
	), restored AS (
		INSERT INTO groups (` + keptOfGroup + `, member_count, admin_count)
		SELECT ` + strings.NewReplacer(" name,", " $2::text,", " handle,", " $3::text,", " external_id,", " $4::text,").Replace(keptOfGroup) + `,
			(SELECT count(*) FROM its_members), (SELECT count(*) FROM its_admins) FROM gone
	), members_back AS (` + bringBack(kept[0], "username_key", "its_members", "ORDER BY user_id") + `
	), admins_back AS (` + bringBack(kept[1], "username_key", "its_admins", "ORDER BY user_id") + `
	), actions_back AS (` + bringBack(kept[2], "", "deleted_actions WHERE group_id = $1::uuid", "ORDER BY id") + `
	), worker_models_back AS (` + bringBack(kept[3], "", "deleted_worker_models WHERE group_id = $1::uuid", "ORDER BY id") + `
	), told AS (
		SELECT 1 AS part, 'member' AS what, user_id, username AS name, '' AS type, expires_at, added_at, id FROM its_members
		UNION ALL SELECT 2, 'admin', user_id, username, '', NULL, added_at, id FROM its_admins
		UNION ALL SELECT 3, 'action', NULL, name, type, NULL, NULL, id FROM deleted_actions WHERE group_id = $1::uuid
		UNION ALL SELECT 4, 'worker model', NULL, name, type, NULL, NULL, id FROM deleted_worker_models WHERE group_id = $1::uuid
	) SELECT what, user_id, name, type, expires_at FROM told ORDER BY part, added_at, id`

// bringBack writes rows that were kept back to where they came from.
func bringBack(k keptRow, more, from, order string) string {
	columns := k.columns
	if more != "" {
		columns += ", " + more
	}
	return "INSERT INTO " + k.table + " (" + columns + ") SELECT " + columns + " FROM " + from + " " + order
}

// DropDeletedGroup forgets the group that was deleted longest ago, if it is that long ago or longer, with all that is kept of it; those that
// somebody holds are left out. It says how many it was. It is one, however many there are: then it writes less than the statement that deleted
// the group did within the same time limit, and what could be deleted can be forgotten.
func (s *Store) DropDeletedGroup(ctx context.Context, age time.Duration) (int, error) {
	var n int
	_, err := s.queryRow(ctx, `WITH old AS (
			SELECT id FROM deleted_groups WHERE deleted_at <= now() - make_interval(secs => $1::bigint)
			ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED
		), gone AS (
			DELETE FROM deleted_groups d USING old WHERE d.id = old.id RETURNING 1
		) SELECT count(*) FROM gone`, []any{int64(age / time.Second)}, &n)
	return n, err
}
