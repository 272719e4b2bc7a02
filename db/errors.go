package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/uptrace/bun/driver/pgdriver"
)

// Kind says what became of a statement, in the few words that rules are made of.
type Kind int

// What can become of one.
const (
	Other       Kind = iota // a bug of ours, or something unknown
	Unique                  // a unique constraint refused the row
	Check                   // a check constraint, a length or a number out of range
	ForeignKey              // a row that was referred to is not there
	Unavailable             // Postgres is away, starting, stopping, full, or the pool is closed
	Timeout                 // the statement, the lock or the request ran out of time
	Retry                   // a deadlock or serialization failure that outlived the retries
)

// Error is a failed statement. Its text names the SQLSTATE and the constraint, never a value: Postgres's own message
// and detail quote them, so they are left behind here, in the one place where driver errors pass.
type Error struct {
	Kind       Kind
	State      string // SQLSTATE, "" where the server did not answer
	Constraint string // the constraint that refused, if one did
	cause      error  // nil for server errors: their text may hold values
}

// ErrRetry, returned from inside a transaction, has it repeated: what it was decided on has changed meanwhile.
var ErrRetry = &Error{Kind: Retry, State: "40001"}

func (e *Error) Error() string {
	switch {
	case e.State == "" && e.cause != nil:
		return "db: " + e.cause.Error()
	case e.Constraint != "":
		return "db: SQLSTATE " + e.State + " (" + e.Constraint + ")"
	}
	return "db: SQLSTATE " + e.State
}

func (e *Error) Unwrap() error { return e.cause }

// kinds maps SQLSTATE codes and classes; the longest match wins.
var kinds = map[string]Kind{
	"23505": Unique, "23514": Check, "22": Check, "23503": ForeignKey,
	"40001": Retry, "40P01": Retry,
	"57014": Timeout, "55P03": Timeout,
	"08": Unavailable, "53": Unavailable, "57P": Unavailable, "58": Unavailable,
	"25P03": Timeout, "25006": Unavailable,
}

// translate turns whatever the driver says into *Error; it leaves nil, and errors that are not the driver's, alone.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	var pe pgdriver.Error
	if errors.As(err, &pe) {
		state := pe.Field('C')
		e := &Error{State: state, Constraint: pe.Field('n'), Kind: kindOf(state)}
		for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, cause) {
				e.cause = cause
			}
		}
		return e
	}
	var ne net.Error
	switch {
	case errors.Is(err, errText):
		return &Error{Kind: Check, cause: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Kind: Timeout, cause: err}
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.As(err, &ne), errors.Is(err, net.ErrClosed),
		err.Error() == "sql: database is closed": // database/sql keeps that one to itself
		return &Error{Kind: Unavailable, cause: err}
	}
	return err
}

func kindOf(state string) Kind {
	for n := len(state); n >= 2; n-- {
		if k, ok := kinds[state[:n]]; ok {
			return k
		}
	}
	return Other
}

// retryable says whether repeating the transaction may succeed.
func retryable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Retry
}
