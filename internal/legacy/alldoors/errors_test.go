package alldoors_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
)

// system is what the documentation says of the refusals of one system.
type system struct {
	statuses   map[directory.Code]int
	exceptions map[string]int    // statuses of codes on a field that have one of their own
	required   []string          // keys of the envelope, in every refusal
	optional   []string          // keys of the envelope, in some
	message    string            // the key of the sentence
	noRoute    [2]int            // the statuses of an unknown path and of a wrong method
	bare       bool              // both without a body
	text       bool              // whoever accepts only plain text gets it, in three parts
	paths      map[string]string // unknown paths, and known ones with a method that they do not have
	own        string            // a path of the door's own, for errors that are put there
	jsonType   string
}

// codes are the statuses in the order of directory.Codes.
func codes(statuses ...int) map[directory.Code]int {
	out := map[directory.Code]int{}
	for i, c := range directory.Codes {
		out[c] = statuses[i]
	}
	return out
}

var systems = map[string]system{
	"cds": {
		statuses: codes(401, 403, 404, 400, 409, 400, 400, 503, 400, 503, 500), required: []string{"id", "message", "data", "uuid"}, message: "message",
		exceptions: map[string]int{"INVALID by.name": 404, "INVALID input.group": 404, "INVALID input.group.name": 404, "INVALID input.users[2].username": 404},
		noRoute:    [2]int{404, 404}, paths: map[string]string{"/group/a/b/c/d/e": "GET", "/group/public": "DELETE", "/group": "PATCH", "/group/": "GET"},
		own: "/group/x", jsonType: "application/json",
	},
	"entrust": {
		statuses: codes(401, 403, 404, 400, 409, 409, 400, 429, 400, 503, 500), required: []string{"errorCode", "errorMessage", "parameters"}, message: "errorMessage",
		noRoute: [2]int{404, 405}, paths: map[string]string{"/api/web/v1/nothing": "GET", "/api/web/v1/groups": "DELETE", "/api/web/v1/groupspaged": "GET"},
		own: "/api/web/v1/x", jsonType: "application/json",
	},
	"authress": {
		statuses: codes(401, 403, 404, 400, 409, 409, 413, 429, 400, 503, 500), required: []string{"title"}, optional: []string{"errorCode", "errorId"}, message: "title",
		exceptions: map[string]int{"CONFLICT unmodifiedSince": 412}, noRoute: [2]int{404, 404}, bare: true, paths: map[string]string{"/v1/nothing": "GET", "/v1/groups": "DELETE", "/v1/groups/": "GET"},
		own: "/v1/x", jsonType: "application/json",
	},
	"d4science": {
		statuses: codes(401, 403, 406, 406, 406, 406, 413, 429, 406, 503, 500), required: []string{"id", "message", "exceptionClass", "encodedTrace"}, message: "message",
		exceptions: map[string]int{"INVALID contentType": 415}, noRoute: [2]int{404, 405}, text: true, paths: map[string]string{"/workspace/nothing": "GET", "/storagehub": "GET", "/groups": "DELETE", "/groups/a/users": "POST"},
		own: "/groups/x", jsonType: "application/json",
	},
	"enterprisetester": {
		statuses: codes(401, 403, 404, 403, 403, 403, 403, 429, 403, 503, 500), required: []string{"Message"}, message: "Message",
		noRoute: [2]int{404, 405}, paths: map[string]string{"/api": "GET", "/api/projects": "GET", "/api/groups": "PATCH"},
		own: "/api/x", jsonType: "application/json; charset=utf-8",
	},
}

// secret is in every cause, and may be in no answer.
const secret = "pq: password hunter2 of <b>roster</b> is wrong"

// envelope says what is wrong with a refusal's form; "" is nothing.
func (s system) envelope(a answer) string {
	var keys map[string]any
	if err := json.Unmarshal([]byte(a.body), &keys); err != nil {
		return "it is not JSON"
	}
	if a.header.Get("Content-Type") != s.jsonType {
		return "its type is " + a.header.Get("Content-Type")
	}
	for _, k := range s.required {
		if _, ok := keys[k]; !ok {
			return "it lacks " + k
		}
	}
	for k := range keys {
		if !slices.Contains(s.required, k) && !slices.Contains(s.optional, k) {
			return "it has a key " + k
		}
	}
	if text, _ := keys[s.message].(string); text == "" {
		return "it says nothing"
	}
	return clean(a)
}

// plain looks at a refusal for a client that accepts plain text alone, where the system has such a form.
func (s system) plain(a answer, status int) string {
	a.body = strings.ReplaceAll(a.body, "<happened>", "")
	parts := strings.Split(a.body, "@")
	if a.status != status || (s.text && (a.header.Get("Content-Type") != "text/plain" || len(parts) != 3 || parts[0] == "" || parts[2] == "")) {
		return a.String()
	}
	return clean(a)
}

// clean says what no answer may hold, whatever its form.
func clean(a answer) string {
	for _, bad := range []string{"hunter2", "<html", "<!doctype", "<b>", "goroutine ", ".go:", "panic"} {
		if strings.Contains(strings.ToLower(a.body), bad) {
			return "it holds " + bad
		}
	}
	if strings.Contains(a.header.Get("Content-Type"), "html") {
		return "it is HTML"
	}
	return ""
}

