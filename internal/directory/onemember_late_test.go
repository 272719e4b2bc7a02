package directory_test

import (
	"context"
	"strings"
	"testing"

	"roster/db"
	"roster/internal/directory"
)

// TestOneMemberComesTooLate has the caller demoted while the statement waits for the group's row, by somebody who took no turn. What it
// saw was so when it began; it must not be what it goes by.
func TestOneMemberComesTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("boss", "other", "new")
	w.group("g", "", "boss other", true)
	boss := w.as("boss")
	tx, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`UPDATE groups SET version = version + 1, admin_count = 1 WHERE name = 'g'`, `DELETE FROM admins WHERE username_key = 'boss'`} {
		if _, err := tx.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	answer := make(chan error, 1)
	go func() {
		_, err := w.AddMembers(context.WithoutCancel(t.Context()), boss, directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named("new")}, nothing)
		answer <- err
	}()
	w.await("the statement to wait", `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'WITH seen%')`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; failure(err) != directory.Forbidden {
		t.Errorf("got %v, want FORBIDDEN", err)
	}
	w.checkCounters()
	if n := w.text(`SELECT count(*) FROM members`); n != "0" {
		t.Errorf("%s members", n)
	}
}

// TestOneMemberTakesItsTurn holds the turn of a group: the statement gives up at once, and the ordinary way waits.
func TestOneMemberTakesItsTurn(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 100)
	w := newWorldWith(t, db.Options{OnStatement: func(_ context.Context, text string) { heard <- text }})
	w.users("new")
	for range 5 { // by their ids they have different turns
		w.exec(`DELETE FROM groups`)
		w.group("g", "", "", true)
		id := w.uuidOf(`SELECT id FROM groups`)
		tx, err := w.beam.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(7033, $1::int)`, (int(id[14])<<8|int(id[15]))%1024); err != nil {
			t.Fatal(err)
		}
		for len(heard) > 0 {
			<-heard
		}
		answer := make(chan error, 1)
		go func() {
			_, err := w.AddMembers(context.WithoutCancel(t.Context()), directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named("new")}, nothing)
			answer <- err
		}()
		short, long := <-heard, <-heard
		if !strings.HasPrefix(short, "WITH seen") || !strings.Contains(long, "pg_advisory_xact_lock") {
			t.Errorf("first %q, then %q", short, long)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; err != nil {
			t.Error(err)
		}
	}
}
