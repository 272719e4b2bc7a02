package directory

import (
	"context"
	"errors"
	"strings"

	"roster/db"
)

// PutGroupInput describes a group as it shall be. A field left out stays as it is, and of a new group is the
// default; null clears.
type PutGroupInput struct {
	Name              string  // which group: names are compared without case, and the spelling given here is kept
	Handle            *string // of a new group; one that there is keeps its own, and another one here is a conflict
	Description       Optional[string]
	ExternalID        Optional[string]
	AccessType        *AccessType
	FolderOwner       Optional[UserRef]
	UseDefaultStorage *bool
	Public            *bool
	Tags              Optional[[]*TagInput]
	Members           []*UserRef // all of them; nil: left alone
	Admins            []*UserRef // all of them; nil: left alone, and of a new group the caller, if it is a user
	OnUnknownUser     OnUnknownUser
	DryRun            bool
}

// putAttempts bounds how often a put begins anew because somebody made or renamed a group of that name meanwhile.
const putAttempts = 3

var errRenamed = errors.New("the group of that name was renamed while it was locked")

// PutGroup makes the group of that name, or makes the one there is as described: its fields, and its members and admins where
// they are given. Payload.Created says which. If nothing differs, nothing is written and there is no new version.
// Codes: FORBIDDEN, CONFLICT (handle, externalId, or a name taken by a group that the caller may not see), NOT_FOUND (an unknown
// user), LIMIT_EXCEEDED.
func (s *Service) PutGroup(ctx context.Context, by Caller, in PutGroupInput, sel Selection) (*Payload, error) {
	if err := validPut(in); err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		p, err := s.write(ctx, by, in.DryRun, sel, func(w *write) error { return w.putGroup(in) })
		if n == putAttempts || !raced(err) {
			return p, err
		}
	}
}

func validPut(in PutGroupInput) error {
	var unknown error
	switch or(in.AccessType, AccessTypeReadOnly) {
	case AccessTypeReadOnly, AccessTypeWriteOwner, AccessTypeWriteAll, AccessTypeAdministrator:
	default:
		unknown = invalid("input.accessType", "It is one of READ_ONLY, WRITE_OWNER, WRITE_ALL and ADMINISTRATOR.")
	}
	return firstOf(validName("input.name", in.Name), unknown,
		validBulk("input.members", len(in.Members), true), validBulk("input.admins", len(in.Admins), true))
}

// raced reports whether the name went to another group between our look and our write.
func raced(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == Conflict && e.Field == "input.name" && e.Cause != nil
}

func (w *write) putGroup(in PutGroupInput) error {
	g, err := w.lockNamed(in.Name)
	if err != nil {
		return err
	}
	if g == nil {
		if err := may(w.by, OperationGroupCreate); err != nil {
			return err
		}
	} else if err := w.mayPut(g, in); err != nil {
		return err
	}
	if in.FolderOwner.Value != nil && in.OnUnknownUser == OnUnknownUserCreate {
		if _, err := w.people("input.folderOwner", []*UserRef{in.FolderOwner.Value}, OnUnknownUserCreate); err != nil {
			return refield(err, strings.Replace(AsError(err).Field, "[0]", "", 1))
		}
	}
	if g == nil {
		w.out.Created = true
		return w.createGroup(in.create())
	}
	return w.makeLike(g, in)
}

// makeLike makes a locked group as described.
func (w *write) makeLike(g *db.Group, in PutGroupInput) error {
	w.out.group = &g.ID
	if in.Handle != nil && *in.Handle != g.Handle {
		return &Error{Code: Conflict, Field: "input.handle", Message: "The group has another handle, which cannot be changed."}
	}
	if err := w.updateGroup(g, in.update()); err != nil {
		return err
	}
	people := SetMembersInput{Members: in.Members, Admins: in.Admins, OnUnknownUser: in.OnUnknownUser}
	switch {
	case in.Members != nil:
		return w.setMembers(g, people)
	case in.Admins != nil:
		return w.setAdmins(g, people)
	}
	return nil
}

// lockNamed locks and reads the group of a name; nil if there is none.
func (w *write) lockNamed(name string) (*db.Group, error) {
	g, err := w.lockOne("input", GroupByName(name))
	if err != nil || g == nil || g.Name == name {
		return g, err
	}
	// Another spelling of the name, or another name by now: only Postgres knows what it takes for the same.
	again, err := w.findGroups(w.ctx, "input", true, []GroupRef{GroupByName(name)})
	if err == nil && again[0] != g.ID {
		err = &Error{Code: Conflict, Field: "input.name", Message: "The group was renamed meanwhile.", Cause: errRenamed}
	}
	return g, err
}

// mayPut authorises on the locked row. To a caller who does not see the group, it is a name that is taken.
func (w *write) mayPut(g *db.Group, in PutGroupInput) error {
	err := w.authorise(g, OperationGroupUpdate)
	if err != nil && CodeOf(err) == NotFound {
		taken := constraints["groups_name_unique"]
		return firstOf(may(w.by, OperationGroupCreate), &taken)
	}
	if err != nil {
		return err
	}
	return w.mayReplace(g, ReplaceGroupInput{Members: in.Members, Admins: in.Admins})
}

func (in PutGroupInput) create() CreateGroupInput {
	return CreateGroupInput{
		Name: in.Name, Handle: in.Handle, Description: in.Description.Value, ExternalID: in.ExternalID.Value,
		AccessType: in.AccessType, FolderOwner: in.FolderOwner.Value, UseDefaultStorage: in.UseDefaultStorage,
		Public: in.Public, Tags: deref(in.Tags.Value), Members: in.Members, Admins: in.Admins, OnUnknownUser: in.OnUnknownUser,
	}
}

func (in PutGroupInput) update() UpdateGroupInput {
	return UpdateGroupInput{
		Name: Some(in.Name), Description: in.Description, ExternalID: in.ExternalID, AccessType: given(in.AccessType),
		FolderOwner: in.FolderOwner, UseDefaultStorage: given(in.UseDefaultStorage), Public: given(in.Public), Tags: in.Tags,
	}
}

// given is a field that may be left out but not be null.
func given[T any](p *T) Optional[T] { return Optional[T]{Set: p != nil, Value: p} }

// Changed counts what the write changed, by kind; in a dry run, what it would have.
func (p *Payload) Changed() map[ChangeKind]int {
	n := map[ChangeKind]int{}
	for _, c := range p.changes {
		n[ChangeKind(c.Kind)]++
	}
	return n
}
