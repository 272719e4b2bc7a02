package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"

	"github.com/google/uuid"
)

// Violation is a row for which something does not hold that always has to.
type Violation struct {
	Group, User, Token *uuid.UUID // what it is about
	What               string     // the same where it is none of these; or what is told of it
	Expected, Found    string
}

// Audited is one thing that was looked at.
type Audited struct {
	Name     string // of the audit
	Meaning  string
	Rows     int64 // how many rows it holds for, or should
	Unproven int64 // how many of them the log says nothing about, because it does not reach back so far
	Violated int64
}

// Audit proves on a database in use that what always has to hold does, and that whoever follows the change log from its beginning
// has exactly what is in the tables. It reads one snapshot, in which nothing else happens, writes nothing and keeps nobody waiting,
// readers of the log included. Postgres compares, with files where memory is short; what comes here are the violations, one by one:
// found hears of each. done hears of every audit when it has ended. from is where the log begins: nothing has been dropped before the
// zero Place. pooled is as in Options.
func Audit(ctx context.Context, url string, pooled bool, found func(Audited, Violation), done func(Audited)) (from Place, err error) {
	pool, err := openPool(poolOptions{URL: url, MaxConns: 1, Pooled: pooled})
	if err != nil {
		return from, err
	}
	defer pool.Close()
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return from, translate(err)
	}
	defer func() { _ = tx.Rollback() }() // it has written nothing
	for _, setting := range []string{"SET LOCAL work_mem = '64MB'", "SET LOCAL jit = off"} {
		if _, err := tx.ExecContext(ctx, setting); err != nil {
			return from, translate(err)
		}
	}
	if from, err = horizon(ctx, tx); err != nil {
		return from, err
	}
	for _, a := range audits {
		told := Audited{Name: a.name, Meaning: a.meaning}
		if err := a.run(ctx, tx, from != Place{}, &told, found); err != nil {
			return from, fmt.Errorf("auditing %s: %w", a.name, err)
		}
		done(told)
	}
	return from, nil
}

// horizon is the place of the last change that was dropped.
func horizon(ctx context.Context, tx *sql.Tx) (at Place, err error) {
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(split_part(value, ' ', 1)), '0'), coalesce(max(split_part(value, ' ', 2)), '0')::bigint
		FROM settings WHERE key = 'changes_horizon'`).Scan(xid{&at.Tx}, &at.Seq)
	return at, translate(err)
}

// audit is one thing to prove. rows counts what is looked at. violations has the columns group, user, token, what, expected, found,
// and a last one which is true for a row that is no violation if the log does not reach back to its beginning.
type audit struct{ name, meaning, rows, violations string }

func (a audit) run(ctx context.Context, tx *sql.Tx, trimmed bool, told *Audited, found func(Audited, Violation)) error {
	if err := tx.QueryRowContext(ctx, a.rows).Scan(&told.Rows); err != nil {
		return translate(err)
	}
	rows, err := tx.QueryContext(ctx, a.violations)
	if err != nil {
		return translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v Violation
		var early bool
		if err := rows.Scan(&v.Group, &v.User, &v.Token, &v.What, &v.Expected, &v.Found, &early); err != nil {
			return translate(err)
		}
		if early && trimmed {
			told.Unproven++
			continue
		}
		told.Violated++
		found(*told, v)
	}
	return translate(rows.Err())
}

// about are the first columns of a violation.
func about(group, user, token, what string) string {
	return fmt.Sprintf("SELECT %s, %s, %s, %s, ", cmp.Or(group, "NULL::uuid"), cmp.Or(user, "NULL::uuid"), cmp.Or(token, "NULL::uuid"), cmp.Or(what, "''"))
}
