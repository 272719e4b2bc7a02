package entrust_test

import (
	"fmt"
	"strings"
	"testing"

	"roster/internal/legacy/legacytest"
)

// badBodies are no body that any operation takes.
var badBodies = map[string]string{
	"empty":       "",
	"blank":       " \n",
	"truncated":   `{"name":"x`,
	"two values":  `{} {}`,
	"null":        "null",
	"a number":    "7",
	"a string":    `"x"`,
	"not UTF-8":   "{\"name\":\"\xc3\x28\",\"id\":\"\xff\"}",
	"a form":      "name=x&externalId=y",
	"XML":         "<group><name>x</name></group>",
	"deep":        strings.Repeat("[", 100_000),
	"huge":        `{"name":"` + strings.Repeat("x", 1<<20) + `"}`,
	"wrong types": `{"name":{},"externalId":[],"id":7,"applicationId":[],"limit":"x","cursor":7}`,
	"wrong lists": `[{"id":"x"},7]`,
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "bob"})
	w.Step([]string{"group", "Ops", "members=bob", "externalId=o"})
	before := w.State()
	for _, op := range []string{
		"POST /api/web/v1/adminapi/authenticate", "POST /api/web/v1/groups", "POST /api/web/v1/groups/externalid", "POST /api/web/v1/groupspaged",
		"PUT /api/web/v1/groups/{{Ops.uuid}}", "PUT /api/web/v1/userauthorizationgroup/{{bob.uuid}}/groups",
	} {
		for name, body := range badBodies {
			for _, contentType := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded"} {
				refused(t, w, 400, op+": "+name, op+" HTTP/1.1\nAuthorization: {{root.secret}}\nContent-Type: "+contentType+"\n\n"+body)
			}
		}
	}
	unchanged(t, w, before)
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "bob"})
	w.Step([]string{"group", "Ops", "members=bob"})
	before := w.State()
	for _, id := range []string{
		"%00", "Ops%2F", "..%2F..", "%2e%2e", "a+b", "1", "-1", "99999999999999999999", "{{Ops.id}}", "%7B{{Ops.uuid}}%7D", "urn:uuid:{{Ops.uuid}}",
		"{{Ops.uuid}}%20", "{{Ops.uuid}}%00", "%C3%28", "é", strings.Repeat("a", 8_000), "00000000-0000-0000-0000-00000000000g", "'%20OR%201=1--",
	} {
		for _, op := range []string{"GET /api/web/v1/groups/%s", "PUT /api/web/v1/groups/%s", "DELETE /api/web/v1/groups/%s", "PUT /api/web/v1/userauthorizationgroup/%s/groups"} {
			line := strings.Replace(op, "%s", id, 1)
			refused(t, w, 400, line, line+" HTTP/1.1\nAuthorization: {{root.secret}}\n\n[]")
		}
	}
	for _, id := range []string{"00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"} {
		refused(t, w, 404, id, fmt.Sprintf("GET /api/web/v1/groups/%s HTTP/1.1\nAuthorization: {{root.secret}}\n\n", id))
		refused(t, w, 404, id, fmt.Sprintf("PUT /api/web/v1/userauthorizationgroup/%s/groups HTTP/1.1\nAuthorization: {{root.secret}}\n\n[]", id))
		refused(t, w, 404, id, fmt.Sprintf("PUT /api/web/v1/userauthorizationgroup/{{bob.uuid}}/groups HTTP/1.1\nAuthorization: {{root.secret}}\n\n[%q]", id))
	}
	if status, _, body := legacytest.Answer(w.Send("GET /api/web/v1/groups/{{Ops.UUID}}?limit=%zz&x=%00;y HTTP/1.1\nAuthorization: {{root.secret}}\n\n")); status != 200 {
		t.Errorf("in capitals: %d %s", status, body)
	}
	unchanged(t, w, before)
}

// refused sends what must not do anything and expects an ErrorInfo.
func refused(t *testing.T, w *legacytest.World, want int, name, request string) {
	t.Helper()
	status, header, body := legacytest.Answer(w.Send(request))
	if status != want || header.Get("Content-Type") != "application/json" || !envelope.MatchString(body) {
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
