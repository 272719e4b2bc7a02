package directory_test

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/internal/directory"
)

// replica is one more Roster on the world's database.
func (w *world) replica(backlog int) *directory.Service {
	w.t.Helper()
	store, err := db.Open(db.Options{URL: w.url})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = store.Close() })
	return directory.New(directory.Config{Store: store, TokenKey: []byte("a key for tests"), FeedBacklog: backlog})
}

// subscriber reads a stream, from wherever it has got to.
type subscriber struct {
	w      *world
	s      *directory.Service
	by     directory.Caller
	filter *directory.ChangeFilter
	cursor *string
	seen   []string
}

// open opens a stream that ends with the test.
func (s *subscriber) open(ctx context.Context) *directory.Stream {
	s.w.t.Helper()
	st, err := s.s.Subscribe(ctx, s.by, directory.StreamArgs{After: s.cursor, Filter: s.filter}, wantedOfChanges)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.w.t.Cleanup(st.Close)
	return st
}

// take reads until n changes have been seen, or the stream ends.
func (s *subscriber) take(ctx context.Context, st *directory.Stream, n int) error {
	for len(s.seen) < n {
		edges, err := st.Next(ctx)
		for _, e := range edges {
			s.seen = append(s.seen, e.Node.ID())
			s.cursor = &e.Cursor
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a test waits for what has to come.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestStreamIsExact reads streams of two replicas while many write through both, some in vain, while a transaction stalls now and then, and
// while connections are cut. Readers break off where it happens to be and go on, at the other replica perhaps. What each has seen in the
// end is the log: nothing lost, nothing twice, in order.
func TestStreamIsExact(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := newWorld(t)
	w.manyUsers(20)
	for i := range 3 {
		w.group(fmt.Sprintf("g%d", i), "", "u0 u1", false)
	}
	w.settle()
	replicas := []*directory.Service{w.Service, w.replica(0)}
	announcing, stop := context.WithCancel(t.Context())
	var announcers sync.WaitGroup
	for _, s := range replicas {
		announcers.Go(func() { s.Announce(announcing) })
	}
	defer announcers.Wait()
	defer stop()

	kinds := []directory.ChangeKind{directory.ChangeKindMemberRemoved, directory.ChangeKindUserUpdated}
	readers := []*subscriber{
		{w: w, s: replicas[0], by: directory.System()},
		{w: w, s: replicas[1], by: directory.System(), filter: &directory.ChangeFilter{Kinds: kinds}},
		{w: w, s: replicas[1], by: directory.System(), filter: &directory.ChangeFilter{Group: ptr(directory.GroupByName("g1"))}},
		{w: w, s: replicas[0], by: w.as("u0"), filter: &directory.ChangeFilter{Group: ptr(directory.GroupByName("g2"))}},
	}
	w.settle()
	before := len(w.log("true"))
	for _, f := range readers {
		f.cursor = w.cursorNow(f.filter)
	}
	ctx := patience(t)
	written := make(chan struct{})
	var reading, writing sync.WaitGroup
	for i, f := range readers {
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		reading.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-written:
					return
				default:
				}
				f.s = replicas[(i+n)%2]
				f.someOf(ctx, own)
			}
		})
	}
	for i := range 6 {
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		at := &world{Service: replicas[i%2], t: t, beam: w.beam, url: w.url}
		writing.Go(func() {
			for range 25 {
				_ = at.writeSomething(own) // what a cut connection fails with is no matter: the log says what was written
			}
		})
	}
	writing.Go(func() { w.disturb(own(r), 12) })
	writing.Wait()
	conditions := []string{"true", "kind IN ('MEMBER_REMOVED', 'USER_UPDATED')", "group_name = 'g1'", "group_name = 'g2'"}
	wrote := func(condition string) []string {
		return w.log(condition + fmt.Sprintf(" AND (tx, seq) > (SELECT tx, seq FROM changes ORDER BY tx, seq OFFSET %d LIMIT 1)", before-1))
	}
	few := func(condition string) bool { return len(wrote(condition)) < 10 }
	for slices.ContainsFunc(conditions, few) && ctx.Err() == nil {
		_ = w.writeSomething(r) // on a busy machine most of the others were cut
	}
	close(written)
	reading.Wait()
	w.settle()
	for i, condition := range conditions {
		f := readers[i]
		want := wrote(condition)
		if err := f.takeAll(ctx, len(want)); err != nil {
			t.Errorf("where %s: %v", condition, err)
		}
		if d := cmp.Diff(want, f.seen); d != "" {
			t.Errorf("where %s, %d changes were written and %d came:\n%s", condition, len(want), len(f.seen), d)
		}
	}
}

