package authress

import (
	"errors"
	"net/http"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// responseError is the vendor's ResponseError (facts §1): title for people, errorCode for programs, errorId to find the request by.
type responseError struct {
	Title     string `json:"title"`
	ErrorCode string `json:"errorCode,omitempty"`
	ErrorID   string `json:"errorId,omitempty"`
}

// statuses say what each of the directory's errors is here. The vendor names InvalidRequest, and no errorCode for 500; the other
// names are ours.
var statuses = map[directory.Code]struct {
	status    int
	errorCode string
}{
	directory.Unauthenticated: {http.StatusUnauthorized, "Unauthorized"},
	directory.Forbidden:       {http.StatusForbidden, "Forbidden"},
	directory.NotFound:        {http.StatusNotFound, "NotFound"},
	directory.Invalid:         {http.StatusBadRequest, "InvalidRequest"},
	directory.Conflict:        {http.StatusConflict, "Conflict"},
	directory.LastAdmin:       {http.StatusConflict, "LastAdmin"},
	directory.LimitExceeded:   {http.StatusRequestEntityTooLarge, "PayloadTooLarge"},
	directory.TooManyRequests: {http.StatusTooManyRequests, "TooManyRequests"},
	directory.ResyncRequired:  {http.StatusBadRequest, "InvalidRequest"},
	directory.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailable"},
	directory.Internal:        {http.StatusInternalServerError, ""},
}

// fail answers an error. A path or method that the API does not have is 404 without a body, as in the vendor's services.
func fail(w http.ResponseWriter, r *legacy.Request, err error) {
	var route *legacy.RouteError
	if errors.As(err, &route) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	e := directory.AsError(err)
	s := statuses[e.Code]
	out := responseError{Title: title(e), ErrorCode: s.errorCode, ErrorID: r.RequestID()}
	switch {
	case e.Code == directory.Conflict && e.Field == "unmodifiedSince":
		s.status, out.ErrorCode = http.StatusPreconditionFailed, "PreconditionFailed"
	case e.Code == directory.Unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case e.Code == directory.Internal:
		out.Title = "Unexpected error"
	}
	_ = legacy.WriteJSON(w, s.status, "application/json", out)
}

// fields say where the directory's input fields are in a request.
var fields = strings.NewReplacer("input.name", "request.body.name", "input.handle", "request.body.groupId",
	"input.members", "request.body.users", "input.admins", "request.body.admins", "input.tags", "request.body.tags",
	"body", "request.body", "after", "request.query.cursor", "filter.or[0].search", "request.query.filter", ".username", ".userId")

// title is the directory's sentence, with the place of what is at fault in the request.
func title(e *directory.Error) string {
	if at := fields.Replace(e.Field); strings.HasPrefix(at, "request.") {
		return at + ": " + e.Message
	}
	return e.Message
}
