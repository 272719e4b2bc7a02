package db

// What the change log says of the tables. A change holds what it is of before and after, nothing where there was or is none: so the
// last change of each thing says what it has to be now. Memberships and tokens also end with the group or user that they are of, for
// which one change of that group or user stands.

// logAudits follow the log.
var logAudits = []audit{
	{
		name: "log-order", meaning: "each change of the log goes on from the one before it",
		rows:       "SELECT count(*) FROM changes",
		violations: orderAudit,
	},
	{
		name: "log-users", meaning: "the log, from its beginning, gives the users",
		rows: "SELECT count(*) FROM users",
		violations: `WITH log AS (SELECT DISTINCT ON (user_id) user_id AS id, username AS name, ` + userTold + ` AS told FROM changes
				WHERE kind LIKE 'USER\_%' ORDER BY user_id, tx DESC, seq DESC),
			present AS (SELECT id, username AS name, ` + userNow + ` AS now FROM users)
			` + about("", "id", "", "coalesce(p.name, l.name, '')") + differing + ` FROM log l FULL JOIN present p USING (id) WHERE l.told IS DISTINCT FROM p.now`,
	},
	{
		name: "log-identities", meaning: "the log, from its beginning, gives who is whom at the issuers of tokens",
		rows: "SELECT count(*) FROM identities",
		violations: `WITH ended AS (` + ended + `),
			last AS (SELECT DISTINCT ON (issuer, subject) * FROM (SELECT after->'identity'->>'issuer' AS issuer, after->'identity'->>'subject' AS subject, user_id, tx, seq
				FROM changes WHERE kind LIKE 'USER\_%' AND after ? 'identity') c ORDER BY issuer, subject, tx DESC, seq DESC),
			log AS (SELECT l.issuer, l.subject, l.user_id AS id, CASE WHEN e.id IS NULL THEN jsonb_build_object('user', l.user_id) END AS told
				FROM last l LEFT JOIN ended e ON e.id = l.user_id AND (e.tx, e.seq) > (l.tx, l.seq)),
			present AS (SELECT issuer, subject, user_id, jsonb_build_object('user', user_id) AS now FROM identities)
			` + about("", "coalesce(p.user_id, l.id)", "", "subject || ' of ' || issuer") + differing + `
			FROM log l FULL JOIN present p USING (issuer, subject) WHERE l.told IS DISTINCT FROM p.now`,
	},
	{
		name: "log-groups", meaning: "the log, from its beginning, gives the groups",
		rows: "SELECT count(*) FROM groups",
		violations: `WITH log AS (SELECT DISTINCT ON (group_id) group_id AS id, group_name AS name, ` + groupTold + ` AS told FROM changes
				WHERE kind LIKE 'GROUP\_%' AND ` + wholeGroup + ` ORDER BY group_id, tx DESC, seq DESC),
			present AS (SELECT id, name, ` + groupNow + ` AS now FROM groups)
			` + about("id", "", "", "coalesce(p.name, l.name, '')") + differing + ` FROM log l FULL JOIN present p USING (id) WHERE l.told IS DISTINCT FROM p.now`,
	},
	{
		name: "log-members", meaning: "the log, from its beginning, gives the memberships",
		rows:       "SELECT count(*) FROM members",
		violations: peopleAudit("MEMBER", "members", `jsonb_build_object('expiresAt', (after->>'expiresAt')::timestamptz)`, `jsonb_build_object('expiresAt', expires_at)`),
	},
	{
		name: "log-admins", meaning: "the log, from its beginning, gives the adminships",
		rows:       "SELECT count(*) FROM admins",
		violations: peopleAudit("ADMIN", "admins", `'{}'::jsonb`, `'{}'::jsonb`),
	},
	{
		name: "log-tokens", meaning: "the log, from its beginning, gives the tokens but their secrets and last use",
		rows: "SELECT count(*) FROM tokens",
		// A session goes a day after its end without a change.
		violations: `WITH log AS (SELECT DISTINCT ON (after->>'uuid') (after->>'uuid')::uuid AS id, ` + grantTold + ` AS told FROM changes
				WHERE kind LIKE 'TOKEN\_%' ORDER BY after->>'uuid', tx DESC, seq DESC),
			ended AS (` + ended + `),
			owners AS (SELECT (after->>'uuid')::uuid AS id, group_id, user_id, tx, seq FROM changes WHERE kind = 'TOKEN_CREATED'),
			present AS (SELECT id, group_id, user_id, ` + grantNow + ` AS now FROM tokens)
			` + about("coalesce(p.group_id, o.group_id)", "coalesce(p.user_id, o.user_id)", "id", "''") + differing + `
			FROM log l FULL JOIN present p USING (id) LEFT JOIN owners o USING (id)
			WHERE (l.told IS DISTINCT FROM p.now OR o.id IS NOT NULL AND (o.group_id, o.user_id) IS DISTINCT FROM (p.group_id, p.user_id))
				AND NOT (p.id IS NULL AND (coalesce((l.told->>'expiresAt')::timestamptz < now() - interval '1 day', false)
					OR EXISTS (SELECT FROM ended e WHERE e.id IN (o.group_id, o.user_id) AND (e.tx, e.seq) > (o.tx, o.seq))))`,
	},
}

