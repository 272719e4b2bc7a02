// Package rostertest is the test kit: a directory on a database of its own, in a line.
package rostertest

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/embedded"
	"roster/migrations"
)

// AdminSecret is the token of the first administrator of every test directory.
const AdminSecret = "the-first-administrator-of-tests"

var template = embedded.Template{Key: migrations.Hash(), Build: func(ctx context.Context, url string) error {
	_, err := db.Migrate(ctx, url)
	return err
}}

// URL is a database with Roster's schema and nothing in it, for this test alone.
func URL(t testing.TB) string {
	t.Helper()
	return embedded.Acquire(t, template)
}

// Store opens a store on a database of the test's own.
func Store(t testing.TB, o db.Options) *db.Store {
	t.Helper()
	o.URL = URL(t)
	s, err := db.Open(Patient(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Patient has statements wait for as long as a busy machine may need, where the test does not say for how long.
func Patient(o db.Options) db.Options {
	o.StatementTimeout = cmp.Or(o.StatementTimeout, time.Minute)
	o.LockTimeout = cmp.Or(o.LockTimeout, time.Minute)
	return o
}

// Directory is a directory on a database of the test's own, with its first administrator.
func Directory(t testing.TB) *directory.Service {
	t.Helper()
	return DirectoryOn(t, Store(t, db.Options{}))
}

// DirectoryOn is a directory on the given store, with its first administrator.
func DirectoryOn(t testing.TB, store *db.Store) *directory.Service {
	t.Helper()
	dir := directory.New(directory.Config{Store: store, TokenKey: []byte("a key for tests"), Webhooks: Webhooks{}, RestoreWithin: directory.DefaultRestoreWithin})
	if _, err := dir.EnsureAdmin(t.Context(), AdminSecret); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Webhooks is where a test directory sends webhooks: nowhere. Hosts whose names begin with "down" answer 503, "gone" 410; others take all.
type Webhooks struct{}

// Check wants an address to be https.
func (Webhooks) Check(url string) string {
	if !strings.HasPrefix(url, "https://") {
		return "It has to be https."
	}
	return ""
}

// Send answers at once.
func (Webhooks) Send(_ context.Context, m directory.WebhookMessage) directory.WebhookAnswer {
	a := directory.WebhookAnswer{Status: 204, Duration: 12 * time.Millisecond}
	switch {
	case strings.HasPrefix(m.URL, "https://down"):
		a.Status = 503
	case strings.HasPrefix(m.URL, "https://gone"):
		a.Status = 410
	}
	return a
}

// Admin is the first administrator as a caller through the given door.
func Admin(t testing.TB, dir *directory.Service, via directory.Door) directory.Caller {
	t.Helper()
	by, err := dir.AuthenticateNow(t.Context(), AdminSecret)
	if err != nil {
		t.Fatal(err)
	}
	by.Via = via
	return by
}
