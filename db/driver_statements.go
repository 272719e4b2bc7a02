package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
)

// This file is the prepared statements, rows and transactions of a safe connection (driver.go).

// pgStmt is what pgdriver's statements are.
type pgStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cached is a prepared statement that the connection keeps.
type cached struct {
	text string
	stmt pgStmt
}

// withStatement runs a statement that has arguments, prepared: that saves Postgres from planning it again and again.
// And pgdriver would put the values into the text, but also wherever $1 stands in a comment or a quoted name, where a
// value can end the comment and go on as SQL.
func (c *safeConn) withStatement(ctx context.Context, text string, run func(pgStmt) error) error {
	if err := c.beginAuto(ctx); err != nil {
		return err
	}
	s, err := c.statement(ctx, text)
	if err != nil {
		return err
	}
	err = run(s)
	if code := state(err, 'C'); code != "0A000" && code != "26000" {
		return err
	}
	// A migration has changed what the statement returns, or somebody has deallocated it. Nothing was done, so that it
	// can be repeated, except in a transaction, which is aborted.
	if ferr := c.forget(c.prepared[text]); ferr != nil {
		return ferr
	}
	if c.inTx || c.auto {
		return err
	}
	if s, err = c.statement(ctx, text); err != nil {
		return err
	}
	return run(s)
}

func (c *safeConn) statement(ctx context.Context, text string) (pgStmt, error) {
	if e, ok := c.prepared[text]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*cached).stmt, nil
	}
	if c.recent.Len() >= maxStatements {
		if err := c.forget(c.recent.Back()); err != nil {
			return nil, err
		}
	}
	s, err := c.pg.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.prepared[text] = c.recent.PushFront(&cached{text, s.(pgStmt)})
	return s.(pgStmt), nil
}

func (c *safeConn) forget(e *list.Element) error {
	v := c.recent.Remove(e).(*cached)
	delete(c.prepared, v.text)
	return c.closeStmt(v.stmt)
}

// closeStmt closes a statement in Postgres. pgdriver does not end this exchange with a Sync; after an error Postgres
// would skip all until one comes, and the next statement would wait forever.
func (c *safeConn) closeStmt(s driver.Stmt) error {
	err := s.Close()
	if err != nil {
		c.kill()
	}
	return err
}

func (c *safeConn) closeLate() {
	for _, s := range c.late {
		if !c.gone() {
			_ = c.closeStmt(s.pg)
		}
	}
	c.late = nil
}

