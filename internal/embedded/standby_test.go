package embedded

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFollow: a standby has what its primary had and gets what it writes, is read only, and comes back as a standby.
func TestFollow(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	base, err := os.MkdirTemp("/tmp", testDirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	config := func(name string) Config {
		return Config{Dir: filepath.Join(base, name), PGBin: os.Getenv("PG_BIN"), Log: t.Logf}
	}
	stop := func(p *Postgres) {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	primary, err := Start(ctx, config("primary"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { stop(primary) }()
	to := connect(primary.URL(database))
	defer to.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := to.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE t AS SELECT 1 AS n")
	standby, err := Follow(ctx, config("standby"), primary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { stop(standby) }()
	exec("INSERT INTO t VALUES (2)")
	awaitSum(t, standby, 3)
	if _, err := Follow(ctx, config("standby"), primary); err == nil {
		t.Error("a directory with data became a standby")
	}
	from := connect(standby.URL(database))
	defer from.Close()
	if _, err := from.ExecContext(ctx, "INSERT INTO t VALUES (3)"); err == nil {
		t.Error("a standby took a write")
	}
	stop(standby)
	exec("INSERT INTO t VALUES (4)")
	if standby, err = Start(ctx, config("standby")); err != nil {
		t.Fatal(err)
	}
	awaitSum(t, standby, 7)
}

func awaitSum(t *testing.T, p *Postgres, want int) {
	t.Helper()
	db := connect(p.URL(database))
	defer db.Close()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		var sum sql.NullInt64
		if err := db.QueryRowContext(t.Context(), "SELECT sum(n) FROM t WHERE pg_is_in_recovery()").Scan(&sum); err == nil && sum.Int64 == int64(want) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the standby has %d and not %d", sum.Int64, want)
		}
	}
}
