package directory

import (
	"regexp"
	"slices"

	"github.com/google/uuid"

	"roster/db"
)

// person is a user that a write names: found, or unknown with the reference it was given by.
type person struct {
	user *db.User // nil: there is none
	ref  UserRef
}

type people []person

// users are those found, each once, in the order of their ids.
func (ps people) users() []*db.User {
	us := make([]*db.User, 0, len(ps))
	for _, p := range ps {
		if p.user != nil {
			us = append(us, p.user)
		}
	}
	slices.SortFunc(us, func(a, b *db.User) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(us, func(a, b *db.User) bool { return a.ID == b.ID })
}

func (ps people) ids() []uuid.UUID { return idsOf(ps.users()) }

func idsOf(us []*db.User) []uuid.UUID { return mapped(us, func(u *db.User) uuid.UUID { return u.ID }) }

// people finds the users that a write names. Unknown ones fail it, or are kept as unknown, or are created.
func (w *write) people(field string, refs []*UserRef, unknown OnUnknownUser) (people, error) {
	given := mapped(refs, func(r *UserRef) UserRef { return *r })
	found, err := w.findUsers(w.ctx, field, given)
	if err != nil {
		return nil, err
	}
	if unknown == OnUnknownUserCreate {
		if err := w.createUnknown(field, given, found); err != nil {
			return nil, err
		}
	}
	ps := make(people, len(given))
	for i, ref := range given {
		if found[i] == nil && unknown == OnUnknownUserCreate && ref.ExternalID != nil {
			return nil, &Error{Code: Conflict, Field: at(field, i), Message: "A user who would be created for this externalId has its name already, and another externalId."}
		}
		if found[i] == nil && unknown != OnUnknownUserSkip {
			return nil, notFound(at(field, i), "There is no such user.")
		}
		ps[i] = person{user: found[i], ref: ref}
	}
	return ps, nil
}

// createUnknown creates the users that references by name or externalId do not find; any other reference names nobody.
func (w *write) createUnknown(field string, refs []UserRef, found []*db.User) error {
	var fresh []db.User
	seen := map[string]bool{}
	for i, ref := range refs {
		if found[i] != nil || (ref.Username == nil && ref.ExternalID == nil) {
			continue
		}
		name := ref.String()
		if err := firstOf(validName(at(field, i), name), validNewUser(w.by.Via, at(field, i), name)); err != nil {
			return err
		}
		if !seen[name] { // spellings that differ in case are one user to Postgres: it takes the first
			seen[name] = true
			fresh = append(fresh, db.User{ID: newID(), Username: name, ExternalID: ref.ExternalID})
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if d := decide(w.by, OperationUsersEdit, nil); !d.Allowed && !createsUsers(w.by.Via) {
		return deny(w.by, d)
	}
	if err := w.insertUsers(fresh); err != nil {
		return err
	}
	again, err := w.findUsers(w.ctx, field, refs)
	copy(found, again)
	return err
}

// createsUsers reports whether a door creates unknown users for whoever may change a group: Authress has no users of its own,
// only ids that other systems made.
func createsUsers(d Door) bool { return d == DoorAuthress }

// newUserPatterns are what doors take for the name of a user who is not there yet. One who is bears any name: a group that was
// read through a door can be written back through it, whoever is in it.
var newUserPatterns = map[Door]*regexp.Regexp{DoorAuthress: regexp.MustCompile(`^[a-zA-Z0-9+._|/~:@\s-]{1,128}$`)}

func validNewUser(d Door, field, name string) error {
	if p := newUserPatterns[d]; p != nil && !p.MatchString(name) {
		return invalid(field, "There is no such user, and a new one's name matches %s.", p)
	}
	return nil
}
