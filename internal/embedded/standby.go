package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Follow starts a hot standby in c.Dir, which has to be new: a copy of the primary's data, made while the primary runs, that streams
// from it whatever is written after that. It is for tests. The directory is c's alone; Start opens it again, still as a standby.
func Follow(ctx context.Context, c Config, primary *Postgres) (*Postgres, error) {
	i, err := open(c)
	if err != nil {
		return nil, err
	}
	if major, err := i.major(); err != nil || major != 0 {
		return nil, fmt.Errorf("%s has data already: %w", c.Dir, errors.Join(err, fs.ErrExist))
	}
	if err := i.copyOf(ctx, primary); err != nil {
		return nil, fmt.Errorf("copy the primary's data: %w", err)
	}
	return Start(ctx, c)
}

// copyOf makes the data a base backup of the primary's, by Postgres's low-level interface: the server tells what belongs to the copy
// when it has been made. pg_basebackup does the same, but is not among the binaries that are downloaded.
func (i *instance) copyOf(ctx context.Context, primary *Postgres) error {
	db := connect(primary.URL(maintenance))
	defer db.Close()
	conn, err := db.Conn(ctx) // the backup is this session's
	if err != nil {
		return err
	}
	defer conn.Close()
	var from string
	var version int
	if err := conn.QueryRowContext(ctx, "SELECT current_setting('data_directory'), current_setting('server_version_num')::int").Scan(&from, &version); err != nil {
		return err
	}
	begin, end := "SELECT pg_backup_start('standby', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if version < 150000 {
		begin, end = "SELECT pg_start_backup('standby', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	if err := i.copyTree(from); err != nil {
		return err
	}
	return i.follow(ctx, conn, end, filepath.Dir(primary.socket))
}

// follow adds to the copy what makes a standby of it.
func (i *instance) follow(ctx context.Context, conn *sql.Conn, end, socketDir string) error {
	var label string
	if err := conn.QueryRowContext(ctx, end).Scan(&label); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"backup_label":         label,
		"standby.signal":       "",
		"postgresql.auto.conf": "primary_conninfo = 'host=" + socketDir + " port=5432 user=" + superuser + "'\n",
	} {
		if err := i.put(name, strings.NewReader(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// transient is what of a server's data is its own and not part of a copy.
var transient = map[string]bool{"postmaster.pid": true, "postmaster.opts": true, "postgresql.auto.conf": true, "pg_wal": true, "pg_replslot": true,
	"pg_dynshmem": true, "pg_notify": true, "pg_serial": true, "pg_snapshots": true, "pg_stat_tmp": true, "pg_subtrans": true}

// copyTree copies the files, and the directories without those of what is transient.
func (i *instance) copyTree(from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		name, rerr := filepath.Rel(from, path)
		top, _, below := strings.Cut(name, string(filepath.Separator))
		switch {
		case rerr != nil:
			return rerr
		case errors.Is(err, fs.ErrNotExist): // a table that went away meanwhile: the log that is replayed says so
			return nil
		case err != nil:
			return err
		case d.IsDir() && transient[top] && below && top != "pg_wal":
			return fs.SkipDir
		case d.IsDir():
			return i.mkdir(name)
		case transient[top] || !d.Type().IsRegular():
			return nil
		}
		f, err := os.Open(path) //nolint:gosec // a file of the primary's, which this process started
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return i.put(name, f, 0o600)
	})
}

func (i *instance) mkdir(name string) error {
	dir := filepath.Join(i.pgdata(), name)
	return errors.Join(os.MkdirAll(dir, 0o700), i.give(dir))
}

func (i *instance) put(name string, from io.Reader, mode fs.FileMode) error {
	f, err := os.OpenFile(filepath.Join(i.pgdata(), name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode) //nolint:gosec // in a directory that a test made
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close(), i.give(f.Name()))
}

// give makes a file the account's.
func (i *instance) give(path string) error {
	if !i.account.drop {
		return nil
	}
	return os.Lchown(path, i.account.uid, i.account.gid)
}
