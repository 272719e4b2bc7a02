package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SeedSize says how much load data there shall be. Of the Memberships, Big are those of one group and Wide those of one user; the
// rest are spread over the other groups. Names have six digits of a number, or as many as it needs.
type SeedSize struct{ Groups, Users, Memberships, Big, Wide int }

// ErrNotEmpty is a database that load data would get mixed up in.
var ErrNotEmpty = errors.New("there are groups in this database, or users of load data: seed an empty one")

// Seed fills an empty directory with load data, in one transaction, and tells done of each step. The same size makes the same
// rows, ids and times included, but for the numbers, which go on from where the database is.
//
// Nothing here is random. The n-th user or group takes what varies from the digits of an md5 of n. The members of a group are a
// walk through a pool of users by a step that is a prime greater than any pool, so that nobody is met twice; how long the walks
// are follows the square root of the group's rank, so that few groups are large and many small; and pools are the first users,
// all of them or down to a sixty-fourth, so that few users are in many groups and many in few.
//
// The change log is written too, in the order of its times: a row for each user, group, member and admin.
//
// It runs on a pool of its own, without a statement timeout. Until it is done nobody else reads these tables.
func Seed(ctx context.Context, url string, size SeedSize, done func(step string, rows int, took time.Duration)) error {
	pool, err := openPool(poolOptions{URL: url, MaxConns: 1})
	if err != nil {
		return err
	}
	defer pool.Close()
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := seedRoom(ctx, tx); err != nil {
		return err
	}
	for _, st := range seedSteps {
		began := time.Now()
		r, err := tx.ExecContext(ctx, st.bind(size))
		if err != nil {
			return fmt.Errorf("seeding %s: %w", st.name, translate(err))
		}
		if n, err := r.RowsAffected(); err == nil && st.name != seedBench {
			done(st.name, int(n), time.Since(began))
		}
	}
	if err := tx.Commit(); err != nil {
		return translate(err)
	}
	began := time.Now()
	if _, err := pool.ExecContext(ctx, "VACUUM (ANALYZE) users, groups, members, admins, changes"); err != nil {
		return translate(err)
	}
	done("statistics", 0, time.Since(began))
	return nil
}

