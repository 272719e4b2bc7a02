package db

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// partitionWidth is how many transactions a partition of the change log spans at least. Each spans about a day, as busy as the last was.
const partitionWidth = 1 << 20

// partitionLock is the advisory lock of whoever looks after the partitions; others need not at the same time.
const partitionLock = 7_033_178_302

// lateCommit is how much older a change may be than one of a later transaction: transactions are far shorter.
const lateCommit = time.Hour

// partition is a part of the change log: transactions from one to below another.
type partition struct {
	name     string
	from, to uint64
}

// partitions are those of the log in order, without the one for what fits in none.
func (s *Store) partitions(ctx context.Context) ([]partition, error) {
	var ps []partition
	err := s.each(ctx, `SELECT c.relname, split_part(c.relname, '_', 2), split_part(c.relname, '_', 3)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'changes'::regclass AND c.relname ~ '^changes_[0-9]+_[0-9]+$'
		ORDER BY split_part(c.relname, '_', 2)::numeric`, nil, func(rows *sql.Rows) error {
		var p partition
		err := rows.Scan(&p.name, xid{&p.from}, xid{&p.to})
		ps = append(ps, p)
		return err
	})
	return ps, err
}

// PrepareChanges makes the next partition of the change log if the last one is about to be reached. It is for transactions.
func (s *Store) PrepareChanges(ctx context.Context) error {
	if mine, err := s.looksAfter(ctx); err != nil || !mine {
		return err
	}
	ps, err := s.partitions(ctx)
	if err != nil {
		return err
	}
	var next uint64
	if _, err := s.queryRow(ctx, `SELECT pg_snapshot_xmax(pg_current_snapshot())::text`, nil, xid{&next}); err != nil {
		return err
	}
	width, err := s.dayOfChanges(ctx, next)
	if err != nil {
		return err
	}
	from := uint64(0)
	if len(ps) > 0 {
		from = ps[len(ps)-1].to
	}
	if from > next+width {
		return nil
	}
	if from <= next { // nobody looked after it: what has come since is in changes_rest, and so is what comes until here
		from = next + partitionWidth
	}
	return s.addPartition(ctx, partition{fmt.Sprintf("changes_%d_%d", from, from+width), from, from + width})
}

// addPartition makes a table and attaches it, for which writers need not wait.
func (s *Store) addPartition(ctx context.Context, p partition) error {
	for _, text := range []string{
		"CREATE TABLE " + p.name + " (LIKE changes INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
		fmt.Sprintf("ALTER TABLE changes ATTACH PARTITION %s FOR VALUES FROM ('%d') TO ('%d')", p.name, p.from, p.to),
	} {
		if err := s.exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// looksAfter reports whether this transaction looks after the partitions, and no other does.
func (s *Store) looksAfter(ctx context.Context) (mine bool, err error) {
	if err := s.exec(ctx, "SET LOCAL lock_timeout = '300ms'"); err != nil { // who waits for a table makes others wait
		return false, err
	}
	_, err = s.queryRow(ctx, "SELECT pg_try_advisory_xact_lock($1::bigint)", []any{int64(partitionLock)}, &mine)
	return mine, err
}

// In ORDER BY a bare tx would be the text that the statement selects, by which 999 comes after 1000, and no index.

// dayOfChanges is about how many transactions a day has, going by those since the first change of the last day.
func (s *Store) dayOfChanges(ctx context.Context, next uint64) (uint64, error) {
	var tx uint64
	var seconds float64
	ok, err := s.queryRow(ctx, `SELECT c.tx::text, extract(epoch FROM now() - c.at)::float8 FROM changes c
		WHERE c.tx >= $1::text::xid8 ORDER BY c.tx, c.seq LIMIT 1`, []any{strconv.FormatUint(next-min(next, partitionWidth), 10)}, xid{&tx}, &seconds)
	if err != nil || !ok || seconds < 60 || tx > next {
		return partitionWidth, err
	}
	day := uint64(float64(next-tx) / seconds * (24 * time.Hour).Seconds())
	return min(max(day, partitionWidth), 1<<40), nil
}

// DropChanges drops the oldest partition of the change log if all in it is older than it is to be kept, and reports whether it did. It is
// for transactions. The place of the last change dropped is written down with it: Log's Horizon.
func (s *Store) DropChanges(ctx context.Context, keep time.Duration) (bool, error) {
	if mine, err := s.looksAfter(ctx); err != nil || !mine {
		return false, err
	}
	ps, err := s.partitions(ctx)
	if err != nil || len(ps) < 2 {
		return false, err
	}
	p := ps[0]
	old, last, err := s.isOld(ctx, p, keep)
	if err != nil || !old {
		return false, err
	}
	if last != (Place{}) {
		err = s.exec(ctx, `INSERT INTO settings (key, value) VALUES ('changes_horizon', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			strings.Join(last.Cursor(), " "))
		if err != nil {
			return false, err
		}
	}
	if err := s.exec(ctx, "DELETE FROM changes_rest WHERE tx < $1::text::xid8", strconv.FormatUint(p.to, 10)); err != nil {
		return false, err
	}
	return true, s.exec(ctx, "DROP TABLE "+p.name)
}

// isOld reports whether a partition is over and its last change long past, and where in the log that stands.
func (s *Store) isOld(ctx context.Context, p partition, keep time.Duration) (bool, Place, error) {
	var over bool
	if _, err := s.queryRow(ctx, "SELECT $1::text::xid8 <= pg_snapshot_xmin(pg_current_snapshot())", []any{strconv.FormatUint(p.to, 10)}, &over); err != nil || !over {
		return false, Place{}, err
	}
	var last Place
	var old bool
	some, err := s.queryRow(ctx, `SELECT c.tx::text, c.seq, c.at < now() - make_interval(secs => $2::float8) FROM changes c
		WHERE c.tx < $1::text::xid8 ORDER BY c.tx DESC, c.seq DESC LIMIT 1`,
		[]any{strconv.FormatUint(p.to, 10), (keep + lateCommit).Seconds()}, xid{&last.Tx}, &last.Seq, &old)
	return old || !some, last, err
}
