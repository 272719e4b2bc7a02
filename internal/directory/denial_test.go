package directory_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// TestDenialsAreExplained walks operations × standings: whoever is refused is refused for the reason that ExplainAccess gives to the same
// caller, of the same operation on the same group, whatever the client is told.
func TestDenialsAreExplained(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	w.users("bob")
	w.group("public", "bob", "ann", true)
	w.group("private", "bob", "ann", false)
	castle := directory.GroupByName("castle")
	w.did(w.CreateToken(t.Context(), directory.System(), directory.CreateTokenInput{Group: &castle, Scopes: directory.Permissions}, nothing))
	callers := map[string]directory.Caller{
		"stranger": w.as("eve"), "member": w.as("bob"), "admin": w.as("ann"), "manager": w.as("mia"), "administrator": w.as("boss"),
		"admin's narrow token": w.as("ann", directory.PermissionUsersView), "another group's token": w.tokenOf("castle"),
		"manager through CDS": through(w.as("mia"), directory.DoorCDS), "stranger through CDS": through(w.as("eve"), directory.DoorCDS),
		"admin through Entrust": through(w.as("ann"), directory.DoorEntrust), "member through D4Science": through(w.as("bob"), directory.DoorD4Science),
	}
	refused := map[directory.Operation]int{}
	for name, by := range callers {
		for _, group := range []string{"public", "private", "none"} {
			ref := directory.GroupByName(group)
			for op, do := range w.attempts(by, ref) {
				of := &ref
				if op == directory.OperationGroupCreate || op == directory.OperationUsersEdit || op == directory.OperationGroupList {
					of = nil
				}
				explained, err := w.ExplainAccess(t.Context(), by, op, of)
				if err != nil {
					t.Fatal(err)
				}
				err = do()
				got := directory.Reason(err)
				switch {
				case explained.Allowed:
					if got != nil {
						t.Errorf("%s: %s on %s is allowed, and refused: %v", name, op, group, err)
					}
					continue
				case got == nil:
					t.Errorf("%s: %s on %s is refused without a reason: %v", name, op, group, err)
					continue
				}
				refused[op]++
				want := &directory.Denial{Operation: op, Rule: explained.Rule, Because: explained.Because}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: %s on %s (-explained +recorded):\n%s", name, op, group, d)
				}
			}
		}
	}
	for _, op := range []directory.Operation{directory.OperationGroupCreate, directory.OperationGroupUpdate, directory.OperationGroupDelete,
		directory.OperationMembersEdit, directory.OperationAdminsEdit, directory.OperationTokensEdit, directory.OperationUsersEdit,
		directory.OperationActionsEdit, directory.OperationWebhooksEdit} {
		if refused[op] == 0 {
			t.Errorf("nobody was refused %s", op)
		}
	}
}

func through(by directory.Caller, via directory.Door) directory.Caller {
	by.Via = via
	return by
}

// attempts are ways to do each operation on a group, which change nothing.
func (w *world) attempts(by directory.Caller, ref directory.GroupRef) map[directory.Operation]func() error {
	ctx, dry := w.t.Context(), true
	of := func(_ *directory.Payload, err error) error { return err }
	return map[directory.Operation]func() error{
		directory.OperationGroupCreate: func() error {
			return of(w.CreateGroup(ctx, by, directory.CreateGroupInput{Name: "fresh", DryRun: dry}, nothing))
		},
		directory.OperationGroupUpdate: func() error {
			return of(w.UpdateGroup(ctx, by, directory.UpdateGroupInput{Group: ref, DryRun: dry}, nothing))
		},
		directory.OperationGroupDelete: func() error {
			return of(w.DeleteGroup(ctx, by, directory.DeleteGroupInput{Group: ref, DryRun: dry}, nothing))
		},
		directory.OperationMembersEdit: func() error {
			return of(w.AddMembers(ctx, by, directory.AddMembersInput{Group: ref, Users: named("boss"), DryRun: dry}, nothing))
		},
		directory.OperationAdminsEdit: func() error {
			return of(w.AddAdmins(ctx, by, directory.AddAdminsInput{Group: ref, Users: named("boss"), DryRun: dry}, nothing))
		},
		directory.OperationTokensEdit: func() error {
			return of(w.CreateToken(ctx, by, directory.CreateTokenInput{Group: &ref, Scopes: []directory.Permission{}, DryRun: dry}, nothing))
		},
		directory.OperationUsersEdit: func() error {
			return of(w.CreateUser(ctx, by, directory.CreateUserInput{Username: "fresh", DryRun: dry}, nothing))
		},
		directory.OperationActionsEdit: func() error {
			return of(w.PutWorkerModel(ctx, by, directory.PutWorkerModelInput{Group: ref, Name: "m", Type: directory.WorkerModelTypeDocker, DryRun: dry}, nothing))
		},
		directory.OperationWebhooksEdit: func() error {
			return of(w.CreateWebhook(ctx, by, directory.CreateWebhookInput{URL: "https://example.org", DryRun: dry}, nothing))
		},
		directory.OperationGroupList: func() error {
			_, err := w.Group(ctx, by, ref, nothing)
			return err
		},
	}
}

// TestOtherDenials: what is refused by a rule beside the table is recorded in the words that the client hears, and so is a credential.
func TestOtherDenials(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	mia := w.as("mia")
	mia.Permissions = directory.Permissions
	_, err := w.UpdateUser(t.Context(), mia, directory.UpdateUserInput{User: *named("boss")[0]}, nothing)
	_, wrong := w.Authenticate(t.Context(), "a wrong secret of twenty")
	_, nobody := w.Groups(t.Context(), directory.Caller{}, directory.Page{}, nothing)
	_, missing := w.UpdateGroup(t.Context(), w.root(), directory.UpdateGroupInput{Group: directory.GroupByName("none")}, nothing)
	for i, row := range []struct {
		err  error
		want []string
	}{
		{err, []string{"Only an ADMINISTRATOR changes an ADMINISTRATOR."}},
		{wrong, []string{"The token is unknown, expired or revoked."}},
		{nobody, []string{"There is no caller."}},
		{missing, nil}, // nobody was refused: there is none
		{nil, nil},
		{fmt.Errorf("something else"), nil},
	} {
		var got []string
		if d := directory.Reason(row.err); d != nil {
			got = d.Because
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%d: %v gives %q", i, row.err, got)
		}
	}
}
