package directory_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

var wantedOfChanges = directory.Selection{Fields: []string{"id", "kind", "groupName", "username", "at"}}

// follower reads a feed from where it has got to.
type follower struct {
	w      *world
	filter *directory.ChangeFilter
	cursor *string
	seen   []string
}

// read takes one page of at most n, and reports whether the feed says that there is more.
func (f *follower) read(n int) (more bool) {
	f.w.t.Helper()
	c, err := f.w.Changes(f.w.t.Context(), directory.System(), directory.Page{Rows: true, Filter: f.filter, PageArgs: directory.PageArgs{First: &n, After: f.cursor}}, wantedOfChanges)
	if err != nil {
		f.w.t.Error(err)
		return false
	}
	for _, e := range c.Edges {
		f.seen = append(f.seen, e.Node.ID())
	}
	if c.PageInfo.EndCursor == nil {
		f.w.t.Error("a page of the feed has no cursor to go on from")
		return false
	}
	f.cursor = c.PageInfo.EndCursor
	return c.PageInfo.HasNextPage
}

// log is all of the change log for which a condition holds, in its order.
func (w *world) log(condition string) []string {
	w.t.Helper()
	rows, err := w.beam.QueryContext(w.t.Context(), "SELECT tx::text::bigint, seq FROM changes WHERE "+condition+" ORDER BY tx, seq")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var tx uint64
		var seq int64
		if err := rows.Scan(&tx, &seq); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, directory.TypeID("chg", directory.ChangeID(tx, seq)))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestFeed follows the log while many write to it, some of them in vain: nothing is lost, nothing comes twice, and the order is the
// log's own.
func TestFeed(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := newWorld(t)
	w.manyUsers(20)
	for i := range 3 {
		w.group(fmt.Sprintf("g%d", i), "", "u0 u1", false)
	}
	followers := []*follower{
		{w: w}, {w: w, filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindMemberRemoved, directory.ChangeKindUserUpdated}}},
		{w: w, filter: &directory.ChangeFilter{Group: ptr(directory.GroupByName("g1"))}},
	}
	var writing, reading sync.WaitGroup
	for range 6 {
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		writing.Go(func() {
			for range 25 {
				if err := w.writeSomething(own); err != nil && failure(err) == directory.Internal {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	for _, f := range followers {
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f.read(1 + own.IntN(40))
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	w.settle()
	for i, condition := range []string{"true", "kind IN ('MEMBER_REMOVED', 'USER_UPDATED')", "group_name = 'g1'"} {
		f := followers[i]
		for f.read(50) {
			continue
		}
		want := w.log(condition)
		if d := cmp.Diff(want, f.seen); d != "" {
			t.Errorf("where %s, %d changes were written and %d read:\n%s", condition, len(want), len(f.seen), d)
		}
		if len(want) < 20 {
			t.Errorf("where %s there are %d changes: too few to test", condition, len(want))
		}
	}
}

// writeSomething writes at random: most of it is kept, some is rolled back, on request or for a mistake in its last part.
func (w *world) writeSomething(r *rand.Rand) error {
	ctx, by := w.t.Context(), directory.System()
	group := directory.GroupByName(fmt.Sprintf("g%d", r.IntN(3)))
	dry := r.IntN(4) == 0
	some := numbered(2, 3+r.IntN(17))
	switch r.IntN(5) {
	case 0:
		return failed(w.AddMembers(ctx, by, directory.AddMembersInput{Group: group, Users: some, DryRun: dry}, nothing))
	case 1:
		return failed(w.RemoveMembers(ctx, by, directory.RemoveMembersInput{Group: group, Users: some, DryRun: dry}, nothing))
	case 2:
		return failed(w.SetMembers(ctx, by, directory.SetMembersInput{Group: group, Members: some, Admins: append(some[:1:1], named("nobody")...)}, nothing))
	case 3:
		return failed(w.UpdateUser(ctx, by, directory.UpdateUserInput{User: *some[0], FullName: directory.Some(fmt.Sprint(r.Int())), DryRun: dry}, nothing))
	default:
		return failed(w.SetMembers(ctx, by, directory.SetMembersInput{Group: group, Members: some, DryRun: dry}, nothing))
	}
}

// TestFeedWaits: what a slow transaction has written takes its place before what was written later, even if that was committed earlier;
// until then neither is shown.
func TestFeedWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann")
	w.settle()
	f := &follower{w: w}
	for f.read(200) {
		continue
	}
	before := len(f.seen)
	slow, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback() }()
	if _, err := slow.ExecContext(t.Context(), `INSERT INTO changes (kind, actor, via) VALUES ('USER_UPDATED', 'slow', 'SYSTEM')`); err != nil {
		t.Fatal(err)
	}
	p := w.did(w.UpdateUser(t.Context(), w.root(), directory.UpdateUserInput{User: *named("ann")[0], Email: directory.Some("quick")},
		directory.Selection{Links: []directory.Link{{Key: "changes", Field: "changes", Select: wantedOfChanges}}}))
	quick, err := directory.Linked[[]*directory.Change](p, "changes")
	if err != nil {
		t.Fatal(err)
	}
	if more := f.read(200); more || len(f.seen) != before {
		t.Errorf("while a transaction runs, the feed shows %v, more: %t", f.seen[before:], more)
	}
	if found, err := w.Node(t.Context(), w.root(), quick[0].ID(), nil); err != nil || found == nil {
		t.Errorf("by its id the change is not there: %v", err)
	}
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	w.settle()
	for f.read(1) {
		continue
	}
	got := f.seen[before:]
	if len(got) != 2 || got[1] != quick[0].ID() {
		t.Errorf("afterwards it shows %v, want the slow one and then %s", got, quick[0].ID())
	}
	if all := strings.Join(w.log("true"), " "); all != strings.Join(f.seen, " ") {
		t.Errorf("the log is %s, the feed %v", all, f.seen)
	}
}

// TestFeedCursors: a cursor as old as the log goes on working, one of nothing is the beginning, and one of another database asks for a new start.
func TestFeedCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("a", "b", "c")
	w.settle()
	f := &follower{w: w}
	f.read(0)
	beginning := f.cursor
	if len(f.seen) != 0 {
		t.Error("a page of none has something in it")
	}
	for f.read(1) {
		continue
	}
	if d := cmp.Diff(w.log("true"), f.seen); d != "" {
		t.Errorf("from the beginning:\n%s", d)
	}
	end := *f.cursor
	if more := f.read(5); more || *f.cursor != end {
		t.Errorf("at the end the cursor moves from %s to %s", end, *f.cursor)
	}
	other := newWorld(t)
	n := 1
	for _, cursor := range []*string{beginning, &end} {
		_, err := other.Changes(t.Context(), directory.System(), directory.Page{Rows: true, PageArgs: directory.PageArgs{First: &n, After: cursor}}, wantedOfChanges)
		if failure(err) != directory.ResyncRequired {
			t.Errorf("another database takes the cursor: %v", err)
		}
	}
}
