package enterprisetester

import (
	"errors"
	"net/http"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// statuses are the directory's codes on this wire: what is wrong with the data, or clashes with what is there, is 403 for groups
// ("Common rules").
var statuses = map[directory.Code]int{
	directory.Unauthenticated: http.StatusUnauthorized,
	directory.Forbidden:       http.StatusForbidden,
	directory.NotFound:        http.StatusNotFound,
	directory.Invalid:         http.StatusForbidden,
	directory.Conflict:        http.StatusForbidden,
	directory.LastAdmin:       http.StatusForbidden,
	directory.LimitExceeded:   http.StatusForbidden,
	directory.TooManyRequests: http.StatusTooManyRequests,
	directory.ResyncRequired:  http.StatusForbidden,
	directory.Unavailable:     http.StatusServiceUnavailable,
	directory.Internal:        http.StatusInternalServerError,
}

// fail answers an error as {"Message":"…"}.
func fail(w http.ResponseWriter, _ *legacy.Request, err error) {
	var route *legacy.RouteError
	if errors.As(err, &route) {
		noRoute(w, route)
		return
	}
	e := directory.AsError(err)
	if e.Code == directory.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Basic realm="Enterprise Tester"`)
	}
	status := statuses[e.Code]
	if legacy.Unmatched(e) {
		status = http.StatusPreconditionFailed
	}
	write(w, status, message(e))
}

// fields are the names on this wire of the values that the directory finds fault with.
var fields = strings.NewReplacer("input.name", "Name", "input.description", "Description", "input.members", "Items")

// message is the directory's sentence, after the name of the value at fault where there are several.
func message(e *directory.Error) string {
	if e.Code == directory.Invalid || strings.Contains(e.Field, "[") {
		if field := fields.Replace(e.Field); field != e.Field {
			return field + ": " + e.Message
		}
	}
	return e.Message
}

// noRoute answers for what no operation is.
func noRoute(w http.ResponseWriter, e *legacy.RouteError) {
	if e.KnownPath {
		w.Header().Set("Allow", strings.Join(e.Allow, ", "))
		write(w, http.StatusMethodNotAllowed, "The resource does not support this method.")
		return
	}
	write(w, http.StatusNotFound, "There is no such resource.")
}

func write(w http.ResponseWriter, status int, message string) {
	// A string always marshals.
	_ = legacy.WriteJSON(w, status, jsonType, problem{message})
}

func invalid(field, message string) error {
	return &directory.Error{Code: directory.Invalid, Field: field, Message: message}
}
