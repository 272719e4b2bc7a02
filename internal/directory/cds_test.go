package directory_test

import (
	"slices"
	"testing"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// cdsOrganisation has groups of every standing for ann, who is a member of "mine" and nothing else.
func cdsOrganisation(t *testing.T) (*directory.Service, directory.Caller) {
	t.Helper()
	dir := rostertest.Directory(t)
	by, create := directory.System(), directory.OnUnknownUserCreate
	yes := true
	for _, g := range []directory.PutGroupInput{
		{Name: "mine", Members: usersNamed("ann"), Admins: usersNamed("joe")},
		{Name: "open", Public: &yes, Admins: usersNamed("joe")},
		{Name: "both", Public: &yes, Members: usersNamed("ann")},
		{Name: "closed", Admins: usersNamed("joe")},
		{Name: "Shared", Admins: usersNamed("joe")},
	} {
		g.OnUnknownUser = create
		put(t, dir, by, g)
	}
	return dir, scoped(t, dir, "ann", directory.DoorCDS, directory.Permissions...)
}

func TestWalkListing(t *testing.T) {
	t.Parallel()
	dir, ann := cdsOrganisation(t)
	joe := scoped(t, dir, "joe", directory.DoorCDS, directory.PermissionGroupsEdit)
	all := []string{"both", "closed", "mine", "open", "Shared"}
	for _, c := range []struct {
		by   directory.Caller
		list directory.Listing
		want []string
	}{
		{ann, directory.Listing{}, []string{"both", "mine"}},
		{ann, directory.Listing{WithPublic: true}, []string{"both", "mine", "both", "open"}},
		{ann, directory.Listing{WithPublic: true, Without: "BOTH"}, []string{"mine", "open"}},
		{directory.System(), directory.Listing{WithPublic: true}, all},
	} {
		var got []string
		err := dir.WalkListing(t.Context(), c.by, c.list, func(g *directory.Group) error {
			got = append(got, g.Name)
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, %v, want %v", c.list, got, err, c.want)
		}
	}
	none := func(*directory.Group) error { return nil }
	if err := dir.WalkListing(t.Context(), joe, directory.Listing{}, none); directory.CodeOf(err) != directory.Forbidden {
		t.Errorf("without the scope: %v", err)
	}
	if err := dir.WalkPublic(t.Context(), joe, none); directory.CodeOf(err) != directory.Forbidden {
		t.Errorf("public, without the scope: %v", err)
	}
	if err := dir.WalkPublic(t.Context(), directory.Caller{Via: directory.DoorCDS}, none); directory.CodeOf(err) != directory.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
}

// Behind CDS's door refusal comes before existence; behind others, what may not be seen is not there.
func TestRequireGroup(t *testing.T) {
	t.Parallel()
	dir, ann := cdsOrganisation(t)
	elsewhere := ann
	elsewhere.Via = directory.DoorGraphQL
	for _, c := range []struct {
		by   directory.Caller
		name string
		want directory.Code
	}{
		{ann, "mine", ""}, {ann, "open", directory.Forbidden}, {ann, "closed", directory.Forbidden}, {ann, "absent", directory.Forbidden},
		{elsewhere, "open", ""}, {elsewhere, "closed", directory.NotFound}, {elsewhere, "absent", directory.NotFound},
		{directory.System(), "absent", directory.NotFound},
	} {
		g, err := dir.RequireGroup(t.Context(), c.by, directory.GroupByName(c.name), directory.Selection{})
		if (g == nil) != (c.want != "") || (err != nil && directory.CodeOf(err) != c.want) {
			t.Errorf("%s through %s: %v, %v, want %s", c.name, c.by.Via, g, err, c.want)
		}
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	dir, ann := cdsOrganisation(t)
	yes := true
	for _, group := range []string{"mine", "closed", "Shared"} {
		ref := directory.GroupByName(group)
		if _, err := dir.PutAction(t.Context(), directory.System(), directory.PutActionInput{Group: &ref, Name: "of " + group}, directory.Selection{}); err != nil {
			t.Fatal(err)
		}
		for _, m := range []directory.PutWorkerModelInput{{Name: "of " + group}, {Name: "off " + group, Disabled: &yes}, {Name: "old " + group, Deprecated: &yes}} {
			m.Group, m.Type = ref, directory.WorkerModelTypeHost
			if _, err := dir.PutWorkerModel(t.Context(), directory.System(), m, directory.Selection{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := dir.PutAction(t.Context(), directory.System(), directory.PutActionInput{Name: "built in", Type: directory.ActionTypeBuiltin}, directory.Selection{}); err != nil {
		t.Fatal(err)
	}
	sel := directory.Selection{Fields: []string{"name"}}
	for _, c := range []struct {
		group, sharing string
		actions        []string
		want           directory.Code
	}{
		{"mine", "shared", []string{"built in", "of mine", "of Shared"}, ""},
		{"mine", "absent", []string{"built in", "of mine"}, ""},
		{"Shared", "shared", []string{"built in", "of Shared"}, ""},
		{"Shared", "absent", nil, directory.Forbidden},
		{"closed", "shared", nil, directory.Forbidden},
		{"absent", "shared", nil, directory.NotFound},
	} {
		ref := directory.GroupByName(c.group)
		actions, aerr := dir.UsableActions(t.Context(), ann, ref, c.sharing, sel)
		models, merr := dir.UsableWorkerModels(t.Context(), ann, ref, c.sharing, sel)
		var got, gotModels []string
		for _, a := range actions {
			got = append(got, a.Name)
		}
		for _, m := range models {
			gotModels = append(gotModels, m.Name)
		}
		wantModels := c.actions[min(1, len(c.actions)):]
		if !slices.Equal(got, c.actions) || !slices.Equal(gotModels, wantModels) {
			t.Errorf("%s with %s: %v and %v, want %v and %v", c.group, c.sharing, got, gotModels, c.actions, wantModels)
		}
		for _, err := range []error{aerr, merr} {
			if (err == nil) != (c.want == "") || err != nil && directory.CodeOf(err) != c.want {
				t.Errorf("%s with %s: %v, want %s", c.group, c.sharing, err, c.want)
			}
		}
	}
}

// A token's number is one of its group's, or of nothing; revoked once, it is not told again.
func TestRevokeGroupToken(t *testing.T) {
	t.Parallel()
	dir, _ := cdsOrganisation(t)
	joe := scoped(t, dir, "joe", directory.DoorCDS, directory.Permissions...)
	ref := directory.GroupByName("mine")
	made, err := dir.CreateToken(t.Context(), joe, directory.CreateTokenInput{Group: &ref},
		directory.Want(directory.Link{Key: "token", Field: "token", Select: directory.Selection{Fields: []string{"number"}}}))
	if err != nil {
		t.Fatal(err)
	}
	token, err := directory.Linked[*directory.Token](made, "token")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group   string
		number  int
		revoked int
	}{{"closed", token.Number, 0}, {"mine", token.Number + 1, 0}, {"mine", -1, 0}, {"mine", 1 << 40, 0}, {"mine", token.Number, 1}, {"mine", token.Number, 0}} {
		p, err := dir.RevokeGroupToken(t.Context(), joe, directory.RevokeGroupTokenInput{Group: directory.GroupByName(c.group), Number: c.number}, directory.Selection{})
		if err != nil || p.Changed()[directory.ChangeKindTokenRevoked] != c.revoked {
			t.Errorf("%+v: %v, %v", c, p, err)
		}
	}
}

// What CDS asks for beyond what others do: nobody twice, nobody from outside, no new name that it does not know.
func TestRulesOfCDS(t *testing.T) {
	t.Parallel()
	dir, ann := cdsOrganisation(t)
	joe := scoped(t, dir, "joe", directory.DoorCDS, directory.Permissions...)
	mine := directory.UpdateGroupInput{Group: directory.GroupByName("mine")}
	replace := func(members, admins []string) error {
		_, err := dir.ReplaceGroup(t.Context(), joe, directory.ReplaceGroupInput{UpdateGroupInput: mine, Distinct: true,
			Members: usersNamed(members...), Admins: usersNamed(admins...)}, directory.Selection{})
		return err
	}
	remove := func(name string) error {
		_, err := dir.RemoveMembers(t.Context(), joe, directory.RemoveMembersInput{Group: mine.Group, Users: usersNamed(name), MembersOnly: true}, directory.Selection{})
		return err
	}
	rename := func(name string) error {
		in := mine
		in.Name = directory.Some(name)
		_, err := dir.UpdateGroup(t.Context(), joe, in, directory.Selection{})
		return err
	}
	create := func(by directory.Caller, name string) error {
		_, err := dir.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: name, DryRun: true}, directory.Selection{})
		return err
	}
	_, addNobody := dir.AddMembers(t.Context(), joe, directory.AddMembersInput{Group: mine.Group, MayBeEmpty: true}, directory.Selection{})
	elsewhere := ann
	elsewhere.Via = directory.DoorGraphQL
	ofGroup := ann
	ofGroup.User = nil
	for name, c := range map[string]struct {
		err  error
		want directory.Code
	}{
		"twice in a list":       {replace([]string{"ann", "ANN"}, []string{"joe"}), directory.Invalid},
		"in both lists":         {replace([]string{"joe"}, []string{"joe"}), directory.Invalid},
		"unknown":               {replace([]string{"who"}, []string{"joe"}), directory.NotFound},
		"once each":             {replace([]string{"ann"}, []string{"joe"}), ""},
		"remove an outsider":    {remove("admin"), directory.Invalid},
		"remove a stranger":     {remove("who"), directory.NotFound},
		"remove a member":       {remove("ann"), ""},
		"remove the last admin": {remove("joe"), directory.LastAdmin},
		"add nobody":            {addNobody, ""},
		"rename":                {rename("Team Mine"), directory.Invalid},
		"keep the name":         {rename("mine"), ""},
		"create":                {create(ann, "new-1"), ""},
		"create by a pattern":   {create(ann, "new 1"), directory.Invalid},
		"create elsewhere":      {create(elsewhere, "new-1"), directory.Forbidden},
		"create by no user":     {create(ofGroup, "new-1"), directory.Forbidden},
	} {
		if (c.err == nil) != (c.want == "") || c.err != nil && directory.CodeOf(c.err) != c.want {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
}
