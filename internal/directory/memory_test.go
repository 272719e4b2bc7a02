package directory_test

import (
	"testing"

	"roster/internal/directory"
)

// remembered is who a secret belongs to by memory, before anything was asked.
func (w *world) remembered(secret string) directory.Caller {
	w.t.Helper()
	w.with(secret)
	by, err := w.Authenticate(w.t.Context(), secret)
	if err != nil {
		w.t.Fatal(err)
	}
	by.Via = directory.DoorGraphQL
	return by
}

// TestMemoryIsCompared: whatever a caller does first, a memory that no longer holds ends it before anything is done; a call that was
// done is believed, whatever happened since.
func TestMemoryIsCompared(t *testing.T) {
	t.Parallel()
	castle := directory.GroupByName("castle")
	for name, call := range map[string]func(w *world, by directory.Caller) error{
		"a list": func(w *world, by directory.Caller) error {
			_, err := w.Groups(w.t.Context(), by, directory.Page{Rows: true}, nothing)
			return err
		},
		"a total": func(w *world, by directory.Caller) error {
			_, err := w.Groups(w.t.Context(), by, directory.Page{Total: true}, nothing)
			return err
		},
		"a group": func(w *world, by directory.Caller) error {
			_, err := w.Group(w.t.Context(), by, castle, nothing)
			return err
		},
		"the log": func(w *world, by directory.Caller) error {
			_, err := w.Changes(w.t.Context(), by, directory.Page{Rows: true}, nothing)
			return err
		},
		"a member more": func(w *world, by directory.Caller) error {
			_, err := w.AddMembers(w.t.Context(), by, directory.AddMembersInput{Group: castle, Users: named("eve")}, nothing)
			return err
		},
		"a member less": func(w *world, by directory.Caller) error {
			_, err := w.RemoveMembers(w.t.Context(), by, directory.RemoveMembersInput{Group: castle, Users: named("mia")}, nothing)
			return err
		},
		"two members": func(w *world, by directory.Caller) error {
			_, err := w.AddMembers(w.t.Context(), by, directory.AddMembersInput{Group: castle, Users: append(named("eve"), named("mia")...)}, nothing)
			return err
		},
		"a new group": func(w *world, by directory.Caller) error {
			_, err := w.CreateGroup(w.t.Context(), by, directory.CreateGroupInput{Name: "late"}, nothing)
			return err
		},
		"a new token": func(w *world, by directory.Caller) error {
			_, err := w.CreateToken(w.t.Context(), by, directory.CreateTokenInput{}, nothing)
			return err
		},
		"a check": func(w *world, by directory.Caller) error {
			_, err := w.CheckMemberships(w.t.Context(), by, []*directory.MembershipPair{{Group: castle, User: *named("ann")[0]}})
			return err
		},
		"an explanation": func(w *world, by directory.Caller) error {
			_, err := w.ExplainAccess(w.t.Context(), by, directory.OperationGroupView, &castle)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fortress(t)
			secret := w.keyOf("boss", "his", directory.Permissions...)
			by := w.remembered(secret)
			if err := call(w, by); err != nil {
				t.Fatalf("with a good memory: %v", err)
			}
			if err := w.Verify(t.Context(), by); err != nil {
				t.Fatalf("done, and then: %v", err)
			}
			w.exec(`UPDATE authority SET epoch = epoch + 1`)
			if err := w.Verify(t.Context(), by); err != nil {
				t.Errorf("what was compared is compared again: %v", err)
			}
			by = w.remembered(secret)
			w.exec(`UPDATE tokens SET revoked_at = now()`)
			before := w.dump()
			if err := call(w, by); !directory.IsStale(err) {
				t.Errorf("with the token revoked: %v", err)
			}
			if after := w.dump(); after != before {
				t.Errorf("something was done:\n%s", after)
			}
		})
	}
}
