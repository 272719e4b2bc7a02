package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
)

// This file is what differs behind a pooler in transaction mode, such as PgBouncer. There a connection is one of Postgres's for as long
// as a transaction lasts, and another one for the next. So nothing may outlive a transaction: each sets its session up for itself, along
// with BEGIN; statements that it has prepared are closed before it ends, because others would meet them by the same name; and a statement
// with arguments that is in none gets one of its own. A connection that breaks in the middle takes Postgres's with it: a pooler gives
// nobody a connection with a transaction that is open.

// beginPg begins a transaction.
func (c *safeConn) beginPg(ctx context.Context, opts driver.TxOptions) error {
	if c.local != "" && opts == (driver.TxOptions{}) {
		_, err := c.pg.ExecContext(ctx, "BEGIN; "+c.local, nil)
		return err
	}
	_, err := c.pg.BeginTx(ctx, opts)
	if err == nil && c.local != "" {
		_, err = c.pg.ExecContext(ctx, c.local, nil)
	}
	return err
}

// beginAuto begins the transaction of one statement, if it needs one. end ends it.
func (c *safeConn) beginAuto(ctx context.Context) error {
	if c.local == "" || c.inTx || c.auto {
		return nil
	}
	c.auto = true
	return c.beginPg(ctx, driver.TxOptions{})
}

// endAuto ends the transaction of a statement that ended with err, and answers what became of it. ErrBadConn is not among that, however deep:
// it would have the statement repeated, of which rows may have been read.
func (c *safeConn) endAuto(ctx context.Context, err error) error {
	c.auto = false
	if err != nil && !isServerError(err) {
		return err // the connection is at its end
	}
	if ferr := c.forgetAll(); ferr != nil && err == nil {
		return &connError{fmt.Errorf("the statement was not committed: %v", ferr)} //nolint:errorlint // see above
	}
	if err != nil {
		if _, rerr := c.pg.ExecContext(ctx, "ROLLBACK", nil); rerr != nil {
			c.kill()
		}
		return err
	}
	_, err = c.pg.ExecContext(ctx, "COMMIT", nil)
	var ne net.Error
	switch {
	case errors.Is(err, driver.ErrBadConn):
		return &connError{fmt.Errorf("the statement was not committed: %v", err)} //nolint:errorlint // see above
	case errors.As(err, &ne):
		return &connError{fmt.Errorf("it is unknown whether the statement was committed: %w", err)}
	}
	return err
}

// forgetAll closes the statements of a transaction that is about to end.
func (c *safeConn) forgetAll() error {
	for c.local != "" && c.recent.Len() > 0 {
		if err := c.forget(c.recent.Back()); err != nil {
			return err
		}
	}
	return nil
}

// alone is a statement without arguments. Outside a transaction it is set up in the same message, which is a transaction.
func (c *safeConn) alone(text string) string {
	if c.local == "" || c.inTx {
		return text
	}
	return c.local + "; " + text
}
