package directory_test

import (
	"context"
	"fmt"

	"roster/internal/directory"
)

// people checks the lists of users, members, admins and tokens, and the change log.
func (p *plans) people(by string) {
	caller := planCallers[by]
	p.users(by, caller)
	p.members(by, caller)
	p.tokens(by, caller)
	p.changes(by, caller)
}

func (p *plans) users(by string, caller directory.Caller) {
	type filter = directory.UserFilter
	for name, f := range map[string]*filter{
		"nothing": nil, "id": {ID: &directory.IDFilter{Eq: ptr(directory.TypeID("usr", seedID("u5")))}}, "username": {Username: eq("U77")}, "username starts": {Username: startsWith("u77")},
		"username contains": {Username: contains("7777")}, "email": {Email: eq("x@y")}, "email contains": {Email: contains("abcd")}, "email contains what half": {Email: contains("south")},
		"email ends": {Email: endsWith("zzz")}, "full name": {FullName: eq("Person x")}, "full name contains": {FullName: contains("abcd")}, "full name starts": {FullName: startsWith("person 01")},
		"external id": {ExternalID: eq("x1")}, "external id contains": {ExternalID: contains("abcde")}, "role": {Role: ptr(directory.RoleManager)}, "created": {CreatedAt: since("2024-01-14")},
		"search": {Search: ptr("abcd")}, "search what all": {Search: ptr("example")}, "or": {Or: []*filter{{Username: startsWith("u77")}, {Email: contains("abcd")}}},
	} {
		for _, order := range []directory.UserOrderField{"USERNAME", "CREATED_AT", "FULL_NAME", "EMAIL"} {
			p.check(fmt.Sprintf("users/%s/%s/%s", name, order, by), modesFor(f == nil), func(ctx context.Context) error {
				_, err := p.Users(ctx, caller, page(f, []*directory.UserOrder{{Field: order}}), directory.Selection{Fields: []string{"username", "email"}})
				return err
			})
		}
	}
}

// members checks the two lists of the big group.
func (p *plans) members(by string, caller directory.Caller) {
	type filter = directory.MemberFilter
	for name, f := range map[string]*filter{
		"nothing": nil, "username": {Username: eq("u77")}, "username starts": {Username: startsWith("u77")}, "username contains": {Username: contains("7777")}, "email": {Email: eq("x@y")},
		"email contains": {Email: contains("abcd")}, "admins": {IsAdmin: ptr(true)}, "not admins": {IsAdmin: ptr(false)}, "added": {AddedAt: since("2025-01-05")}, "search": {Search: ptr("abcd")},
	} {
		for _, order := range []directory.MemberOrderField{"USERNAME", "ADDED_AT"} {
			for _, list := range []string{"members", "admins"} {
				pg := page(f, []*directory.MemberOrder{{Field: order}})
				link := directory.Link{Key: list, Field: list, Page: &pg, Select: directory.Selection{Links: []directory.Link{{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}}}}
				p.check(fmt.Sprintf("%s/%s/%s/%s", list, name, order, by), modesFor(f == nil), func(ctx context.Context) error {
					_, err := p.Group(ctx, caller, directory.GroupByUUID(seedID("g1")), directory.Want(link))
					return err
				})
			}
		}
	}
}

func (p *plans) tokens(by string, caller directory.Caller) {
	type filter = directory.TokenFilter
	for name, f := range map[string]*filter{
		"nothing": nil, "active": {Status: ptr(directory.TokenStatusActive)}, "expired": {Status: ptr(directory.TokenStatusExpired)}, "revoked": {Status: ptr(directory.TokenStatusRevoked)},
		"description": {Description: eq("pipeline 7")}, "description contains": {Description: contains("7777")}, "description starts": {Description: startsWith("pipeline 77")},
		"created": {CreatedAt: since("2025-01-14")}, "expires": {ExpiresAt: since("2100-01-14")}, "last used": {LastUsedAt: since("2025-02-01")},
	} {
		for _, order := range []directory.TokenOrderField{"CREATED_AT", "EXPIRES_AT", "LAST_USED_AT"} {
			p.check(fmt.Sprintf("tokens/%s/%s/%s", name, order, by), modesFor(f == nil), func(ctx context.Context) error {
				_, err := p.Tokens(ctx, caller, page(f, []*directory.TokenOrder{{Field: order}}), directory.Selection{Fields: []string{"description"}})
				return err
			})
		}
	}
}

func (p *plans) changes(by string, caller directory.Caller) {
	group, user := directory.GroupByUUID(seedID("g8")), directory.UserByName("u5")
	for name, f := range map[string]*directory.ChangeFilter{
		"nothing": nil, "group": {Group: &group}, "user": {User: &user}, "actor": {Actor: ptr("u5")}, "kind": {Kinds: []directory.ChangeKind{directory.ChangeKindGroupDeleted}},
		"via": {Via: []directory.Door{directory.DoorCDS}}, "actor and kind": {Actor: ptr("u5"), Kinds: []directory.ChangeKind{directory.ChangeKindGroupDeleted}},
	} {
		p.check(fmt.Sprintf("changes/%s/%s", name, by), modesFor(f == nil && by == "administrator"), func(ctx context.Context) error {
			_, err := p.Changes(ctx, caller, page(f, nil), directory.Selection{Fields: []string{"kind", "actor"}})
			return err
		})
	}
}
