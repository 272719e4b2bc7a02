// Package enterprisetester is the door for programs written against the group resources of Catch Software's Enterprise Tester.
//
// A program sends its credential with every request, as Basic (the password is a token) or as Bearer, and PascalCase JSON whose
// unknown members do not matter. Answers carry absolute links, by which clients go on; lists are OData collections. What is
// wrong with the data, a name in use included, is 403 with a message.
//
//	door.go        routes, where the credential is
//	group.go       /api/group/{id}
//	groups.go      /api/groups
//	members.go     /api/group/{id}/users
//	permissions.go /api/group/{id}/permissions/…
//	query.go       $top, $skip, $inlinecount, $expand, and the collections that answer them
//	odata.go       $filter and $orderby
//	wire.go        what goes over the wire
//	errors.go      codes of the directory as messages
//
// Sections named in comments are those of the facts file of the system; decisions are in docs/doors/enterprisetester.md.
package enterprisetester

import (
	_ "embed"
	"net/http"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the door's part of the OpenAPI document.
func OpenAPI() []byte { return openAPI }

// door holds what its handlers work with.
type door struct{ dir *directory.Service }

// New makes the door. Clients put the application's path before it, usually /EnterpriseTester: that is the door's prefix.
func New(dir *directory.Service) legacy.Door {
	d := door{dir}
	return legacy.Door{Name: directory.DoorEnterpriseTester, Routes: d.routes(), Owns: owns, Credential: credential, Fail: fail}
}

// routes are the three operations of the Group resource, and what its links lead to ("Neighbouring operations"). Their names are
// the nicknames of the vendor's Swagger file.
func (d door) routes() []legacy.Route {
	return []legacy.Route{
		{Operation: "getGroup", Method: "GET", Pattern: "/api/group/{id}", Handle: d.getGroup},
		{Operation: "updateGroup", Method: "PUT", Pattern: "/api/group/{id}", Handle: d.updateGroup},
		{Operation: "deleteGroup", Method: "DELETE", Pattern: "/api/group/{id}", Handle: d.deleteGroup},
		{Operation: "searchGroups", Method: "GET", Pattern: "/api/groups", Handle: d.searchGroups},
		{Operation: "createGroup", Method: "POST", Pattern: "/api/groups", Handle: d.createGroup},
		{Operation: "getGroupMembers", Method: "GET", Pattern: "/api/group/{id}/users", Handle: d.getGroupMembers},
		{Operation: "setGroupMembers", Method: "PUT", Pattern: "/api/group/{id}/users", Handle: d.setGroupMembers},
		{Operation: "getGlobalGroupPermissions", Method: "GET", Pattern: "/api/group/{id}/permissions/global", Handle: d.globalPermissions},
		{Operation: "getProjectGroupPermissionLinks", Method: "GET", Pattern: "/api/group/{id}/permissions/projects", Handle: d.projectPermissions},
	}
}

// owns claims /api but for Entrust's corner of it, so that resources which Roster does not have are refused in the system's words.
func owns(segments []string) bool {
	return segments[0] == "api" && (len(segments) == 1 || segments[1] != "web")
}

// credential is the password of Basic, which clients send without waiting to be asked, or a Bearer token ("Common rules"). The user
// name is not looked at: the token says whose it is.
func credential(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	return auth.Bearer(r)
}
