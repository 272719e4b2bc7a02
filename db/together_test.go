package db

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// gate are reads of rows that are in no database: each goes on when the test says what comes of it.
type gate struct {
	*together
	most  int
	begun chan begun
}

// begun is a read that has begun.
type begun struct {
	rows   int        // for how many it reads
	answer chan error // what comes of it
}

func newGate() *gate { return &gate{newTogether(), mostTogether, make(chan begun)} }

// read reads the row of a key in a goroutine. What comes of it is its error, or ok with the keys of the rows that it was given.
func (g *gate) read(ctx context.Context, key string) chan string {
	out := make(chan string, 1)
	go func() {
		got := []string{"ok"}
		r := &rowRead{key: Key{value: key}, row: func(values []driver.Value) error {
			got = append(got, values[0].(string))
			return nil
		}}
		defer func() {
			if p := recover(); p != nil {
				out <- fmt.Sprint("panic: ", p)
			}
		}()
		several := func(rs []*rowRead) error {
			b := begun{len(rs), make(chan error)}
			g.begun <- b
			err := <-b.answer
			if errors.Is(err, errPanic) {
				panic(err)
			}
			for _, r := range rs {
				if err == nil {
					r.take([]driver.Value{r.key.value})
				}
			}
			return err
		}
		if err := g.together.read(ctx, likeness{}, g.most, r, func() error { return several([]*rowRead{r}) }, several); err != nil {
			got = []string{err.Error()}
		}
		out <- strings.Join(got, " ")
	}()
	return out
}

var (
	errAway  = errors.New("away")
	errPanic = errors.New("at a row")

	gone = (&Error{Kind: Timeout, cause: context.Canceled}).Error() // what comes of a read whose time is over
)

// fill has as many reads on their way as go by themselves.
func (g *gate) fill(t *testing.T) (outs []chan string, answers []chan error) {
	t.Helper()
	for range mostApart {
		outs = append(outs, g.read(t.Context(), "first"))
		b := <-g.begun
		if answers = append(answers, b.answer); b.rows != 1 {
			t.Fatalf("a read by itself is for %d", b.rows)
		}
	}
	return outs, answers
}

// wait begins reads that have to wait, one behind the other.
func (g *gate) wait(ctxs ...context.Context) (outs []chan string) {
	for i, ctx := range ctxs {
		outs = append(outs, g.read(ctx, fmt.Sprint("k", i)))
		g.until(func(a *alike) bool { return len(a.waiting) == i+1 })
	}
	return outs
}

// until waits for as long as it takes: the time limit of the tests ends what never comes.
func (g *gate) until(yes func(a *alike) bool) {
	is := func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return yes(g.all[likeness{}])
	}
	for !is() {
		time.Sleep(time.Millisecond)
	}
}

