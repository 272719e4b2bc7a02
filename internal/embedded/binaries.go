package embedded

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// The versions of Postgres that Roster's SQL is written for.
const (
	oldest = 14
	newest = 18
)

// binaries is a directory with initdb and postgres, and their version.
type binaries struct {
	dir   string
	major int
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// inspect looks whether the directory has the programs we need, and asks them for their version.
func inspect(dir string) (binaries, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return binaries{}, err
		}
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // a place that the operator or the system names
	if err != nil {
		return binaries{}, fmt.Errorf("%s/postgres --version: %w", dir, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return binaries{}, fmt.Errorf("%s/postgres --version says %q", dir, out)
	}
	major, err := strconv.Atoi(string(m[1]))
	return binaries{dir, major}, err
}

func (b binaries) supported() bool { return oldest <= b.major && b.major <= newest }

// binaries finds the programs to run the instance with: where the user says, installed, or downloaded. Data can only be
// opened by the version that made it.
func (i *instance) binaries(ctx context.Context) (binaries, error) {
	data, err := i.major()
	if err != nil {
		return binaries{}, err
	}
	if i.config.PGBin != "" {
		return i.given(data)
	}
	installed := i.config.search()
	for _, b := range installed {
		if data == 0 || b.major == data {
			return b, nil
		}
	}
	if len(installed) > 0 && data != downloadMajor {
		return binaries{}, i.wrongMajor(installed[0], data)
	}
	b, err := i.download(ctx)
	if err != nil {
		return binaries{}, fmt.Errorf("no Postgres %d to %d is installed and downloading one failed; install it, or set PG_BIN to "+
			"the directory of its initdb, or set DATABASE_URL to a server that runs: %w", oldest, newest, err)
	}
	if data != 0 && b.major != data {
		return binaries{}, i.wrongMajor(b, data)
	}
	return b, nil
}

// given checks the directory the user insists on.
func (i *instance) given(data int) (binaries, error) {
	b, err := inspect(i.config.PGBin)
	switch {
	case err != nil:
		return binaries{}, fmt.Errorf("PG_BIN=%s is not a directory with initdb and postgres: %w", i.config.PGBin, err)
	case !b.supported():
		return binaries{}, fmt.Errorf("PG_BIN=%s is Postgres %d; Roster runs on %d to %d", i.config.PGBin, b.major, oldest, newest)
	case data != 0 && b.major != data:
		return binaries{}, i.wrongMajor(b, data)
	}
	return b, nil
}

func (i *instance) wrongMajor(b binaries, data int) error {
	return fmt.Errorf("the data in %s was made by Postgres %d, and %s has Postgres %d; install Postgres %d or set PG_BIN to it, "+
		"or move the data with pg_dumpall", i.pgdata(), data, b.dir, b.major, data)
}

// search lists the supported binaries that are installed, best first: what is on the PATH, then where the packages of
// Debian, Red Hat, Homebrew and Postgres.app put them, the newest version first. root is / but in tests.
func search(root, path string) []binaries {
	var found []binaries
	for _, dir := range filepath.SplitList(path) {
		found = append(found, onPath(dir)...)
	}
	for _, pattern := range []string{
		"usr/lib/postgresql/*/bin",
		"usr/pgsql-*/bin",
		"opt/homebrew/opt/postgresql@*/bin",
		"usr/local/opt/postgresql@*/bin",
		"Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs, _ := filepath.Glob(filepath.Join(root, pattern))
		var group []binaries
		for _, dir := range dirs {
			if b, err := inspect(dir); err == nil && b.supported() {
				group = append(group, b)
			}
		}
		slices.SortStableFunc(group, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })
		found = append(found, group...)
	}
	return found
}

// onPath looks for the binaries by way of a directory on the PATH. It may hold them, or links to some of them, or only
// pg_config, as Debian's /usr/bin does.
func onPath(dir string) []binaries {
	if !filepath.IsAbs(dir) {
		return nil
	}
	var dirs []string
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		if file, err := filepath.EvalSymlinks(filepath.Join(dir, name)); err == nil {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	dirs = append(dirs, dir)
	if out, err := exec.Command(filepath.Join(dir, "pg_config"), "--bindir").Output(); err == nil { //nolint:gosec // as in inspect
		dirs = append(dirs, string(bytes.TrimSpace(out)))
	}
	for _, dir := range dirs {
		if b, err := inspect(dir); err == nil && b.supported() {
			return []binaries{b}
		}
	}
	return nil
}
