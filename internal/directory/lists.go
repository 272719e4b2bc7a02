package directory

import (
	"context"
	"strconv"

	"roster/db"
)

// The orders of the API. Ties are broken by id.
type (
	GroupOrderField  string
	UserOrderField   string
	MemberOrderField string
	TokenOrderField  string

	GroupOrder  = Ordering[GroupOrderField]
	UserOrder   = Ordering[UserOrderField]
	MemberOrder = Ordering[MemberOrderField]
	TokenOrder  = Ordering[TokenOrderField]
)

// Ordering is one key of an order, the most significant first.
type Ordering[F ~string] struct {
	Field     F
	Direction OrderDirection
}

// What lists can be ordered by. The values are the keys of db's tables.
const (
	GroupOrderFieldName        GroupOrderField = "NAME"
	GroupOrderFieldCreatedAt   GroupOrderField = "CREATED_AT"
	GroupOrderFieldUpdatedAt   GroupOrderField = "UPDATED_AT"
	GroupOrderFieldMemberCount GroupOrderField = "MEMBER_COUNT"

	UserOrderFieldUsername  UserOrderField = "USERNAME"
	UserOrderFieldCreatedAt UserOrderField = "CREATED_AT"
	UserOrderFieldFullName  UserOrderField = "FULL_NAME"
	UserOrderFieldEmail     UserOrderField = "EMAIL"

	MemberOrderFieldUsername MemberOrderField = "USERNAME"
	MemberOrderFieldAddedAt  MemberOrderField = "ADDED_AT"

	TokenOrderFieldCreatedAt  TokenOrderField = "CREATED_AT"
	TokenOrderFieldExpiresAt  TokenOrderField = "EXPIRES_AT"
	TokenOrderFieldLastUsedAt TokenOrderField = "LAST_USED_AT"
)

var (
	byName = []db.Order{{Key: "NAME"}}
	byLog  = []db.Order{{Key: "TX"}}
)

// orderBy is a client's order, or the default.
func orderBy[F ~string](order any, byDefault string) ([]db.Order, error) {
	given, _ := order.([]*Ordering[F])
	if len(given) == 0 {
		return []db.Order{{Key: byDefault}}, nil
	}
	var keys []db.Order
	for i, o := range given {
		for _, k := range keys {
			if k.Key == string(o.Field) {
				return nil, invalid(at("orderBy", i), "%s is there twice.", o.Field)
			}
		}
		keys = append(keys, db.Order{Key: string(o.Field), Desc: o.Direction == OrderDirectionDesc})
	}
	return keys, nil
}

// rootGroups is the list of all groups that the caller sees.
func rootGroups(_ context.Context, r *reader, p Page) (list, error) {
	l := list{name: "groups", visible: groupsWhere(r.by, OperationGroupView)}
	l.kept = db.TotalGroups
	return l.filtered(p, groupFilter, orderBy[GroupOrderField], "NAME")
}

// groupsOfUser is the list of groups that a user is in, as far as the caller sees them.
func groupsOfUser(ctx context.Context, r *reader, p Page) (list, error) {
	l := list{name: "user.groups", of: db.GroupsOfUser, visible: groupsWhere(r.by, OperationGroupView)}
	return l.filtered(p, groupFilter, orderBy[GroupOrderField], "NAME")
}

// rootUsers is the list of users that the caller may look up.
func rootUsers(_ context.Context, r *reader, p Page) (list, error) {
	l := list{name: "users", visible: usersWhere(r.by)}
	l.kept = db.TotalUsers
	return l.filtered(p, userFilter, orderBy[UserOrderField], "USERNAME")
}

// membersOfGroup and adminsOfGroup show everybody: whoever sees the group sees its people.
func membersOfGroup(ctx context.Context, r *reader, p Page) (list, error) {
	l := list{name: "group.members", of: db.MembersOfGroup}
	return l.filtered(p, memberFilter, orderBy[MemberOrderField], "USERNAME")
}

func adminsOfGroup(ctx context.Context, r *reader, p Page) (list, error) {
	l := list{name: "group.admins", of: db.AdminsOfGroup}
	return l.filtered(p, memberFilter, orderBy[MemberOrderField], "USERNAME")
}

func rootTokens(ctx context.Context, r *reader, p Page) (list, error) {
	l := list{name: "tokens", visible: tokensWhere(r.by)}
	return l.filtered(p, tokenFilter, orderBy[TokenOrderField], "CREATED_AT")
}

func tokensOfGroup(ctx context.Context, r *reader, p Page) (list, error) {
	l := list{name: "group.tokens", of: db.TokensOfGroup, visible: tokensWhere(r.by)}
	return l.filtered(p, tokenFilter, orderBy[TokenOrderField], "CREATED_AT")
}

func actionsOfGroup(context.Context, *reader, Page) (list, error) {
	return list{name: "group.actions", of: db.ActionsOfGroup, order: byName}, nil
}

func changesOfGroup(ctx context.Context, r *reader, p Page) (list, error) {
	l, err := rootChanges(ctx, r, p)
	l.name, l.of = "group.changes", db.ChangesOfGroup
	return l, err
}

// rootChanges is the change log, read strictly below the oldest running transaction: what a cursor has passed cannot grow.
func rootChanges(ctx context.Context, r *reader, p Page) (list, error) {
	filter, err := changeFilter(p.Filter)
	if err != nil {
		return list{}, err
	}
	log, err := r.store.Log(ctx)
	if err == nil && r.saw != nil {
		r.saw(log.Settled)
	}
	return list{name: "changes", log: &changeLog{log}, filter: filter, order: byLog, visible: db.And(db.ChangeSettled, changesWhere(r.by))}, err
}

func (l list) filtered(p Page, filter func(any) (db.Cond, error), order func(any, string) ([]db.Order, error), byDefault string) (list, error) {
	var err error
	if l.filter, err = filter(p.Filter); err != nil {
		return l, err
	}
	l.order, err = order(p.Order, byDefault)
	return l, err
}

// at is the path of an element of a list.
func at(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }
