package db

import (
	"context"
	"fmt"
	"strconv"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// A database that was dumped and restored into another Postgres keeps its change log, whose places are transactions of the Postgres that
// it came from. If those are ahead of the one it is in now, changes of the past would be told as of the future, and what is written from
// now on would come before them.

// aheadQuery says whether the log has places that no transaction here has reached.
const aheadQuery = "SELECT EXISTS (SELECT FROM changes WHERE tx >= pg_snapshot_xmax(pg_current_snapshot()))"

// pastTx is the transaction that changes of another Postgres are moved to: the first that there ever is, long before any of Roster's.
const pastTx = 3

// LogAhead reports whether the change log is of another Postgres, and ahead of this one.
func (s *Store) LogAhead(ctx context.Context) (ahead bool, err error) {
	_, err = s.queryRow(ctx, aheadQuery, nil, &ahead)
	return ahead, err
}

// NewEpoch makes all cursors of the change log those of another database: who comes with one is told to read anew.
func (s *Store) NewEpoch(ctx context.Context) error {
	return s.exec(ctx, "UPDATE settings SET value = gen_random_uuid()::text WHERE key = 'epoch'")
}

// Settle moves a change log that is ahead of this Postgres before all that will be written here, in the order that it is in, and gives it
// a new epoch. It says how many changes it moved; none, if another process has done it. Until it is done nobody else reads the log.
func Settle(ctx context.Context, url string) (moved int64, err error) {
	pool, err := openPool(poolOptions{URL: url, MaxConns: 1})
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	s := &Store{pool: bun.NewDB(pool, pgdialect.New()), on: func(context.Context, string) {}}
	err = s.InTx(ctx, true, func(tx *Store) error {
		if err := tx.LockSettings(ctx); err != nil {
			return err
		}
		if ahead, err := tx.LogAhead(ctx); err != nil || !ahead {
			return err
		}
		moved, err = tx.moveLog(ctx)
		return err
	})
	return moved, err
}

// moveLog writes the log anew, into one partition that begins with the first transaction. A transaction that wrote several changes has
// them in its order, and all have the time when it began.
func (s *Store) moveLog(ctx context.Context) (moved int64, err error) {
	for _, text := range []string{
		"LOCK TABLE changes IN ACCESS EXCLUSIVE MODE",
		"CREATE TEMP TABLE told ON COMMIT DROP AS SELECT row_number() OVER (ORDER BY tx, seq) AS place, c.* FROM changes c",
		"TRUNCATE changes_rest",
	} {
		if err := s.exec(ctx, text); err != nil {
			return 0, err
		}
	}
	ps, err := s.partitions(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range ps {
		if err := s.exec(ctx, "DROP TABLE "+p.name); err != nil {
			return 0, err
		}
	}
	var next uint64
	if _, err := s.queryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text, (SELECT count(*) FROM told)", nil, xid{&next}, &moved); err != nil {
		return 0, err
	}
	to := next + partitionWidth
	if err := s.addPartition(ctx, partition{fmt.Sprintf("changes_0_%d", to), 0, to}); err != nil {
		return 0, err
	}
	const columns = "at, kind, actor, via, request_id, group_id, group_name, user_id, username, before, after"
	if err := s.exec(ctx, "INSERT INTO changes (tx, seq, "+columns+") SELECT $1::text::xid8, place, "+columns+" FROM told ORDER BY place",
		strconv.Itoa(pastTx)); err != nil {
		return 0, err
	}
	if err := s.exec(ctx, "UPDATE settings SET value = $1 WHERE key = 'changes_horizon'", strconv.Itoa(pastTx-1)+" 0"); err != nil {
		return 0, err
	}
	return moved, s.NewEpoch(ctx)
}
