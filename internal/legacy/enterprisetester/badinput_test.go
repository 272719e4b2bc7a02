package enterprisetester_test

import (
	"strings"
	"testing"

	"roster/internal/legacy/legacytest"
)

// badBodies are no body that any operation takes.
var badBodies = map[string]string{
	"empty":       "",
	"blank":       " \n",
	"truncated":   `{"Name":"x`,
	"two values":  `{} {}`,
	"null":        "null",
	"a number":    "7",
	"a string":    `"x"`,
	"an array":    `[{"Name":"x"}]`,
	"nothing":     `{}`,
	"not UTF-8":   "{\"Name\":\"\xc3\x28\",\"Items\":[{\"UserName\":\"\xff\"}]}",
	"NUL":         `{"Name":"a\u0000b","Items":[{"UserName":"a\u0000b"}]}`,
	"a form":      "Name=x&Description=y",
	"XML":         "<Group><Name>x</Name></Group>",
	"deep":        strings.Repeat("[", 100_000),
	"huge":        `{"Name":"` + strings.Repeat("x", 1<<20) + `"}`,
	"long":        `{"Name":"` + strings.Repeat("x", 257) + `","Items":[{"UserName":"` + strings.Repeat("x", 5_000) + `"}]}`,
	"wrong types": `{"Name":{},"Description":7,"Items":"alice"}`,
	"wrong items": `{"Name":7,"Items":[{"Id":7}]}`,
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "bob"})
	w.Step([]string{"group", "Ops", "members=bob", "admins=bob"})
	before := w.State()
	for _, op := range []string{"POST /api/groups", "PUT /api/group/{{Ops.uuid}}", "PUT /api/group/{{Ops.uuid}}/users"} {
		for name, body := range badBodies {
			for _, contentType := range []string{"application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"} {
				refused(t, w, 403, op+": "+name, op+" HTTP/1.1\nAuthorization: Basic {{basic root}}\nContent-Type: "+contentType+"\n\n"+body)
			}
		}
	}
	many := `{"Items":[` + strings.TrimSuffix(strings.Repeat(`{"UserName":"bob"},`, 10_001), ",") + `]}`
	refused(t, w, 403, "too many", "PUT /api/group/{{Ops.uuid}}/users HTTP/1.1\nAuthorization: Basic {{basic root}}\n\n"+many)
	unchanged(t, w, before)
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"group", "Ops"})
	before := w.State()
	for _, id := range []string{
		"%00", "Ops%2F", "..%2F..", "%2e%2e", "a+b", "1", "-1", "99999999999999999999", "{{Ops.id}}", "%7B{{Ops.uuid}}%7D", "urn:uuid:{{Ops.uuid}}",
		"{{Ops.uuid}}%20", "{{Ops.uuid}}%00", "%C3%28", "é", strings.Repeat("a", 8_000), "00000000-0000-0000-0000-00000000000g", "'%20OR%201=1--",
		"00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
	} {
		for _, op := range []string{
			"GET /api/group/%s", "PUT /api/group/%s", "DELETE /api/group/%s", "GET /api/group/%s/users", "PUT /api/group/%s/users",
			"GET /api/group/%s/permissions/global", "GET /api/group/%s/permissions/projects",
		} {
			line := strings.Replace(op, "%s", id, 1)
			refused(t, w, 404, line, line+" HTTP/1.1\nAuthorization: Basic {{basic root}}\n\n"+`{"Name":"x","Items":[]}`)
		}
	}
	if status, _, body := legacytest.Answer(w.Send("GET /api/group/{{Ops.UUID}}?$expand=%zz&x=%00;y HTTP/1.1\nAuthorization: Basic {{basic root}}\n\n")); status != 200 {
		t.Errorf("in capitals: %d %s", status, body)
	}
	unchanged(t, w, before)
}

// refused sends what must not do anything and expects a message.
func refused(t *testing.T, w *legacytest.World, want int, name, request string) {
	t.Helper()
	status, header, body := legacytest.Answer(w.Send(request))
	if status != want || header.Get("Content-Type") != "application/json; charset=utf-8" || !envelope.MatchString(body) {
		t.Errorf("%s: %d %s", name, status, body)
	}
}

func unchanged(t *testing.T, w *legacytest.World, before string) {
	t.Helper()
	if after := w.State(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	if logged := w.Problems(); len(logged) > 0 {
		t.Errorf("something was Roster's fault: %s", logged)
	}
}
