package alldoors_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy/legacytest"
	"roster/internal/rostertest"
)

const rootSecret = rostertest.AdminSecret

// The fixed part: so many sequences, each of so many steps on a directory of its own.
const (
	sequences = 8
	stepsEach = 60
)

// TestCrossDoor writes at random through one way in at a time and reads back through all of them: after each step they tell the
// same story, which is the model's, and the change log says which door it was. At the end the audit proves what is kept beside it all.
func TestCrossDoor(t *testing.T) {
	t.Parallel()
	total := tally{done: map[string]int{}, refused: map[string]int{}}
	t.Run("Seed", func(t *testing.T) {
		for seed := range sequences {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				sequence(t, uint64(seed), stepsEach, &total)
			})
		}
	})
	total.covers(t)
	t.Logf("%d sequences, %d steps: %d done, %d refused; %d facts compared", total.sequences, total.steps, sum(total.done), sum(total.refused), total.facts)
}

// FuzzCrossDoor looks for a sequence that some door tells differently.
func FuzzCrossDoor(f *testing.F) {
	f.Add(uint64(4711))
	f.Fuzz(func(t *testing.T, seed uint64) {
		sequence(t, seed, 25, &tally{done: map[string]int{}, refused: map[string]int{}})
	})
}

// tally counts what was tried.
type tally struct {
	mu                      sync.Mutex
	sequences, steps, facts int
	done, refused           map[string]int // by door and operation
}

func sum(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}

func (y *tally) add(name string, refused bool, facts int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.steps++
	y.facts += facts
	if refused {
		y.refused[name]++
	} else {
		y.done[name]++
	}
}

// covers makes sure that every operation was done, and that every way in refused some.
func (y *tally) covers(t *testing.T) {
	t.Helper()
	for door, ops := range operations {
		refused := 0
		for _, o := range ops {
			name := string(door) + " " + o.name
			if y.done[name] == 0 {
				t.Errorf("%s was never done, and refused %d times: choose other seeds", name, y.refused[name])
			}
			refused += y.refused[name]
		}
		if refused == 0 {
			t.Errorf("%s refused nothing: choose other seeds", door)
		}
	}
}

// sequence runs one.
func sequence(t *testing.T, seed uint64, steps int, y *tally) {
	r := &run{w: newWorld(t, nil), rng: rand.New(rand.NewPCG(seed, 0)), read: map[directory.Door]map[fact]bool{}}
	r.populate()
	for range steps {
		r.one(y)
		if t.Failed() {
			t.Fatalf("the steps that led there:\n%s", strings.Join(r.history, "\n"))
		}
	}
	r.feed()
	r.w.audited()
	if steps >= stepsEach {
		r.complete()
	}
	if text := r.w.log.String(); text != "" {
		t.Errorf("something was Roster's fault: %s", text)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.sequences++
}

// populate makes five users, three of them with a token, and three groups, one of them as imported from a directory.
func (r *run) populate() {
	r.w.t.Helper()
	r.model = &model{users: []*person{{username: root, fullName: "First administrator", secret: rootSecret}}}
	for _, u := range []*person{
		{username: "alice", email: "alice@example.org", fullName: "Alice Ann Doe"}, {username: "Bob", email: "bob@example.org", fullName: "Bob"},
		{username: "carol"}, {username: "Dave D.", fullName: "Dave D."}, {username: "e+f@x.io", email: "e+f@x.io"},
	} {
		r.model.users = append(r.model.users, u)
		_, err := r.w.dir.CreateUser(r.w.context(), directory.System(), directory.CreateUserInput{Username: u.username, Email: &u.email, FullName: &u.fullName}, directory.Selection{})
		if err != nil {
			r.w.t.Fatal(err)
		}
		if len(r.model.users) < 5 {
			u.secret = r.w.token(u.username)
		}
	}
	r.model.groups = []*group{
		{name: "Imported", kind: "DIRECTORY", members: set{}, admins: set{}},
		{name: "old.one", kind: "MANAGED", members: setOf("Bob", "Dave D."), admins: setOf("alice", "carol")},
		{name: "Old Two", kind: "MANAGED", members: setOf("alice", "Bob"), admins: setOf("Bob"), public: true},
	}
	for _, g := range r.model.groups {
		g.access, g.defaultStorage, g.tags, g.description = "READ_ONLY", true, map[string]string{}, "there before"
		_, err := r.w.dir.CreateGroup(r.w.context(), directory.System(), directory.CreateGroupInput{Name: g.name, Type: directory.GroupType(g.kind), Description: &g.description,
			Public: &g.public, Members: legacytest.Users(names(g.members)...), Admins: legacytest.Users(names(g.admins)...)}, directory.Selection{})
		if err != nil {
			r.w.t.Fatal(err)
		}
	}
	r.place = r.w.logLength()
	r.compare()
}

// token makes a token of a user's with every scope.
func (w *world) token(user string) string {
	w.t.Helper()
	ref, life := directory.UserByName(user), directory.TokenExpirationPersistent
	p, err := w.dir.CreateToken(w.context(), directory.System(), directory.CreateTokenInput{User: &ref, Expiration: &life, Scopes: directory.Permissions}, directory.Selection{})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Secret
}

// one takes a step, and looks at all that can be seen of it.
func (r *run) one(y *tally) {
	r.w.t.Helper()
	r.door = pick(r, append(slices.Clone(waysIn), directory.DoorGraphQL, directory.DoorCDS)...) // which have more operations
	r.by = root
	if r.chance(25) {
		r.by = pick(r, "alice", "Bob", "carol")
	}
	o := pick(r, operations[r.door]...)
	if strings.HasPrefix(strings.ToLower(o.name), "delete") && r.chance(60) { // or there is never much to look at
		o = pick(r, operations[r.door]...)
	}
	name := string(r.door) + " " + o.name
	s := o.step(r)
	id := r.fresh("request")
	a := r.w.send(s.request.with("X-Request-Id", id))
	if s.outcome.code == "" {
		r.model = s.next
	}
	n := r.compare()
	switch {
	case s.outcome.code != "":
		if wrong := refusal(s, r.door, a); wrong != "" {
			r.w.t.Errorf("the answer is %s: %s (%s)", a, wrong, s.outcome.field)
		}
	case a.status != s.done:
		r.w.t.Errorf("the answer is %s: not %d", a, s.done)
	case s.check != nil && !r.w.t.Failed():
		s.check(r, a)
	}
	r.logged(s.outcome, id)
	r.history = append(r.history, fmt.Sprintf("%s by %s: %s: %d", name, r.by, s.request, a.status))
	if r.w.t.Failed() {
		return
	}
	r.singles()
	y.add(name, s.outcome.code != "", n)
}

// TestViews holds the table of the page against the one that the tests go by.
func TestViews(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/doors.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table()) {
		t.Errorf("docs/doors.md does not have this table:\n%s", table())
	}
	for door, row := range views {
		for f := range row {
			if !slices.Contains(groupFacts, f) && !slices.Contains(userFacts, f) {
				t.Errorf("%s shows %q, which is no fact of the table", door, f)
			}
		}
	}
}
