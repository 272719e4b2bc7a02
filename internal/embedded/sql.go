package embedded

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/uptrace/bun/driver/pgdriver"
)

// The few statements of this package need no pool, no retries and no prepared statements, so the bare driver does.

func connect(url string) *sql.DB {
	return sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(url), pgdriver.WithTimeout(startTimeout)))
}

// ping reports whether the server answers a query on the database.
func ping(ctx context.Context, url string) error {
	db := connect(url)
	defer db.Close()
	return db.PingContext(ctx)
}

// createDatabase makes the database of the instance if it is not there: at the first start, and after one that got no
// further than initdb.
func createDatabase(ctx context.Context, p *Postgres) error {
	db := connect(p.URL(maintenance))
	defer db.Close()
	var there bool
	err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = '"+database+"')").Scan(&there)
	if err == nil && !there {
		_, err = db.ExecContext(ctx, "CREATE DATABASE "+database)
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", database, err)
	}
	return nil
}
