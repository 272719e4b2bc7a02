package directory_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// under is the caller with a key; what is kept of a write is what its payload tells of the group's version, or as given.
func under(by directory.Caller, key, of string) directory.Caller {
	by.Once = &directory.Once{Key: key, Of: [][]byte{[]byte(of)}, Answer: func(p *directory.Payload) ([]byte, error) {
		var kinds []byte
		for kind := range p.Changed() {
			kinds = append(kinds, kind...)
		}
		return append([]byte("did "), kinds...), nil
	}}
	return by
}

// TestOnceHolds: whatever became of the caller, the group or the time since, a repetition is answered what the first was.
func TestOnceHolds(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	for name, since := range map[string]func(w *world, in *directory.AddMembersInput){
		"nothing":                   func(*world, *directory.AddMembersInput) {},
		"the caller was demoted":    func(w *world, _ *directory.AddMembersInput) { w.exec(`DELETE FROM admins`) },
		"the group is gone":         func(w *world, _ *directory.AddMembersInput) { w.exec(`DELETE FROM groups`) },
		"the user is gone":          func(w *world, _ *directory.AddMembersInput) { w.exec(`DELETE FROM users WHERE username = 'bob'`) },
		"the version is another":    func(w *world, _ *directory.AddMembersInput) { w.exec(`UPDATE groups SET version = 7`) },
		"the expiry has come":       func(_ *world, in *directory.AddMembersInput) { *in.ExpiresAt = time.Now().Add(-time.Minute) },
		"another token of the user": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.users("ann", "bob", "eve")
			w.group("club", "", "ann eve", false)
			at := soon
			in := directory.AddMembersInput{Group: club, Users: named("bob"), ExpiresAt: &at, ExpectedVersion: ptr(1)}
			secret := w.secretOf("ann")
			w.did(w.AddMembers(t.Context(), under(w.with(secret), "k", "x"), in, nothing))
			if since == nil {
				if p, err := w.AddMembers(t.Context(), under(w.as("ann"), "k", "x"), in, nothing); failure(err) != directory.Conflict {
					t.Errorf("another token of the user's is answered %+v, %v", p, err)
				}
				return
			}
			since(w, &in)
			before := w.dump()
			p, err := w.AddMembers(t.Context(), under(w.with(secret), "k", "x"), in, nothing)
			if err != nil || !p.Repeated || string(p.Answer) != "did MEMBER_ADDED" {
				t.Errorf("again: %+v, %v", p, err)
			}
			if w.dump() != before {
				t.Error("a repetition wrote something")
			}
			if _, err := w.AddMembers(t.Context(), under(w.with(secret), "k", "y"), in, nothing); failure(err) != directory.Conflict || directory.AsError(err).Field != directory.OnceField {
				t.Errorf("another request: %v", err)
			}
		})
	}
}

// TestOnceKeysRotate: other keys of hashes make no other requests of those that were done.
func TestOnceKeysRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.root()
	in := directory.CreateGroupInput{Name: "eng"}
	w.did(w.CreateGroup(t.Context(), under(by, "k", "x"), in, nothing))
	rotated := directory.New(directory.Config{Store: w.store, TokenKey: []byte("another key"), PreviousTokenKeys: [][]byte{[]byte("a key for tests")}})
	if p, err := rotated.CreateGroup(t.Context(), under(by, "k", "x"), in, nothing); err != nil || !p.Repeated {
		t.Errorf("under another key of hashes: %+v, %v", p, err)
	}
	if _, err := rotated.CreateGroup(t.Context(), under(by, "k", "y"), in, nothing); failure(err) != directory.Conflict {
		t.Errorf("another request: %v", err)
	}
	// The second write of a request that began under the key of before is one of the same request.
	second := under(by, "k", "x")
	second.Once.Place = "b"
	if p, err := rotated.CreateGroup(t.Context(), second, directory.CreateGroupInput{Name: "ops"}, nothing); err != nil || p.Repeated {
		t.Errorf("the second write: %+v, %v", p, err)
	}
}

// TestOnceTooLong: an answer is kept up to its limit; beyond it, or if it cannot be made, nothing is done.
func TestOnceTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, row := range map[string]struct {
		answer []byte
		err    error
		want   directory.Code
	}{
		"just": {bytes.Repeat([]byte("x"), directory.MaxKept), nil, ""},
		"more": {bytes.Repeat([]byte("x"), directory.MaxKept+1), nil, directory.LimitExceeded},
		"none": {nil, errors.New("it cannot be made"), directory.Internal},
	} {
		by := under(w.root(), name, "x")
		by.Once.Answer = func(*directory.Payload) ([]byte, error) { return row.answer, row.err }
		_, err := w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: name}, nothing)
		made := w.text(`SELECT count(*) FROM groups WHERE name = $1`, name)
		if failure(err) != row.want || (made == "1") != (row.want == "") {
			t.Errorf("%s: %v, %s groups made", name, err, made)
		}
	}
}

// TestOnceCosts: a key costs a write one statement, and one that comes without none.
func TestOnceCosts(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	w := newWorldWith(t, db.Options{OnStatement: func(context.Context, string) { statements.Add(1) }})
	w.users("bob")
	by := w.root()
	w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "first"}, nothing))
	count := func(by directory.Caller, name string) int64 {
		before := statements.Load()
		w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: name}, nothing))
		return statements.Load() - before
	}
	plain, keyed := count(by, "plain"), count(under(by, "k", "x"), "keyed")
	if keyed != plain+1 {
		t.Errorf("%d statements with a key, %d without", keyed, plain)
	}
}

// TestOnceOrder: keys come after turns. A write that waits for its turn has no place in the change log yet: the log's order is that of
// the writes.
func TestOnceOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "carol")
	w.group("club", "", "ann", false)
	by := w.root()
	holder, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(7033, (get_byte(uuid_send(id), 14) << 8 | get_byte(uuid_send(id), 15)) % 1024) FROM groups`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := w.AddMembers(t.Context(), under(by, "k", "x"), directory.AddMembersInput{Group: club, Users: named("bob carol")}, nothing)
		done <- err
	}()
	w.await("the write to wait for its turn", `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	if n := w.text(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()`); n != "0" {
		t.Errorf("%s transactions have their ids before their turns", n)
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
