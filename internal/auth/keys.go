package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"roster/internal/directory"
)

// When an issuer's keys are fetched anew. An unknown key id asks at once, but anybody can make one up: hence the gap.
const (
	fetchGap      = 10 * time.Second // between two fetches, whatever asks for them
	refreshAfter  = 5 * time.Minute  // from here keys are used and fetched beside
	distrustAfter = time.Hour        // from here they are fetched first, and used if the issuer is down
	forgetAfter   = 24 * time.Hour   // from here they are not used
)

// Bounds of what an issuer may publish.
const (
	minRSABits = 2048
	maxRSABits = 8192 // to check a signature takes the square of it
	maxKeys    = 100
)

// keys are those of an issuer, as last fetched.
type keys struct {
	issuer string
	fetch  func(ctx context.Context) ([]jose.JSONWebKey, error) // nil: they were given and stay
	now    func() time.Time
	log    *slog.Logger
	flight singleflight.Group // requests that wait for keys wait for one fetch

	mu             sync.Mutex
	set            []jose.JSONWebKey
	fetched, tried time.Time
	err            error // of the last try
}

// find finds the keys that a token's header may mean: more than one only if the issuer gave two the same id.
// It is UNAVAILABLE if the issuer could not be asked, and a refusal if it was and has none.
func (k *keys) find(ctx context.Context, kid string, alg jose.SignatureAlgorithm) ([]jose.JSONWebKey, error) {
	set, age := k.have()
	found := matching(set, kid, alg)
	if k.fetch == nil || (len(found) > 0 && age < distrustAfter) {
		if k.fetch != nil && age >= refreshAfter {
			k.refresh(ctx)
		}
		return found, missing(found)
	}
	select {
	case <-k.refresh(ctx):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	set, _ = k.have()
	if found = matching(set, kid, alg); len(found) > 0 {
		return found, nil
	}
	if err := k.lastError(); err != nil {
		return nil, &directory.Error{Code: directory.Unavailable, Message: "The issuer of the token cannot be asked for its keys. Try again.",
			Cause: fmt.Errorf("auth: keys of %s: %w", k.issuer, err)}
	}
	return nil, missing(found)
}

func missing(found []jose.JSONWebKey) error {
	if len(found) == 0 {
		return refusal("the issuer has no key of that id and algorithm")
	}
	return nil
}

// have are the keys and how old they are.
func (k *keys) have() ([]jose.JSONWebKey, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.fetched)
	if k.fetch != nil && age >= forgetAfter {
		return nil, age
	}
	return k.set, age
}

func (k *keys) lastError() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// refresh fetches the keys, unless somebody did just now; whoever comes meanwhile waits for the same fetch. It goes on without the
// request that began it: others may wait.
func (k *keys) refresh(ctx context.Context) <-chan singleflight.Result {
	ctx = context.WithoutCancel(ctx)
	return k.flight.DoChan("", func() (any, error) {
		if k.begin() {
			ctx, cancel := context.WithTimeout(ctx, fetchTime)
			defer cancel()
			set, err := k.fetch(ctx)
			k.end(set, err)
		}
		return nil, nil // what came of it is in k
	})
}

// begin reports whether it is time for a fetch.
func (k *keys) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if !k.tried.IsZero() && now.Sub(k.tried) < fetchGap {
		return false
	}
	k.tried = now
	return true
}

// end keeps what was fetched. When the issuer is down the keys that there are stay: an outage there must not become one here.
func (k *keys) end(set []jose.JSONWebKey, err error) {
	if err != nil {
		k.log.Warn("an issuer's keys were not fetched", "issuer", k.issuer, "cause", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err = err; err == nil {
		k.set, k.fetched = set, k.tried
	}
}

// matching are the keys of that id which are for that algorithm. Without an id it is the only key for the algorithm, if there is just one.
func matching(set []jose.JSONWebKey, kid string, alg jose.SignatureAlgorithm) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, key := range set {
		if (kid == "" || key.KeyID == kid) && fits(&key, alg) {
			found = append(found, key)
		}
	}
	if kid == "" && len(found) > 1 {
		return nil
	}
	return found
}

// fits reports whether a key can have made a signature by the algorithm.
func fits(key *jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(alg) {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return slices.Contains([]jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}, alg)
	case *ecdsa.PublicKey:
		return curves[alg] == k.Curve
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}

var curves = map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()}

// parseKeys reads a JWK Set (RFC 7517). Keys that it does not understand, that are not for signatures, or that are weak or huge are left out
// (§5); so are private ones, which no issuer should show.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, errors.New("it is not a JWK Set")
	}
	if len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("it has more than %d keys", maxKeys)
	}
	var set []jose.JSONWebKey
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && usable(&key) {
			set = append(set, key)
		}
	}
	return set, nil
}

func usable(key *jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || (key.Use != "" && key.Use != "sig") {
		return false
	}
	k, ok := key.Key.(*rsa.PublicKey)
	return !ok || k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
}
