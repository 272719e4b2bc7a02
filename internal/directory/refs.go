package directory

import (
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"

	"roster/db"
)

// GroupRef names one group in exactly one of six ways.
type GroupRef struct {
	ID         *string
	UUID       *uuid.UUID
	Number     *int
	Handle     *string
	Name       *string
	ExternalID *string
}

// UserRef names one user in exactly one of five ways.
type UserRef struct {
	ID         *string
	UUID       *uuid.UUID
	Number     *int
	Username   *string
	ExternalID *string
}

// GroupByUUID, GroupByNumber, GroupByName and GroupByHandle are references by one way.
func GroupByUUID(id uuid.UUID) GroupRef    { return GroupRef{UUID: &id} }
func GroupByNumber(n int) GroupRef         { return GroupRef{Number: &n} }
func GroupByName(name string) GroupRef     { return GroupRef{Name: &name} }
func GroupByHandle(handle string) GroupRef { return GroupRef{Handle: &handle} }
func GroupByExternalID(id string) GroupRef { return GroupRef{ExternalID: &id} }
func UserByName(username string) UserRef   { return UserRef{Username: &username} }
func UserByUUID(id uuid.UUID) UserRef      { return UserRef{UUID: &id} }

func mapped[A, B any](as []A, f func(A) B) []B {
	bs := make([]B, len(as))
	for i, a := range as {
		bs[i] = f(a)
	}
	return bs
}

const oneWay = "Name it in exactly one way."

// resolve checks the reference and puts it in the store's terms.
func (g GroupRef) resolve(field string) (db.GroupRef, error) {
	var ref db.GroupRef
	ways := 0
	if g.ID != nil {
		ways++
		id, err := parseIDOf(groupPrefix, field+".id", *g.ID)
		if err != nil {
			return ref, err
		}
		ref.ID = id
	}
	if g.UUID != nil {
		ways++
		ref.ID = *g.UUID
	}
	if g.Number != nil {
		ways++
		ref.Number = number(*g.Number)
	}
	for _, text := range []struct {
		name string
		v    *string
		to   *string
	}{{"handle", g.Handle, &ref.Handle}, {"name", g.Name, &ref.Name}, {"externalId", g.ExternalID, &ref.ExternalID}} {
		if text.v == nil {
			continue
		}
		ways++
		if !isRef(*text.v) {
			return ref, validRef(field+"."+text.name, *text.v)
		}
		*text.to = *text.v
	}
	if ways != 1 {
		return ref, invalid(field, oneWay)
	}
	return ref, nil
}

func (u UserRef) resolve(field string) (db.UserRef, error) {
	var ref db.UserRef
	ways := 0
	if u.ID != nil {
		ways++
		id, err := parseIDOf(userPrefix, field+".id", *u.ID)
		if err != nil {
			return ref, err
		}
		ref.ID = id
	}
	if u.UUID != nil {
		ways++
		ref.ID = *u.UUID
	}
	if u.Number != nil {
		ways++
		ref.Number = number(*u.Number)
	}
	for _, text := range []struct {
		name string
		v    *string
		to   *string
	}{{"username", u.Username, &ref.Username}, {"externalId", u.ExternalID, &ref.ExternalID}} {
		if text.v == nil {
			continue
		}
		ways++
		if !isRef(*text.v) {
			return ref, validRef(field+"."+text.name, *text.v)
		}
		*text.to = *text.v
	}
	if ways != 1 {
		return ref, invalid(field, oneWay)
	}
	return ref, nil
}

// number keeps to what the column holds: no thing has another one. The store takes 0 for absent, and no number is 0 or less.
func number(n int) int {
	if n < 1 || n > math.MaxInt32 {
		return -1
	}
	return n
}

// isRef reports whether a text may be a name; validRef says why not.
func isRef(v string) bool { return validRef("", v) == nil }

// validRef refuses text that no name can be.
func validRef(field, v string) error {
	if v == "" {
		return invalid(field, "It may not be empty.")
	}
	return validText(field, v, maxFilterText)
}

// String is the reference as the client gave it, for outcomes about what does not exist.
func (u UserRef) String() string {
	switch {
	case u.Username != nil:
		return *u.Username
	case u.ExternalID != nil:
		return *u.ExternalID
	case u.ID != nil:
		return *u.ID
	case u.UUID != nil:
		return u.UUID.String()
	case u.Number != nil:
		return strconv.Itoa(*u.Number)
	}
	return ""
}

// String is the reference as the client gave it.
func (g GroupRef) String() string {
	switch {
	case g.Name != nil:
		return *g.Name
	case g.Handle != nil:
		return *g.Handle
	case g.ExternalID != nil:
		return *g.ExternalID
	case g.ID != nil:
		return *g.ID
	case g.UUID != nil:
		return g.UUID.String()
	case g.Number != nil:
		return strconv.Itoa(*g.Number)
	}
	return ""
}

// resolvedAll resolves references in their order. The path of one is made only if it is at fault.
func resolvedAll[D any, R interface{ resolve(field string) (D, error) }](field string, one bool, refs []R) ([]D, error) {
	resolved := make([]D, len(refs))
	for i, ref := range refs {
		var err error
		if resolved[i], err = ref.resolve(""); err != nil {
			_, err = ref.resolve(path(field, one, i))
			return nil, err
		}
	}
	return resolved, nil
}

// path names the i-th reference of an input field; one tells a single reference from a list.
func path(field string, one bool, i int) string {
	if one {
		return field
	}
	return at(field, i)
}

// findUser finds one user; nil if there is none.
func (r *reader) findUser(ctx context.Context, field string, ref UserRef) (*db.User, error) {
	us, err := r.lookUpUsers(ctx, field, true, []UserRef{ref})
	if err != nil {
		return nil, err
	}
	return us[0], nil
}

// findUsers finds the users that a list of references names, in one statement: for each reference the user, or nil.
func (r *reader) findUsers(ctx context.Context, field string, refs []UserRef) ([]*db.User, error) {
	return r.lookUpUsers(ctx, field, false, refs)
}

func (r *reader) lookUpUsers(ctx context.Context, field string, one bool, refs []UserRef) ([]*db.User, error) {
	found := make([]*db.User, len(refs))
	if len(refs) == 0 {
		return found, nil
	}
	resolved, err := resolvedAll[db.UserRef](field, one, refs)
	if err != nil {
		return nil, err
	}
	us, err := r.store.FindUsers(ctx, resolved)
	for i := range us {
		u := &us[i]
		if u.Later {
			return nil, db.ErrRetry // the log would speak of the user before it tells of its making
		}
		// Numbers can be counted through: only who may look users up may name them so.
		if resolved[u.Index].Number == 0 || r.by.sees(u.ID) {
			found[u.Index] = &u.User
		}
	}
	return found, err
}

// findGroups finds the groups that references name, in one statement: for each the id, or the nil UUID.
func (r *reader) findGroups(ctx context.Context, field string, one bool, refs []GroupRef) ([]uuid.UUID, error) {
	resolved, err := resolvedAll[db.GroupRef](field, one, refs)
	if err != nil {
		return nil, err
	}
	return r.store.FindGroups(ctx, resolved)
}
