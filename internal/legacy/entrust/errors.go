package entrust

import (
	"errors"
	"net/http"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// answers are the statuses and error codes of the directory's codes: among the statuses that every operation documents, as far as
// there is one (§2, §3).
var answers = map[directory.Code]struct {
	status int
	code   string
}{
	directory.Unauthenticated: {http.StatusUnauthorized, "access_denied"},
	directory.Forbidden:       {http.StatusForbidden, "forbidden"},
	directory.NotFound:        {http.StatusNotFound, "not_found"},
	directory.Invalid:         {http.StatusBadRequest, "invalid_request"},
	directory.Conflict:        {http.StatusConflict, "conflict"},
	directory.LastAdmin:       {http.StatusConflict, "last_admin"},
	directory.LimitExceeded:   {http.StatusBadRequest, "limit_exceeded"},
	directory.TooManyRequests: {http.StatusTooManyRequests, "too_many_requests"},
	directory.ResyncRequired:  {http.StatusBadRequest, "resync_required"},
	directory.Unavailable:     {http.StatusServiceUnavailable, "service_unavailable"},
	directory.Internal:        {http.StatusInternalServerError, "internal_error"},
}

// fail answers an error as ErrorInfo.
func fail(w http.ResponseWriter, _ *legacy.Request, err error) {
	var route *legacy.RouteError
	if errors.As(err, &route) {
		noRoute(w, route)
		return
	}
	e := directory.AsError(err)
	if legacy.Unmatched(e) {
		write(w, http.StatusPreconditionFailed, "precondition_failed", message(e))
		return
	}
	a := answers[e.Code]
	write(w, a.status, a.code, message(e))
}

// message is the directory's sentence, after the name of the value at fault where there are several.
func message(e *directory.Error) string {
	field, ok := strings.CutPrefix(e.Field, "input.")
	if ok && (e.Code == directory.Invalid || strings.Contains(field, "[")) {
		return field + ": " + e.Message
	}
	return e.Message
}

// noRoute answers for what no operation is.
func noRoute(w http.ResponseWriter, e *legacy.RouteError) {
	if e.KnownPath {
		w.Header().Set("Allow", strings.Join(e.Allow, ", "))
		write(w, http.StatusMethodNotAllowed, "method_not_allowed", "There is no such operation on this path.")
		return
	}
	write(w, http.StatusNotFound, "not_found", "There is no such path.")
}

func write(w http.ResponseWriter, status int, code, message string) {
	// Two strings always marshal.
	_ = legacy.WriteJSON(w, status, jsonType, errorInfo{ErrorCode: code, ErrorMessage: message, Parameters: []struct{}{}})
}

func invalid(field, message string) error {
	return &directory.Error{Code: directory.Invalid, Field: field, Message: message}
}
