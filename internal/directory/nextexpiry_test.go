package directory_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// counted is what a group says of how many its members are.
func (w *world) counted(group directory.GroupRef) int {
	w.t.Helper()
	g, err := w.Group(w.t.Context(), directory.System(), group, directory.Selection{Fields: []string{"memberCount"}})
	if err != nil || g == nil {
		w.t.Fatal(g, err)
	}
	return g.MemberCount
}

// until adds members, or gives those that there are another end.
func (w *world) until(group directory.GroupRef, at time.Time, users []*directory.UserRef) {
	w.t.Helper()
	w.did(w.AddMembers(w.t.Context(), directory.System(), directory.AddMembersInput{Group: group, Users: users, ExpiresAt: &at}, nothing))
}

// nextExpiry is what a group says of when the next of its memberships ends.
const nextExpiry = `SELECT coalesce(to_char(next_expiry AT TIME ZONE 'UTC', 'YYYY'), 'never') FROM groups WHERE name = 'club'`

// passes has 2030 pass: what ends then has ended an hour ago. The trigger hears nothing of it, as it hears nothing of the time.
const passes = `SET session_replication_role = replica;
	UPDATE members SET expires_at = now() - interval '1 hour' WHERE expires_at = '2030-01-01Z';
	UPDATE groups SET next_expiry = now() - interval '1 hour' WHERE next_expiry = '2030-01-01Z'; RESET session_replication_role`

