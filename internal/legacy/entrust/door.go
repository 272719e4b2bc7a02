// Package entrust is the door for programs written against the group operations of Entrust Identity as a Service's
// Administration API (formerly IntelliTrust).
//
// A program logs in first: POST /api/web/v1/adminapi/authenticate with the id and the secret of an API application, which is a
// token here, answers a short-lived token. That one comes back in Authorization, bare or after "Bearer". Each operation asks
// for one permission, held or not held. Bodies are JSON with exactly the documented keys; every refusal is an ErrorInfo.
//
//	door.go    routes, where the credential is
//	login.go   authenticate
//	groups.go  groups one by one and all at once
//	search.go  pages of groups: what is searched for, in which order
//	cursor.go  what the cursor of a page carries
//	users.go   the groups of a user
//	wire.go    what goes over the wire
//	errors.go  codes of the directory as ErrorInfo
//
// Sections named in comments are those of the facts file of the system; decisions are in docs/doors/entrust.md.
package entrust

import (
	_ "embed"
	"net/http"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the door's part of the OpenAPI document.
func OpenAPI() []byte { return openAPI }

// door holds what its handlers work with.
type door struct{ dir *directory.Service }

// New makes the door.
func New(dir *directory.Service) legacy.Door {
	d := door{dir}
	return legacy.Door{Name: directory.DoorEntrust, Routes: d.routes(), Owns: owns, Credential: credential, Fail: fail}
}

// root is where the API lies.
const root = "/api/web/v1"

// routes are the eight operations of GroupsApi and the log-in without which none of them can be reached (§1, §3).
func (d door) routes() []legacy.Route {
	return []legacy.Route{
		{Operation: "authenticateAdminApiUsingPOST", Method: "POST", Pattern: root + "/adminapi/authenticate", Open: true, Handle: d.authenticate},
		{Operation: "createGroupUsingPOST", Method: "POST", Pattern: root + "/groups", Handle: d.createGroup},
		{Operation: "groupsUsingGET", Method: "GET", Pattern: root + "/groups", Handle: d.groups},
		{Operation: "groupByExternalIdUsingPOST", Method: "POST", Pattern: root + "/groups/externalid", Handle: d.groupByExternalID},
		{Operation: "groupUsingGET", Method: "GET", Pattern: root + "/groups/{id}", Handle: d.group},
		{Operation: "updateGroupUsingPUT", Method: "PUT", Pattern: root + "/groups/{id}", Handle: d.updateGroup},
		{Operation: "deleteGroupUsingDELETE", Method: "DELETE", Pattern: root + "/groups/{id}", Handle: d.deleteGroup},
		{Operation: "groupsPagedUsingPOST", Method: "POST", Pattern: root + "/groupspaged", Handle: d.groupsPaged},
		{
			Operation: "modifyUserAuthorizationGroupAssociationsUsingPUT", Method: "PUT",
			Pattern: root + "/userauthorizationgroup/{userid}/groups", Handle: d.setUserGroups,
		},
	}
}

// owns claims the whole API, so that operations which Roster does not have are refused in its own words.
func owns(segments []string) bool {
	return len(segments) >= 3 && segments[0] == "api" && segments[1] == "web" && segments[2] == "v1"
}

// credential is the Authorization header as it stands: the token is opaque, and only some clients put "Bearer" before it (§1).
func credential(r *http.Request) (string, bool) {
	h := r.Header.Get("Authorization")
	if scheme, rest, ok := strings.Cut(h, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return rest, true
	}
	return h, true
}
