package directory_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// keyed is a directory on the same database with other keys: the current one, then those before it.
func (w *world) keyed(keys ...string) *world {
	w.t.Helper()
	of := directory.Config{Store: w.store, TokenKey: []byte(keys[0])}
	for _, k := range keys[1:] {
		of.PreviousTokenKeys = append(of.PreviousTokenKeys, []byte(k))
	}
	return &world{Service: directory.New(of), t: w.t, beam: w.beam, store: w.store}
}

const oldKey = "a key for tests" // rostertest's

// A token that was made under a key outlives the key: another server takes it while it knows the key, and once it was used there, and
// its last use is a minute old, the key is no longer needed.
func TestTokenKeysRotate(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	used, unused := w.keyOf("ann", "used", directory.PermissionGroupsView), w.keyOf("ann", "unused", directory.PermissionGroupsView)
	next := w.keyed("another key", oldKey)
	if w.keyed("another key").lives(used) {
		t.Fatal("a key does not matter")
	}
	if !next.lives(used) {
		t.Fatal("the key before does not count")
	}
	if w.lives(used) && w.keyed(oldKey).lives(used) {
		t.Error("it is still kept under the old key")
	}
	if !w.keyed("another key").lives(used) || w.keyed("another key").lives(unused) {
		t.Error("it is not kept under the new key, or another one is")
	}
	if !w.keyed("a third", "another key", oldKey).lives(unused) {
		t.Error("of several keys before, not all count")
	}
}

// Rotation of a token's secret and of the key, at once: the old secret, within its overlap, is taken under the old key and kept under the new.
func TestTokenKeysRotateWithinAnOverlap(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	first := w.keyOf("ann", "key", directory.PermissionGroupsView)
	second := w.did(w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed("key"), OverlapSeconds: 3600}, nothing)).Secret
	next := w.keyed("another key", oldKey)
	if !next.lives(first) || !w.keyed("another key").lives(first) {
		t.Error("the secret before is not kept under the new key")
	}
	w.later(2 * time.Minute) // until a use is written again
	if !next.keyed("another key", oldKey).lives(second) || !w.keyed("another key").lives(second) {
		t.Error("the secret is not kept under the new key")
	}
	w.later(time.Hour)
	if next.lives(first) || !next.lives(second) {
		t.Error("the overlap does not end, or the secret does")
	}
}

// Two servers that disagree about which key is the current one rewrite a token once a minute at most.
func TestTokenKeysDoNotFight(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	secret := w.keyOf("ann", "key", directory.PermissionGroupsView)
	kept := func() string { return w.text(`SELECT hash::text FROM tokens WHERE description = 'key'`) }
	w.keyed(oldKey, "another key").with(secret)
	before := kept()
	for range 3 {
		w.keyed("another key", oldKey).with(secret)
		w.keyed(oldKey, "another key").with(secret)
	}
	if kept() != before {
		t.Error("it was rewritten within the minute")
	}
	w.later(61 * time.Second)
	if w.keyed("another key", oldKey).with(secret); kept() == before {
		t.Error("it was not rewritten after a minute")
	}
}

// However many keys there are, whose a secret is takes one statement, and taking over the key is part of the other that writes its use.
func TestTokenKeysTakeNoMoreStatements(t *testing.T) {
	t.Parallel()
	count := 0
	store := rostertest.Store(t, db.Options{OnStatement: func(context.Context, string) { count++ }})
	old := rostertest.DirectoryOn(t, store)
	user := directory.UserByName(directory.FirstAdmin)
	made, err := old.CreateToken(t.Context(), directory.System(), directory.CreateTokenInput{User: &user}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	next := directory.New(directory.Config{Store: store, TokenKey: []byte("4"), PreviousTokenKeys: [][]byte{[]byte("3"), []byte("2"), []byte(oldKey)}})
	for i, want := range []int{2, 0} {
		count = 0
		if _, err := next.Authenticate(t.Context(), made.Secret); err != nil || count != want {
			t.Errorf("request %d: %d statements, want %d (%v)", i, count, want, err)
		}
	}
}

// What docs/tokens.md tells scanners of secrets finds ours, and tells them from what only looks like one.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`(?m)^    (\S*rst_\S*)$`).FindStringSubmatch(string(document))
	if written == nil {
		t.Fatal("docs/tokens.md has no regular expression")
	}
	pattern := regexp.MustCompile(written[1])
	for range 1000 {
		secret := directory.NewSecret()
		for _, text := range []string{secret, "Authorization: Bearer " + secret + "\r\n", `{"token":"` + secret + `"}`, "TOKEN=" + secret + ";"} {
			if pattern.FindString(text) != secret {
				t.Fatalf("%s is not found in %q", secret, text)
			}
		}
	}
	for _, other := range []string{strings.TrimSuffix(directory.NewSecret(), "0")[:39], directory.NewSecret() + "x", "first_" + directory.NewSecret()[4:], "rst_" + strings.Repeat("-", 36)} {
		if found := pattern.FindString(other); found != "" {
			t.Errorf("%s is found in %s", found, other)
		}
	}
	example := regexp.MustCompile("`(rst_[0-9A-Za-z]{30})([0-9A-Za-z]{6})`").FindStringSubmatch(string(document))
	if example == nil || !directory.Ours(example[1]+example[2]) {
		t.Errorf("the example is none: %v", example)
	}
}
