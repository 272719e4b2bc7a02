package directory_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/db"
	"roster/internal/directory"
)

// tally counts what became of concurrent writes: "" for success.
type tally struct {
	sync.Mutex
	codes map[directory.Code]int
}

func (y *tally) add(err error) {
	y.Lock()
	defer y.Unlock()
	if y.codes == nil {
		y.codes = map[directory.Code]int{}
	}
	y.codes[failure(err)]++
}

// TestLastAdminStays removes 200 admins at once, each in a call of its own, by every way there is.
func TestLastAdminStays(t *testing.T) {
	t.Parallel()
	const n = 200
	w := newWorldWith(t, db.Options{MaxConns: 12})
	w.manyUsers(n)
	by := directory.System()
	users := numbered(0, n)
	for name, remove := range map[string]func(g directory.GroupRef, i int) error{
		"RemoveAdmins": func(g directory.GroupRef, i int) error {
			_, err := w.RemoveAdmins(t.Context(), by, directory.RemoveAdminsInput{Group: g, Users: users[i : i+1]}, nothing)
			return err
		},
		"RemoveMembers": func(g directory.GroupRef, i int) error {
			_, err := w.RemoveMembers(t.Context(), by, directory.RemoveMembersInput{Group: g, Users: users[i : i+1]}, nothing)
			return err
		},
	} {
		w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: name, Admins: users}, nothing))
		g := directory.GroupByName(name)
		var first, second tally
		together(n, func(i int) { first.add(remove(g, i)) })
		if diff := cmp.Diff(map[directory.Code]int{"": n - 1, directory.LastAdmin: 1}, first.codes); diff != "" {
			t.Errorf("%s, each another admin (-want +got):\n%s", name, diff)
		}
		left := w.text("SELECT string_agg(username_key, ' ') FROM admins WHERE group_id = (SELECT id FROM groups WHERE name = $1)", name)
		last, err := strconv.Atoi(strings.TrimPrefix(left, "u"))
		if err != nil {
			t.Fatalf("%s: admins left: %q", name, left)
		}
		together(n/5, func(int) { second.add(remove(g, last)) })
		if diff := cmp.Diff(map[directory.Code]int{directory.LastAdmin: n / 5}, second.codes); diff != "" {
			t.Errorf("%s, the last one (-want +got):\n%s", name, diff)
		}
	}
	w.checkCounters()
}

// TestOverlappingWrites has writers of every kind at the same few groups and users. Nobody hears of a deadlock, what is counted is
// what there is, and the log tells it in the order in which it happened.
func TestOverlappingWrites(t *testing.T) {
	t.Parallel()
	const groups, users, writers, each = 5, 12, 8, 30
	w := newWorldWith(t, db.Options{MaxConns: writers})
	w.manyUsers(users)
	by := directory.System()
	for i := range groups {
		w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: fmt.Sprintf("g%d", i), Admins: numbered(0, 1)}, nothing))
	}
	var results tally
	together(writers, func(i int) {
		r := seeded(i)
		for range each {
			err := overlapping(t, w, r, groups, users)
			results.add(err)
			if code := failure(err); code != "" && code != directory.LastAdmin {
				t.Errorf("writer %d: %v", i, err)
			}
		}
	})
	t.Logf("%v", results.codes)
	w.checkCounters()
	w.checkReplay()
}

func overlapping(t *testing.T, w *world, r *rand.Rand, groups, users int) error {
	by := directory.System()
	name := func() string { return fmt.Sprintf("g%d", r.IntN(groups)) }
	g := directory.GroupByName(name())
	var err error
	switch r.IntN(7) {
	case 0:
		_, err = w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: g, Users: someOf(r, "u", users, 6)}, nothing)
	case 1:
		_, err = w.RemoveMembers(t.Context(), by, directory.RemoveMembersInput{Group: g, Users: someOf(r, "u", users, 6)}, nothing)
	case 2:
		_, err = w.SetMembers(t.Context(), by, directory.SetMembersInput{Group: g, Members: some(r, "u", users, 8)}, nothing)
	case 3:
		_, err = w.AddAdmins(t.Context(), by, directory.AddAdminsInput{Group: g, Users: someOf(r, "u", users, 3)}, nothing)
	case 4:
		_, err = w.RemoveAdmins(t.Context(), by, directory.RemoveAdminsInput{Group: g, Users: someOf(r, "u", users, 3)}, nothing)
	default:
		in := directory.SetUserGroupsInput{User: *someOf(r, "u", users, 1)[0]}
		for range r.IntN(groups + 1) {
			in.Groups = append(in.Groups, ptr(directory.GroupByName(name())))
		}
		_, err = w.SetUserGroups(t.Context(), by, in, nothing)
	}
	return err
}

