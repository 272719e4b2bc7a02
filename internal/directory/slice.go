package directory

import (
	"context"
	"iter"
	"math"

	"github.com/google/uuid"
)

// Slice is a part of a list by numbers, for systems that page so: pass over Skip, then at most Top. It is read as keyset pages all
// the same: what is passed over is walked by its keys, so that deep slices cost time but no memory, and the end may be far.
type Slice struct {
	Filter, Order any
	Skip          int
	Top           *int // nil: all that is left
	Total         bool // count the whole list
}

// SliceGroups is a part of the groups that the caller sees, and the number of all of them if the slice asks for it. Nothing is read
// before the first step of the sequence, which ends with the first error. Codes: FORBIDDEN, LIMIT_EXCEEDED.
func (s *Service) SliceGroups(ctx context.Context, by Caller, sl Slice, sel Selection) (total int, rows iter.Seq2[*Group, error], err error) {
	if err := may(by, OperationGroupList); err != nil {
		return 0, nil, err
	}
	return slice(ctx, s.reads(ctx, by), s.kinds.group, rootGroups, sl, sel)
}

// SliceMembers is SliceGroups for the members of a group, for callers who may see them. Codes: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED.
func (s *Service) SliceMembers(ctx context.Context, by Caller, ref GroupRef, sl Slice, sel Selection) (total int, rows iter.Seq2[*Member, error], err error) {
	g, err := s.People(ctx, by, ref, Selection{})
	switch {
	case err != nil:
		return 0, nil, err
	case g == nil:
		return 0, nil, refield(unseen(by, OperationMembersView, noGroup), "by")
	}
	of := func(ctx context.Context, r *reader, p Page) (list, error) {
		l, err := membersOfGroup(ctx, r, p)
		l.parents = []uuid.UUID{g.UUID}
		return l, err
	}
	return slice(ctx, s.reads(ctx, by), s.kinds.member, of, sl, sel)
}

func slice[R, O any](ctx context.Context, r *reader, k *kind[R, O], of func(context.Context, *reader, Page) (list, error),
	sl Slice, sel Selection) (int, iter.Seq2[*O, error], error) {
	switch {
	case sl.Skip < 0:
		return 0, nil, invalid("skip", "It is 0 or more.")
	case sl.Top != nil && *sl.Top < 0:
		return 0, nil, invalid("top", "It is 0 or more.")
	}
	// Counting none checks filter and order all the same, before anything is answered.
	c, err := listed(ctx, r, k, of, Page{Filter: sl.Filter, Order: sl.Order, Total: sl.Total}, sel)
	if err != nil {
		return 0, nil, err
	}
	return c.TotalCount, func(yield func(*O, error) bool) { sliced(ctx, r, k, of, sl, sel, yield) }, nil
}

// sliced walks the pages of a slice: those to pass over by their keys alone.
func sliced[R, O any](ctx context.Context, r *reader, k *kind[R, O], of func(context.Context, *reader, Page) (list, error),
	sl Slice, sel Selection, yield func(*O, error) bool) {
	p := Page{Filter: sl.Filter, Order: sl.Order, Rows: true}
	for skip, left := sl.Skip, or(sl.Top, math.MaxInt); left > 0; {
		want, size := sel, left
		if skip > 0 {
			want, size = Selection{}, skip
		}
		p.size = min(size, walkPage)
		r.again(ctx)
		c, err := listed(ctx, r, k, of, p, want)
		if err != nil {
			yield(nil, err)
			return
		}
		if skip > 0 {
			skip -= len(c.Edges)
		} else {
			for _, e := range c.Edges {
				if !yield(e.Node, nil) {
					return
				}
			}
			left -= len(c.Edges)
		}
		if !c.PageInfo.HasNextPage {
			return
		}
		p.After = c.PageInfo.EndCursor
	}
}
