package entrust_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/entrust"
	"roster/internal/legacy/legacytest"
)

// envelope is an ErrorInfo with exactly its keys.
var envelope = regexp.MustCompile(`^\{"errorCode":"[a-z_]+","errorMessage":"[^"]+","parameters":\[\]\}$`)

func TestEveryCodeHasAnAnswer(t *testing.T) {
	t.Parallel()
	want := map[directory.Code]int{
		directory.Unauthenticated: 401, directory.Forbidden: 403, directory.NotFound: 404, directory.Invalid: 400, directory.Conflict: 409,
		directory.LastAdmin: 409, directory.LimitExceeded: 400, directory.TooManyRequests: 429, directory.ResyncRequired: 400, directory.Unavailable: 503, directory.Internal: 500,
	}
	door := entrust.New(nil)
	for _, code := range directory.Codes {
		rec := legacytest.Fail(door, &directory.Error{Code: code, Message: "What happened.", Cause: errors.New("SELECT the cause")})
		if body := rec.Body.String(); rec.Code != want[code] || !envelope.MatchString(body) || strings.Contains(body, "SELECT") {
			t.Errorf("%s: %d %s", code, rec.Code, body)
		}
	}
}

func TestEveryErrorCodeIsDocumented(t *testing.T) {
	t.Parallel()
	var doc struct {
		Components struct {
			Schemas struct {
				ErrorInfo struct {
					Properties struct{ ErrorCode struct{ Enum []string } }
				}
			}
		}
	}
	if err := json.Unmarshal(entrust.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	documented := strings.Join(doc.Components.Schemas.ErrorInfo.Properties.ErrorCode.Enum, " ")
	var failures []error
	for _, code := range directory.Codes {
		failures = append(failures, &directory.Error{Code: code, Message: "."})
	}
	for _, err := range append(failures, &legacy.RouteError{}, &legacy.RouteError{KnownPath: true}, errors.New("anything")) {
		var info struct{ ErrorCode string }
		if jerr := json.Unmarshal(legacytest.Fail(entrust.New(nil), err).Body.Bytes(), &info); jerr != nil || !strings.Contains(documented, info.ErrorCode) {
			t.Errorf("%v: %q is not documented (%v)", err, info.ErrorCode, jerr)
		}
	}
}