// TestOneNameOneGroup has many callers make a group of one name, each in a spelling of its own.
func TestOneNameOneGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const letters = 4
	var results tally
	together(1<<letters, func(i int) {
		name := []byte("name")
		for bit := range letters {
			if i>>bit&1 == 1 {
				name[bit] -= 'a' - 'A'
			}
		}
		_, err := w.CreateGroup(t.Context(), directory.System(), directory.CreateGroupInput{Name: string(name)}, nothing)
		results.add(err)
	})
	if diff := cmp.Diff(map[directory.Code]int{"": 1, directory.Conflict: 1<<letters - 1}, results.codes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.checkCounters()
}

// TestDeletedUserLeavesNothing deletes users while others add them to groups, and make them admins.
func TestDeletedUserLeavesNothing(t *testing.T) {
	t.Parallel()
	const users, groups = 16, 3
	w := newWorld(t)
	by := directory.System()
	for i := range groups {
		w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: fmt.Sprintf("g%d", i)}, nothing))
	}
	g0 := directory.GroupByName("g0")
	w.did(w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: g0, Users: numbered(0, users), OnUnknownUser: directory.OnUnknownUserCreate}, nothing))
	var deleted, added tally
	together(users*(1+groups), func(i int) {
		u := numbered(i%users, i%users+1)
		if i < users {
			_, err := w.DeleteUser(t.Context(), by, directory.DeleteUserInput{User: *u[0]}, nothing)
			deleted.add(err)
			return
		}
		g := directory.GroupByName(fmt.Sprintf("g%d", i/users-1))
		_, err := w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: g, Users: u}, nothing)
		if err == nil {
			_, err = w.SetUserGroups(t.Context(), by, directory.SetUserGroupsInput{User: *u[0], Groups: []*directory.GroupRef{&g}}, nothing)
		}
		added.add(err)
	})
	if diff := cmp.Diff(map[directory.Code]int{"": users}, deleted.codes); diff != "" {
		t.Errorf("deletions (-want +got):\n%s", diff)
	}
	if added.codes[""]+added.codes[directory.NotFound] != users*groups {
		t.Errorf("additions: %v", added.codes)
	}
	if left := w.text("SELECT count(*) FROM members"); left != "0" {
		t.Errorf("%s memberships of users who are gone", left)
	}
	w.checkCounters()
	w.checkReplay()
}

// TestRenamedUserIsAdded adds users to a group while they are renamed; they are named by what does not change.
func TestRenamedUserIsAdded(t *testing.T) {
	t.Parallel()
	const users, times = 4, 12
	w := newWorld(t)
	w.manyUsers(users)
	by := directory.System()
	w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "g"}, nothing))
	var refs []*directory.UserRef
	for i := range users {
		number := 0
		if _, err := fmt.Sscan(w.text("SELECT number FROM users WHERE username = $1", fmt.Sprintf("u%d", i)), &number); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, &directory.UserRef{Number: &number})
	}
	var results tally
	together(2*users, func(i int) {
		for n := range times {
			var err error
			switch {
			case i < users:
				_, err = w.UpdateUser(t.Context(), by, directory.UpdateUserInput{User: *refs[i], Username: directory.Some(fmt.Sprintf("v%d.%d", i, n))}, nothing)
			case n%2 == 0:
				_, err = w.AddMembers(t.Context(), by, directory.AddMembersInput{Group: directory.GroupByName("g"), Users: refs}, nothing)
			default:
				_, err = w.SetMembers(t.Context(), by, directory.SetMembersInput{Group: directory.GroupByName("g")}, nothing)
			}
			results.add(err)
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
	w.checkCounters()
	w.checkReplay()
}

// TestUnknownUsersAreCreatedOnce has many callers name the same users, whom nobody knows yet.
func TestUnknownUsersAreCreatedOnce(t *testing.T) {
	t.Parallel()
	const callers, users = 12, 20
	w := newWorld(t)
	by := directory.System()
	for i := range callers {
		w.did(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: fmt.Sprintf("g%d", i)}, nothing))
	}
	before := w.text("SELECT count(*) FROM users")
	var results tally
	together(callers, func(i int) {
		users := numbered(0, users)
		seeded(i).Shuffle(len(users), func(a, b int) { users[a], users[b] = users[b], users[a] })
		_, err := w.SetMembers(t.Context(), by, directory.SetMembersInput{Group: directory.GroupByName(fmt.Sprintf("g%d", i)),
			Members: users, OnUnknownUser: directory.OnUnknownUserCreate}, nothing)
		if err != nil {
			t.Error(err)
		}
		results.add(err)
	})
	if diff := cmp.Diff(map[directory.Code]int{"": callers}, results.codes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := w.text("SELECT count(*) - $1::int FROM users", before); got != fmt.Sprint(users) {
		t.Errorf("%s users, want %d", got, users)
	}
	if got := w.text("SELECT count(*) FROM changes c JOIN changes o ON o.user_id = c.user_id AND (o.tx, o.seq) < (c.tx, c.seq) WHERE c.kind = 'USER_CREATED'"); got != "0" {
		t.Errorf("%s changes of users come before their creation", got)
	}
	w.checkCounters()
	w.checkReplay()
}
