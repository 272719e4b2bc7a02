package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"roster/db"
)

// Whom a token belongs to is remembered, so that a request does not begin by asking Postgres. What makes such a memory wrong (a
// revocation, a rotation, another role or name of the user, the end of its owner) moves the epoch of the authority table, in the same
// transaction; and the first statement of every request compares the epoch with that of the memory, in its own snapshot. So no server
// has to be told, and none answers by a memory that is wrong: the call fails with ErrStale, before anything was done, and is
// repeated for a caller found anew (auth.Do). Time alone ends a memory at the token's own end.

// maxCredentials bounds what is remembered; the one unused for longest goes.
const maxCredentials = 16_384

// lastUseEvery is how exact a token's last use is.
const lastUseEvery = time.Minute

// ErrStale is what a call fails with whose caller was found by a memory that no longer holds. Nothing was done. Authenticate finds
// the caller anew.
var ErrStale = db.ErrStale

// fingerprintOfSecret stands for a secret in memory. It is not the hash that is kept at rest, whose key makes it three times as dear.
type fingerprintOfSecret [sha256.Size]byte

// credentials are the secrets met of late.
type credentials struct {
	bySecret *lru.Cache[fingerprintOfSecret, *credential]
}

// credential is what is known of one.
type credential struct {
	by    Caller
	epoch int64
	until time.Time    // by this process's monotonic clock; zero for no end
	touch atomic.Int64 // when the last use is to be written again, as UnixNano

	old atomic.Pointer[[][]byte] // its hashes, if Postgres keeps the one under an old key
}

func newCredentials() *credentials {
	bySecret, err := lru.New[fingerprintOfSecret, *credential](maxCredentials)
	if err != nil {
		panic(err) // only a size of none is an error
	}
	return &credentials{bySecret}
}

// recall is the caller of a secret as it is remembered.
func (c *credentials) recall(secret fingerprintOfSecret, now time.Time) (*credential, bool) {
	known, ok := c.bySecret.Get(secret)
	// By the wall clock too: the other one stands still while a machine sleeps.
	if ok && !known.until.IsZero() && (!known.until.After(now) || !known.until.Round(0).After(now.Round(0))) {
		c.bySecret.Remove(secret)
		return nil, false
	}
	return known, ok
}

// Authenticate finds who a secret belongs to, by memory if it can. Whatever is wrong with it, the answer is the same UNAUTHENTICATED.
func (s *Service) Authenticate(ctx context.Context, secret string) (Caller, error) {
	if !plausible(secret) {
		return Caller{}, wrongSecret
	}
	print, now := fingerprintOfSecret(sha256.Sum256([]byte(secret))), time.Now()
	if known, ok := s.known.recall(print, now); ok {
		if err := s.touch(ctx, known, now); err != nil {
			return Caller{}, err
		}
		by := known.by
		by.asOf = db.At(known.epoch, false)
		return by, nil
	}
	return s.find(ctx, secret, print, now)
}

// Remembers reports whether a secret is known to be good, as far as memory tells: the call that it is for finds out.
func (s *Service) Remembers(secret string) bool {
	_, ok := s.known.recall(sha256.Sum256([]byte(secret)), time.Now())
	return ok
}

// Why a token is wrong, which its sender does not hear.
var (
	ErrRevoked = errors.New("the token is revoked")
	ErrExpired = errors.New("the token is expired")
)

var (
	wrongSecret   = &Error{Code: Unauthenticated, Message: "The token is unknown, expired or revoked."}
	revokedSecret = &Error{Code: wrongSecret.Code, Message: wrongSecret.Message, Cause: ErrRevoked}
	expiredSecret = &Error{Code: wrongSecret.Code, Message: wrongSecret.Message, Cause: ErrExpired}
)

