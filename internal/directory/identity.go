package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// Identity is who an issuer of tokens says a caller is. (Issuer, Subject) names them: of all that a token claims, it alone is
// never given to somebody else (OpenID Connect Core 1.0 §5.7).
type Identity struct {
	Issuer, Subject           string
	Username, Email, FullName string // as claimed; "" for what is not
	Roles                     []Role // for as long as the token lives; nothing of it is stored
	Permissions               []Permission
	IssuedAt, Until           time.Time
	Trust                     Trust
}

// Trust is what an issuer is trusted with beyond saying who somebody is.
type Trust struct {
	CreatesUsers bool    // somebody whom Roster does not know becomes a user; else they are refused
	Links        Linking // how somebody whom Roster has not met may be a user that there is
	SoleRoles    bool    // the roles of the token are all; those that Roster keeps for the user do not count
}

// Linking is how an identity that was never seen may be a user that there is.
type Linking string

// How an identity finds its user.
const (
	LinkNone       Linking = ""           // it does not: the user is a new one
	LinkUsername   Linking = "USERNAME"   // the issuer's names are Roster's names
	LinkExternalID Linking = "EXTERNALID" // the subject is the user's externalId
)

// identifiedImage is what the change log keeps of a user who was made for an identity, or linked to one.
type identifiedImage struct {
	userImage
	Identity identityImage `json:"identity"`
}

type identityImage struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Recognise is the caller whom an issuer says it is: the user of (issuer, subject), found or made, with mail and full name as a newer
// token claims them, and with the token's roles for this one request. Where there is nothing new it is one statement. Whoever is
// refused hears the same UNAUTHENTICATED as for any other token; the error's cause, which is for the log, says why.
func (s *Service) Recognise(ctx context.Context, via Door, requestID string, id Identity) (Caller, error) {
	var found db.Identity
	ok := false
	told, err := s.standbys.lookUp(ctx, s.store, func(ctx context.Context, store *db.Store) (err error) {
		found, ok, err = store.FindIdentity(ctx, id.Issuer, id.Subject)
		return err
	})
	if err != nil {
		return Caller{}, err
	}
	met, wrote := !ok || id.changes(&found) && told == nil, uint64(0) // a standby cannot write down what is new
	if met {
		if found.User, wrote, err = s.meet(ctx, via, requestID, id); err != nil {
			return Caller{}, err
		}
	}
	u := &found.User
	said := &vouched{id.Roles, id.Trust.SoleRoles}
	by := Caller{
		User: &CallerUser{UUID: u.ID, Username: u.Username}, Roles: said.rolesWith(u.Roles), Permissions: id.Permissions,
		Until: &id.Until, Via: via, RequestID: requestID, vouched: said,
	}
	if told != nil { // for a write, only the primary's word counts
		by.asOf = db.At(told.Authority, false)
	}
	if met { // in the system's name, and it is the user who has to see it
		s.standbys.note(by, need{tx: wrote})
	}
	return by, nil
}

// changes reports whether the token says something new about the user. One that is older than what Roster heard last does not: else
// two tokens that disagree would change the user in turn for as long as both live.
func (id Identity) changes(known *db.Identity) bool {
	as := id.profile(known.User)
	return id.IssuedAt.After(known.ClaimsAt) && !sameUser(&as, &known.User)
}

// profile is a user with mail and full name as claimed. What is not claimed, or is nothing that Roster could keep, stays.
func (id Identity) profile(u db.User) db.User {
	if id.Email != "" && validText("", id.Email, maxEmail) == nil {
		u.Email = id.Email
	}
	if id.FullName != "" && validText("", id.FullName, maxName) == nil {
		u.FullName = id.FullName
	}
	return u
}

// meet makes, links or updates the user of an identity, and tells in which transaction; 0 if others were faster, or where nobody reads
// from standbys.
func (s *Service) meet(ctx context.Context, via Door, requestID string, id Identity) (met db.User, tx uint64, err error) {
	by := System()
	by.Via, by.RequestID = via, requestID
	p, err := s.write(ctx, by, false, Selection{}, func(w *write) error {
		known, ok, err := w.store.FindIdentity(w.ctx, id.Issuer, id.Subject)
		switch {
		case err != nil:
			return err
		case ok:
			met, err = w.heard(id, known.User.ID)
		default:
			met, err = w.welcome(id)
		}
		return err
	})
	if err == nil && len(p.changes) > 0 {
		tx = p.changes[0].Tx
	}
	return met, tx, err
}

// heard writes what a token says of a user that Roster knows.
func (w *write) heard(id Identity, user uuid.UUID) (db.User, error) {
	before, err := w.holdUser(user)
	if err != nil {
		return before, err
	}
	known, ok, err := w.store.FindIdentity(w.ctx, id.Issuer, id.Subject) // again, under the lock
	if err != nil || !ok {
		return before, firstOf(err, db.ErrRetry)
	}
	if !id.changes(&known) {
		return before, nil
	}
	after := id.profile(before)
	if err := w.store.UpdateUser(w.ctx, &after); err != nil {
		return after, err
	}
	if err := w.store.DateIdentity(w.ctx, id.Issuer, id.Subject, id.IssuedAt); err != nil {
		return after, err
	}
	return after, w.change(ChangeKindUserUpdated, nil, &after, imageOfUser(&before), imageOfUser(&after))
}

