package cds_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/cds"
	"roster/internal/legacy/legacytest"
)

func open(dir *directory.Service) legacy.Door {
	return cds.New(dir, cds.Config{DefaultGroup: "everybody"})
}

var masks = []legacytest.Mask{
	{Name: "uuid", Pattern: regexp.MustCompile(`"uuid":"([0-9a-f-]{36})"`)},
	{Name: "prefix", Pattern: regexp.MustCompile(`"token":"(rst_[0-9A-Za-z]{4})\*{8}"`)},
	{Name: "nanoseconds", Pattern: regexp.MustCompile(`X-Api-(?:Nanoseconds|Process)-Time: (\d+)`)},
	{Name: "seconds", Pattern: regexp.MustCompile(`Etag: (\d{10})\n`)},
}

var everyAnswer = []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "X-Api-Time",
	"X-Api-Nanoseconds-Time", "X-Api-Process-Time", "Etag"}

func TestScenarios(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, legacytest.Kit{Door: open, Masks: masks, Hide: everyAnswer, OpenAPI: cds.OpenAPI()}, "testdata")
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, legacytest.Kit{Door: open, Masks: masks, OpenAPI: cds.OpenAPI()}, "testdata/headers")
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	legacytest.CheckOpenAPI(t, open(nil), cds.OpenAPI())
}

// envelope is CDS's error, strictly.
type envelope struct {
	ID      int     `json:"id"`
	Message string  `json:"message"`
	Data    *string `json:"data"`
	UUID    string  `json:"uuid"`
}

func decode(body string) (envelope, error) {
	var e envelope
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return e, err
	}
	if e.ID == 0 || e.Message == "" || len(e.UUID) != 36 || !strings.Contains(body, `"data":null`) {
		return e, fmt.Errorf("an incomplete envelope: %s", body)
	}
	return e, nil
}

// TestErrors walks every code of the directory, and the rows of the table that look at more than the code.
func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("postgres://user:secret@db")
	byCode := map[directory.Code][2]int{ // status, id
		directory.Unauthenticated: {401, 10}, directory.Forbidden: {403, 11}, directory.NotFound: {404, 20}, directory.Invalid: {400, 74},
		directory.Conflict: {409, 33}, directory.LastAdmin: {400, 34}, directory.LimitExceeded: {400, 74},
		directory.TooManyRequests: {503, 60}, directory.ResyncRequired: {400, 74}, directory.Unavailable: {503, 60}, directory.Internal: {500, 1},
	}
	for _, code := range directory.Codes {
		want, ok := byCode[code]
		if !ok {
			t.Errorf("%s has no place in CDS's envelope", code)
		}
		check(t, &directory.Error{Code: code, Message: "In words.", Cause: cause}, want[0], want[1])
	}
	for _, c := range []struct {
		code       directory.Code
		field      string
		status, id int
	}{
		{directory.Forbidden, "group", 403, 151},
		{directory.NotFound, "input.users[1]", 404, 38},
		{directory.NotFound, "input.members[1]", 404, 38},
		{directory.NotFound, "input.admins[1]", 404, 38},
		{directory.NotFound, "input.group", 404, 20},
		{directory.LastAdmin, "input.admins", 400, 63},
		{directory.LastAdmin, "input.users", 400, 34},
		{directory.Invalid, "input.name", 400, 32},
		{directory.Invalid, "by.name", 404, 20},
		{directory.Invalid, "input.group.name", 404, 20},
		{directory.Invalid, "input.users[0].username", 404, 38},
		{directory.Invalid, "input.users", 400, 74},
		{directory.Invalid, "body", 400, 74},
	} {
		check(t, &directory.Error{Code: c.code, Field: c.field, Message: "In words.", Cause: cause}, c.status, c.id)
	}
	check(t, &legacy.RouteError{KnownPath: true}, 404, 38)
	check(t, &legacy.RouteError{}, 404, 38)
	check(t, cause, 500, 1)
	check(t, context.DeadlineExceeded, 503, 60)
}

func check(t *testing.T, err error, status, id int) {
	t.Helper()
	words := map[string]bool{}
	for _, language := range []string{"en", "fr"} {
		rec := legacytest.Fail(open(nil), err, "Accept-Language: "+language)
		e, derr := decode(rec.Body.String())
		if derr != nil || rec.Code != status || e.ID != id || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %s (%v), want %d with id %d", err, rec.Code, rec.Body, derr, status, id)
		}
		if strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("%v: tells the cause: %s", err, rec.Body)
		}
		words[e.Message] = true
	}
	if len(words) != 2 {
		t.Errorf("%v: no French: %v", err, words)
	}
}

// world is a directory with a group and people of every standing.
func world(t testing.TB) *legacytest.World {
	w := legacytest.New(t, legacytest.Kit{Door: open, Masks: masks})
	for _, step := range []string{"user alice", "user bob", "user carol", "group acme admins=alice members=bob", "group other admins=carol",
		"token ci group=acme", "action build group=acme", "model go group=acme"} {
		w.Step(strings.Fields(step))
	}
	return w
}

