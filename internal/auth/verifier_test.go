package auth_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"roster/internal/auth/authtest"
	"roster/internal/directory"
)

const unknown = "not a token of a known issuer"

// What is wrong with a token, and what becomes of it. The sender hears none of it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	other := authtest.New(t)
	now := s.now()
	claims := func(changes map[string]any) map[string]any { return s.issuer.Claims(now, changes) }
	headed := func(headers map[string]any) string { return s.issuer.Key.Sign(t, claims(nil), headers) }
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, row := range []struct{ name, token, want string }{
		{"good", s.token(t, nil), ""},
		{"of another issuer", other.Key.Sign(t, other.Claims(now, nil), nil), unknown},
		{"without issuer", s.token(t, map[string]any{"iss": nil}), unknown},
		{"whose issuer is a number", s.token(t, map[string]any{"iss": 1}), unknown},
		{"whose issuer differs by a slash", s.token(t, map[string]any{"iss": s.issuer.URL + "/"}), unknown},
		{"signed by another issuer", other.Key.Sign(t, claims(nil), nil), "the signature is wrong"},
		{"signed by another issuer, in its own key's name", authtest.NewKey(t, "second", jose.ES256).Sign(t, claims(nil), nil), "the issuer has no key of that id and algorithm"},
		{"for another audience", s.token(t, map[string]any{"aud": "other"}), "it is for another audience"},
		{"for several", s.token(t, map[string]any{"aud": []string{"other", "roster"}}), ""},
		{"without audience", s.token(t, map[string]any{"aud": nil}), "it is for another audience"},
		{"whose audience is a number", s.token(t, map[string]any{"aud": 1}), "its claims are not what they must be"},
		{"expired", s.token(t, map[string]any{"exp": in(-31 * time.Second)}), "it is expired"},
		{"expired within the leeway", s.token(t, map[string]any{"exp": in(-29 * time.Second)}), ""},
		{"without exp", s.token(t, map[string]any{"exp": nil}), "it has no exp"},
		{"whose exp is a text", s.token(t, map[string]any{"exp": "never"}), "its claims are not what they must be"},
		{"whose exp is beyond all time", s.token(t, map[string]any{"exp": 1e300}), "its claims are not what they must be"},
		{"not valid yet", s.token(t, map[string]any{"nbf": in(31 * time.Second)}), "it is not valid yet"},
		{"valid within the leeway", s.token(t, map[string]any{"nbf": in(29 * time.Second)}), ""},
		{"without nbf", s.token(t, map[string]any{"nbf": nil}), "it has no nbf; acceptIssuedAt would take iat instead"},
		{"without iat", s.token(t, map[string]any{"iat": nil}), ""},
		{"issued in the future", s.token(t, map[string]any{"iat": in(time.Minute)}), "it was issued in the future"},
		{"without subject", s.token(t, map[string]any{"sub": nil}), "its subject is no name of anybody"},
		{"with an empty subject", s.token(t, map[string]any{"sub": ""}), "its subject is no name of anybody"},
		{"with a NUL in the subject", s.token(t, map[string]any{"sub": "a\x00b"}), "its subject is no name of anybody"},
		{"with a long subject", s.token(t, map[string]any{"sub": strings.Repeat("s", 257)}), "its subject is no name of anybody"},
		{"with a claim twice", s.issuer.Key.Sign(t, `{"iss":"`+s.issuer.URL+`","sub":"a","sub":"b"}`, nil), unknown},
		{"with a claim in another case", s.token(t, map[string]any{"sub": nil, "SUB": "admin"}), "its subject is no name of anybody"},
		{"with claims that are no object", s.issuer.Key.Sign(t, `[]`, nil), unknown},
		{"of another kind", headed(map[string]any{"typ": "logout+jwt"}), "it is a token of another kind"},
		{"of the kind JWT", headed(map[string]any{"typ": "JWT"}), ""},
		{"of the kind application/at+jwt", headed(map[string]any{"typ": "application/at+jwt"}), ""},
		{"with a critical header", headed(map[string]any{"crit": []string{"x"}, "x": 1}), "it has a critical header"},
		{"with a critical header that the library knows", headed(map[string]any{"crit": []string{"b64"}, "b64": true}), "it has a critical header"},
		{"with a long key id", headed(map[string]any{"kid": strings.Repeat("k", 257)}), "its key id is too long"},
		{"without signature", unsigned(t, claims(nil)), unknown},
		{"with an HMAC under the public key", forged(t, s.issuer.Key, claims(nil)), unknown},
		{"cut short", strings.TrimSuffix(s.token(t, nil), "A")[:80], unknown},
		{"with another's claims", swapped(s.token(t, nil), s.token(t, map[string]any{"sub": "admin"})), "the signature is wrong"},
		{"too long", s.token(t, map[string]any{"x": strings.Repeat("x", 16<<10)}), "it is longer than 16 KiB"},
		{"that is none", "a.b.c", unknown},
		{"that is one of Roster's", "rst_0123456789abcdefghijABCDEFGHIJ012345", unknown},
		{"that is empty", "..", unknown},
	} {
		if got := s.fails(t, row.token); got != row.want {
			t.Errorf("a token %s: %q, want %q", row.name, got, row.want)
		}
	}
}