// holdUser locks a user that was found before; the transaction is repeated if it is gone.
func (w *write) holdUser(id uuid.UUID) (db.User, error) {
	if err := w.store.TakeTurns(w.ctx, []uuid.UUID{id}); err != nil {
		return db.User{}, err
	}
	u, ok, err := w.store.LockUser(w.ctx, id)
	if err == nil && !ok {
		err = db.ErrRetry
	}
	return u, err
}

// welcome finds or makes the user for an identity that was never seen.
func (w *write) welcome(id Identity) (db.User, error) {
	names := id.names()
	refs := mapped(names, UserByName)
	linked := 0 // which of them the identity may be
	if id.Trust.Links == LinkExternalID {
		refs, linked = append(refs, UserRef{ExternalID: &id.Subject}), len(refs)
	}
	found, err := w.findUsers(w.ctx, "identity", refs)
	if err != nil {
		return db.User{}, err
	}
	switch u := found[linked]; {
	case u != nil && (id.Trust.Links == LinkExternalID || id.Trust.Links == LinkUsername && id.Username == names[0]):
		return w.link(id, u.ID)
	case !id.Trust.CreatesUsers:
		return db.User{}, unrecognised("the issuer may not create users, and there is none for this subject")
	}
	for i, name := range names {
		if found[i] == nil {
			return w.create(id, name)
		}
	}
	// The last of the names is this identity's own: a request beside this one made its user, or somebody else has it.
	if _, known, err := w.store.FindIdentity(w.ctx, id.Issuer, id.Subject); err != nil || known {
		return db.User{}, firstOf(err, db.ErrRetry)
	}
	return db.User{}, unrecognised("every name that a user for this subject could have is taken")
}

// names are those that a new user may have: as claimed, else the subject; and where that is somebody's, with a mark of the identity.
// A claimed name is no proof of being the user who has it.
func (id Identity) names() []string {
	sum := sha256.Sum256([]byte(id.Issuer + "\n" + id.Subject))
	mark := "-" + hex.EncodeToString(sum[:5])
	for _, name := range []string{id.Username, id.Subject} {
		if short := []rune(name); validName("", name) == nil {
			return []string{name, string(short[:min(len(short), maxName-len(mark))]) + mark}
		}
	}
	return []string{"user" + mark}
}

func (w *write) create(id Identity, name string) (db.User, error) {
	made, err := w.store.InsertUsers(w.ctx, []db.User{id.profile(db.User{ID: newID(), Username: name, Roles: []string{}})})
	if err != nil || len(made) == 0 { // none: somebody took the name meanwhile
		return db.User{}, firstOf(err, db.ErrRetry)
	}
	u := made[0]
	linked, err := w.store.LinkIdentity(w.ctx, id.Issuer, id.Subject, u.ID, id.IssuedAt)
	if err != nil || !linked { // a request beside this one was faster
		return u, firstOf(err, db.ErrRetry)
	}
	return u, w.change(ChangeKindUserCreated, nil, &u, nil, id.image(&u))
}

// link has the identity be a user that there is. Never one whom Roster made an administrator, and never one who is another subject of
// the same issuer's: names come free at an issuer and are given to somebody else.
func (w *write) link(id Identity, user uuid.UUID) (db.User, error) {
	before, err := w.holdUser(user)
	if err != nil {
		return before, err
	}
	if slices.Contains(before.Roles, string(RoleAdministrator)) {
		return before, unrecognised(fmt.Sprintf("the user %q is an administrator by Roster's own word: an issuer's does not make somebody them", before.Username))
	}
	if _, known, err := w.store.FindIdentity(w.ctx, id.Issuer, id.Subject); err != nil || known {
		return before, firstOf(err, db.ErrRetry)
	}
	linked, err := w.store.LinkIdentity(w.ctx, id.Issuer, id.Subject, user, id.IssuedAt)
	if err != nil {
		return before, err
	}
	if !linked {
		return before, unrecognised(fmt.Sprintf("the user %q is another subject of the same issuer", before.Username))
	}
	after := id.profile(before)
	if !sameUser(&before, &after) {
		if err := w.store.UpdateUser(w.ctx, &after); err != nil {
			return after, err
		}
	}
	return after, w.change(ChangeKindUserUpdated, nil, &after, imageOfUser(&before), id.image(&after))
}

func (id Identity) image(u *db.User) identifiedImage {
	return identifiedImage{imageOfUser(u), identityImage{id.Issuer, id.Subject}}
}

// WrongToken is what whoever comes with a token hears that is none, or none any more.
func WrongToken() *Error {
	e := *wrongSecret
	return &e
}

// unrecognised is a wrong token with a reason, which is for the log.
func unrecognised(reason string) error {
	e := WrongToken()
	e.Cause = errors.New(reason)
	return e
}
