package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// sizeResults are the results at one size, with what Postgres counted.
type sizeResults struct {
	size
	results
	counts map[string]counts // by workload
}

// counts are what Roster had Postgres do for some requests.
type counts struct {
	requests         int
	statements, rows int // statements, and rows that they returned or wrote
	read             int // index entries, and rows of sequential scans
}

func (c counts) minus(o counts) counts {
	return counts{c.requests, c.statements - o.statements, c.rows - o.rows, c.read - o.read}
}

// grow measures at each size.
func (o options) grow(ctx context.Context, p *postgres, ps programs, progress io.Writer) error {
	if err := execute(ctx, p.url.String(), "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
		return fmt.Errorf("statements are counted by pg_stat_statements: %w", err)
	}
	var all []sizeResults
	for _, s := range o.sizes {
		b, err := o.open(ctx, p, ps, s, progress)
		if err != nil {
			return err
		}
		r, err := b.all(ctx)
		if err = errors.Join(err, b.stop()); err != nil {
			return err
		}
		cs, err := b.countAll(ctx)
		if err = errors.Join(err, b.close()); err != nil {
			return err
		}
		all = append(all, sizeResults{s, r, cs})
	}
	return o.report(ctx, p, "growth", growthTables(all))
}

// countedRequests is how many requests of a workload are counted, at least.
const countedRequests = 200

// countAll counts, for each workload, what the requests to Roster come to, beyond what its start and its end come to.
//
// What the writes before left behind is cleared away first: the dead are read as well, by whoever comes first.
func (b *bench) countAll(ctx context.Context) (map[string]counts, error) {
	if err := execute(ctx, b.url, "VACUUM"); err != nil {
		return nil, err
	}
	idle, err := b.countIdle(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]counts{}
	count := func(name string, scripts []script) error {
		c, err := b.count(ctx, scripts)
		all[name] = c.minus(idle)
		return err
	}
	for _, w := range workloads() {
		if !b.selected(w.name) || w.writes && len(b.requests.sample.pairs) < connections {
			continue
		}
		_, s := w.sides(b.requests, nil, nil)
		if err := count(w.name, s.scripts); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	for _, m := range bulks() {
		if !b.selected(m.name) || len(b.requests.sample.joiners) < m.members {
			continue
		}
		if err := count(m.name, []script{{requests: [][]byte{b.requests.many(m.members)}}}); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return all, nil
}

// countIdle counts what a start and an end come to: the middle of three, of each number, since now and then one is far from the others.
func (b *bench) countIdle(ctx context.Context) (middle counts, err error) {
	var all [3]counts
	for i := range all {
		if all[i], err = b.count(ctx, nil); err != nil {
			return middle, err
		}
	}
	of := func(number func(c counts) int) int {
		x, y, z := number(all[0]), number(all[1]), number(all[2])
		return max(min(x, y), min(max(x, y), z))
	}
	return counts{
		statements: of(func(c counts) int { return c.statements }),
		rows:       of(func(c counts) int { return c.rows }),
		read:       of(func(c counts) int { return c.read }),
	}, nil
}

// count sends scripts to a Roster of its own, which is ended then: with their connections, the processes of Postgres hand in what
// they have counted.
func (b *bench) count(ctx context.Context, scripts []script) (c counts, err error) {
	if err := execute(ctx, b.postgres.url.String(), "SELECT pg_stat_statements_reset()"); err != nil {
		return c, err
	}
	before, err := b.counted(ctx)
	if err != nil {
		return c, err
	}
	if b.roster, err = b.startRoster(ctx, b.programs.roster); err != nil {
		return c, err
	}
	n, err := b.send(scripts)
	if err = errors.Join(err, b.stop()); err != nil {
		return c, err
	}
	after, err := b.counted(ctx)
	if err != nil {
		return c, err
	}
	c = after.minus(before)
	c.requests = n
	return c, nil
}

// send sends whole scripts, one request after another, until there were enough; bulk writes once.
func (b *bench) send(scripts []script) (n int, err error) {
	conn, err := dial(b.roster.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	// The first request of a token writes down that it was used.
	if _, _, err := conn.do(b.requests.roster.graphql("{ __typename }", nil)); err != nil {
		return 0, err
	}
	for i := 0; len(scripts) > 0 && n < countedRequests; i++ {
		if i == len(scripts) && scripts[0].once() {
			break
		}
		for _, r := range scripts[i%len(scripts)].requests {
			status, body, err := conn.do(r)
			if err != nil || status != 200 || !bytes.HasPrefix(body, good) {
				return n, fmt.Errorf("answer %d (%v): %.300s", status, err, body)
			}
			n++
		}
	}
	return n, nil
}

// bulkBytes is more than any request has but the bulk writes.
const bulkBytes = 10_000

func (s script) once() bool { return len(s.requests) == 1 && len(s.requests[0]) > bulkBytes }

// counted reads the counters of Postgres as soon as nobody else is connected, and they stand still.
func (b *bench) counted(ctx context.Context) (last counts, err error) {
	c, err := b.connect(ctx)
	if err != nil {
		return last, err
	}
	defer c.Close(ctx)
	m, err := pgx.Connect(ctx, b.postgres.url.String())
	if err != nil {
		return last, err
	}
	defer m.Close(ctx)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for quiet := false; ; {
		var others int
		err := c.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&others)
		if err != nil {
			return last, err
		}
		now := counts{}
		if err := c.QueryRow(ctx, `SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables)::bigint
			+ (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)::bigint`).Scan(&now.read); err != nil {
			return last, err
		}
		if err := m.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(rows), 0)::bigint FROM pg_stat_statements s
			JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1 AND s.query !~ 'pg_stat_'`, workplace).Scan(&now.statements, &now.rows); err != nil {
			return last, err
		}
		if quiet && others == 0 && now == last {
			return now, nil
		}
		last, quiet = now, others == 0
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(600 * time.Millisecond): // Postgres 14 hands its counters in every half second
		}
	}
}
