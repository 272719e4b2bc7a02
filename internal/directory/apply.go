package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"roster/db"
)

// MaxCommands is the longest list of changes that are applied at once.
const MaxCommands = 1_000

type (
	// ApplyChangesInput is many writes in one.
	ApplyChangesInput struct {
		Changes          []*ChangeInput
		ExpectedVersions []*ExpectedVersionInput
		DryRun           bool

		missed *[]uuid.UUID // what a try was on without its turn: the next one takes that too
	}
	// ExpectedVersionInput is the version that a group is expected to be at.
	ExpectedVersionInput struct {
		Group   GroupRef
		Version int
	}
	// ChangeInput is one of the writes that can be one of many. What makes a secret is none of them.
	ChangeInput struct {
		CreateGroup       *CreateGroupInput
		UpdateGroup       *UpdateGroupInput
		DeleteGroup       *DeleteGroupInput
		RestoreGroup      *RestoreGroupInput
		AddMembers        *AddMembersInput
		RemoveMembers     *RemoveMembersInput
		SetMembers        *SetMembersInput
		SetUserGroups     *SetUserGroupsInput
		AddAdmins         *AddAdminsInput
		RemoveAdmins      *RemoveAdminsInput
		TransferAdmin     *TransferAdminInput
		RevokeToken       *RevokeTokenInput
		CreateUser        *CreateUserInput
		UpdateUser        *UpdateUserInput
		DeleteUser        *DeleteUserInput
		PutAction         *PutActionInput
		DeleteAction      *DeleteActionInput
		PutWorkerModel    *PutWorkerModelInput
		DeleteWorkerModel *DeleteWorkerModelInput
	}
)

// called is a command with its name in the API.
type called struct {
	name   string
	dryRun bool // it says so itself
	command
}

// command is the one that is given; false for none.
func (c *ChangeInput) command() (called, bool) {
	switch {
	case c.CreateGroup != nil:
		return called{"createGroup", c.CreateGroup.DryRun, c.CreateGroup}, true
	case c.UpdateGroup != nil:
		return called{"updateGroup", c.UpdateGroup.DryRun, c.UpdateGroup}, true
	case c.DeleteGroup != nil:
		return called{"deleteGroup", c.DeleteGroup.DryRun, c.DeleteGroup}, true
	case c.AddMembers != nil:
		return called{"addMembers", c.AddMembers.DryRun, c.AddMembers}, true
	case c.RemoveMembers != nil:
		return called{"removeMembers", c.RemoveMembers.DryRun, c.RemoveMembers}, true
	case c.SetMembers != nil:
		return called{"setMembers", c.SetMembers.DryRun, c.SetMembers}, true
	case c.SetUserGroups != nil:
		return called{"setUserGroups", c.SetUserGroups.DryRun, c.SetUserGroups}, true
	case c.AddAdmins != nil:
		return called{"addAdmins", c.AddAdmins.DryRun, c.AddAdmins}, true
	case c.RemoveAdmins != nil:
		return called{"removeAdmins", c.RemoveAdmins.DryRun, c.RemoveAdmins}, true
	}
	return c.other()
}

// other is command for what is not as common.
func (c *ChangeInput) other() (called, bool) {
	switch {
	case c.RestoreGroup != nil:
		return called{"restoreGroup", c.RestoreGroup.DryRun, c.RestoreGroup}, true
	case c.TransferAdmin != nil:
		return called{"transferAdmin", c.TransferAdmin.DryRun, c.TransferAdmin}, true
	case c.RevokeToken != nil:
		return called{"revokeToken", c.RevokeToken.DryRun, c.RevokeToken}, true
	case c.CreateUser != nil:
		return called{"createUser", c.CreateUser.DryRun, c.CreateUser}, true
	case c.UpdateUser != nil:
		return called{"updateUser", c.UpdateUser.DryRun, c.UpdateUser}, true
	case c.DeleteUser != nil:
		return called{"deleteUser", c.DeleteUser.DryRun, c.DeleteUser}, true
	case c.PutAction != nil:
		return called{"putAction", c.PutAction.DryRun, c.PutAction}, true
	case c.DeleteAction != nil:
		return called{"deleteAction", c.DeleteAction.DryRun, c.DeleteAction}, true
	case c.PutWorkerModel != nil:
		return called{"putWorkerModel", c.PutWorkerModel.DryRun, c.PutWorkerModel}, true
	case c.DeleteWorkerModel != nil:
		return called{"deleteWorkerModel", c.DeleteWorkerModel.DryRun, c.DeleteWorkerModel}, true
	}
	return called{}, false
}

