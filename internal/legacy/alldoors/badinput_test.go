package alldoors_test

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/legacytest"
)

// victim is a world in which every route has something to go wrong on: a group whose only admin, and only member, is carol. idle is
// in no group.
type victim struct {
	*world
	one
	system
	vars   map[string]string // what the variables of the door's patterns are
	before string
	sent   int
}

func newVictim(t *testing.T, d one) *victim {
	w := newWorld(t, nil)
	for _, name := range []string{"carol", "idle"} {
		if _, err := w.dir.CreateUser(w.context(), directory.System(), directory.CreateUserInput{Username: name}, directory.Selection{}); err != nil {
			t.Fatal(err)
		}
	}
	handle, external := "grp_ops", "EXT-1"
	carol := legacytest.Users("carol")
	in := directory.CreateGroupInput{Name: "ops", Handle: &handle, ExternalID: &external, Members: carol, Admins: carol}
	if _, err := w.dir.CreateGroup(w.context(), directory.System(), in, directory.Selection{}); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Group struct {
			UUID   string
			Number int
		}
		User struct{ UUID string }
	}
	w.ask(rootSecret, `{ group(by: {name: "ops"}) { uuid number } user(by: {username: "idle"}) { uuid } }`, nil, &v)
	vars := map[string]string{"name": "ops", "group": "ops", "groupId": "grp_ops", "groupID": strconv.Itoa(v.Group.Number), "user": "carol", "id": v.Group.UUID,
		"userid": v.User.UUID, "tokenid": "4711"}
	return &victim{world: w, one: d, system: systems[d.name], vars: vars, before: w.tables()}
}

// fill puts values into a pattern; those given go before the victim's own.
func (v *victim) fill(pattern string, given map[string]string) string {
	return variable.ReplaceAllStringFunc(pattern, func(name string) string {
		name = strings.Trim(name, "{}")
		if value, ok := given[name]; ok {
			return value
		}
		return v.vars[name]
	})
}

// absent names nothing, in the variables that name a group: a DELETE that looks at nothing but its path would do what it says.
func (v *victim) absent() map[string]string {
	return map[string]string{"name": "nothing", "group": "nothing", "groupId": "nothing", "id": nowhereUUID, "groupID": "4711"}
}

// routes are the door's, D4Science's under the shortest of their paths.
func (v *victim) routes() []legacy.Route {
	return slices.DeleteFunc(slices.Clone(v.door.Routes), func(r legacy.Route) bool {
		return strings.HasPrefix(r.Pattern, "/workspace") || strings.HasPrefix(r.Pattern, "/storagehub")
	})
}

// take sends what cannot be right, or means nothing. Whatever the status, it is no fault of Roster's, and a refusal has the system's
// own form.
func (v *victim) take(r request) answer {
	v.t.Helper()
	v.sent++
	a := v.send(r)
	wrong := clean(a)
	switch {
	case a.status >= 500:
		wrong = "it is Roster's fault"
	case a.status >= 400 && a.body != "" && r.method != "HEAD":
		wrong = v.envelope(a)
	case a.status >= 400 && a.body == "" && r.method != "HEAD" && !v.bare:
		wrong = "it is empty"
	}
	if wrong != "" {
		v.t.Errorf("%s %v: %s: %s", r, r.header, a, wrong)
	}
	return a
}

func (v *victim) asRoot(r request) request { return authorised(v.door.Name, rootSecret, r) }

// unharmed holds the tables against what they were.
func (v *victim) unharmed() {
	v.t.Helper()
	if after := v.tables(); after != v.before {
		v.t.Errorf("something was changed:\n%s\n%s", v.before, after)
	}
	if text := v.log.String(); text != "" {
		v.t.Errorf("something was Roster's fault: %s", text)
	}
	v.t.Logf("%d requests", v.sent)
}

// everyDoor runs a test for each door, on a victim of its own.
func everyDoor(t *testing.T, test func(v *victim)) {
	t.Helper()
	for _, d := range all(nil) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, d)
			test(v)
			v.unharmed()
		})
	}
}

