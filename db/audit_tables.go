package db

import (
	_ "embed" // the picture of the schema
	"regexp"
	"slices"
	"strings"
)

// What the tables say of themselves, without the log.

// audits are all there are, in the order in which they are told.
var audits = append([]audit{
	{
		name: "member-counts", meaning: "groups count their members",
		rows:       "SELECT count(*) FROM groups",
		violations: countAudit("member_count", "members"),
	},
	{
		name: "admin-counts", meaning: "groups count their admins",
		rows:       "SELECT count(*) FROM groups",
		violations: countAudit("admin_count", "admins"),
	},
	{
		name: "next-expiries", meaning: "no membership ends before its group says that one does",
		rows: "SELECT count(*) FROM groups",
		violations: about("g.id", "", "", "g.name") + `to_jsonb(m.at) #>> '{}' || ' or before', coalesce(to_jsonb(g.next_expiry) #>> '{}', 'never'), false
			FROM groups g JOIN (SELECT group_id, min(expires_at) AS at FROM members GROUP BY group_id) m ON m.group_id = g.id
			WHERE m.at < coalesce(g.next_expiry, 'infinity')`,
	},
	{
		name: "totals", meaning: "the kept totals are the numbers of groups and users",
		rows: "SELECT count(DISTINCT noun) FROM totals",
		violations: about("", "", "", "x.noun") + `x.n::text, coalesce(t.n, 0)::text, false
			FROM (SELECT 'groups' AS noun, count(*) AS n FROM groups UNION ALL SELECT 'users', count(*) FROM users) x
			LEFT JOIN (SELECT noun, sum(n) AS n FROM totals GROUP BY noun) t USING (noun) WHERE t.n IS DISTINCT FROM x.n`,
	},
	{
		name: "last-admins", meaning: "no group has lost its last admin but to a write that replaced all its admins",
		rows: "SELECT count(*) FROM groups",
		// A group may be born without admins, and a list of none may replace them. What takes them one by one may not take the last, nor may
		// the end of a user. One that was never told to have an admin need have none, nor one that was restored when none of its admins was there.
		violations: `WITH last AS (SELECT DISTINCT ON (group_id) group_id, user_id, tx, seq, at, after IS NOT NULL AS added FROM changes
				WHERE kind IN ('ADMIN_ADDED', 'ADMIN_REMOVED') ORDER BY group_id, tx DESC, seq DESC)
			` + about("g.id", "l.user_id", "", "g.name") + `'an admin', CASE WHEN l.added THEN 'none, and no change says so' ELSE 'none: the last was deleted' END, false
			FROM groups g JOIN last l ON l.group_id = g.id
			WHERE NOT EXISTS (SELECT FROM admins a WHERE a.group_id = g.id)
				AND NOT EXISTS (SELECT FROM changes r WHERE r.kind = 'GROUP_RESTORED' AND r.group_id = g.id AND (r.tx, r.seq) > (l.tx, l.seq))
				AND (l.added OR EXISTS (SELECT FROM changes c WHERE c.tx = l.tx AND c.at = l.at AND c.kind = 'USER_DELETED' AND c.user_id = l.user_id))`,
	},
	{
		name: "orphans", meaning: "whatever belongs to a group, a user or a token belongs to one that there is",
		rows: `SELECT (SELECT count(*) FROM members) + (SELECT count(*) FROM admins) + (SELECT count(*) FROM tokens) + (SELECT count(*) FROM identities)
			+ (SELECT count(*) FROM actions) + (SELECT count(*) FROM worker_models) + (SELECT count(*) FROM deleted_members) + (SELECT count(*) FROM deleted_admins)
			+ (SELECT count(*) FROM deleted_actions) + (SELECT count(*) FROM deleted_worker_models)`,
		violations: orphanAudit(),
	},
	{
		name: "names", meaning: "names that are compared are the folded names that are shown",
		rows: `SELECT (SELECT count(*) FROM groups) + (SELECT count(*) FROM users) + (SELECT count(*) FROM members) + (SELECT count(*) FROM admins)
			+ (SELECT count(*) FROM deleted_groups)`,
		violations: nameAudit(),
	},
	{
		name: "uniqueness", meaning: "names, handles, numbers and external ids are those of one alone",
		rows:       `SELECT (SELECT count(*) FROM groups) + (SELECT count(*) FROM users) + (SELECT count(*) FROM tokens)`,
		violations: uniqueAudit(),
	},
	{
		name: "schema", meaning: "constraints, indexes and triggers are there and at work",
		rows: schemaAudit("SELECT count(*) FROM expected"),
		violations: schemaAudit(about("", "", "", "e.kind || ' ' || e.name") + "'there, and at work', coalesce(p.state, 'missing'), false" +
			" FROM expected e LEFT JOIN present p USING (kind, name) WHERE p.state IS DISTINCT FROM 'at work'"),
	},
}, slices.Concat(logAudits, deletedAudits)...)

// countAudit compares a kept count with the rows that it counts.
func countAudit(column, table string) string {
	return about("g.id", "", "", "g.name") + "coalesce(m.n, 0)::text, g." + column + "::text, false FROM groups g LEFT JOIN (SELECT group_id, count(*) AS n FROM " +
		table + " GROUP BY group_id) m ON m.group_id = g.id WHERE coalesce(m.n, 0) <> g." + column
}