// ApplyChanges does up to MaxCommands writes in the order given, all or none, in one transaction: each sees what those before it did,
// so that it may name a group that one of them made. A group becomes one new version by all of them together, and the versions that
// are expected are those before the first.
// Codes: those of the commands; the field says which command is at fault, and what in it.
func (s *Service) ApplyChanges(ctx context.Context, by Caller, in ApplyChangesInput, sel Selection) (*Payload, error) {
	in.missed = new([]uuid.UUID)
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in ApplyChangesInput) check(by Caller) error {
	switch n := len(in.Changes); {
	case n == 0:
		return invalid("input.changes", "Name at least one.")
	case n > MaxCommands:
		return exceeded("input.changes", "At most %d at once.", MaxCommands)
	case len(in.ExpectedVersions) > MaxCommands:
		return exceeded("input.expectedVersions", "At most %d at once.", MaxCommands)
	}
	for i, change := range in.Changes {
		c, ok := change.command()
		switch {
		case !ok:
			return invalid(at("input.changes", i), "Say what to do, in exactly one way.")
		case c.dryRun:
			return invalid(fmt.Sprintf("input.changes[%d].%s.dryRun", i, c.name), "It is all done or all rolled back: say dryRun of the whole.")
		}
		if err := c.check(by); err != nil {
			return within(i, c, err)
		}
	}
	return nil
}

func (in ApplyChangesInput) run(w *write) error {
	if err := w.takeTurns(in); err != nil {
		return err
	}
	for i, e := range in.ExpectedVersions {
		if err := w.expect(at("input.expectedVersions", i), e); err != nil {
			return err
		}
	}
	whole := w.out
	for i, change := range in.Changes {
		c, _ := change.command()
		w.out = &Payload{DryRun: whole.DryRun, Command: c.name}
		if err := c.run(w); err != nil {
			return within(i, c, err)
		}
		whole.results = append(whole.results, w.out)
		whole.changes = append(whole.changes, w.out.changes...)
	}
	w.out = whole
	for n, i := 0, 0; i < len(whole.results); i++ { // the places in the log that the whole is told of are theirs as well
		p := whole.results[i]
		p.changes = whole.changes[n : n+len(p.changes)]
		n += len(p.changes)
	}
	return nil
}

// expect fails unless a group is at a version.
func (w *write) expect(field string, e *ExpectedVersionInput) error {
	g, err := w.lockOne(field+".group", e.Group)
	if err == nil && g == nil {
		err = w.hidden(OperationGroupView)
	}
	if err == nil {
		err = w.authorise(g, OperationGroupView)
	}
	var e2 *Error
	switch {
	case errors.As(err, &e2):
		return refield(err, field+".group")
	case err != nil:
		return err
	case g.Version != e.Version:
		return &Error{Code: Conflict, Field: field + ".version", Version: g.Version, Message: "The group has changed since: its version is another one."}
	}
	return nil
}

// within says of a command's error which command it is of. What is no fault of the command's stays what it is, and is tried again.
func within(i int, c called, err error) error {
	var e *Error
	if !errors.As(explain(err), &e) {
		return err
	}
	of := *e
	of.Field = fmt.Sprintf("input.changes[%d].%s%s", i, c.name, strings.TrimPrefix(e.Field, "input"))
	return &of
}

