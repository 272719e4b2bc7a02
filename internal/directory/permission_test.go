package directory_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"roster/internal/directory"
)

// attempt is a method that is tried on a group, as a dry run; op is what the access table calls it.
type attempt struct {
	name string
	op   directory.Operation
	try  func(ctx context.Context, w *world, by directory.Caller, group directory.GroupRef) error
}

func failed(_ *directory.Payload, err error) error { return err }

var attempts = []attempt{
	{"updateGroup", directory.OperationGroupUpdate, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.UpdateGroup(ctx, by, directory.UpdateGroupInput{Group: g, Description: directory.Some("new"), DryRun: true}, nothing))
	}},
	{"deleteGroup", directory.OperationGroupDelete, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.DeleteGroup(ctx, by, directory.DeleteGroupInput{Group: g, DryRun: true}, nothing))
	}},
	{"addMembers", directory.OperationMembersEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.AddMembers(ctx, by, directory.AddMembersInput{Group: g, Users: named("the-stranger"), DryRun: true}, nothing))
	}},
	{"removeMembers", directory.OperationMembersEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.RemoveMembers(ctx, by, directory.RemoveMembersInput{Group: g, Users: named("the-member"), DryRun: true}, nothing))
	}},
	{"setMembers", directory.OperationMembersEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.SetMembers(ctx, by, directory.SetMembersInput{Group: g, Members: named("the-stranger"), DryRun: true}, nothing))
	}},
	{"addAdmins", directory.OperationAdminsEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.AddAdmins(ctx, by, directory.AddAdminsInput{Group: g, Users: named("the-member"), DryRun: true}, nothing))
	}},
	{"removeAdmins", directory.OperationAdminsEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.RemoveAdmins(ctx, by, directory.RemoveAdminsInput{Group: g, Users: named("the-both"), DryRun: true}, nothing))
	}},
	{"createToken", directory.OperationTokensEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.CreateToken(ctx, by, directory.CreateTokenInput{Group: &g, DryRun: true}, nothing))
	}},
	{"putAction", directory.OperationActionsEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.PutAction(ctx, by, directory.PutActionInput{Group: &g, Name: "a", DryRun: true}, nothing))
	}},
	{"putWorkerModel", directory.OperationActionsEdit, func(ctx context.Context, w *world, by directory.Caller, g directory.GroupRef) error {
		return failed(w.PutWorkerModel(ctx, by, directory.PutWorkerModelInput{Group: g, Name: "a", Type: directory.WorkerModelTypeHost, DryRun: true}, nothing))
	}},
}

// peopled is a world with a public group and a private one, and callers of every standing in them.
func peopled(t *testing.T) (*world, func(group string) map[string]directory.Caller) {
	t.Helper()
	w := newWorld(t)
	w.users("the-stranger", "the-member", "the-admin", "the-both")
	w.withRole("the-viewer", directory.RoleViewer)
	w.withRole("the-manager", directory.RoleManager)
	w.withRole("the-administrator", directory.RoleAdministrator)
	for _, g := range []string{"public", "private"} {
		w.group(g, "the-member the-both", "the-admin the-both", g == "public")
	}
	w.group("other", "", "the-admin", false)
	users := map[string]directory.Caller{}
	for _, name := range strings.Fields(everyUser) {
		users[name] = w.as("the-" + name)
	}
	other := w.tokenOf("other")
	return w, func(group string) map[string]directory.Caller {
		callers := map[string]directory.Caller{"ownToken": w.tokenOf(group), "otherToken": other}
		for name, by := range users {
			callers[name] = by
		}
		return callers
	}
}

// TestPolicyThroughMethods tries the real methods: each does what the access table says, refuses with FORBIDDEN who sees the group,
// and with NOT_FOUND who does not.
func TestPolicyThroughMethods(t *testing.T) {
	t.Parallel()
	w, callersOf := peopled(t)
	before := w.dump()
	for _, group := range []string{"public", "private"} {
		callers := callersOf(group)
		before = w.dump()
		for _, a := range attempts {
			i := slices.IndexFunc(graphqlPolicy, func(p policy) bool { return p.op == a.op })
			v := slices.IndexFunc(graphqlPolicy, func(p policy) bool { return p.op == directory.OperationGroupView })
			allowed, visible := graphqlPolicy[i].onPrivate, graphqlPolicy[v].onPrivate
			if group == "public" {
				allowed, visible = graphqlPolicy[i].onPublic, graphqlPolicy[v].onPublic
			}
			for name, by := range callers {
				want := directory.NotFound
				switch {
				case slices.Contains(strings.Fields(allowed), name):
					want = ""
				case slices.Contains(strings.Fields(visible), name):
					want = directory.Forbidden
				}
				if got := a.try(t.Context(), w, by, directory.GroupByName(group)); failure(got) != want {
					t.Errorf("%s by %s on the %s group: %v, want %q", a.name, name, group, got, want)
				}
			}
		}
	}
	if d := cmp.Diff(before, w.dump()); d != "" {
		t.Errorf("dry runs and refusals changed something:\n%s", d)
	}
}