// own is a source of chance drawn from another.
func own(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), 0)) }

// someOf reads a few changes and breaks off; a stream that ends by itself, for want of a database, is taken up again. Few break off before
// they have a stream: each such costs a connection, and a machine that is busy with new ones answers the next too late as well.
func (s *subscriber) someOf(ctx context.Context, r *rand.Rand) {
	briefly := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Duration(r.IntN(200))*time.Millisecond)
	}
	opening, cancel := ctx, func() {}
	if r.IntN(8) == 0 {
		opening, cancel = briefly()
	}
	defer cancel()
	st, err := s.s.Subscribe(opening, s.by, directory.StreamArgs{After: s.cursor, Filter: s.filter}, wantedOfChanges)
	if st != nil {
		defer st.Close()
	}
	reading, enough := briefly()
	defer enough()
	if err == nil {
		err = s.take(reading, st, len(s.seen)+1+r.IntN(40))
	}
	if code := failure(err); err != nil && opening.Err() == nil && reading.Err() == nil && code != directory.Unavailable {
		s.w.t.Error(err)
	}
}

// takeAll reads until n changes have been seen, however often the stream has to be taken up again.
func (s *subscriber) takeAll(ctx context.Context, n int) error {
	for {
		st, err := s.s.Subscribe(ctx, s.by, directory.StreamArgs{After: s.cursor, Filter: s.filter}, wantedOfChanges)
		if err == nil {
			err = s.take(ctx, st, n)
		}
		if st != nil {
			st.Close()
		}
		if failure(err) != directory.Unavailable || ctx.Err() != nil {
			return err
		}
	}
}

