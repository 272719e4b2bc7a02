package directory

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"roster/db"
)

// groupImage is what the change log keeps of a group: all that makes it.
type groupImage struct {
	UUID              uuid.UUID       `json:"uuid"`
	Number            int             `json:"number"`
	Handle            string          `json:"handle"`
	Name              string          `json:"name"`
	Description       string          `json:"description"`
	Type              string          `json:"type"`
	ExternalID        *string         `json:"externalId"`
	AccessType        string          `json:"accessType"`
	FolderOwner       *uuid.UUID      `json:"folderOwner"`
	UseDefaultStorage bool            `json:"useDefaultStorage"`
	Public            bool            `json:"public"`
	Tags              json.RawMessage `json:"tags"`
}

func imageOfGroup(g *db.Group) groupImage {
	return groupImage{g.ID, g.Number, g.Handle, g.Name, g.Description, g.Type, g.ExternalID, g.AccessType, g.FolderOwner,
		g.UseDefaultStorage, g.Public, g.Tags}
}

// CreateGroup makes a group with the members and admins given; without a list of admins, the caller is its admin.
// Codes: FORBIDDEN, CONFLICT (name, handle or externalId taken), NOT_FOUND (an unknown user), LIMIT_EXCEEDED.
func (s *Service) CreateGroup(ctx context.Context, by Caller, in CreateGroupInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in CreateGroupInput) check(by Caller) error { return may(by, OperationGroupCreate) }
func (in CreateGroupInput) run(w *write) error    { return w.createGroup(in) }

func (w *write) createGroup(in CreateGroupInput) error {
	g, err := w.newGroup(in)
	if err != nil {
		return err
	}
	if in.FolderOwner != nil {
		if g.FolderOwner, err = w.owner("input.folderOwner", *in.FolderOwner); err != nil {
			return err
		}
	}
	members, err := w.people("input.members", in.Members, in.OnUnknownUser)
	if err != nil {
		return err
	}
	admins, err := w.people("input.admins", in.Admins, in.OnUnknownUser)
	if err != nil {
		return err
	}
	if in.Admins == nil && w.by.User != nil {
		admins = people{{user: &db.User{ID: w.by.User.UUID, Username: w.by.User.Username}}}
	}
	joining, leading := members.users(), admins.users()
	g.StoredMemberCount, g.AdminCount = len(joining), len(leading)
	if err := w.store.InsertGroup(w.ctx, g); err != nil {
		return err
	}
	w.out.group = &g.ID
	w.mine(g.ID)
	if err := w.change(ChangeKindGroupCreated, g, nil, nil, imageOfGroup(g)); err != nil {
		return err
	}
	return w.fill(g, joining, leading)
}

// fill puts its first people into a new group, which has counted them already. That makes no second version of it.
func (w *write) fill(g *db.Group, members, admins []*db.User) error {
	joined, err := w.insertMembers(g, members, nil)
	if err != nil {
		return err
	}
	led, err := w.insertAdmins(g, admins)
	if err != nil {
		return err
	}
	delete(w.touched, g.ID)
	if len(joined) < len(members) || len(led) < len(admins) { // one of them was deleted meanwhile, or the caller is no user here
		return w.store.CountGroup(w.ctx, db.Touched{Group: g.ID, Members: len(joined), Admins: len(led)})
	}
	return nil
}

// newGroup checks the input and makes the row.
func (w *write) newGroup(in CreateGroupInput) (*db.Group, error) {
	id := newID()
	g := &db.Group{
		ID: id, Name: in.Name, Handle: or(in.Handle, typeID(groupPrefix, id)), Description: deref(in.Description), ExternalID: in.ExternalID,
		Type: string(in.Type), AccessType: string(or(in.AccessType, AccessTypeReadOnly)), UseDefaultStorage: or(in.UseDefaultStorage, true),
		Public: deref(in.Public), CreatedBy: w.by.id(),
	}
	if g.Type == "" {
		g.Type = string(GroupTypeManaged)
	}
	tags, err := validTags("input.tags", in.Tags)
	g.Tags = tags
	return g, firstOf(err, validGroup(g), validNewName(w.by.Via, "input.name", g.Name), validHandle("input.handle", g.Handle),
		validBulk("input.members", len(in.Members), true), validBulk("input.admins", len(in.Admins), true))
}

func validGroup(g *db.Group) error {
	return firstOf(validName("input.name", g.Name), validText("input.description", g.Description, maxDescription),
		validExternalID("input.externalId", g.ExternalID))
}

