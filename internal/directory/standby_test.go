package directory_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// site is a server with a standby: a directory on the pair, and how often it asked each of the two.
type site struct {
	*directory.Service
	t                 testing.TB
	standbys          *directory.Standbys
	primary, standby  atomic.Int64 // statements of requests
	looks             atomic.Int64 // at the standby, which answered
	cancelled         atomic.Int64 // of the standby's statements, for what it had to replay
	changed           chan string
	store, standbyToo *db.Store
}

// newSite is a server on the pair. Watching ends with the test.
func newSite(t testing.TB, p *rostertest.Pair, tune func(*directory.StandbyConfig)) *site {
	t.Helper()
	return newSiteOf(t, p, p.PrimaryURL(), p.StandbyURL(), tune)
}

// newSiteOf is a server on those of the pair's, or others.
func newSiteOf(t testing.TB, p *rostertest.Pair, primary, standby string, tune func(*directory.StandbyConfig)) *site {
	t.Helper()
	s := &site{t: t, changed: make(chan string, 64)}
	open := func(o db.Options, count *atomic.Int64) *db.Store {
		if count != nil {
			o.OnStatement = func(context.Context, string) { count.Add(1) }
		}
		store, err := db.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	s.store = open(db.Options{URL: primary}, &s.primary)
	s.standbyToo = open(db.Options{URL: standby, OnDone: func(_ context.Context, done db.Statement) {
		if done.Failure() == "40001" {
			s.cancelled.Add(1)
		}
	}}, &s.standby)
	looked := func(_ context.Context, done db.Statement) {
		if done.Err == nil && strings.Contains(done.Text, "pg_is_in_recovery") {
			s.looks.Add(1)
		}
	}
	c := directory.StandbyConfig{
		Primary: open(db.Options{URL: primary, MaxConns: 1}, nil),
		All:     []directory.StandbyPool{{Reads: s.standbyToo, Watch: open(db.Options{URL: standby, MaxConns: 1, OnDone: looked}, nil)}},
		MaxLag:  time.Hour, Wait: 0, Alone: time.Hour, Every: 2 * time.Millisecond,
	}
	if tune != nil {
		tune(&c)
	}
	s.standbys = directory.NewStandbys(c)
	s.Service = directory.New(directory.Config{Store: s.store, TokenKey: []byte("a key for tests"), Standbys: s.standbys})
	if _, err := s.EnsureAdmin(t.Context(), rostertest.AdminSecret); err != nil {
		t.Fatal(err)
	}
	p.Await("the primary to be seen", func() bool { return s.standbys.Look(t.Context()) })
	watching, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.standbys.Watch(watching)
	}()
	t.Cleanup(func() { end(); <-done })
	return s
}

// by is who a secret belongs to in a request of its own, with these tokens of consistency.
func (s *site) by(secret string, tokens ...string) (directory.Caller, *directory.Sight) {
	s.t.Helper()
	by, sight, err := s.tryBy(secret, tokens...)
	if err != nil {
		s.t.Fatal(err)
	}
	return by, sight
}

func (s *site) tryBy(secret string, tokens ...string) (directory.Caller, *directory.Sight, error) {
	s.t.Helper()
	sight, err := s.Sight(tokens)
	if err != nil {
		s.t.Fatal(err)
	}
	by, err := s.Authenticate(s.t.Context(), secret)
	by.Via = directory.DoorGraphQL
	return by.Through(sight), sight, err
}

// did is a request that writes: a group of that name. It gives its token.
func (s *site) did(secret, group string) string {
	s.t.Helper()
	by, sight := s.by(secret)
	p, err := s.CreateGroup(s.t.Context(), by, directory.CreateGroupInput{Name: group}, nothing)
	if err != nil {
		s.t.Fatal(err)
	}
	if sight.Token() == "" || p.ConsistencyToken == nil || *p.ConsistencyToken != sight.Token() {
		s.t.Fatalf("a write gave the tokens %q and %v", sight.Token(), p.ConsistencyToken)
	}
	return sight.Token()
}

