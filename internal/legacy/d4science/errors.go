package d4science

import (
	"errors"
	"net/http"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// failure is the error object of gXREST, the platform's transport of errors (facts "Error envelope").
type failure struct {
	ID             int    `json:"id"` // -1: an exception
	Message        string `json:"message"`
	ExceptionClass string `json:"exceptionClass"`
	EncodedTrace   string `json:"encodedTrace"` // empty by default there, always here
}

// exceptionClass is a class that every client of StorageHub has.
const exceptionClass = "org.gcube.common.storagehub.model.exceptions.BackendGenericError"

// statuses say what each of the directory's errors is here: 406 for whatever the backend refuses, which is gXREST's default and
// has nothing to do with content negotiation.
var statuses = map[directory.Code]int{
	directory.Unauthenticated: http.StatusUnauthorized,
	directory.Forbidden:       http.StatusForbidden,
	directory.NotFound:        http.StatusNotAcceptable,
	directory.Invalid:         http.StatusNotAcceptable,
	directory.Conflict:        http.StatusNotAcceptable,
	directory.LastAdmin:       http.StatusNotAcceptable,
	directory.LimitExceeded:   http.StatusRequestEntityTooLarge,
	directory.TooManyRequests: http.StatusTooManyRequests,
	directory.ResyncRequired:  http.StatusNotAcceptable,
	directory.Unavailable:     http.StatusServiceUnavailable,
	directory.Internal:        http.StatusInternalServerError,
}

// fail answers an error in the form that the client asks for: JSON, or the plain text of old.
func fail(w http.ResponseWriter, r *legacy.Request, err error) {
	status, message := outcome(w, err)
	if wantsText(r.Header.Get("Accept")) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(asText(message)))
		return
	}
	_ = legacy.WriteJSON(w, status, "application/json", failure{ID: -1, Message: message, ExceptionClass: exceptionClass})
}

func outcome(w http.ResponseWriter, err error) (status int, message string) {
	var route *legacy.RouteError
	if errors.As(err, &route) {
		if !route.KnownPath {
			return http.StatusNotFound, "There is no such resource."
		}
		w.Header().Set("Allow", strings.Join(route.Allow, ", "))
		return http.StatusMethodNotAllowed, "The resource has no such method."
	}
	e := directory.AsError(err)
	if e.Code == directory.Invalid && e.Field == contentType {
		return http.StatusUnsupportedMediaType, e.Message
	}
	if e.Code == directory.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	return statuses[e.Code], e.Message
}

// asText is the plain text form: class, trace and message, joined by @. Its reader insists on three parts, so that no message may
// hold an @ of its own, and none may be empty (facts "Error envelope").
func asText(message string) string {
	if message == "" {
		message = "The request was refused."
	}
	return exceptionClass + "@@" + strings.ReplaceAll(message, "@", "(at)")
}

// wantsText reports whether an Accept header names plain text and not JSON.
func wantsText(accept string) bool {
	accept = strings.ToLower(accept)
	return strings.Contains(accept, "text/plain") && !strings.Contains(accept, "json")
}
