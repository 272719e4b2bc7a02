package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"roster/internal/auth/authtest"
	"roster/internal/directory"
)

const noKey = "the issuer has no key of that id and algorithm"

// A new key is taken as soon as it signs, an old one no longer than the keys are trusted.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	token := func(k *authtest.Key, id int) string {
		return k.Sign(t, s.issuer.Claims(s.now(), map[string]any{"jti": id}), nil)
	}
	first, second := s.issuer.Key, authtest.NewKey(t, "second", jose.EdDSA)
	if got := s.fails(t, token(first, 1)); got != "" {
		t.Fatal(got)
	}
	s.pass(11 * time.Second)
	s.issuer.Publish(first, second)
	if a, b := s.fails(t, token(second, 2)), s.fails(t, token(first, 3)); a+b != "" {
		t.Errorf("with both keys: %q, %q", a, b)
	}
	s.issuer.Publish(second)
	if got := s.fails(t, token(first, 4)); got != "" {
		t.Errorf("just after the first key went: %q", got)
	}
	s.pass(2 * time.Hour)
	if got := s.fails(t, token(first, 5)); got != noKey {
		t.Errorf("long after the first key went: %q", got)
	}
	if n := s.issuer.Fetches(); n != 3 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// Keys are fetched anew while they are used, and nobody waits for that.
func TestRefreshBeside(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	if got := s.fails(t, s.token(t, nil)); got != "" {
		t.Fatal(got)
	}
	asked, goOn := make(chan struct{}), make(chan struct{})
	s.issuer.Instead(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-goOn
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	defer close(goOn)
	s.pass(6 * time.Minute)
	if got := s.fails(t, s.token(t, nil)); got != "" {
		t.Errorf("while the keys are fetched: %q", got)
	}
	<-asked
}

// Whoever makes up key ids has the issuer asked once, not once for each.
func TestUnknownKeysAskOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	stranger := authtest.NewKey(t, "", jose.ES256)
	tokens := make([]string, 1000)
	for n := range tokens {
		stranger.KeyID = fmt.Sprintf("made up %d", n)
		tokens[n] = stranger.Sign(t, s.issuer.Claims(s.now(), nil), nil)
	}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := w; n < len(tokens); n += 8 {
				if _, err := s.Verify(t.Context(), tokens[n]); err == nil || err.Error() != noKey {
					t.Errorf("a made-up key: %v", err)
				}
			}
		})
	}
	all.Wait()
	if n := s.issuer.Fetches(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	if got := s.fails(t, s.token(t, nil)); got != "" {
		t.Errorf("a good token among them: %q", got)
	}
}

// An issuer that is down is no reason to refuse those whose keys are there, for a day; a token that it alone could vouch for is to be
// tried again.
func TestIssuerDown(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	verify := func() error { _, err := s.Verify(t.Context(), s.token(t, nil)); return err }
	code := func() directory.Code {
		if err := verify(); err != nil {
			return directory.CodeOf(err)
		}
		return ""
	}
	s.issuer.Instead(down)
	if got := code(); got != directory.Unavailable {
		t.Errorf("down from the start: %s", got)
	}
	s.issuer.Instead(nil)
	if got := code(); got != directory.Unavailable || s.issuer.Fetches() != 1 {
		t.Errorf("at once again: %s after %d fetches", got, s.issuer.Fetches())
	}
	s.pass(11 * time.Second)
	if got := code(); got != "" {
		t.Errorf("up again: %s", got)
	}
	s.issuer.Instead(down)
	s.pass(23 * time.Hour)
	if got := code(); got != "" {
		t.Errorf("down for less than a day: %s", got)
	}
	stranger := authtest.NewKey(t, "second", jose.ES256)
	if _, err := s.Verify(t.Context(), stranger.Sign(t, s.issuer.Claims(s.now(), nil), nil)); directory.CodeOf(err) != directory.Unavailable {
		t.Errorf("a key that may be new: %v", err)
	}
	s.pass(2 * time.Hour)
	if got := code(); got != directory.Unavailable {
		t.Errorf("down for more than a day: %s", got)
	}
	if !strings.Contains(s.log.String(), "an issuer's keys were not fetched") || !strings.Contains(s.log.String(), "answered 502") {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
}

// What comes in the place of keys is not taken for keys.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(authtest.Set(authtest.NewKey(t, "first", jose.ES256)))
	if err != nil {
		t.Fatal(err)
	}
	send := func(media, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = w.Write([]byte(text))
		}
	}
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a page":        {send("text/html", string(good)), "answered no JSON"},
		"no type":       {send("", string(good)), "answered no JSON"},
		"too much":      {send("application/json", string(good)+strings.Repeat(" ", 1<<20)), "more than 1048576 bytes"},
		"no JSON":       {send("application/json", "keys"), "not a JWK Set"},
		"no keys":       {send("application/json", `{"keys":[]}`), "no key that can verify"},
		"too many keys": {send("application/json", `{"keys":[`+strings.Repeat("{},", 100)+`{}]}`), "more than 100 keys"},
		"an error":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "answered 404"},
		"a way elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://issuer.example/", http.StatusFound)
		}, "keys are fetched over https"},
		"a circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) }, "too many redirects"},
	} {
		s := newScene(t, nil)
		s.issuer.Instead(row.answer)
		_, err := s.Verify(t.Context(), s.token(t, nil))
		if directory.CodeOf(err) != directory.Unavailable || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The configuration has to be the issuer's own, and lead to keys over https.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	other := authtest.New(t)
	for _, row := range []struct{ issuer, jwks, want string }{
		{"", other.URL + "/keys", ""},
		{"https://else.example", other.URL + "/keys", `that of the issuer "https://else.example"`},
		{"", "http://keys.example/", "keys are fetched over https"},
		{"", "", "not an address to fetch keys from"},
	} {
		mux := http.NewServeMux()
		srv := httptest.NewServer(mux)
		defer srv.Close()
		name := row.issuer
		if name == "" {
			name = srv.URL + "/realm/"
		}
		mux.HandleFunc("GET /realm/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json;charset=UTF-8")
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": row.jwks})
		})
		s := newScene(t, nil)
		v := s.verifier(t, map[string]any{"issuer": srv.URL + "/realm/", "audience": "roster"})
		_, err := v.Verify(t.Context(), other.Key.Sign(t, s.issuer.Claims(s.now(), map[string]any{"iss": srv.URL + "/realm/"}), nil))
		if got := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(got, row.want) {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

// Key ids that say too little: two keys of one id are both tried; no id is enough where there is one key.
func TestAmbiguousKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	twin, nameless := authtest.NewKey(t, "first", jose.ES256), authtest.NewKey(t, "", jose.EdDSA)
	sign := func(k *authtest.Key) string { return s.fails(t, k.Sign(t, s.issuer.Claims(s.now(), nil), nil)) }
	s.issuer.Publish(s.issuer.Key, twin, authtest.NewKey(t, "third", jose.EdDSA), nameless)
	if a, b := sign(s.issuer.Key), sign(twin); a+b != "" {
		t.Errorf("two keys of one id: %q, %q", a, b)
	}
	if got := sign(authtest.NewKey(t, "first", jose.ES256)); got != "the signature is wrong" {
		t.Errorf("a third key of that id: %q", got)
	}
	if got := sign(nameless); got != noKey {
		t.Errorf("no id, and two keys for the algorithm: %q", got)
	}
	s.issuer.Publish(s.issuer.Key, nameless)
	s.pass(time.Minute)
	if got := sign(nameless); got != "" {
		t.Errorf("no id, and one key: %q", got)
	}
}