// sees is a request that reads, as doors and GraphQL do it: again if its caller has to be found anew. It tells who answered.
func (s *site) sees(secret, group string, tokens ...string) (found bool, from string, err error) {
	s.t.Helper()
	var before, beforeToo int64
	for range 2 {
		var by directory.Caller
		if by, _, err = s.tryBy(secret, tokens...); err != nil {
			break
		}
		before, beforeToo = s.primary.Load(), s.standby.Load() // what finding the caller took is another matter
		var g *directory.Group
		g, err = s.Group(s.t.Context(), by, directory.GroupByName(group), directory.Selection{Fields: []string{"name"}})
		found = g != nil
		if verr := s.Verify(s.t.Context(), by); err == nil {
			err = verr
		}
		if !directory.IsStale(err) {
			break
		}
		s.Forget(secret)
	}
	if s.primary.Load() > before {
		from = "primary"
	}
	if s.standby.Load() > beforeToo {
		from = strings.TrimSpace(from + " standby")
	}
	return found, from, err
}

// awaitStandby waits until reads are the standby's.
func (s *site) awaitStandby(p *rostertest.Pair, secret, group string, tokens ...string) {
	s.t.Helper()
	p.Await("the standby to answer", func() bool {
		found, from, err := s.sees(secret, group, tokens...)
		return err == nil && found && from == "standby"
	})
}

// keyOf makes the user with a role and gives the secret of a token of its.
func (s *site) keyOf(user string, role directory.Role) string {
	s.t.Helper()
	if _, err := s.CreateUser(s.t.Context(), directory.System(), directory.CreateUserInput{Username: user, Roles: []directory.Role{role}}, nothing); err != nil {
		s.t.Fatal(err)
	}
	p, err := s.CreateToken(s.t.Context(), directory.System(), directory.CreateTokenInput{User: named(user)[0], Scopes: directory.Permissions}, nothing)
	if err != nil {
		s.t.Fatal(err)
	}
	return p.Secret
}

// expect compares what a read found, and who answered it.
func expect(t *testing.T, what string, found bool, from string, err error, wantFound bool, wantFrom string) {
	t.Helper()
	if err != nil || found != wantFound || from != wantFrom {
		t.Errorf("%s: found %v, from the %s, %v; want %v, from the %s", what, found, from, err, wantFound, wantFrom)
	}
}

