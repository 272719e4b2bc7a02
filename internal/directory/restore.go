package directory

import (
	"context"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// DefaultRestoreWithin is how long deleted groups can be restored if nobody says otherwise.
const DefaultRestoreWithin = 30 * 24 * time.Hour

// forget deletes a locked group, and keeps it for as long as it can be restored.
func (w *write) forget(id uuid.UUID) error {
	if w.s.keeps == 0 {
		return w.store.DeleteGroup(w.ctx, id)
	}
	return w.store.KeepAndDeleteGroup(w.ctx, id)
}

// RestoreGroup brings a deleted group back as it was, with its id and number, its members, admins, actions and worker models. Who is no
// user any more and memberships whose time is over do not come back, nor do tokens: what was deleted opens no door again by itself.
// For whoever may delete it: the admins that it had, and holders of GROUPS_REMOVE. Under another name, handle or external id it is for
// those of them who may change it as well.
// Codes: NOT_FOUND (deleted too long ago, too, or not deleted), FORBIDDEN, CONFLICT (name, handle or externalId taken meanwhile),
// LAST_ADMIN (it had admins, none of them is there, and the caller may not make another).
func (s *Service) RestoreGroup(ctx context.Context, by Caller, in RestoreGroupInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in RestoreGroupInput) check(by Caller) error {
	var name, handle error
	if in.Name != nil {
		name = firstOf(validName("input.name", *in.Name), validNewName(by.Via, "input.name", *in.Name))
	}
	if in.Handle != nil {
		handle = validHandle("input.handle", *in.Handle)
	}
	return firstOf(name, handle, validExternalID("input.externalId", in.ExternalID.Value))
}

func (in RestoreGroupInput) run(w *write) error {
	d, err := w.lockDeleted(in.Group)
	if err != nil {
		return err
	}
	g, was := &d.Group, d.Group
	g.Name, g.Handle = or(in.Name, g.Name), or(in.Handle, g.Handle)
	if in.ExternalID.Set {
		g.ExternalID = in.ExternalID.Value
	}
	if g.Name != was.Name || g.Handle != was.Handle || !sameText(g.ExternalID, was.ExternalID) {
		at := standingIn(w.by, g)
		if may := decide(w.by, OperationGroupUpdate, &at); !may.Allowed {
			return deny(w.by, may)
		}
	}
	back, err := w.store.RestoreGroup(w.ctx, g)
	if err != nil {
		return err
	}
	// Only now it is certain who came back: users are not locked before.
	if d.HadAdmins && len(back.Admins) == 0 && !decide(w.by, OperationAdminsEdit, &standing{}).Allowed {
		return &Error{Code: LastAdmin, Field: "input.group",
			Message: "None of its admins is there any more: it is for those to restore who may give it another, by MEMBERS_EDIT."}
	}
	w.out.group = &g.ID
	w.touch(g.ID, 0, 0) // a new version, so that nobody takes it for the one that was deleted
	return w.tellRestored(g, back)
}

// lockDeleted finds, locks and reads the deleted group that a write is on, and authorises the caller by what it was in the group. To
// those who could not see the group it is none, in the very words for one that was never there.
func (w *write) lockDeleted(ref GroupRef) (*db.DeletedGroup, error) {
	resolved, err := ref.resolve("input.group")
	if err != nil {
		return nil, err
	}
	if w.s.keeps == 0 {
		return nil, notFound("input.group", "Deleted groups are not kept here.")
	}
	id, err := w.store.TakeDeletedTurn(w.ctx, db.GroupIs(resolved), w.s.keeps)
	if err != nil {
		return nil, err
	}
	if id == uuid.Nil {
		return nil, refield(unseen(w.by, OperationGroupDelete, noDeleted), "input.group")
	}
	if err := w.turned(id); err != nil {
		return nil, err
	}
	d, ok, err := w.store.LockDeletedGroup(w.ctx, id, w.by.viewer())
	if err == nil && !ok {
		err = db.ErrRetry // somebody restored it, or its time was over: there may be one before it
	}
	if err != nil {
		return nil, err
	}
	at := standingIn(w.by, &d.Group)
	switch decision := decide(w.by, OperationGroupDelete, &at); {
	case decision.Allowed:
		return &d, nil
	case !decide(w.by, OperationGroupView, &at).Allowed:
		return nil, hides("input.group", noDeleted, decision)
	default:
		return nil, deny(w.by, decision)
	}
}

const noDeleted = "No such group was deleted lately, or none that you could see."

// tellRestored has the log tell of a restored group as of a new one with all that is in it, since it told that all this was gone.
func (w *write) tellRestored(g *db.Group, back db.Restored) error {
	if err := w.change(ChangeKindGroupRestored, g, nil, nil, imageOfGroup(g)); err != nil {
		return err
	}
	for i := range back.Members {
		if err := w.change(ChangeKindMemberAdded, g, &back.Members[i].User, nil, memberImage{back.Members[i].ExpiresAt}); err != nil {
			return err
		}
	}
	for i := range back.Admins {
		if err := w.change(ChangeKindAdminAdded, g, &back.Admins[i], nil, adminImage{}); err != nil {
			return err
		}
	}
	for _, a := range back.Actions {
		if err := w.settingsChanged(g, nil, actionImage{a.Name, a.Type}); err != nil {
			return err
		}
	}
	for _, m := range back.WorkerModels {
		if err := w.settingsChanged(g, nil, workerModelImage{m.Name, m.Type}); err != nil {
			return err
		}
	}
	return nil
}

// SweepDeleted forgets a group that was deleted too long ago to be restored, the longest gone first. It says how many it was.
func (s *Service) SweepDeleted(ctx context.Context) (int, error) {
	return s.store.DropDeletedGroup(ctx, s.keeps)
}
