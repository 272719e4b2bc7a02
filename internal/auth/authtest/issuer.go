// Package authtest is an issuer of tokens for tests: real keys, a configuration and a JWK Set over HTTP, and tokens of any kind,
// also of those that no honest issuer makes.
package authtest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is the audience of the tokens that an Issuer makes, and of Roster in the tests.
const Audience = "roster"

// Issuer is an issuer at a URL of its own.
type Issuer struct {
	URL string
	Key *Key // signs tokens; published from the start

	mu      sync.Mutex
	keys    []*Key
	instead http.HandlerFunc // answers in the place of the JWK Set
	fetches int
}

// New makes an issuer with one key.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{Key: NewKey(t, "first", jose.ES256)}
	i.Publish(i.Key)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, "application/json", map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", i.serveKeys)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	i.URL = srv.URL
	return i
}

func (i *Issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches++
	keys, instead := i.keys, i.instead
	i.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	answer(w, "application/jwk-set+json", Set(keys...))
}

func answer(w http.ResponseWriter, media string, v any) {
	w.Header().Set("Content-Type", media)
	_ = json.NewEncoder(w).Encode(v) // a client that went away wants no answer
}

// Publish replaces the keys that the issuer shows.
func (i *Issuer) Publish(keys ...*Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Instead has a handler answer in the place of the JWK Set; nil ends that.
func (i *Issuer) Instead(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instead = h
}

// Fetches is how often the keys were asked for.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// Claims are those of a good token made now, with changes; one of nil leaves a claim out.
func (i *Issuer) Claims(now time.Time, changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.URL, "sub": "subject", "aud": Audience, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token is a token made now.
func (i *Issuer) Token(t testing.TB, changes map[string]any) string {
	t.Helper()
	return i.Key.Sign(t, i.Claims(time.Now(), changes), nil)
}

// Entry is the issuer's entry in a file of issuers, with more members.
func (i *Issuer) Entry(more map[string]any) map[string]any {
	e := map[string]any{"issuer": i.URL, "audience": Audience}
	maps.Copy(e, more)
	return e
}

// File writes a file of issuers.
func File(t testing.TB, entries ...map[string]any) string {
	t.Helper()
	text, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "issuers.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Key is a key that an issuer signs with.
type Key struct {
	jose.JSONWebKey
}

// NewKey makes a key for an algorithm.
func NewKey(t testing.TB, id string, alg jose.SignatureAlgorithm) *Key {
	t.Helper()
	var private any
	var err error
	switch alg {
	case jose.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Key{jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(alg), Use: "sig"}}
}

// Set is a JWK Set of the public halves.
func Set(keys ...*Key) jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.Public())
	}
	return set
}

// Sign signs claims, which may be a text. Headers are added to those of an access token.
func (k *Key) Sign(t testing.TB, claims any, headers map[string]any) string {
	t.Helper()
	payload, ok := claims.(string)
	if !ok {
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		payload = string(text)
	}
	o := (&jose.SignerOptions{}).WithType("at+jwt")
	for name, v := range headers {
		o.WithHeader(jose.HeaderKey(name), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k.JSONWebKey}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
