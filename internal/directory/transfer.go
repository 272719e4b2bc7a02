package directory

import (
	"context"

	"roster/db"
)

// TransferAdminInput says which admin of a group hands over to whom.
type TransferAdminInput struct {
	Group           GroupRef
	From, To        UserRef
	ExpectedVersion *int
	DryRun          bool
}

// TransferAdmin makes one user an admin of a group and another, who is one, an ordinary member, in one step: at no moment is the group
// without either, and of two who hand over the same adminship one is refused.
// Codes: NOT_FOUND, FORBIDDEN, INVALID (from is no admin, or the same user), CONFLICT (version).
func (s *Service) TransferAdmin(ctx context.Context, by Caller, in TransferAdminInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in TransferAdminInput) check(Caller) error { return nil }

func (in TransferAdminInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationAdminsEdit, in.ExpectedVersion)
	if err != nil {
		return err
	}
	from, err := w.theUser("input.from", in.From)
	if err != nil {
		return err
	}
	to, err := w.theUser("input.to", in.To)
	if err != nil {
		return err
	}
	if from.ID == to.ID {
		return invalid("input.to", "They are the same user.")
	}
	switch others, err := w.notAdmins(g, []*db.User{from}); {
	case err != nil:
		return err
	case len(others) > 0:
		return invalid("input.from", "The user is no admin of the group.")
	}
	promoted, err := w.insertAdmins(g, []*db.User{to})
	if err != nil {
		return err
	}
	g.AdminCount += len(promoted)
	demoted, err := w.dropAdmins(g, []*db.User{from})
	if err != nil {
		return err
	}
	if _, err := w.insertMembers(g, []*db.User{from}, nil); err != nil {
		return err
	}
	w.outcomes(people{{user: to}}, promoted, MemberResultPromoted, MemberResultAlreadyAdmin)
	w.tell([]*db.User{from}, demoted, MemberResultDemoted)
	return nil
}

// theUser finds the one user that a field names.
func (w *write) theUser(field string, ref UserRef) (*db.User, error) {
	u, err := w.findUser(w.ctx, field, ref)
	if err == nil && u == nil {
		err = notFound(field, "There is no such user.")
	}
	return u, err
}
