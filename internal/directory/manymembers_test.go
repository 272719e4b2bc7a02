package directory_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// manyStep is a write of several members, chosen once for both worlds.
type manyStep struct {
	oneStep
	users [][2]int // each with the way it is named
}

func randomManyStep(r *rand.Rand) manyStep {
	s := manyStep{oneStep: randomOneStep(r)}
	if s.selection > 1 { // those ask for changes, or for what only the ordinary way has
		s.selection -= 2
	}
	most := 8
	if r.IntN(4) == 0 { // u8 is nobody
		most = 9
	}
	for range 2 + r.IntN(4) {
		by := 2 + r.IntN(3)
		if r.IntN(12) == 0 {
			by = r.IntN(2)
		}
		s.users = append(s.users, [2]int{r.IntN(most), by})
	}
	return s
}

// doMany does the step. Who asks for changes as well goes the ordinary way.
func (w *twin) doMany(t *testing.T, s manyStep) string {
	by := w.callers[s.caller]
	by.Via, by.RequestID = s.via, "r"
	in := directory.AddMembersInput{Group: w.groupRef(s.oneStep), OnUnknownUser: s.unknown, DryRun: s.dry, AdminsAreIn: s.adminsAreIn}
	for i, u := range s.users {
		one := s.oneStep
		one.user, one.userBy = u[0], u[1]
		in.Users = append(in.Users, ptr(w.userRef(one)))
		if s.expiry == 2 && i%2 == 0 { // the time of some is over by now
			w.exec(`UPDATE members SET expires_at = '2020-01-01' WHERE username_key = $1`, fmt.Sprintf("u%d", u[0]))
		}
	}
	if s.expiry == 1 {
		in.ExpiresAt = ptr(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	sel := oneSelections[s.selection]
	if !w.short {
		sel.Links = append(sel.Links[:len(sel.Links):len(sel.Links)], withChanges.Links...)
	}
	w.statements.Store(0)
	p, err := w.AddMembers(t.Context(), by, in, sel)
	if err != nil {
		e := *directory.AsError(err)
		e.Cause = nil
		return fmt.Sprintf("%+v", e)
	}
	return w.tell(t, p, s.selection)
}

// TestManyMembersEitherWay does the same random writes of several members in two worlds. Nothing but the number of statements tells which
// of them took the short way.
func TestManyMembersEitherWay(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	short, long := newTwin(t, true), newTwin(t, false)
	shortly := 0
	for n := range 300 {
		s := randomManyStep(r)
		got := short.doMany(t, s)
		want := long.doMany(t, s)
		if got != want {
			t.Fatalf("step %d, %+v\nthe short way: %s\nthe ordinary way: %s", n, s, got, want)
		}
		if short.statements.Load() == 1 && got[0] != '{' { // it is no error
			shortly++
		}
		if n%2 == 0 { // somebody leaves, so that there is something to add
			for _, w := range []*twin{short, long} {
				for _, name := range []string{"u0", "u1", "u4", "u5", "u6"} { // one by one: those who leave together are told of in any order
					in := directory.RemoveMembersInput{Group: directory.GroupByName(string(rune('a' + s.group))), Users: named(name), MembersOnly: true}
					_, _ = w.RemoveMembers(t.Context(), directory.System(), in, nothing)
				}
			}
		}
		if n%10 == 0 || n == 299 {
			if d := cmp.Diff(long.state(), short.state()); d != "" {
				t.Fatalf("step %d, %+v: the ordinary way leaves (-), the short one (+):\n%s", n, s, d)
			}
		}
	}
	short.checkCounters()
	short.checkReplay()
	if t.Logf("%d went the short way", shortly); shortly < 20 {
		t.Error("these are too few")
	}
}