// TestReadsGoTogether: what comes of reads that wait, of the one that reads for them, and of those beside it.
func TestReadsGoTogether(t *testing.T) {
	t.Parallel()
	failed := errTogether.Error()
	for _, c := range []struct {
		name   string
		gone   []int // of three that wait, whose time is over while they do
		answer error
		reads  int // for how many the next one reads
		want   []string
	}{
		{"All", nil, nil, 3, []string{"ok k0", "ok k1", "ok k2"}},
		{"TheFirstHasGone", []int{0}, nil, 2, []string{gone, "ok k1", "ok k2"}},
		{"TheLastHasGone", []int{2}, nil, 2, []string{"ok k0", "ok k1", gone}},
		{"OneIsLeft", []int{0, 2}, nil, 1, []string{gone, "ok k1", gone}},
		{"ItFails", nil, errAway, 3, []string{failed, failed, failed}},
		{"TheOneLeftFails", []int{0, 1}, errAway, 1, []string{gone, gone, "away"}},
		{"ItPanics", nil, errPanic, 3, []string{"panic: at a row", failed, failed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGate()
			first, answers := g.fill(t)
			ctxs, cancels := make([]context.Context, 3), make([]context.CancelFunc, 3)
			for i := range ctxs {
				ctxs[i], cancels[i] = context.WithCancel(t.Context())
				defer cancels[i]()
			}
			outs := g.wait(ctxs...)
			for n, i := range c.gone {
				cancels[i]()
				g.until(func(a *alike) bool { return len(a.waiting) == 2-n })
			}
			answers[0] <- nil // one of the first comes back
			next := <-g.begun
			if next.rows != c.reads {
				t.Errorf("the next one reads for %d", next.rows)
			}
			next.answer <- c.answer
			for _, a := range answers[1:] {
				a <- nil
			}
			var got []string
			for _, out := range outs {
				got = append(got, <-out)
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			for _, out := range first {
				if s := <-out; s != "ok first" {
					t.Errorf("a read by itself ends with %q", s)
				}
			}
			if len(g.all) != 0 {
				t.Error("something is thought to be on its way")
			}
		})
	}
}

// TestWhoseTimeIsOverWhileRead: one that is being read for goes at once; the one that reads for others does not leave them.
func TestWhoseTimeIsOverWhileRead(t *testing.T) {
	t.Parallel()
	g := newGate()
	_, answers := g.fill(t)
	ctx, cancel := context.WithCancel(t.Context())
	outs := g.wait(ctx, ctx, t.Context())
	answers[0] <- nil
	next := <-g.begun
	cancel()
	if s := <-outs[1]; s != gone {
		t.Errorf("who is read for: %s", s)
	}
	next.answer <- nil
	for i, want := range map[int]string{0: "ok k0", 2: "ok k2"} {
		if s := <-outs[i]; s != want {
			t.Errorf("%d: %s, want %s", i, s, want)
		}
	}
	for _, a := range answers[1:] {
		a <- nil
	}
}

// TestWhoHasGoneIsGivenNothing: what a row would be put into is theirs again who asked for it, once they have gone. They may be reading it
// elsewhere by then: what a standby did not say in time the primary is asked for.
func TestWhoHasGoneIsGivenNothing(t *testing.T) {
	t.Parallel()
	tg, as := newTogether(), likeness{}
	begun, goOn := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range mostApart {
		wg.Go(func() { _ = tg.read(t.Context(), as, 2, nil, func() error { <-goOn; return nil }, nil) })
	}
	until := func(yes func(a *alike) bool) {
		is := func() bool {
			tg.mu.Lock()
			defer tg.mu.Unlock()
			a := tg.all[as]
			return a != nil && yes(a)
		}
		for !is() {
			time.Sleep(time.Millisecond)
		}
	}
	until(func(a *alike) bool { return a.underway == mostApart })
	var hasGone, given atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		r := &rowRead{row: func([]driver.Value) error { given.Store(hasGone.Load()); return nil }}
		err := tg.read(ctx, as, 2, r, nil, nil)
		hasGone.Store(true)
		left <- err
	}()
	until(func(a *alike) bool { return len(a.waiting) == 1 })
	wg.Go(func() {
		r := &rowRead{row: func([]driver.Value) error { return nil }}
		err := tg.read(t.Context(), as, 2, r, nil, func(rs []*rowRead) error {
			close(begun)
			<-goOn
			for _, r := range rs {
				r.take(nil)
			}
			return nil
		})
		if err != nil {
			t.Errorf("the one who stays: %v", err)
		}
	})
	<-begun
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who goes: %v", err)
	}
	close(goOn)
	wg.Wait()
	if given.Load() {
		t.Error("somebody who had gone was given a row")
	}
}

