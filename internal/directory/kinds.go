package directory

import (
	"context"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// kinds are the nouns as they are read. They refer to each other, as the nouns do.
type kinds struct {
	group       *kind[db.Group, Group]
	user        *kind[db.User, User]
	member      *kind[db.Member, Member]
	admin       *kind[db.Member, Admin]
	token       *kind[db.Token, Token]
	change      *kind[db.Change, Change]
	action      *kind[db.Action, Action]
	workerModel *kind[db.WorkerModel, WorkerModel]
	webhook     *kind[db.Webhook, Webhook]
	delivery    *kind[db.Delivery, WebhookDelivery]
}

// Each of these names a kind for a link.
func groups(k *kinds) *kind[db.Group, Group]                   { return k.group }
func users(k *kinds) *kind[db.User, User]                      { return k.user }
func members(k *kinds) *kind[db.Member, Member]                { return k.member }
func admins(k *kinds) *kind[db.Member, Admin]                  { return k.admin }
func tokens(k *kinds) *kind[db.Token, Token]                   { return k.token }
func changes(k *kinds) *kind[db.Change, Change]                { return k.change }
func actions(k *kinds) *kind[db.Action, Action]                { return k.action }
func workerModels(k *kinds) *kind[db.WorkerModel, WorkerModel] { return k.workerModel }

func newKinds() *kinds {
	return &kinds{
		group: groupKind(), user: userKind(), member: memberKind(), admin: adminKind(), token: tokenKind(),
		change: changeKind(), action: actionKind(), workerModel: workerModelKind(),
		webhook: webhookKind(), delivery: deliveryKind(),
	}
}

// visibleGroups is what a link to a group shows.
func visibleGroups(by Caller) db.Cond { return groupsWhere(by, OperationGroupView) }

func groupKind() *kind[db.Group, Group] {
	id := func(g *Group) uuid.UUID { return g.UUID }
	return &kind[db.Group, Group]{
		name: "Group", table: db.Groups, copiesRows: true, id: id, idIn: db.GroupID.In,
		object: func(r *reader, row *db.Group) Group {
			g := groupOf(row)
			g.by, g.at = &r.by, standingIn(r.by, row)
			return g
		},
		fields: map[string][]string{
			"id": {"id"}, "uuid": {"id"}, "number": {"number"}, "handle": {"handle"}, "name": {"name"}, "description": {"description"},
			"type": {"type"}, "externalId": {"external_id"}, "accessType": {"access_type"}, "useDefaultStorage": {"use_default_storage"},
			"public": {"public"}, "tags": {"tags"}, "version": {"version"}, "createdAt": {"created_at"}, "updatedAt": {"updated_at"},
			"memberCount": {"member_count"}, "adminCount": {"admin_count"},
			"viewerCan": {"id", "public", "type", "viewer_is_member", "viewer_is_admin"},
		},
		links: map[string]link[Group]{
			"createdBy":   one("created_by", func(g *Group) *uuid.UUID { return g.createdBy }, users, nil),
			"folderOwner": one("folder_owner", func(g *Group) *uuid.UUID { return g.folderOwner }, users, nil),
			"members":     many(id, members, membersOfGroup, "member_count", func(g *Group) int { return g.MemberCount }),
			"admins":      many(id, admins, adminsOfGroup, "admin_count", func(g *Group) int { return g.AdminCount }),
			"tokens":      many(id, tokens, tokensOfGroup, "", nil),
			"actions":     many(id, actions, actionsOfGroup, "", nil),
			"workerModels": many(id, workerModels, func(context.Context, *reader, Page) (list, error) {
				return list{name: "group.workerModels", of: db.WorkerModelsOfGroup, order: byName}, nil
			}, "", nil),
			"changes": ofLog(many(id, changes, changesOfGroup, "", nil)),
		},
	}
}

func userKind() *kind[db.User, User] {
	id := func(u *User) uuid.UUID { return u.UUID }
	return &kind[db.User, User]{
		name: "User", table: db.Users, copiesRows: true, id: id, idIn: db.UserID.In,
		object: func(_ *reader, row *db.User) User { return userOf(row) },
		fields: map[string][]string{
			"id": {"id"}, "uuid": {"id"}, "number": {"number"}, "username": {"username"}, "email": {"email"}, "fullName": {"full_name"},
			"externalId": {"external_id"}, "roles": {"roles"}, "createdAt": {"created_at"},
		},
		links: map[string]link[User]{"groups": many(id, groups, groupsOfUser, "", nil)},
	}
}

func memberKind() *kind[db.Member, Member] {
	return &kind[db.Member, Member]{
		name: "Member", table: db.Members, idIn: db.MemberID.In,
		id:     func(m *Member) uuid.UUID { return m.UUID },
		object: func(_ *reader, row *db.Member) Member { return memberOf(row) },
		fields: map[string][]string{
			"id": {"id"}, "isAdmin": {"is_other"}, "addedAt": {"added_at"}, "via": {"via"}, "expiresAt": {"expires_at"},
		},
		links: map[string]link[Member]{
			"group":   one("group_id", func(m *Member) *uuid.UUID { return &m.groupID }, groups, nil),
			"user":    with("user.", func(m *Member) *db.User { return m.user }, users),
			"addedBy": one("added_by", func(m *Member) *uuid.UUID { return m.addedBy }, users, nil),
		},
	}
}

func adminKind() *kind[db.Member, Admin] {
	return &kind[db.Member, Admin]{
		name: "Admin", table: db.Admins, idIn: db.MemberID.In,
		id:     func(a *Admin) uuid.UUID { return a.UUID },
		object: func(_ *reader, row *db.Member) Admin { return adminOf(row) },
		fields: map[string][]string{"id": {"id"}, "isMember": {"is_other"}, "grantedAt": {"added_at"}, "via": {"via"}},
		links: map[string]link[Admin]{
			"group":     one("group_id", func(a *Admin) *uuid.UUID { return &a.groupID }, groups, nil),
			"user":      with("user.", func(a *Admin) *db.User { return a.user }, users),
			"grantedBy": one("added_by", func(a *Admin) *uuid.UUID { return a.grantedBy }, users, nil),
		},
	}
}

func tokenKind() *kind[db.Token, Token] {
	return &kind[db.Token, Token]{
		name: "Token", table: db.Tokens, copiesRows: true, idIn: db.TokenID.In,
		id:     func(t *Token) uuid.UUID { return t.UUID },
		object: func(r *reader, row *db.Token) Token { return tokenOf(row, r.now) },
		fields: map[string][]string{
			"id": {"id"}, "number": {"number"}, "description": {"description"}, "prefix": {"prefix"}, "scopes": {"scopes"},
			"expiration": {"expiration"}, "expiresAt": {"expires_at"}, "status": {"revoked_at", "expires_at"}, "createdAt": {"created_at"},
			"lastUsedAt": {"last_used_at"}, "revokedAt": {"revoked_at"},
		},
		links: map[string]link[Token]{
			"owner":     {needs: needs("group_id", "user_id"), follow: followOwner},
			"createdBy": one("created_by", func(t *Token) *uuid.UUID { return t.createdBy }, users, nil),
		},
	}
}

// followOwner reads the groups and the users that own tokens: a statement for each.
func followOwner(ctx context.Context, r *reader, parents []*Token, l Link) error {
	asGroup, asUser := l, l
	asGroup.Select, asUser.Select = l.ByType["Group"], l.ByType["User"]
	var ofGroups, ofUsers []*Token
	for _, t := range parents {
		if t.groupID != nil {
			ofGroups = append(ofGroups, t)
		} else {
			ofUsers = append(ofUsers, t)
		}
	}
	if err := one("", func(t *Token) *uuid.UUID { return t.groupID }, groups, nil).follow(ctx, r, ofGroups, asGroup); err != nil {
		return err
	}
	return one("", func(t *Token) *uuid.UUID { return t.userID }, users, nil).follow(ctx, r, ofUsers, asUser)
}

func changeKind() *kind[db.Change, Change] {
	return &kind[db.Change, Change]{
		name: "Change", table: db.Changes, copiesRows: true, identity: []string{"tx", "seq"},
		id:     func(c *Change) uuid.UUID { return changeID(c.tx, c.seq) },
		object: func(_ *reader, row *db.Change) Change { return changeOf(row) },
		fields: map[string][]string{
			"id": {"seq"}, "at": {"at"}, "kind": {"kind"}, "actor": {"actor"}, "via": {"via"}, "requestId": {"request_id"},
			"groupId": {"group_id"}, "groupName": {"group_name"}, "username": {"username"}, "before": {"before"}, "after": {"after"},
			"userId": {"user_id"}, // for webhooks
		},
		links: map[string]link[Change]{
			"group": one("group_id", func(c *Change) *uuid.UUID { return c.groupID }, groups, visibleGroups),
			"user":  one("user_id", func(c *Change) *uuid.UUID { return c.userID }, users, nil),
		},
	}
}

func actionKind() *kind[db.Action, Action] {
	return &kind[db.Action, Action]{
		name: "Action", table: db.Actions, idIn: db.ActionID.In,
		id:     func(a *Action) uuid.UUID { return a.UUID },
		object: func(_ *reader, row *db.Action) Action { return actionOf(row) },
		fields: map[string][]string{
			"id": {"id"}, "number": {"number"}, "name": {"name"}, "type": {"type"}, "description": {"description"}, "enabled": {"enabled"},
			"deprecated": {"deprecated"}, "requirements": {"requirements"}, "parameters": {"parameters"},
		},
		links: map[string]link[Action]{
			"group": one("group_id", func(a *Action) *uuid.UUID { return a.groupID }, groups, nil),
		},
	}
}

func workerModelKind() *kind[db.WorkerModel, WorkerModel] {
	return &kind[db.WorkerModel, WorkerModel]{
		name: "WorkerModel", table: db.WorkerModels, idIn: db.WorkerModelID.In,
		id:     func(w *WorkerModel) uuid.UUID { return w.UUID },
		object: func(_ *reader, row *db.WorkerModel) WorkerModel { return workerModelOf(row) },
		fields: map[string][]string{
			"id": {"id"}, "number": {"number"}, "name": {"name"}, "description": {"description"}, "type": {"type"}, "disabled": {"disabled"},
			"restricted": {"restricted"}, "deprecated": {"deprecated"}, "image": {"image"}, "docker": {"docker"},
			"virtualMachine": {"virtual_machine"}, "registeredCapabilities": {"registered_capabilities"}, "updatedAt": {"updated_at"},
		},
		links: map[string]link[WorkerModel]{
			"group":     one("group_id", func(w *WorkerModel) *uuid.UUID { return &w.groupID }, groups, nil),
			"createdBy": one("created_by", func(w *WorkerModel) *uuid.UUID { return w.createdBy }, users, nil),
		},
	}
}

// newReader reads for a caller, on the pool or inside a transaction.
func (s *Service) newReader(store *db.Store, by Caller) *reader {
	r := &reader{kinds: s.kinds, store: store.AsOf(by.asOf), by: by, now: time.Now()}
	if s.standbys != nil {
		r.saw = func(settled uint64) { s.standbys.note(by, need{below: settled}) }
	}
	return r
}
