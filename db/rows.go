package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
)

// This file is the short way from the wire to a row: the driver's values go straight into the fields of a row's struct. Through
// database/sql every value passes a conversion by reflection, and every statement starts a goroutine; on a page of fifty rows that is
// a third of all that a server does.

// rows runs a statement with $n arguments and hands the values of each row to row. The values are row's until it returns.
func (s *Store) rows(ctx context.Context, text string, args []any, row func(values []driver.Value) error) error {
	named, err := namedValues(args)
	if err != nil {
		return err
	}
	s.on(ctx, text)
	if s.conn != nil {
		return translate(readOn(ctx, s.conn, text, named, row))
	}
	return translate(s.readAny(ctx, text, named, row))
}

// compared is rows for a statement that does not ask by itself whether the memory of the request's caller holds.
func (s *Store) compared(ctx context.Context, text string, args []any, row func(values []driver.Value) error) error {
	if err := s.Compare(ctx); err != nil {
		return err
	}
	return s.rows(ctx, text, args, row)
}

// readAny reads on any connection of the pool. One that turns out to be dead before anything was sent costs another try, as it does
// in database/sql.
func (s *Store) readAny(ctx context.Context, text string, args []driver.NamedValue, row func(values []driver.Value) error) error {
	const tries = 3
	for n := 1; ; n++ {
		err := s.readOnce(ctx, text, args, row)
		if !errors.Is(err, driver.ErrBadConn) || n == tries {
			return err
		}
	}
}

// readOnce gives the connection back to the pool whatever comes of it, a panic of row's included: nobody else would, and the pool would have
// one less for ever.
func (s *Store) readOnce(ctx context.Context, text string, args []driver.NamedValue, row func(values []driver.Value) error) error {
	conn, err := s.pool.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // what is wrong with it is in what readOn says
	return readOn(ctx, conn, text, args, row)
}

// readOn reads on a connection. What comes of it, a panic of row's included, passes by database/sql: that would close a connection of which
// it hears ErrBadConn, and in a transaction wait for ever, since it closes none before its transaction is over. One that is dead, or was left
// in the middle, is thrown away when it goes back to the pool (safeConn.IsValid).
func readOn(ctx context.Context, conn *sql.Conn, text string, args []driver.NamedValue, row func(values []driver.Value) error) error {
	var failed error
	var panicked any
	err := conn.Raw(func(c any) error {
		defer func() {
			if p := recover(); p != nil {
				panicked = fmt.Sprintf("%v\n%s", p, debug.Stack()) // where it was, which nobody could tell from the next one
			}
		}()
		failed = c.(*safeConn).read(ctx, text, args, row)
		return nil
	})
	switch {
	case panicked != nil:
		panic(panicked)
	case err != nil:
		return err
	}
	return failed
}

// read runs a statement and reads its rows to the end, whatever row says of one.
func (c *safeConn) read(ctx context.Context, text string, args []driver.NamedValue, row func(values []driver.Value) error) error {
	r, err := c.queryPrepared(ctx, text, args)
	if err != nil {
		return err
	}
	n := len(r.pg.Columns())
	if cap(c.values) < n {
		c.values = make([]driver.Value, n)
	}
	values := c.values[:n]
	for {
		switch err := r.Next(values); err {
		case nil:
		case io.EOF: //nolint:errorlint // see safeRows.Next
			return nil
		default:
			return err
		}
		if err := row(values); err != nil {
			return errors.Join(err, r.Close())
		}
	}
}

// namedValues are arguments as drivers take them.
func namedValues(args []any) ([]driver.NamedValue, error) {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i].Ordinal = i + 1
		switch v := a.(type) {
		case string, int64, bool, []byte, nil:
			named[i].Value = v
		case int:
			named[i].Value = int64(v)
		default:
			var err error
			if named[i].Value, err = driver.DefaultParameterConverter.ConvertValue(a); err != nil {
				return nil, fmt.Errorf("db: argument $%d: %T", i+1, a)
			}
		}
	}
	return named, nil
}

// assignAll puts a row's values where its columns belong.
func assignAll(dest []any, values []driver.Value) error {
	for i, d := range dest {
		if err := assign(d, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// assign puts a value of the driver's where a column belongs.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *int:
		if n, ok := v.(int64); ok {
			*d = int(n)
			return nil
		}
	case *bool:
		if b, ok := v.(bool); ok {
			*d = b
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *uuid.UUID:
		return assignUUID(d, v)
	case *time.Time:
		return assignTime(d, v)
	default:
		return assignNullable(dest, v)
	}
	return mismatch(dest, v)
}

// assignNullable is assign for columns that may be NULL.
func assignNullable(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case **string:
		return assignPointer(d, v)
	case **int64:
		return assignPointer(d, v)
	case *[]byte:
		if b, ok := v.([]byte); ok || v == nil {
			*d = b
			return nil
		}
	case **uuid.UUID:
		if *d = nil; v == nil {
			return nil
		}
		*d = new(uuid.UUID)
		return assignUUID(*d, v)
	case **time.Time:
		if *d = nil; v == nil {
			return nil
		}
		*d = new(time.Time)
		return assignTime(*d, v)
	case sql.Scanner:
		return d.Scan(v)
	}
	return mismatch(dest, v)
}

func assignPointer[T any](d **T, v driver.Value) error {
	if *d = nil; v == nil {
		return nil
	}
	t, ok := v.(T)
	if !ok {
		return mismatch(d, v)
	}
	*d = &t
	return nil
}

func mismatch(dest any, v driver.Value) error {
	return fmt.Errorf("db: a column is a %T, its field a %T", v, dest)
}

func assignUUID(d *uuid.UUID, v driver.Value) error {
	b, ok := v.([]byte)
	if !ok {
		return fmt.Errorf("db: a uuid is a %T", v)
	}
	id, err := uuid.ParseBytes(b)
	*d = id
	return err
}

// epochOfPostgres is what its times count from, in Unix's microseconds.
const epochOfPostgres = 946_684_800_000_000

// assignTime takes a time as pgdriver reads one, or as Postgres sends it in binary: microseconds in eight bytes.
func assignTime(d *time.Time, v driver.Value) error {
	switch v := v.(type) {
	case time.Time:
		*d = v
		return nil
	case []byte:
		if len(v) == 8 {
			micros := int64(binary.BigEndian.Uint64(v)) //nolint:gosec // that is how they are sent
			if micros == math.MaxInt64 || micros == math.MinInt64 {
				return errors.New("db: a time is infinite")
			}
			*d = time.UnixMicro(micros + epochOfPostgres).UTC()
			return nil
		}
	}
	return fmt.Errorf("db: a time is a %T", v)
}
