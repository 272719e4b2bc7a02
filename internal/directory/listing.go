package directory

import (
	"context"

	"roster/db"
)

// Listing says which groups a caller's list is of.
type Listing struct {
	WithPublic bool   // and, after them, the public ones, of which the caller may be in some already
	Without    string // but not the group of that name; "" is none
}

func (l Listing) filter() *GroupFilter {
	if l.Without == "" {
		return nil
	}
	return &GroupFilter{Not: &GroupFilter{Name: &StringFilter{Eq: &l.Without}}}
}

// WalkListing hands number and name of every group of a list to each, ordered by name, a page at a time. Who sees every group
// anyway is not shown the public ones again. Codes: FORBIDDEN.
func (s *Service) WalkListing(ctx context.Context, by Caller, l Listing, each func(*Group) error) error {
	if err := s.WalkGroups(ctx, by, l.filter(), numberAndName, each); err != nil {
		return err
	}
	if !l.WithPublic || by.Can(PermissionGroupsView) {
		return nil
	}
	return s.walkPublic(ctx, by, l.filter(), each)
}

// WalkPublic is WalkListing for the public groups: their numbers and names are for everybody who may list groups, even behind a
// door where a group is its members' alone. Codes: FORBIDDEN.
func (s *Service) WalkPublic(ctx context.Context, by Caller, each func(*Group) error) error {
	if err := may(by, OperationGroupList); err != nil {
		return err
	}
	return s.walkPublic(ctx, by, nil, each)
}

var numberAndName = Selection{Fields: []string{"number", "name"}}

func (s *Service) walkPublic(ctx context.Context, by Caller, filter *GroupFilter, each func(*Group) error) error {
	return walk(ctx, s.reads(ctx, by), func(ctx context.Context, r *reader, p Page) (list, error) {
		l, err := rootGroups(ctx, r, p)
		l.name, l.visible = "groups.public", db.GroupPublic.Eq(true)
		return l, err
	}, filter, numberAndName, each)
}