// owner finds a user who is to own something.
func (w *write) owner(field string, ref UserRef) (*uuid.UUID, error) {
	u, err := w.findUser(w.ctx, field, ref)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, notFound(field, "There is no such user.")
	}
	return &u.ID, nil
}

// UpdateGroup changes what is given of a group: a field left out stays, null clears. If nothing differs, nothing is written.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (version, name or externalId).
func (s *Service) UpdateGroup(ctx context.Context, by Caller, in UpdateGroupInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in UpdateGroupInput) check(Caller) error {
	return firstOf(kept("input.name", in.Name), kept("input.accessType", in.AccessType),
		kept("input.useDefaultStorage", in.UseDefaultStorage), kept("input.public", in.Public))
}

func (in UpdateGroupInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationGroupUpdate, in.ExpectedVersion)
	if err != nil {
		return err
	}
	return w.updateGroup(g, in)
}

func (w *write) updateGroup(g *db.Group, in UpdateGroupInput) error {
	before := *g
	if err := w.apply(g, in); err != nil {
		return err
	}
	if sameGroup(&before, g) {
		return nil
	}
	if g.Name != before.Name {
		if err := validNewName(w.by.Via, "input.name", g.Name); err != nil {
			return err
		}
	}
	if err := w.store.UpdateGroup(w.ctx, g); err != nil {
		return err
	}
	w.touch(g.ID, 0, 0)
	return w.change(ChangeKindGroupUpdated, g, nil, imageOfGroup(&before), imageOfGroup(g))
}

// apply puts the given fields into the row.
func (w *write) apply(g *db.Group, in UpdateGroupInput) error {
	put(&g.Name, in.Name, g.Name)
	put(&g.Description, in.Description, "")
	put(&g.UseDefaultStorage, in.UseDefaultStorage, true)
	put(&g.Public, in.Public, false)
	if in.AccessType.Set {
		g.AccessType = string(or(in.AccessType.Value, AccessTypeReadOnly))
	}
	if in.ExternalID.Set {
		g.ExternalID = in.ExternalID.Value
	}
	if in.Tags.Set {
		var err error
		if g.Tags, err = validTags("input.tags", deref(in.Tags.Value)); err != nil {
			return err
		}
	}
	if in.FolderOwner.Set {
		g.FolderOwner = nil
		if in.FolderOwner.Value != nil {
			var err error
			if g.FolderOwner, err = w.owner("input.folderOwner", *in.FolderOwner.Value); err != nil {
				return err
			}
		}
	}
	return validGroup(g)
}

// kept refuses null for a field that always has a value.
func kept[T any](field string, o Optional[T]) error {
	if o.Set && o.Value == nil {
		return invalid(field, "It cannot be cleared: leave it out, or give a value.")
	}
	return nil
}

// put sets a field that was given; null sets the default.
func put[T any](to *T, o Optional[T], cleared T) {
	if o.Set {
		*to = or(o.Value, cleared)
	}
}

func sameGroup(a, b *db.Group) bool {
	return a.Name == b.Name && a.Description == b.Description && sameText(a.ExternalID, b.ExternalID) && a.AccessType == b.AccessType &&
		sameID(a.FolderOwner, b.FolderOwner) && a.UseDefaultStorage == b.UseDefaultStorage && a.Public == b.Public &&
		sameTags(a.Tags, b.Tags) && a.Type == b.Type
}

func sameText(a, b *string) bool  { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
func sameID(a, b *uuid.UUID) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// sameTags compares the objects, not their spelling.
func sameTags(a, b []byte) bool {
	spell := func(object []byte) string {
		var s strings.Builder
		for _, t := range tagsOf(object) {
			s.WriteString(t.Key + "\x00" + t.Value + "\x00")
		}
		return s.String()
	}
	return spell(a) == spell(b)
}

// DeleteGroup deletes a group with its members, admins, tokens, actions and worker models. One change says so. All but the tokens is kept
// for RestoreGroup, where that is on.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (version).
func (s *Service) DeleteGroup(ctx context.Context, by Caller, in DeleteGroupInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in DeleteGroupInput) check(Caller) error { return nil }

func (in DeleteGroupInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationGroupDelete, in.ExpectedVersion)
	if err != nil {
		return err
	}
	if err := w.forget(g.ID); err != nil {
		return err
	}
	delete(w.touched, g.ID) // of many writes: what those before it counted is gone with the rows
	id := typeID(groupPrefix, g.ID)
	w.out.group, w.out.DeletedID = nil, &id
	return w.change(ChangeKindGroupDeleted, g, nil, imageOfGroup(g), nil)
}