// TestEnoughWait: when so many wait as one statement reads for, they go at once, and who comes next waits again.
func TestEnoughWait(t *testing.T) {
	t.Parallel()
	g := newGate()
	g.most = 3
	_, answers := g.fill(t)
	outs := g.wait(t.Context(), t.Context())
	outs = append(outs, g.read(t.Context(), "k2"))
	b := <-g.begun
	if b.rows != 3 {
		t.Errorf("it reads for %d", b.rows)
	}
	outs = append(outs, g.wait(t.Context())...)
	b.answer <- nil
	next := <-g.begun // in its place
	if next.rows != 1 {
		t.Errorf("then one reads for %d", next.rows)
	}
	next.answer <- nil
	for i, want := range []string{"ok k0", "ok k1", "ok k2", "ok k0"} {
		if s := <-outs[i]; s != want {
			t.Errorf("%d: %s, want %s", i, s, want)
		}
	}
	for _, a := range answers {
		a <- nil
	}
}

// TestManyUnderway: enough go without waiting for others, as long as not many are on their way; then as many wait as one statement reads for.
func TestManyUnderway(t *testing.T) {
	t.Parallel()
	g := newGate()
	g.most = enough + 2
	outs, answers := g.fill(t)
	waiters := func(n int) []context.Context { return slices.Repeat([]context.Context{t.Context()}, n) }
	for len(answers) < many {
		outs = append(outs, g.wait(waiters(enough-1)...)...)
		outs = append(outs, g.read(t.Context(), "last"))
		b := <-g.begun
		if answers = append(answers, b.answer); b.rows != enough {
			t.Errorf("it reads for %d", b.rows)
		}
	}
	outs = append(outs, g.wait(waiters(enough+1)...)...)
	outs = append(outs, g.read(t.Context(), "last"))
	b := <-g.begun
	if answers = append(answers, b.answer); b.rows != g.most {
		t.Errorf("when many are on their way it reads for %d", b.rows)
	}
	for _, a := range answers {
		a <- nil
	}
	for _, out := range outs {
		if s := <-out; !strings.HasPrefix(s, "ok ") {
			t.Error(s)
		}
	}
}

// TestReadsAtRandom: many at once, of which some go and some fail; each that ends well has its own row, once, and nothing is left.
func TestReadsAtRandom(t *testing.T) {
	t.Parallel()
	tg := newTogether()
	var apart, joint atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for n := range 300 {
				limit := time.Hour
				if r.IntN(4) == 0 {
					limit = time.Duration(r.IntN(300)) * time.Microsecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				as, key, fails := likeness{args: fmt.Sprint(n % 2)}, fmt.Sprint(i, n), r.IntN(10) == 0
				var got []string
				one := &rowRead{key: Key{value: key}, row: func(values []driver.Value) error {
					got = append(got, values[0].(string))
					return nil
				}}
				err := tg.read(ctx, as, 5, one, func() error {
					apart.Add(1)
					time.Sleep(50 * time.Microsecond)
					return one.row([]driver.Value{key})
				}, func(rs []*rowRead) error {
					joint.Add(int64(len(rs)))
					time.Sleep(50 * time.Microsecond)
					for _, o := range rs {
						if o.take([]driver.Value{o.key.value}); fails {
							return errAway
						}
					}
					return nil
				})
				cancel()
				if err == nil && (len(got) != 1 || got[0] != key) {
					t.Errorf("%s has %q", key, got)
				}
			}
		})
	}
	wg.Wait()
	if len(tg.all) != 0 {
		t.Error("something is thought to be on its way")
	}
	if apart.Load() == 0 || joint.Load() == 0 {
		t.Errorf("%d went by themselves, %d together", apart.Load(), joint.Load())
	}
}