// TestHiddenIsAbsent compares every answer about a group that is hidden with that about one that is not there: they are the same,
// message and all.
func TestHiddenIsAbsent(t *testing.T) {
	t.Parallel()
	w, callersOf := peopled(t)
	callers := callersOf("private")
	hidden := map[string]directory.GroupRef{"hidden": directory.GroupByName("private"), "absent": directory.GroupByName("absent")}
	outsiders := map[string]directory.Caller{
		"stranger": callers["stranger"], "another group's token": callers["otherToken"], "an insider's narrow token": w.as("the-both", directory.PermissionUsersView),
	}
	for who, by := range outsiders {
		for _, via := range doors {
			if via == directory.DoorEnterpriseTester {
				continue // there everybody sees every group
			}
			by.Via = via
			for _, a := range attempts {
				got := map[string]*directory.Error{}
				for what, ref := range hidden {
					if err := a.try(t.Context(), w, by, ref); err == nil {
						t.Errorf("%s: %s may %s on what is %s", via, who, a.name, what)
					} else {
						got[what] = directory.AsError(err)
					}
				}
				if d := cmp.Diff(got["absent"], got["hidden"], cmpopts.IgnoreFields(directory.Error{}, "Cause")); d != "" {
					t.Errorf("%s: %s by %s tells a hidden group from an absent one:\n%s", via, a.name, who, d)
				}
			}
			g, err := w.Group(t.Context(), by, hidden["hidden"], nothing)
			none, absent := w.Group(t.Context(), by, hidden["absent"], nothing)
			if g != nil || none != nil || failure(err) != failure(absent) {
				t.Errorf("%s: %s reads %v %v of a hidden group, %v %v of an absent one", via, who, g, err, none, absent)
			}
		}
	}
}

// TestRefusalBeforeExistence: behind CDS's door, and Entrust's, who may not is told so before learning whether there is a group.
func TestRefusalBeforeExistence(t *testing.T) {
	t.Parallel()
	w, callersOf := peopled(t)
	callers := callersOf("private")
	for _, row := range []struct {
		via  directory.Door
		who  string
		want directory.Code // about a group that is not there
	}{
		{directory.DoorCDS, "stranger", directory.Forbidden}, {directory.DoorCDS, "member", directory.Forbidden},
		{directory.DoorCDS, "administrator", directory.NotFound}, {directory.DoorEntrust, "manager", directory.Forbidden},
		{directory.DoorEntrust, "administrator", directory.NotFound}, {directory.DoorGraphQL, "stranger", directory.NotFound},
		{directory.DoorGraphQL, "administrator", directory.NotFound}, {directory.DoorAuthress, "stranger", directory.NotFound},
	} {
		by := callers[row.who]
		by.Via = row.via
		for _, a := range attempts {
			if via := row.via; via == directory.DoorEntrust && a.op != directory.OperationGroupUpdate && a.op != directory.OperationGroupDelete {
				continue // Entrust has no more than that
			}
			if err := a.try(t.Context(), w, by, directory.GroupByName("absent")); failure(err) != row.want {
				t.Errorf("%s: %s by %s on no group: %v, want %s", row.via, a.name, row.who, err, row.want)
			}
		}
	}
}