const wrongTypes = `{"name":{},"Name":[],"admins":7,"users":"x","externalId":[],"Description":7,"Items":{},"expiration":[],"id":{},"limit":"x","cursor":7,` +
	`"applicationId":[],"sharedSecret":7,"tags":7,"groupId":{},"searchByAttributes":7,"orderByAttribute":[]}`

// badBodies are what no operation can do anything with.
var badBodies = map[string]string{
	"empty": "", "blank": " \r\n\t", "truncated": `{"name":"x`, "a bracket": "[", "two values": `{} {}`, "null": "null", "true": "true", "a number": "7", "a text": `"x"`,
	"an object": "{}", "numbers": "[7]", "nulls": "[null]", "lists": "[[],[[]]]", "objects": `[{"id":7}]`, "wrong types": wrongTypes,
	"a list of the wrong types": "[" + wrongTypes + "]", "not UTF-8": "{\"name\":\"\xc3\x28\",\"Name\":\"\xff\",\"users\":[],\"admins\":[]}", "names not UTF-8": "[\"\xff\"]",
	"bytes": "\xff\xfe\x00\x01", "NUL": `{"name":"a\u0000b","Name":"a\u0000b","users":[],"admins":[{"username":"\u0000"}]}`, "NULs": `["a\u0000b"]`,
	"a lone surrogate": `{"name":"\ud800\u0000","Name":"\ud800\u0000"}`, "a form": "group=%zz&userId=%zz", "a form of NUL": "group=a%00b&userId=a%00b",
	"an empty form": "group=&userId=", "a multipart": "--X\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\na\x00b\r\n--X--\r\n", "dashes": "--\r\n--",
	"XML":  `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><group><name>&b;</name></group>`,
	"deep": strings.Repeat("[", 100_000), "deep objects": strings.Repeat(`{"name":`, 50_000), "huge": `{"name":"` + strings.Repeat("x", 2<<20) + `"}`,
	"a long name":    `{"name":"` + strings.Repeat("x", 257) + `","Name":"` + strings.Repeat("x", 257) + `","users":[],"admins":[]}`,
	"huge and blank": strings.Repeat(" ", 2<<20) + "{", "a huge form": "userId=carol&group=x&y=" + strings.Repeat("x", 2<<20), "a huge number": "1e999999",
}

// ownType is what the door's clients send.
func (v *victim) ownType() string {
	if v.name == "d4science" {
		return urlencoded["Content-Type"]
	}
	return "application/json"
}

// contentTypes go with each body: the one that the door's clients send, and one of the others in turn.
var contentTypes = []string{"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=X", "multipart/form-data", "application/",
	"*/*", "application/json; charset=utf-16", "text/html"}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	everyDoor(t, func(v *victim) {
		n := 0
		for _, r := range v.routes() {
			given := map[string]string{}
			if r.Method == "DELETE" && !strings.Contains(r.Pattern, "{user}") && !strings.Contains(r.Pattern, "{tokenid}") {
				given = v.absent()
			}
			for _, name := range slices.Sorted(maps.Keys(badBodies)) {
				for _, contentType := range []string{v.ownType(), contentTypes[n%len(contentTypes)]} {
					req := v.asRoot(request{method: r.Method, path: v.fill(r.Pattern, given), body: badBodies[name]})
					v.take(req.with("Content-Type", contentType))
				}
				n++
			}
		}
	})
}

// badSegments are what no name or number of anything can be in a path.
var badSegments = []string{
	"%00", "ops%00", "%2F", "ops%2F", "..%2F..%2Fetc%2Fpasswd", "..", "%2e%2e", ".", "a+b", "%20", "%C3%28", "%FF", "é", "%0d%0aX-Evil:%20yes", "-1", "0", "1e9", "0x10", "1.5",
	"99999999999999999999", "2147483648", "9223372036854775807", "%7B01a20936-752f-7dea-8038-9c0a8f5ebb80%7D", "urn:uuid:01a20936-752f-7dea-8038-9c0a8f5ebb80",
	"01a20936752f7dea80389c0a8f5ebb80", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "00000000-0000-0000-0000-000000000000", "'%20OR%201=1--", "%3Cscript%3E", "null", "*",
	"nothing;x=1", strings.Repeat("a", 8_000), "",
}

