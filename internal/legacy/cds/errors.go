package cds

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// envelope is CDS's error (§1). The status is in the HTTP line alone.
type envelope struct {
	ID      int    `json:"id"`
	Message string `json:"message"`
	Data    any    `json:"data"` // always null
	UUID    string `json:"uuid"`
}

// reply is one of CDS's errors: its status, its id, its words.
type reply struct {
	status, id int
	en, fr     string
}

// The errors that these routes have (§1).
var (
	internalError    = reply{http.StatusInternalServerError, 1, "internal server error", "erreur interne"}
	notAuthenticated = reply{http.StatusUnauthorized, 10, "not authenticated", "authentification invalide"}
	forbidden        = reply{http.StatusForbidden, 11, "forbidden", "accès refusé"}
	noGroup          = reply{http.StatusNotFound, 20, "group does not exist", "le groupe n'existe pas"}
	invalidName      = reply{http.StatusBadRequest, 24, "invalid name", "le nom est invalide"}
	invalidPattern   = reply{http.StatusBadRequest, 32, "group name must respect '^[a-zA-Z0-9.-_-]{1,}$'", "le nom du groupe doit respecter '^[a-zA-Z0-9.-_-]{1,}$'"}
	groupExists      = reply{http.StatusConflict, 33, "group already exists", "le groupe existe déjà"}
	lastAdmin        = reply{http.StatusBadRequest, 34, "not enough group admin left", "pas assez d'admin restant"}
	notFound         = reply{http.StatusNotFound, 38, "resource not found", "la ressource n'existe pas"}
	unavailable      = reply{http.StatusServiceUnavailable, 60, "service currently unavailable or down for maintenance", "service indisponible ou en maintenance"}
	needAdmin        = reply{http.StatusBadRequest, 63, "need at least 1 administrator", "il faut au moins 1 administrateur"}
	wrongRequest     = reply{http.StatusBadRequest, 74, "wrong request", "la requête est incorrecte"}
	notMember        = reply{http.StatusForbidden, 151, "User is not a group's member", "L'utilisateur n'est pas membre du groupe"}
)

// row says which reply an error of the directory gets: the first row of its code whose field begins the error's, and whose
// method, if it has one, is the request's.
type row struct {
	code          directory.Code
	field, method string
	reply         reply
}

var table = []row{
	{directory.Unauthenticated, "", "", notAuthenticated},
	{directory.Forbidden, "group", "", notMember},
	{directory.Forbidden, "", "", forbidden},
	{directory.NotFound, "input.users", "", notFound},
	{directory.NotFound, "input.members", "", notFound},
	{directory.NotFound, "input.admins", "", notFound},
	{directory.NotFound, "", "", noGroup},
	{directory.Conflict, directory.OnceField, "", wrongRequest},
	{directory.Conflict, "", "", groupExists},
	{directory.LastAdmin, "input.admins", "", needAdmin},
	{directory.LastAdmin, "", "", lastAdmin},
	{directory.Invalid, "input.name", http.MethodPut, invalidName},
	{directory.Invalid, "input.name", "", invalidPattern},
	{directory.Invalid, "by", "", noGroup}, // a name that no group can have
	{directory.Invalid, "input.group", "", noGroup},
	{directory.Invalid, "input.users[", "", notFound}, // a name that no user can have
	{directory.Invalid, "", "", wrongRequest},
	{directory.LimitExceeded, "", "", wrongRequest},
	{directory.TooManyRequests, "", "", unavailable},
	{directory.ResyncRequired, "", "", wrongRequest},
	{directory.Unavailable, "", "", unavailable},
	{directory.Internal, "", "", internalError},
}

// replyTo finds the reply, and its cause if it tells one.
func replyTo(method string, err error) (reply, string) {
	var route *legacy.RouteError
	if errors.As(err, &route) {
		return notFound, ""
	}
	e := directory.AsError(err)
	for _, r := range table {
		if r.code == e.Code && strings.HasPrefix(e.Field, r.field) && (r.method == "" || r.method == method) {
			return r.reply, causeOf(r.reply, e)
		}
	}
	return internalError, ""
}

// causeOf is what follows a message in parentheses: what is wrong with the request.
func causeOf(r reply, e *directory.Error) string {
	switch r.id {
	case invalidName.id:
		return "Invalid group name. It should match ^[a-zA-Z0-9._-]{1,}$"
	case wrongRequest.id:
		return wrongWith(e)
	}
	return ""
}

// wrongWith is what Go's own decoders said, in the words of the SDK that CDS's clients have; of other causes, which may be
// nobody's business, the error's message alone.
func wrongWith(e *directory.Error) string {
	var ofType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var ofNumber *strconv.NumError
	var ofTime *time.ParseError
	switch {
	case errors.As(e.Cause, &ofType):
		return typeText(ofType)
	case errors.As(e.Cause, &syntax), errors.As(e.Cause, &ofNumber), errors.As(e.Cause, &ofTime):
		return e.Cause.Error()
	}
	return e.Message
}

func typeText(e *json.UnmarshalTypeError) string {
	text := "json: cannot unmarshal " + e.Value + " into Go "
	if e.Struct != "" || e.Field != "" {
		text += "struct field " + e.Struct + "." + e.Field + " of type "
	} else {
		text += "value of type "
	}
	return text + strings.ReplaceAll(e.Type.String(), "cds.", "sdk.")
}

// fail writes an error.
func fail(w http.ResponseWriter, r *legacy.Request, err error) {
	said, cause := replyTo(r.Method, err)
	message := said.en
	if french(r.Header.Get("Accept-Language")) {
		message = said.fr
	}
	if cause != "" {
		message += " (from: " + cause + ")"
	}
	_ = write(w, said.status, envelope{ID: said.id, Message: message, UUID: uuid.NewString()}) // which always marshals
}

// french reports whether a client gets French: fr, exactly so, before any other French or English (§1).
func french(accept string) bool {
	best, is := -1.0, false
	for part := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := quality(params)
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if (language == "fr" || language == "en") && q > 0 && q > best {
			best, is = q, strings.EqualFold(tag, "fr")
		}
	}
	return is
}

// quality is the weight of a language; 1 if there is none.
func quality(params string) float64 {
	text, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0
	}
	return q
}
