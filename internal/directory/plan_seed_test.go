package directory_test

import (
	"database/sql"
	"testing"
)

// planSeed fills a directory of 100,000 groups: one of them has 15,000 members, one user is in 10,000 groups, one in seven. What keeps
// the tables right row by row is put aside meanwhile.
var planSeed = []string{
	`SET session_replication_role = replica`,
	`SET maintenance_work_mem = '512MB'`,
	`CREATE TEMP TABLE aside AS SELECT format('DROP INDEX %s', indexrelid::regclass) AS away, pg_get_indexdef(indexrelid) AS back FROM pg_index i
		WHERE indrelid::regclass::text IN ('users', 'groups', 'members', 'admins', 'tokens', 'changes')
		AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)`,
	`DO $$ DECLARE s text; BEGIN FOR s IN SELECT away FROM aside LOOP EXECUTE s; END LOOP; END $$`,
	`CREATE TEMP TABLE u AS SELECT n, md5('u' || n)::uuid AS id, 'u' || n AS name FROM generate_series(1, 20000) n`,
	`INSERT INTO users (id, number, username, username_key, email, full_name, external_id, roles, created_at)
		SELECT id, n + 10, name, name, substr(id::text, 1, 6) || '@' || CASE WHEN n % 3 = 0 THEN 'north' ELSE 'south' END || '.example', 'Person ' || substr(id::text, 1, 8),
			CASE WHEN n % 2 = 0 THEN 'x' || id END, CASE WHEN n % 5000 = 7 THEN '{MANAGER}'::text[] ELSE '{}' END, '2024-01-01'::timestamptz + n * interval '1 minute'
		FROM u`,
	`CREATE TEMP TABLE g AS SELECT n, md5('g' || n)::uuid AS id, md5('x' || n) AS h FROM generate_series(1, 100000) n`,
	`CREATE TEMP TABLE m AS SELECT 1 AS g, n AS u FROM generate_series(3, 15002) n
		UNION ALL SELECT n * 10, 1 FROM generate_series(1, 10000) n
		UNION ALL SELECT n * 20011, 2 FROM generate_series(1, 4) n
		UNION ALL SELECT n, 3 + (n * 31) % 19997 FROM generate_series(2, 100000) n WHERE n % 3 > 0`,
	`CREATE TEMP TABLE a AS SELECT n AS g, 3 + (n * 17) % 19997 AS u FROM generate_series(1, 100000) n WHERE n % 3 = 0
		UNION ALL SELECT n * 30013, 2 FROM generate_series(1, 3) n`,
	`INSERT INTO groups (id, handle, name, description, external_id, type, access_type, public, tags, created_at, updated_at, member_count, admin_count)
		SELECT id, 'h' || n, substr(h, 1, 6) || CASE WHEN n % 2 = 0 THEN '-team-' ELSE '-crew-' END || n, 'Looks after ' || substr(h, 7, 6) || CASE WHEN n % 4 = 0 THEN ' in the north' ELSE '' END,
			CASE WHEN n % 2 = 0 THEN 'x' || n END, CASE WHEN n % 1000 = 1 THEN 'DIRECTORY' ELSE 'MANAGED' END,
			CASE WHEN n % 1000 = 2 THEN 'ADMINISTRATOR' WHEN n % 10 = 3 THEN 'WRITE_ALL' ELSE 'READ_ONLY' END, get_byte(decode(h, 'hex'), 15) < 85,
			CASE WHEN n % 1000 = 4 THEN '{"rare": "yes", "site": "s1"}' ELSE jsonb_build_object('site', 's' || get_byte(decode(h, 'hex'), 14) % 16) END,
			'2024-01-01'::timestamptz + n * interval '1 minute', '2025-01-01'::timestamptz + (n * 7919 % 100003) * interval '1 minute', coalesce(ms, 0), coalesce(ads, 0)
		FROM g LEFT JOIN (SELECT g AS n, count(*) AS ms FROM m GROUP BY g) cm USING (n) LEFT JOIN (SELECT g AS n, count(*) AS ads FROM a GROUP BY g) ca USING (n)`,
	`INSERT INTO members (group_id, user_id, id, username_key, added_at, via, expires_at)
		SELECT g.id, u.id, gen_random_uuid(), u.name, '2025-01-01'::timestamptz + u.n * interval '1 minute', 'SYSTEM', CASE WHEN u.n % 50 = 0 THEN '2100-01-01'::timestamptz END
		FROM m JOIN g ON g.n = m.g JOIN u ON u.n = m.u`,
	`UPDATE groups SET next_expiry = '2100-01-01' WHERE id IN (SELECT group_id FROM members WHERE expires_at IS NOT NULL)`,
	`INSERT INTO admins (group_id, user_id, id, username_key, added_at, via) SELECT g.id, u.id, gen_random_uuid(), u.name, '2025-01-01', 'SYSTEM' FROM a JOIN g ON g.n = a.g JOIN u ON u.n = a.u`,
	`INSERT INTO tokens (id, group_id, user_id, description, prefix, hash, expiration, expires_at, created_at, last_used_at, revoked_at)
		SELECT md5('t' || n)::uuid, CASE WHEN n % 2 = 0 THEN md5('g' || n)::uuid END, CASE WHEN n % 2 = 1 THEN md5('u' || n)::uuid END, 'pipeline ' || n, 'rst_', decode(md5('t' || n), 'hex'),
			'CUSTOM', CASE WHEN n % 3 = 0 THEN '2100-01-01'::timestamptz + n * interval '1 minute' WHEN n % 1000 = 1 THEN '2025-06-01' END, '2025-01-01'::timestamptz + n * interval '1 minute',
			CASE WHEN n % 2 = 0 THEN '2025-02-01'::timestamptz + n * interval '1 second' END, CASE WHEN n % 500 = 3 THEN '2025-03-01'::timestamptz END
		FROM generate_series(1, 20000) n`,
	`INSERT INTO changes (at, kind, actor, via, group_id, group_name, user_id, username, after)
		SELECT '2025-01-01'::timestamptz + n * interval '1 second', CASE WHEN n % 10000 = 5 THEN 'GROUP_DELETED' ELSE 'MEMBER_ADDED' END, 'u' || n % 997, CASE WHEN n % 2 = 0 THEN 'GRAPHQL' ELSE 'CDS' END,
			md5('g' || CASE WHEN n % 3 = 0 THEN 1 ELSE n END)::uuid, 'a group', md5('u' || n % 20000)::uuid, 'somebody', '{}'
		FROM generate_series(1, 100000) n`,
	`DO $$ DECLARE s text; BEGIN FOR s IN SELECT back FROM aside LOOP EXECUTE s; END LOOP; END $$`,
	`VACUUM (ANALYZE) users, groups, members, admins, tokens, changes`,
}

func seedPlans(t testing.TB, url string) {
	t.Helper()
	pool, err := sql.Open("pg", url+"&timeout=120s&read_timeout=120s")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, step := range planSeed {
		if _, err := conn.ExecContext(t.Context(), step); err != nil {
			t.Fatalf("%v\n%s", err, step)
		}
	}
}
