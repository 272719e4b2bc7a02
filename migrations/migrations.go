// Package migrations embeds the SQL that makes Roster's schema, as NNNNNNNNNNNNNN_name.tx.up.sql and .tx.down.sql pairs.
//
// Each file runs in one transaction. An applied file is never edited: a change of schema is a new pair, additive first,
// destructive a release later. Running them is db.Migrate's business.
package migrations

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
)

//go:embed *.sql
var files embed.FS

// FS holds the migration files.
func FS() fs.FS { return files }

// Hash names this set of migrations: two equal hashes mean equal schemas. Tests key their template database by it.
func Hash() string {
	h := sha256.New()
	names, _ := fs.Glob(files, "*.sql") // the pattern is constant and well formed
	for _, name := range names {
		b, _ := files.ReadFile(name)
		h.Write([]byte(name))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