// find asks Postgres who a secret belongs to, and remembers it.
func (s *Service) find(ctx context.Context, secret string, print fingerprintOfSecret, now time.Time) (Caller, error) {
	hashes := s.hashes(secret)
	c, ok, standby, err := s.findCredential(ctx, hashes)
	switch {
	case err != nil:
		return Caller{}, err
	case !ok && standby: // it may be newer than what the standby has
		return Caller{}, errPrimaryAway
	case !ok:
		return Caller{}, wrongSecret
	case c.Revoked:
		return Caller{}, revokedSecret
	case c.Expired:
		return Caller{}, expiredSecret
	}
	known := &credential{by: callerOf(c, hashes), epoch: c.Epoch}
	if c.Left >= 0 {
		known.until = now.Add(c.Left) // now is before Postgres looked, so that we are early rather than late
	}
	if c.Unused >= 0 {
		known.touch.Store(now.Add(lastUseEvery - c.Unused).UnixNano())
	}
	if c.Old {
		known.old.Store(&hashes)
	}
	if err := s.touch(ctx, known, now); err != nil {
		return Caller{}, err
	}
	s.known.bySecret.Add(print, known)
	by := known.by
	by.asOf = db.At(c.Epoch, !standby) // for a write, only the primary's word counts
	return by, nil
}

// findCredential asks the primary, and while that is away a standby.
func (s *Service) findCredential(ctx context.Context, hashes [][]byte) (c db.Credential, ok, standby bool, err error) {
	told, err := s.standbys.lookUp(ctx, s.store, func(ctx context.Context, store *db.Store) error {
		c, ok, err = store.FindCredential(ctx, hashes)
		return err
	})
	return c, ok, told != nil, err
}

// callerOf is who comes with a token.
func callerOf(c db.Credential, hashes [][]byte) Caller {
	by := Caller{Token: &CallerToken{UUID: c.ID, Prefix: c.Prefix, Scopes: scopesOf(c.Scopes), Group: c.GroupID, Until: c.ExpiresAt,
		root: or(c.ParentID, c.ID), hashes: hashes}}
	if c.User != nil {
		by.User = &CallerUser{UUID: c.User.ID, Username: c.User.Username}
		by.Roles = rolesOf(c.User.Roles)
	}
	return by
}

// touch writes the last use of a token, once a minute; of many requests at once, one does. It takes the occasion to keep the token
// under the current key: no oftener, so that two servers with two ideas of which key that is do not undo each other's work all day.
func (s *Service) touch(ctx context.Context, known *credential, now time.Time) error {
	due := known.touch.Load()
	if now.UnixNano() < due || s.standbys.Away() || !known.touch.CompareAndSwap(due, now.Add(lastUseEvery).UnixNano()) {
		return nil
	}
	err := s.written(ctx, known)
	if err != nil {
		known.touch.Store(due)
	}
	if s.standbys != nil && db.Away(err) { // what the request is for may be answered all the same
		return nil
	}
	return err
}

func (s *Service) written(ctx context.Context, known *credential) error {
	id, old := known.by.Token.UUID, known.old.Swap(nil)
	if old == nil {
		return s.store.TouchToken(ctx, id)
	}
	err := s.store.RehashToken(ctx, id, *old)
	if err != nil {
		known.old.Store(old)
	}
	return err
}

// AuthenticateNow is Authenticate for those who cannot repeat what they do for the caller: what is remembered is compared at once.
func (s *Service) AuthenticateNow(ctx context.Context, secret string) (Caller, error) {
	by, err := s.Authenticate(ctx, secret)
	if err != nil {
		return Caller{}, err
	}
	if err = s.Verify(ctx, by); IsStale(err) {
		s.Forget(secret)
		return s.Authenticate(ctx, secret)
	}
	return by, err
}

// Verify compares the memory that the caller was found by, unless a call of this request has. It fails with ErrStale.
func (s *Service) Verify(ctx context.Context, by Caller) error {
	if by.compared() {
		return nil
	}
	return s.storeFor(ctx, by).Compare(ctx)
}

// Forget has the next Authenticate of a secret ask Postgres.
func (s *Service) Forget(secret string) { s.known.bySecret.Remove(sha256.Sum256([]byte(secret))) }

// IsStale reports whether a call failed since its caller was found by a memory that no longer holds.
func IsStale(err error) bool { return errors.Is(err, ErrStale) }
