package graph_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/embedded"
	"roster/internal/rostertest"
	"roster/migrations"
)

// The organisation that the golden tests ask about. It is made once, and each test has a copy of its own.
//
//	Engineering  public, imported id EXT-1   members ada bob cyd   admins ada
//	Operations   private                     members bob eve       admins bob cyd      bob's membership ends in 2040
//	Archive      private, from a directory   nobody
//	Zürich       private                     members vic           admins ada mia
//
// admin is an ADMINISTRATOR, mia a MANAGER, vic a VIEWER; dan is in no group. Everybody has a token of that description.
var organisation = embedded.Template{Key: "organisation " + migrations.Hash(), Build: buildOrganisation}

// secrets are those of the organisation's tokens, by description. They are written when the template is built, once, before any test
// that acquires it goes on.
var secrets = map[string]string{"admin": rostertest.AdminSecret}

func organised(t testing.TB, o db.Options) *api {
	t.Helper()
	return serveAPI(t, embedded.Acquire(t, organisation), o)
}

// builder makes the organisation with the directory's own methods, as its administrator.
type builder struct {
	ctx context.Context
	dir *directory.Service
	by  directory.Caller
	err error
}

func buildOrganisation(ctx context.Context, url string) error {
	if _, err := db.Migrate(ctx, url); err != nil {
		return err
	}
	store, err := db.Open(db.Options{URL: url})
	if err != nil {
		return err
	}
	defer store.Close()
	dir := directory.New(directory.Config{Store: store, TokenKey: []byte("a key for tests")})
	if _, err := dir.EnsureAdmin(ctx, rostertest.AdminSecret); err != nil {
		return err
	}
	by, err := dir.AuthenticateNow(ctx, rostertest.AdminSecret)
	if err != nil {
		return err
	}
	by.Via, by.RequestID = directory.DoorGraphQL, "fixture"
	b := &builder{ctx: ctx, dir: dir, by: by}
	b.people()
	b.groups()
	b.tokens()
	b.actions()
	return errors.Join(b.err, age(ctx, url))
}

// age makes one token expired and one used long ago, which takes time otherwise.
func age(ctx context.Context, url string) error {
	beside, err := sql.Open("pg", url)
	if err != nil {
		return err
	}
	defer beside.Close()
	_, err = beside.ExecContext(ctx, `UPDATE tokens SET last_used_at = NULL;
		UPDATE tokens SET expires_at = '2020-01-02T00:00:00Z', last_used_at = '2020-01-01T12:00:00Z' WHERE description = 'expired'`)
	return err
}

func (b *builder) did(_ *directory.Payload, err error) { b.err = errors.Join(b.err, err) }

func ptr[T any](v T) *T { return &v }

func usersNamed(names ...string) []*directory.UserRef {
	refs := []*directory.UserRef{}
	for _, n := range names {
		refs = append(refs, ptr(directory.UserByName(n)))
	}
	return refs
}

func (b *builder) people() {
	for _, in := range []directory.CreateUserInput{
		{Username: "ada", Email: ptr("ada@example.org"), FullName: ptr("Ada Lovelace"), ExternalID: ptr("X-ada")},
		{Username: "bob", Email: ptr("bob@example.org"), FullName: ptr("Bob B.")},
		{Username: "Cyd", Email: ptr("cyd@example.com"), FullName: ptr("cyd")},
		{Username: "dan"},
		{Username: "eve", ExternalID: ptr("x-EVE"), FullName: ptr("100% Eve_")},
		{Username: "mia", Roles: []directory.Role{directory.RoleManager}},
		{Username: "vic", Roles: []directory.Role{directory.RoleViewer}},
	} {
		b.did(b.dir.CreateUser(b.ctx, b.by, in, directory.Selection{}))
	}
}

