package auth_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/auth"
	"roster/internal/auth/authtest"
)

func TestNoIssuers(t *testing.T) {
	t.Parallel()
	issuers, err := auth.ReadIssuers("")
	if err != nil || issuers != nil {
		t.Error(issuers, err)
	}
	v := auth.NewVerifier(auth.VerifierConfig{})
	if _, err := v.Verify(t.Context(), "a.b.c"); err == nil || err.Error() != unknown {
		t.Error(err)
	}
}

// Everything that is wrong with a file is said at once.
func TestProblemsOfIssuers(t *testing.T) {
	t.Parallel()
	file := authtest.File(t,
		map[string]any{"issuer": "http://issuer.example", "leeway": "6m", "algorithms": []string{"HS256", "none", "ES256"}, "users": "known",
			"grants": map[string]any{"boss": "KING", "clerk": []string{"MANAGER", "GROUPS_VIEW"}}, "always": "QUEEN", "link": "email", "storedRoles": "keep",
			"username": "", "require": map[string]any{"hd": []string{}}},
		map[string]any{"issuer": "https://one.example", "audience": "roster"},
		map[string]any{"issuer": "https://one.example", "audience": []string{"roster", ""}, "jwksUri": "ftp://one.example/keys"},
		map[string]any{"issuer": "given", "audience": "roster", "jwks": map[string]any{"keys": []any{}}},
		map[string]any{"issuer": "both", "audience": "roster", "jwks": map[string]any{}, "jwksUri": "https://x.example/"},
		map[string]any{"audience": "roster"})
	_, err := auth.ReadIssuers(file)
	var got auth.Problems
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	const first = "issuer 1, http://issuer.example: "
	want := auth.Problems{
		first + "audience: name what tokens for Roster have in aud; without it a token for any other program would do",
		first + "issuer: keys are fetched over https, but from this machine itself; or say jwksUri or jwks",
		first + `algorithms: "HS256" is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
		first + `algorithms: "none" is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
		first + "leeway: it is 0s to 5m0s",
		first + `require: "hd" names a claim and the values of which it must have one`,
		first + "a claim's name is not empty",
		first + `grants: "boss": "KING" is none of Roster's roles and permissions`,
		first + `always: "QUEEN" is none of Roster's roles and permissions`,
		first + `link: "email" is none of none, username, externalId`,
		first + "users: known goes with a link: else nobody is ever known",
		first + `storedRoles: "keep" is neither add nor ignore`,
		"issuer 3, https://one.example: audience: name what tokens for Roster have in aud; without it a token for any other program would do",
		"issuer 3, https://one.example: jwksUri: keys are fetched over https, but from this machine itself",
		"issuer 3, https://one.example: it is there twice",
		"issuer 4, given: jwks: it holds no public key that can verify a signature",
		"issuer 5, both: jwks, jwksUri: the keys are given, or fetched, not both",
		"issuer 6, : issuer: it has 1 to 512 characters, the claim iss letter by letter",
		"issuer 6, : issuer: it is not an address to fetch keys from; or say jwksUri or jwks",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The examples of the documentation are files of issuers.
func TestDocumentedIssuers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(text), "```json\n")[1:]
	for n, e := range examples {
		example, _, _ := strings.Cut(e, "```")
		file := filepath.Join(t.TempDir(), "issuers.json")
		if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		if issuers, err := auth.ReadIssuers(file); err != nil || len(issuers) != 1 {
			t.Errorf("example %d: %v", n+1, err)
		}
	}
	if len(examples) != 6 {
		t.Errorf("there are %d examples", len(examples))
	}
}

func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, row := range map[string]struct{ text, want string }{
		"no JSON":           {"issuers:", "not a list of issuers in JSON"},
		"an object":         {`{"issuers": []}`, "not a list of issuers in JSON"},
		"an unknown member": {`[{"issuer": "https://a.example", "audience": "x", "secret": "s"}]`, `unknown field "secret"`},
		"a wrong duration":  {`[{"leeway": "soon"}]`, "invalid duration"},
		"more":              {`[] []`, "something follows"},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.ReadIssuers(file); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := auth.ReadIssuers(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}