// TestStandbyShowsWhatItMust: reads are the standby's, unless there is something that their caller has to see and it does not show. Of
// two servers each knows what was written through it, and the other by tokens alone.
func TestStandbyShowsWhatItMust(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a, b := newSite(t, p, nil), newSite(t, p, nil)
	strict := newSite(t, p, func(c *directory.StandbyConfig) { c.MaxLag = time.Millisecond })
	patient := newSite(t, p, func(c *directory.StandbyConfig) { c.Wait = time.Hour })
	boss, eve := a.keyOf("boss", directory.RoleAdministrator), a.keyOf("eve", directory.RoleAdministrator)
	a.did(boss, "one")
	for _, s := range []*site{a, b, patient} {
		s.awaitStandby(p, boss, "one")
		s.awaitStandby(p, eve, "one")
	}

	p.Pause()
	token := a.did(boss, "two")
	p.Await("one without patience to ask the primary", func() bool {
		found, from, err := strict.sees(eve, "two")
		return err == nil && found && from == "primary"
	})
	found, from, err := a.sees(boss, "two")
	expect(t, "where it was written", found, from, err, true, "primary")
	found, from, err = b.sees(boss, "two")
	expect(t, "on another server", found, from, err, false, "standby")
	found, from, err = b.sees(boss, "two", token)
	expect(t, "on another server, with the token", found, from, err, true, "primary standby") // which was asked whether it had it
	found, from, err = b.sees(eve, "two", token)
	expect(t, "another caller with the token", found, from, err, true, "primary standby")
	found, from, err = a.sees(eve, "two")
	expect(t, "another caller without", found, from, err, false, "standby")

	by, _ := b.by(boss)
	log, err := b.Changes(t.Context(), by, directory.Page{}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	found, from, err = b.sees(boss, "two")
	expect(t, "who has seen the log", found, from, err, true, "primary")
	found, from, err = a.sees(eve, "two", log.LatestCursor)
	expect(t, "a cursor of the log as the token", found, from, err, true, "primary standby")

	waited, asked := make(chan string, 1), patient.standby.Load()
	go func() {
		_, from, _ := patient.sees(eve, "two", token)
		waited <- from
	}()
	p.Await("a read to wait", func() bool { return patient.standby.Load() > asked+4 })
	p.Resume()
	if from := <-waited; from != "standby" {
		t.Errorf("who waited was answered by the %s", from)
	}
	b.awaitStandby(p, eve, "two", token)
	a.awaitStandby(p, boss, "two")
	b.awaitStandby(p, boss, "two", token, log.LatestCursor)
}

// TestStandbyOfRights: a token that was revoked ends on the server that did it at once, and on others when they have looked; whatever the
// standby has by then. What a standby has compared lets nobody write.
func TestStandbyOfRights(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a, b := newSite(t, p, nil), newSite(t, p, nil)
	boss, eve := a.keyOf("boss", directory.RoleAdministrator), a.keyOf("eve", directory.RoleAdministrator)
	a.did(boss, "one")
	for _, s := range []*site{a, b} {
		s.awaitStandby(p, boss, "one")
		s.awaitStandby(p, eve, "one")
	}
	p.Pause()
	reading, _ := b.by(eve)
	by, _ := a.by(boss)
	mine, _ := a.by(eve)
	id := directory.TypeID("tok", mine.Token.UUID)
	if _, err := a.RevokeToken(t.Context(), by, directory.RevokeTokenInput{Token: id}, nothing); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.sees(eve, "one"); failure(err) != directory.Unauthenticated {
		t.Errorf("where it was revoked: %v", err)
	}
	if _, err := b.Group(t.Context(), reading, directory.GroupByName("one"), nothing); err != nil && !directory.IsStale(err) {
		t.Errorf("on the other server, by now or not: %v", err)
	}
	if _, err := b.CreateGroup(t.Context(), reading, directory.CreateGroupInput{Name: "late"}, nothing); !directory.IsStale(err) {
		t.Errorf("a write after a read of the standby's: %v", err)
	}
	p.Await("the other server to look", func() bool {
		_, _, err := b.sees(eve, "one")
		return failure(err) == directory.Unauthenticated
	})
	found, from, err := b.sees(boss, "one")
	expect(t, "who was found after that", found, from, err, true, "primary")
	p.Resume()
	b.awaitStandby(p, boss, "one")
}

// TestTokensOfConsistency: those that are none are refused; those of another database are answered by the primary, which shows everything.
func TestTokensOfConsistency(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a := newSite(t, p, nil)
	boss := a.keyOf("boss", directory.RoleAdministrator)
	token := a.did(boss, "one")
	a.awaitStandby(p, boss, "one", token)
	for name, tokens := range map[string][]string{
		"nonsense": {"nonsense"}, "a bit of one": {token[:len(token)-1]}, "another letter": {"B" + token[1:]}, "one good and one bad": {token, "x"},
	} {
		if _, err := a.Sight(tokens); failure(err) != directory.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Sight([]string{strings.Repeat(token+",", 17)}); failure(err) != directory.LimitExceeded {
		t.Errorf("too many: %v", err)
	}
	if sight, err := a.Sight([]string{" , " + token + " ,", token}); err != nil || sight == nil {
		t.Errorf("several: %v", err)
	}
	by, sight := a.by(boss)
	again, err := a.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "two", DryRun: true}, nothing)
	if err != nil || again.ConsistencyToken != nil || sight.Token() != "" {
		t.Errorf("a dry run gave the token %v, %v", again.ConsistencyToken, err)
	}
	a.keyOf("eve", directory.RoleViewer)
	members := directory.RemoveMembersInput{Group: directory.GroupByName("one"), Users: named("eve")}
	if same, err := a.RemoveMembers(t.Context(), by, members, nothing); err != nil || same.ConsistencyToken == nil || sight.Token() == "" {
		t.Errorf("a write that changed nothing gave no token: %v", err)
	}
	p.Exec(`UPDATE settings SET value = gen_random_uuid() WHERE key = 'epoch'`)
	p.Await("the primary to answer", func() bool {
		found, from, err := a.sees(boss, "one", token)
		return err == nil && found && from == "primary"
	})
	b := newSite(t, p, nil) // a may not have looked yet, and write tokens of the database of before
	b.awaitStandby(p, boss, "one", b.did(boss, "three"))
}

