package directory_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/internal/directory"
)

// TestPanicOfTheReader: it ends the streams, and nothing else; the next ones are read for.
func TestPanicOfTheReader(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	w := newWorldWith(t, db.Options{OnStatement: func(_ context.Context, text string) {
		if strings.Contains(text, "SELECT EXISTS (SELECT 1 FROM changes") && armed.CompareAndSwap(true, false) {
			panic("of the reader")
		}
	}})
	w.users("ann")
	w.settle()
	ctx := patience(t)
	s := &subscriber{w: w, s: w.Service, by: directory.System()}
	st := s.open(ctx)
	st.Attach(ctx)
	armed.Store(true)
	w.users("bob")
	if err := s.take(ctx, st, 1_000); failure(err) != directory.Internal {
		t.Fatalf("the stream ends with %v", err)
	}
	next := s.open(ctx)
	w.users("cid")
	if err := s.take(ctx, next, len(s.seen)+1); err != nil {
		t.Fatalf("the next one ends with %v", err)
	}
}

// TestStreamsOfTheVouchedFor: a caller of an issuer's is who Roster says now, with the roles that the token gives for as long as it lives.
func TestStreamsOfTheVouchedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("bob", "cid")
	w.group("g", "bob", "", false)
	id, own := claimed("s1", "ann", creates), claimed("s2", "dan", creates)
	own.Roles = []directory.Role{directory.RoleAdministrator}
	w.recognised(id)
	roles := func(rs ...directory.Role) {
		w.did(w.UpdateUser(t.Context(), directory.System(), directory.UpdateUserInput{User: *named("ann")[0], Roles: directory.Some(rs)}, nothing))
	}
	roles(directory.RoleAdministrator)
	ctx := patience(t)
	w.settle()
	ann, dan := &subscriber{w: w, s: w.Service, by: w.recognised(id)}, &subscriber{w: w, s: w.Service, by: w.recognised(own)}
	w.settle()
	anns, dans := ann.open(ctx), dan.open(ctx)
	anns.Attach(ctx)
	dans.Attach(ctx)
	roles()
	w.did(w.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named("cid")}, nothing))
	if err := dan.take(ctx, dans, 2); err != nil {
		t.Fatal(err)
	}
	w.did(w.DeleteUser(ctx, directory.System(), directory.DeleteUserInput{User: *named("ann")[0]}, nothing))
	if err := ann.take(ctx, anns, 1000); failure(err) != directory.Unauthenticated || len(ann.seen) > 0 {
		t.Errorf("ann, demoted and then deleted, is shown %d changes and %v", len(ann.seen), err)
	}
	if _, err := w.Subscribe(ctx, ann.by, directory.StreamArgs{}, nothing); failure(err) != directory.Unauthenticated {
		t.Errorf("ann, who is gone, can open another stream: %v", err)
	}
}

// TestWhatWaitsIsLookedAtAgain: a change that was for somebody when it came is not given to them when the right has gone before they took it.
func TestWhatWaitsIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "eli")
	w.group("g", "bob eli", "", false)
	w.group("h", "bob", "", false)
	w.settle()
	ctx := patience(t)
	eli := &subscriber{w: w, s: w.Service, by: w.as("eli")}
	w.settle()
	st := eli.open(ctx)
	st.Attach(ctx)
	w.did(w.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named("ann")}, nothing))
	w.awaitRead(ctx)
	w.did(w.RemoveAdmins(ctx, directory.System(), directory.RemoveAdminsInput{Group: directory.GroupByName("g"), Users: named("eli")}, nothing))
	w.did(w.AddAdmins(ctx, directory.System(), directory.AddAdminsInput{Group: directory.GroupByName("h"), Users: named("eli")}, nothing))
	if err := eli.take(ctx, st, 1); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w.log(`kind = 'ADMIN_ADDED' AND group_name = 'h' AND username = 'eli'`), eli.seen); d != "" {
		t.Errorf("eli, an admin of g no more:\n%s", d)
	}
}