// What is kept of deleted groups is what the log says they were when they went.
var deletedAudits = []audit{
	{
		name: "deleted-groups", meaning: "groups that can be restored are as the log says they were when they were deleted",
		rows: "SELECT count(*) FROM deleted_groups",
		violations: `WITH log AS (SELECT DISTINCT ON (group_id) group_id AS id, CASE WHEN kind = 'GROUP_DELETED' THEN before END AS told FROM changes
				WHERE kind LIKE 'GROUP\_%' AND ` + wholeGroup + ` ORDER BY group_id, tx DESC, seq DESC),
			present AS (SELECT id, name, ` + groupNow + ` AS now FROM deleted_groups)
			` + about("p.id", "", "", "p.name") + differing + ` FROM present p LEFT JOIN log l USING (id) WHERE l.told IS DISTINCT FROM p.now`,
	},
	{
		name: "deleted-members", meaning: "so are their members",
		rows:       "SELECT count(*) FROM deleted_members",
		violations: deletedPeopleAudit("MEMBER", "deleted_members", `jsonb_build_object('expiresAt', (after->>'expiresAt')::timestamptz)`, `jsonb_build_object('expiresAt', expires_at)`),
	},
	{
		name: "deleted-admins", meaning: "and their admins",
		rows:       "SELECT count(*) FROM deleted_admins",
		violations: deletedPeopleAudit("ADMIN", "deleted_admins", `'{}'::jsonb`, `'{}'::jsonb`),
	},
}

// ended are the groups and users that are told to be gone, with the place where it is told last.
const ended = `SELECT DISTINCT ON (kind, coalesce(group_id, user_id)) coalesce(group_id, user_id) AS id, tx, seq FROM changes
	WHERE kind IN ('GROUP_DELETED', 'USER_DELETED') ORDER BY kind, coalesce(group_id, user_id), tx DESC, seq DESC`

// differing are what is expected and what is found, down to the fields that differ; and whether the log says nothing.
const differing = `
	CASE WHEN l.told IS NULL THEN 'nothing' ELSE (SELECT coalesce(jsonb_object_agg(t.key, t.value), '{}') FROM jsonb_each(l.told) t
		WHERE p.now IS NULL OR t.value IS DISTINCT FROM p.now->t.key)::text END,
	CASE WHEN p.now IS NULL THEN 'nothing' ELSE (SELECT coalesce(jsonb_object_agg(n.key, n.value), '{}') FROM jsonb_each(p.now) n
		WHERE l.told IS NULL OR n.value IS DISTINCT FROM l.told->n.key)::text END,
	l.id IS NULL`

// What images tell, and the same of the rows.
const (
	userTold = `after - 'identity'`
	userNow  = `jsonb_build_object('uuid', id, 'number', number, 'username', username, 'email', email, 'fullName', full_name,
		'externalId', external_id, 'roles', roles)`
	// An action or a worker model that changes is told as a change of its group, with an image of its own.
	wholeGroup = `coalesce(after, before) ? 'uuid'`
	groupTold  = `after`
	groupNow   = `jsonb_build_object('uuid', id, 'number', number, 'handle', handle, 'name', name, 'description', description, 'type', type,
		'externalId', external_id, 'accessType', access_type, 'folderOwner', folder_owner, 'useDefaultStorage', use_default_storage,
		'public', public, 'tags', tags)`
	grantTold = `after || jsonb_build_object('expiresAt', (after->>'expiresAt')::timestamptz, 'revokedAt', (after->>'revokedAt')::timestamptz)`
	grantNow  = `jsonb_build_object('uuid', id, 'description', description, 'prefix', prefix, 'scopes', scopes, 'expiration', expiration,
		'expiresAt', expires_at, 'revokedAt', revoked_at)`
)