// soundBodies are what each operation takes, so that only the path is at fault.
var soundBodies = map[string]map[string]string{
	"cds":              {"PUT /group/{name}": `{"name":"x","admins":[{"username":"idle"}]}`, "POST /group/{name}/user": `["idle"]`, "POST /group/{name}/token": `{"expiration":"session"}`},
	"entrust":          {"PUT /api/web/v1/groups/{id}": `{"name":"x"}`, "PUT /api/web/v1/userauthorizationgroup/{userid}/groups": `[]`},
	"authress":         {"PUT /v1/groups/{groupId}": `{"name":"x","users":[],"admins":[]}`, "POST /v1/groups/{groupId}": `{"name":"x","users":[],"admins":[]}`},
	"d4science":        {"PUT /groups/{group}": "userId=idle", "PUT /groups/{group}/users": "userId=idle", "PUT /groups/{group}/admins": "userId=idle"},
	"enterprisetester": {"PUT /api/group/{id}": `{"Name":"x"}`, "PUT /api/group/{id}/users": `{"Items":[]}`},
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	everyDoor(t, func(v *victim) {
		for _, r := range v.routes() {
			for _, m := range variable.FindAllStringSubmatch(r.Pattern, -1) {
				for _, bad := range badSegments {
					path := v.fill(r.Pattern, map[string]string{m[1]: bad})
					req := v.asRoot(request{method: r.Method, path: path, body: soundBodies[v.name][r.Method+" "+r.Pattern]}).with("Content-Type", v.ownType())
					a := v.take(req)
					if a.header.Get("X-Evil") != "" {
						v.t.Errorf("%s: a header of the client's came back", req)
					}
					if a.status < 400 && m[1] != "tokenid" { // CDS deletes tokens that are not there with 200
						v.t.Errorf("%s: %s", req, a)
					}
				}
			}
			v.take(v.asRoot(request{method: r.Method, path: v.fill(r.Pattern, v.absent()) + "/"}))
		}
	})
}

// TestBrokenEscapes sends what is no path at all: net/http refuses it in plain text, before any door.
func TestBrokenEscapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, path := range []string{"/group/%zz", "/api/web/v1/groups/%", "/v1/groups/%4", "/groups/%GG/users", "/api/group/%u0041"} {
		if a := w.send(request{method: "GET", path: path}); a.status != 400 || clean(a) != "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %s", path, a)
		}
	}
}

// badQueries mean nothing, or are broken.
var badQueries = []string{
	"?", "?x=%zz", "?%zz", "?%00=1", "?a=b;c", "?unknown=1&unknown=2", "?limit=-1", "?limit=99999999999999999999", "?limit=NaN", "?cursor=%ff", "?cursor=%00",
	"?cursor=" + strings.Repeat("A", 8_000), "?filter=%00", "?filter=%ff", "?%24filter=%00", "?$filter=Name%20eq%20'%ff'", "?$filter=((((", "?$filter='", "?$orderby=;drop%20table",
	"?$top=-1&$skip=-1", "?$top=99999999999999999999", "?$skip=2147483648", "?$skip=9223372036854775807", "?$inlinecount=some", "?$expand=%ff,,,Users,Users", "?withPublic=%00",
	"?withoutDefault=maybe", "?gcube-token=%00", "?session=%00", "?" + strings.Repeat("&", 8_000),
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	everyDoor(t, func(v *victim) {
		for _, r := range v.routes() {
			given := map[string]string{}
			if r.Method != "GET" {
				given = v.absent()
			}
			for _, q := range badQueries {
				v.take(v.asRoot(request{method: r.Method, path: v.fill(r.Pattern, given) + q}))
			}
		}
	})
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	everyDoor(t, func(v *victim) {
		for _, r := range v.routes() {
			for _, method := range []string{"HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get", "FOO"} {
				path := v.fill(r.Pattern, nil)
				a := v.take(v.asRoot(request{method: method, path: path, body: "{}"}))
				if method != "OPTIONS" && a.status != v.noRoute[1] {
					v.t.Errorf("%s %s: %s", method, path, a)
				}
				if b := v.take(request{method: method, path: path}); b.status != a.status { // nobody is asked who they are for this
					v.t.Errorf("%s %s by nobody: %s, by somebody: %s", method, path, b, a)
				}
			}
		}
	})
}