func (b *builder) groups() {
	for _, in := range []directory.CreateGroupInput{
		{
			Name: "Engineering", Handle: ptr("eng"), Description: ptr("Builds things."), ExternalID: ptr("EXT-1"),
			AccessType: ptr(directory.AccessTypeWriteOwner), FolderOwner: usersNamed("ada")[0], UseDefaultStorage: ptr(false), Public: ptr(true),
			Tags:    []*directory.TagInput{{Key: "team", Value: "core"}, {Key: "site", Value: "Bern"}},
			Members: usersNamed("ada", "bob", "cyd"), Admins: usersNamed("ada"),
		},
		{Name: "Operations", Tags: []*directory.TagInput{{Key: "site", Value: "Basel"}}, Members: usersNamed("eve"), Admins: usersNamed("bob", "cyd")},
		{Name: "Archive", Type: directory.GroupTypeDirectory, Admins: usersNamed()},
		{Name: "Zürich", Description: ptr("Grüezi"), AccessType: ptr(directory.AccessTypeWriteAll), Members: usersNamed("vic"), Admins: usersNamed("ada", "mia")},
	} {
		b.did(b.dir.CreateGroup(b.ctx, b.by, in, directory.Selection{}))
	}
	b.did(b.dir.AddMembers(b.ctx, b.by, directory.AddMembersInput{Group: directory.GroupByName("Operations"), Users: usersNamed("bob"),
		ExpiresAt: ptr(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC))}, directory.Selection{}))
}

func (b *builder) tokens() {
	eng := directory.GroupByName("Engineering")
	persistent := ptr(directory.TokenExpirationPersistent)
	token := func(in directory.CreateTokenInput) *directory.Payload {
		p, err := b.dir.CreateToken(b.ctx, b.by, in, directory.Selection{Links: []directory.Link{{Key: "token", Field: "token"}}})
		if b.did(nil, err); err == nil {
			secrets[*in.Description] = p.Secret
		}
		return p
	}
	for _, name := range []string{"ada", "bob", "cyd", "dan", "eve", "mia", "vic"} {
		token(directory.CreateTokenInput{User: usersNamed(name)[0], Description: ptr(name), Expiration: persistent, Scopes: directory.Permissions})
	}
	token(directory.CreateTokenInput{Group: &eng, Description: ptr("CI"), Expiration: persistent,
		Scopes: []directory.Permission{directory.PermissionGroupsView, directory.PermissionMembersEdit, directory.PermissionTokensEdit}})
	token(directory.CreateTokenInput{User: usersNamed("ada")[0], Description: ptr("laptop"), ExpiresAt: ptr(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)),
		Scopes: []directory.Permission{directory.PermissionGroupsView}})
	token(directory.CreateTokenInput{User: usersNamed("eve")[0], Description: ptr("expired"), Expiration: ptr(directory.TokenExpirationDaily)})
	revoked := token(directory.CreateTokenInput{Group: &eng, Description: ptr("revoked"), Expiration: persistent})
	if b.err != nil {
		return
	}
	t, err := directory.Linked[*directory.Token](revoked, "token")
	b.did(nil, err)
	b.did(b.dir.RevokeToken(b.ctx, b.by, directory.RevokeTokenInput{Token: t.ID()}, directory.Selection{}))
}

func (b *builder) actions() {
	eng := directory.GroupByName("Engineering")
	for _, in := range []directory.PutActionInput{
		{Name: "Checkout", Type: directory.ActionTypeBuiltin, Description: ptr("Checks out.")},
		{Name: "plugin-docker", Type: directory.ActionTypePlugin, Deprecated: ptr(true)},
		{
			Group: &eng, Name: "build", Enabled: ptr(false), Requirements: []*directory.RequirementInput{{Name: "git", Type: "binary", Value: "git"}},
			Parameters: []*directory.ParameterInput{{Name: "target", Type: "string", Value: ptr("all"), Description: ptr("what"), Advanced: ptr(true)}},
		},
	} {
		b.did(b.dir.PutAction(b.ctx, b.by, in, directory.Selection{}))
	}
	for _, in := range []directory.PutWorkerModelInput{
		{
			Group: eng, Name: "go", Type: directory.WorkerModelTypeDocker, Image: ptr("golang:1.26"), Docker: []byte(`{"registry": "r", "password": "hunter2"}`),
			RegisteredCapabilities: []*directory.RequirementInput{{Name: "go", Type: "binary", Value: "go"}},
		},
		{
			Group: eng, Name: "vm", Type: directory.WorkerModelTypeOpenstack, Description: ptr("big"), Disabled: ptr(true), Restricted: ptr(true), Deprecated: ptr(true),
			VirtualMachine: []byte(`{"flavor": "b2-7"}`),
		},
	} {
		b.did(b.dir.PutWorkerModel(b.ctx, b.by, in, directory.Selection{}))
	}
}