// TestReadByKey: rows by every key there is, asked for by many while Postgres is kept from answering, in few statements; and by each alone.
func TestReadByKey(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	s, err := Open(Options{URL: migrated(t), LockTimeout: time.Minute, StatementTimeout: time.Minute, OnStatement: func(_ context.Context, text string) {
		if strings.Contains(text, "JOIN groups g") || strings.Contains(text, "FROM groups g") {
			statements.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.run(t, `INSERT INTO groups (id, handle, name, external_id, public) SELECT ('0190aaaa-0000-7000-8000-0000000000' || i)::uuid, 'h' || i, 'Group "' || i || '", \ {NULL}', 'x,"' || i, i <> 15
		FROM generate_series(10, 29) i`)
	const noUUID = 20
	name := func(i int) string { return fmt.Sprintf(`Group "%d", \ {NULL}`, i) }
	check := func(what string, i int, hides bool, k Key, where Cond) {
		t.Helper()
		parts, err := Find(t.Context(), s, Groups, List{Key: k, Columns: []string{"name"}, Where: where})
		if k.value == "none" {
			if err == nil {
				t.Errorf("%s of %d is found", what, i)
			}
			return
		}
		var got, want []string
		for _, p := range parts {
			for _, r := range p.Rows {
				got = append(got, r.Name)
			}
		}
		if i >= 10 && i <= 29 && (!hides || i != 15) {
			want = []string{name(i)}
		}
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("%s of %d: %q %v", what, i, got, err)
		}
	}
	keys := map[string]func(i int) Key{
		"id": func(i int) Key {
			return Key{column: "g.id", typ: "uuid", value: fmt.Sprintf("0190aaaa-0000-7000-8000-0000000000%02d", i)}
		},
		"id, of which one is none": func(i int) Key {
			return Key{column: "g.id", typ: "uuid", value: map[bool]string{false: fmt.Sprintf("0190aaaa-0000-7000-8000-0000000000%02d", i), true: "none"}[i == noUUID]}
		},
		"number":     func(i int) Key { return GroupKey(GroupRef{Number: cmp.Or(i-9, 99)}) },
		"handle":     func(i int) Key { return GroupKey(GroupRef{Handle: fmt.Sprint("h", i)}) },
		"name":       func(i int) Key { return GroupKey(GroupRef{Name: strings.ToUpper(name(i))}) },
		"externalId": func(i int) Key { return GroupKey(GroupRef{ExternalID: fmt.Sprintf(`x,"%d`, i)}) },
	}
	for what, key := range keys {
		for i := 9; i <= 30; i++ {
			check(what, i, false, key(i), Cond{})
		}
		statements.Store(0)
		var wg sync.WaitGroup
		release := keepFromAnswering(t, s, &wg, "groups")
		all, broken := 0, key(noUUID).value == "none"
		begin := func(i int) {
			all++
			for where, hides := range map[whose]bool{everyone: false, strangers: true} {
				wg.Go(func() { check(what, i, hides, key(i), where.cond()) })
			}
			if broken {
				return // it fails at once, and others go in its place
			}
			for s.together.waits() != 2*(max(0, all-mostApart)%enough) || statements.Load() < 2*int64(min(all, mostApart)) {
				time.Sleep(time.Millisecond)
			}
		}
		for i := 9; i <= 30; i++ {
			begin(i)
		}
		release()
		wg.Wait()
		if n, want := statements.Load(), int64(2*(mostApart+(22-mostApart+enough-1)/enough)); !broken && n != want {
			t.Errorf("44 groups by %s are %d statements, not %d", what, n, want)
		}
	}
}

// TestReadByKeyWithBelow: users with the groups that they are in, by many at a time while Postgres is kept from answering: each has its own,
// also where a statement for several fails.
func TestReadByKeyWithBelow(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	s, err := Open(Options{URL: migrated(t), LockTimeout: time.Minute, StatementTimeout: time.Minute, OnStatement: func(_ context.Context, text string) {
		if strings.Contains(text, "members") {
			statements.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const users = 24
	s.run(t, `INSERT INTO users (id, username, username_key) SELECT ('0190aaaa-0000-7000-8000-0000000000' || i)::uuid, 'u' || i, 'u' || i FROM generate_series(10, 33) i`)
	s.run(t, `INSERT INTO groups (id, handle, name) SELECT ('0190bbbb-0000-7000-8000-0000000000' || i)::uuid, 'g' || i, 'g' || i FROM generate_series(10, 13) i`)
	s.run(t, `INSERT INTO members (id, group_id, user_id, username_key, via) SELECT gen_random_uuid(), g.id, u.id, u.username_key, 'GRAPHQL'
		FROM groups g, users u WHERE substr(g.name, 2)::int - 10 < substr(u.username, 2)::int % 5`)
	find := func(id string) (string, error) {
		below := &Nested[Group]{Table: Groups, List: List{Of: GroupsOfUser, Columns: []string{"name"}, Order: []Order{{Key: "NAME"}}, Limit: 3}}
		parts, err := Find(t.Context(), s, Users, List{Key: Key{column: "u.id", typ: "uuid", value: id}, Columns: []string{"id", "username"}, Below: []Below{below}})
		if err != nil {
			return "", err
		}
		var b strings.Builder
		for i, r := range parts[0].Rows {
			b.WriteString(r.Username + ":")
			for _, g := range below.Parts[i].Rows {
				b.WriteString(" " + g.Name)
			}
			if below.Parts[i].More {
				b.WriteString(" and more")
			}
		}
		if len(below.Parts) != len(parts[0].Rows) {
			t.Errorf("%d parts of %d rows", len(below.Parts), len(parts[0].Rows))
		}
		return b.String(), nil
	}
	check := func(i int) {
		t.Helper()
		id, want := fmt.Sprintf("0190aaaa-0000-7000-8000-0000000000%02d", i), fmt.Sprintf("u%d:%s", i, []string{"", " g10", " g10 g11", " g10 g11 g12", " g10 g11 g12 and more"}[i%5])
		if i >= 10+users {
			want = ""
		}
		if got, err := find(id); got != want || err != nil {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
	for i := 10; i <= 10+users; i++ {
		check(i)
	}
	for _, broken := range []bool{false, true} {
		statements.Store(0)
		var wg sync.WaitGroup
		release := keepFromAnswering(t, s, &wg, "users")
		all := 0
		begin := func(f func()) {
			wg.Go(f)
			if all++; all <= mostApart {
				for statements.Load() < int64(all) {
					time.Sleep(time.Millisecond)
				}
				return
			}
			for n := (all - mostApart) % mostWithBelow; !broken; time.Sleep(time.Millisecond) { // what is broken fails at once, and others go in its place
				if s.together.waits() == n {
					return
				}
			}
		}
		for i := 10; i <= 10+users; i++ {
			begin(func() { check(i) })
			if broken && i == 20 {
				begin(func() {
					if _, err := find("none"); err == nil {
						t.Error("a key that is none finds something")
					}
				})
			}
		}
		release()
		wg.Wait()
		if n, want := statements.Load(), int64(mostApart+(users+1-mostApart+mostWithBelow-1)/mostWithBelow); !broken && n != want {
			t.Errorf("%d users are %d statements, want %d", users+1, n, want)
		}
	}
}

// keepFromAnswering holds a table until release is called.
func keepFromAnswering(t *testing.T, s *Store, wg *sync.WaitGroup, table string) (release func()) {
	t.Helper()
	locked, end := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		_ = s.InTx(t.Context(), true, func(tx *Store) error {
			err := tx.exec(t.Context(), "LOCK TABLE "+table)
			close(locked)
			<-end
			return err
		})
	})
	<-locked
	return func() { close(end) }
}

// waits is how many reads wait.
func (t *together) waits() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.all {
		n += len(a.waiting)
	}
	return n
}

// whose stands for a condition on groups.
type whose string

const (
	everyone  whose = "everyone"
	strangers whose = "strangers"
)

func (c whose) cond() Cond {
	if c == strangers {
		return GroupPublic.Eq(true)
	}
	return Cond{}
}
