// Package cds is the door for programs written against the group API of OVH CDS 0.41: cdsctl, its SDK, its web interface.
//
// A request flows so: legacy's router finds the route (door.go), the token is taken from where CDS's clients put it, a handler
// (groups.go, members.go, tokens.go, actions.go) decodes it into the structs of wire.go, calls the directory once, and encodes
// what that says. Errors of all kinds become CDS's envelope, in English or French, by the one table in errors.go.
//
// § in comments is a section of the facts about the old system, shared/legacy/cds.md beside the repository. What was decided where
// they are open, and what was improved, is in docs/doors/cds.md.
package cds

import (
	_ "embed"
	"net/http"
	"strconv"
	"strings"
	"time"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// sharedGroup is the group whose actions and worker models every group can use (§4.14, §5).
const sharedGroup = "shared.infra"

// Config is what the door can be told.
type Config struct {
	DefaultGroup string // the group that withoutDefault leaves out of lists (§4.1); "" is none
}

type door struct {
	dir *directory.Service
	Config
}

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the door's part of the OpenAPI document.
func OpenAPI() []byte { return openAPI }

// maxGroupBody is for the one body that grows with a group: clients rename by sending back all of it, users included (§4.5).
const maxGroupBody = 8 << 20

// New is the door.
func New(dir *directory.Service, c Config) legacy.Door {
	d := &door{dir, c}
	return legacy.Door{
		Name: directory.DoorCDS, FirstPath: true,
		Owns:       func(segments []string) bool { return segments[0] == "group" },
		Credential: credential, Fail: fail, Preflight: preflight, Before: headers,
		Routes: []legacy.Route{
			{Operation: "getActionsForGroup", Method: "GET", Pattern: "/group/{groupID}/action", Handle: d.getActionsForGroup},
			{Operation: "getGroups", Method: "GET", Pattern: "/group", Handle: d.getGroups},
			{Operation: "addGroup", Method: "POST", Pattern: "/group", Handle: d.addGroup},
			{Operation: "getPublicGroups", Method: "GET", Pattern: "/group/public", Handle: d.getPublicGroups},
			{Operation: "getGroup", Method: "GET", Pattern: "/group/{name}", Handle: d.getGroup},
			{Operation: "updateGroup", Method: "PUT", Pattern: "/group/{name}", MaxBody: maxGroupBody, Handle: d.updateGroup},
			{Operation: "deleteGroup", Method: "DELETE", Pattern: "/group/{name}", Handle: d.deleteGroup},
			{Operation: "addUserInGroup", Method: "POST", Pattern: "/group/{name}/user", Handle: d.addUserInGroup},
			{Operation: "removeUserFromGroup", Method: "DELETE", Pattern: "/group/{name}/user/{user}", Handle: d.removeUserFromGroup},
			{Operation: "setUserGroupAdmin", Method: "POST", Pattern: "/group/{name}/user/{user}/admin", Handle: d.setUserGroupAdmin},
			{Operation: "removeUserGroupAdmin", Method: "DELETE", Pattern: "/group/{name}/user/{user}/admin", Handle: d.removeUserGroupAdmin},
			{Operation: "getGroupTokenList", Method: "GET", Pattern: "/group/{name}/token", Handle: d.getGroupTokenList},
			{Operation: "generateToken", Method: "POST", Pattern: "/group/{name}/token", Handle: d.generateToken},
			{Operation: "deleteToken", Method: "DELETE", Pattern: "/group/{name}/token/{tokenid}", Handle: d.deleteToken},
			{Operation: "getWorkerModelsForGroup", Method: "GET", Pattern: "/group/{groupID}/worker/model", Handle: d.getWorkerModelsForGroup},
		},
	}
}

// credential finds the token as CDS did (§2): a Bearer value decides alone, then the session in a header, then the one in the
// query. A Basic password is the last resort: the SDK always sent one, and other programs can send nothing else.
func credential(r *http.Request) (secret string, ok bool) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest), true
	}
	if s := r.Header.Get("Session-Token"); s != "" {
		return s, true
	}
	if s := r.URL.Query().Get("session"); s != "" {
		return s, true
	}
	_, password, ok := r.BasicAuth()
	return password, ok
}

// The headers of every answer (§1).
const (
	startHeader  = "X-Api-Nanoseconds-Time"
	allowMethods = "GET,OPTIONS,PUT,POST,DELETE"
	allowHeaders = "Accept, Accept-Language, Authorization, Content-Type, Origin, Referer, Session-Token, User-Agent, X-Requested-With"
)

func headers(w http.ResponseWriter, _ *legacy.Request) {
	now := time.Now()
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", allowMethods)
	h.Set("Access-Control-Allow-Headers", allowHeaders)
	h.Set("X-Api-Time", now.Format(time.RFC3339))
	h.Set(startHeader, strconv.FormatInt(now.UnixNano(), 10))
	h.Set("Etag", strconv.FormatInt(now.Unix(), 10))
}

func preflight(w http.ResponseWriter, _ *legacy.Request) {
	took(w)
	w.WriteHeader(http.StatusOK)
}

// took says how long the answer took, in nanoseconds, like the time that it began at.
func took(w http.ResponseWriter) {
	if began, err := strconv.ParseInt(w.Header().Get(startHeader), 10, 64); err == nil {
		w.Header().Set("X-Api-Process-Time", strconv.FormatInt(time.Now().UnixNano()-began, 10))
	}
}

const jsonType = "application/json"

// write answers with a JSON body.
func write(w http.ResponseWriter, status int, v any) error {
	b, err := legacy.Marshal(v)
	if err != nil {
		return err
	}
	took(w)
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client is gone; there is nobody to tell
	return nil
}

// done answers without a body, but with its type, as CDS did (§1).
func done(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
	took(w)
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// named is the group of the path.
func named(r *legacy.Request) directory.GroupRef { return directory.GroupByName(r.Var("name")) }

// integer is a variable of the path that must be one. What strconv says about any other text is part of the answer (§4.10).
func integer(r *legacy.Request, name string) (int, error) {
	n, err := strconv.ParseInt(r.Var(name), 10, 64)
	if err != nil {
		return 0, &directory.Error{Code: directory.Invalid, Field: "path." + name, Message: "It is no integer.", Cause: err}
	}
	return int(n), nil
}

// unless is err, unless the caller may not do this at all: CDS's router refused before a handler looked at the request (§3).
func (d *door) unless(r *legacy.Request, op directory.Operation, err error) error {
	ref := named(r)
	a, aerr := d.dir.ExplainAccess(r.Context(), r.By, op, &ref)
	if aerr == nil && !a.Allowed {
		return &directory.Error{Code: directory.Forbidden, Message: "You may not do this.",
			Denial: &directory.Denial{Operation: op, Rule: a.Rule, Because: a.Because}}
	}
	return err
}