// TestMemberCountUnswept: memberCount is of this very moment, before a sweep and after it, whichever way a membership got its end; and
// the sweep leaves the group with the end that comes next.
func TestMemberCountUnswept(t *testing.T) {
	t.Parallel()
	by, sooner, later := directory.System(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name   string
		do     func(w *world)
		before int    // how many there are in club
		said   string // the year in which the next of them ends
		passed int    // how many there are when 2030 has passed
		closed int    // how many of them the sweep closes
		next   string // the year in which the next one ends then
	}{
		{"nobody", func(*world) {}, 2, "never", 2, 0, "never"},
		{"one", func(w *world) { w.until(club, sooner, numbered(2, 3)) }, 3, "2030", 2, 1, "never"},
		{"one later", func(w *world) { w.until(club, later, numbered(2, 3)) }, 3, "2040", 3, 0, "2040"},
		{"two ends", func(w *world) { w.until(club, later, numbered(2, 4)); w.until(club, sooner, numbered(4, 7)) }, 7, "2030", 4, 3, "2040"},
		{"many with one end", func(w *world) { w.until(club, sooner, numbered(2, 30)) }, 30, "2030", 2, 28, "never"},
		{"sooner", func(w *world) { w.until(club, later, numbered(2, 4)); w.until(club, sooner, numbered(2, 3)) }, 4, "2030", 3, 1, "2040"},
		{"later", func(w *world) { w.until(club, sooner, numbered(2, 4)); w.until(club, later, numbered(2, 3)) }, 4, "2030", 3, 1, "2040"},
		{"all later", func(w *world) { w.until(club, sooner, numbered(2, 4)); w.until(club, later, numbered(2, 4)) }, 4, "2030", 4, 0, "2040"},
		{"an end for one who was there", func(w *world) { w.until(club, sooner, numbered(1, 2)) }, 2, "2030", 1, 1, "never"},
		{"gone before", func(w *world) {
			w.until(club, sooner, numbered(2, 4))
			w.did(w.RemoveMembers(t.Context(), by, directory.RemoveMembersInput{Group: club, Users: numbered(2, 4)}, nothing))
		}, 2, "2030", 2, 0, "never"},
		{"gone, and back for good", func(w *world) {
			w.until(club, sooner, numbered(2, 4))
			w.did(w.RemoveMembers(t.Context(), by, directory.RemoveMembersInput{Group: club, Users: numbered(2, 4)}, nothing))
			w.did(w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: club, Users: numbered(2, 4)}, nothing))
		}, 4, "2030", 4, 0, "never"},
		{"over, and back until", func(w *world) {
			w.until(club, later, numbered(2, 4))
			w.exec(`UPDATE members SET expires_at = '2020-01-01Z' WHERE expires_at IS NOT NULL`)
			w.until(club, sooner, numbered(2, 4))
		}, 4, "2020", 2, 2, "never"},
		{"restored", func(w *world) {
			w.until(club, later, numbered(2, 4))
			w.until(club, sooner, numbered(4, 5))
			w.remove(club)
			w.did(w.restore(directory.RestoreGroupInput{Group: club}))
		}, 5, "2030", 4, 1, "2040"},
		{"inserted by hand", func(w *world) {
			w.exec(`INSERT INTO members (group_id, user_id, id, username_key, via, expires_at)
				SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'SYSTEM', '2030-01-01Z' FROM groups g, users u WHERE g.name = 'club' AND u.username = 'u2'`)
			w.exec(`UPDATE groups SET member_count = member_count + 1 WHERE name = 'club'`)
		}, 3, "2030", 2, 1, "never"},
		{"over already, by hand", func(w *world) {
			w.until(club, later, numbered(2, 3))
			w.exec(`UPDATE members SET expires_at = '2020-01-01Z' WHERE expires_at IS NOT NULL`)
		}, 2, "2020", 2, 1, "never"},
		{"for good by hand", func(w *world) {
			w.until(club, sooner, numbered(2, 3))
			w.exec(`UPDATE members SET expires_at = NULL`)
		}, 3, "2030", 3, 0, "never"},
		{"from elsewhere by hand", func(w *world) {
			w.group("elsewhere", "", "u0", false)
			w.until(directory.GroupByName("elsewhere"), sooner, numbered(2, 3))
			w.exec(`UPDATE members SET group_id = (SELECT id FROM groups WHERE name = 'club') WHERE expires_at IS NOT NULL`)
			w.exec(`UPDATE groups SET member_count = CASE name WHEN 'club' THEN 3 ELSE 0 END`)
		}, 3, "2030", 2, 1, "never"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.manyUsers(30)
			w.group("club", "u0 u1", "u0", false)
			row.do(w)
			w.checkCounters()
			if n, said := w.counted(club), w.text(nextExpiry); n != row.before || said != row.said {
				t.Errorf("at first %d are there and the next one ends in %s; want %d, %s", n, said, row.before, row.said)
			}
			w.exec(passes)
			if n := w.counted(club); n != row.passed {
				t.Errorf("after 2030 %d are there, want %d", n, row.passed)
			}
			if n, err := w.SweepExpired(t.Context()); n != row.closed || err != nil {
				t.Errorf("the sweep closes %d, %v; want %d", n, err, row.closed)
			}
			if n, said := w.counted(club), w.text(nextExpiry); n != row.passed || said != row.next {
				t.Errorf("after the sweep %d are there and the next one ends in %s; want %d, %s", n, said, row.passed, row.next)
			}
			w.checkCounters()
		})
	}
}

// TestMemberCountAsTimePasses: nothing but the time is needed for a membership to end.
func TestMemberCountAsTimePasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manyUsers(3)
	w.group("club", "u0", "u0", false)
	w.until(club, time.Now().Add(500*time.Millisecond), numbered(1, 2))
	w.until(club, time.Now().Add(time.Hour), numbered(2, 3))
	w.await("the end", `SELECT min(expires_at) <= now() FROM members`)
	if n := w.counted(club); n != 2 {
		t.Errorf("%d are there, want 2", n)
	}
}