// failing serves a door whose every request on path meets the error, and all doors beside it.
func failing(t *testing.T, d one, path string, log io.Writer, fail func() error) func(r request) answer {
	t.Helper()
	door := d.door
	door.Routes = []legacy.Route{{Operation: "fail", Method: "GET", Pattern: path, Open: true, Handle: func(http.ResponseWriter, *legacy.Request) error { return fail() }}}
	m := legacy.Mount(door, legacy.Setting{}, legacy.Deps{Log: slog.New(slog.NewTextHandler(log, nil))})
	h := auth.RequestIDs(legacy.Serve([]*legacy.Mounted{m}, http.NotFoundHandler()))
	return func(r request) answer {
		hr := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
		for name, value := range r.header {
			hr.Header.Set(name, value)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, hr)
		return answer{rec.Code, rec.Header(), rec.Body.String()}
	}
}

// fieldsOfErrors are where the directory finds faults: doors look at them to tell refusals apart.
var fieldsOfErrors = []string{"", "body", "by.name", "group", "input.group", "input.group.name", "input.name", "input.users", "input.users[2].username",
	"input.admins", "input.members[0]", "input.expectedVersion", "input.tags[1].key", "filter.or[0].search", "after", "limit", "path.groupID",
	"unmodifiedSince", "contentType"}

// TestEveryErrorEverywhere puts every code of the directory, with every field, through every door.
func TestEveryErrorEverywhere(t *testing.T) {
	t.Parallel()
	for _, d := range all(nil) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			var err error
			log := &logged{}
			s := systems[d.name]
			send := failing(t, d, s.own, log, func() error { return err })
			for _, code := range directory.Codes {
				for _, field := range fieldsOfErrors {
					err = &directory.Error{Code: code, Field: field, Message: "What <happened> & \"why\".", Cause: errors.New(secret)}
					a := send(request{method: "GET", path: s.own})
					a.body = strings.ReplaceAll(a.body, "<happened>", "") // a sentence of ours, as JSON: no HTML by its type
					if want := s.status(code, field); a.status != want || s.envelope(a) != "" {
						t.Errorf("%s on %q: %s: not %d, or %s", code, field, a, want, s.envelope(a))
					}
					if wrong := s.plain(send(request{method: "GET", path: s.own, header: map[string]string{"Accept": "text/plain"}}), s.status(code, field)); wrong != "" {
						t.Errorf("%s on %q, for who accepts plain text: %s", code, field, wrong)
					}
					if !documented(t, d.spec, a.status) {
						t.Errorf("%s on %q: %d is documented for no operation", code, field, a.status)
					}
				}
			}
			ours := strings.Count(log.String(), "level=ERROR")
			if want := 2 * 2 * len(fieldsOfErrors); ours != want || !strings.Contains(log.String(), "hunter2") {
				t.Errorf("%d errors were logged, not the %d of INTERNAL and UNAVAILABLE: %s", ours, want, log)
			}
		})
	}
}

// status is the documented one of a code on a field.
func (s system) status(code directory.Code, field string) int {
	if own, ok := s.exceptions[string(code)+" "+field]; ok {
		return own
	}
	return s.statuses[code]
}

// documented reports whether some operation of a door's document has the status.
func documented(t *testing.T, spec []byte, status int) bool {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(spec, &doc); err != nil {
		t.Fatal(err)
	}
	for _, methods := range doc.Paths {
		for _, op := range methods {
			if op.Responses[strconv.Itoa(status)] != nil || op.Responses["default"] != nil {
				return true
			}
		}
	}
	return false
}

// TestOtherErrorsEverywhere puts through every door what is none of the directory's errors: a bare one, a panic, D4Science's plain
// text, French.
func TestOtherErrorsEverywhere(t *testing.T) {
	t.Parallel()
	for _, d := range all(nil) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := systems[d.name]
			for name, fail := range map[string]func() error{
				"bare": func() error { return errors.New(secret) }, "panic": func() error { panic(secret) }, "panic with an error": func() error { panic(errors.New(secret)) },
			} {
				log := &logged{}
				send := failing(t, d, s.own, log, fail)
				if a := send(request{method: "GET", path: s.own}); a.status != 500 || s.envelope(a) != "" {
					t.Errorf("%s: %s: %s", name, a, s.envelope(a))
				}
				if a := send(request{method: "GET", path: s.own, header: map[string]string{"Accept": "text/plain", "Accept-Language": "fr"}}); a.status != 500 || clean(a) != "" {
					t.Errorf("%s: %s: %s", name, a, clean(a))
				}
				if strings.Count(log.String(), "level=ERROR") != 2 {
					t.Errorf("%s was not logged once a request: %s", name, log)
				}
			}
		})
	}
}

// TestNoRoute asks for paths that no operation has, and for methods that a path does not have, of all doors in one place.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, s := range systems {
		for path, method := range s.paths {
			status := s.noRoute[0]
			if method != "GET" || path == "/api/web/v1/groupspaged" {
				status = s.noRoute[1]
			}
			for _, credential := range []string{"", rootSecret} { // who asks does not matter
				r := request{method: method, path: path}
				if credential != "" {
					r = authorised(w.nameOfDoor(name), credential, r)
				}
				a := w.send(r)
				wrong := clean(a)
				if !s.bare {
					wrong = s.envelope(a)
				} else if a.body != "" {
					wrong = "it has a body"
				}
				if a.status != status || wrong != "" || (a.status == 405) != (a.header.Get("Allow") != "") {
					t.Errorf("%s %s: %s: not %d, or %s", method, path, a, status, wrong)
				}
			}
		}
	}
	if a := w.send(request{method: "GET", path: "/nothing"}); a.status != 404 || a.body != nobodys {
		t.Errorf("what is no door's: %s", a)
	}
}

// nameOfDoor is the directory's name of a door.
func (w *world) nameOfDoor(name string) directory.Door {
	for i, d := range all(nil) {
		if d.name == name {
			return w.doors[i].Name
		}
	}
	return ""
}
