package directory

import (
	"context"
	"errors"
	"slices"

	"roster/db"
)

// Most writes are one user who comes or goes, and most of those are plain: the caller may, the user is known, nothing is expected or
// limited. Such a write is one statement. Whatever is not plain writes nothing here and goes the ordinary way, which alone knows
// the rules and what to say when they are broken.

// oneMember is a membership that may begin or end in one statement.
type oneMember struct {
	group           GroupRef
	user            UserRef
	expectedVersion *int
	notAdmin        bool // the user must be no admin of the group
	kind            ChangeKind
	before, after   any
}

// addOne is AddMembers where it is plain; false where it is not, and then nothing was written.
func (s *Service) addOne(ctx context.Context, by Caller, in AddMembersInput, sel Selection) (*Payload, bool, error) {
	if len(in.Users) != 1 || in.ExpiresAt != nil || in.DryRun || by.Once != nil {
		return nil, false, nil
	}
	return s.writeOne(ctx, by, sel, oneMember{
		group: in.Group, user: *in.Users[0], expectedVersion: in.ExpectedVersion, notAdmin: in.AdminsAreIn,
		kind: ChangeKindMemberAdded, after: memberImage{},
	}, (*db.Store).AddOneMember, MemberResultAdded, MemberResultAlreadyMember)
}

// removeOne is RemoveMembers where it is plain. An admin leaves two places, which is not.
func (s *Service) removeOne(ctx context.Context, by Caller, in RemoveMembersInput, sel Selection) (*Payload, bool, error) {
	if len(in.Users) != 1 || in.MembersOnly || in.DryRun || by.Once != nil || or(in.AtMost, 1) < 1 {
		return nil, false, nil
	}
	return s.writeOne(ctx, by, sel, oneMember{
		group: in.Group, user: *in.Users[0], expectedVersion: in.ExpectedVersion, notAdmin: true,
		kind: ChangeKindMemberRemoved, before: memberImage{},
	}, (*db.Store).RemoveOneMember, MemberResultRemoved, MemberResultNotAMember)
}

func (s *Service) writeOne(ctx context.Context, by Caller, sel Selection, m oneMember,
	statement func(*db.Store, context.Context, db.OneMember) (db.OneWritten, bool, error), yes, no MemberResult) (*Payload, bool, error) {
	w := &write{reader: s.newReader(s.store, by), ctx: ctx, s: s, out: &Payload{}}
	group, where, ok := m.where(by)
	if !ok {
		return nil, false, nil
	}
	columns, ok := w.plain(sel)
	if !ok {
		return nil, false, nil
	}
	// The change is made as ever; the statement knows which group and user it is of.
	if err := w.change(m.kind, nil, nil, m.before, m.after); err != nil {
		return nil, false, err
	}
	one, ok, err := statement(w.store, ctx, db.OneMember{Group: group, Where: where, Columns: columns, Member: newID(), Grant: db.Grant{By: by.id(), Via: string(by.Via)}, Log: w.out.changes[0]})
	if err != nil || !ok {
		return nil, false, unlessOvertaken(err)
	}
	w.out.changes, w.out.group = nil, &one.Group.ID
	o := &MemberOutcome{Username: one.User.Username, userID: &one.User.ID, Result: no}
	if one.Changed {
		o.Result, w.out.changes = yes, []db.Change{one.Log}
		s.feed.committed()
	}
	w.out.Outcomes = []*MemberOutcome{o}
	s.wrote(ctx, by, w.out)
	return w.out, true, w.tellOne(sel, one)
}

// where is the group, and all that has to hold for the write to be plain; false if that can be told without asking. decide's rule is in
// it as the condition on groups that it is for lists.
func (m oneMember) where(by Caller) (db.GroupRef, db.Cond, bool) {
	g, gerr := m.group.resolve("")
	u, uerr := m.user.resolve("")
	if !by.Known() || gerr != nil || uerr != nil {
		return g, db.None, false
	}
	conds := []db.Cond{db.UserIs(u), groupsWhere(by, OperationMembersEdit)}
	if u.Number != 0 {
		conds = append(conds, usersWhere(by)) // as lookUpUsers has it
	}
	if m.expectedVersion != nil {
		conds = append(conds, db.GroupVersion.Eq(int64(*m.expectedVersion)))
	}
	if m.notAdmin {
		conds = append(conds, db.UserIsNoAdmin)
	}
	return g, db.And(conds...), true
}

// unlessOvertaken drops errors of a write that met another one, which the ordinary way may yet do.
func unlessOvertaken(err error) error {
	var e *db.Error
	if errors.As(err, &e) && (e.Kind == db.Unique || e.Kind == db.ForeignKey || e.Kind == db.Retry) {
		return nil
	}
	return explain(err)
}

// plain are the columns of the group that a selection of the payload takes; false if it cannot be answered from what the statement reads.
func (w *write) plain(sel Selection) (columns []string, ok bool) {
	for _, l := range sel.Links {
		switch l.Field {
		case "group":
			more, ok := readWith(w, groups(w.kinds), l.Select, db.SeenOfGroup)
			if !ok {
				return nil, false
			}
			columns = append(columns, more...)
		case "changes":
			if len(l.Select.Links) > 0 {
				return nil, false
			}
		case "outcomes":
			for _, inner := range l.Select.Links {
				if _, ok := readWith(w, users(w.kinds), inner.Select, db.SeenOfUser); !ok {
					return nil, false
				}
			}
		}
	}
	return columns, true
}

// readWith are the columns that are selected of an object; false if there is more to it, or one is not there.
func readWith[R, O any](w *write, k *kind[R, O], sel Selection, there func(column string) bool) ([]string, bool) {
	columns, err := k.columns(w.reader, sel)
	return columns, err == nil && len(sel.Links) == 0 && !slices.ContainsFunc(columns, func(c string) bool { return !there(c) })
}

// tellOne answers the selection as answer does, but from what was read.
func (w *write) tellOne(sel Selection, one db.OneWritten) error {
	for _, l := range sel.Links {
		switch l.Field {
		case "group":
			g := w.kinds.group.object(w.reader, &one.Group)
			w.out.set(l.Key, &g)
		case "outcomes":
			o := *w.out.Outcomes[0]
			for _, inner := range l.Select.Links {
				u := userOf(&one.User)
				o.set(inner.Key, &u)
			}
			w.out.set(l.Key, []*MemberOutcome{&o})
		default:
			if err := w.follow([]*Payload{w.out}, l); err != nil {
				return err
			}
		}
	}
	return nil
}