// TestDirectoryWideMethods tries what is on no group.
func TestDirectoryWideMethods(t *testing.T) {
	t.Parallel()
	w, callersOf := peopled(t)
	callers := callersOf("private")
	stranger := named("the-stranger")[0]
	made := w.did(w.CreateWebhook(t.Context(), w.root(), directory.CreateWebhookInput{URL: "https://example.org"}, directory.Want(directory.Link{Key: "w", Field: "webhook"})))
	one, err := directory.Linked[*directory.Webhook](made, "w")
	if err != nil {
		t.Fatal(err)
	}
	hook := one.ID()
	for _, row := range []struct {
		name    string
		allowed string
		try     func(by directory.Caller) error
	}{
		{"createGroup", "administrator", func(by directory.Caller) error {
			return failed(w.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "x", DryRun: true}, nothing))
		}},
		{"createUser", "administrator", func(by directory.Caller) error {
			return failed(w.CreateUser(t.Context(), by, directory.CreateUserInput{Username: "x", DryRun: true}, nothing))
		}},
		{"updateUser", "administrator", func(by directory.Caller) error {
			return failed(w.UpdateUser(t.Context(), by, directory.UpdateUserInput{User: *stranger, Email: directory.Some("x"), DryRun: true}, nothing))
		}},
		{"deleteUser", "administrator", func(by directory.Caller) error {
			return failed(w.DeleteUser(t.Context(), by, directory.DeleteUserInput{User: *stranger, DryRun: true}, nothing))
		}},
		{"createWebhook", "administrator", func(by directory.Caller) error {
			return failed(w.CreateWebhook(t.Context(), by, directory.CreateWebhookInput{URL: "https://example.org", DryRun: true}, nothing))
		}},
		{"updateWebhook", "administrator", func(by directory.Caller) error {
			return failed(w.UpdateWebhook(t.Context(), by, directory.UpdateWebhookInput{Webhook: hook, RotateSecret: true, DryRun: true}, nothing))
		}},
		{"deleteWebhook", "administrator", func(by directory.Caller) error {
			return failed(w.DeleteWebhook(t.Context(), by, directory.DeleteWebhookInput{Webhook: hook, DryRun: true}, nothing))
		}},
		{"testWebhook", "administrator", func(by directory.Caller) error {
			return failed(w.TestWebhook(t.Context(), by, directory.TestWebhookInput{Webhook: hook}, nothing))
		}},
		{"webhook", "administrator", func(by directory.Caller) error {
			_, err := w.Webhook(t.Context(), by, hook, nothing)
			return err
		}},
		{"webhooks", "administrator", func(by directory.Caller) error {
			_, err := w.Webhooks(t.Context(), by, directory.Page{Rows: true, Total: true}, nothing)
			return err
		}},
		{"putAction of no group", "administrator", func(by directory.Caller) error {
			return failed(w.PutAction(t.Context(), by, directory.PutActionInput{Name: "x", Type: directory.ActionTypeBuiltin, DryRun: true}, nothing))
		}},
	} {
		for name, by := range callers {
			want := directory.Forbidden
			if slices.Contains(strings.Fields(row.allowed), name) {
				want = ""
			}
			if err := row.try(by); failure(err) != want {
				t.Errorf("%s by %s: %v, want %q", row.name, name, err, want)
			}
		}
		if err := row.try(directory.Caller{Via: directory.DoorGraphQL}); failure(err) != directory.Unauthenticated {
			t.Errorf("%s by nobody: %v", row.name, err)
		}
	}
}

// TestNobodyReadsNothing: without a caller every read is UNAUTHENTICATED.
func TestNobodyReadsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by, ctx := directory.Caller{Via: directory.DoorGraphQL}, t.Context()
	page := directory.Page{Rows: true, Total: true}
	id := directory.TypeID("usr", uuid.New())
	for name, read := range map[string]func() error{
		"viewer":   func() error { _, err := w.Viewer(ctx, by, struct{}{}, nothing); return err },
		"group":    func() error { _, err := w.Group(ctx, by, directory.GroupByName("x"), nothing); return err },
		"groups":   func() error { _, err := w.Groups(ctx, by, page, nothing); return err },
		"user":     func() error { _, err := w.User(ctx, by, directory.UserByName("admin"), nothing); return err },
		"users":    func() error { _, err := w.Users(ctx, by, page, nothing); return err },
		"tokens":   func() error { _, err := w.Tokens(ctx, by, page, nothing); return err },
		"changes":  func() error { _, err := w.Changes(ctx, by, page, nothing); return err },
		"node":     func() error { _, err := w.Node(ctx, by, id, nil); return err },
		"nodes":    func() error { _, err := w.Nodes(ctx, by, []string{id}, nil); return err },
		"webhook":  func() error { _, err := w.Webhook(ctx, by, "x", nothing); return err },
		"webhooks": func() error { _, err := w.Webhooks(ctx, by, page, nothing); return err },
		"check":    func() error { _, err := w.CheckMemberships(ctx, by, nil); return err },
		"explain":  func() error { _, err := w.ExplainAccess(ctx, by, directory.OperationGroupView, nil); return err },
	} {
		if err := read(); failure(err) != directory.Unauthenticated {
			t.Errorf("%s by nobody: %v", name, err)
		}
	}
}
