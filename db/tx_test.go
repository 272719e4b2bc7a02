package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roster/internal/embedded"
)

// openStore is a store on an empty database of the test's own, with a table of things that have a number.
func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	o.URL = embedded.Acquire(t, embedded.Template{Key: "things", Build: func(ctx context.Context, url string) error {
		s, err := Open(Options{URL: url})
		if err != nil {
			return err
		}
		defer s.Close()
		return s.exec(ctx, `CREATE TABLE things (id int PRIMARY KEY, n int NOT NULL CONSTRAINT n_is_small CHECK (n < 100), of int CONSTRAINT of_exists REFERENCES things(id))`)
	}})
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.exec(t.Context(), "INSERT INTO things (id, n) VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	return s
}

func scanText(to *[]string) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var v string
		err := rows.Scan(&v)
		*to = append(*to, v)
		return err
	}
}

const plus = "UPDATE things SET n = n + 1 WHERE id = $1"

// sum is all that was added.
func sum(t *testing.T, s *Store) int {
	t.Helper()
	var n int
	if _, err := s.queryRow(t.Context(), "SELECT sum(n) FROM things", nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDeadlockIsRetried has two transactions lock two rows crosswise: Postgres ends one of them, and nobody hears of it.
func TestDeadlockIsRetried(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	var met, done sync.WaitGroup
	var begun atomic.Int32
	met.Add(2)
	for _, ids := range [][]int{{1, 2}, {2, 1}} {
		first := true
		done.Go(func() {
			err := s.InTx(t.Context(), true, func(tx *Store) error {
				begun.Add(1)
				if err := tx.exec(t.Context(), "SET LOCAL deadlock_timeout = '10ms'"); err != nil {
					return err
				}
				if err := tx.exec(t.Context(), plus, ids[0]); err != nil {
					return err
				}
				if first {
					first = false
					met.Done()
					met.Wait()
				}
				return tx.exec(t.Context(), plus, ids[1])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if n := begun.Load(); n < 3 {
		t.Errorf("%d transactions began: there was no deadlock", n)
	}
	if got := sum(t, s); got != 4 {
		t.Errorf("%d was added, want 4", got)
	}
}

// TestSerializationFailureIsRetried writes to a row that somebody else has written to since the snapshot.
func TestSerializationFailureIsRetried(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	begun := 0
	err := s.InTx(t.Context(), true, func(tx *Store) error {
		begun++
		if err := tx.exec(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
		sum(t, tx)
		if begun == 1 {
			if err := s.exec(t.Context(), plus, 1); err != nil {
				return err
			}
		}
		return tx.exec(t.Context(), plus, 1)
	})
	if got := sum(t, s); err != nil || begun != 2 || got != 2 {
		t.Errorf("%d attempts added %d: %v", begun, got, err)
	}
}

// TestRetriesEnd: what fails for ever fails, and so does what is no longer waited for.
func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	begun := 0
	again := func(tx *Store) error {
		begun++
		return errors.Join(tx.exec(t.Context(), plus, 1), ErrRetry)
	}
	if err := s.InTx(t.Context(), true, again); !retryable(err) || begun != attempts {
		t.Errorf("after %d attempts: %v", begun, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun = 0
	err := s.InTx(ctx, true, func(tx *Store) error {
		cancel()
		return again(tx)
	})
	if !errors.Is(err, context.Canceled) || begun != 1 {
		t.Errorf("cancelled, after %d attempts: %v", begun, err)
	}
	if got := sum(t, s); got != 0 {
		t.Errorf("failures left %d", got)
	}
}

// TestInTx commits what succeeds and was not to be dry, and nothing else.
func TestInTx(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	ours := errors.New("ours")
	for _, c := range []struct {
		name   string
		commit bool
		err    error
		want   int
	}{{"Dry", false, nil, 0}, {"Fails", true, ours, 0}, {"DryFails", false, ours, 0}, {"Commits", true, nil, 1}} {
		begun := 0
		err := s.InTx(t.Context(), c.commit, func(tx *Store) error {
			begun++
			if err := tx.exec(t.Context(), plus, 1); err != nil {
				return err
			}
			if nested := tx.InTx(t.Context(), true, func(*Store) error { t.Error("nested"); return nil }); nested == nil {
				t.Error("InTx nests")
			}
			return c.err
		})
		if got := sum(t, s); !errors.Is(err, c.err) || got != c.want || begun != 1 {
			t.Errorf("%s: %d after %d attempts, %v", c.name, got, begun, err)
		}
	}
	// A transaction that failed inside cannot be committed by not saying so.
	err := s.InTx(t.Context(), true, func(tx *Store) error {
		_ = tx.exec(t.Context(), plus, 1)
		_ = tx.exec(t.Context(), "SELECT 1/0")
		return nil
	})
	if got := sum(t, s); err == nil || got != 1 {
		t.Errorf("an aborted transaction: %d, %v", got, err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.InTx(t.Context(), true, func(tx *Store) error {
			_ = tx.exec(t.Context(), plus, 1)
			panic("a bug")
		})
	}()
	if got := sum(t, s); got != 1 {
		t.Errorf("a panic committed: %d", got)
	}
}

// TestErrorsAreTranslated holds every way to fail to its kind. No text of an error holds a value.
func TestErrorsAreTranslated(t *testing.T) {
	t.Parallel()
	s, hasty := openStore(t, Options{}), openStore(t, Options{StatementTimeout: 50 * time.Millisecond})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	closed := openStore(t, Options{})
	_ = closed.Close()
	for name, c := range map[string]struct {
		do         func() error
		kind       Kind
		state      string
		constraint string
	}{
		"Unique":       {func() error { return s.exec(t.Context(), "INSERT INTO things VALUES (1, 0)") }, Unique, "23505", "things_pkey"},
		"Check":        {func() error { return s.exec(t.Context(), "UPDATE things SET n = 4711") }, Check, "23514", "n_is_small"},
		"ForeignKey":   {func() error { return s.exec(t.Context(), "UPDATE things SET of = 4711") }, ForeignKey, "23503", "of_exists"},
		"OutOfRange":   {func() error { return s.exec(t.Context(), "SELECT 4711 * 1000000") }, Check, "22003", ""},
		"NoNumber":     {func() error { return s.exec(t.Context(), "SELECT $1::int", "4711x") }, Check, "22P02", ""},
		"NUL":          {func() error { return s.exec(t.Context(), "SELECT $1::text", "4711\x00") }, Check, "", ""},
		"Syntax":       {func() error { return s.exec(t.Context(), "SELEKT 4711") }, Other, "42601", ""},
		"TooSlow":      {func() error { return hasty.exec(t.Context(), "SELECT pg_sleep(60)") }, Timeout, "57014", ""},
		"Cancelled":    {func() error { return s.exec(cancelled, "SELECT 1") }, Timeout, "", ""},
		"PoolIsClosed": {func() error { return closed.exec(t.Context(), "SELECT 1") }, Unavailable, "", ""},
		"InTx": {func() error {
			return s.InTx(t.Context(), true, func(tx *Store) error { return tx.exec(t.Context(), "INSERT INTO things VALUES (1, 0)") })
		}, Unique, "23505", "things_pkey"},
	} {
		err := c.do()
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.State != c.state || e.Constraint != c.constraint {
			t.Errorf("%s: %+v", name, err)
			continue
		}
		if strings.Contains(err.Error(), "4711") {
			t.Errorf("%s tells a value: %v", name, e)
		}
	}
}

// TestMigrateAtOnce has four processes start on an empty database: one migrates, the others find it done.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := embedded.Acquire(t, embedded.Template{Key: "empty"})
	var ran [4]int
	var all sync.WaitGroup
	for i := range ran {
		all.Go(func() {
			var err error
			if ran[i], err = Migrate(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	slices.Sort(ran[:])
	if ran[2] != 0 || ran[3] == 0 {
		t.Errorf("migrations that each ran: %v", ran)
	}
	s, err := Open(Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if ok, err := s.Current(t.Context()); err != nil || !ok {
		t.Error(ok, err)
	}
}

// TestTransactionsBeginOnDeadConnections: Postgres has ended every idle connection of the pool, all too young to be looked at before they
// are used. No transaction fails for it.
func TestTransactionsBeginOnDeadConnections(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{MaxConns: 8})
	var conns []*sql.Conn
	var pids []int
	for range 8 {
		c, err := s.pool.DB.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var pid int
		if err := c.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		if err := c.Raw(func(c any) error { c.(*safeConn).stale = time.Hour; return nil }); err != nil {
			t.Fatal(err)
		}
		conns, pids = append(conns, c), append(pids, pid)
	}
	killer := conns[0] // it ends the others, then itself
	for _, pid := range append(pids[1:], pids[0]) {
		_, _ = killer.ExecContext(t.Context(), "SELECT pg_terminate_backend($1::int, 60000)", pid)
	}
	for _, c := range conns[1:] {
		_ = c.Close()
	}
	_ = killer.Close()
	ran := 0
	err := s.InTx(t.Context(), true, func(tx *Store) error {
		ran++
		return tx.exec(t.Context(), plus, 1)
	})
	if err != nil || ran != 1 || sum(t, s) != 1 {
		t.Errorf("%v, after %d runs the sum is %d", err, ran, sum(t, s))
	}
}

// TestTransactionLosesItsConnection has Postgres end the connection in the middle of a transaction: what is read after that fails, however
// often it is tried, and the transaction ends. database/sql would wait in it for its own end, for ever.
func TestTransactionLosesItsConnection(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{MaxConns: 2})
	ended := make(chan error, 1)
	go func() {
		ended <- s.InTx(t.Context(), true, func(tx *Store) error {
			var pid int
			if err := tx.exec(t.Context(), plus, 1); err != nil {
				return err
			}
			if _, err := tx.queryRow(t.Context(), "SELECT pg_backend_pid()", nil, &pid); err != nil {
				return err
			}
			if err := s.exec(t.Context(), "SELECT pg_terminate_backend($1::int, 60000)", pid); err != nil {
				return err
			}
			for range 2 { // the first may still read Postgres's last word
				if err := tx.rows(t.Context(), "SELECT n FROM things WHERE id = $1", []any{1}, func([]driver.Value) error { return nil }); err == nil {
					t.Error("a read on a connection that is gone succeeded")
				}
			}
			return tx.rows(t.Context(), "SELECT n FROM things WHERE id = $1", []any{1}, func([]driver.Value) error { return nil })
		})
	}()
	select {
	case err := <-ended:
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unavailable {
			t.Errorf("the transaction: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the transaction does not end")
	}
	if n := sum(t, s); n != 0 {
		t.Errorf("%d of what it did is there", n)
	}
	if open := s.Stats().InUse; open != 0 {
		t.Errorf("%d connections are not given back", open)
	}
}

// TestPanicInTransaction: what panics at a row of a transaction's ends it, and gives its connection back.
func TestPanicInTransaction(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{MaxConns: 1})
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		_ = s.InTx(t.Context(), true, func(tx *Store) error {
			if err := tx.exec(t.Context(), plus, 1); err != nil {
				return err
			}
			return tx.rows(t.Context(), "SELECT n FROM things WHERE id < $1", []any{9}, func([]driver.Value) error { panic("at a row") })
		})
	}()
	select {
	case p := <-ended:
		if text, _ := p.(string); !strings.HasPrefix(text, "at a row\n") || !strings.Contains(text, "TestPanicInTransaction") {
			t.Errorf("it panics with %v", p)
		}
	case <-time.After(time.Minute):
		t.Fatal("the transaction does not end")
	}
	if n := sum(t, s); n != 0 {
		t.Errorf("%d of what it did is there", n)
	}
}

// TestPanicOutsideATransaction: what panics at a row costs the connection that it was read on, and not its place in the pool.
func TestPanicOutsideATransaction(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{MaxConns: 1})
	func() {
		defer func() {
			if p := recover(); p == nil {
				t.Error("it does not panic")
			}
		}()
		_ = s.rows(t.Context(), "SELECT n FROM things WHERE id < $1", []any{9}, func([]driver.Value) error { panic("at a row") })
	}()
	if open := s.Stats().InUse; open != 0 {
		t.Fatalf("%d connections are not given back", open)
	}
	if n := sum(t, s); n != 0 {
		t.Errorf("the next one reads %d", n)
	}
}