// takeTurns takes the turns of all groups and users that the commands are on, before anything else: in one order, so that two lists of
// changes do not wait for each other, and before the transaction has its id (db.TakeTurns). What is only found to be there later is
// begun anew for.
func (w *write) takeTurns(in ApplyChangesInput) error {
	var on turnsOf
	for _, c := range in.Changes {
		if named, ok := c.command(); ok {
			on.add(named.command)
		}
	}
	for _, e := range in.ExpectedVersions {
		on.groups(e.Group)
	}
	ids, err := w.store.TurnsOf(w.ctx, on.TurnsOf)
	if err != nil {
		return err
	}
	ids = append(ids, *in.missed...)
	w.turns, w.missed = make(map[uuid.UUID]bool, len(ids)), in.missed
	for _, id := range ids {
		w.turns[id] = true
	}
	return w.store.TakeTurns(w.ctx, ids)
}

// turned has the transaction begin anew if it is one of many writes, and on something that was not there when it took its turns.
func (w *write) turned(ids ...uuid.UUID) error {
	if w.turns == nil {
		return nil
	}
	if ids = slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return w.turns[id] }); len(ids) == 0 {
		return nil
	}
	*w.missed = append(*w.missed, ids...)
	return db.ErrRetry
}

// mine says that this write made something: nobody else is on it.
func (w *write) mine(id uuid.UUID) {
	if w.turns != nil {
		w.turns[id] = true
	}
}

// turnsOf gathers what commands are on. References that are none are left to the command that has them.
type turnsOf struct{ db.TurnsOf }

func (t *turnsOf) groups(refs ...GroupRef) {
	for _, r := range refs {
		if ref, err := r.resolve(""); err == nil {
			t.Groups = append(t.Groups, ref)
		}
	}
}

func (t *turnsOf) deleted(r GroupRef) {
	if ref, err := r.resolve(""); err == nil {
		t.Deleted = append(t.Deleted, ref)
	}
}

func (t *turnsOf) user(to *[]db.UserRef, r UserRef) {
	if ref, err := r.resolve(""); err == nil {
		*to = append(*to, ref)
	}
}

func (t *turnsOf) thing(prefix, id string) {
	if parsed, err := parseIDOf(prefix, "", id); err == nil {
		t.Things = append(t.Things, parsed)
	}
}

func (t *turnsOf) add(c command) {
	switch in := c.(type) {
	case *UpdateGroupInput:
		t.groups(in.Group)
	case *DeleteGroupInput:
		t.groups(in.Group)
	case *RestoreGroupInput:
		t.deleted(in.Group)
	case *AddMembersInput:
		t.groups(in.Group)
	case *RemoveMembersInput:
		t.groups(in.Group)
	case *SetMembersInput:
		t.groups(in.Group)
	case *SetUserGroupsInput:
		t.groups(mapped(in.Groups, func(g *GroupRef) GroupRef { return *g })...)
		t.user(&t.Moved, in.User)
	case *AddAdminsInput:
		t.groups(in.Group)
	case *RemoveAdminsInput:
		t.groups(in.Group)
	case *TransferAdminInput:
		t.groups(in.Group)
	case *UpdateUserInput:
		to := &t.Users
		if in.Username.Set || in.ExternalID.Set { // by the new name a later command may have the user leave
			to = &t.Moved
		}
		t.user(to, in.User)
	case *DeleteUserInput:
		t.user(&t.Moved, in.User)
	case *RevokeTokenInput:
		t.thing(tokenPrefix, in.Token)
	case *PutActionInput:
		if in.Group != nil {
			t.groups(*in.Group)
		}
	case *DeleteActionInput:
		t.thing(actionPrefix, in.ID)
	case *PutWorkerModelInput:
		t.groups(in.Group)
	case *DeleteWorkerModelInput:
		t.thing(workerModelPrefix, in.ID)
	}
}