// A header that says where keys are leads nowhere: nobody goes there, and nobody takes the key that comes along.
func TestKeysOfTheHeaderAreIgnored(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	thief := authtest.New(t)
	thief.Key.KeyID = s.issuer.Key.KeyID
	for _, header := range []map[string]any{
		{"jku": thief.URL + "/keys"}, {"x5u": thief.URL + "/keys"}, {"jwk": thief.Key.Public()},
		{"jku": thief.URL + "/keys", "jwk": thief.Key.Public()},
	} {
		if got := s.fails(t, thief.Key.Sign(t, s.issuer.Claims(s.now(), nil), header)); got == "" {
			t.Errorf("the key of %v is taken", header)
		}
	}
	if thief.Fetches() != 0 {
		t.Error("somebody followed a header")
	}
}

// Every algorithm that can be allowed verifies, and no other than those allowed does.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]any{"algorithms": []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"}})
	narrow := s.verifier(t, s.issuer.Entry(map[string]any{"algorithms": "EdDSA"}))
	rsa := authtest.NewKey(t, "rsa", jose.RS256)
	pss := *rsa
	pss.KeyID, pss.Algorithm = "pss", string(jose.PS256)
	keys := []*authtest.Key{rsa, &pss, authtest.NewKey(t, "p256", jose.ES256), authtest.NewKey(t, "p384", jose.ES384), authtest.NewKey(t, "ed", jose.EdDSA)}
	s.issuer.Publish(keys...)
	for _, k := range keys {
		token := k.Sign(t, s.issuer.Claims(s.now(), nil), nil)
		if got := s.fails(t, token); got != "" {
			t.Errorf("%s: %s", k.Algorithm, got)
		}
		if _, err := narrow.Verify(t.Context(), token); (err == nil) != (k.Algorithm == "EdDSA") {
			t.Errorf("%s where EdDSA alone is allowed: %v", k.Algorithm, err)
		}
	}
	// A key says what it is for: the same one does not verify what another algorithm made of it.
	pss.Algorithm, pss.KeyID = string(jose.PS256), "rsa"
	if got := s.fails(t, pss.Sign(t, s.issuer.Claims(s.now(), nil), nil)); got != "the issuer has no key of that id and algorithm" {
		t.Errorf("a key for RS256 verifies PS256: %q", got)
	}
}

