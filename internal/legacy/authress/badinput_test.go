package authress_test

import (
	"strings"
	"testing"

	"roster/internal/legacy/legacytest"
)

// badBodies are no group that Authress takes.
var badBodies = map[string]struct {
	body   string
	status int
}{
	"empty":             {"", 400},
	"blank":             {" \n", 400},
	"truncated":         {`{"name":"x`, 400},
	"two values":        {`{"name":"x","users":[],"admins":[]} {}`, 400},
	"null":              {"null", 400},
	"a number":          {"7", 400},
	"a string":          {`"x"`, 400},
	"a list":            {`[{"name":"x","users":[],"admins":[]}]`, 400},
	"not UTF-8":         {"{\"name\":\"\xc3\x28\",\"users\":[],\"admins\":[]}", 400},
	"a form":            {"name=x&users=&admins=", 400},
	"XML":               {"<group><name>x</name></group>", 400},
	"deep":              {strings.Repeat("[", 100_000), 400},
	"huge":              {`{"name":"x","users":[],"admins":[]}` + strings.Repeat(" ", 100<<10), 413},
	"enormous":          {strings.Repeat("x", 3<<20), 413},
	"wrong types":       {`{"name":{},"users":7,"admins":true,"groupId":[],"tags":[]}`, 400},
	"NUL in a name":     {`{"name":"a\u0000b","users":[],"admins":[]}`, 400},
	"a blank name":      {`{"name":"  ","users":[],"admins":[]}`, 400},
	"a control":         {`{"name":"a\u0007b","users":[],"admins":[]}`, 400},
	"NUL in a user":     {`{"name":"a","users":[{"userId":"a\u0000b"}],"admins":[]}`, 400},
	"a user too long":   {`{"name":"a","users":[{"userId":"` + strings.Repeat("u", 129) + `"}],"admins":[]}`, 400},
	"a user far longer": {`{"name":"a","users":[{"userId":"` + strings.Repeat("u", 257) + `"}],"admins":[]}`, 400},
	"a blank user":      {`{"name":"a","users":[],"admins":[{"userId":" "}]}`, 400},
	"an empty tag":      {`{"name":"a","users":[],"admins":[],"tags":{"":"x"}}`, 400},
	"NUL in a tag":      {`{"name":"a","users":[],"admins":[],"tags":{"x":"\u0000"}}`, 400},
	"many users":        {`{"name":"a","users":[` + strings.Repeat(`{"userId":"u"},`, 8_000) + `{"userId":"u"}],"admins":[]}`, 413},
	"wrong all over":    {`{"name":"a","users":[` + strings.Repeat(`7,`, 40_000) + `7],"admins":[]}`, 400},
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "bob"})
	w.Step([]string{"group", "ops", "handle=grp_ops", "members=bob", "tags=a:b"})
	before := w.State()
	for name, bad := range badBodies {
		for _, op := range []string{"POST /v1/groups", "PUT /v1/groups/grp_ops", "POST /v1/groups/grp_ops"} {
			for _, contentType := range []string{"application/json", "text/plain"} {
				refused(t, w, bad.status, op+": "+name, op+" HTTP/1.1\nAuthorization: Bearer {{root.secret}}\nContent-Type: "+contentType+"\n\n"+bad.body)
			}
		}
	}
	unchanged(t, w, before)
}

func TestBadPathsAndQueries(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"group", "ops", "handle=grp_ops"})
	before := w.State()
	for _, id := range []string{
		"%00", "grp_ops%2F", "..%2F..", "%2e%2e", "a+b", "a%20b", "%C3%28", "é", strings.Repeat("a", 8_000), "'%20OR%201=1--", "{{ops.uuid}}%00",
	} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			line := method + " /v1/groups/" + id
			refused(t, w, 400, line, line+" HTTP/1.1\nAuthorization: Bearer {{root.secret}}\n\n"+`{"name":"x","users":[],"admins":[]}`)
		}
	}
	for _, id := range []string{"GRP_OPS", "{{ops.UUID}}", "{{ops.uuid}}", "99999999999999999999", "-1", "_"} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			line := method + " /v1/groups/" + id
			refused(t, w, 404, line, line+" HTTP/1.1\nAuthorization: Bearer {{root.secret}}\n\n"+`{"name":"x","users":[],"admins":[]}`)
		}
	}
	for _, query := range []string{
		"limit=-1", "limit=99999999999999999999", "limit=NaN", "limit=Inf", "limit=1.5", "limit=%201", "limit=1;2", "limit=1&limit=1",
		"cursor=%00", "cursor=" + strings.Repeat("A", 8_000), "cursor=e30", "cursor=eyJhIjoieCIsImwiOjF9", "cursor=eyJhIjoieCIsImwiOjk5OX0",
		"filter=%00", "filter=%ff", "filter=" + strings.Repeat("é", 65), "filter=a&filter=a", "%zz", "%00=1", "LIMIT=1", "%ff%fe",
	} {
		refused(t, w, 400, query, "GET /v1/groups?"+query+" HTTP/1.1\nAuthorization: Bearer {{root.secret}}\n\n")
	}
	unchanged(t, w, before)
}

// refused sends what must not do anything and expects a ResponseError.
func refused(t *testing.T, w *legacytest.World, want int, name, request string) {
	t.Helper()
	status, header, body := legacytest.Answer(w.Send(request))
	if status != want || header.Get("Content-Type") != "application/json" || !envelope.MatchString(body) || len(body) > 16<<10 {
		t.Errorf("%s: %d %.300s", name, status, body)
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
