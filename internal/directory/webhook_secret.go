package directory

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/google/uuid"

	"roster/db"
)

// A webhook's secret signs, so that it has to be kept itself and not its hash: encrypted with AES-256-GCM, under a key that is derived from
// the key of token hashes. Whoever has only a copy of the database has the keys of neither, unless the database keeps them. The webhook's id is
// authenticated with it: one webhook's secret does not become another's.

const (
	webhookSecretBytes  = 32 // Standard Webhooks wants 24 to 64
	webhookSecretPrefix = "whsec_"
	webhookKeyInfo      = "roster webhook secrets 1"
)

// newWebhookSecret makes a secret and its spelling, which is what the receiver is given (Standard Webhooks, Signature scheme).
func newWebhookSecret() (secret []byte, spelt string) {
	secret = make([]byte, webhookSecretBytes)
	_, _ = rand.Read(secret) // never fails, as of Go 1.24
	return secret, webhookSecretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// sealer encrypts under a key of token hashes.
func sealer(tokenKey []byte) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, tokenKey, nil, webhookKeyInfo, 32)
	if err != nil {
		panic(err) // only a length that is too much is an error, or FIPS mode with a key that is too short
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only a wrong length is an error
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only another block size is an error
	}
	return aead
}

// seal encrypts a webhook's secret under the current key.
func (s *Service) seal(webhook uuid.UUID, secret []byte) []byte {
	return sealer(s.keys[0]).Seal(nil, nil, secret, webhook[:]) //nolint:gosec // it draws its nonces itself
}

var errSealed = errors.New("no key that this server has opens the webhook's secret")

// open decrypts a webhook's secret, and says whether it is under the current key.
func (s *Service) open(webhook uuid.UUID, sealed []byte) (secret []byte, current bool, err error) {
	for i, key := range s.keys {
		if secret, err := sealer(key).Open(nil, nil, sealed, webhook[:]); err == nil {
			return secret, i == 0, nil
		}
	}
	return nil, false, errSealed
}

// signing are the secrets that sign for a webhook now: its own, and for some time the one before.
func (h *hooks) signing(w *db.Webhook) ([][]byte, error) {
	secret, _, err := h.s.open(w.ID, w.Secret)
	if err != nil {
		return nil, err
	}
	secrets := [][]byte{secret}
	if w.PreviousUntil != nil && w.PreviousUntil.After(h.now()) {
		if before, _, err := h.s.open(w.ID, w.PreviousSecret); err == nil {
			secrets = append(secrets, before)
		}
	}
	return secrets, nil
}

// reseal encrypts what is under an old key of token hashes anew: that key may be taken away afterwards. Two statements.
func (h *hooks) reseal(ctx context.Context) error {
	all, err := h.s.store.WebhookSecrets(ctx)
	if err != nil {
		return err
	}
	var before, after []db.SealedSecret
	for _, k := range all {
		secret, current, err := h.s.open(k.Webhook, k.Sealed)
		if err != nil || current {
			continue
		}
		before = append(before, k)
		k.Sealed = h.s.seal(k.Webhook, secret)
		after = append(after, k)
	}
	if before == nil {
		return nil
	}
	return h.s.store.ResealWebhooks(ctx, before, after)
}
