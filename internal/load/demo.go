package load

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"roster/internal/directory"
)

// demoGroups is a file of groups like any other: a small organisation.
//
//go:embed demo.jsonl
var demoGroups []byte

// demoUsers are its people. The first is an administrator, and the one who sets the rest up.
var demoUsers = []struct {
	name, fullName string
	roles          []directory.Role
}{
	{"alice", "Alice Andersson", []directory.Role{directory.RoleAdministrator}},
	{"bob", "Bob Bianchi", nil},
	{"carol", "Carol Castillo", nil},
	{"dave", "Dave Dlamini", nil},
	{"erin", "Erin Eriksen", nil},
	{"frank", "Frank Fujimoto", nil},
	{"grace", "Grace Gunawardena", []directory.Role{directory.RoleManager}},
	{"heidi", "Heidi Haddad", []directory.Role{directory.RoleViewer}},
}

const demoMail = "@example.org"

// contract is how long a contractor of the demo stays, in days.
const contract = 90

// Demo makes a small organisation: eight users and thirty groups, an action and a worker model, which is what the playground's
// examples speak of. A second run changes nothing, but for groups that were changed meanwhile: they become as they were. A directory
// that has users or groups of these names of its own is left alone.
func Demo(ctx context.Context, dir *directory.Service, progress io.Writer) error {
	if progress == nil {
		progress = io.Discard
	}
	if err := demoPeople(ctx, dir, progress); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	alice, err := dir.User(ctx, directory.System(), directory.UserByName(demoUsers[0].name), directory.Selection{})
	if err != nil {
		return err
	}
	if alice == nil {
		return fmt.Errorf("the user %s was deleted meanwhile", demoUsers[0].name)
	}
	by := directory.Caller{
		User:  &directory.CallerUser{UUID: alice.UUID, Username: demoUsers[0].name},
		Roles: []directory.Role{directory.RoleAdministrator}, Via: directory.DoorSystem,
	}
	if _, err := newImporter(dir, by, "demo.jsonl", ImportOptions{Progress: progress}).run(ctx, bytes.NewReader(demoGroups)); err != nil {
		return err
	}
	if err := demoContract(ctx, dir, by); err != nil {
		return err
	}
	return demoWorkshop(ctx, dir, by)
}

// demoPeople creates the users that there are not.
func demoPeople(ctx context.Context, dir *directory.Service, progress io.Writer) error {
	var missing []directory.CreateUserInput
	for _, u := range demoUsers {
		mail := u.name + demoMail
		have, err := dir.User(ctx, directory.System(), directory.UserByName(u.name), directory.Selection{Fields: []string{"email"}})
		switch {
		case err != nil:
			return err
		case have == nil:
			missing = append(missing, directory.CreateUserInput{Username: u.name, Email: &mail, FullName: &u.fullName, Roles: u.roles})
		case have.Email != mail:
			return fmt.Errorf("this directory has a user %s of its own: the demo is for a directory without", u.name)
		}
	}
	if len(missing) == len(demoUsers) {
		if err := demoRoom(ctx, dir); err != nil {
			return err
		}
	}
	for _, in := range missing {
		if _, err := dir.CreateUser(ctx, directory.System(), in, directory.Selection{}); err != nil {
			return err
		}
	}
	fmt.Fprintf(progress, "demo: %s, of them new: %d\n", counted(len(demoUsers), "user"), len(missing))
	return nil
}

// demoRoom refuses a directory that has groups of the demo's names and none of its users: they are somebody's.
func demoRoom(ctx context.Context, dir *directory.Service) error {
	var names []string
	for line := range bytes.Lines(demoGroups) {
		rec, err := parse(bytes.TrimSpace(line))
		if err != nil {
			return err
		}
		names = append(names, rec.Name)
	}
	list := all("groups", directory.Selection{})
	list.Page.Filter = &directory.GroupFilter{Name: &directory.StringFilter{In: names}}
	gs, err := dir.Groups(ctx, directory.System(), *list.Page, directory.Selection{Fields: []string{"name"}})
	if err == nil && len(gs.Edges) > 0 {
		err = fmt.Errorf("this directory has a group %q of its own: the demo is for a directory without", gs.Edges[0].Node.Name)
	}
	return err
}

// all is a page of a list for things that are few.
func all(field string, sel directory.Selection) directory.Link {
	first := directory.MaxPage
	return directory.Link{Key: field, Field: field, Select: sel, Page: &directory.Page{PageArgs: directory.PageArgs{First: &first}, Rows: true}}
}

// demoContract makes dave a contractor for a time, unless he is.
func demoContract(ctx context.Context, dir *directory.Service, by directory.Caller) error {
	group, dave := directory.GroupByName("contractors"), directory.UserByName("dave")
	g, err := dir.Group(ctx, by, group, directory.Want(all("members", directory.Selection{
		Fields: []string{"expiresAt"},
		Links:  []directory.Link{{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}},
	})))
	if err != nil || g == nil {
		return err
	}
	members, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil {
		return err
	}
	for _, m := range members.Nodes() {
		u, err := directory.Linked[*directory.User](m, "user")
		if err != nil {
			return err
		}
		if u.Username == *dave.Username && m.ExpiresAt != nil {
			return nil
		}
	}
	until := time.Now().AddDate(0, 0, contract).UTC().Truncate(24 * time.Hour)
	_, err = dir.AddMembers(ctx, by, directory.AddMembersInput{Group: group, Users: []*directory.UserRef{&dave}, ExpiresAt: &until}, directory.Selection{})
	return err
}

// demoWorkshop gives the platform group an action and a worker model, if it has none.
func demoWorkshop(ctx context.Context, dir *directory.Service, by directory.Caller) error {
	group := directory.GroupByName("platform")
	g, err := dir.Group(ctx, by, group, directory.Want(all("actions", directory.Selection{}), all("workerModels", directory.Selection{})))
	if err != nil || g == nil {
		return err
	}
	actions, err := directory.Linked[*directory.ActionConnection](g, "actions")
	if err != nil {
		return err
	}
	models, err := directory.Linked[*directory.WorkerModelConnection](g, "workerModels")
	if err != nil {
		return err
	}
	if len(actions.Edges) == 0 {
		if _, err := dir.PutAction(ctx, by, demoAction(group), directory.Selection{}); err != nil {
			return err
		}
	}
	if len(models.Edges) == 0 {
		_, err = dir.PutWorkerModel(ctx, by, demoModel(group), directory.Selection{})
	}
	return err
}

func demoAction(group directory.GroupRef) directory.PutActionInput {
	description, target := "Rolls a service out, and back if it does not come up", "the service to deploy"
	return directory.PutActionInput{
		Group: &group, Name: "deploy", Type: directory.ActionTypeDefault, Description: &description,
		Requirements: []*directory.RequirementInput{{Name: "kubectl", Type: "binary", Value: "kubectl"}},
		Parameters:   []*directory.ParameterInput{{Name: "service", Type: "string", Description: &target}},
	}
}

func demoModel(group directory.GroupRef) directory.PutWorkerModelInput {
	description, image := "What most pipelines run on", "docker.io/library/debian:13-slim"
	return directory.PutWorkerModelInput{
		Group: group, Name: "debian", Type: directory.WorkerModelTypeDocker, Description: &description, Image: &image,
		Docker:                 json.RawMessage(`{"cmd": "./worker", "shell": "sh -c"}`),
		RegisteredCapabilities: []*directory.RequirementInput{{Name: "bash", Type: "binary", Value: "bash"}},
	}
}