// orphanAudit looks for what foreign keys forbid.
func orphanAudit() string {
	var parts []string
	for _, o := range []struct{ table, column, of, group, user, token string }{
		{"members", "group_id", "groups", "x.group_id", "x.user_id", ""},
		{"members", "user_id", "users", "x.group_id", "x.user_id", ""},
		{"admins", "group_id", "groups", "x.group_id", "x.user_id", ""},
		{"admins", "user_id", "users", "x.group_id", "x.user_id", ""},
		{"tokens", "group_id", "groups", "x.group_id", "", "x.id"},
		{"tokens", "user_id", "users", "", "x.user_id", "x.id"},
		{"tokens", "parent_id", "tokens", "", "", "x.id"},
		{"identities", "user_id", "users", "", "x.user_id", ""},
		{"actions", "group_id", "groups", "x.group_id", "", ""},
		{"worker_models", "group_id", "groups", "x.group_id", "", ""},
		{"deleted_members", "group_id", "deleted_groups", "x.group_id", "x.user_id", ""},
		{"deleted_admins", "group_id", "deleted_groups", "x.group_id", "x.user_id", ""},
		{"deleted_actions", "group_id", "deleted_groups", "x.group_id", "", ""},
		{"deleted_worker_models", "group_id", "deleted_groups", "x.group_id", "", ""},
	} {
		parts = append(parts, about(o.group, o.user, o.token, "'"+o.table+"."+o.column+"'")+"'a row of "+o.of+"', 'none', false FROM "+o.table+
			" x WHERE x."+o.column+" IS NOT NULL AND NOT EXISTS (SELECT FROM "+o.of+" o WHERE o.id = x."+o.column+")")
	}
	return strings.Join(parts, " UNION ALL ")
}

// nameAudit folds anew: what Postgres keeps was folded by the rules of the day, and a new library may have others.
func nameAudit() string {
	folded := func(table, column string) string {
		group, user, token := "", "", ""
		switch table {
		case "groups", "deleted_groups":
			group = "x.id"
		case "users":
			user = "x.id"
		default:
			token = "x.id"
		}
		return about(group, user, token, "'"+table+"."+column+"_key'") + "lower(x." + column + "), x." + column + "_key, false FROM " + table +
			" x WHERE x." + column + "_key <> lower(x." + column + `) COLLATE "C"`
	}
	parts := []string{
		folded("groups", "name"), folded("groups", "description"), folded("groups", "external_id"),
		folded("users", "username"), folded("users", "email"), folded("users", "full_name"), folded("users", "external_id"),
		folded("tokens", "description"), folded("deleted_groups", "name"),
	}
	for _, table := range []string{"members", "admins"} {
		parts = append(parts, about("x.group_id", "x.user_id", "", "'"+table+".username_key'")+"u.username_key, x.username_key, false FROM "+table+
			" x JOIN users u ON u.id = x.user_id WHERE x.username_key <> u.username_key")
	}
	return strings.Join(parts, " UNION ALL ")
}

// uniqueAudit groups, and believes no index.
func uniqueAudit() string {
	var parts []string
	for _, u := range []struct{ table, key string }{
		{"groups", "name_key"}, {"groups", "handle"}, {"groups", "number"}, {"groups", "external_id"},
		{"users", "username_key"}, {"users", "number"}, {"users", "external_id"},
		{"tokens", "number"},
	} {
		parts = append(parts, about("", "", "", "'"+u.table+"."+u.key+" ' || "+u.key)+"'one', count(*)::text, false FROM "+u.table+
			" WHERE "+u.key+" IS NOT NULL GROUP BY "+u.key+" HAVING count(*) > 1")
	}
	return strings.Join(parts, " UNION ALL ")
}

// schemaText is what the migrations leave; a test holds the two together.
//
//go:embed schema.sql
var schemaText string

var schemaNames = regexp.MustCompile(`(?m)^(?:  (CONSTRAINT)|CREATE (?:UNIQUE )?(INDEX|TRIGGER)) (\w+)`)

// schemaAudit is a query of the objects that the schema has to have, expected, and of those that it has, present.
func schemaAudit(query string) string {
	var expected []string
	for _, m := range schemaNames.FindAllStringSubmatch(schemaText, -1) {
		expected = append(expected, "('"+strings.ToLower(m[1]+m[2])+"', '"+m[3]+"')")
	}
	return "WITH expected (kind, name) AS (VALUES " + strings.Join(expected, ", ") + `), present AS (
			SELECT 'constraint' AS kind, conname AS name, CASE WHEN NOT convalidated THEN 'not valid'
				WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = n.oid AND t.tgenabled NOT IN ('O', 'A')) THEN 'disabled' ELSE 'at work' END AS state
			FROM pg_constraint n WHERE connamespace = 'public'::regnamespace AND conparentid = 0
			UNION ALL SELECT 'index', relname, CASE WHEN indisvalid AND indisready THEN 'at work' ELSE 'not valid' END FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE relnamespace = 'public'::regnamespace
			UNION ALL SELECT 'trigger', tgname, CASE WHEN tgenabled IN ('O', 'A') THEN 'at work' ELSE 'disabled' END FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
			WHERE relnamespace = 'public'::regnamespace) ` + query
}