// An issuer without nbf, as Keycloak, is taken by iat if that is said.
func TestIssuedAtInstead(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]any{"acceptIssuedAt": true, "leeway": "0s"})
	for _, row := range []struct {
		changes map[string]any
		want    string
	}{
		{map[string]any{"nbf": nil}, ""},
		{map[string]any{"nbf": nil, "iat": nil}, "it has neither nbf nor iat"},
		{map[string]any{"nbf": s.now().Add(time.Second).Unix()}, "it is not valid yet"},
		{map[string]any{"exp": s.now().Unix()}, "it is expired"},
	} {
		if got := s.fails(t, s.token(t, row.changes)); got != row.want {
			t.Errorf("%v: %q, want %q", row.changes, got, row.want)
		}
	}
}

// Claims that an issuer's entry requires.
func TestRequiredClaims(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]any{"require": map[string]any{"hd": "example.org", "azp": []string{"web", "cli"}}})
	for _, row := range []struct {
		changes map[string]any
		want    string
	}{
		{map[string]any{"hd": "example.org", "azp": "cli"}, ""},
		{map[string]any{"hd": "example.com", "azp": "cli"}, "the claim hd has none of the required values"},
		{map[string]any{"hd": "example.org"}, "the claim azp has none of the required values"},
		{map[string]any{"hd": []string{"example.org"}, "azp": "web"}, ""},
	} {
		if got := s.fails(t, s.token(t, row.changes)); got != row.want {
			t.Errorf("%v: %q, want %q", row.changes, got, row.want)
		}
	}
}

// A token is verified once a minute, and never taken after its time.
func TestMemory(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]any{"leeway": "0s"})
	long := s.token(t, map[string]any{"exp": s.now().Add(time.Hour).Unix()})
	short := s.token(t, map[string]any{"exp": s.now().Add(20 * time.Second).Unix()})
	for _, token := range []string{long, short} {
		if got := s.fails(t, token); got != "" {
			t.Fatal(got)
		}
	}
	s.issuer.Publish(authtest.NewKey(t, "second", jose.ES256)) // what is remembered needs no key
	s.pass(19 * time.Second)
	if a, b := s.fails(t, long), s.fails(t, short); a+b != "" {
		t.Errorf("within a minute: %q, %q", a, b)
	}
	s.pass(time.Second)
	if got := s.fails(t, short); got != "it is expired" {
		t.Errorf("at the end of its time: %q", got)
	}
	s.pass(time.Hour)
	if got := s.fails(t, long); got != "the issuer has no key of that id and algorithm" {
		t.Errorf("an hour later, with another key: %q", got)
	}
}

func TestIdentityOfAToken(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	got, err := s.Verify(t.Context(), s.token(t, map[string]any{
		"preferred_username": "ann", "email": "ann@example.org", "name": "Ann Example", "roles": []string{"VRE-Manager", "ADMINISTRATOR"},
		"permissions": []string{"GROUPS:ADD", "GROUPS_EDIT"}, "iat": s.now().Add(10 * time.Second).Unix(),
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Identity{
		Issuer: s.issuer.URL, Subject: "subject", Username: "ann", Email: "ann@example.org", FullName: "Ann Example",
		Roles: []directory.Role{directory.RoleManager}, Permissions: []directory.Permission{directory.PermissionGroupsAdd},
		IssuedAt: s.now().Add(10 * time.Second), Until: s.now().Add(5 * time.Minute), Trust: directory.Trust{CreatesUsers: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// unsigned is a token of the algorithm none.
func unsigned(t *testing.T, claims map[string]any) string {
	t.Helper()
	return part(t, map[string]any{"alg": "none"}) + "." + part(t, claims) + "."
}

// forged is a token signed with what everybody knows, as if it were a secret.
func forged(t *testing.T, key *authtest.Key, claims map[string]any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public().Key.(*ecdsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	text := part(t, map[string]any{"alg": "HS256", "kid": key.KeyID}) + "." + part(t, claims)
	m := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func part(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// swapped has the signature of one token and the claims of another.
func swapped(signature, claims string) string {
	s, c := strings.Split(signature, "."), strings.Split(claims, ".")
	return s[0] + "." + c[1] + "." + s[2]
}
