package db

import (
	"database/sql/driver"
	"errors"
	"testing"
)

// TestPooledLeavesNothing: behind a pooler nothing outlives a transaction, whatever became of it: no statement, no setting, no open
// transaction. And each has the settings that it needs.
func TestPooledLeavesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{Pooled: true, MaxConns: 1})
	ctx := t.Context()
	refused := errors.New("refused")
	for name, do := range map[string]func() error{
		"exec": func() error { return s.exec(ctx, plus, 1) },
		"query": func() error {
			var n int
			_, err := s.queryRow(ctx, "SELECT n FROM things WHERE id = $1", []any{1}, &n)
			return err
		},
		"rows": func() error { var all []string; return s.each(ctx, "SELECT id::text FROM things", nil, scanText(&all)) },
		"broken constraint": func() error {
			if err := s.exec(ctx, "UPDATE things SET n = $1", 1000); err == nil {
				return errors.New("it was not refused")
			}
			return nil
		},
		"no statement": func() error {
			if err := s.exec(ctx, "SELEC $1", 1); err == nil {
				return errors.New("it was not refused")
			}
			return nil
		},
		"committed": func() error {
			return s.InTx(ctx, true, func(tx *Store) error { return errors.Join(tx.exec(ctx, plus, 1), tx.exec(ctx, plus, 2)) })
		},
		"rolled back": func() error {
			err := s.InTx(ctx, true, func(tx *Store) error { return errors.Join(tx.exec(ctx, plus, 1), refused) })
			if errors.Is(err, refused) {
				return nil
			}
			return err
		},
		"aborted": func() error {
			if err := s.InTx(ctx, true, func(tx *Store) error { _ = tx.exec(ctx, "UPDATE things SET n = $1", 1000); return nil }); err == nil {
				return errors.New("it was committed")
			}
			return nil
		},
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Simple statements: the driver adds nothing to their session but for their own length.
		conn, err := s.pool.DB.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var statements int
		var within, after string
		err = errors.Join(conn.QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared_statements%'").Scan(&statements),
			conn.QueryRowContext(ctx, "SELECT current_setting('statement_timeout')").Scan(&within),
			conn.Raw(func(c any) error {
				_, err := c.(*safeConn).pg.ExecContext(ctx, "CREATE TEMP TABLE outside AS SELECT current_setting('statement_timeout') AS was", nil)
				return err
			}),
			conn.QueryRowContext(ctx, "SELECT was FROM outside").Scan(&after))
		if err == nil {
			_, err = conn.ExecContext(ctx, "DROP TABLE outside")
		}
		_ = conn.Close()
		if err != nil || statements != 0 || within != "5s" || after != "0" {
			t.Errorf("%s: %d statements are left, the limit is %q within a transaction and %q outside, %v", name, statements, within, after, err)
		}
	}
	if n := sum(t, s); n != 3 {
		t.Errorf("the sum is %d", n)
	}
}

// TestPooledRowsComeOnce: a connection that breaks when all rows have come, before the statement's transaction is over, is no dead one on
// which nothing was done: the rows are not read again beside those that came.
func TestPooledRowsComeOnce(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{Pooled: true, MaxConns: 1})
	conn, err := s.pool.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var under *safeConn
	if err := errors.Join(conn.Raw(func(c any) error { under = c.(*safeConn); return nil }), conn.Close()); err != nil {
		t.Fatal(err)
	}
	came := 0
	err = s.rows(t.Context(), "SELECT id FROM things WHERE n < $1", []any{9}, func([]driver.Value) error {
		came++
		_ = under.pg.Conn().Close() // the rest has been received
		return nil
	})
	var e *Error
	if !errors.As(err, &e) || e.Kind != Unavailable || came != 2 {
		t.Errorf("%d rows of 2 came, %v", came, err)
	}
}
