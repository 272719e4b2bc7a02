package auth_test

import (
	"slices"
	"strings"
	"testing"

	"roster/internal/directory"
)

// What role claims give, as they stand and as configured.
func TestRoleClaims(t *testing.T) {
	t.Parallel()
	const security = "Administration/Organisation/ManageUserAndGroupSecurity"
	mapped := map[string]any{
		"roleClaims": []string{"groups", "scope", "resource_access.*.roles", "https://roster.example/roles"},
		"grants":     map[string]any{"staff": []string{"VIEWER", "CHANGES_VIEW"}, "boss": "ADMINISTRATOR", "VRE-Manager": []string{}},
	}
	in := func(client string) map[string]any {
		return map[string]any{client: map[string]any{"roles": []string{"Infrastructure-Manager"}}}
	}
	for _, row := range []struct {
		name   string
		entry  map[string]any
		claims map[string]any
		want   string
	}{
		{"none", nil, nil, ""},
		{"D4Science", nil, map[string]any{"roles": []string{"Infrastructure-Manager", "VRE-Manager", "Accounting-Manager"}}, "ADMINISTRATOR MANAGER"},
		{"Keycloak, realm", nil, map[string]any{"realm_access": map[string]any{"roles": []string{"VRE-Manager"}}}, "MANAGER"},
		{"Keycloak, this client", nil, map[string]any{"resource_access": in("roster")}, "ADMINISTRATOR"},
		{"Keycloak, another client", nil, map[string]any{"resource_access": in("other")}, ""},
		{"Entrust", nil, map[string]any{"permissions": []string{"GROUPS:VIEW", "GROUPS:ADD", "GROUPS:EDIT", "GROUPS:REMOVE", "USERS:VIEW", "USERS:EDIT", "TOKENS:ADD"}},
			"GROUPS_VIEW GROUPS_ADD GROUPS_EDIT GROUPS_REMOVE USERS_VIEW USERS_EDIT"},
		{"Enterprise Tester", nil, map[string]any{"permissions": security}, "GROUPS_ADD GROUPS_EDIT GROUPS_REMOVE MEMBERS_EDIT"},
		{"Roster's own names mean nothing unless mapped", nil, map[string]any{"roles": []string{"ADMINISTRATOR", "GROUPS_EDIT"}}, ""},
		{"a scope is no right", nil, map[string]any{"scope": "openid GROUPS:ADD"}, ""},
		{"claims that are no names", nil, map[string]any{"roles": map[string]any{"a": 1}, "permissions": []any{1, nil, []string{"GROUPS:ADD"}}, "realm_access": "x"}, ""},
		{"mapped", mapped, map[string]any{"groups": "staff"}, "VIEWER CHANGES_VIEW"},
		{"a scope by configuration", mapped, map[string]any{"scope": "openid boss"}, "ADMINISTRATOR"},
		{"a text elsewhere is one name", mapped, map[string]any{"groups": "the boss"}, ""},
		{"any client by configuration", mapped, map[string]any{"resource_access": in("other")}, "ADMINISTRATOR"},
		{"a name with dots", mapped, map[string]any{"https://roster.example/roles": []string{"staff"}}, "VIEWER CHANGES_VIEW"},
		{"a name that is mapped away", mapped, map[string]any{"groups": "VRE-Manager"}, ""},
		{"claims that are not configured", mapped, map[string]any{"roles": "boss"}, ""},
		{"always", map[string]any{"always": []string{"VIEWER", "GROUPS_ADD"}}, nil, "VIEWER GROUPS_ADD"},
	} {
		s := newScene(t, row.entry)
		id, err := s.Verify(t.Context(), s.token(t, row.claims))
		if got := granted(id); err != nil || got != row.want {
			t.Errorf("%s: %q %v, want %q", row.name, got, err, row.want)
		}
	}
}

func granted(id directory.Identity) string {
	var names []string
	for _, r := range id.Roles {
		names = append(names, string(r))
	}
	for _, p := range id.Permissions {
		names = append(names, string(p))
	}
	return strings.Join(names, " ")
}

// What names, addresses and full names are taken from.
func TestProfileClaims(t *testing.T) {
	t.Parallel()
	other := map[string]any{"username": []string{"upn", "email"}, "email": "mail", "fullName": "profile.display"}
	for _, row := range []struct {
		name   string
		entry  map[string]any
		claims map[string]any
		want   []string
	}{
		{"none", nil, nil, []string{"", "", ""}},
		{"the usual", nil, map[string]any{"preferred_username": " ann ", "email": "a@x.example", "name": "Ann"}, []string{"ann", "a@x.example", "Ann"}},
		{"an address that is not verified", nil, map[string]any{"email": "a@x.example", "email_verified": false}, []string{"", "", ""}},
		{"an address that is", nil, map[string]any{"email": "a@x.example", "email_verified": true}, []string{"", "a@x.example", ""}},
		{"configured", other, map[string]any{"upn": "u", "mail": "m", "profile": map[string]any{"display": "D"}, "preferred_username": "p"}, []string{"u", "m", "D"}},
		{"the second choice", other, map[string]any{"upn": " ", "email": "a@x.example", "email_verified": "true"}, []string{"a@x.example", "", ""}},
		{"the second choice, not verified", other, map[string]any{"email": "a@x.example", "email_verified": "false"}, []string{"", "", ""}},
		{"no texts", nil, map[string]any{"preferred_username": 7, "email": map[string]any{}, "name": nil}, []string{"", "", ""}},
	} {
		s := newScene(t, row.entry)
		id, err := s.Verify(t.Context(), s.token(t, row.claims))
		if got := []string{id.Username, id.Email, id.FullName}; err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: %q %v", row.name, got, err)
		}
	}
}