// peopleAudit compares memberships or adminships. One that a group took with it when it went is told by the group's change alone.
func peopleAudit(kind, table, told, now string) string {
	return `WITH ended AS (` + ended + `),
		last AS (SELECT DISTINCT ON (group_id, user_id) group_id, user_id, username, tx, seq, CASE WHEN after IS NOT NULL THEN ` + told + ` END AS told
			FROM changes WHERE kind LIKE '` + kind + `\_%' ORDER BY group_id, user_id, tx DESC, seq DESC),
		log AS (SELECT l.group_id, l.user_id, l.user_id AS id, l.username, CASE WHEN e.id IS NULL THEN l.told END AS told
			FROM last l LEFT JOIN ended e ON e.id = l.group_id AND (e.tx, e.seq) > (l.tx, l.seq)),
		present AS (SELECT group_id, user_id, username_key, ` + now + ` AS now FROM ` + table + `)
		` + about("group_id", "user_id", "", "coalesce(p.username_key, l.username, '')") + differing + `
		FROM log l FULL JOIN present p USING (group_id, user_id) WHERE l.told IS DISTINCT FROM p.now`
}

// deletedPeopleAudit compares what is kept of the people of deleted groups with what the log told of them between the group's last
// beginning and its end.
func deletedPeopleAudit(kind, table, told, now string) string {
	return `WITH born AS (SELECT DISTINCT ON (group_id) group_id, tx, seq FROM changes WHERE kind IN ('GROUP_CREATED', 'GROUP_RESTORED')
			ORDER BY group_id, tx DESC, seq DESC),
		log AS (SELECT DISTINCT ON (c.group_id, c.user_id) c.group_id, c.user_id, c.user_id AS id, c.username, CASE WHEN after IS NOT NULL THEN ` + told + ` END AS told
			FROM changes c JOIN deleted_groups d ON d.id = c.group_id LEFT JOIN born b ON b.group_id = c.group_id
			WHERE kind LIKE '` + kind + `\_%' AND (b.group_id IS NULL OR (c.tx, c.seq) > (b.tx, b.seq)) ORDER BY c.group_id, c.user_id, c.tx DESC, c.seq DESC),
		present AS (SELECT group_id, user_id, ` + now + ` AS now FROM ` + table + `)
		` + about("group_id", "user_id", "", "coalesce(l.username, '')") + differing + `
		FROM log l FULL JOIN present p USING (group_id, user_id) WHERE l.told IS DISTINCT FROM p.now`
}

// orderAudit looks at what each change says was there before it. The first change of a thing says that nothing was.
const orderAudit = `WITH things AS (
		SELECT tx, seq, kind, group_id, user_id, before IS NOT NULL AS had, after IS NOT NULL AS has,
			CASE WHEN kind LIKE 'TOKEN\_%' THEN coalesce(after, before)->>'uuid' END AS token, split_part(kind, '_', 1) AS noun
		FROM changes WHERE kind NOT LIKE 'GROUP\_%' OR ` + wholeGroup + `),
	steps AS (
		SELECT *, row_number() OVER one = 1 AS first, lag(has, 1, false) OVER one AS was, lag(tx) OVER one AS last_tx, lag(seq) OVER one AS last_seq FROM things
		WINDOW one AS (PARTITION BY noun, CASE WHEN noun <> 'TOKEN' THEN group_id END, CASE WHEN noun <> 'TOKEN' THEN user_id END, token ORDER BY tx, seq))
	SELECT s.group_id, s.user_id, s.token::uuid, s.kind || ' at ' || s.tx || ' ' || s.seq,
		CASE WHEN s.had THEN 'that it was there before' ELSE 'that it was not there before' END, CASE WHEN s.was THEN 'that it was' ELSE 'that it was not' END, s.first
	FROM steps s WHERE s.had <> s.was
		AND NOT (NOT s.had AND s.noun IN ('MEMBER', 'ADMIN') AND EXISTS (SELECT FROM changes d
			WHERE d.kind = 'GROUP_DELETED' AND d.group_id = s.group_id AND (d.tx, d.seq) > (s.last_tx, s.last_seq) AND (d.tx, d.seq) < (s.tx, s.seq)))`
