package d4science_test

import (
	"strings"
	"testing"

	"roster/internal/legacy/legacytest"
)

// badForms are no form of a group and name no user.
var badForms = map[string]struct {
	contentType, body string
	status            int
}{
	"empty":                  {"application/x-www-form-urlencoded", "", 406},
	"broken percent":         {"application/x-www-form-urlencoded", "group=%zz&userId=%zz", 406},
	"semicolons":             {"application/x-www-form-urlencoded", "group=a;userId=bob", 406},
	"not UTF-8":              {"application/x-www-form-urlencoded", "group=%ff&userId=%ff", 406},
	"NUL":                    {"application/x-www-form-urlencoded", "group=a%00&userId=a%00", 406},
	"blank":                  {"application/x-www-form-urlencoded", "group=+&userId=+", 406},
	"control":                {"application/x-www-form-urlencoded", "group=a%07&userId=a%07", 406},
	"too long":               {"application/x-www-form-urlencoded", "group=" + strings.Repeat("x", 257) + "&userId=" + strings.Repeat("x", 5_000), 406},
	"JSON called a form":     {"application/x-www-form-urlencoded", `{"group":"a","userId":"bob"}`, 406},
	"huge":                   {"application/x-www-form-urlencoded", "group=a&userId=bob&x=" + strings.Repeat("x", 64<<10), 413},
	"enormous":               {"application/x-www-form-urlencoded", strings.Repeat("&", 3<<20), 413},
	"no type":                {"", "group=a&userId=bob", 415},
	"JSON":                   {"application/json", `{"group":"a","userId":"bob"}`, 415},
	"text":                   {"text/plain", "group=a&userId=bob", 415},
	"a broken type":          {"application/", "group=a&userId=bob", 415},
	"any type":               {"*/*", "group=a&userId=bob", 415},
	"an unknown accessType":  {"application/x-www-form-urlencoded", "group=a&accessType=read_only", 406},
	"an empty accessType":    {"application/x-www-form-urlencoded", "group=a&accessType=", 406},
	"an empty folderOwner":   {"application/x-www-form-urlencoded", "group=a&folderOwner=", 406},
	"an unknown folderOwner": {"application/x-www-form-urlencoded", "group=a&folderOwner=nobody", 406},
	"an empty storage":       {"application/x-www-form-urlencoded", "group=a&useDefaultStorage=", 406},
}

// badMultiparts are no form of a group.
var badMultiparts = map[string]struct{ contentType, body string }{
	"empty":              {"multipart/form-data; boundary=X", ""},
	"empty, no boundary": {"multipart/form-data", ""},
	"no boundary inside": {"multipart/form-data", "group=a"},
	"only dashes":        {"multipart/form-data", "--\r\n"},
	"another boundary":   {"multipart/form-data; boundary=Y", "--X\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\na\r\n--X--\r\n"},
	"truncated head":     {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-"},
	"truncated value":    {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\na"},
	"not closed":         {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\na\r\n--X"},
	"no name":            {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data\r\n\r\na\r\n--X--\r\n"},
	"no parts":           {"multipart/form-data; boundary=X", "--X--\r\n"},
	"not UTF-8":          {"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\n\xff\r\n--X--\r\n"},
	"many parts":         {"multipart/form-data; boundary=X", strings.Repeat("--X\r\n\r\n\r\n", 5_000)},
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	w := world(t)
	before := w.State()
	for name, bad := range badForms {
		for _, op := range []string{"POST /groups", "PUT /groups/ops", "PUT /groups/ops/users", "PUT /groups/ops/admins"} {
			if strings.HasPrefix(name, "an ") && op != "POST /groups" {
				continue
			}
			refused(t, w, bad.status, op+": "+name, op, bad.contentType, bad.body)
		}
	}
	for name, bad := range badMultiparts {
		refused(t, w, 406, "multipart: "+name, "POST /groups", bad.contentType, bad.body)
		refused(t, w, 415, "multipart: "+name, "PUT /groups/ops/users", bad.contentType, bad.body)
	}
	unchanged(t, w, before)
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	w := world(t)
	before := w.State()
	for _, name := range []string{
		"%00", "ops%00", "%C3%28", "ops%2F", "..%2F..", "%2e%2e", "%20", "o+ps", "{{ops.uuid}}", "{{ops.UUID}}", "{{ops.id}}", "1", "99999999999999999999",
		strings.Repeat("a", 8_000), "'%20OR%201=1--",
	} {
		for _, op := range []string{
			"GET /groups/%s/users", "GET /groups/%s/admins", "PUT /groups/%s", "PUT /groups/%s/users", "PUT /groups/%s/admins", "DELETE /groups/%s",
			"DELETE /groups/%s/users/bob", "DELETE /groups/%s/admins/bob", "DELETE /groups/ops/users/%s", "DELETE /groups/ops/admins/%s",
		} {
			line := strings.Replace(op, "%s", name, 1)
			refused(t, w, 406, line, line+"?x=%zz&gcube-token=;", "application/x-www-form-urlencoded", "userId=bob")
		}
	}
	unchanged(t, w, before)
}

// world has a group that nobody may change by mistake.
func world(t *testing.T) *legacytest.World {
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "bob"})
	w.Step([]string{"user", "carol"})
	w.Step([]string{"group", "ops", "members=carol", "admins=carol"})
	return w
}

// refused sends what must not do anything and expects an error object.
func refused(t *testing.T, w *legacytest.World, want int, name, line, contentType, body string) {
	t.Helper()
	if contentType != "" {
		contentType = "\nContent-Type: " + contentType
	}
	status, header, answer := legacytest.Answer(w.Send(line + " HTTP/1.1\nAuthorization: Bearer {{root.secret}}" + contentType + "\n\n" + body))
	if status != want || header.Get("Content-Type") != "application/json" || !isFailure(answer) {
		t.Errorf("%s: %d %s", name, status, answer)
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
