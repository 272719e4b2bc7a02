package main

import "strings"

// statements are the SQL, one statement for each request.
type statements struct {
	one, page, pageAfter, prefix, contains, people, ofUser, add, remove string
}

// newStatements writes them. With expiry a membership counts until it expires, as Roster has it; without, the columns are
// taken as they stand, which is the same as long as no membership ever expires.
func newStatements(expiry bool) statements {
	count, active := "g.member_count", "true"
	if expiry {
		count = "g.member_count - (SELECT count(*) FROM members e WHERE e.group_id = g.id AND e.expires_at <= now())::int"
		active = "(m.expires_at IS NULL OR m.expires_at > now())"
	}
	with := func(sql string) string {
		return strings.NewReplacer("{count}", count, "{active}", active).Replace(sql)
	}
	return statements{
		one: with(`SELECT g.id, g.number, g.handle, g.name, g.description, g.type, g.external_id, g.access_type, g.use_default_storage, g.public,
			g.tags, g.version, g.created_at, g.updated_at, {count}, g.admin_count FROM groups g WHERE g.id = $1`),
		page:      with(listing + "ORDER BY g.name_key LIMIT $1"),
		pageAfter: with(listing + "WHERE g.name_key > $2 ORDER BY g.name_key LIMIT $1"),
		prefix:    with(listing + "WHERE g.name_key >= $2 AND g.name_key < $3 ORDER BY g.name_key LIMIT $1"),
		contains:  with(listing + inNames + "ORDER BY g.name_key"),
		people:    with(people),
		ofUser:    with(ofUser),
		add:       add,
		remove:    remove,
	}
}

const listing = `SELECT g.id, g.name, g.name_key, g.description, {count}, g.created_at FROM groups g `

// inNames goes through names in the index alone, as far as it has to for a page, and fetches the rows of that page. Asked for the rows
// at once, Postgres fetches each that it passes over: five times the time for a text that is rare.
const inNames = `JOIN (SELECT name_key FROM groups WHERE name_key LIKE $2 ORDER BY name_key LIMIT $1) k ON k.name_key = g.name_key `

// The people of a group come as arrays: one row for a group, and no column of it twice.
const people = `SELECT g.id, g.name, g.name_key, {count}, m.ids, m.times, m.names, a.names
	FROM (SELECT id, name, name_key, member_count FROM groups WHERE name_key >= $2 AND name_key < $3 ORDER BY name_key LIMIT $1) g
	CROSS JOIN LATERAL (SELECT array_agg(x.id) AS ids, array_agg(x.added_at) AS times, array_agg(x.username) AS names
		FROM (SELECT m.id, m.added_at, u.username FROM members m JOIN users u ON u.id = m.user_id
			WHERE m.group_id = g.id AND {active} ORDER BY m.username_key LIMIT $4) x) m
	CROSS JOIN LATERAL (SELECT array_agg(x.username) AS names
		FROM (SELECT u.username FROM admins m JOIN users u ON u.id = m.user_id
			WHERE m.group_id = g.id ORDER BY m.username_key LIMIT $5) x) a
	ORDER BY g.name_key`

const ofUser = `SELECT u.username, g.id, g.name, g.name_key, {count}
	FROM users u LEFT JOIN LATERAL (
		SELECT g.id, g.name, g.name_key, g.member_count
		FROM (SELECT m.group_id FROM members m WHERE m.user_id = u.id AND {active}
			UNION SELECT a.group_id FROM admins a WHERE a.user_id = u.id) i
		JOIN groups g ON g.id = i.group_id
		ORDER BY g.name_key LIMIT $2) g ON true
	WHERE u.id = $1 ORDER BY g.name_key`

// add makes users members: their rows, the group's counter, version and time, a row of the change log each.
const add = `WITH added AS (
		INSERT INTO members (id, group_id, user_id, username_key, added_by, via)
		SELECT n.id, $1, u.id, u.username_key, $4, 'GRAPHQL'
		FROM unnest($2::uuid[], $3::uuid[]) n(id, user_id) JOIN users u ON u.id = n.user_id
		ON CONFLICT (group_id, user_id) DO NOTHING RETURNING user_id),
	touched AS (
		UPDATE groups SET member_count = member_count + (SELECT count(*) FROM added), version = version + 1, updated_at = now()
		WHERE id = $1 AND EXISTS (SELECT FROM added) RETURNING id, name, member_count, version),
	logged AS (
		INSERT INTO changes (kind, actor, via, request_id, group_id, group_name, user_id, username, after)
		SELECT 'MEMBER_ADDED', $5, 'GRAPHQL', $6, t.id, t.name, u.id, u.username, '{"expiresAt": null}'
		FROM touched t, added a JOIN users u ON u.id = a.user_id)
	SELECT u.username, a.user_id IS NOT NULL, coalesce(t.member_count, g.member_count), coalesce(t.version, g.version)
	FROM unnest($3::uuid[]) WITH ORDINALITY n(user_id, ord) JOIN users u ON u.id = n.user_id LEFT JOIN added a ON a.user_id = u.id
		JOIN groups g ON g.id = $1 LEFT JOIN touched t ON true
	ORDER BY n.ord`

// remove takes users out of a group altogether, likewise.
const remove = `WITH gone AS (
		DELETE FROM members WHERE group_id = $1 AND user_id = ANY ($2::uuid[]) RETURNING user_id, expires_at),
	demoted AS (
		DELETE FROM admins WHERE group_id = $1 AND user_id = ANY ($2::uuid[]) RETURNING user_id),
	touched AS (
		UPDATE groups SET member_count = member_count - (SELECT count(*) FROM gone), admin_count = admin_count - (SELECT count(*) FROM demoted),
			version = version + 1, updated_at = now()
		WHERE id = $1 AND (EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM demoted)) RETURNING id, name, member_count, version),
	logged AS (
		INSERT INTO changes (kind, actor, via, request_id, group_id, group_name, user_id, username, before)
		SELECT x.kind, $3, 'GRAPHQL', $4, t.id, t.name, u.id, u.username, x.before
		FROM touched t, (SELECT 'MEMBER_REMOVED' AS kind, user_id, jsonb_build_object('expiresAt', expires_at) AS before FROM gone
			UNION ALL SELECT 'ADMIN_REMOVED', user_id, '{}' FROM demoted) x JOIN users u ON u.id = x.user_id)
	SELECT u.username, d.user_id IS NOT NULL, coalesce(t.member_count, g.member_count), coalesce(t.version, g.version)
	FROM unnest($2::uuid[]) WITH ORDINALITY n(user_id, ord) JOIN users u ON u.id = n.user_id
		LEFT JOIN (SELECT user_id FROM gone UNION SELECT user_id FROM demoted) d ON d.user_id = u.id
		JOIN groups g ON g.id = $1 LEFT JOIN touched t ON true
	ORDER BY n.ord`
