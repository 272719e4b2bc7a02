package config

import (
	"os"
	"path/filepath"
)

// systemData is where root keeps the data: the user that Postgres runs as can go there, and not into root's home.
const systemData = "/var/lib/roster"

// dataDir is the default directory of the embedded Postgres: below the user's data directory. It is empty if there is
// no telling where that is.
func dataDir(getenv func(string) string, goos string, euid int, searchable func(dir string) bool) string {
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "roster")
	}
	home := getenv("HOME")
	switch usable := filepath.IsAbs(home); {
	case euid == 0 && (!usable || !searchable(home)):
		return systemData
	case !usable:
		return ""
	case goos == "darwin":
		return filepath.Join(home, "Library", "Application Support", "roster")
	}
	return filepath.Join(home, ".local", "share", "roster")
}

// searchable reports whether everybody may pass through the directory.
func searchable(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o001 == 0 {
		return false
	}
	parent := filepath.Dir(dir)
	return parent == dir || searchable(parent)
}
