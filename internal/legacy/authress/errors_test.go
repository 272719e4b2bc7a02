package authress_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/authress"
	"roster/internal/legacy/legacytest"
)

// envelope is a ResponseError with its keys in their order.
var envelope = regexp.MustCompile(`^\{"title":"(?:[^"\\]|\\.)+"(,"errorCode":"[A-Za-z]+")?(,"errorId":"[A-Z2-7]{26}")?\}$`)

func TestEveryCodeHasAnAnswer(t *testing.T) {
	t.Parallel()
	want := map[directory.Code]struct {
		status int
		code   string
	}{
		directory.Unauthenticated: {401, "Unauthorized"}, directory.Forbidden: {403, "Forbidden"}, directory.NotFound: {404, "NotFound"},
		directory.Invalid: {400, "InvalidRequest"}, directory.Conflict: {409, "Conflict"}, directory.LastAdmin: {409, "LastAdmin"},
		directory.LimitExceeded: {413, "PayloadTooLarge"}, directory.TooManyRequests: {429, "TooManyRequests"}, directory.ResyncRequired: {400, "InvalidRequest"},
		directory.Unavailable: {503, "ServiceUnavailable"}, directory.Internal: {500, ""},
	}
	door := authress.New(nil)
	for _, code := range directory.Codes {
		rec := legacytest.Fail(door, &directory.Error{Code: code, Message: "What happened.", Cause: errors.New("SELECT the cause")})
		body := rec.Body.String()
		named := want[code].code == "" && !strings.Contains(body, "errorCode") || strings.Contains(body, `"errorCode":"`+want[code].code+`"`)
		if rec.Code != want[code].status || !named || !envelope.MatchString(body) || strings.Contains(body, "SELECT") {
			t.Errorf("%s: %d %s", code, rec.Code, body)
		}
		if rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", code, rec.Header())
		}
	}
}

func TestOtherErrors(t *testing.T) {
	t.Parallel()
	door := authress.New(nil)
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"changed meanwhile": {&directory.Error{Code: directory.Conflict, Field: "unmodifiedSince", Message: "Changed."}, 412, `{"title":"Changed.","errorCode":"PreconditionFailed"}`},
		"a field of the input": {&directory.Error{Code: directory.Invalid, Field: "input.members[2].username", Message: "Too odd."}, 400,
			`{"title":"request.body.users[2].userId: Too odd.","errorCode":"InvalidRequest"}`},
		"no such route":  {&legacy.RouteError{}, 404, ""},
		"no such method": {&legacy.RouteError{KnownPath: true}, 404, ""},
		"what nobody expected": {errors.New("pq: password of roster is wrong"), 500,
			`{"title":"Unexpected error"}`},
	} {
		rec := legacytest.Fail(door, c.err)
		if rec.Code != c.status || rec.Body.String() != c.body {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}