// Prepare is for database/sql before contexts.
func (c *safeConn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext prepares a statement that the caller closes.
func (c *safeConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	o, err := c.begin(ctx, text, true)
	if err != nil {
		return nil, err
	}
	s, err := c.pg.PrepareContext(ctx, text)
	if err = o.end(err); err != nil {
		return nil, err
	}
	return &safeStmt{pg: s.(pgStmt), c: c, text: text}, nil
}

// safeStmt is a statement prepared by the caller.
type safeStmt struct {
	pg   pgStmt
	c    *safeConn
	text string
}

func (s *safeStmt) NumInput() int                              { return s.pg.NumInput() }
func (s *safeStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (s *safeStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.ErrUnsupported }

// Close waits for rows that are being read. pgdriver would mix the two up, and hand the description of the columns, by
// which the rows are still decoded, to whoever comes next on any connection. On a dead connection nothing is left to do.
func (s *safeStmt) Close() error {
	c := s.c
	switch {
	case c.gone():
		return nil
	case c.busy:
		c.late = append(c.late, s)
		return nil
	}
	o, err := c.begin(context.Background(), "DEALLOCATE", false)
	if err != nil {
		return err
	}
	return o.end(c.closeStmt(s.pg))
}

func (s *safeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := s.c.begin(ctx, s.text, true)
	if err != nil {
		return nil, err
	}
	r, err := s.pg.ExecContext(ctx, args)
	return r, o.end(err)
}

func (s *safeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	o, err := s.c.begin(ctx, s.text, true)
	if err != nil {
		return nil, err
	}
	r, err := s.pg.QueryContext(ctx, args)
	if err != nil {
		return nil, o.end(err)
	}
	return &safeRows{pg: r, o: o}, nil
}

// safeRows are rows being read; the operation goes on until they end.
type safeRows struct {
	pg      driver.Rows
	o       operation
	columns []string
	done    bool
}

// Columns returns a copy: pgdriver uses the slice again for another query as soon as these rows end, which a cancelled
// context can do while the caller is still scanning by name.
func (r *safeRows) Columns() []string {
	if r.columns == nil {
		r.columns = slices.Clone(r.pg.Columns())
	}
	return r.columns
}

// Next reads a row. After a value that pgdriver cannot decode, such as the timestamp infinity, it stands in the middle of
// a message; pgdriver would take the rest of the value for the next message. So any error ends the rows, and end decides
// about the connection.
func (r *safeRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	err := r.pg.Next(dest)
	if err == nil {
		return nil
	}
	r.done = true
	if err == io.EOF { //nolint:errorlint // a driver's EOF is bare
		if err = r.o.end(nil); err != nil {
			return err
		}
		return io.EOF
	}
	return r.o.end(err)
}

// Close reads the rest, however long: the alternative would be to close the connection, and with it the caller's
// transaction and locks. Cancelling the context still stops it. Unlike pgdriver's, it keeps the connection if what comes
// at the end is an error of the server's.
func (r *safeRows) Close() error {
	for {
		switch err := r.Next(nil); err {
		case nil:
		case io.EOF: //nolint:errorlint // see Next
			return nil
		default:
			return err
		}
	}
}

// Begin is for database/sql before contexts.
func (c *safeConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. If that fails, BEGIN may have succeeded and only the isolation level failed: pgdriver
// would give the open transaction back to the pool.
func (c *safeConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	o, err := c.begin(ctx, "BEGIN", false)
	if err != nil {
		return nil, err
	}
	err = c.beginPg(ctx, opts)
	if err = o.end(err); err != nil {
		c.kill()
		return nil, err
	}
	c.inTx, c.failure, c.txOf = true, nil, ctx
	return safeTx{c}, nil
}

type safeTx struct{ c *safeConn }

// ending is the context of what ends the transaction: part of the same request, and not to be cancelled.
func (c *safeConn) ending() context.Context {
	ctx := c.txOf
	c.txOf = nil
	if ctx == nil {
		return context.Background()
	}
	return context.WithoutCancel(ctx)
}

// Commit ends the transaction. Postgres answers the COMMIT of an aborted transaction with ROLLBACK and no error, and
// pgdriver does not look. A statement before it does fail; it is sent along only if one has failed before.
func (t safeTx) Commit() error {
	c, text := t.c, "COMMIT"
	failure := c.failure
	if failure != nil {
		text = "SELECT 1; COMMIT"
	}
	o, err := c.begin(c.ending(), text, false)
	if err != nil {
		return fmt.Errorf("db: nothing was committed: %w", err)
	}
	c.inTx = false
	if err = c.forgetAll(); err == nil {
		_, err = c.pg.ExecContext(context.Background(), text, nil)
	}
	err = o.end(err)
	var lost *connError
	switch {
	case state(err, 'C') == "25P02":
		return fmt.Errorf("%w: %w", errAborted, failure)
	case errors.As(err, &lost):
		return &connError{fmt.Errorf("it is unknown whether the transaction was committed: %w", lost.cause)}
	}
	return err
}

// Rollback always succeeds: if Postgres cannot be told, it rolls back what a closed connection leaves behind.
func (t safeTx) Rollback() error {
	c := t.c
	o, err := c.begin(c.ending(), "ROLLBACK", false)
	if err == nil {
		c.inTx = false
		if err = c.forgetAll(); err == nil {
			_, err = c.pg.ExecContext(context.Background(), "ROLLBACK", nil)
		}
		err = o.end(err)
	}
	if err != nil {
		c.kill()
	}
	return nil
}
