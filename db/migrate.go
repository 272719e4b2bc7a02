package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"

	"roster/migrations"
)

// migrationLock is the advisory lock that one migrating process holds; any constant of our own will do.
const migrationLock = 7_033_178_301

// Migrate brings the schema up to this program, and says how many migrations it ran. Of several processes that start at
// once one migrates and the others wait. It uses a pool of its own, without a statement timeout.
func Migrate(ctx context.Context, url string) (int, error) {
	var n int
	err := migrating(ctx, url, func(m *migrate.Migrator) error {
		if err := checkFolding(ctx, m.DB()); err != nil {
			return err
		}
		group, err := m.Migrate(ctx)
		n = len(group.Migrations.Applied())
		return err
	})
	return n, err
}

// Rollback undoes the last group of migrations: for development, and for the test that undoes them all. A server that runs on the schema
// meanwhile can lock against it: a migration that was Postgres's victim did nothing, and is undone when it is tried again.
func Rollback(ctx context.Context, url string) error {
	return migrating(ctx, url, func(m *migrate.Migrator) error {
		for n := 1; ; n++ {
			_, err := m.Rollback(ctx)
			if !retryable(translate(err)) || n == attempts {
				return err
			}
		}
	})
}

// checkFolding refuses a database whose lower() knows ASCII alone: names that differ in case would be two names.
func checkFolding(ctx context.Context, d *bun.DB) error {
	var folds bool
	if err := d.NewRaw("SELECT lower('ÄÉ') = 'äé'").Scan(ctx, &folds); err != nil {
		return translate(err)
	}
	if !folds {
		return errors.New("this database does not fold the case of letters beyond ASCII: create it with a UTF-8 LC_CTYPE, such as C.UTF-8 or en_US.UTF-8")
	}
	return nil
}

// migrating runs fn under the migration lock. The lock is polled, not waited for: a waiting statement holds a snapshot,
// and CREATE INDEX CONCURRENTLY would wait for it for ever.
func migrating(ctx context.Context, url string, fn func(m *migrate.Migrator) error) error {
	pool, err := openPool(poolOptions{URL: url, MaxConns: 2})
	if err != nil {
		return err
	}
	d := bun.NewDB(pool, pgdialect.New())
	defer d.Close()
	conn, err := d.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Close()
	for {
		var locked bool
		if err := conn.NewRaw("SELECT pg_try_advisory_lock(?)", migrationLock).Scan(ctx, &locked); err != nil {
			return translate(err)
		}
		if locked {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for another process that migrates: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	defer func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(?)", migrationLock)
	}()
	m, err := migrator(ctx, d)
	if err != nil {
		return err
	}
	return fn(m)
}

func migrator(ctx context.Context, d *bun.DB) (*migrate.Migrator, error) {
	ms := migrate.NewMigrations()
	if err := ms.Discover(migrations.FS()); err != nil {
		return nil, err
	}
	// Without this option a failed migration is recorded as applied.
	m := migrate.NewMigrator(d, ms, migrate.WithMarkAppliedOnSuccess(true))
	return m, m.Init(ctx)
}

// Usable reports what is wrong with a database that no migration would put right: that it does not answer, or how it folds case.
func (s *Store) Usable(ctx context.Context) error { return checkFolding(ctx, s.pool) }

// Current reports whether the schema is the one that this program was built for.
func (s *Store) Current(ctx context.Context) (bool, error) {
	ms := migrate.NewMigrations()
	if err := ms.Discover(migrations.FS()); err != nil {
		return false, err
	}
	pending, err := migrate.NewMigrator(s.pool, ms).MigrationsWithStatus(ctx)
	if err != nil {
		return false, translate(err)
	}
	return len(pending.Unapplied()) == 0, nil
}
