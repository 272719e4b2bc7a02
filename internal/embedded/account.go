package embedded

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	socketName = ".s.PGSQL.5432"
	// What every system accepts as the name of a socket: Linux has 107 bytes, macOS 103.
	maxSocketName = 103
)

// account is the user the server runs as: ourselves, or somebody else if we are root, whom Postgres turns away.
type account struct {
	name     string
	uid, gid int
	drop     bool
}

// accountFor picks the user. As root that is the owner of the directory, so that data somebody made stays theirs, and
// for a directory of root's the user postgres, or nobody.
func accountFor(dir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{name: "you", uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return account{}, err
	}
	if s := owner(info); s.Uid != 0 {
		name := strconv.Itoa(int(s.Uid))
		if u, err := user.LookupId(name); err == nil {
			name = u.Username
		}
		return account{name, int(s.Uid), int(s.Gid), true}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		return account{name, uid, gid, true}, errors.Join(err1, err2)
	}
	return account{}, errors.New("root may not run Postgres, and there is neither a user postgres nor nobody to run it as")
}

func owner(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }

// take gives the directory to the account and closes it to everybody else.
func (a account) take(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if a.drop && int(owner(info).Uid) != a.uid {
		if err := os.Lchown(dir, a.uid, a.gid); err != nil {
			return err
		}
	}
	if info.Mode().Perm() != 0o700 {
		return os.Chmod(dir, 0o700) //nolint:gosec // a directory that its owner cannot enter is of no use
	}
	return nil
}

// checkPrivate reports an error unless the directory is the account's own and closed to everybody else.
func (a account) checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || int(owner(info).Uid) != a.uid || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s (%v, of user %d) was made by somebody else: Postgres needs a private directory of user %d there",
			dir, info.Mode(), owner(info).Uid, a.uid)
	}
	return nil
}

// makePrivate creates the directory for the account, or accepts one that is private already. Names in /tmp are there
// for the taking, so one that somebody else took first is an error.
func (a account) makePrivate(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Lstat(dir); err == nil && a.drop && owner(info).Uid == 0 {
		if err := os.Lchown(dir, a.uid, a.gid); err != nil { // made by root: now, or before a crash right here
			return err
		}
	}
	return a.checkPrivate(dir)
}

// socketDir names the directory of the socket: not the data directory, whose name may be too long for a socket or lie
// where the account cannot go.
func (a account) socketDir(dataDir string) string {
	sum := sha256.Sum256([]byte(dataDir))
	name := fmt.Sprintf("roster-%d-%x", a.uid, sum[:6])
	dir := filepath.Join(os.TempDir(), name)
	if len(filepath.Join(dir, socketName)) > maxSocketName || a.blocked(dir) != "" {
		dir = filepath.Join("/tmp", name)
	}
	return dir
}

// blocked returns the topmost directory above path that the account may not search, "" if it gets there.
func (a account) blocked(path string) string {
	parent := filepath.Dir(path)
	if !a.drop || parent == path {
		return ""
	}
	if dir := a.blocked(parent); dir != "" {
		return dir
	}
	info, err := os.Stat(parent)
	if err != nil { // what is not there closes nothing
		return ""
	}
	search := fs.FileMode(0o001)
	switch s := owner(info); {
	case int(s.Uid) == a.uid:
		search = 0o100
	case int(s.Gid) == a.gid:
		search = 0o010
	}
	if info.Mode().Perm()&search == 0 {
		return parent
	}
	return ""
}