// TestPrimaryIsAway: reads are answered by the standby, for callers known and unknown; writes, and what the standby cannot know, are
// UNAVAILABLE, and so are reads after as long as was allowed. Then the standby is promoted: tokens hold.
func TestPrimaryIsAway(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a := newSite(t, p, nil)
	short := newSite(t, p, func(c *directory.StandbyConfig) { c.Alone = time.Nanosecond })
	boss, eve := a.keyOf("boss", directory.RoleAdministrator), a.keyOf("eve", directory.RoleAdministrator)
	a.did(boss, "one")
	a.awaitStandby(p, boss, "one")
	short.awaitStandby(p, boss, "one")
	token := a.did(boss, "two")
	a.awaitStandby(p, boss, "two", token)
	token = a.did(boss, "three") // and the primary is gone before anybody has looked at it again, or not
	p.Sync()
	p.StopPrimary()
	p.Await("the primary to be missed", func() bool { return a.ReadsAlone() })

	a.awaitStandby(p, boss, "three", token)
	a.awaitStandby(p, eve, "one") // whom this server has not met
	if _, _, err := a.sees(eve+"0", "one"); failure(err) == "" {
		t.Error("nobody was let in")
	}
	if _, _, err := a.sees("rst_Th1sIs0nlyAnExampleOfASecret001yUQo7", "one"); failure(err) != directory.Unavailable {
		t.Errorf("a token that the standby does not know: %v", err)
	}
	by, _ := a.by(boss)
	if _, err := a.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "four"}, nothing); failure(err) != directory.Unavailable {
		t.Errorf("a write: %v", err)
	}
	if _, err := a.Changes(t.Context(), by, directory.Page{}, nothing); failure(err) != directory.Unavailable {
		t.Errorf("the log: %v", err)
	}
	p.Await("a server to have had enough of the standby", func() bool {
		_, _, err := short.sees(boss, "one")
		return failure(err) == directory.Unavailable
	})

	p.Promote()
	p.Await("what is no standby any more to be let go", func() bool {
		_, _, err := a.sees(boss, "one")
		return failure(err) == directory.Unavailable
	})
	store, err := db.Open(db.Options{URL: p.StandbyURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	after := rostertest.DirectoryOn(t, store)
	sight, err := a.Sight([]string{token})
	if err != nil {
		t.Fatal(err)
	}
	by, err = after.Authenticate(t.Context(), boss)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := after.Group(t.Context(), by.Through(sight).Deciding(), directory.GroupByName("three"), nothing); err != nil || g == nil {
		t.Errorf("after the failover: %v, %v", g, err)
	}
}

// TestStandbyIsKilled: in the middle of reads, twice. No reader hears of it.
func TestStandbyIsKilled(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a := newSite(t, p, nil)
	boss := a.keyOf("boss", directory.RoleAdministrator)
	a.did(boss, "one")
	a.awaitStandby(p, boss, "one")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var reads, failed atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		together(8, func(int) {
			for ctx.Err() == nil {
				by, _, err := a.tryBy(boss)
				if err == nil {
					_, err = a.Groups(context.Background(), by, directory.Page{Rows: true, Total: true}, directory.Selection{Fields: []string{"name"}})
				}
				if err != nil {
					failed.Add(1)
					t.Errorf("a read failed: %v", err)
					return
				}
				reads.Add(1)
			}
		})
	}()
	some := func() {
		from := reads.Load()
		p.Await("reads", func() bool { return reads.Load() > from+200 || failed.Load() > 0 })
	}
	some()
	p.StopStandby()
	some()
	p.StartStandby()
	before := a.standby.Load()
	p.Await("the standby to answer again", func() bool { return a.standby.Load() > before+200 })
	stop()
	<-ended
}
