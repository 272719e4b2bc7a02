package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // minds the case of members and refuses those that are there twice
	"github.com/go-jose/go-jose/v4/jwt"
	lru "github.com/hashicorp/golang-lru/v2"

	"roster/internal/directory"
)

// Bounds of tokens, and of how many are remembered for how long.
const (
	maxJWT     = 16 << 10
	maxSubject = 256
	maxKid     = 256
	remembered = 10_000
	memory     = time.Minute
)

// Verifier verifies the tokens of issuers. A nil one knows no issuer.
type Verifier struct {
	issuers map[string]*issuer
	all     []jose.SignatureAlgorithm // that any issuer may use
	cache   *lru.Cache[[sha256.Size]byte, verified]
	now     func() time.Time
	log     *slog.Logger
}

// issuer is an issuer at work.
type issuer struct {
	name           string
	audience       names
	algorithms     []jose.SignatureAlgorithm
	leeway         time.Duration
	acceptIssuedAt bool
	keys           *keys
	mapper         *mapper
}

// verified is a token that was verified, for as long as it need not be again.
type verified struct {
	identity directory.Identity
	until    time.Time
}

// VerifierConfig is what a Verifier is made of.
type VerifierConfig struct {
	Issuers []Issuer // as ReadIssuers gives them
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	Client  *http.Client     // nil: one that keeps to https
}

// NewVerifier makes a Verifier; nil, which is one too, if there are no issuers. It asks no issuer for keys before a token needs them.
func NewVerifier(c VerifierConfig) *Verifier {
	if len(c.Issuers) == 0 {
		return nil
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		c.Client = newClient()
	}
	cache, _ := lru.New[[sha256.Size]byte, verified](remembered) // fails on a negative size alone
	v := &Verifier{issuers: map[string]*issuer{}, cache: cache, now: c.Now, log: c.Log}
	for n := range c.Issuers {
		i := c.Issuers[n].ready(c)
		v.issuers[i.name] = i
		v.all = append(v.all, i.algorithms...)
	}
	return v
}

// ready makes an issuer ready to work.
func (i *Issuer) ready(c VerifierConfig) *issuer {
	k := &keys{issuer: i.Issuer, now: c.Now, log: c.Log}
	if i.JWKS != nil {
		k.set, _ = parseKeys(i.JWKS)
	} else {
		k.fetch = source{i.Issuer, i.JWKSURI, c.Client}.keys
	}
	return &issuer{
		name: i.Issuer, audience: i.Audience, algorithms: i.allowed(), leeway: i.leeway(), acceptIssuedAt: i.AcceptIssuedAt,
		keys: k, mapper: newMapper(i),
	}
}

// refusal says why a token is refused. It is for the log, and quotes nothing of the token.
type refusal string

func (r refusal) Error() string { return string(r) }

// errNotIssued says that a credential is no token of an issuer that is known: it may be one of Roster's.
var errNotIssued = errors.New("not a token of a known issuer")

// Verify finds who a signed token is about (RFC 7519; RFC 8725 for what it refuses). It fails with errNotIssued, a refusal, or an
// UNAVAILABLE directory.Error if the issuer's keys are not there.
func (v *Verifier) Verify(ctx context.Context, token string) (directory.Identity, error) {
	if v == nil || strings.Count(token, ".") != 2 {
		return directory.Identity{}, errNotIssued
	}
	if len(token) > maxJWT {
		return directory.Identity{}, refusal("it is longer than 16 KiB")
	}
	id := sha256.Sum256([]byte(token))
	if known, ok := v.cache.Get(id); ok && v.now().Before(known.until) {
		return known.identity, nil
	}
	identity, err := v.verify(ctx, token)
	if err != nil {
		return directory.Identity{}, err
	}
	until := v.now().Add(memory)
	if identity.Until.Before(until) {
		until = identity.Until
	}
	v.cache.Add(id, verified{identity, until})
	return identity, nil
}

// Remembers reports whether a token is remembered as one of an issuer's.
func (v *Verifier) Remembers(token string) bool {
	if v == nil {
		return false
	}
	known, ok := v.cache.Peek(sha256.Sum256([]byte(token)))
	return ok && v.now().Before(known.until)
}

// forget has a token be verified again.
func (v *Verifier) forget(token string) { v.cache.Remove(sha256.Sum256([]byte(token))) }

