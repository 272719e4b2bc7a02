package directory

import (
	"context"

	"github.com/google/uuid"

	"roster/db"
)

// Bounds of single questions.
const (
	MaxNodes = 100   // ids of nodes
	MaxPairs = 1_000 // pairs of checkMemberships
)

// Viewer is the caller as the API shows it.
type Viewer struct {
	Links
	Roles       []Role
	Permissions []Permission
}

// Viewer answers who the caller is. Its links are user, token and groups.
func (s *Service) Viewer(ctx context.Context, by Caller, _ struct{}, sel Selection) (*Viewer, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	r := s.reads(ctx, by)
	v := &Viewer{Roles: append([]Role{}, by.Roles...), Permissions: by.Effective()}
	follow := map[string]link[Viewer]{
		"user": one("", func(*Viewer) *uuid.UUID { return by.id() }, users, nil),
		"token": one("", func(*Viewer) *uuid.UUID {
			if by.Token == nil {
				return nil
			}
			return &by.Token.UUID
		}, tokens, nil),
		"groups": many(func(*Viewer) uuid.UUID { return viewerID(by) }, groups, viewerGroups, "", nil),
	}
	for _, l := range sel.Links {
		if err := follow[l.Field].follow(ctx, r, []*Viewer{v}, l); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// viewerGroups are the groups that the caller is in; a group's token is in its group.
func viewerGroups(ctx context.Context, r *reader, p Page) (list, error) {
	l, err := groupsOfUser(ctx, r, p)
	if r.by.Token != nil && r.by.Token.Group != nil {
		l.of = db.GroupItself
	}
	l.name = "viewer.groups"
	return l, err
}

func viewerID(by Caller) uuid.UUID {
	if by.Token != nil && by.Token.Group != nil {
		return *by.Token.Group
	}
	return by.viewer()
}

// Group finds a group; nil if there is none that the caller may see.
func (s *Service) Group(ctx context.Context, by Caller, ref GroupRef, sel Selection) (*Group, error) {
	if err := may(by, OperationGroupList); err != nil {
		return nil, err
	}
	r := s.reads(ctx, by)
	resolved, err := ref.resolve("by")
	if err != nil {
		return nil, err
	}
	found, err := r.kinds.group.byKey(ctx, r, db.GroupKey(resolved), groupsWhere(by, OperationGroupView), sel)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// RequireGroup is Group for doors that answer with a reason: where Group answers nil it fails with NOT_FOUND, or with FORBIDDEN
// behind a door that refuses first.
func (s *Service) RequireGroup(ctx context.Context, by Caller, ref GroupRef, sel Selection) (*Group, error) {
	g, err := s.Group(ctx, by, ref, sel)
	if err == nil && g == nil {
		return nil, s.newReader(s.store, by).hidden(OperationGroupView)
	}
	return g, err
}

// FirstGroup finds the group that the first reference names, or the second if that names none, and so on; nil if none does. It is
// for systems where one text may be an identifier of several kinds.
func (s *Service) FirstGroup(ctx context.Context, by Caller, refs []GroupRef, sel Selection) (*Group, error) {
	for _, ref := range refs {
		if g, err := s.Group(ctx, by, ref, sel); err != nil || g != nil {
			return g, err
		}
	}
	return nil, nil
}

// Groups lists the groups that the caller sees. Codes: LIMIT_EXCEEDED.
func (s *Service) Groups(ctx context.Context, by Caller, p Page, sel Selection) (*GroupConnection, error) {
	if err := may(by, OperationGroupList); err != nil {
		return nil, err
	}
	return listed(ctx, s.reads(ctx, by), s.kinds.group, rootGroups, p, sel)
}

// User finds a user: any for holders of USERS_VIEW, oneself for everybody. nil if there is none.
func (s *Service) User(ctx context.Context, by Caller, ref UserRef, sel Selection) (*User, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	r := s.reads(ctx, by)
	resolved, err := ref.resolve("by")
	if err != nil {
		return nil, err
	}
	found, err := r.kinds.user.byKey(ctx, r, db.UserKey(resolved), usersWhere(by), sel)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Users lists the users that the caller may look up. Codes: LIMIT_EXCEEDED.
func (s *Service) Users(ctx context.Context, by Caller, p Page, sel Selection) (*UserConnection, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	return listed(ctx, s.reads(ctx, by), s.kinds.user, rootUsers, p, sel)
}

// Tokens lists the tokens that the caller may see. Codes: LIMIT_EXCEEDED.
func (s *Service) Tokens(ctx context.Context, by Caller, p Page, sel Selection) (*TokenConnection, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	return listed(ctx, s.reads(ctx, by), s.kinds.token, rootTokens, p, sel)
}

// Changes reads the change log, oldest first: no gap and no repeat from cursor to cursor. EndCursor is there even on an empty
// page: it is where to go on from. Codes: LIMIT_EXCEEDED.
func (s *Service) Changes(ctx context.Context, by Caller, p Page, sel Selection) (*ChangeConnection, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	return listed(ctx, s.newReader(s.store, by), s.kinds.change, rootChanges, p, sel)
}

func listed[R, O any](ctx context.Context, r *reader, k *kind[R, O], of func(context.Context, *reader, Page) (list, error), p Page, sel Selection) (*Connection[O], error) {
	l, err := of(ctx, r, p)
	if err != nil {
		return nil, err
	}
	conns, err := k.pages(ctx, r, l, p, sel)
	if err != nil {
		return nil, err
	}
	return conns[0], nil
}

// Nodes finds objects by their ids, whatever they are: nil for each that is absent or not visible. byType says what is wanted
// of each kind. One statement for each kind that is there. Codes: LIMIT_EXCEEDED.
func (s *Service) Nodes(ctx context.Context, by Caller, ids []string, byType map[string]Selection) ([]Object, error) {
	return s.nodes(ctx, by, ids, byType, func(i int) string { return at("ids", i) })
}

// Node finds one object by its id; nil if it is absent or not visible.
func (s *Service) Node(ctx context.Context, by Caller, id string, byType map[string]Selection) (Object, error) {
	found, err := s.nodes(ctx, by, []string{id}, byType, func(int) string { return "id" })
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (s *Service) nodes(ctx context.Context, by Caller, ids []string, byType map[string]Selection, field func(int) string) ([]Object, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	if len(ids) > MaxNodes {
		return nil, exceeded("ids", "At most %d ids.", MaxNodes)
	}
	places := map[string][]int{}
	parsed := make([]uuid.UUID, len(ids))
	for i, text := range ids {
		prefix, id, err := parseID(field(i), text)
		if err != nil {
			return nil, err
		}
		parsed[i] = id
		places[prefix] = append(places[prefix], i)
	}
	r := s.reads(ctx, by)
	out := make([]Object, len(ids))
	for prefix, where := range places {
		find, ok := finders[prefix]
		if !ok {
			return nil, invalid(field(where[0]), "This is not an id of this directory.")
		}
		found, err := find(ctx, r, mapped(where, func(i int) uuid.UUID { return parsed[i] }), byType)
		if err != nil {
			return nil, err
		}
		for _, i := range where {
			out[i] = found[parsed[i]]
		}
	}
	return out, nil
}

type finder func(ctx context.Context, r *reader, ids []uuid.UUID, byType map[string]Selection) (map[uuid.UUID]Object, error)

// finders say how an id of each prefix is looked up, and who sees what it names.
var finders = map[string]finder{
	groupPrefix: find(groups, visibleGroups),
	userPrefix:  find(users, usersWhere),
	tokenPrefix: find(tokens, tokensWhere),
	memberPrefix: find(members, func(by Caller) db.Cond {
		return db.And(db.MemberActive, db.MemberOfGroupWhere(groupsWhere(by, OperationMembersView)))
	}),
	adminPrefix: find(admins, func(by Caller) db.Cond { return db.MemberOfGroupWhere(groupsWhere(by, OperationAdminsView)) }),
	actionPrefix: find(actions, func(by Caller) db.Cond {
		groups := visibleGroups(by)
		if groups.IsZero() {
			return groups
		}
		return db.Or(db.ActionOfNoGroup, db.ActionOfGroupWhere(groups))
	}),
	workerModelPrefix: find(workerModels, func(by Caller) db.Cond { return db.WorkerModelOfGroupWhere(visibleGroups(by)) }),
	webhookPrefix:     find(webhooks, webhooksWhere),
	deliveryPrefix:    find(deliveries, webhooksWhere),
	changePrefix:      findChanges,
}

func find[R, O any](k func(*kinds) *kind[R, O], visible func(Caller) db.Cond) finder {
	return func(ctx context.Context, r *reader, ids []uuid.UUID, byType map[string]Selection) (map[uuid.UUID]Object, error) {
		kd := k(r.kinds)
		found, err := kd.byIDs(ctx, r, ids, visible(r.by), byType[kd.name])
		return objects(found), err
	}
}

func findChanges(ctx context.Context, r *reader, ids []uuid.UUID, byType map[string]Selection) (map[uuid.UUID]Object, error) {
	r = r.onPrimary()
	places := mapped(ids, func(id uuid.UUID) db.Cond { return db.ChangeAt(changePlace(id)) })
	found, err := r.kinds.change.find(ctx, r, db.And(db.Or(places...), changesWhere(r.by)), byType["Change"])
	byID := make(map[uuid.UUID]*Change, len(found))
	for _, c := range found {
		byID[r.kinds.change.id(c)] = c
	}
	return objects(byID), err
}

func objects[O any](found map[uuid.UUID]*O) map[uuid.UUID]Object {
	out := make(map[uuid.UUID]Object, len(found))
	for id, o := range found {
		out[id] = any(o).(Object)
	}
	return out
}

// MembershipCheck is the answer about one pair. Group and User are the ids, or, of what is unknown, the reference as it was given.
type MembershipCheck struct {
	Group, User       string
	IsMember, IsAdmin bool
}

// CheckMemberships answers whether users are members or admins of groups, in the order asked: false of what is unknown or not
// visible. One statement for the facts, whatever the number of pairs. Codes: LIMIT_EXCEEDED.
func (s *Service) CheckMemberships(ctx context.Context, by Caller, pairs []*MembershipPair) ([]*MembershipCheck, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	if len(pairs) > MaxPairs {
		return nil, exceeded("pairs", "At most %d pairs.", MaxPairs)
	}
	groupRefs, userRefs := make([]db.GroupRef, len(pairs)), make([]db.UserRef, len(pairs))
	for i, p := range pairs {
		var err error
		if groupRefs[i], err = p.Group.resolve(at("pairs", i) + ".group"); err != nil {
			return nil, err
		}
		if userRefs[i], err = p.User.resolve(at("pairs", i) + ".user"); err != nil {
			return nil, err
		}
	}
	out := make([]*MembershipCheck, len(pairs))
	if len(pairs) == 0 {
		return out, nil
	}
	facts, err := s.storeFor(ctx, by).Check(ctx, groupRefs, userRefs, groupsWhere(by, OperationMembersView))
	if err != nil {
		return nil, err
	}
	for i, f := range facts {
		out[i] = &MembershipCheck{Group: pairs[i].Group.String(), User: pairs[i].User.String(), IsMember: f.IsMember, IsAdmin: f.IsAdmin}
		if f.GroupID != uuid.Nil {
			out[i].Group = typeID(groupPrefix, f.GroupID)
		}
		if f.UserID != uuid.Nil && (f.IsMember || f.IsAdmin || by.sees(f.UserID)) {
			out[i].User = typeID(userPrefix, f.UserID)
		}
	}
	return out, nil
}

// ExplainAccess says whether the caller may do an operation, by which rule, and why. For a group that is not there, or not
// visible, it answers as for one where the caller has no standing.
func (s *Service) ExplainAccess(ctx context.Context, by Caller, op Operation, ref *GroupRef) (*AccessDecision, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	if ref == nil {
		d := decide(by, op, nil)
		return &d, nil
	}
	resolved, err := ref.resolve("group")
	if err != nil {
		return nil, err
	}
	parts, err := db.Find(ctx, s.storeFor(ctx, by), db.Groups, db.List{Columns: []string{"id", "public", "type", "viewer_is_member", "viewer_is_admin"},
		Where: db.GroupIs(resolved), Viewer: by.viewer()})
	if err != nil {
		return nil, err
	}
	var at standing
	if rows := parts[0].Rows; len(rows) > 0 {
		at = standingIn(by, &rows[0])
	}
	d := decide(by, op, &at)
	if d.Because == nil {
		d.Because = []string{}
	}
	return &d, nil
}