// seedRoom locks everybody else out, readers too, since indexes are about to go, and refuses a database that is in use.
func seedRoom(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "LOCK TABLE groups, users, members, admins, changes IN ACCESS EXCLUSIVE MODE"); err != nil {
		return translate(err)
	}
	var taken bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM groups) OR EXISTS (SELECT FROM users WHERE external_id LIKE 'load:%')`).Scan(&taken)
	if err == nil && taken {
		return ErrNotEmpty
	}
	return translate(err)
}

// seedStep is one statement. Its {names} are the parts of the size.
type seedStep struct{ name, text string }

// seedBench is the name of the steps that lay out what the others work with.
const seedBench = "the workbench"

// bind writes the size into the statement: some of them take no arguments.
func (s seedStep) bind(size SeedSize) string {
	every := max(1, (size.Groups-1)/max(1, size.Wide)) // the groups of the one user are evenly spread
	n := func(n int) string { return strconv.Itoa(n) + "::bigint" }
	return strings.NewReplacer("{groups}", n(size.Groups), "{users}", n(size.Users), "{big}", n(size.Big), "{wide}", n(size.Wide),
		"{rest}", n(size.Memberships-size.Big-size.Wide), "{every}", n(every)).Replace(s.text)
}

// seedID is a UUIDv7 of a time in milliseconds and of what the digits of a text give.
func seedID(millis, text string) string {
	return "overlay(overlay(overlay(md5(" + text + ") placing lpad(to_hex(" + millis + "), 12, '0') from 1) placing '7' from 13) placing '8' from 17)::uuid"
}

// seedDigits is a number below limit, from four digits of the hash h.
func seedDigits(from int, limit string) string {
	return fmt.Sprintf("(('x' || substr(h, %d, 4))::bit(16)::int %% %s)", from, limit)
}

// seedPick is one of the words, by digits of the hash h.
func seedPick(from int, words string) string {
	n := len(strings.Fields(words))
	return "(ARRAY['" + strings.Join(strings.Fields(words), "','") + "'])[1 + " + seedDigits(from, fmt.Sprint(n)) + "]"
}

// seedNumber is n with six digits, or more: lpad would cut what is longer.
const seedNumber = "lpad(n::text, greatest(6, length(n::text)), '0')"

const (
	seedFirstNames = `Ada Amara Anders Aiko Bjorn Carmen Chen Dalia Diego Elif Emil Fatima Felix Grace Hana Hugo Ines Ivan Jamal Jun
		Kofi Lars Leila Lucia Mateo Mei Nadia Nils Olga Omar Paolo Priya Quentin Rosa Samir Sofia Tariq Uma Viktor Yara`
	seedLastNames = `Abebe Andersson Bauer Bianchi Castillo Cohen Dlamini Dubois Eriksen Fujimoto Garcia Gupta Haddad Hansen Ito Ivanov
		Jansen Kaya Kim Kowalski Lopez Meyer Moreau Nakamura Nguyen Novak Okafor Olsen Petrov Rossi Santos Schmidt Silva Suzuki
		Tanaka Tran Virtanen Wang Weber Yilmaz`
	seedSubjects = `platform payments identity search mobile billing catalog checkout delivery pricing fraud growth insights ledger logistics
		maps media messaging notifications onboarding orders partners profile recommendations reporting returns risk security
		shipping storage streaming support`
	seedRoles = `team oncall admins readers writers reviewers leads release operators auditors`
	seedSites = `amsterdam berlin chicago dublin helsinki lagos lima london madrid mumbai nairobi osaka oslo paris seoul sydney`
)

// seedSteps make the load data. Users come one after the other through 2023, groups through 2024; a member joins a second after
// the one before.
var seedSteps = []seedStep{
	{seedBench, `SET LOCAL work_mem = '128MB'`},
	{seedBench, `SET LOCAL maintenance_work_mem = '256MB'`},
	// What keeps the tables right row by row is put aside, as the catalog has it, and put back when they are full: that checks and
	// sorts a million rows at once, in a quarter of the time.
	{seedBench, `CREATE TEMP TABLE seed_aside ON COMMIT DROP AS
		SELECT 2 AS turn, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS away,
			format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS back
		FROM pg_constraint WHERE contype = 'f' AND conrelid IN ('members'::regclass, 'admins'::regclass)
		UNION ALL SELECT 1, format('DROP INDEX %s', indexrelid::regclass), replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') -- of partitions, all
		FROM pg_index i WHERE indrelid IN ('users'::regclass, 'groups'::regclass, 'members'::regclass, 'admins'::regclass, 'changes'::regclass)
			AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)`},
	{seedBench, `DO $$ DECLARE statement text; BEGIN
		FOR statement IN SELECT away FROM seed_aside LOOP EXECUTE statement; END LOOP;
		END $$`},
	{seedBench, `CREATE TEMP TABLE seed_users ON COMMIT DROP AS
		SELECT n, ` + seedID("ms", "'user ' || n") + ` AS id, to_timestamp(ms / 1000.0) AS at, first || ' ' || last AS full_name,
			lower(first || '.' || last) || '.' || ` + seedNumber + ` AS username
		FROM (SELECT n, ms, ` + seedPick(1, seedFirstNames) + ` AS first, ` + seedPick(5, seedLastNames) + ` AS last
			FROM (SELECT n, md5('u' || n) AS h, 1672531200000 + n * (31536000000 / ({users} + 1)) AS ms FROM generate_series(1, {users}) n) d) u`},
	{"users", `INSERT INTO users (id, username, username_key, email, full_name, external_id, created_at)
		SELECT id, username, username, username || '@example.com', full_name, 'load:u' || n, at FROM seed_users ORDER BY n`},
	// The first group is the big one. How large another one is goes by its rank, which is its number, shuffled.
	{seedBench, `CREATE TEMP TABLE seed_groups ON COMMIT DROP AS
		SELECT *, ` + seedID("ms", "'group ' || n") + ` AS id,
			CASE n WHEN 1 THEN {users} - 1 ELSE least({users} - 1, greatest(size, 100, ({users} - 1) >> ` + seedDigits(1, "7") + `)) END AS pool,
			` + seedDigits(5, "60000") + ` AS start,
			(ARRAY[2147483647, 2147483629, 2147483587, 2147483579, 2147483563, 2147483549, 2147483543, 2147483497])[1 + ` + seedDigits(9, "8") + `] AS step,
			1 + ` + seedDigits(13, "3") + ` AS admins
		FROM (SELECT n, md5('g' || n) AS h, 1704067200000 + n * (31536000000 / ({groups} + 1)) AS ms,
			n > 1 AND (n - 2) % {every} = 0 AND n - 2 < {every} * {wide} AS wide,
			CASE n WHEN 1 THEN {big} ELSE round({rest} * sqrt((rank + 1) / ({groups} - 1)::float8))::bigint
				- round({rest} * sqrt(rank / ({groups} - 1)::float8))::bigint END AS size
			FROM (SELECT n, ((n - 2) * 2147483647) % ({groups} - 1) AS rank FROM generate_series(1, {groups}) n) r) g`},
	// The first user is the one in many groups, and in no walk.
	{seedBench, `CREATE TEMP TABLE seed_members ON COMMIT DROP AS
		SELECT g.n AS g, 2 + (g.start + k * g.step) % g.pool AS u, k, g.ms + (k + 1) * 1000 AS ms
		FROM seed_groups g CROSS JOIN LATERAL generate_series(0, g.size - 1) k
		UNION ALL SELECT n, 1, size, ms + (size + 1) * 1000 FROM seed_groups WHERE wide`},
	{seedBench, `ANALYZE seed_users, seed_groups, seed_members`},
	{"groups", `INSERT INTO groups (id, handle, name, description, external_id, access_type, use_default_storage, public, tags, created_at, updated_at,
			member_count, admin_count)
		SELECT id, name, name, initcap(role) || ' of ' || subject || ' in ' || initcap(site),
			CASE WHEN ` + seedDigits(17, "2") + ` = 0 THEN 'load:g' || n END,
			(ARRAY['READ_ONLY', 'WRITE_OWNER', 'WRITE_ALL', 'ADMINISTRATOR'])[1 + ` + seedDigits(21, "4") + `], ` + seedDigits(25, "8") + ` > 0,
			` + seedDigits(29, "3") + ` = 0, jsonb_build_object('site', site, 'subject', subject, 'cost-center', 'cc-' || lpad((n % 500)::text, 3, '0')),
			to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0), size + wide::int, admins
		FROM (SELECT *, subject || '-' || role || '-' || ` + seedNumber + ` AS name
			FROM (SELECT *, ` + seedPick(2, seedSubjects) + ` AS subject, ` + seedPick(6, seedRoles) + ` AS role, ` + seedPick(10, seedSites) + ` AS site
				FROM seed_groups) w) g ORDER BY n`},
	// A group of an earlier seed that was deleted is there again, with its id: what is kept of it would be in the way of its next deletion.
	{seedBench, `DELETE FROM deleted_groups d USING seed_groups g WHERE d.id = g.id`},
	{"memberships", `INSERT INTO members (group_id, user_id, id, username_key, added_at, via)
		SELECT g.id, u.id, ` + seedID("m.ms", "'member ' || m.g || ' ' || m.k") + `, u.username, to_timestamp(m.ms / 1000.0), 'SYSTEM'
		FROM seed_members m JOIN seed_groups g ON g.n = m.g JOIN seed_users u ON u.n = m.u ORDER BY m.g, m.k`},
	// The admins of a group are the first of its walk: members, unless the group has none.
	{"admins", `INSERT INTO admins (group_id, user_id, id, username_key, added_at, via)
		SELECT g.id, u.id, ` + seedID("g.ms", "'admin ' || g.n || ' ' || k") + `, u.username, to_timestamp(g.ms / 1000.0), 'SYSTEM'
		FROM seed_groups g CROSS JOIN LATERAL generate_series(0, g.admins - 1) k
			JOIN seed_users u ON u.n = 2 + (g.start + k::bigint * g.step) % g.pool ORDER BY g.n, k`},
	{"changes", `INSERT INTO changes (at, kind, actor, via, group_id, group_name, user_id, username, after)
		SELECT created_at, 'USER_CREATED', 'system', 'SYSTEM', NULL::uuid, NULL, id, username, jsonb_build_object('uuid', id, 'number', number,
			'username', username, 'email', email, 'fullName', full_name, 'externalId', external_id, 'roles', roles)
		FROM users WHERE external_id LIKE 'load:u%'
		UNION ALL SELECT created_at, 'GROUP_CREATED', 'system', 'SYSTEM', id, name, NULL, NULL, jsonb_build_object('uuid', id, 'number', number,
			'handle', handle, 'name', name, 'description', description, 'type', type, 'externalId', external_id, 'accessType', access_type,
			'folderOwner', folder_owner, 'useDefaultStorage', use_default_storage, 'public', public, 'tags', tags)
		FROM groups
		UNION ALL SELECT m.added_at, 'MEMBER_ADDED', 'system', 'SYSTEM', g.id, g.name, m.user_id, m.username_key, '{"expiresAt": null}'
		FROM members m JOIN groups g ON g.id = m.group_id
		UNION ALL SELECT m.added_at, 'ADMIN_ADDED', 'system', 'SYSTEM', g.id, g.name, m.user_id, m.username_key, '{}'
		FROM admins m JOIN groups g ON g.id = m.group_id
		ORDER BY 1, 5, 2 DESC, 7`},
	{"indexes and foreign keys", `DO $$ DECLARE statement text; BEGIN
		FOR statement IN SELECT back FROM seed_aside ORDER BY turn LOOP EXECUTE statement; END LOOP;
		END $$`},
}