// claims are those that every token must have, or may.
type claims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.Audience     `json:"aud"`
	Expiry    *jwt.NumericDate `json:"exp"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
}

func (v *Verifier) verify(ctx context.Context, token string) (directory.Identity, error) {
	signed, err := jose.ParseSignedCompact(token, v.all)
	if err != nil {
		return directory.Identity{}, errNotIssued
	}
	var unproven struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &unproven) != nil {
		return directory.Identity{}, errNotIssued
	}
	i, ok := v.issuers[unproven.Issuer]
	if !ok {
		return directory.Identity{}, errNotIssued
	}
	payload, err := i.proven(ctx, signed)
	if err != nil {
		return directory.Identity{}, err
	}
	return i.identity(payload, v.now())
}

// proven is the payload, if the issuer signed it.
func (i *issuer) proven(ctx context.Context, signed *jose.JSONWebSignature) ([]byte, error) {
	h := signed.Signatures[0].Protected
	if err := i.checkHeader(&h); err != nil {
		return nil, err
	}
	found, err := i.keys.find(ctx, h.KeyID, jose.SignatureAlgorithm(h.Algorithm))
	if err != nil {
		return nil, err
	}
	for n := range found {
		if payload, err := signed.Verify(found[n].Key); err == nil {
			return payload, nil
		}
	}
	return nil, refusal("the signature is wrong")
}

// checkHeader looks at what a header says of the token. Where it says that keys are to be found (jku, x5u, jwk, x5c) nobody looks.
func (i *issuer) checkHeader(h *jose.Header) error {
	kind, _ := h.ExtraHeaders[jose.HeaderType].(string)
	kind = strings.TrimPrefix(strings.ToLower(kind), "application/")
	_, critical := h.ExtraHeaders["crit"]
	switch {
	case !slices.Contains(i.algorithms, jose.SignatureAlgorithm(h.Algorithm)):
		return refusal("its algorithm is not one of the issuer's")
	case critical:
		return refusal("it has a critical header")
	case kind != "" && kind != "jwt" && kind != "at+jwt": // RFC 9068 §2.1; a token made for something else says what
		return refusal("it is a token of another kind")
	case len(h.KeyID) > maxKid:
		return refusal("its key id is too long")
	}
	return nil
}

// identity checks what the issuer says and turns it into an identity.
func (i *issuer) identity(payload []byte, now time.Time) (directory.Identity, error) {
	var c claims
	var all map[string]any
	if json.Unmarshal(payload, &c) != nil || json.Unmarshal(payload, &all) != nil {
		return directory.Identity{}, refusal("its claims are not what they must be")
	}
	if err := i.check(&c, now); err != nil {
		return directory.Identity{}, err
	}
	if lacking := i.mapper.lacks(all); lacking != "" {
		return directory.Identity{}, refusal("the claim " + lacking + " has none of the required values")
	}
	id := i.mapper.identity(all)
	id.Issuer, id.Subject, id.Until = c.Issuer, c.Subject, c.Expiry.Time()
	for _, at := range []*jwt.NumericDate{c.NotBefore, c.IssuedAt} {
		if at != nil && at.Time().After(id.IssuedAt) {
			id.IssuedAt = at.Time()
		}
	}
	return id, nil
}

// check holds the claims to what is required of every token. Whoever wants the identity of one finds issuer, subject and times in it.
func (i *issuer) check(c *claims, now time.Time) error {
	early, late := now.Add(-i.leeway), now.Add(i.leeway)
	switch {
	case c.Issuer != i.name:
		return refusal("its issuer is another one")
	case !slices.ContainsFunc(i.audience, func(a string) bool { return c.Audience.Contains(a) }):
		return refusal("it is for another audience")
	case c.Expiry == nil:
		return refusal("it has no exp")
	case !early.Before(c.Expiry.Time()):
		return refusal("it is expired")
	case c.NotBefore == nil && !i.acceptIssuedAt:
		return refusal("it has no nbf; acceptIssuedAt would take iat instead")
	case c.NotBefore == nil && c.IssuedAt == nil:
		return refusal("it has neither nbf nor iat")
	case c.NotBefore != nil && c.NotBefore.Time().After(late):
		return refusal("it is not valid yet")
	case c.IssuedAt != nil && c.IssuedAt.Time().After(late):
		return refusal("it was issued in the future")
	case c.Subject == "" || len(c.Subject) > maxSubject || strings.ContainsFunc(c.Subject, unicode.IsControl) || strings.TrimSpace(c.Subject) != c.Subject:
		return refusal("its subject is no name of anybody")
	}
	return nil
}

// explained has the log say why a token is refused. Its sender hears what is said of any wrong token, and learns nothing of which
// issuers and subjects there are.
func (v *Verifier) explained(ctx context.Context, err error) error {
	var reason refusal
	var refused *directory.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reason):
		v.log.InfoContext(ctx, "token refused", "request_id", RequestIDOf(ctx), "reason", string(reason))
		return wrong(reason)
	case errors.As(err, &refused) && refused.Code == directory.Unauthenticated:
		v.log.InfoContext(ctx, "token refused", "request_id", RequestIDOf(ctx), "reason", refused.Cause)
		return wrong(refusal("its user is not known"))
	}
	return err
}

// wrong is what the sender of a refused token hears; the cause is for metrics.
func wrong(reason refusal) error {
	e := directory.WrongToken()
	e.Cause = reason
	return e
}
