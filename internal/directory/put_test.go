package directory_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// put puts a group and answers the code that it failed with, "" if it did not.
func put(t *testing.T, dir *directory.Service, by directory.Caller, in directory.PutGroupInput) (*directory.Payload, directory.Code) {
	t.Helper()
	p, err := dir.PutGroup(t.Context(), by, in, directory.Selection{})
	if err != nil {
		return nil, directory.CodeOf(err)
	}
	return p, ""
}

func usersNamed(names ...string) []*directory.UserRef {
	refs := make([]*directory.UserRef, len(names))
	for i, n := range names {
		ref := directory.UserByName(n)
		refs[i] = &ref
	}
	return refs
}

func TestPutGroup(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	by := directory.System()
	type counts = map[directory.ChangeKind]int
	owner := directory.UserByName("eve")
	for _, step := range []struct {
		name    string
		in      directory.PutGroupInput
		created bool
		want    counts
		version int
	}{
		{"Created", directory.PutGroupInput{Name: "A", Members: usersNamed("ann", "Ben", "ANN"), Admins: usersNamed("ann"), OnUnknownUser: directory.OnUnknownUserCreate},
			true, counts{directory.ChangeKindGroupCreated: 1, directory.ChangeKindUserCreated: 2, directory.ChangeKindMemberAdded: 2, directory.ChangeKindAdminAdded: 1}, 1},
		{"Same", directory.PutGroupInput{Name: "A", Members: usersNamed("ben", "ann"), Admins: usersNamed("ann")}, false, counts{}, 1},
		{"Nothing", directory.PutGroupInput{Name: "A"}, false, counts{}, 1},
		{"Spelling", directory.PutGroupInput{Name: "a"}, false, counts{directory.ChangeKindGroupUpdated: 1}, 2},
		{"DryRun", directory.PutGroupInput{Name: "a", Members: usersNamed(), DryRun: true}, false, counts{directory.ChangeKindMemberRemoved: 2}, 2},
		{"All", directory.PutGroupInput{Name: "a", Public: new(true), FolderOwner: directory.Some(owner), Members: usersNamed("ben"), Admins: usersNamed(), OnUnknownUser: directory.OnUnknownUserCreate},
			false, counts{directory.ChangeKindUserCreated: 1, directory.ChangeKindGroupUpdated: 1, directory.ChangeKindMemberRemoved: 1, directory.ChangeKindAdminRemoved: 1}, 3},
		{"Admins", directory.PutGroupInput{Name: "a", Admins: usersNamed("ann", "ben")}, false, counts{directory.ChangeKindAdminAdded: 2}, 4},
	} {
		p, code := put(t, dir, by, step.in)
		if code != "" {
			t.Fatalf("%s: %s", step.name, code)
		}
		if p.Created != step.created || !maps.Equal(p.Changed(), step.want) {
			t.Errorf("%s: created %t, changes %v, want %v", step.name, p.Created, p.Changed(), step.want)
		}
		g, err := dir.Group(t.Context(), by, directory.GroupByName("a"), directory.Selection{Fields: []string{"version"}})
		if err != nil || g.Version != step.version {
			t.Errorf("%s: %+v, %v, want version %d", step.name, g, err, step.version)
		}
	}
	for want, in := range map[directory.Code]directory.PutGroupInput{
		directory.NotFound: {Name: "a", Members: usersNamed("nobody")},
		directory.Invalid:  {Name: "a", AccessType: new(directory.AccessType("ALL"))},
		directory.Conflict: {Name: "a", Handle: new("x")},
	} {
		if _, code := put(t, dir, by, in); code != want {
			t.Errorf("got %s, want %s", code, want)
		}
	}
}

// TestPutGroupAccess reads as policy: what a put asks for is what its parts ask for one by one.
func TestPutGroupAccess(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	if _, code := put(t, dir, directory.System(), directory.PutGroupInput{Name: "mine", Members: usersNamed("m"), Admins: usersNamed("a"), OnUnknownUser: directory.OnUnknownUserCreate}); code != "" {
		t.Fatal(code)
	}
	caller := func(name string, can ...directory.Permission) directory.Caller {
		u, err := dir.User(t.Context(), directory.System(), directory.UserByName(name), directory.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		by := directory.Caller{User: &directory.CallerUser{Username: name}, Permissions: can, Via: directory.DoorGraphQL}
		if u != nil {
			by.User.UUID = u.UUID
		}
		return by
	}
	fields := directory.PutGroupInput{Name: "MINE", Description: directory.Some("x"), DryRun: true}
	people := directory.PutGroupInput{Name: "mine", Members: usersNamed("a"), Admins: usersNamed("a"), DryRun: true}
	fresh := directory.PutGroupInput{Name: "fresh", DryRun: true}
	for _, c := range []struct {
		name string
		by   directory.Caller
		in   directory.PutGroupInput
		want directory.Code
	}{
		{"admin/fields", caller("a"), fields, ""},
		{"admin/people", caller("a"), people, ""},
		{"admin/fresh", caller("a"), fresh, directory.Forbidden},
		{"member/fields", caller("m"), fields, directory.Forbidden},
		{"stranger/fields", caller("s"), fields, directory.Forbidden},
		{"stranger/fresh", caller("s"), fresh, directory.Forbidden},
		{"stranger who may create/fields", caller("s", directory.PermissionGroupsAdd), fields, directory.Conflict},
		{"stranger who may create/fresh", caller("s", directory.PermissionGroupsAdd), fresh, ""},
		{"editor/fields", caller("s", directory.PermissionGroupsEdit), fields, ""},
		{"editor/people", caller("s", directory.PermissionGroupsEdit, directory.PermissionGroupsView), people, directory.Forbidden},
		{"nobody", directory.Caller{}, fields, directory.Unauthenticated},
	} {
		if _, code := put(t, dir, c.by, c.in); code != c.want {
			t.Errorf("%s: got %q, want %q", c.name, code, c.want)
		}
	}
}

// TestPutGroupConcurrently puts one group from many sides: one makes it, the others find it made.
func TestPutGroupConcurrently(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	created, failed := 0, []error(nil)
	for i := range 16 {
		wg.Go(func() {
			in := directory.PutGroupInput{Name: "one", Members: usersNamed("ann", fmt.Sprint("user ", i)), OnUnknownUser: directory.OnUnknownUserCreate}
			p, err := dir.PutGroup(t.Context(), directory.System(), in, directory.Selection{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
			} else if p.Created {
				created++
			}
		})
	}
	wg.Wait()
	if created != 1 || len(failed) > 0 {
		t.Errorf("%d created it, errors %v", created, failed)
	}
	g, err := dir.Group(t.Context(), directory.System(), directory.GroupByName("one"), directory.Selection{Fields: []string{"memberCount"}})
	if err != nil || g.MemberCount != 2 {
		t.Errorf("%+v, %v", g, err)
	}
}
