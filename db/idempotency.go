package db

import (
	"context"

	"github.com/google/uuid"
)

// IdempotencyKey is what a caller calls a request, and what the request was: its fingerprints, the first of which is kept.
type IdempotencyKey struct {
	Caller       uuid.UUID
	Key          string
	Fingerprints [][]byte
}

// Answered is what was kept of a write that was done under a key. Of one that made a secret it is the token or the webhook, and no answer.
type Answered struct {
	Answer  []byte
	Token   *uuid.UUID
	Webhook *uuid.UUID
}

// keyLives is how long a key is good for.
const keyLives = "interval '24 hours'"

// KeepAnswer puts a key and the answer of one write of its request, the one at that place, beside what the transaction wrote. It waits
// for others who are about to do the same. false if they came first, or the key stands for another request.
func (s *Store) KeepAnswer(ctx context.Context, k IdempotencyKey, place string, a Answered) (kept bool, err error) {
	_, err = s.queryRow(ctx, `WITH taken AS (
			INSERT INTO idempotency_keys AS k (caller, key, fingerprint) VALUES ($1::uuid, $2, ($3::bytea[])[1])
			ON CONFLICT (caller, key) DO UPDATE SET fingerprint = k.fingerprint
				WHERE k.fingerprint = ANY ($3::bytea[]) AND k.created_at > now() - `+keyLives+`
			RETURNING caller, key
		), kept AS (
			INSERT INTO idempotency_answers (caller, key, place, answer, token_id, webhook_id)
			SELECT caller, key, $4, $5::bytea, $6::uuid, $7::uuid FROM taken ON CONFLICT DO NOTHING RETURNING place
		) SELECT EXISTS (SELECT FROM kept)`,
		[]any{k.Caller.String(), k.Key, byteas(k.Fingerprints), place, byteaArg(a.Answer), uuidArg(a.Token), uuidArg(a.Webhook)}, &kept)
	return kept, err
}

// KeptAnswer is what KeepAnswer kept.
type KeptAnswer struct {
	Fingerprint []byte
	Old         bool      // its day is over
	Answered    *Answered // nil: the request did not come to that place, or was refused there
}

// FindAnswer looks a caller's key up; nil if there is none.
func (s *Store) FindAnswer(ctx context.Context, caller uuid.UUID, key, place string) (*KeptAnswer, error) {
	var k KeptAnswer
	var a Answered
	var there bool
	found, err := s.queryRow(ctx, `SELECT k.fingerprint, k.created_at <= now() - `+keyLives+`, a.place IS NOT NULL, a.answer, a.token_id, a.webhook_id
		FROM idempotency_keys k LEFT JOIN idempotency_answers a ON a.caller = k.caller AND a.key = k.key AND a.place = $3
		WHERE k.caller = $1::uuid AND k.key = $2`, []any{caller.String(), key, place}, &k.Fingerprint, &k.Old, &there, &a.Answer, &a.Token, &a.Webhook)
	if err != nil || !found {
		return nil, err
	}
	if there {
		k.Answered = &a
	}
	return &k, nil
}

// DropKey forgets a key whose day is over.
func (s *Store) DropKey(ctx context.Context, caller uuid.UUID, key string) error {
	return s.exec(ctx, "DELETE FROM idempotency_keys WHERE caller = $1::uuid AND key = $2 AND created_at <= now() - "+keyLives, caller.String(), key)
}

// DropOldKeys forgets up to so many keys whose day is over, but for those that somebody holds, and says how many they were.
func (s *Store) DropOldKeys(ctx context.Context, most int) (int, error) {
	var n int
	_, err := s.queryRow(ctx, `WITH old AS (
			SELECT caller, key FROM idempotency_keys WHERE created_at <= now() - `+keyLives+`
			ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED
		), gone AS (
			DELETE FROM idempotency_keys k USING old WHERE k.caller = old.caller AND k.key = old.key RETURNING 1
		) SELECT count(*) FROM gone`, []any{most}, &n)
	return n, err
}

// byteaArg is a nullable bytea argument.
func byteaArg(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}