// TestBadInput sends what no client should: a refusal in CDS's words each time, and nothing has changed.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := world(t)
	before := w.State()
	refused := func(name, request string) {
		t.Helper()
		answer := w.Send(request)
		status, header, body := legacytest.Answer(answer)
		_, err := decode(body)
		if status < 400 || status > 499 || header.Get("Content-Type") != "application/json" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, answer)
		}
		if after := w.State(); after != before {
			t.Fatalf("%s changed something:\n%s\nwas\n%s", name, after, before)
		}
	}
	bodies := map[string]string{
		"empty": "Content-Length: 0\n\n", "truncated": "\n{\"name\":\"x", "text": "\nhello", "number": "\n7", "string": "\n\"x\"", "bool": "\ntrue",
		"not UTF-8": "\n{\"name\":\"{{hex c3 28}}\",\"admins\":[{\"username\":\"alice\"}]}", "NUL": "\n{\"name\":\"a\\u0000b\",\"admins\":[{\"username\":\"alice\"}]}",
		"wrong types": "\n{\"name\":[],\"admins\":{},\"expiration\":{}}", "overflow": "\n{\"id\":99999999999999999999,\"name\":\"x\"}",
		"fraction": "\n{\"id\":1.5,\"name\":\"x\"}", "two values": "\n{\"name\":\"x\"}{}", "comma": "\n[\"bob\",]", "lone surrogate in a list": "\n[\"\\ud800\"]",
		"deep": "\n{{repeat 100000 [}}", "form": "Content-Type: application/x-www-form-urlencoded\n\nname=x", "XML": "Content-Type: text/xml\n\n<group/>",
		"multipart": "Content-Type: multipart/form-data; boundary=b\n\n--b--", "huge": "\n{\"name\":\"{{repeat 8388608 x}}\"}",
		"many": "\n[\"bob\"{{repeat 10000 ,\"bob\"}}]", "chunked": "Transfer-Encoding: chunked\n\n2\r\n{]\r\n0\r\n\r\n",
		"byte order mark": "\n{{hex ef bb bf}}{\"name\":\"x\"}",
	}
	for _, route := range []string{"POST /group", "PUT /group/acme", "POST /group/acme/user", "POST /group/acme/token"} {
		for name, body := range bodies {
			refused(route+" "+name, route+" HTTP/1.1\nSession-Token: {{alice.secret}}\n"+body)
		}
	}
	long := strings.Repeat("x", 5000)
	for _, path := range []string{"a%2Fb", "a+b", "a%00b", "%ff%fe", "%F0%9F%92%A9", "%20", ".", "..", "%2e%2e", long, "9223372036854775808", "-1",
		"018F3C2A-7B1E-7C3D-8E4F-0123456789AB", "grp_01h455vb4pex5vsknk084sn02q", "'%3B--", "acme%0d%0aX:1"} {
		for _, route := range []string{"GET /group/%s", "DELETE /group/%s", "PUT /group/%s", "POST /group/%s/user", "GET /group/%s/token", "POST /group/%s/token",
			"DELETE /group/%s/token/1", "DELETE /group/acme/user/%s", "POST /group/acme/user/%s/admin", "DELETE /group/acme/user/%s/admin",
			"GET /group/%s/action", "GET /group/%s/worker/model", "GET /group/acme/%s", "GET /group/acme/token/%s/x"} {
			request := fmt.Sprintf(route, path) + "?x=%00&session=&limit=abc HTTP/1.1\nSession-Token: {{alice.secret}}\n"
			if strings.HasPrefix(route, "P") {
				request += "\n{}"
			}
			refused(request[:min(80, len(request))], request)
		}
	}
	if p := w.Problems(); len(p) > 0 {
		t.Errorf("the door logged: %v", p)
	}
}

// TestUnavailable asks when time is out: the envelope of CDS, and no word of why.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	w := world(t)
	by := w.Caller("alice", directory.DoorCDS)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Dir.RequireGroup(ctx, by, directory.GroupByName("acme"), directory.Selection{})
	rec := legacytest.Fail(w.Door, err)
	if e, derr := decode(rec.Body.String()); derr != nil || rec.Code != http.StatusServiceUnavailable || e.ID != 60 {
		t.Errorf("%d %s %v", rec.Code, rec.Body, derr)
	}
}

// FuzzBodies sends any body to every route that reads one: an answer of CDS's, never our fault, and the directory stands.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"id":0,"name":"acme-2"}`, `["bob","carol"]`, `{"expiration":"session","description":"x"}`,
		`{"name":"acme","admins":[{"username":"alice"}],"users":[{"username":"bob","favorites":[{"project_ids":[1]}]}]}`, `{"name":"a\u0000"}`, "\xff", `[[[`,
		`{"name":"acme","admins":[{"username":"alice"}],"tokens":[{"created":"2019-08-20T12:00:00.123456Z"}]}`} {
		for route := range uint8(4) {
			f.Add(route, body)
		}
	}
	w := world(f)
	f.Fuzz(func(t *testing.T, n uint8, body string) {
		w.T = t
		route := []string{"POST /group", "PUT /group/acme", "POST /group/acme/user", "POST /group/acme/token"}[n%4]
		raw := fmt.Sprintf("%s HTTP/1.1\r\nHost: roster.example\r\nSession-Token: %s\r\nContent-Length: %d\r\n\r\n%s", route, w.Value("root.secret"), len(body), body)
		answer := w.Raw(raw)
		status, _, text := legacytest.Answer(answer)
		if status >= 500 || status < 200 {
			t.Fatalf("%s\n%s", route, answer)
		}
		if status >= 400 {
			if _, err := decode(text); err != nil {
				t.Fatalf("%s: %v\n%s", route, err, answer)
			}
		}
		if p := w.Problems(); len(p) > 0 {
			t.Fatal(p)
		}
	})
}
