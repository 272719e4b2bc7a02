package directory

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// How long tokens live, and how long a rotated secret may live on.
const (
	sessionLife = time.Hour
	dailyLife   = 24 * time.Hour
	maxOverlap  = 7 * 24 * time.Hour
)

// tokenImage is what the change log keeps of a token.
type tokenImage struct {
	UUID        uuid.UUID  `json:"uuid"`
	Description string     `json:"description"`
	Prefix      string     `json:"prefix"`
	Scopes      []string   `json:"scopes"`
	Expiration  string     `json:"expiration"`
	ExpiresAt   *time.Time `json:"expiresAt"`
	RevokedAt   *time.Time `json:"revokedAt"`
}

func imageOfToken(t *db.Token) tokenImage {
	return tokenImage{t.ID, t.Description, t.Prefix, append([]string{}, t.Scopes...), t.Expiration, t.ExpiresAt, t.RevokedAt}
}

// CreateToken makes a token of a group or of a user; without either, of the caller. The secret is in this answer and nowhere else.
// Codes: NOT_FOUND, FORBIDDEN.
func (s *Service) CreateToken(ctx context.Context, by Caller, in CreateTokenInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in CreateTokenInput) check(Caller) error { return nil }

func (in CreateTokenInput) run(w *write) error {
	t := &db.Token{ID: newID(), Description: deref(in.Description), CreatedBy: w.by.id()}
	if err := firstOf(validText("input.description", t.Description, maxDescription), w.expiry(t, in.Expiration, in.ExpiresAt)); err != nil {
		return err
	}
	g, u, err := w.tokenOwner(t, in)
	if err != nil {
		return err
	}
	if t.Scopes, err = w.scopes(in.Scopes); err != nil {
		return err
	}
	secret := newSecret()
	t.Prefix = shown(secret)
	if err := w.store.InsertToken(w.ctx, t, w.s.hash(secret)); err != nil {
		return err
	}
	if !w.out.DryRun {
		w.out.Secret = secret
	}
	w.out.token, w.out.group = &t.ID, nil
	return w.change(ChangeKindTokenCreated, g, u, nil, imageOfToken(t))
}

// expiry settles when a new token ends.
func (w *write) expiry(t *db.Token, e *TokenExpiration, at *time.Time) error {
	kind := or(e, TokenExpirationSession)
	if e == nil && at != nil {
		kind = TokenExpirationCustom
	}
	t.Expiration = string(kind)
	if (kind == TokenExpirationCustom) != (at != nil) {
		return invalid("input.expiresAt", "It goes with the expiration CUSTOM, and CUSTOM with it.")
	}
	if err := validExpiry("input.expiresAt", at); err != nil {
		return err
	}
	t.ExpiresAt = microsecond(at)
	if latest := w.latest(); at != nil && latest != nil && at.After(*latest) {
		return invalid("input.expiresAt", "Tokens live for %s at most here: until %s.", w.s.life, latest.Format(time.RFC3339))
	}
	w.renew(t)
	return nil
}

// latest is when a token that is made now ends at the latest; nil for never.
func (w *write) latest() *time.Time {
	if w.s.life == 0 {
		return nil
	}
	return w.in(w.s.life)
}

// in is a time from now as Postgres keeps it, and the change log with it.
func (w *write) in(d time.Duration) *time.Time {
	end := w.now.Add(d).UTC().Truncate(time.Microsecond)
	return &end
}

// renew starts the life of a token's secret, which ends when policy says at the latest.
func (w *write) renew(t *db.Token) {
	life, ok := map[string]time.Duration{string(TokenExpirationSession): sessionLife, string(TokenExpirationDaily): dailyLife}[t.Expiration]
	if ok {
		t.ExpiresAt = w.in(life)
	}
	if t.Expiration == string(TokenExpirationPersistent) {
		t.ExpiresAt = nil
	}
	if latest := w.latest(); latest != nil && (t.ExpiresAt == nil || t.ExpiresAt.After(*latest)) {
		t.ExpiresAt = latest
	}
}

