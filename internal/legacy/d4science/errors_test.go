package d4science_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/d4science"
	"roster/internal/legacy/legacytest"
)

const backendError = "org.gcube.common.storagehub.model.exceptions.BackendGenericError"

// isFailure reports whether a body is gXREST's error object with exactly its keys.
func isFailure(body string) bool {
	var m map[string]any
	if json.Unmarshal([]byte(body), &m) != nil || len(m) != 4 {
		return false
	}
	message, ok := m["message"].(string)
	return ok && message != "" && m["id"] == -1.0 && m["exceptionClass"] == backendError && m["encodedTrace"] == ""
}

// isText reports whether a body is what gXREST's reader takes for an error in plain text: three parts, none of Java's dropped.
func isText(body string) bool {
	parts := strings.Split(body, "@")
	return len(parts) == 3 && parts[0] == backendError && parts[2] != ""
}

func TestEveryCodeHasAnAnswer(t *testing.T) {
	t.Parallel()
	want := map[directory.Code]int{
		directory.Unauthenticated: 401, directory.Forbidden: 403, directory.NotFound: 406, directory.Invalid: 406, directory.Conflict: 406,
		directory.LastAdmin: 406, directory.LimitExceeded: 413, directory.TooManyRequests: 429, directory.ResyncRequired: 406, directory.Unavailable: 503, directory.Internal: 500,
	}
	door := d4science.New(nil)
	for _, code := range directory.Codes {
		for _, message := range []string{"What happened.", "No user a@b.example@c.", ""} {
			err := &directory.Error{Code: code, Message: message, Cause: errors.New("SELECT the cause")}
			rec := legacytest.Fail(door, err, "Accept: application/json")
			if message != "" && (rec.Code != want[code] || !isFailure(rec.Body.String()) || rec.Header().Get("Content-Type") != "application/json") {
				t.Errorf("%s: %d %s", code, rec.Code, rec.Body)
			}
			rec = legacytest.Fail(door, err, "Accept: text/plain")
			if rec.Code != want[code] || !isText(rec.Body.String()) || rec.Header().Get("Content-Type") != "text/plain" {
				t.Errorf("%s: %d %s", code, rec.Code, rec.Body)
			}
			if strings.Contains(rec.Body.String(), "SELECT") {
				t.Errorf("%s tells the cause: %s", code, rec.Body)
			}
		}
	}
}

func TestOtherErrors(t *testing.T) {
	t.Parallel()
	door := d4science.New(nil)
	for _, c := range []struct {
		err    error
		status int
		allow  string
	}{
		{&legacy.RouteError{}, 404, ""},
		{&legacy.RouteError{KnownPath: true, Allow: []string{"GET", "PUT"}}, 405, "GET, PUT"},
		{errors.New("pq: password of roster is wrong"), 500, ""},
	} {
		rec := legacytest.Fail(door, c.err)
		if rec.Code != c.status || !isFailure(rec.Body.String()) || rec.Header().Get("Allow") != c.allow || strings.Contains(rec.Body.String(), "pq") {
			t.Errorf("%v: %d %v %s", c.err, rec.Code, rec.Header(), rec.Body)
		}
	}
}

func TestFormOfErrors(t *testing.T) {
	t.Parallel()
	door := d4science.New(nil)
	for accept, text := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/plain": true, "Text/Plain;q=0.9, */*;q=0.1": true, "text/plain, application/json": false,
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2": false,
	} {
		body := legacytest.Fail(door, &legacy.RouteError{}, "Accept: "+accept).Body.String()
		if isText(body) != text || isFailure(body) == text {
			t.Errorf("Accept: %s: %s", accept, body)
		}
	}
}
