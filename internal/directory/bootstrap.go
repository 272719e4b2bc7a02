package directory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"roster/db"
)

// FirstAdmin is the user name of the first administrator.
const FirstAdmin = "admin"

// TokenKey is the key of token hashes that a database keeps for itself: made at first use, the same for every process. It is for
// those who configure none; a key of one's own, kept elsewhere, makes a stolen copy of the database worth less.
func TokenKey(ctx context.Context, store *db.Store) ([]byte, error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails, as of Go 1.24
	text, err := store.SettingOr(ctx, "token_key", hex.EncodeToString(fresh))
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(text)
}

// KeptTokenKey is the key that the database keeps, or nil: tokens that were made under it outlive the change to a key of one's own.
func KeptTokenKey(ctx context.Context, store *db.Store) ([]byte, error) {
	text, err := store.Setting(ctx, "token_key")
	if err != nil || text == "" {
		return nil, err
	}
	return hex.DecodeString(text)
}

// EnsureAdmin makes sure that there is a first administrator with a live token, and returns the token's secret if it made
// one: then, and never again. A configured secret is taken as it is, and replaces the one configured before.
func (s *Service) EnsureAdmin(ctx context.Context, configured string) (secret string, err error) {
	_, err = s.write(ctx, System(), false, Selection{}, func(w *write) error {
		secret = ""                                         // the transaction may be repeated
		if err := w.store.LockSettings(w.ctx); err != nil { // servers that start at once do this in turn
			return err
		}
		old, err := w.store.FirstAdminTokens(w.ctx)
		if err != nil {
			return err
		}
		if configured == "" && len(old) > 0 {
			return nil
		}
		want := configured
		if configured == "" {
			secret = newSecret()
			want = secret
		}
		return w.replaceFirstAdminToken(old, want)
	})
	return secret, err
}

func (w *write) replaceFirstAdminToken(old []db.Token, secret string) error {
	if c, ok, err := w.store.FindCredential(w.ctx, w.s.hashes(secret)); err != nil {
		return err
	} else if ok {
		if !c.FirstAdmin || c.RevokedAt != nil {
			return errors.New("the configured administrator's token is one that was used before and revoked, or somebody else's: choose another one")
		}
		return w.revokeAll(old, c.ID)
	}
	owner, err := w.firstAdmin(old)
	if err != nil {
		return err
	}
	if err := w.revokeAll(old, uuid.Nil); err != nil {
		return err
	}
	t := &db.Token{ID: newID(), UserID: &owner.ID, Description: "The first administrator", Prefix: shown(secret), Scopes: texts(Permissions),
		Expiration: string(TokenExpirationPersistent), FirstAdmin: true}
	if err := w.store.InsertToken(w.ctx, t, w.s.hash(secret)); err != nil {
		return err
	}
	return w.change(ChangeKindTokenCreated, nil, owner, nil, imageOfToken(t))
}

// firstAdmin is the user of the tokens there were; without any, a new administrator. An ordinary user who happens to have the
// name is not promoted: the administrator gets another name.
func (w *write) firstAdmin(old []db.Token) (*db.User, error) {
	if len(old) > 0 {
		u, ok, err := w.store.LockUser(w.ctx, *old[0].UserID)
		if ok || err != nil {
			return &u, err
		}
	}
	for n := 1; n < 100; n++ {
		name := FirstAdmin
		if n > 1 {
			name = fmt.Sprintf("%s-%d", FirstAdmin, n)
		}
		found, err := w.findUser(w.ctx, "username", UserByName(name))
		if err != nil {
			return nil, err
		}
		if found == nil {
			u := db.User{ID: newID(), Username: name, FullName: "First administrator", Roles: []string{string(RoleAdministrator)}}
			return &u, w.insertUsers([]db.User{u})
		}
		if (Caller{Roles: rolesOf(found.Roles)}).isAdministrator() {
			return found, nil
		}
	}
	return nil, errors.New("no name is free for the first administrator")
}

func (w *write) revokeAll(ts []db.Token, but uuid.UUID) error {
	for i := range ts {
		if ts[i].ID == but {
			continue
		}
		before := imageOfToken(&ts[i])
		if err := w.store.RevokeToken(w.ctx, &ts[i]); err != nil {
			return err
		}
		if err := w.change(ChangeKindTokenRevoked, nil, nil, before, imageOfToken(&ts[i])); err != nil {
			return err
		}
	}
	return nil
}

// sweepBatch bounds how many expired members one sweep closes in one transaction.
const sweepBatch = 1_000

// SweepExpired closes memberships whose time is over: reads have not shown them since; now the rows go, the counters follow and
// the change log says MEMBER_EXPIRED. Their groups say anew when the next one ends, and so do those that said it too soon. It returns how
// many it closed, at most a batch; fewer if other writers hold their groups. It is none only if nothing is left to look at but
// what those hold. Sessions that ended long ago go too.
func (s *Service) SweepExpired(ctx context.Context) (int, error) {
	for {
		closed, looked, err := s.sweepOnce(ctx)
		if err != nil || closed > 0 || looked < sweepBatch {
			return closed, err
		}
	}
}

// sweepOnce is one transaction of SweepExpired. It says at how many groups it looked, too.
func (s *Service) sweepOnce(ctx context.Context) (closed, looked int, err error) {
	_, err = s.write(ctx, System(), false, Selection{}, func(w *write) error {
		closed = 0
		if err := w.store.DeleteOldSessions(w.ctx); err != nil {
			return err
		}
		ids, err := w.store.LockExpired(w.ctx, sweepBatch)
		if looked = len(ids); err != nil || looked == 0 {
			return err
		}
		pairs, err := w.store.DeleteExpired(w.ctx, ids, sweepBatch)
		if err != nil {
			return err
		}
		if err := w.store.ReckonNextExpiry(w.ctx, ids); err != nil || len(pairs) == 0 {
			return err
		}
		gs, err := w.lockedGroups(ids)
		if err != nil {
			return err
		}
		byID := make(map[uuid.UUID]*db.Group, len(gs))
		for _, g := range gs {
			byID[g.ID] = g
		}
		us, err := w.usersOf(pairs)
		if err != nil {
			return err
		}
		of := map[uuid.UUID][]db.Pair{}
		for _, p := range pairs {
			of[p.GroupID] = append(of[p.GroupID], p)
		}
		for id, gone := range of {
			if _, err := w.membersLeft(byID[id], us, gone); err != nil {
				return err
			}
		}
		closed = len(pairs)
		return nil
	})
	return closed, looked, err
}
