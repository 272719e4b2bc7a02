// Package db is Roster's store: the only package that speaks SQL.
//
// It knows tables, rows and statements; it knows no caller and no rule. The directory calls it inside transactions that the
// directory begins (InTx), and reads lists through one engine (list.go): a Table says what can be selected, a List says
// what is wanted, and one prepared statement answers it, for one parent or for two hundred.
//
// The pool is pgdriver behind a wrapper (driver.go) that closes three of its bugs; errors leave as *Error (errors.go).
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Options says how to reach Postgres.
type Options struct {
	URL              string        // postgres://user@host/database?…
	MaxConns         int           // 0: four for each processor, at least 16
	StatementTimeout time.Duration // 0: 5 s
	LockTimeout      time.Duration // of the wait for another transaction; 0: 2 s
	Pooled           bool          // URL is of a pooler in transaction mode (driver_pooled.go)
	// OnStatement, if set, hears of every statement before it runs; its text holds placeholders, never values.
	OnStatement func(ctx context.Context, text string)
	// OnDone, if set, hears of everything that was sent to Postgres once it has ended. It is called on the way of the request: it must
	// not wait for anything.
	OnDone func(ctx context.Context, s Statement)
}

// Store is a pool, or inside InTx a transaction: a query does not care which.
type Store struct {
	pool   *bun.DB
	conn   *sql.Conn // nil outside InTx
	tx     *sql.Tx   // likewise
	pooled bool      // behind a pooler in transaction mode
	asOf   *AsOf     // what the caller's memory is of, until it has been compared
	on     func(ctx context.Context, text string)

	together *together         // what is read by key on the pool; nil in a transaction
	queues   *queues[GroupRef] // who writes one member of a group; likewise

	primary *Store          // of a standby's store: who answers what the standby does not (standby.go)
	useful  context.Context // likewise: ends when the standby is given up
}

// Open connects lazily: it fails on an address that cannot be right, not on a server that is away.
func Open(o Options) (*Store, error) {
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 5 * time.Second
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 2 * time.Second
	}
	pool, err := openPool(poolOptions{
		URL: o.URL, MaxConns: o.MaxConns, StatementTimeout: o.StatementTimeout,
		LockTimeout: o.LockTimeout, IdleInTxTimeout: 10 * time.Second, Pooled: o.Pooled, OnDone: o.OnDone,
	})
	if err != nil {
		return nil, err
	}
	b := bun.NewDB(pool, pgdialect.New())
	on := o.OnStatement
	if on == nil {
		on = func(context.Context, string) {}
	}
	return &Store{pool: b, on: on, pooled: o.Pooled, together: newTogether(), queues: newQueues[GroupRef]()}, nil
}

// Close closes the pool.
func (s *Store) Close() error {
	return s.pool.Close()
}

// Ping reports whether Postgres answers.
func (s *Store) Ping(ctx context.Context) error { return translate(s.pool.PingContext(ctx)) }

// Stats is how the pool of connections stands.
func (s *Store) Stats() sql.DBStats { return s.pool.Stats() }

// attempts bounds the retries of a transaction that Postgres asks to repeat (serialization failure, deadlock), or that found out
// that what it had decided on is no longer so.
const attempts = 10

// errRollback ends a transaction that must leave nothing and yet succeeded: a dry run.
var errRollback = errors.New("rolled back on request")

// InTx runs fn in one transaction and commits, or rolls back if fn fails or commit is false. It repeats fn a few times
// on a deadlock or serialization failure, so fn must have no effect but on tx. It does not nest.
func (s *Store) InTx(ctx context.Context, commit bool, fn func(tx *Store) error) error {
	if s.tx != nil {
		return errors.New("db: InTx inside InTx")
	}
	for n := 1; ; n++ {
		err := s.runTx(ctx, commit, fn)
		if !retryable(err) || n == attempts {
			return err
		}
		pause := time.Duration(rand.Int64N(int64(n) * int64(10*time.Millisecond))) //nolint:gosec // a pause is no secret
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// runTx takes a connection on which a transaction can begin. After a restart of Postgres all idle ones are dead, and of each only BEGIN
// finds out; it does nothing, so it is safe to begin on the next one, until they have all been tried and one is new.
func (s *Store) runTx(ctx context.Context, commit bool, fn func(tx *Store) error) error {
	for n := s.pool.Stats().MaxOpenConnections; ; n-- {
		began, err := s.tryTx(ctx, commit, fn)
		if began || n == 0 || !wasDead(err) {
			return err
		}
	}
}

// wasDead reports whether a connection had ended before: in silence, or with Postgres's last word that it was shut down.
func wasDead(err error) bool {
	var e *Error
	return errors.Is(err, driver.ErrBadConn) || errors.As(err, &e) && (e.State == "57P01" || e.State == "57P02")
}

func (s *Store) tryTx(ctx context.Context, commit bool, fn func(tx *Store) error) (began bool, err error) {
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return false, translate(err)
	}
	defer conn.Close()
	err = conn.RunInTx(ctx, nil, func(_ context.Context, t bun.Tx) error {
		began = true
		err := fn(&Store{pool: s.pool, conn: conn.Conn, tx: t.Tx, asOf: s.asOf, on: s.on, pooled: s.pooled})
		if err == nil && !commit {
			return errRollback
		}
		return err
	})
	if errors.Is(err, errRollback) {
		return began, nil
	}
	return began, translate(err)
}

// rawConn is database/sql below Bun: statements with $n arguments pass through it as they are, and the driver wrapper
// keeps them prepared on each connection. Statements built by Bun carry their values in the text and are not prepared.
type rawConn interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
}

func (s *Store) raw(ctx context.Context, text string) rawConn {
	s.on(ctx, text)
	if s.tx != nil {
		return s.tx
	}
	return s.pool.DB
}

// query runs a statement with $n arguments.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := s.Compare(ctx); err != nil {
		return nil, err
	}
	rows, err := s.raw(ctx, text).QueryContext(ctx, text, args...)
	return rows, translate(err)
}

// queryRow runs a statement whose answer is at most one row, and reports whether there was one.
func (s *Store) queryRow(ctx context.Context, text string, args []any, dest ...any) (bool, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, translate(rows.Err())
	}
	if err := rows.Scan(dest...); err != nil {
		return false, translate(err)
	}
	return true, translate(rows.Close())
}

// exec runs a statement for its effect.
func (s *Store) exec(ctx context.Context, text string, args ...any) error {
	if err := s.Compare(ctx); err != nil {
		return err
	}
	_, err := s.raw(ctx, text).ExecContext(ctx, text, args...)
	return translate(err)
}

// each runs a statement and hands every row to scan.
func (s *Store) each(ctx context.Context, text string, args []any, scan func(rows *sql.Rows) error) error {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return translate(err)
		}
	}
	return translate(rows.Err())
}
