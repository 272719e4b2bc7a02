package enterprisetester_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/enterprisetester"
	"roster/internal/legacy/legacytest"
)

// envelope is the one sentence that every refusal is.
var envelope = regexp.MustCompile(`^\{"Message":"[^"]+"\}$`)

func TestEveryCodeHasAnAnswer(t *testing.T) {
	t.Parallel()
	want := map[directory.Code]int{
		directory.Unauthenticated: 401, directory.Forbidden: 403, directory.NotFound: 404, directory.Invalid: 403, directory.Conflict: 403,
		directory.LastAdmin: 403, directory.LimitExceeded: 403, directory.TooManyRequests: 429, directory.ResyncRequired: 403, directory.Unavailable: 503, directory.Internal: 500,
	}
	door := enterprisetester.New(nil)
	for _, code := range directory.Codes {
		rec := legacytest.Fail(door, &directory.Error{Code: code, Message: "What happened.", Cause: errors.New("SELECT the cause")})
		body := rec.Body.String()
		if rec.Code != want[code] || !envelope.MatchString(body) || strings.Contains(body, "SELECT") {
			t.Errorf("%s: %d %s", code, rec.Code, body)
		}
		if asks := rec.Header().Get("WWW-Authenticate") != ""; asks != (code == directory.Unauthenticated) {
			t.Errorf("%s: asks for a credential: %t", code, asks)
		}
	}
	for err, status := range map[error]int{&legacy.RouteError{}: 404, &legacy.RouteError{KnownPath: true}: 405, errors.New("SELECT anything"): 500} {
		rec := legacytest.Fail(door, err)
		if body := rec.Body.String(); rec.Code != status || !envelope.MatchString(body) || strings.Contains(body, "SELECT") {
			t.Errorf("%v: %d %s", err, rec.Code, body)
		}
	}
}