func TestBadCredentials(t *testing.T) {
	t.Parallel()
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	headers := []map[string]string{{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer  "}, {"Authorization": "Bearer x"},
		{"Authorization": "Bearer " + strings.Repeat("x", 9_000)}, {"Authorization": "Bearer é\u00ff"}, {"Authorization": "Bearer " + rootSecret + "x"}, {"Authorization": "Basic !!!"},
		{"Authorization": basic("no colon")}, {"Authorization": basic(":")}, {"Authorization": basic("admin:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
		{"Authorization": basic("admin:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}, {"Authorization": basic(rootSecret + ":admin")},
		{"Authorization": "Digest username=\"admin\""}, {"Authorization": "rst_" + strings.Repeat("0", 36)}, {"Session-Token": "x"}, {"gcube-token": "x"}, {"Cookie": "jwt_token=x"}}
	everyDoor(t, func(v *victim) {
		for _, r := range v.routes() {
			for _, h := range headers {
				if r.Open {
					continue
				}
				req := request{method: r.Method, path: v.fill(r.Pattern, nil), header: h, body: soundBodies[v.name][r.Method+" "+r.Pattern]}
				if a := v.take(req); a.status != 401 {
					v.t.Errorf("%s %v: %s", req, h, a)
				}
			}
		}
	})
}

// TestUpperCase finds things by UUIDs in capitals, where a door has UUIDs.
func TestUpperCase(t *testing.T) {
	t.Parallel()
	everyDoor(t, func(v *victim) {
		for _, r := range v.routes() {
			if r.Method != "GET" || !strings.Contains(r.Pattern, "{id}") {
				continue
			}
			path := v.fill(r.Pattern, nil)
			a := v.take(v.asRoot(request{method: "GET", path: path}))
			b := v.take(v.asRoot(request{method: "GET", path: strings.Replace(path, v.vars["id"], strings.ToUpper(v.vars["id"]), 1)}))
			if a.status != 200 || b.status != 200 || a.body != b.body {
				v.t.Errorf("%s: %s, in capitals %s", path, a, b)
			}
		}
	})
}

// TestHostileHeaders sends what proxies and browsers may put beside a request, and what nobody should.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	everyDoor(t, func(v *victim) {
		for _, r := range v.routes() {
			if r.Method != "GET" {
				continue
			}
			for _, h := range []map[string]string{{"Accept": "text/html"}, {"Accept": strings.Repeat("text/html,", 500)}, {"Accept-Language": "fr;q=x, " + strings.Repeat("en,", 500)},
				{"X-Request-Id": "<script>\t\"x\""}, {"X-Request-Id": strings.Repeat("x", 9_000)}, {"Origin": "null"}, {"If-Unmodified-Since": "yesterday"}, {"Range": "bytes=0-1"},
				{"Accept-Encoding": "br, zstd, *;q=0"}, {"X-Forwarded-Proto": "javascript"}, {"User-Agent": "\u00ff\u00fe"}} {
				req := v.asRoot(request{method: "GET", path: v.fill(r.Pattern, nil), header: h})
				if a := v.take(req); a.status != 200 {
					v.t.Errorf("%s %v: %s", req, h, a)
				}
			}
		}
	})
}
