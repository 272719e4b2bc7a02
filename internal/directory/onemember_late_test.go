package directory_test

import (
	"context"
	"database/sql"
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

// TestOneMemberTakesItsTurn holds the turn of a group: the statement waits. What else was done in that turn says what comes next.
func TestOneMemberTakesItsTurn(t *testing.T) {
	t.Parallel()
	const newVersion = `UPDATE groups SET version = version + 1`
	for name, tt := range map[string]struct {
		meanwhile []string // what else is done in that turn
		fails     bool
		then      string // the statement that follows
		counts    string // the members counted, and those there are
	}{
		"to another group":                   {counts: "1 1"},
		"to the group":                       {meanwhile: []string{newVersion}, then: "pg_advisory_xact_lock", counts: "1 1"},
		"to the group, and it is done":       {meanwhile: []string{newVersion + `, member_count = 0`, `DELETE FROM members`}, then: "pg_advisory_xact_lock", counts: "0 0"},
		"to the group, without a word of it": {meanwhile: []string{`DELETE FROM members`}, fails: true, counts: "2 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heard := make(chan string, 100)
			w := newWorldWith(t, db.Options{OnStatement: func(_ context.Context, text string) { heard <- text }})
			w.users("one", "two")
			w.group("g", "one two", "", true)
			tx := w.holdTurn()
			for len(heard) > 0 {
				<-heard
			}
			answer := make(chan error, 1)
			go func() {
				_, err := w.RemoveMembers(context.WithoutCancel(t.Context()), directory.System(), directory.RemoveMembersInput{Group: directory.GroupByName("g"), Users: named("one")}, nothing)
				answer <- err
			}()
			if first := <-heard; !strings.HasPrefix(first, "WITH seen") {
				t.Errorf("first %q", first)
			}
			w.awaitTurn()
			for _, text := range tt.meanwhile {
				if _, err := tx.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-answer; (err != nil) != tt.fails {
				t.Errorf("answered %v", err)
			}
			then := ""
			if len(heard) > 0 {
				then = <-heard
			}
			if !strings.Contains(then, tt.then) || tt.then == "" && then != "" {
				t.Errorf("then %q, want %q", then, tt.then)
			}
			if n := w.text(`SELECT member_count || ' ' || (SELECT count(*) FROM members) FROM groups`); n != tt.counts {
				t.Errorf("%s counted and there, want %s", n, tt.counts)
			}
		})
	}
}

// holdTurn takes the turn of the one group that there is.
func (w *world) holdTurn() *sql.Tx {
	w.t.Helper()
	id := w.uuidOf(`SELECT id FROM groups`)
	tx, err := w.beam.BeginTx(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := tx.ExecContext(w.t.Context(), `SELECT pg_advisory_xact_lock(7033, $1::int)`, (int(id[14])<<8|int(id[15]))%1024); err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// awaitTurn waits until somebody waits for a turn.
func (w *world) awaitTurn() {
	w.t.Helper()
	w.await("the statement to wait", `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
}

// TestOneMemberCalledAnew has the user called otherwise while the statement waits for its turn: what the log tells then, behind that, is
// of the user's new name. Written in other letters the name is the same to whoever looks for it, and to the foreign key.
func TestOneMemberCalledAnew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		remove bool
		called string
	}{
		"added":                     {called: "new"},
		"added, in other letters":   {called: "ONE"},
		"removed":                   {remove: true, called: "new"},
		"removed, in other letters": {remove: true, called: "ONE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.users("one")
			members := ""
			if tt.remove {
				members = "one"
			}
			w.group("g", members, "", true)
			user := directory.UserByUUID(w.uuidOf(`SELECT id FROM users WHERE username = 'one'`))
			tx := w.holdTurn()
			answer := make(chan string, 1)
			go func() {
				ctx, g, users := context.WithoutCancel(t.Context()), directory.GroupByName("g"), []*directory.UserRef{&user}
				var p *directory.Payload
				var err error
				if tt.remove {
					p, err = w.RemoveMembers(ctx, directory.System(), directory.RemoveMembersInput{Group: g, Users: users}, nothing)
				} else {
					p, err = w.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: g, Users: users}, nothing)
				}
				if err != nil {
					answer <- err.Error()
					return
				}
				answer <- p.Outcomes[0].Username
			}()
			w.awaitTurn()
			w.did(w.UpdateUser(t.Context(), directory.System(), directory.UpdateUserInput{User: user, Username: directory.Some(tt.called)}, nothing))
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if got := <-answer; got != tt.called {
				t.Errorf("the answer speaks of %s", got)
			}
			if got := w.text(`SELECT username FROM changes ORDER BY tx DESC, seq DESC LIMIT 1`); got != tt.called {
				t.Errorf("the log speaks of %s", got)
			}
			w.checkCounters()
			w.checkReplay()
		})
	}
}