// disturb stalls transactions that have written, rolls some of them back, and cuts connections.
func (w *world) disturb(r *rand.Rand, times int) {
	for range times {
		slow, err := w.beam.BeginTx(w.t.Context(), nil)
		if err != nil {
			continue
		}
		_, err = slow.ExecContext(w.t.Context(), `INSERT INTO changes (kind, actor, via) VALUES ('USER_UPDATED', 'slow', 'SYSTEM')`)
		if err == nil {
			_, err = slow.ExecContext(w.t.Context(), `SELECT pg_sleep($1::float8)`, float64(r.IntN(60))/1000)
		}
		if err == nil && r.IntN(3) > 0 {
			_ = slow.Commit()
		} else {
			_ = slow.Rollback()
		}
		_, _ = w.beam.ExecContext(w.t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.2`)
	}
}

// cursorNow is the cursor of the log's end.
func (w *world) cursorNow(filter *directory.ChangeFilter) *string {
	w.t.Helper()
	st, err := w.Subscribe(w.t.Context(), directory.System(), directory.StreamArgs{Filter: filter}, nothing)
	if err != nil {
		w.t.Fatal(err)
	}
	st.Close()
	return ptr(st.Cursor())
}

// TestStreamShowsWhatChangesShows holds the stream to Query.changes, for callers of every standing and filters of every kind.
func TestStreamShowsWhatChangesShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "eve", "zoe")
	w.withRole("admin2", directory.RoleAdministrator)
	w.group("g1", "bob", "ann", true)
	w.group("g2", "ann", "bob", false)
	callers := map[string]directory.Caller{
		"system": directory.System(), "admin": w.as("admin2"), "admin without the scope": w.as("admin2", directory.PermissionGroupsView),
		"ann": w.as("ann"), "bob": w.as("bob"), "eve": w.as("eve"), "ann without the scope": w.as("ann", directory.PermissionGroupsView),
		"g1": w.tokenOf("g1"), "g2 without the scope": w.tokenOf("g2", directory.PermissionMembersEdit),
	}
	filters := []*directory.ChangeFilter{
		nil, {}, {Group: ptr(directory.GroupByName("G1"))}, {Group: ptr(directory.GroupByName("gone"))}, {User: named("bob")[0]}, {User: named("nobody")[0]},
		{Kinds: []directory.ChangeKind{}}, {Kinds: []directory.ChangeKind{directory.ChangeKindMemberAdded, directory.ChangeKindGroupCreated}},
		{Via: []directory.Door{directory.DoorGraphQL}}, {Via: []directory.Door{directory.DoorSystem}}, {Actor: ptr("ann")}, {Actor: ptr("system")},
		{Group: ptr(directory.GroupByUUID(w.uuidOf(`SELECT id FROM groups WHERE name = 'g2'`))), Actor: ptr("ann"), Kinds: []directory.ChangeKind{directory.ChangeKindMemberAdded}},
		{User: ptr(directory.UserByUUID(w.uuidOf(`SELECT id FROM users WHERE username = 'eve'`)))},
	}
	w.settle()
	ctx := patience(t)
	type pair struct {
		*subscriber
		st   *directory.Stream
		name string
	}
	var pairs []pair
	for name, by := range callers {
		for i, filter := range filters {
			s := &subscriber{w: w, s: w.Service, by: by, filter: filter}
			pairs = append(pairs, pair{s, s.open(ctx), fmt.Sprintf("%s with filter %d", name, i)})
			s.cursor = ptr(pairs[len(pairs)-1].st.Cursor())
		}
	}
	after := map[string]*string{}
	for _, p := range pairs {
		after[p.name] = p.cursor
		p.st.Attach(ctx)
	}
	ann := callers["ann"]
	w.did(w.AddMembers(ctx, ann, directory.AddMembersInput{Group: directory.GroupByName("g1"), Users: named("eve ann")}, nothing))
	w.did(w.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g2"), Users: named("eve bob")}, nothing))
	w.did(w.AddAdmins(ctx, callers["bob"], directory.AddAdminsInput{Group: directory.GroupByName("g2"), Users: named("zoe")}, nothing))
	w.did(w.UpdateUser(ctx, directory.System(), directory.UpdateUserInput{User: *named("eve")[0], FullName: directory.Some("Eve")}, nothing))
	w.group("brief", "", "zoe", false)
	w.did(w.DeleteGroup(ctx, directory.System(), directory.DeleteGroupInput{Group: directory.GroupByName("brief")}, nothing))
	w.did(w.AddMembers(ctx, callers["bob"], directory.AddMembersInput{Group: directory.GroupByName("g2"), Users: named("admin2")}, nothing))
	w.settle()
	w.awaitRead(ctx)
	total := 0
	for _, p := range pairs {
		c, err := w.Changes(ctx, p.by, directory.Page{Rows: true, Filter: filterOrNil(p.filter), PageArgs: directory.PageArgs{After: after[p.name]}}, wantedOfChanges)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{}
		for _, n := range c.Nodes() {
			want = append(want, n.ID()+" "+string(n.Kind))
		}
		got := []string{}
		for _, n := range p.st.Taken() {
			got = append(got, n.ID()+" "+string(n.Kind))
		}
		total += len(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-Changes +stream):\n%s", p.name, d)
		}
	}
	if total < 100 {
		t.Errorf("all together show %d changes: too few to test", total)
	}
}

// awaitRead waits until the reader of the feed has handed out all of the log.
func (w *world) awaitRead(ctx context.Context) {
	w.t.Helper()
	all := w.log("true")
	_, last, err := directory.ParseID(all[len(all)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	tx, seq := directory.ChangePlace(last)
	w.AwaitRead(ctx, tx, seq)
}

// name is a name that nobody has yet.
func name() string { return strings.ToLower(crand.Text()) }

func filterOrNil(f *directory.ChangeFilter) any {
	if f == nil {
		return nil
	}
	return f
}

// TestStreamOfTheSlow: who does not take what comes is ended, with the cursor to go on from; the others notice nothing.
func TestStreamOfTheSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manyUsers(200)
	w.group("g", "", "", false)
	w.settle()
	s := w.replica(100)
	ctx := patience(t)
	slow, quick := &subscriber{w: w, s: s, by: directory.System()}, &subscriber{w: w, s: s, by: directory.System()}
	slowly, quickly := slow.open(ctx), quick.open(ctx)
	quick.cursor = ptr(quickly.Cursor())
	begin := len(w.log("true"))
	add := func(from, to int) {
		w.did(w.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g"), Users: numbered(from, to)}, nothing))
	}
	slowly.Attach(ctx)
	add(0, 60)
	for _, st := range []struct {
		*subscriber
		st *directory.Stream
	}{{slow, slowly}, {quick, quickly}} {
		if err := st.take(ctx, st.st, 60); err != nil {
			t.Fatal(err)
		}
	}
	add(60, 130)
	if err := quick.take(ctx, quickly, 130); err != nil {
		t.Fatal(err)
	}
	add(130, 200)
	if err := quick.take(ctx, quickly, 200); err != nil {
		t.Fatal(err)
	}
	err := slow.take(ctx, slowly, 1000)
	var e *directory.Error
	if !errors.As(err, &e) || e.Code != directory.LimitExceeded || e.Cursor != *slow.cursor || len(slow.seen) != 60 {
		t.Fatalf("the slow one ends with %v after %d", err, len(slow.seen))
	}
	slow.cursor = &e.Cursor
	if err := slow.takeAll(ctx, 200); err != nil {
		t.Fatal(err)
	}
	want := w.log("true")[begin:]
	if d := cmp.Diff(want, slow.seen); d != "" {
		t.Errorf("the slow one:\n%s", d)
	}
	if d := cmp.Diff(want, quick.seen); d != "" {
		t.Errorf("the quick one:\n%s", d)
	}
}

// TestStreamEndsWithItsToken: revoked, expired, rotated away, or its owner deleted; and what the caller may see is decided anew for each change.
func TestStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "cid", "dan", "eli")
	w.group("g", "bob", "ann", false)
	ends := map[string]func(by directory.Caller){
		"ann": func(by directory.Caller) {
			w.did(w.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: directory.TypeID("tok", by.Token.UUID)}, nothing))
		},
		"bob": func(by directory.Caller) {
			w.exec(`UPDATE tokens SET expires_at = now() WHERE id = $1::uuid`, by.Token.UUID.String())
		},
		"cid": func(directory.Caller) {
			w.did(w.DeleteUser(t.Context(), directory.System(), directory.DeleteUserInput{User: *named("cid")[0]}, nothing))
		},
		"dan": func(by directory.Caller) {
			w.did(w.RotateToken(t.Context(), directory.System(), directory.RotateTokenInput{Token: directory.TypeID("tok", by.Token.UUID)}, nothing))
		},
	}
	ctx := patience(t)
	stays := &subscriber{w: w, s: w.Service, by: w.as("eli")}
	staying := stays.open(ctx)
	staying.Attach(ctx)
	for name, end := range ends {
		by := w.as(name)
		s := &subscriber{w: w, s: w.Service, by: by}
		st := s.open(ctx)
		end(by)
		err := s.take(ctx, st, 1000)
		var e *directory.Error
		if !errors.As(err, &e) || e.Code != directory.Unauthenticated || e.Cursor == "" {
			t.Errorf("%s's stream ends with %v", name, err)
		}
		if _, err := w.Subscribe(ctx, by, directory.StreamArgs{}, nothing); failure(err) != directory.Unauthenticated {
			t.Errorf("%s, whose token has ended, can open another stream: %v", name, err)
		}
	}
	change := func(user string) {
		w.did(w.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named(user)}, nothing))
	}
	eli := named("eli")
	change("dan")    // eli does not see it
	w.awaitRead(ctx) // or else the adminship would let eli see what came just before it
	w.did(w.AddAdmins(ctx, directory.System(), directory.AddAdminsInput{Group: directory.GroupByName("g"), Users: eli}, nothing))
	change("eli")
	if err := stays.take(ctx, staying, 2); err != nil {
		t.Fatal(err)
	}
	w.did(w.RemoveAdmins(ctx, directory.System(), directory.RemoveAdminsInput{Group: directory.GroupByName("g"), Users: eli}, nothing))
	w.did(w.RemoveMembers(ctx, directory.System(), directory.RemoveMembersInput{Group: directory.GroupByName("g"), Users: eli}, nothing))
	w.awaitRead(ctx) // or else the role would let eli see what came just before it
	w.did(w.UpdateUser(ctx, directory.System(), directory.UpdateUserInput{User: *eli[0], Roles: directory.Some([]directory.Role{directory.RoleAdministrator})}, nothing))
	change("eli")
	if err := stays.take(ctx, staying, 4); err != nil {
		t.Fatal(err)
	}
	want := w.log(`kind IN ('ADMIN_ADDED', 'MEMBER_ADDED') AND username = 'eli' OR kind = 'USER_UPDATED'`)
	if d := cmp.Diff(want, stays.seen); d != "" {
		t.Errorf("eli, an admin for a while and then an administrator:\n%s", d)
	}
}

// TestStreamOfAnotherEpoch: when the log becomes another one, streams end with the place to start anew, and old cursors lead there too.
func TestStreamOfAnotherEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann")
	w.settle()
	ctx := patience(t)
	s := &subscriber{w: w, s: w.Service, by: directory.System()}
	st := s.open(ctx)
	w.users("bob")
	if err := s.take(ctx, st, 1); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE settings SET value = gen_random_uuid()::text WHERE key = 'epoch'`)
	ended := s.take(ctx, st, 1000)
	_, refused := w.Subscribe(ctx, directory.System(), directory.StreamArgs{After: s.cursor}, nothing)
	for _, err := range []error{ended, refused} {
		var e *directory.Error
		if !errors.As(err, &e) || e.Code != directory.ResyncRequired || e.Cursor == "" {
			t.Fatalf("a cursor of another epoch: %v", err)
		}
		again := &subscriber{w: w, s: w.Service, by: directory.System(), cursor: &e.Cursor}
		st := again.open(ctx)
		fresh := name()
		w.users(fresh)
		want := w.log("username = '" + fresh + "'")
		for !slices.Contains(again.seen, want[0]) { // after what was not settled when the cursor was made
			if err := again.take(ctx, st, len(again.seen)+1); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStreamsLeaveNothing: when the last stream is closed, the goroutines are gone.
func TestStreamsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	w.users("ann")
	s := w.replica(0)
	sub := &subscriber{w: w, s: s, by: directory.System()}
	open := func(n int) {
		ctx := patience(t)
		var all sync.WaitGroup
		for range n {
			st := sub.open(ctx)
			all.Go(func() { _, _ = st.Next(ctx) })
			defer st.Close()
		}
		w.users("u" + name())
		all.Wait()
	}
	open(50)
	for ctx := patience(t); ours() > 0; { // the listener's own take a moment
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines of the feed are left", ours())
		}
		runtime.Gosched()
	}
}

// ours counts the goroutines that run code of the feed or of the listener.
func ours() int {
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	n := 0
	for g := range strings.SplitSeq(stacks, "\n\n") {
		if strings.Contains(g, "directory.(*feed") || strings.Contains(g, "db.(*Store).Hear") || strings.Contains(g, "pgdriver.(*channel)") {
			n++
		}
	}
	return n
}