// Keys that verify nothing: weak, huge, private, symmetric, for encryption, of a kind that nobody knows.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(weak.N, 16_383, 1), E: weak.E}
	private, cipher := authtest.NewKey(t, "private", jose.ES256), authtest.NewKey(t, "cipher", jose.ES256)
	cipher.Use = "enc"
	keys := []any{
		jose.JSONWebKey{Key: weak.Public(), KeyID: "weak"}, jose.JSONWebKey{Key: huge, KeyID: "huge"}, private.JSONWebKey, cipher.Public(),
		map[string]any{"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA", "kid": "symmetric"},
		map[string]any{"kty": "LATTICE", "kid": "new"}, map[string]any{"kty": "EC"}, "a text",
	}
	s := newScene(t, nil)
	s.issuer.Instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": append(keys, s.issuer.Key.Public())})
	})
	if got := s.fails(t, s.token(t, nil)); got != "" {
		t.Errorf("the good key among them: %q", got)
	}
	for _, k := range []*authtest.Key{
		{JSONWebKey: jose.JSONWebKey{Key: weak, KeyID: "weak", Algorithm: "RS256"}}, {JSONWebKey: jose.JSONWebKey{Key: weak, KeyID: "huge", Algorithm: "RS256"}}, private, cipher,
	} {
		if got := s.fails(t, k.Sign(t, s.issuer.Claims(s.now(), nil), nil)); got != noKey {
			t.Errorf("the key %q: %q", k.KeyID, got)
		}
	}
}

// Keys that are given are never fetched, so the issuer may be a mere name: an access key of Authress, for one.
func TestGivenKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	key := authtest.NewKey(t, "key-1", jose.EdDSA)
	client := map[string]any{
		"issuer": "http://roster.example/v1/clients/ci", "audience": "acc.accounts.authress.io", "jwks": authtest.Set(key), "acceptIssuedAt": true,
		"always": []string{"GROUPS_VIEW", "GROUPS_ADD"},
	}
	v := s.verifier(t, client)
	token := key.Sign(t, map[string]any{"iss": client["issuer"], "aud": client["audience"], "sub": "ci", "client_id": "ci", "scope": "openid",
		"iat": s.now().Unix(), "exp": s.now().Add(24 * time.Hour).Unix()}, nil)
	id, err := v.Verify(t.Context(), token)
	if err != nil || id.Subject != "ci" || len(id.Permissions) != 2 {
		t.Errorf("%+v %v", id, err)
	}
	s.pass(23 * time.Hour)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("a day later: %v", err)
	}
	key.KeyID = "key-2"
	if _, err := v.Verify(t.Context(), key.Sign(t, s.issuer.Claims(s.now(), map[string]any{"iss": client["issuer"]}), nil)); err == nil || err.Error() != noKey {
		t.Errorf("a key that was not given: %v", err)
	}
}

// A request that ends does not take the fetch with it that others wait for.
func TestWaitingTogether(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	asked, answer := make(chan struct{}), make(chan struct{})
	keys, err := json.Marshal(authtest.Set(s.issuer.Key))
	if err != nil {
		t.Fatal(err)
	}
	s.issuer.Instead(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(keys)
	})
	ctx, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := s.Verify(ctx, s.token(t, nil)); !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
	})
	<-asked
	for n := range 20 {
		all.Go(func() {
			if got := s.fails(t, s.token(t, map[string]any{"jti": n})); got != "" {
				t.Errorf("who stayed: %q", got)
			}
		})
	}
	leave()
	close(answer)
	all.Wait()
	if n := s.issuer.Fetches(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}