// tokenOwner finds whose token it is to be, and authorises the caller: admins of the group and holders of TOKENS_EDIT for a
// group; for a user, the user itself, and holders of TOKENS_EDIT who can do all that the user can.
func (w *write) tokenOwner(t *db.Token, in CreateTokenInput) (*db.Group, *db.User, error) {
	switch {
	case in.Group != nil && in.User != nil:
		return nil, nil, invalid("input.user", "A token is a group's or a user's, not both.")
	case in.Group != nil:
		g, err := w.lockGroup(*in.Group, OperationTokensEdit, nil)
		if err != nil {
			return nil, nil, err
		}
		t.GroupID = &g.ID
		return g, nil, nil
	case in.User == nil && w.by.User == nil:
		return nil, nil, invalid("input.group", "Say whose token it is to be: the caller is no user.")
	}
	ref := or(in.User, UserByUUID(w.by.viewer()))
	u, err := w.findUser(w.ctx, "input.user", ref)
	if err != nil {
		return nil, nil, err
	}
	if u == nil {
		return nil, nil, refield(unseen(w.by, OperationUsersView, noUser), "input.user")
	}
	t.UserID = &u.ID
	if err := w.mayHandle(u); err != nil {
		if CodeOf(err) == Forbidden && !w.by.sees(u.ID) {
			err = &Error{Code: NotFound, Field: "input.user", Message: noUser, Denial: AsError(err).reason()}
		}
		return nil, nil, err
	}
	return nil, u, nil
}

const noUser = "There is no such user, or none that you may see."

// mayHandle authorises the caller for the tokens of a user.
func (w *write) mayHandle(u *db.User) error {
	if !w.by.scoped(PermissionTokensEdit) {
		return deny(w.by, decide(w.by, OperationTokensEdit, &standing{}))
	}
	own := w.by.is(u.ID)
	if own && w.by.Token != nil { // whose roles are the user's
		return nil
	}
	if d := decide(w.by, OperationTokensEdit, nil); !own && !d.Allowed {
		return deny(w.by, d)
	}
	theirs := Caller{Roles: rolesOf(u.Roles)}
	for _, p := range Permissions {
		if theirs.owns(p) && !w.by.Can(p) {
			return forbidden("This user may do more than you: " + string(p) + ".")
		}
	}
	if theirs.isAdministrator() && !w.by.isAdministrator() {
		return forbidden("Only an ADMINISTRATOR makes tokens for an ADMINISTRATOR.")
	}
	return nil
}

// scopes settles what a new token may do: no more than the token that makes it. Whatever they say, a token does not widen
// what its owner may do.
func (w *write) scopes(given []Permission) ([]string, error) {
	if given == nil {
		for _, p := range Permissions {
			if p != PermissionTokensEdit && w.by.scoped(p) {
				given = append(given, p)
			}
		}
	}
	for i, p := range given {
		if !w.by.scoped(p) {
			return nil, &Error{Code: Forbidden, Field: at("input.scopes", i), Message: "The token that you use does not have this scope itself."}
		}
	}
	var names []string
	for _, p := range Permissions { // in one order, each once
		if slices.Contains(given, p) {
			names = append(names, string(p))
		}
	}
	return names, nil
}

// RotateToken gives a token a new secret and a new life; the old secret lives on for the overlap.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (revoked).
func (s *Service) RotateToken(ctx context.Context, by Caller, in RotateTokenInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in RotateTokenInput) check(Caller) error {
	if in.OverlapSeconds < 0 || in.OverlapSeconds > int(maxOverlap/time.Second) {
		return invalid("input.overlapSeconds", "It is 0 to %d.", int(maxOverlap/time.Second))
	}
	return nil
}

func (in RotateTokenInput) run(w *write) error {
	t, g, u, err := w.lockToken(in.Token)
	if err != nil {
		return err
	}
	if t.RevokedAt != nil {
		return &Error{Code: Conflict, Field: "input.token", Message: "The token was revoked: make a new one."}
	}
	if err := w.withinOwnScopes(t); err != nil {
		return err
	}
	before := imageOfToken(t)
	if t.ExpiresAt != nil && !t.ExpiresAt.After(w.now) { // the old secret must not live again for the overlap
		return &Error{Code: Conflict, Field: "input.token", Message: "The token's time is over: make a new one."}
	}
	w.renew(t)
	secret := newSecret()
	t.Prefix = shown(secret)
	if err := w.store.RotateToken(w.ctx, t, w.s.hash(secret), time.Duration(in.OverlapSeconds)*time.Second); err != nil {
		return err
	}
	if !w.out.DryRun {
		w.out.Secret = secret
	}
	return w.change(ChangeKindTokenRotated, g, u, before, imageOfToken(t))
}

