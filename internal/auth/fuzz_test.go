package auth_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"roster/internal/auth/authtest"
	"roster/internal/directory"
)

// Whatever comes as a token, nobody gets in who has no signature of the issuer's, and nothing panics.
func FuzzVerify(f *testing.F) {
	s := newScene(f, nil)
	good := s.token(f, nil)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(good + "=")
	f.Add(authtest.New(f).Token(f, nil))
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := s.Verify(t.Context(), token); err == nil && (id.Subject != "subject" || id.Issuer != s.issuer.URL) {
			t.Errorf("%q is %+v", token, id)
		}
	})
}

// Whatever an issuer claims, it claims it about a subject, and grants nothing but what names in its role claims stand for.
func FuzzClaims(f *testing.F) {
	s := newScene(f, map[string]any{"roleClaims": []string{"r", "a.*.r", "a.$audience.r"}, "grants": map[string]any{"x": "VIEWER"}})
	f.Add(`{"preferred_username":"ann","r":["x"]}`)
	f.Add(`{"a":{"roster":{"r":"x"},"b":[{"r":1}]},"email_verified":"false","email":[]}`)
	f.Add(`{"sub":"","exp":-1e18,"aud":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var changes map[string]any
		if json.Unmarshal([]byte(text), &changes) != nil {
			return
		}
		id, err := s.Verify(t.Context(), s.token(t, changes))
		if err != nil {
			return
		}
		administrator := slices.Contains(id.Roles, directory.RoleAdministrator)
		if id.Subject == "" || id.Issuer != s.issuer.URL || (administrator && !strings.Contains(text, "Infra")) {
			t.Errorf("%s is %+v", text, id)
		}
	})
}