// TestSweepBeside: an end that somebody writes by hand while a sweep reckons, and that the sweep does not see yet, is not lost.
func TestSweepBeside(t *testing.T) {
	t.Parallel()
	w := expired(t)
	hand, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hand.Rollback() }() // after a commit it does nothing
	var pid int
	if err := hand.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	err = w.store.InTx(t.Context(), true, func(tx *db.Store) error {
		ids, err := tx.LockExpired(t.Context(), 10)
		if err != nil {
			return err
		}
		go func() {
			_, err := hand.ExecContext(context.WithoutCancel(t.Context()), `UPDATE members SET expires_at = now() + interval '1 hour' WHERE username_key = 'bob'`)
			wrote <- err
		}()
		// It waits, or is done and keeps it to itself.
		w.await("the other one", `SELECT state <> 'active' AND backend_xid IS NOT NULL OR wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1`, pid)
		gone, err := tx.DeleteExpired(t.Context(), ids, 10)
		if err == nil && len(gone) != 1 {
			err = errors.New("nobody was swept")
		}
		return errors.Join(err, tx.ReckonNextExpiry(t.Context(), ids))
	})
	if err := errors.Join(err, <-wrote, hand.Commit()); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE groups SET member_count = 1 WHERE name = 'club'`) // as a sweep does
	w.checkCounters()
	if got := w.text(`SELECT g.next_expiry = m.expires_at FROM groups g JOIN members m ON m.group_id = g.id`); got != "true" {
		t.Error("the group does not say when bob's membership ends")
	}
}

// TestSweepInParts: a sweep takes the same statements however many it closes, and comes back for those that it left.
func TestSweepInParts(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	w := newWorldWith(t, db.Options{OnStatement: func(context.Context, string) { statements.Add(1) }})
	w.manyUsers(500)
	sweep := func(want int) int64 {
		t.Helper()
		w.exec(`UPDATE members SET expires_at = now()`)
		statements.Store(0)
		if n, err := w.SweepExpired(t.Context()); n != want || err != nil {
			t.Errorf("the sweep closes %d, %v; want %d", n, err, want)
		}
		return statements.Load()
	}
	w.group("one", "u0", "u0", false)
	few := sweep(1)
	for _, name := range []string{"a", "b", "c"} {
		w.group(name, "", "u0", false)
		w.until(directory.GroupByName(name), time.Now().Add(time.Hour), numbered(0, 400))
	}
	if many := sweep(1_000); many != few {
		t.Errorf("a sweep of one takes %d statements, one of 1,000 takes %d", few, many)
	}
	if left := w.counted(directory.GroupByName("a")) + w.counted(directory.GroupByName("b")) + w.counted(directory.GroupByName("c")); left != 0 {
		t.Errorf("%d are there of those that the sweep left", left)
	}
	if rest := sweep(200); rest != few {
		t.Errorf("a sweep of one takes %d statements, one of 200 takes %d", few, rest)
	}
	w.checkCounters()
}

// TestSweepBesideMoreTime: a membership that somebody gives more time by hand, while a sweep that found it over waits for the row, stays.
func TestSweepBesideMoreTime(t *testing.T) {
	t.Parallel()
	w := expired(t)
	hand, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hand.Rollback() }() // after a commit it does nothing
	if _, err := hand.ExecContext(t.Context(), `UPDATE members SET expires_at = NULL WHERE username_key = 'ann'`); err != nil {
		t.Fatal(err)
	}
	swept := make(chan error, 1)
	go func() {
		n, err := w.SweepExpired(t.Context())
		if err == nil && n != 0 {
			err = errors.New("the sweep closes what is not over")
		}
		swept <- err
	}()
	w.await("the sweep", `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	if err := errors.Join(hand.Commit(), <-swept); err != nil {
		t.Error(err)
	}
	if n := w.counted(club); n != 2 {
		t.Errorf("%d are there, want 2", n)
	}
	w.checkCounters()
}

// TestSweepGoesOn: groups of which nobody's time is over, though they said so, do not keep the sweep from the others.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	w := expired(t)
	w.exec(`INSERT INTO groups (id, handle, name, next_expiry) SELECT gen_random_uuid(), 'g' || i, 'g' || i, '2020-01-01' FROM generate_series(1, 2000) i`)
	if n, err := w.SweepExpired(t.Context()); n != 1 || err != nil {
		t.Errorf("the sweep closes %d, %v; want 1", n, err)
	}
	if late := w.text(`SELECT count(*)::text FROM groups WHERE next_expiry <= now()`); late != "0" {
		t.Errorf("%s groups still say that somebody's time is over", late)
	}
}
