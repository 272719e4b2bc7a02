package directory

import (
	"context"

	"github.com/google/uuid"

	"roster/db"
)

// SetMembers replaces the members of a group, and its admins if they are given; it may leave no admin, since it says so outright.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (version), LIMIT_EXCEEDED (more than atMost would go).
func (s *Service) SetMembers(ctx context.Context, by Caller, in SetMembersInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in SetMembersInput) check(Caller) error { return validSetMembers(in) }

func (in SetMembersInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationMembersEdit, in.ExpectedVersion)
	if err != nil {
		return err
	}
	if in.Admins != nil {
		if err := w.authorise(g, OperationAdminsEdit); err != nil {
			return err
		}
	}
	return w.setMembers(g, in)
}

func validSetMembers(in SetMembersInput) error {
	return firstOf(validBulk("input.members", len(in.Members), true), validBulk("input.admins", len(in.Admins), true), validAtMost(in.AtMost))
}

func (w *write) setMembers(g *db.Group, in SetMembersInput) error {
	members, err := w.people("input.members", in.Members, in.OnUnknownUser)
	if err != nil {
		return err
	}
	keep := members.ids()
	if in.AdminsStay {
		admins, err := w.people("input.admins", in.Admins, in.OnUnknownUser)
		if err != nil {
			return err
		}
		keep = append(keep, admins.ids()...)
	}
	gone, err := w.store.DeleteOtherMembers(w.ctx, g.ID, keep)
	if err != nil {
		return err
	}
	leaving, err := w.usersOf(gone)
	if err != nil {
		return err
	}
	left, err := w.membersLeft(g, leaving, gone)
	if err != nil {
		return err
	}
	if err := atMost(in.AtMost, len(left)); err != nil {
		return err
	}
	added, err := w.insertMembers(g, members.users(), nil)
	if err != nil {
		return err
	}
	w.outcomes(members, added, MemberResultAdded, MemberResultKept)
	w.tell(leaving, left, MemberResultRemoved)
	if in.Admins == nil {
		return nil
	}
	return w.setAdmins(g, in)
}

// setAdmins replaces the admins, exactly as given.
func (w *write) setAdmins(g *db.Group, in SetMembersInput) error {
	admins, err := w.people("input.admins", in.Admins, in.OnUnknownUser)
	if err != nil {
		return err
	}
	gone, err := w.store.DeleteOtherAdmins(w.ctx, g.ID, admins.ids())
	if err != nil {
		return err
	}
	leaving, err := w.usersOf(gone)
	if err != nil {
		return err
	}
	if len(gone) > 0 {
		w.touch(g.ID, 0, -len(gone))
	}
	demoted := userSet(gone)
	if err := w.changeEach(ChangeKindAdminRemoved, g, leaving, demoted, adminImage{}, nil); err != nil {
		return err
	}
	promoted, err := w.insertAdmins(g, admins.users())
	if err != nil {
		return err
	}
	for _, p := range admins {
		if p.user == nil {
			w.out.Outcomes = append(w.out.Outcomes, &MemberOutcome{Username: p.ref.String(), Result: MemberResultUnknownUser})
		}
	}
	w.tell(admins.users(), promoted, MemberResultPromoted)
	w.tell(leaving, demoted, MemberResultDemoted)
	return nil
}

// tell adds an outcome for each of the users in the set.
func (w *write) tell(us []*db.User, in map[uuid.UUID]bool, result MemberResult) {
	for _, u := range us {
		if in[u.ID] {
			w.out.Outcomes = append(w.out.Outcomes, &MemberOutcome{Username: u.Username, userID: &u.ID, Result: result})
		}
	}
}

// usersOf reads the users of rows that are gone, for their names.
func (w *write) usersOf(pairs []db.Pair) ([]*db.User, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	ids := mapped(pairs, func(p db.Pair) uuid.UUID { return p.UserID })
	parts, err := db.Find(w.ctx, w.store, db.Users, db.List{Columns: []string{"id", "username"}, Where: db.UserID.In(db.UUIDs(ids))})
	if err != nil {
		return nil, err
	}
	us := make([]*db.User, len(parts[0].Rows))
	for i := range us {
		us[i] = &parts[0].Rows[i]
	}
	return us, nil
}
