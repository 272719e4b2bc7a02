package directory

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"roster/db"
)

// A write that comes with an Idempotency-Key is done once. What it answers is made before the commit and kept in the same transaction,
// so that there is no moment at which the write is there and the answer is not. A repetition finds out at its end, or by its failure,
// that the key is taken: it is rolled back, and what was kept is answered. So the first request pays one statement and takes no lock
// beyond its own. The key could not come first: it would give the transaction its id before its turn (db.TakeTurns), and the change log
// another order than that of the writes.

// Once says of a caller's request that it is to be done once.
type Once struct {
	Key   string   // what the caller calls the request
	Of    [][]byte // what the request is: another one under the same key is a CONFLICT
	Place string   // which of the request's writes it is, where there may be several
	// Answer makes what is kept, and answered to a repetition, before the commit. If it fails, so does the write.
	Answer func(*Payload) ([]byte, error)
}

// OnceField is the field of errors about the key.
const OnceField = "Idempotency-Key"

// MaxKept is the longest answer that is kept, in bytes.
const MaxKept = 16 << 20

// errDone is a write that somebody did before under the same key, or whose key stands for another.
var errDone = &Error{Code: Unavailable, Field: OnceField, Message: "Other requests came under this key meanwhile. Try again."}

// onceAttempts bounds how often a write begins anew since its key turned out to be free.
const onceAttempts = 3

// owner is whose the caller's keys are: the token's, through all its rotations and sessions, so that no other token of its user reads
// what it was answered; without a token the user's.
func (c Caller) owner() uuid.UUID {
	if c.Token != nil {
		return c.Token.root
	}
	return c.viewer()
}

// fingerprints stand for a request, under the current key of hashes and those before.
func (s *Service) fingerprints(by Caller) [][]byte {
	return mapped(s.keys, func(key []byte) []byte {
		m := hmac.New(sha256.New, key)
		for _, part := range append([][]byte{[]byte("once"), []byte(by.Via)}, by.Once.Of...) {
			_ = binary.Write(m, binary.BigEndian, uint64(len(part))) // a hash takes everything
			m.Write(part)
		}
		return m.Sum(nil)
	})
}

// keep makes the answer and keeps it, if the write is to be done once. A dry run is not kept: it does nothing however often.
func (w *write) keep() error {
	once := w.by.Once
	if once == nil || w.out.DryRun {
		return nil
	}
	var err error
	if w.out.Answer, err = once.Answer(w.out); err != nil {
		return err
	}
	if len(w.out.Answer) > MaxKept {
		return exceeded(OnceField, "The answer would have more than %d bytes, which is too long to be kept. Select less of it; nothing was changed.", MaxKept)
	}
	answered := db.Answered{Answer: w.out.Answer}
	if w.out.Secret != "" {
		answered = db.Answered{Token: w.out.token, Webhook: w.out.webhook}
	}
	key := db.IdempotencyKey{Caller: w.by.owner(), Key: once.Key, Fingerprints: w.s.fingerprints(w.by)}
	kept, err := w.store.KeepAnswer(w.ctx, key, once.Place, answered)
	if err == nil && !kept {
		err = errDone
	}
	return err
}

// unlessDone is the outcome of a write that came to nothing, or of the one that was done under its key before. It reports whether the
// write may be tried again: its key was taken by a request that is a day old, and is free now.
func (s *Service) unlessDone(ctx context.Context, by Caller, dryRun bool, err error) (p *Payload, free bool, _ error) {
	if by.Once == nil || dryRun || !by.Known() || IsStale(err) || ctx.Err() != nil {
		return nil, false, err
	}
	store := s.store.AsOf(by.asOf)
	kept, ferr := store.FindAnswer(ctx, by.owner(), by.Once.Key, by.Once.Place)
	taken := errors.Is(err, errDone)
	switch {
	case ferr != nil:
		return nil, false, ferr
	case kept == nil:
		return nil, taken, err
	case kept.Old && taken:
		ferr = store.DropKey(ctx, by.owner(), by.Once.Key)
		return nil, ferr == nil, firstOf(ferr, err)
	case kept.Old:
		return nil, false, err
	}
	if !slices.ContainsFunc(s.fingerprints(by), func(f []byte) bool { return hmac.Equal(f, kept.Fingerprint) }) {
		return nil, false, &Error{Code: Conflict, Field: OnceField, Message: "Another request was done under this key. Nothing was changed: choose another key."}
	}
	if kept.Answered == nil {
		return nil, taken, err
	}
	p, err = repetition(kept.Answered)
	return p, false, err
}

// repetition is what a request is answered that was done before.
func repetition(a *db.Answered) (*Payload, error) {
	if a.Token != nil {
		return nil, &Error{Code: Conflict, Field: OnceField, Message: fmt.Sprintf(
			"This was done before, and the secret of the token %s is not shown again. Rotate the token or revoke it, under another key.", typeID(tokenPrefix, *a.Token))}
	}
	if a.Webhook != nil {
		return nil, &Error{Code: Conflict, Field: OnceField, Message: fmt.Sprintf(
			"This was done before, and the secret of the webhook %s is not shown again. Give it a new one, or delete it, under another key.", typeID(webhookPrefix, *a.Webhook))}
	}
	return &Payload{Answer: a.Answer, Repeated: true}, nil
}

// keysBatch bounds how many keys one statement of a sweep drops: with each goes an answer, which may be large.
const keysBatch = 100

// SweepKeys forgets idempotency keys that are older than a day, with what was answered to them: a batch at most. It says how many.
func (s *Service) SweepKeys(ctx context.Context) (int, error) {
	return s.store.DropOldKeys(ctx, keysBatch)
}
