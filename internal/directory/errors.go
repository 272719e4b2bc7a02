package directory

import (
	"context"
	"errors"
	"fmt"

	"roster/db"
)

// Code says what kind of failure an error is. Each door maps every code to its own wire.
type Code string

// What can go wrong.
const (
	Unauthenticated Code = "UNAUTHENTICATED"   // no credential, or one that is unknown, expired or revoked
	Forbidden       Code = "FORBIDDEN"         // the caller may see the thing, but not do this to it
	NotFound        Code = "NOT_FOUND"         // there is none, or none that the caller may see
	Invalid         Code = "INVALID"           // the input breaks a rule; Field says which
	Conflict        Code = "CONFLICT"          // a name is taken, or a version is not the expected one
	LastAdmin       Code = "LAST_ADMIN"        // the group would be left without an admin
	LimitExceeded   Code = "LIMIT_EXCEEDED"    // more than a limit allows, the caller's own atMost included
	TooManyRequests Code = "TOO_MANY_REQUESTS" // the caller has used up its rate
	ResyncRequired  Code = "RESYNC_REQUIRED"   // a cursor of the change log that there is no going on from; Cursor is where to start anew
	Unavailable     Code = "UNAVAILABLE"       // Postgres is away or too slow; the same request may succeed later
	Internal        Code = "INTERNAL"          // a bug; the cause is in the log
)

// Codes are all codes, for the tests that walk every door's table.
var Codes = []Code{Unauthenticated, Forbidden, NotFound, Invalid, Conflict, LastAdmin, LimitExceeded, TooManyRequests, ResyncRequired, Unavailable, Internal}

// Error is what every method of this package fails with. Message is written for the person who sent the request and holds
// nothing secret; the cause, if any, is for the log.
type Error struct {
	Code    Code
	Message string
	Field   string // path of the input field at fault, such as "input.users[2].username"; "" if it is none
	Version int    // with Conflict on expectedVersion: the version that there is
	Cursor  string // with an error that ends a feed of changes: where to go on from
	Cause   error
	Limit   string  // the limit that was hit, for metrics; "" where Code says all that there is to say
	Denial  *Denial // of FORBIDDEN, UNAUTHENTICATED, and NOT_FOUND for what is not to be seen; nil if there is no more to say than Message
}

func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		text = string(e.Code) + " " + e.Field + ": " + e.Message
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// reason is why access was refused: by the table, or else in the words that the client hears. nil if it was not.
func (e *Error) reason() *Denial {
	if e.Denial == nil && (e.Code == Forbidden || e.Code == Unauthenticated) {
		return &Denial{Because: []string{e.Message}}
	}
	return e.Denial
}

// Reason is why access was refused; nil if it was not. Of NOT_FOUND it tells whether there may have been something to see.
func Reason(err error) *Denial { return AsError(err).reason() }

func (e *Error) Unwrap() error { return e.Cause }

// CodeOf is the code of an error; Internal for one that is not ours.
func CodeOf(err error) Code { return AsError(err).Code }

// RetryAfter is how many seconds to wait before a request that was UNAVAILABLE is sent again: the value of the header of that name (RFC
// 9110 §10.2.3). Most of what makes it so, such as a lock or a server that starts anew, is over by then.
const RetryAfter = "1"

// AsError is err as an *Error; one that is not ours becomes Internal, or Unavailable if the database or the clock is to blame.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	limit := ""
	if errors.Is(err, context.DeadlineExceeded) {
		limit = "time"
	}
	var de *db.Error
	if errors.As(err, &de) && (de.Kind == db.Unavailable || de.Kind == db.Timeout || de.Kind == db.Retry) {
		return &Error{Code: Unavailable, Message: "The directory is busy or its database is away. Try again.", Limit: limit, Cause: err}
	}
	if limit != "" || errors.Is(err, context.Canceled) {
		return &Error{Code: Unavailable, Message: "The request ran out of time.", Limit: limit, Cause: err}
	}
	return &Error{Code: Internal, Message: "Something went wrong on our side.", Cause: err}
}

func invalid(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

func exceeded(field, format string, args ...any) *Error {
	return &Error{Code: LimitExceeded, Field: field, Message: fmt.Sprintf(format, args...)}
}

// by names the limit that was hit.
func (e *Error) by(limit string) *Error {
	e.Limit = limit
	return e
}

func notFound(field, message string) *Error {
	return &Error{Code: NotFound, Field: field, Message: message}
}

// hides is notFound for what may be there, and is not this caller's to see.
func hides(field, message string, d AccessDecision) *Error {
	return &Error{Code: NotFound, Field: field, Message: message, Denial: denialOf(d)}
}

// unseen is NOT_FOUND for what is not there, or hidden from a caller who may not do the operation on everything.
func unseen(by Caller, op Operation, message string) *Error {
	if d := decide(by, op, &standing{}); !d.Allowed {
		return hides("", message, d)
	}
	return notFound("", message)
}

func forbidden(message string) *Error { return &Error{Code: Forbidden, Message: message} }

// constraints says what each named constraint of the schema means to the person whose input broke it.
var constraints = map[string]Error{
	"groups_name_unique":        {Code: Conflict, Field: "input.name", Message: "A group of this name exists; names are compared without case."},
	"groups_handle_unique":      {Code: Conflict, Field: "input.handle", Message: "A group of this handle exists."},
	"groups_external_id_unique": {Code: Conflict, Field: "input.externalId", Message: "A group of this externalId exists."},
	"users_username_unique":     {Code: Conflict, Field: "input.username", Message: "A user of this name exists; names are compared without case."},
	"users_external_id_unique":  {Code: Conflict, Field: "input.externalId", Message: "A user of this externalId exists."},
	"actions_group_exists":      {Code: NotFound, Field: "input.group", Message: "There is no such group."},
	"members_group_exists":      {Code: NotFound, Field: "input.group", Message: "There is no such group."},
	"members_user_exists":       {Code: NotFound, Field: "input.users", Message: "A user was deleted meanwhile."},
	"admins_group_exists":       {Code: NotFound, Field: "input.group", Message: "There is no such group."},
	"admins_user_exists":        {Code: NotFound, Field: "input.users", Message: "A user was deleted meanwhile."},
	"tokens_group_exists":       {Code: NotFound, Field: "input.group", Message: "There is no such group."},
	"tokens_user_exists":        {Code: NotFound, Field: "input.user", Message: "There is no such user."},
	"webhooks_owner_exists":     {Code: NotFound, Field: "input.enabled", Message: "Its owner was deleted meanwhile."},
	"webhooks_token_exists":     {Code: NotFound, Field: "input.enabled", Message: "The token that you use was deleted meanwhile."},
}

// explain turns a broken constraint into the rule that it stands for.
func explain(err error) error {
	var de *db.Error
	var e *Error
	if errors.As(err, &e) || !errors.As(err, &de) {
		return err
	}
	if rule, ok := constraints[de.Constraint]; ok {
		rule.Cause = err
		return &rule
	}
	if de.Kind == db.Check {
		return &Error{Code: Invalid, Message: "The input breaks a rule of the directory.", Cause: err}
	}
	return err
}
