package alldoors_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// TestRestoreThroughDoors deletes a group through each door: it is gone at once for all of them, and through all of them it is back as it
// was once it is restored.
func TestRestoreThroughDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var made struct{ CreateGroup struct{ Group graphQLGroup } }
	w.ask(rootSecret, `mutation {
		ann: createUser(input: {username: "ann", fullName: "Ann A", email: "ann@example.com"}) { dryRun } bob: createUser(input: {username: "bob"}) { dryRun }
		createGroup(input: {name: "crew", handle: "the-crew", description: "For all", externalId: "x-crew", public: true, tags: [{key: "k", value: "v"}],
			members: [{username: "ann"}, {username: "bob"}], admins: [{username: "ann"}]}) { group { uuid } } }`, nil, &made)
	uuid, there, gone := made.CreateGroup.Group.UUID, &model{groups: []*group{{name: "crew"}}}, &model{}
	paths := map[directory.Door]struct {
		read, delete string
		gone         int // the status of what is not there
	}{
		directory.DoorCDS:              {"/group/crew", "/group/crew", 404},
		directory.DoorEntrust:          {entrustRoot + "/groups/" + uuid, entrustRoot + "/groups/" + uuid, 404},
		directory.DoorAuthress:         {"/v1/groups/the-crew", "/v1/groups/the-crew", 404},
		directory.DoorD4Science:        {"/groups/crew/admins", "/workspace/groups/crew", 406},
		directory.DoorEnterpriseTester: {"/api/group/" + uuid, "/api/group/" + uuid, 404},
	}
	before := map[directory.Door]map[string]facts{}
	for _, door := range waysIn {
		if before[door] = steady(readers[door](w, there)); len(before[door]) != 1 {
			t.Fatalf("%s shows %v", door, before[door])
		}
	}
	for deletes, at := range paths {
		if a := w.send(authorised(deletes, rootSecret, request{method: "DELETE", path: at.delete})); a.status >= 300 {
			t.Fatalf("%s deletes: %s", deletes, a)
		}
		for door, at := range paths {
			if a := w.send(authorised(door, rootSecret, request{method: "GET", path: at.read})); a.status != at.gone {
				t.Errorf("%s has what %s deleted: %s", door, deletes, a)
			}
		}
		for _, door := range waysIn {
			if got := readers[door](w, gone).groups; len(got) > 0 {
				t.Errorf("%s lists what %s deleted: %v", door, deletes, got)
			}
		}
		w.ask(rootSecret, `mutation { restoreGroup(input: {group: {name: "Crew"}}) { dryRun } }`, nil, &struct{}{})
		for _, door := range waysIn {
			if d := cmp.Diff(before[door], steady(readers[door](w, there))); d != "" {
				t.Errorf("%s, deleted by %s and restored (-before +after):\n%s", door, deletes, d)
			}
		}
	}
}

// steady is what a reading shows of groups that is not new in every version.
func steady(r reading) map[string]facts {
	for _, f := range r.groups {
		delete(f, theVersion)
		delete(f, theChange)
	}
	return r.groups
}
