package directory_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/google/uuid"

	"roster/db"
	"roster/internal/directory"
)

// TestOneMemberComesTooLate has the caller demoted while the statement waits for the group's row, by somebody who took no turn. What it
// saw was so when it began; it must not be what it goes by.
func TestOneMemberComesTooLate(t *testing.T) {
	t.Parallel()
	for _, users := range []string{"new", "new newer"} {
		t.Run(users, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.users("boss", "other", "new", "newer")
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
				_, err := w.AddMembers(context.WithoutCancel(t.Context()), boss, directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named(users)}, nothing)
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
		})
	}
}

// TestOneMemberTakesItsTurn holds the turn of a group: the statement waits, and what else was done in that turn is so for the next one.
func TestOneMemberTakesItsTurn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile []string // what else is done in that turn
		counts    string   // the members counted, and those there are
	}{
		"to another group":             {counts: "1 1"},
		"to the group":                 {meanwhile: []string{`UPDATE groups SET version = version + 1`}, counts: "1 1"},
		"to the group, and it is done": {meanwhile: []string{`UPDATE groups SET version = version + 1, member_count = 0`, `DELETE FROM members`}, counts: "0 0"},
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
			answer := w.removesOne()
			w.awaitTurn()
			for _, text := range tt.meanwhile {
				if _, err := tx.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-answer; err != nil {
				t.Error(err)
			}
			for range 2 {
				if text := <-heard; !strings.HasPrefix(text, "WITH seen") {
					t.Errorf("sent %q", text)
				}
			}
			if len(heard) > 0 {
				t.Errorf("then %q", <-heard)
			}
			w.inAll(tt.counts)
		})
	}
}

// TestOneMemberGoesAnotherWay holds the turn as often as the statement tries: then the ordinary way waits.
func TestOneMemberGoesAnotherWay(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 100)
	w := newWorldWith(t, db.Options{OnStatement: func(_ context.Context, text string) { heard <- text }})
	w.users("one", "two")
	w.group("g", "one two", "", true)
	id, tx := w.uuidOf(`SELECT id FROM groups`), w.holdTurn()
	for len(heard) > 0 {
		<-heard
	}
	answer := w.removesOne()
	for n := 1; ; n++ {
		text := <-heard
		if !strings.HasPrefix(text, "WITH seen") {
			if n != 4 || !strings.Contains(text, "pg_advisory_xact_lock") {
				t.Errorf("number %d is %q", n, text)
			}
			break
		}
		w.awaitTurn()
		next, failed := make(chan *sql.Tx, 1), make(chan error, 1)
		go func() { // behind the statement
			tx, err := w.takeTurn(id)
			next <- tx
			failed <- err
		}()
		w.await("another to wait", `SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		tx = <-next
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
	w.inAll("1 1")
}

// TestOneMemberWithoutAWord has somebody take the member out behind the group's back, who holds its row, but makes no new version: nothing
// is written by halves.
func TestOneMemberWithoutAWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("one", "two")
	w.group("g", "one two", "", true)
	tx, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`SELECT FROM groups FOR UPDATE`, `DELETE FROM members WHERE username_key = 'one'`} {
		if _, err := tx.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	answer := w.removesOne()
	w.await("the statement to wait", `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'WITH seen%')`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; failure(err) != directory.Internal {
		t.Errorf("got %v, want INTERNAL", err)
	}
	w.inAll("2 1")
}

// removesOne takes a user out of the group; what comes of it is in the channel.
func (w *world) removesOne() chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := w.RemoveMembers(context.WithoutCancel(w.t.Context()), directory.System(),
			directory.RemoveMembersInput{Group: directory.GroupByName("g"), Users: named("one")}, nothing)
		answer <- err
	}()
	return answer
}

// inAll compares the members that the group counts, and those that there are.
func (w *world) inAll(want string) {
	w.t.Helper()
	if n := w.text(`SELECT member_count || ' ' || (SELECT count(*) FROM members) FROM groups`); n != want {
		w.t.Errorf("%s counted and there, want %s", n, want)
	}
}

// holdTurn takes the turn of the one group that there is.
func (w *world) holdTurn() *sql.Tx {
	w.t.Helper()
	tx, err := w.takeTurn(w.uuidOf(`SELECT id FROM groups`))
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

func (w *world) takeTurn(id uuid.UUID) (*sql.Tx, error) {
	tx, err := w.beam.BeginTx(w.t.Context(), nil)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(w.t.Context(), `SELECT pg_advisory_xact_lock(7033, $1::int)`, (int(id[14])<<8|int(id[15]))%1024)
	return tx, err
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
