package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/uptrace/bun/driver/pgdriver"

	"roster/internal/embedded"
)

// The first three tests run one scenario against the bare driver, where it must show the bug, and against ours, where it
// must not. When one fails for the bare driver, the bug is fixed upstream and its part of the wrapper can go.

func TestRowsDoNotLeak(t *testing.T) {
	t.Parallel()
	// A statement runs out of time while it waits for a lock. The next caller asks for something else.
	scenario := func(t *testing.T, s setting) string {
		st, err := s.pool.PrepareContext(s.ctx, "SELECT $1::text WHERE pg_advisory_xact_lock(1) IS NOT NULL")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		unlock := s.lock(t)
		short, cancel := context.WithTimeout(s.ctx, 50*time.Millisecond)
		defer cancel()
		var got string
		if err := st.QueryRowContext(short, "theirs").Scan(&got); err == nil {
			t.Fatal("the first query has not timed out")
		}
		unlock()
		if err := st.QueryRowContext(s.ctx, "mine").Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	s := safe(t)
	t.Run("Bare", func(t *testing.T) {
		if got := scenario(t, s.bare(t)); got != "theirs" {
			t.Errorf("got %q: pgdriver no longer has this bug", got)
		}
	})
	t.Run("Safe", func(t *testing.T) {
		if got := scenario(t, s); got != "mine" {
			t.Errorf("got %q, want mine", got)
		}
	})
}

func TestCancelStopsTheQuery(t *testing.T) {
	t.Parallel()
	// A query waits for a lock and is cancelled. The lock is released after patience, or if the query ends by itself.
	scenario := func(t *testing.T, s setting, patience time.Duration) error {
		unlock := s.lock(t)
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		pid := s.pid(t)
		ended := make(chan error, 1)
		go func() {
			_, err := s.pool.ExecContext(ctx, "SELECT pg_advisory_xact_lock(1)")
			ended <- err
		}()
		s.waitUntil(t, blocked, pid)
		cancel()
		select {
		case err := <-ended:
			s.waitUntil(t, vanished, pid) // with the lock still held: only the cancellation can have ended it
			return err
		case <-time.After(patience):
			unlock()
			return <-ended
		}
	}
	s := safe(t)
	t.Run("Bare", func(t *testing.T) {
		if err := scenario(t, s.bare(t), 200*time.Millisecond); err != nil {
			t.Errorf("got %v: pgdriver no longer has this bug", err)
		}
	})
	t.Run("Safe", func(t *testing.T) {
		if err := scenario(t, s, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestCommitOfAbortedTransaction(t *testing.T) {
	t.Parallel()
	scenario := func(t *testing.T, s setting) error {
		s.exec(t, "CREATE TABLE IF NOT EXISTS things (name text PRIMARY KEY)")
		tx, err := s.pool.BeginTx(s.ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = tx.ExecContext(s.ctx, "INSERT INTO things VALUES ('a')")
		}
		if err == nil {
			t.Fatal("the second insert did not fail") // and nobody tells
		}
		err = tx.Commit()
		if n := s.text(t, "SELECT count(*)::text FROM things"); n != "0" {
			t.Errorf("%s rows were committed", n)
		}
		return err
	}
	s := safe(t)
	t.Run("Bare", func(t *testing.T) {
		if err := scenario(t, s.bare(t)); err != nil {
			t.Errorf("got %v: pgdriver no longer has this bug", err)
		}
	})
	t.Run("Safe", func(t *testing.T) {
		err := scenario(t, s)
		if !errors.Is(err, errAborted) || state(err, 'C') != "23505" {
			t.Errorf("got %v, want errAborted because of 23505", err)
		}
	})
}

func TestStress(t *testing.T) {
	t.Parallel()
	s := safeWith(t, 8, nil)
	st, err := s.pool.PrepareContext(s.ctx, "SELECT $1::text, g FROM generate_series(1, 50) AS g WHERE pg_sleep($2::float8) IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var right, stopped atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(1500 * time.Millisecond)
	for worker := range 16 {
		all.Go(func() {
			for n := 0; n < 20 || time.Now().Before(end); n++ {
				want := fmt.Sprintf("%d/%d", worker, n)
				got, err := stressed(s, st, want, n)
				switch {
				case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
					stopped.Add(1)
				case err != nil:
					t.Errorf("%s: %v", want, err)
				case len(got) != 50:
					t.Errorf("%s: %d rows", want, len(got))
				default:
					right.Add(1)
				}
				for _, g := range got {
					if g != want {
						t.Errorf("got a row of %q, want %q", g, want)
					}
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d right, %d stopped", right.Load(), stopped.Load())
	if right.Load() == 0 || stopped.Load() == 0 {
		t.Error("a stress test needs both")
	}
}

// stressed runs one query in one of four ways and stops it at a random moment, which may be too late. One in five is not
// stopped, since on a busy machine no moment would be late enough.
func stressed(s setting, st *sql.Stmt, arg string, n int) (got []string, err error) {
	ctx, cancel := context.WithCancel(s.ctx)
	if moment := rand.N(15 * time.Millisecond); n%5 > 0 && n%2 == 0 {
		time.AfterFunc(moment, cancel)
	} else if n%5 > 0 {
		ctx, cancel = context.WithTimeout(s.ctx, moment)
	}
	defer cancel()
	var rows *sql.Rows
	pause := []float64{0, 0.0001}[n%2]
	switch n % 4 {
	case 0, 1:
		rows, err = st.QueryContext(ctx, arg, pause)
	case 2:
		rows, err = s.pool.QueryContext(ctx, "SELECT $1::text, g FROM generate_series(1, 50) AS g", arg)
	default:
		rows, err = s.pool.QueryContext(ctx, "SELECT '"+arg+"', g FROM generate_series(1, 50) AS g")
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var g int
		if err := rows.Scan(&text, &g); err != nil {
			return got, err
		}
		got = append(got, text)
	}
	return got, rows.Err()
}

// ways are the ways to run a statement. Each reads the answer to its end.
var ways = map[string]func(ctx context.Context, p *sql.DB, text string) error{
	"Exec": func(ctx context.Context, p *sql.DB, text string) error {
		_, err := p.ExecContext(ctx, text)
		return err
	},
	"Query": func(ctx context.Context, p *sql.DB, text string) error {
		return drain(p.QueryContext(ctx, text))
	},
	"ExecArgs": func(ctx context.Context, p *sql.DB, text string) error {
		_, err := p.ExecContext(ctx, text+" WHERE $1", true)
		return err
	},
	"QueryArgs": func(ctx context.Context, p *sql.DB, text string) error {
		return drain(p.QueryContext(ctx, text+" WHERE $1", true))
	},
	"Tx": func(ctx context.Context, p *sql.DB, text string) error {
		tx, err := p.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
		return tx.Commit()
	},
	"StmtExec": func(ctx context.Context, p *sql.DB, text string) error {
		st, err := p.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer st.Close()
		_, err = st.ExecContext(ctx)
		return err
	},
	"StmtQuery": func(ctx context.Context, p *sql.DB, text string) error {
		st, err := p.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer st.Close()
		return drain(st.QueryContext(ctx))
	},
}

func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func TestContextErrors(t *testing.T) {
	t.Parallel()
	s := safe(t)
	s.lock(t)
	for name, run := range ways {
		t.Run(name+"/Deadline", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(s.ctx, 50*time.Millisecond)
			defer cancel()
			err := run(ctx, s.pool, "SELECT pg_advisory_xact_lock(1)")
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) {
				t.Errorf("got %v, want context.DeadlineExceeded", err)
			}
		})
		t.Run(name+"/Cancel", func(t *testing.T) {
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			pid := s.pid(t)
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, s.pool, "SELECT pg_advisory_xact_lock(1)") }()
			s.waitUntil(t, blocked, pid)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		})
	}
}

// A context that was done before must not cost the connection.
func TestContextDoneBefore(t *testing.T) {
	t.Parallel()
	s := safe(t)
	pid := s.pid(t)
	err := s.raw(t, func(c *safeConn) error {
		done, cancel := context.WithCancel(s.ctx)
		cancel()
		_, err := c.ExecContext(done, "SELECT 1", nil)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := s.pid(t); got != pid {
		t.Error("the connection was lost")
	}
}

// The cancellation and the end of the operation come at the same time.
func TestContextDoneMeanwhile(t *testing.T) {
	t.Parallel()
	s := safe(t)
	err := s.raw(t, func(c *safeConn) error {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		kill, proceed := c.kill, make(chan struct{})
		c.kill = func() { <-proceed; kill() }
		defer close(proceed)
		o, err := c.begin(ctx, "", false)
		if err != nil {
			return err
		}
		cancel()
		if err := o.end(nil); err != nil {
			t.Errorf("got %v for a statement that was answered", err)
		}
		if c.IsValid() {
			t.Error("a connection that is about to be closed may be used again")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.raw(t, func(c *safeConn) error {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		o, err := c.begin(ctx, "", false)
		if err != nil {
			return err
		}
		cancel()
		return o.end(driver.ErrBadConn)
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) {
		t.Errorf("got %v: database/sql would try again", err)
	}
}

func TestCancelWhileReadingRows(t *testing.T) {
	t.Parallel()
	s := safe(t)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	rows, err := s.pool.QueryContext(ctx, "SELECT generate_series(1, 100000000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	cancel()
	for rows.Next() { // some more rows may have been read already
	}
	if err := rows.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	s.pid(t) // the pool has one connection, and it can be had
}

func TestServerErrorKeepsTheConnection(t *testing.T) {
	t.Parallel()
	s := safe(t)
	pid := s.pid(t)
	for name, run := range ways {
		err := run(s.ctx, s.pool, "SELECT 1 / (3 - g) FROM generate_series(1, 10) AS g") // fails after two rows
		var pe pgdriver.Error
		if !errors.As(err, &pe) || pe.Field('C') != "22012" {
			t.Errorf("%s: got %v, want division by zero", name, err)
		}
		if got := s.pid(t); got != pid {
			t.Errorf("%s: the connection was lost", name)
		}
	}
}

// pgdriver closes the connection if the server's error comes while it reads the rest.
func TestServerErrorInRowsClose(t *testing.T) {
	t.Parallel()
	s := safe(t)
	pid := s.pid(t)
	rows, err := s.pool.QueryContext(s.ctx, "SELECT 1 / (9000 - g) FROM generate_series(1, 10000) AS g")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := rows.Close(); state(err, 'C') != "22012" {
		t.Errorf("got %v, want division by zero", err)
	}
	if got := s.pid(t); got != pid {
		t.Error("the connection was lost")
	}
}

// pgdriver closes the connection after the timeout of a plain statement without rows; that the wrapper cannot prevent.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	s := safeWith(t, 1, func(o *poolOptions) { o.StatementTimeout = 50 * time.Millisecond })
	s.lock(t)
	for name, run := range ways {
		pid := s.pid(t)
		err := run(s.ctx, s.pool, "SELECT pg_advisory_xact_lock(1)")
		var pe pgdriver.Error
		if !errors.As(err, &pe) || !pe.StatementTimeout() {
			t.Errorf("%s: got %v, want a statement timeout", name, err)
		}
		if got := s.pid(t); got != pid && name != "Exec" && name != "Tx" {
			t.Errorf("%s: the connection was lost", name)
		}
	}
}

// pgdriver keeps a connection that Postgres has ended during a prepared statement.
func TestTerminatedConnectionIsNotReused(t *testing.T) {
	t.Parallel()
	s := safe(t)
	for name, run := range ways {
		pid := s.pid(t)
		err := run(s.ctx, s.pool, "SELECT pg_terminate_backend(pg_backend_pid())")
		if state(err, 'C') != "57P01" {
			t.Errorf("%s: got %v, want 57P01", name, err)
		}
		if s.pid(t) == pid {
			t.Errorf("%s: the process of an ended connection answers", name)
		}
	}
}

// pgdriver gives the second statement the answer to the first.
func TestSecondStatementWhileReadingRows(t *testing.T) {
	t.Parallel()
	s := safe(t)
	tx, err := s.pool.BeginTx(s.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(s.ctx, "SELECT g FROM generate_series(1, 3) AS g")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
		if _, err := tx.ExecContext(s.ctx, "SELECT 1"); !errors.Is(err, errBusy) {
			t.Errorf("exec: got %v, want errBusy", err)
		}
		if _, err := tx.PrepareContext(s.ctx, "SELECT 1"); !errors.Is(err, errBusy) {
			t.Errorf("prepare: got %v, want errBusy", err)
		}
	}
	if want := []int{1, 2, 3}; rows.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("got %v and %v, want %v", got, rows.Err(), want)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

// pgdriver would go on to read in the middle of the value, and panic on the lengths it finds there.
func TestUndecodableValue(t *testing.T) {
	t.Parallel()
	s := safe(t)
	for _, name := range []string{"Query", "QueryArgs", "StmtQuery"} {
		pid := s.pid(t)
		err := ways[name](s.ctx, s.pool, "SELECT 'infinity'::timestamptz, repeat('x', 1000) FROM generate_series(1, 100)")
		var ne net.Error
		if err == nil || isServerError(err) || errors.As(err, &ne) {
			t.Errorf("%s: got %v, want an error of the driver's", name, err)
		}
		if s.pid(t) == pid {
			t.Errorf("%s: a connection that stands in the middle of a value was used again", name)
		}
	}
}

func TestRowsCloseReadsTheRest(t *testing.T) {
	t.Parallel()
	s := safe(t)
	pid := s.pid(t)
	for _, args := range [][]any{nil, {100000}} {
		text := "SELECT g, repeat('x', 100) FROM generate_series(1, 100000) AS g"
		if args != nil {
			text = strings.Replace(text, "100000", "$1", 1)
		}
		rows, err := s.pool.QueryContext(s.ctx, text, args...)
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		if got := s.pid(t); got != pid {
			t.Error("the connection was lost")
		}
	}
}

// pgdriver would write into the middle of the answer, and hand the description of the columns to the next query.
func TestStmtCloseBeforeRowsClose(t *testing.T) {
	t.Parallel()
	s := safe(t)
	tx, err := s.pool.BeginTx(s.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	st, err := tx.PrepareContext(s.ctx, "SELECT g, g::text FROM generate_series(1, 3) AS g")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.QueryContext(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	n := 0
	for rows.Next() {
		var number int
		var text string
		if err := rows.Scan(&number, &text); err != nil {
			t.Fatal(err)
		}
		if n++; number != n || text != fmt.Sprint(n) {
			t.Errorf("got %d and %q, want %d", number, text, n)
		}
	}
	if rows.Err() != nil || n != 3 {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
	var left int
	if err := tx.QueryRowContext(s.ctx, "SELECT count(*) FROM pg_prepared_statements").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d statements left, %v", left, err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

func TestStmtCloseOnDeadConnection(t *testing.T) {
	t.Parallel()
	s := safe(t)
	cn, err := s.pool.Conn(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer cn.Close()
	st, err := cn.PrepareContext(s.ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if err := cn.Raw(func(c any) error { c.(*safeConn).kill(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	if _, err := cn.ExecContext(s.ctx, "SELECT 1"); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("got %v, want driver.ErrBadConn", err)
	}
}

// A connection is busy for ever if pgdriver panics.
func TestBusyConnectionIsNotReused(t *testing.T) {
	t.Parallel()
	s := safe(t)
	pid := s.pid(t)
	if err := s.raw(t, func(c *safeConn) error { _, err := c.begin(s.ctx, "", false); return err }); err != nil {
		t.Fatal(err)
	}
	if s.pid(t) == pid {
		t.Error("a busy connection was used again")
	}
}

// pgdriver fills the slice anew for the next query.
func TestColumnsStay(t *testing.T) {
	t.Parallel()
	s := safe(t)
	err := s.raw(t, func(c *safeConn) error {
		rows, err := c.QueryContext(s.ctx, "SELECT 1 AS a, 2 AS b", nil)
		if err != nil {
			return err
		}
		got := rows.Columns()
		if err := rows.Close(); err != nil {
			return err
		}
		for range 10 { // with -race, sync.Pool forgets at random
			rows, err := c.QueryContext(s.ctx, "SELECT 1 AS c, 2 AS d", nil)
			if err != nil {
				return err
			}
			if err := rows.Close(); err != nil {
				return err
			}
		}
		if want := []string{"a", "b"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pgdriver reads each part of an error into its buffer.
func TestLongServerError(t *testing.T) {
	t.Parallel()
	s := safe(t)
	pid := s.pid(t)
	_, err := s.pool.ExecContext(s.ctx, "SELECT $1::text::uuid", strings.Repeat("x", 32<<10))
	if state(err, 'C') != "22P02" {
		t.Errorf("got %.200v, want 22P02", err)
	}
	if s.pid(t) != pid {
		t.Error("the connection was lost")
	}
	_, err = s.pool.ExecContext(s.ctx, "SELECT $1::text::uuid", strings.Repeat("x", 2*bufferSize))
	if err == nil {
		t.Error("no error")
	}
	if s.pid(t) == pid {
		t.Error("a connection that stands in the middle of an error was used again")
	}
}

// pgdriver takes the number of parameters for negative and leaves their types unread.
func TestTooManyParameters(t *testing.T) {
	t.Parallel()
	s := safe(t)
	if _, err := s.pool.PrepareContext(s.ctx, "SELECT $40000::text"); err == nil {
		t.Error("no error")
	}
	s.pid(t)
}

func TestBeginTx(t *testing.T) {
	t.Parallel()
	s := safe(t)
	for level, want := range map[sql.IsolationLevel]string{
		sql.LevelDefault: "read committed on", sql.LevelReadCommitted: "read committed on",
		sql.LevelRepeatableRead: "repeatable read on", sql.LevelSerializable: "serializable on",
	} {
		tx, err := s.pool.BeginTx(s.ctx, &sql.TxOptions{Isolation: level, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		err = tx.QueryRowContext(s.ctx, "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')").Scan(&got)
		if err != nil || got != want {
			t.Errorf("%v: got %q and %v, want %q", level, got, err, want)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
	t.Run("Fails", func(t *testing.T) {
		cn, err := s.pool.Conn(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer cn.Close()
		if _, err := cn.ExecContext(s.ctx, "BEGIN; SELECT 1"); err != nil {
			t.Fatal(err)
		}
		if _, err := cn.BeginTx(s.ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}); state(err, 'C') != "25001" {
			t.Errorf("got %v, want 25001", err)
		}
		if err := cn.Close(); err != nil {
			t.Error(err)
		}
		s.exec(t, "SELECT 1") // would fail in the transaction that is aborted
	})
}

func TestCommit(t *testing.T) {
	t.Parallel()
	s := safe(t)
	t.Run("AfterSavepoint", func(t *testing.T) {
		s.exec(t, "CREATE TABLE things (name text PRIMARY KEY)")
		tx, err := s.pool.BeginTx(s.ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"INSERT INTO things VALUES ('a')", "SAVEPOINT s", "INSERT INTO things VALUES ('a')", "ROLLBACK TO SAVEPOINT s"} {
			_, _ = tx.ExecContext(s.ctx, text)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if n := s.text(t, "SELECT count(*)::text FROM things"); n != "1" {
			t.Errorf("%s rows, want 1", n)
		}
	})
	t.Run("OnLostConnection", func(t *testing.T) {
		tx, err := s.pool.BeginTx(s.ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = tx.ExecContext(s.ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		if err := tx.Commit(); !errors.Is(err, driver.ErrBadConn) {
			t.Errorf("got %v, want driver.ErrBadConn", err)
		}
		s.pid(t)
	})
	t.Run("Deferred", func(t *testing.T) {
		s.exec(t, "CREATE TABLE late (name text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
		pid := s.pid(t)
		tx, err := s.pool.BeginTx(s.ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(s.ctx, "INSERT INTO late VALUES ('a'), ('a')"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); state(err, 'C') != "23505" {
			t.Errorf("got %v, want 23505", err)
		}
		if s.pid(t) != pid {
			t.Error("the connection was lost")
		}
	})
}

func TestRollback(t *testing.T) {
	t.Parallel()
	s := safe(t)
	for name, text := range map[string]string{
		"AfterError": "SELECT 1/0", "OnLostConnection": "SELECT pg_terminate_backend(pg_backend_pid())",
	} {
		t.Run(name, func(t *testing.T) {
			s.exec(t, "CREATE TABLE IF NOT EXISTS things (name text)")
			tx, err := s.pool.BeginTx(s.ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"INSERT INTO things VALUES ('a')", text, text} {
				_, _ = tx.ExecContext(s.ctx, text)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			if n := s.text(t, "SELECT count(*)::text FROM things"); n != "0" {
				t.Errorf("%s rows, want none", n)
			}
		})
	}
	t.Run("ByContext", func(t *testing.T) {
		pid := s.pid(t)
		ctx, cancel := context.WithCancel(s.ctx)
		tx, err := s.pool.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if got := s.pid(t); got != pid { // waits for the only connection, which is rolled back meanwhile
			t.Error("the connection was lost")
		}
		if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPreparedStatementsAreKept(t *testing.T) {
	t.Parallel()
	s := safe(t)
	kept := func(t *testing.T) string {
		return s.text(t, "SELECT count(*)::text FROM pg_prepared_statements")
	}
	ask := func(t *testing.T, text string) {
		t.Helper()
		if err := drain(s.pool.QueryContext(s.ctx, text, 1)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("Once", func(t *testing.T) {
		for range 3 {
			ask(t, "SELECT $1::int AS once")
		}
		if got := kept(t); got != "1" {
			t.Errorf("%s statements, want 1", got)
		}
	})
	t.Run("Bounded", func(t *testing.T) {
		for n := range maxStatements + 20 {
			ask(t, "SELECT $1::int")
			ask(t, fmt.Sprintf("SELECT $1::int + %d", n))
		}
		if got := kept(t); got != fmt.Sprint(maxStatements) {
			t.Errorf("%s statements, want %d", got, maxStatements)
		}
		if got := s.text(t, "SELECT sum(generic_plans + custom_plans)::text FROM pg_prepared_statements WHERE statement = 'SELECT $1::int'"); got != fmt.Sprint(maxStatements+20) {
			t.Errorf("the one used most was run %s times, want %d", got, maxStatements+20)
		}
	})
	t.Run("Outdated", func(t *testing.T) {
		pid := s.pid(t)
		s.exec(t, "CREATE TABLE things (name text)")
		ask(t, "SELECT * FROM things WHERE 1 = $1")
		s.exec(t, "ALTER TABLE things ADD COLUMN size int")
		ask(t, "SELECT * FROM things WHERE 1 = $1")
		s.exec(t, "DEALLOCATE ALL")
		ask(t, "SELECT * FROM things WHERE 1 = $1")
		s.exec(t, "ALTER TABLE things DROP COLUMN size")
		tx, err := s.pool.BeginTx(s.ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := drain(tx.QueryContext(s.ctx, "SELECT * FROM things WHERE 1 = $1", 1)); state(err, 'C') != "0A000" {
			t.Errorf("in a transaction: got %v, want 0A000", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		ask(t, "SELECT * FROM things WHERE 1 = $1")
		if s.pid(t) != pid {
			t.Error("the connection was lost")
		}
	})
}

// pgdriver puts values into the text, wherever it sees a $ and a number.
func TestArgumentsAreNotPartOfTheText(t *testing.T) {
	t.Parallel()
	s := safe(t)
	got := s.text(t, "SELECT $1::text /* $1 */ || ''", "*/ || 'injected' /*")
	if want := "*/ || 'injected' /*"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s.text(t, "SELECT 'it''s $1, ' || $1::text", "a"); got != "it's $1, a" {
		t.Errorf("got %q", got)
	}
	if got := s.text(t, "SELECT $1::int2::text", -1<<15); got != "-32768" { // not -(32768::int2::text)
		t.Errorf("got %q", got)
	}
}

// Arguments mean what they mean to the bare driver.
func TestArguments(t *testing.T) {
	t.Parallel()
	wrapped := safe(t)
	plain := wrapped.bare(t)
	at := time.Date(2026, 11, 23, 10, 11, 12, 131415000, time.FixedZone("", 3600))
	for typ, arg := range map[string]any{
		"text": `it's "$1" \ ünïcode 🐘`, "int": 42, "bigint": int64(1 << 62), "float8": 1.5, "bool": true, "bytea": []byte{0, 1, 255},
		"timestamptz": at, "timestamp": at, "uuid": uuid.MustParse("0193b4c6-1a1b-7c1d-8e1f-101112131415"),
		"text[]": `{"a\"b","c,d",""}`, "int[]": "{1,2}", "uuid[]": "{0193b4c6-1a1b-7c1d-8e1f-101112131415}",
		"json": `{"a": 1}`, "date": nil, "interval": "1 day", "varchar": sql.NullString{},
	} {
		text := "SELECT coalesce($1::" + typ + "::text, 'null')"
		want := plain.text(t, text, arg)
		if got := wrapped.text(t, text, arg); got != want {
			t.Errorf("%s: got %q, want %q", typ, got, want)
		}
		st, err := wrapped.pool.PrepareContext(wrapped.ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := st.QueryRowContext(wrapped.ctx, arg).Scan(&got); err != nil || got != want {
			t.Errorf("%s, prepared: got %q and %v, want %q", typ, got, err, want)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

// pgdriver changes such texts without a word, and takes a name for a position.
func TestRefusedArguments(t *testing.T) {
	t.Parallel()
	s := safe(t)
	st, err := s.pool.PrepareContext(s.ctx, "SELECT $1::text")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	pid := s.pid(t)
	for arg, want := range map[any]error{"admin\x00": errText, "\xff": errText, sql.Named("a", "b"): errNamed} {
		_, execErr := s.pool.ExecContext(s.ctx, "SELECT $1::text", arg)
		_, stmtErr := st.ExecContext(s.ctx, arg)
		for _, err := range []error{
			execErr, stmtErr, drain(s.pool.QueryContext(s.ctx, "SELECT $1::text", arg)), drain(st.QueryContext(s.ctx, arg)),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%q: got %v, want %v", arg, err, want)
			}
		}
	}
	if s.pid(t) != pid {
		t.Error("the connection was lost")
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	s := safeWith(t, 1, func(o *poolOptions) {
		o.URL += "&search_path=a,b&application_name=it%27s"
		o.StatementTimeout, o.LockTimeout, o.IdleInTxTimeout = 1500*time.Millisecond, time.Nanosecond, 0
	})
	// What pgdriver cannot read must not depend on the database.
	s.admin(t, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''SQL, DMY''', current_database());
		EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database());
		EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 77', current_database()); END $$`)
	got := map[string]string{}
	for name := range wantSession {
		got[name] = s.text(t, "SELECT current_setting($1)", name)
	}
	if diff := cmp.Diff(wantSession, got); diff != "" {
		t.Error(diff)
	}
	var at time.Time
	var b []byte
	if err := s.pool.QueryRowContext(s.ctx, "SELECT now(), '\\x00ff'::bytea").Scan(&at, &b); err != nil {
		t.Error(err)
	}
}

var wantSession = map[string]string{
	"statement_timeout": "1500ms", "lock_timeout": "1ms", "idle_in_transaction_session_timeout": "0",
	"client_connection_check_interval": "500ms", "TimeZone": "UTC", "application_name": "it's",
	"DateStyle": "ISO, MDY", "bytea_output": "hex", "search_path": "a,b",
}

func TestOpenPool(t *testing.T) {
	t.Parallel()
	pool, err := openPool(poolOptions{URL: acquire(t), MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := pool.PingContext(t.Context()); err != nil {
		t.Error(err)
	}
	if got := pool.Stats().MaxOpenConnections; got != 3 {
		t.Errorf("%d connections at most, want 3", got)
	}
	if _, ok := pool.Driver().(pgdriver.Driver); !ok {
		t.Error("pgdriver.NewListener needs pgdriver's Driver")
	}
	for _, o := range []poolOptions{{URL: "mysql://"}, {URL: "postgres://u@h", LockTimeout: -1}, {URL: "postgres://u@h?lock_timeout=1"}} {
		if _, err := openPool(o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
	unknown, err := openPool(poolOptions{URL: acquire(t) + "&channel_binding=require"})
	if err != nil {
		t.Fatal(err)
	}
	defer unknown.Close()
	if err := unknown.PingContext(t.Context()); state(err, 'C') != "42704" {
		t.Errorf("got %v, want 42704 for a parameter that is not kept", err)
	}
}

// database/sql finds out by type assertion what a driver can do.
func TestOptionalInterfaces(t *testing.T) {
	t.Parallel()
	wrapped := safe(t)
	plain := wrapped.bare(t)
	parts := func(s setting) (parts [3]any) {
		cn, err := s.pool.Conn(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer cn.Close()
		err = cn.Raw(func(c any) error {
			st, err := c.(driver.ConnPrepareContext).PrepareContext(s.ctx, "SELECT 1")
			if err != nil {
				return err
			}
			rows, err := st.(driver.StmtQueryContext).QueryContext(s.ctx, nil)
			if err != nil {
				return err
			}
			parts = [3]any{c, st, rows}
			return rows.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
		return parts
	}
	can := func(v any) (names []string) {
		for name, is := range optionalInterfaces {
			if is(v) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	want, got := parts(plain), parts(wrapped)
	for i := range want {
		if diff := cmp.Diff(can(want[i]), can(got[i])); diff != "" {
			t.Errorf("%T: %s", want[i], diff)
		}
	}
}

var optionalInterfaces = map[string]func(any) bool{
	"Pinger": is[driver.Pinger], "ExecerContext": is[driver.ExecerContext], "QueryerContext": is[driver.QueryerContext],
	"ConnPrepareContext": is[driver.ConnPrepareContext], "ConnBeginTx": is[driver.ConnBeginTx], "SessionResetter": is[driver.SessionResetter],
	"Validator": is[driver.Validator], "NamedValueChecker": is[driver.NamedValueChecker],
	"StmtExecContext": is[driver.StmtExecContext], "StmtQueryContext": is[driver.StmtQueryContext],
	"RowsNextResultSet": is[driver.RowsNextResultSet], "RowsColumnTypeScanType": is[driver.RowsColumnTypeScanType],
	"RowsColumnTypeDatabaseTypeName": is[driver.RowsColumnTypeDatabaseTypeName], "RowsColumnTypeLength": is[driver.RowsColumnTypeLength],
	"RowsColumnTypeNullable": is[driver.RowsColumnTypeNullable], "RowsColumnTypePrecisionScale": is[driver.RowsColumnTypePrecisionScale],
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

func BenchmarkDriver(b *testing.B) {
	wrapped := safe(b)
	for name, s := range map[string]setting{"Bare": wrapped.bare(b), "Safe": wrapped} {
		st, err := s.pool.PrepareContext(s.ctx, "SELECT $1::int")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		var n int
		for how, run := range map[string]func() error{
			"Plain":    func() error { return s.pool.QueryRowContext(s.ctx, "SELECT 1").Scan(&n) },
			"Args":     func() error { return s.pool.QueryRowContext(s.ctx, "SELECT $1::int", 1).Scan(&n) },
			"Prepared": func() error { return st.QueryRowContext(s.ctx, 1).Scan(&n) },
		} {
			b.Run(name+"/"+how, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// setting is a pool on a database of its own.
type setting struct {
	ctx       context.Context
	pool      *sql.DB
	others    *sql.DB // on the same database, to look and to lock
	connector *safeConnector
}

func acquire(t testing.TB) string {
	t.Helper()
	return embedded.Acquire(t, embedded.Template{Key: "empty", Build: func(context.Context, string) error { return nil }})
}

// safe has one connection, so that who gets which is no question.
func safe(t testing.TB) setting { return safeWith(t, 1, nil) }

func safeWith(t testing.TB, conns int, change func(*poolOptions)) setting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	o := poolOptions{URL: acquire(t)}
	others, err := openPool(poolOptions{URL: o.URL, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	c, err := newConnector(o)
	if err != nil {
		t.Fatal(err)
	}
	s := setting{ctx: ctx, others: others, pool: sql.OpenDB(c), connector: c}
	s.pool.SetMaxOpenConns(conns)
	s.pool.SetMaxIdleConns(conns)
	t.Cleanup(func() {
		_ = s.pool.Close()
		_ = s.others.Close()
	})
	return s
}

// bare is a second pool on the same database, without the wrapper.
func (s setting) bare(t testing.TB) setting {
	t.Helper()
	s.pool = sql.OpenDB(pgdriver.NewConnector(pgdriver.WithConfig(s.connector.conf)))
	s.pool.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = s.pool.Close() })
	return s
}

// lock takes the lock that statements of the tests wait for.
func (s setting) lock(t *testing.T) (unlock func()) {
	t.Helper()
	cn, err := s.others.Conn(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cn.ExecContext(s.ctx, "SELECT pg_advisory_lock(1)"); err != nil {
		t.Fatal(err)
	}
	unlock = sync.OnceFunc(func() {
		_, _ = cn.ExecContext(context.WithoutCancel(s.ctx), "SELECT pg_advisory_unlock(1)")
		_ = cn.Close()
	})
	t.Cleanup(unlock)
	return unlock
}

// What can be waited for of a Postgres process.
const (
	blocked  = "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $1::int AND wait_event_type = 'Lock'"
	vanished = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1::int"
)

// waitUntil asks again and again.
func (s setting) waitUntil(t *testing.T, condition, pid string) {
	t.Helper()
	for ok := false; !ok; {
		if err := s.others.QueryRowContext(s.ctx, condition, pid).Scan(&ok); err != nil {
			t.Fatalf("waiting for %s: %v", condition, err)
		}
	}
}

func (s setting) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := s.pool.ExecContext(s.ctx, text, args...); err != nil {
		t.Fatal(err)
	}
}

func (s setting) admin(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := s.others.ExecContext(s.ctx, text, args...); err != nil {
		t.Fatal(err)
	}
}

func (s setting) text(t *testing.T, text string, args ...any) (got string) {
	t.Helper()
	if err := s.pool.QueryRowContext(s.ctx, text, args...).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// pid is the Postgres process that the one connection talks to.
func (s setting) pid(t *testing.T) string {
	t.Helper()
	return s.text(t, "SELECT pg_backend_pid()::text")
}

// raw hands over the connection.
func (s setting) raw(t *testing.T, fn func(c *safeConn) error) error {
	t.Helper()
	cn, err := s.pool.Conn(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer cn.Close()
	return cn.Raw(func(c any) error { return fn(c.(*safeConn)) })
}