// withinOwnScopes keeps a token from getting hold of one that may do more.
func (w *write) withinOwnScopes(t *db.Token) error {
	for _, p := range scopesOf(t.Scopes) {
		if !w.by.scoped(p) {
			return forbidden("That token may do more than the one that you use: " + string(p) + ".")
		}
	}
	return nil
}

// RevokeToken ends a token, at once and for good. Revoking it again changes nothing.
// Codes: NOT_FOUND, FORBIDDEN.
func (s *Service) RevokeToken(ctx context.Context, by Caller, in RevokeTokenInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in RevokeTokenInput) check(Caller) error { return nil }

func (in RevokeTokenInput) run(w *write) error {
	t, g, u, err := w.lockToken(in.Token)
	if err != nil {
		return err
	}
	return w.revoke(t, g, u)
}

// RevokeGroupToken ends the token of that number if it is one of the group's; any other number changes nothing.
// Codes: NOT_FOUND (the group), FORBIDDEN.
func (s *Service) RevokeGroupToken(ctx context.Context, by Caller, in RevokeGroupTokenInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in RevokeGroupTokenInput) check(Caller) error { return nil }

func (in RevokeGroupTokenInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationTokensEdit, nil)
	if err != nil {
		return err
	}
	w.out.group = nil
	its := db.And(db.TokenGroup.Eq(g.ID.String()), db.TokenNumber.Eq(int64(number(in.Number))))
	found, err := w.kinds.token.find(w.ctx, w.reader, its, Selection{})
	if err != nil || len(found) == 0 {
		return err
	}
	t, ok, err := w.store.LockToken(w.ctx, found[0].UUID)
	if err != nil || !ok {
		return err
	}
	w.out.token = &t.ID
	return w.revoke(&t, g, nil)
}

// revoke ends a locked token, unless it was before.
func (w *write) revoke(t *db.Token, g *db.Group, u *db.User) error {
	if t.RevokedAt != nil {
		return nil
	}
	before := imageOfToken(t)
	if err := w.store.RevokeToken(w.ctx, t); err != nil {
		return err
	}
	return w.change(ChangeKindTokenRevoked, g, u, before, imageOfToken(t))
}

// lockToken finds and locks a token and authorises the caller as for making one of its owner's.
func (w *write) lockToken(id string) (*db.Token, *db.Group, *db.User, error) {
	tokenID, err := parseIDOf(tokenPrefix, "input.token", id)
	if err != nil {
		return nil, nil, nil, err
	}
	t, ok, err := w.store.LockToken(w.ctx, tokenID)
	if err != nil {
		return nil, nil, nil, err
	}
	hidden := unseen(w.by, OperationTokensEdit, "There is no such token, or none that you may see.")
	hidden.Field = "input.token"
	if !ok {
		return nil, nil, nil, hidden
	}
	w.out.token = &t.ID
	g, u, err := w.ownerOf(&t)
	if CodeOf(err) == Forbidden || CodeOf(err) == NotFound {
		if seen, ferr := w.kinds.token.byIDs(w.ctx, w.reader, []uuid.UUID{t.ID}, tokensWhere(w.by), Selection{}); ferr == nil && len(seen) == 0 {
			hidden.Denial = AsError(err).reason()
			return nil, nil, nil, hidden
		}
	}
	w.out.group = nil
	return &t, g, u, err
}

func (w *write) ownerOf(t *db.Token) (*db.Group, *db.User, error) {
	if t.GroupID != nil {
		g, err := w.lockGroup(GroupByUUID(*t.GroupID), OperationTokensEdit, nil)
		return g, nil, err
	}
	u, err := w.findUser(w.ctx, "input.token", UserByUUID(*t.UserID))
	if err != nil || u == nil {
		return nil, nil, firstOf(err, notFound("input.token", "The token's owner is gone."))
	}
	return nil, u, w.mayHandle(u)
}
