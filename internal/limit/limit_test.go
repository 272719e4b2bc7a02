package limit_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"roster/internal/directory"
	"roster/internal/limit"
)

// clock stands still until it is set.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func user(n byte) directory.Caller {
	return directory.Caller{User: &directory.CallerUser{UUID: uuid.UUID{n}}}
}

func token(n byte) directory.Caller {
	return directory.Caller{Token: &directory.CallerToken{UUID: uuid.UUID{n}}}
}

// The budget gives exactly what it says, refuses the next point, and grows back by the minute.
func TestBudget(t *testing.T) {
	t.Parallel()
	at := clock{time.Unix(1e9, 0)}
	b := limit.NewBudget(600, at.now)
	spend := func(points int, want limit.State, wantOK bool) {
		t.Helper()
		got, ok := b.Spend(user(1), points)
		if d := cmp.Diff(want, got); d != "" || ok != wantOK {
			t.Errorf("spending %d: %v, want %v (-want +got):\n%s", points, ok, wantOK, d)
		}
	}
	spend(599, limit.State{Limit: 600, Remaining: 1, Full: 59900 * time.Millisecond}, true)
	spend(2, limit.State{Limit: 600, Remaining: 1, Full: 59900 * time.Millisecond, Retry: 100 * time.Millisecond}, false)
	spend(1, limit.State{Limit: 600, Full: time.Minute}, true)
	spend(1, limit.State{Limit: 600, Full: time.Minute, Retry: 100 * time.Millisecond}, false)
	at.Time = at.Add(100 * time.Millisecond)
	spend(1, limit.State{Limit: 600, Full: time.Minute}, true)
	at.Time = at.Add(time.Hour)
	spend(0, limit.State{Limit: 600, Remaining: 600}, true)
}

// What is booked afterwards is owed: nothing goes until it has grown back.
func TestBook(t *testing.T) {
	t.Parallel()
	at := clock{time.Unix(1e9, 0)}
	b := limit.NewBudget(60, at.now)
	b.Book(user(1), 90) // a minute's worth at most
	b.Book(user(1), 30)
	got, ok := b.Spend(user(1), 1)
	if want := (limit.State{Limit: 60, Full: 90 * time.Second, Retry: 31 * time.Second}); ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	at.Time = at.Add(31 * time.Second)
	if _, ok := b.Spend(user(1), 1); !ok {
		t.Error("what was owed has not grown back")
	}
}

// Users and groups' tokens have budgets of their own; a user has one, whatever token is used, and nobody has one.
func TestBudgetIsTheCallers(t *testing.T) {
	t.Parallel()
	at := clock{time.Unix(1e9, 0)}
	b := limit.NewBudget(1, at.now)
	first, second := user(1), user(1)
	first.Token, second.Token = token(7).Token, token(8).Token
	for _, c := range []struct {
		name string
		by   directory.Caller
		want bool
	}{
		{"a user", first, true}, {"the user again", second, false}, {"another user", user(2), true}, {"a group's token", token(3), true},
		{"the token again", token(3), false}, {"nobody", directory.Caller{}, true}, {"nobody again", directory.Caller{}, false},
	} {
		if _, ok := b.Spend(c.by, 1); ok != c.want {
			t.Errorf("%s: %v, want %v", c.name, ok, c.want)
		}
	}
}

func TestNoBudget(t *testing.T) {
	t.Parallel()
	b := limit.NewBudget(0, time.Now)
	b.Book(user(1), 1<<40)
	s, ok := b.Spend(user(1), 1<<40)
	h := http.Header{}
	s.Header(h)
	if !ok || len(h) != 0 {
		t.Error(ok, h)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	limit.State{Limit: 600, Remaining: 7, Full: 59001 * time.Millisecond, Retry: 1}.Header(h)
	want := http.Header{"Ratelimit-Policy": {`"points";q=600;w=60`}, "Ratelimit": {`"points";r=7;t=60`}, "Retry-After": {"1"}}
	if d := cmp.Diff(want, h); d != "" {
		t.Error(d)
	}
}

// A caller has its number of slots, all callers together theirs, and one that is given back is there again, once.
func TestSlots(t *testing.T) {
	t.Parallel()
	s := limit.NewSlots(2, 3)
	take := func(by directory.Caller, want bool) func() {
		t.Helper()
		release, ok := s.Take(by)
		if ok != want {
			t.Errorf("got %v, want %v", ok, want)
		}
		return release
	}
	one := take(user(1), true)
	take(user(1), true)
	take(user(1), false) // the caller's
	take(user(2), true)
	take(user(3), false) // the total
	one()
	one()
	take(user(3), true)
	take(user(2), false)
}

// However many take at once, no more than there are get one.
func TestSlotsTogether(t *testing.T) {
	t.Parallel()
	s := limit.NewSlots(10, 25)
	var all sync.WaitGroup
	var got atomic.Int32
	for i := range 200 {
		all.Go(func() {
			if _, ok := s.Take(user(byte(i % 5))); ok {
				got.Add(1)
			}
		})
	}
	all.Wait()
	if got.Load() != 25 {
		t.Errorf("%d got one", got.Load())
	}
}
